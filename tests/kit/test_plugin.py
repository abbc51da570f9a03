"""The pytest plugin: fixtures of the same names, found by themselves, and no cost for anybody else."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import eventbridge.testing
from eventbridge import emit
from tests.kit.parts import Ordered, Packed, packing
from tests.services.processes import ROOT

PLUGIN = "eventbridge.pytest_plugin"


def run_pytest(folder: Path, code: str, *arguments: str) -> str:
    """What a pytest of its own says of this test file."""
    (folder / "test_it.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    return done.stdout + done.stderr


def test_every_function_is_a_fixture_that_brings_the_database_along(
    captured_events, forget_events, deliver, assert_published, assert_published_once, assert_not_published
):
    assert_not_published()
    emit(Ordered(number=1))
    deliver(packing)
    assert_published(Packed, item="lamp")
    assert_published_once(Ordered)
    assert len(captured_events()) == 2
    forget_events()
    assert_not_published()


def test_the_fixtures_are_the_kits_public_functions():
    from eventbridge import pytest_plugin

    functions = set(eventbridge.testing.__all__) - {"Settled"}
    fixtures = {name for name, value in vars(pytest_plugin).items() if hasattr(value, "_fixture_function")}
    assert fixtures == functions


def test_pytest_finds_it_by_its_entry_point(request):
    assert [found.value for found in entry_points(group="pytest11", name="eventbridge")] == [PLUGIN]
    assert request.config.pluginmanager.hasplugin("eventbridge")


def test_a_run_that_does_not_use_it_loads_nothing_and_needs_no_settings(tmp_path):
    code = """
import sys

def test_nothing():
    loaded = [name for name in sys.modules if name.partition(".")[0] in ("eventbridge", "kombu", "pika", "msgspec")]
    assert sorted(loaded) == ["eventbridge", "eventbridge.pytest_plugin"]
    assert "django.db" not in sys.modules
"""
    assert "1 passed" in run_pytest(tmp_path, code, "-p", "no:django")


def test_without_pytest_django_a_fixture_says_what_it_needs(tmp_path):
    said = run_pytest(tmp_path, "def test_it(deliver): pass", "-p", "no:django")
    assert "fixture 'db' not found" in said


def test_a_projects_own_fixture_of_the_same_name_wins(tmp_path):
    code = """
import pytest

@pytest.fixture
def deliver():
    return "a parcel"

def test_it(deliver):
    assert deliver == "a parcel"
"""
    assert "1 passed" in run_pytest(tmp_path, code, "-p", "no:django")


def test_the_kit_loads_neither_kombu_nor_pika():
    code = """
import sys, django
django.setup()
import eventbridge.testing
print(sorted({name.partition(".")[0] for name in sys.modules} & {"kombu", "amqp", "pika", "pytest"}))
"""
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_failing_assertion_shows_the_tests_own_line_and_none_of_the_kits(tmp_path):
    code = """
from eventbridge.testing import assert_published
from tests.kit.parts import Packed

def test_it(db):
    assert_published(Packed, item="lamp")
"""
    said = run_pytest(tmp_path, code, "--ds", "tests.settings")
    assert "was not published: nothing was" in said
    assert "test_it.py:6: AssertionError" in said
    assert "eventbridge/testing" not in said


@pytest.mark.sqlite
def test_a_failing_handler_shows_the_tests_line_and_the_handlers(tmp_path):
    code = """
from eventbridge import emit
from tests.kit.parts import Ordered, packing

def test_it(deliver):
    emit(Ordered(number=1, item="piano"))
    deliver(packing)
"""
    said = run_pytest(tmp_path, code, "--ds", "tests.settings", "--tb", "short")
    assert "there is no box for a piano" in said
    places = [line.partition(":")[0] for line in said.splitlines() if ": in " in line]
    assert [Path(place).name for place in places] == ["test_it.py", "parts.py"]
