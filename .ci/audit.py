"""Looks for known vulnerabilities in the versions that constraints.txt pins, by pip-audit and the OSV database.

Exit code: 0 none is known, 1 there are some, 2 nobody could be asked: nothing was audited, which is no good news.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
COMMAND = [
    *(sys.executable, "-m", "pip_audit", "--requirement", CONSTRAINTS, "--no-deps", "--disable-pip"),
    *("--vulnerability-service", "osv", "--timeout", "10", "--progress-spinner", "off", "--format", "json"),
]


def main() -> int:
    run = subprocess.run(COMMAND, capture_output=True, text=True, check=False)
    try:
        audited: list[dict[str, Any]] = json.loads(run.stdout)["dependencies"]
    except (ValueError, KeyError):
        return _not_audited(run.stderr.strip().rpartition("\n")[2] or "pip-audit said nothing")
    # A mirror of PyPI may know no advisories; pip-audit then skips, and finds that all is well.
    skipped = [package["name"] for package in audited if "skip_reason" in package]
    if skipped or not audited:
        return _not_audited(f"nothing is known of {', '.join(skipped) or 'any package'}")
    found = [(package, problem) for package in audited for problem in package["vulns"]]
    for package, problem in found:
        fixed = ", ".join(problem["fix_versions"]) or "nothing yet"
        print(f"{package['name']} {package['version']}: {problem['id']}, mended in {fixed}")
    print(f"{len(audited)} packages audited, {len(found) or 'no'} known vulnerabilities.")
    return 1 if found else 0


def _not_audited(why: str) -> int:
    print(f"NOT AUDITED: no advisory service could be asked ({why[:200]}).", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
