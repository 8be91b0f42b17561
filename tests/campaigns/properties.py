"""Each property of tests/properties, tried on 1,000 examples.

Usage: python -m tests.campaigns.properties
The rows are printed as JSON; what pytest says of them goes to stderr.
"""

import json
import re
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "properties"
# Hypothesis says it in words alone.
EXAMPLES = re.compile(r"during generate phase.*?(\d+) passing, (\d+) failing", re.DOTALL)
LONGEST = 2000


class Rows:
    """What became of each property, in the order in which they were tried."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        # One that could not be set up is no property that holds.
        if report.when == "call" or report.failed:
            row = {
                "case": f"{item.path.stem.removeprefix('test_')}: {_sentence(item.name)}",
                "examples": _examples(getattr(item, "hypothesis_statistics", "")),
                "seconds": round(report.duration, 2),
                "failures": int(report.failed),
                "right": not report.failed,
            }
            self.found.append(
                row | ({"said": report.longreprtext[-LONGEST:]} if report.failed else {})
            )
        return report


def main() -> int:
    rows = Rows()
    with redirect_stdout(sys.stderr):
        code = pytest.main(
            [str(FOLDER), "--hypothesis-profile=campaign", "-p", "no:cacheprovider"],
            plugins=[rows],
        )
    print(json.dumps(_summary(rows.found), indent=1))
    if code != pytest.ExitCode.OK:
        return 1
    # It imports Keras, whose backend the tests choose.
    from tests.campaigns.record import origin, write

    here = origin()
    told = [{**row, **here} for row in rows.found]
    write("properties", told, {"": [row["case"] for row in told]})
    return 0


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    totals = {key: sum(row[key] for row in rows) for key in ("examples", "seconds", "failures")}
    fewest = min((row["examples"] for row in rows), default=0)
    return {"properties": len(rows), "fewest_examples": fewest, **totals, "rows": rows}


def _sentence(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")


def _examples(said: str) -> int:
    """Return on how many examples a property was tried, those that failed among them."""
    found = EXAMPLES.search(said)
    return sum(map(int, found.groups())) if found else 0


if __name__ == "__main__":
    sys.exit(main())
