"""What was counted: in this process, or by a daemon."""

from typing import Any

from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from tests.telemetry.conftest import get


class Since:
    """What was added to the counters of this process since it was made."""

    def __init__(self) -> None:
        self._before = self._all()

    def __getitem__(self, line: str) -> float:
        now = self._all()
        return now[line] - self._before.get(line, 0.0)

    @staticmethod
    def _all() -> dict[str, float]:
        return {_line(sample): sample.value for family in REGISTRY.collect() for sample in family.samples}


def _line(sample: Any) -> str:
    """``name{label="value"}``, as a person writes it; labels without a value are left out."""
    labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()) if value)
    return f"{sample.name}{{{labels}}}"


def scraped(address: str) -> dict[str, float]:
    answer = get(address, "/metrics")
    assert answer.code == 200
    return {_line(s): s.value for family in text_string_to_metric_families(answer.text) for s in family.samples}
