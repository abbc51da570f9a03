"""Servers in containers, through testcontainers."""

from typing import Any

from tests.services.hosts import NotAvailable


class ContainerHost:
    """A server in a container. Its ports are bound to fixed ones of ours, so that they survive a restart."""

    def __init__(self, container: Any, image: str) -> None:
        self.how = f"container {image}"
        self._container = container

    def launch(self) -> None:
        """Create and start the container, and wait until the server in it is up; NotAvailable if that fails."""
        try:
            self._container.start()
        except Exception as error:  # docker, its transport and testcontainers each raise their own
            self.close()
            raise NotAvailable(f"{self.how} does not start: {error}") from error

    def start(self) -> None:
        self._wrapped.start()

    def stop(self) -> None:
        self._wrapped.stop(timeout=30)

    def kill(self) -> None:
        self._wrapped.kill()

    def pause(self) -> None:
        self._wrapped.pause()

    def resume(self) -> None:
        self._wrapped.reload()
        if self._wrapped.status == "paused":
            self._wrapped.unpause()

    def run(self, *command: str) -> str:
        code, output = self._container.exec(list(command))
        words = str(output, errors="replace")
        if code:
            raise RuntimeError(f"{' '.join(command)}: {words}")
        return words

    def close(self) -> None:
        self._container.stop()

    @property
    def _wrapped(self) -> Any:
        return self._container.get_wrapped_container()


def have_image(image: str) -> None:
    """Make sure that Docker runs and has the image, pulling it if need be; NotAvailable otherwise.

    A daemon that answers is no proof: it may reach no registry.
    """
    import docker

    try:
        client = docker.from_env()
    except docker.errors.DockerException as error:
        raise NotAvailable(f"Docker does not answer: {error}") from error
    try:
        _find_or_pull(client, image)
        _reap_if_possible(client)
    finally:
        client.close()


def _reap_if_possible(client: Any) -> None:
    """testcontainers' reaper removes what a killed run left; it is an image of its own, which may not be to be had."""
    from testcontainers.core.config import testcontainers_config

    try:
        _find_or_pull(client, testcontainers_config.ryuk_image)
    except NotAvailable:
        testcontainers_config.ryuk_disabled = True


def _find_or_pull(client: Any, image: str) -> None:
    import docker

    try:
        client.images.get(image)
    except docker.errors.ImageNotFound:
        _pull(client, image)


def _pull(client: Any, image: str) -> None:
    import docker

    try:
        client.images.pull(image)
    except (docker.errors.DockerException, OSError) as error:
        raise NotAvailable(f"image {image} is not here and cannot be pulled: {error}") from error
