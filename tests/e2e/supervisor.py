"""A supervisor: starts a consumer again whenever it ends, by fork, so that a death costs no second import."""

import os
import sys
from importlib import import_module

import django
from django.core.management import call_command


def main(module: str) -> None:
    """Until it ends in order."""
    django.setup()
    import_module(module)
    code = 1
    while code:
        code = _run(module)
        sys.stdout.write(f"it ended with {code}\n")


def _run(module: str) -> int:
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        call_command("eventbridge", "consume", module)
    except SystemExit as end:
        os._exit(int(end.code or 0))
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
