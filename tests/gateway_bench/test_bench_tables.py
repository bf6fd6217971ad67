"""Tables say medians with their range, and nothing where nothing was measured."""

from __future__ import annotations

import pytest

from verilabel.gateway_bench.tables import Section, Spread, Table, format_number, ratio, spread_of


def test_a_spread_shows_its_median_with_the_least_and_the_greatest() -> None:
    assert "2.00 (1.00-9.00)" == str(Spread((9.0, 1.0, 2.0)))
    assert "5.00" == str(Spread((5.0,)))
    with pytest.raises(ValueError, match="no measurements"):
        Spread(())


def test_a_missing_measurement_is_a_dash_and_no_ratio() -> None:
    assert spread_of([None, None]) is None
    assert ratio(None, Spread((1.0,))) is None
    assert ratio(Spread((1.0,)), Spread((0.0,))) is None
    assert 2.0 == ratio(Spread((4.0,)), Spread((2.0,)))
    table = Table(title="T", headings=("row", "a"), rows=(("x", None),))
    assert "x    -" == table.text().splitlines()[-1]


def test_a_row_without_its_cells_is_refused() -> None:
    with pytest.raises(ValueError, match="2 cells under 3 headings"):
        Table(title="T", headings=("a", "b", "c"), rows=(("x", 1.0),))


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0"), (1234.5, "1,234"), (12.34, "12.3"), (1.234, "1.23"), (0.01234, "0.0123")]
)
def test_numbers_have_three_digits_that_count(value: float, shown: str) -> None:
    assert shown == format_number(value)


def test_a_section_as_json_keeps_every_value() -> None:
    table = Table(title="T", headings=("row", "a"), rows=(("x", Spread((3.0, 1.0))),))
    section = Section(name="s", title="S", method="M", tables=(table,), notes=("n",))
    assert ["x", {"median": 2.0, "least": 1.0, "greatest": 3.0, "values": [3.0, 1.0]}] == section.document()[
        "tables"
    ][0]["rows"][0]
    assert "note: n" in section.text()
