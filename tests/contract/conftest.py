"""Each test of the contract runs on every transport."""

from collections.abc import Iterator

import pytest

from tests.contract.bench import Bench


@pytest.fixture
def lease() -> int:
    """Seconds after which the embedded broker redelivers what a dead process held: longer than any test waits."""
    return 60


@pytest.fixture(
    params=["amqp", pytest.param("database", marks=pytest.mark.django_db(transaction=True))],
)
def bench(request: pytest.FixtureRequest, lease: int) -> Iterator[Bench]:
    if request.param == "amqp":
        url, env = request.getfixturevalue("vhost").url, dict[str, str]()
    else:
        url, env = f"database://?lease={lease}", request.getfixturevalue("database_urls")
    bench = Bench(
        url,
        {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "CONTRACT_URL": url,
            **{f"SHOP_{name}": value for name, value in env.items()},
        },
    )
    yield bench
    bench.close()
