"""The command `verilabel gateway bench`: what it is asked for, and what it writes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from verilabel.cli import gateway_bench
from verilabel.errors import ExitStatus, UsageError
from verilabel.gateway_bench.contenders import GROUPS
from verilabel.gateway_bench.running import SECTIONS


def parse(*line: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    gateway_bench.configure(parser)
    return parser.parse_args(line)


def test_the_commands_words_are_those_of_the_bench() -> None:
    assert tuple(SECTIONS) == gateway_bench.SECTIONS
    assert GROUPS == gateway_bench.RIVALS


def test_parts_and_rivals_are_taken_in_their_own_order_and_all_by_default() -> None:
    options = gateway_bench.read_options(parse("--only", "load,leak", "--rivals", "nemo,bare", "--quick"))
    assert ("leak", "load") == options.sections
    assert ("bare", "nemo") == options.rivals
    assert options.quick
    assert tuple(SECTIONS) == gateway_bench.read_options(parse()).sections
    assert () == gateway_bench.read_options(parse("--rivals", "none")).rivals


@pytest.mark.parametrize(
    "line",
    [
        ("--only", "speed"),
        ("--only", ","),
        ("--rivals", "none,bare"),
        ("--rounds", "0"),
        ("--rivals-python", "/nowhere/python"),
    ],
)
def test_what_there_is_not_is_refused(line: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        gateway_bench.read_options(parse(*line))


def test_results_that_are_there_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "bench.json").write_text("kept")
    with pytest.raises(UsageError, match="already"):
        gateway_bench.run(parse("--out", str(tmp_path / "bench.json")))
    assert "kept" == (tmp_path / "bench.json").read_text()


def test_a_part_is_measured_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bench.json"
    arguments = parse("--quick", "--only", "approvals", "--rivals", "none", "--json", "--out", str(out))
    assert ExitStatus.OK == gateway_bench.run(arguments)
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(out.read_text())
    (section,) = printed["sections"]
    assert [] == section["notes"]
    (table,) = section["tables"]
    row = dict(zip(table["headings"], table["rows"][0], strict=True))
    assert "two workers, one killed" == row["gateway"]
    assert (200, 200, 0, 0) == (row["requests"], row["acknowledged"], row["lost"], row["doubled"])
