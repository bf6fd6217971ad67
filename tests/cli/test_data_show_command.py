"""`verilabel data show`: what it prints, writes and refuses, on small real audits and with the real exit statuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from audit_shown import HOSTILE, poor_audit, rich_audit
from verilabel.cli import main


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rich_audit(tmp_path_factory.getbasetemp() / "rich-audit")


@pytest.fixture(scope="module")
def poor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return poor_audit(tmp_path_factory.getbasetemp() / "poor-audit")


def test_coverage_comes_before_what_was_found(rich: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["data", "show", str(rich)])
    out = capsys.readouterr().out
    assert "it holds together; not signed" in out.splitlines()[0]
    assert "This root proves what was audited, not what a model was trained on." == out.splitlines()[1]
    places = [
        out.index(words) for words in ("50 of 52 documents were read", "pii.email", "benchmarks in the data")
    ]
    assert sorted(places) == places
    assert "unread  not a JSON object: 1 document\n" in out
    assert HOSTILE not in out
    assert "[U+202E]" in out


def test_every_kind_has_its_count_its_bound_and_its_errors(
    rich: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == main(["data", "show", str(rich)])
    lines = capsys.readouterr().out.splitlines()
    (heading,) = [line for line in lines if line.strip().startswith("kind ")]
    assert [
        "documents",
        "findings",
        "at",
        "most",
        "planted",
        "found",
        "recall",
        "precision",
    ] == heading.split()[1:]
    (phone,) = [line.split() for line in lines if line.strip().startswith("pii.phone ")]
    assert ["pii.phone", "1", "1", "640,000", "70", "70"] == phone[:6]
    (slur,) = [line for line in lines if line.strip().startswith("toxic.slur ")]
    assert "no bound" in slur


def test_json_is_the_manifest_with_digest_and_counts(rich: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["data", "show", str(rich), "--json"])
    document = json.loads(capsys.readouterr().out)
    manifest = json.loads((rich / "audit.json").read_bytes())
    assert set(manifest) <= set(document)
    assert manifest["root"] == document["root"]
    assert document["digest"].startswith("sha256:")
    assert not document["signed"]
    assert {"pii": 1, "contamination": 1} == {
        name: count
        for name, count in document["tallies"]["found"].items()
        if name in ("pii", "contamination")
    }


def test_html_is_written_once_and_replaced_only_when_asked(
    poor: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "audit.html"
    assert 0 == main(["data", "show", str(poor), "--html", str(page)])
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert 2 == main(["data", "show", str(poor), "--html", str(page)])
    assert "already there" in capsys.readouterr().err
    assert 0 == main(["data", "show", str(poor), "--html", str(page), "--force"])
    assert [page] == list(tmp_path.iterdir())


def test_an_audit_that_does_not_hold_is_shown_as_a_claim_with_its_status(
    poor: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(poor, tmp_path / "spoilt.audit"))
    (folder / "examples.jsonl").write_bytes(b"")
    (folder / "left-over.json").write_bytes(b"{}")
    assert 4 == main(["data", "show", str(folder), "--html", str(tmp_path / "page.html")])
    streams = capsys.readouterr()
    assert "it does NOT hold together: this is what it claims" in streams.out
    assert "left-over.json" in streams.err
    assert 'class="claimed"' in (tmp_path / "page.html").read_text()


def test_claims_that_make_no_sense_end_with_the_failure_and_no_trace(
    poor: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from verilabel.records.canonical import jcs

    folder = Path(shutil.copytree(poor, tmp_path / "forged.audit"))
    manifest = json.loads((folder / "audit.json").read_bytes())
    manifest["coverage"] = {**manifest["coverage"], "rows": -5, "read": 0, "text_bytes": -1}
    manifest["settings"]["confidence"] = "never"
    (folder / "audit.json").write_bytes(jcs(manifest) + b"\n")
    assert main(["data", "show", str(folder), "--html", str(tmp_path / "page.html")]) in (3, 4)
    assert capsys.readouterr().err.startswith("error: ")
    assert not (tmp_path / "page.html").exists()


def test_a_folder_without_an_audit_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == main(["data", "show", str(tmp_path)])
    assert "audit.json" in capsys.readouterr().err
    assert 2 == main(["data", "show", str(tmp_path / "absent")])
    assert "no audit here" in capsys.readouterr().err
