"""doctor: everything that eventbridge rests on, examined; what is wrong first, each with what mends it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from eventbridge.cli.arguments import Commands, add_json, command, number
from eventbridge.cli.console import Console
from eventbridge.diagnosis import STOPPED
from eventbridge.doctor import Finding, examine
from eventbridge.wording import count, one_line

_TIMEOUT = 20


def add_to(commands: Commands[Any]) -> None:
    parser = command(
        commands,
        "doctor",
        run,
        "examine settings, broker, databases and daemons, and explain what is wrong",
        about="""
            Asks the broker and every database, changes nothing, and says what mends each thing it
            finds. Run it as the user, and on the machine, of the daemon that has trouble.
        """,
        examples=("doctor", "doctor --json", "doctor --timeout 60"),
        exits={0: "all is fine", 1: "there are warnings", 2: "something is broken, or does not answer"},
    )
    add_json(parser)
    parser.add_argument(
        "--timeout",
        type=number,
        default=_TIMEOUT,
        metavar="SECONDS",
        help=f"how long to wait for answers (default: {_TIMEOUT})",
    )


def run(console: Console, options: Namespace) -> int:
    findings = examine(options.timeout)
    code = max((finding.severity for finding in findings), default=0)
    if options.json:
        console.json({"exit_code": code, "findings": findings})
    else:
        _tell(console, findings)
    return code


def _tell(console: Console, findings: Sequence[Finding]) -> None:
    wrong = [finding for finding in findings if finding.severity]
    for finding in wrong:
        style = "error" if finding.severity == STOPPED else "warning"
        console.say(f"{finding.about}: {one_line(finding.what)}", style)
        if finding.mend:
            console.say(f"    {one_line(finding.mend)}")
    if wrong:
        console.say()
    fine = [(finding.about, finding.what) for finding in findings if not finding.severity]
    console.say(f"{count(len(fine), 'thing is', 'things are')} fine.", "" if wrong else "success")
    if fine:
        console.table(("", ""), fine)
