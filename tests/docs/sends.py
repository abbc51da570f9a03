"""Where the code sends telemetry's signals, and with which arguments. Read from its source: no test runs all of it."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import eventbridge

PACKAGE = Path(eventbridge.__file__).parent


@dataclass(frozen=True)
class Send:
    """One call of ``send_robust``. ``states`` are those that it spells out."""

    signal: str
    place: str
    arguments: set[str]
    states: set[str]


def sends(path: Path) -> Iterator[Send]:
    """Those in one module."""
    tree = ast.parse(path.read_text())
    for function in ast.walk(tree):
        for call in ast.walk(function) if isinstance(function, ast.FunctionDef) else ():
            if isinstance(call, ast.Call) and (found := re.match(r"telemetry\.(\w+)\.send", ast.unparse(call.func))):
                signal = found[1]
                spelled = {str(key.arg): key.value for key in call.keywords if key.arg}
                spread = [name for key in call.keywords if not key.arg for name in _names(key.value, function, tree)]
                state = spelled.get("state")
                states = {str(state.value)} if isinstance(state, ast.Constant) else set()
                yield Send(signal, f"{path.name}:{call.lineno}", {*spelled, *spread}, states)


def _names(value: ast.expr, function: ast.AST, tree: ast.AST) -> Iterator[str]:
    """The keys of what is spread: a dict, a variable of this function, or what a property of that name returns."""
    if isinstance(value, ast.Dict):
        for key, inner in zip(value.keys, value.values, strict=True):
            yield from [str(key.value)] if isinstance(key, ast.Constant) else _names(inner, function, tree)
    else:
        for meant in _meanings(value, function, tree):
            yield from _names(meant, function, tree)


def _meanings(value: ast.expr, function: ast.AST, tree: ast.AST) -> Iterator[ast.expr]:
    if isinstance(value, ast.Name):
        assigned = (node for node in ast.walk(function) if isinstance(node, ast.Assign))
        yield from (node.value for node in assigned if ast.unparse(node.targets[0]) == value.id)
    elif isinstance(value, ast.Attribute):
        properties = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == value.attr)
        returns = (part for node in properties for part in node.body if isinstance(part, ast.Return))
        yield from (part.value for part in returns if part.value)


def states_of(module: str) -> Iterator[str]:
    """What a relay rests in or begins with, and what a crew's ``state`` returns."""
    tree = ast.parse((PACKAGE / module).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self._rest":
            yield from _texts(node.args[0])
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "self.state":
            yield from _texts(node.value)
        elif isinstance(node, ast.FunctionDef) and node.name == "state":
            yield from (text for part in ast.walk(node) if isinstance(part, ast.Return) for text in _texts(part.value))


def _texts(value: ast.expr | None) -> Iterator[str]:
    branches = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
    yield from (
        branch.value for branch in branches if isinstance(branch, ast.Constant) and isinstance(branch.value, str)
    )
