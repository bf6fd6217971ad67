"""The page of metrics and attributes is what the program has, no more and no less."""

from __future__ import annotations

from pathlib import Path

from verilabel.gateway.telemetry.names import ATTRIBUTES, GENAI_ATTRIBUTES, METRICS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "gateway-telemetry.md").read_text(encoding="utf-8")


def rows_of(heading: str, place: int = 0) -> list[list[str]]:
    """The rows of the table of the page that begins with a heading."""
    table = PAGE.split(f"| {heading} |")[1 + place].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_the_table_of_metrics_is_the_program_s() -> None:
    expected = [
        [f"`{m.full_name}`", m.kind, ", ".join(f"`{label}`" for label in m.labels) or "–", m.says]
        for m in METRICS
    ]
    assert expected == rows_of("metric")


def test_the_tables_of_attributes_are_the_program_s() -> None:
    for place, names in enumerate((ATTRIBUTES, GENAI_ATTRIBUTES)):
        assert [[f"`{name}`", says] for name, says in names.items()] == rows_of("attribute", place)


def test_names_follow_the_rules_of_prometheus() -> None:
    for metric in METRICS:
        assert (metric.kind == "counter") == metric.name.endswith("_total"), metric.name
        assert (metric.kind == "histogram") == bool(metric.buckets), metric.name
        assert list(metric.buckets) == sorted(metric.buckets), metric.name
    assert len(METRICS) == len({metric.name for metric in METRICS})
