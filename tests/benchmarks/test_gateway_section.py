"""What the gateway's bench measured becomes a section of the results, value for value."""

from __future__ import annotations

from benchmarks.gateway import section_of

from verilabel.gateway_bench.running import Results
from verilabel.gateway_bench.tables import Section, Spread, Table


def test_tables_methods_and_notes_of_every_part_are_on_the_page() -> None:
    table = Table(title="Speed", headings=("gateway", "a", "b"), rows=(("ours", Spread((1.0, 3.0)), None),))
    part = Section(name="load", title="How fast", method="By clock.", tables=(table,), notes=("Busy.",))
    page = section_of(Results(machine=("rivals: litellm 1", "python: 3"), sections=(part,))).markdown()
    assert "| ours | 2.00 (1.00-3.00) | - |" in page
    assert "How fast: Speed" in page
    for note in ("How fast. By clock.", "How fast: Busy.", "rivals: litellm 1"):
        assert f"- {note}" in page
    assert "python: 3" not in page
