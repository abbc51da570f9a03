"""What an import costs, and what it needs. In a process of its own each, as imports cannot be taken back."""

import ast
import re
import subprocess
import sys
import tomllib
from itertools import chain

import pytest

from tests.services.processes import ROOT

WITHOUT_DJANGO = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("django", "asgiref", "kombu", "pika", "amqp"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Nothing())
"""
CONTRACT = """
from eventbridge import Event, event_type
from eventbridge.wire import decode, encode
from eventbridge.transports import Message

@event_type("unit.imported.v1", key="number")
class Imported:
    number: int

body = encode(Event.about(Imported(number=5), source="/s"))
print(decode(Message(destination="", routing_key="", body=body)).read_as(Imported).data)
"""
PUBLIC = ["Consumer", "Event", "Reject", "Retry", "bridge", "emit", "emit_many", "event_type"]
SETTINGS = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
"""
LOADED = "print(sorted({name.partition('.')[0] for name in sys.modules} & {'kombu', 'amqp', 'pika'}))"


def imported() -> set[str]:
    """The packages of others that the library's modules name in an import."""
    trees = [ast.parse(path.read_text()) for path in (ROOT / "eventbridge").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"eventbridge"}


def test_every_package_that_the_library_imports_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = (project["optional-dependencies"][name] for name in ("postgres", "prometheus", "opentelemetry"))
    declared = {re.split(r"[<>=\[]", line)[0].lower() for line in [*project["dependencies"], *chain(*extras)]}
    known = {"opentelemetry": "opentelemetry-api", "prometheus_client": "prometheus-client"}
    theirs = {"asgiref", "pytest"}  # Django's own, which its documentation offers; whoever runs the plugin
    assert {known.get(name, name) for name in imported() - theirs} <= declared


def python(code: str) -> str:
    """What this code prints, in a new Python."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_contracts_need_neither_django_nor_a_broker_library():
    assert python(WITHOUT_DJANGO + CONTRACT) == "Imported(number=5)"


def test_consumers_are_declared_without_django():
    names = "from eventbridge import Consumer, Event, Reject, Retry; print(Consumer('mail').name)"
    assert python(WITHOUT_DJANGO + names) == "mail"


def test_importing_the_package_loads_none_of_its_rooms():
    code = "import sys, eventbridge; print([name for name in sys.modules if name.startswith('eventbridge.')])"
    assert python(code) == "[]"


@pytest.mark.parametrize("name", PUBLIC)
def test_each_public_name_can_be_imported_before_the_app_registry_is_ready(name):
    code = f"{SETTINGS}\nfrom eventbridge import {name}\nprint({name}.__name__)"
    assert python(code) == name


def test_a_receiver_can_be_written_before_the_app_registry_is_ready():
    code = """
from django.dispatch import Signal
from eventbridge import bridge, event_type

@event_type("unit.early.v1")
class Early:
    number: int

signal = Signal()

@bridge(signal)
def early(**kwargs) -> Early:
    return Early(number=1)

import django
django.setup()
print(early().number)
"""
    assert python(SETTINGS + code) == "1"


def test_a_web_process_loads_neither_kombu_nor_pika():
    code = f"""
import sys, django
django.setup()
from eventbridge import *
import tests.urls
from django.core.wsgi import get_wsgi_application
get_wsgi_application()
{LOADED}
"""
    assert python(SETTINGS + code) == "[]"


def test_the_public_names_are_these_and_no_more():
    import eventbridge

    assert sorted(eventbridge.__all__) == sorted(PUBLIC)
    assert all(getattr(eventbridge, name) is not None for name in PUBLIC)


def test_a_name_that_does_not_exist_is_an_attribute_error():
    import eventbridge

    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = eventbridge.nothing


def test_payloads_whose_annotations_are_text_are_read(tmp_path):
    (tmp_path / "contracts.py").write_text("""
from __future__ import annotations
from decimal import Decimal
from eventbridge import event_type

@event_type("unit.later.v1")
class Later:
    price: Decimal | None
    inner: list[Inner]

class Inner:
    __annotations__ = {"x": int}

import dataclasses
Inner = dataclasses.dataclass(Inner)
""")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from contracts import Inner, Later
from eventbridge import Event
from eventbridge.wire import encode
print(encode(Event.about(Later(price=None, inner=[Inner(x=1)]), source="/s")).decode()[-40:])
"""
    assert python(code).endswith('"data":{"price":null,"inner":[{"x":1}]}}')
