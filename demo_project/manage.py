#!/usr/bin/env python
"""Django's command line for the bookstore's site, and (with --settings consumers.settings) for its services."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Run one management command.

    Python puts this file's directory on the path; the repository root takes its place, so that every module has
    one name only (`demo_project.settings`, `consumers.email`).
    """
    sys.path[0] = str(ROOT)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo_project.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
