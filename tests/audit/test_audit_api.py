"""Audits from Python: run, load, ask, verify."""

from __future__ import annotations

import shutil
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from audit_corpora import write_corpus
from audit_runs import few
from verilabel.audit import Audit, AuditSettings, load_audit, run_audit
from verilabel.audit.engine.watching import Watch
from verilabel.audit.settings import CanarySettings
from verilabel.errors import MalformedInput, SealError, UsageError


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    mail = "Write to ada.lovelace@" + "zzqx.net today."
    return write_corpus(tmp_path_factory.mktemp("corpus") / "texts", files=2, documents=20, extra=[mail])


@pytest.fixture(scope="module")
def settings() -> AuditSettings:
    return few("pii", "licences", "duplicates", canaries=CanarySettings(per_format=5))


@pytest.fixture(scope="module")
def made(corpus: Path, settings: AuditSettings, tmp_path_factory: pytest.TempPathFactory) -> Audit:
    out = tmp_path_factory.mktemp("out") / "run.audit"
    return run_audit([corpus], out=out, settings=settings, workers=1)


def test_an_audit_that_was_run_can_be_loaded_and_verified(made: Audit) -> None:
    assert made.manifest == load_audit(str(made.folder)).manifest
    verified = made.verify()
    assert (made.manifest, None, None) == (verified.manifest, verified.signed, verified.is_trusted)


def test_a_bound_says_how_many_documents_contain_a_kind_and_with_what_confidence(made: Audit) -> None:
    bound = made.bound("pii.email")
    assert ("census", 1, "0.95") == (bound.method, bound.found, bound.confidence)
    assert Fraction(1, 41) <= Fraction(bound.upper_per_million) / 10**6 <= 1
    assert "95 %" in made.sentence("pii.email")


def test_a_kind_that_was_not_looked_for_is_refused_with_those_that_were(made: Audit) -> None:
    with pytest.raises(UsageError, match=r"did not look for 'toxic\.slur'") as refused:
        made.bound("toxic.slur")
    assert "pii.email" in str(refused.value.hint)


def test_records_come_shard_by_shard_with_the_columns_that_are_asked_for(made: Audit) -> None:
    tables = list(made.records(["row", "pii_email"]))
    assert [21, 20] == [table.num_rows for table in tables]
    assert [["row", "pii_email"]] * 2 == [table.column_names for table in tables]
    assert [1, 0] == [sum(table.column("pii_email").to_pylist()) for table in tables]
    assert {"commitment", "bytes", "words"} < set(next(made.records()).column_names)


def test_a_table_that_no_check_made_has_no_rows(made: Audit) -> None:
    assert [] == list(made.table("contamination"))


def test_one_changed_byte_of_any_file_is_found_by_verify(made: Audit, tmp_path: Path) -> None:
    for path in sorted(made.folder.rglob("*.*")):
        folder = tmp_path / path.name
        shutil.copytree(made.folder, folder)
        changed = folder / path.relative_to(made.folder)
        data = bytearray(changed.read_bytes())
        if not data:
            continue
        data[len(data) // 2] ^= 1
        changed.write_bytes(data)
        with pytest.raises((SealError, MalformedInput)):
            load_audit(folder).verify()
        shutil.rmtree(folder)


def test_what_runs_can_be_watched_and_what_is_there_is_not_replaced(
    corpus: Path, made: Audit, settings: AuditSettings, tmp_path: Path
) -> None:
    watch = Watch()
    again = run_audit([corpus], out=tmp_path / "b.audit", settings=settings, workers=1, watch=watch)
    assert ("done", 41, 0) == (watch.stage, watch.documents, watch.unread)
    assert again.manifest.totals == made.manifest.totals
    assert again.manifest.root != made.manifest.root, "each has a secret of its own"
    with pytest.raises(UsageError, match="something here already"):
        run_audit([corpus], out=tmp_path / "b.audit", settings=settings)


def test_what_is_no_audit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no audit here"):
        load_audit(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"no audit\.json"):
        load_audit(tmp_path)
    (tmp_path / "audit.json").write_text("{}")
    with pytest.raises(MalformedInput):
        load_audit(tmp_path)


def test_the_public_face_is_whole() -> None:
    import verilabel.audit as face

    assert {"Audit", "AuditSettings", "load_audit", "run_audit"} == set(face.__all__)
    assert all(getattr(face, name) is getattr(sys.modules["verilabel.audit"], name) for name in face.__all__)
    with pytest.raises(AttributeError):
        face.no_such_name  # noqa: B018
