# One image for the bookstore's site, its relay and its consumers; the command says which. See compose.yaml.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /srv/bookstore

# What changes rarely comes first: the dependencies are installed again only when their versions change.
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY eventbridge ./eventbridge
RUN pip install --constraint constraints.txt ".[postgres,prometheus]"

COPY consumers ./consumers
COPY demo_project ./demo_project

# Nothing here needs to write to the image, or to be root.
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin bookstore
USER bookstore

# SIGTERM reaches Python itself, which drains: no shell stands between.
ENTRYPOINT ["python", "demo_project/manage.py"]
CMD ["help", "eventbridge"]
