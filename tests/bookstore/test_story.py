"""The whole story of `make demo`, in separate processes, as it is run by people."""

import sys

import pytest

SCENES = [
    "log in as demo, password demo",
    "The mail about “The Dispossessed”",
    "failed",
    "dead letter 1 was replayed",
    "the site lists no books any more",
    "no event was recorded, no mail was sent",
    "Every process has stopped in order.",
]


def play(processes, **env):
    urls = {"BROKER_URL": "", "DATABASE_URL": "", **env}
    story = processes.start(sys.executable, "demo_project/story.py", env=urls)
    assert story.wait(100) == 0, story.output
    return story.output


def told(output):
    return [scene for scene in SCENES if scene.lower() in output.lower()]


@pytest.mark.timeout(120)
def test_the_story_is_played_on_the_embedded_broker(processes):
    assert told(play(processes)) == SCENES


@pytest.mark.timeout(120)
def test_the_story_is_played_on_rabbitmq_and_postgresql(processes, vhost, postgresql):
    url = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/postgres".format(**postgresql.settings)

    assert told(play(processes, BROKER_URL=vhost.url, DATABASE_URL=url)) == SCENES


def test_a_database_that_is_not_there_is_named(processes):
    url = "postgres://nobody@127.0.0.1:1/none"
    story = processes.start(sys.executable, "demo_project/story.py", env={"DATABASE_URL": url, "BROKER_URL": ""})

    assert story.wait(30) == 1
    assert "missing: PostgreSQL" in story.output
