"""`verilabel frameworks`: what it prints and the statuses it ends with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from verilabel.cli import main, parser_for


def test_list_has_catalogues_with_their_counts_and_crosswalks(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["frameworks", "list", "--json"])
    listed = json.loads(capsys.readouterr().out)
    items = {catalogue["id"]: catalogue["items"] for catalogue in listed["catalogues"]}
    assert ({"subcategory": 72}, {"hazard": 12}) == (items["nist-ai-rmf"], items["ailuminate"])
    assert {"id": "core--ailuminate", "version": "0.1.0", "rows": 12} in listed["crosswalks"]
    assert 0 == main(["frameworks", "list"])
    assert "32 measure, 5 appendix" in capsys.readouterr().out


def test_show_prints_each_item_and_the_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["frameworks", "show", "ailuminate"])
    out = capsys.readouterr().out
    assert "MLCommons: AILuminate" in out and "Defamation" in out
    assert 0 == main(["frameworks", "show", "ailuminate", "--json"])
    assert 12 == len(json.loads(capsys.readouterr().out)["items"])


def test_crosswalk_prints_rows_and_what_has_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["frameworks", "crosswalk", "verilabel-bundle--eu-ai-act"])
    out = capsys.readouterr().out
    assert "supports" in out and "no relationship" in out
    assert "9 of 14 items have no row here: Art 5, " in out
    assert 0 == main(["frameworks", "crosswalk", "verilabel-bundle--eu-ai-act", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert ("verilabel-bundle", 9) == (document["from"]["id"], len(document["uncovered"]))


def test_a_crosswalk_with_an_unknown_id_ends_with_3_and_the_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from verilabel.frameworks.crosswalk import bundled_crosswalk_paths

    file = tmp_path / "mine.yaml"
    file.write_text(
        bundled_crosswalk_paths()[0].read_text("utf-8").replace('to: "vcr"', 'to: "vcx"'), "utf-8"
    )
    assert 3 == main(["frameworks", "crosswalk", str(file), "--json"])
    error = json.loads(capsys.readouterr().err)
    assert (f"{file} $.rows[0].to", "ailuminate@1.0 has no item 'vcx'") == (error["where"], error["message"])


@pytest.mark.parametrize(
    "arguments",
    [[], ["show"], ["show", "nist"], ["crosswalk", "none"], ["list", "surplus"], ["frobnicate"]],
)
def test_a_misused_command_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main(["frameworks", *arguments])
    assert capsys.readouterr().err


def test_the_examples_of_the_help_text_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from verilabel.frameworks.crosswalk import bundled_crosswalk_paths

    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-crosswalk.yaml").write_bytes(bundled_crosswalk_paths()[0].read_bytes())
    lines = [line for line in parser_for("frameworks").format_help().splitlines() if "  verilabel " in line]
    assert 5 == len(lines)
    for line in lines:
        assert 0 == main(line.split()[1:])
    assert capsys.readouterr().out
