import subprocess
import sys

import pytest

from delineate.catalog import TABLES, find
from delineate.evaluation.tables import meaning_of, table_rows


def test_an_encoder_is_shown_with_all_that_is_known_of_it():
    row = next(row for row in table_rows("encoders") if row["encoder"] == "mobilenetv2")
    assert row == {
        "encoder": "mobilenetv2",
        "parameters": 1_843_264,
        "multiply_adds": row["multiply_adds"],
        "strides": [2, 4, 8, 16, 32],
        "channels": [96, 144, 192, 576, 320],
        "input": "[-1, 1]",
        "licence": "Apache-2.0",
        "widths": None,
    }


def test_a_decoder_is_shown_with_what_it_needs():
    rows = {row["decoder"]: row for row in table_rows("decoders")}
    assert rows["fpn"]["needs"] == [4]
    assert rows["unetplusplus"]["deep_supervision"]
    assert rows["pspnet"]["one_size"]
    assert all(len(row["meaning"]) > 10 for row in rows.values())


@pytest.mark.parametrize(
    ("table", "one"), [("losses", "loss"), ("metrics", "metric"), ("rules", "rule")]
)
def test_a_name_is_shown_with_the_first_line_of_what_it_names(table, one):
    for row in table_rows(table):
        assert set(row) == {one, "meaning"}
        first = find(table, row[one]).__doc__.split("\n\n")[0]
        assert row["meaning"].lower() in " ".join(first.split()).lower()


def test_no_meaning_is_empty():
    for table, names in TABLES.items():
        assert all(meaning_of(place) for place in names.values()), table


def test_tables_are_shown_without_keras():
    code = (
        "import sys\n"
        "from delineate.evaluation.show import show\n"
        "rows = [show(name) for name in ('encoders', 'decoders', 'losses')]\n"
        "assert all(rows) and 'keras' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
