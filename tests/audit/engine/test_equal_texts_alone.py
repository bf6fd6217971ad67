"""Equal texts without near duplicates: the same clusters, and nothing said of what was not looked for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from audit_corpora import some_text, write_corpus
from audit_forging import Forgery
from audit_runs import few, run, write_secret
from verilabel.audit.proof.verifying import verify_audit
from verilabel.audit.settings import DuplicatesSettings
from verilabel.cli import main
from verilabel.errors import MalformedInput

EXACT = DuplicatesSettings(near=False, alarm_documents=3)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # near copies as well: one word of the last four is another
    texts = [some_text(1)] * 5 + [f"{some_text(1)} {word}" for word in ("one", "two", "three")] + ["", ""]
    return write_corpus(tmp_path_factory.mktemp("corpus") / "texts", files=3, documents=30, extra=texts)


@pytest.fixture(scope="module")
def audited(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audited")
    secret = write_secret(folder / "secret")
    for name, settings in (("exact", EXACT), ("both", DuplicatesSettings(alarm_documents=3))):
        run(corpus, few("duplicates", duplicates=settings), folder / f"{name}.audit", secret)
    return folder


def records(audit: Path) -> list[dict[str, int]]:
    import pyarrow.parquet as pq

    paths = sorted(audit.glob("shards/*/records.parquet"))
    return [row for path in paths for row in pq.read_table(path).drop_columns("commitment").to_pylist()]


def test_the_clusters_are_those_that_a_search_for_both_finds(audited: Path) -> None:
    alone, both = records(audited / "exact.audit"), records(audited / "both.audit")
    near = {"duplicates_near", "duplicates_near_size"}
    assert [{name: value for name, value in row.items() if name not in near} for row in both] == alone
    assert max(row["duplicates_exact_size"] for row in alone) >= 5
    assert any(row["duplicates_near_size"] > row["duplicates_exact_size"] for row in both)


def test_nothing_is_said_of_near_duplicates(audited: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = verify_audit(audited / "exact.audit").manifest
    assert found.duplicates is not None
    assert (None, 0, 0) == (found.duplicates.near, found.duplicates.compared, found.duplicates.rejected)
    assert found.duplicates.alarms == len([one for one in found.duplicates.alarming if one.documents > 3]) > 0
    assert "near duplicates were not looked for" in found.checks[0].words
    assert 0 == main(["data", "show", str(audited / "exact.audit")])
    said = capsys.readouterr().out
    assert "near   not looked for" in said
    assert "indicators of memorisation" in said
    assert 0 == main(["data", "export", str(audited / "exact.audit"), "--croissant", str(audited / "c.json")])
    assert "near duplicates were not looked for" in (audited / "c.json").read_text()
    assert 0 == main(["data", "show", str(audited / "exact.audit"), "--html", str(audited / "report.html")])
    assert "Near duplicates were not looked for." in (audited / "report.html").read_text()


def test_near_clusters_that_nobody_looked_for_are_refused(audited: Path, tmp_path: Path) -> None:
    forgery = Forgery(Path(shutil.copytree(audited / "exact.audit", tmp_path / "forged.audit")))
    forgery.manifest["duplicates"]["near"] = forgery.manifest["duplicates"]["exact"]
    forgery.seal()
    with pytest.raises(MalformedInput, match="near duplicates that were not looked for"):
        verify_audit(forgery.folder)


def test_columns_of_near_clusters_do_not_stand_where_they_would_not_be_checked(
    audited: Path, tmp_path: Path
) -> None:
    forgery = Forgery(Path(shutil.copytree(audited / "both.audit", tmp_path / "forged.audit")))
    forgery.manifest["settings"]["duplicates"]["near"] = False
    forgery.manifest["duplicates"]["near"] = None
    forgery.seal()
    with pytest.raises(MalformedInput, match="a column duplicates_near of clusters that nobody looked for"):
        verify_audit(forgery.folder)


def test_another_answer_to_what_was_looked_for_is_another_audit(audited: Path) -> None:
    exact, both = (
        json.loads((audited / f"{name}.audit" / "audit.json").read_text()) for name in ("exact", "both")
    )
    assert exact["root"] != both["root"]
    assert exact["checks"][0]["data_sha256"] != both["checks"][0]["data_sha256"]


def test_the_command_asks_for_equal_texts_alone(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data", "audit", str(corpus), "--unsigned", "--quiet", "--workers", "1", "--duplicates", "exact"]
    assert 2 == main([*words, "--check", "pii", "--out", str(tmp_path / "no.audit")])
    assert "--duplicates asks for a check that --check leaves out" in capsys.readouterr().err
    assert 0 == main([*words, "--check", "duplicates", "--out", str(tmp_path / "run.audit")])
    manifest = verify_audit(tmp_path / "run.audit").manifest
    assert msgspec.structs.replace(EXACT, alarm_documents=1_000) == manifest.settings.duplicates
