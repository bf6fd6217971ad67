"""An audit is asked in SQL, and nothing else on the machine is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from audit_forging import Forgery, Made, made_audit
from verilabel.audit.querying.database import open_database
from verilabel.errors import MalformedInput, SealError, UsageError

pytest.importorskip("duckdb")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made_audit(tmp_path_factory.mktemp("made"))


def _ask(folder: Path, sql: str) -> list[tuple[object, ...]]:
    with open_database(folder) as database:
        return list(database.ask(sql).rows())


def test_records_and_findings_and_shards_agree(made: Made) -> None:
    assert [(125,)] == _ask(made.audit, "SELECT count(*) FROM records")
    assert [(127, 125, 2)] == _ask(made.audit, "SELECT sum(rows), sum(read), sum(unread) FROM shards")
    counted = _ask(
        made.audit,
        "SELECT (SELECT count(*) FROM findings WHERE kind = 'pii.phone'), (SELECT sum(pii_phone) FROM records)",
    )
    assert counted[0][0] == counted[0][1]
    assert int(str(counted[0][0])) >= 6


def test_documents_are_found_by_their_shard(made: Made) -> None:
    rows = _ask(
        made.audit,
        'SELECT s.name, r."row" FROM contamination c JOIN records r USING (shard, "row") JOIN shards s USING (shard)'
        " ORDER BY ALL",
    )
    assert ["part-000.parquet", "part-001.parquet"] == [name for name, _ in rows]


def test_what_was_not_read_has_its_reason(made: Made) -> None:
    assert [(3,), (9,)] == _ask(made.audit, 'SELECT "row" FROM unread WHERE shard = 3 ORDER BY 1')


def test_every_view_says_what_its_columns_are(made: Made) -> None:
    with open_database(made.audit) as database:
        tables = dict(database.tables())
    assert {"records", "findings", "unread", "shards", "contamination"} == set(tables)
    assert [] == [column for column, _, words in tables["records"] if not words]


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '{audit}/more.csv'",
        "CREATE TABLE t AS SELECT 1",
        "SELECT 1; SELECT 2",
        "EXPLAIN ANALYZE SELECT 1",
        "ATTACH '{audit}/x.db'",
        "SET enable_external_access = true",
        "PRAGMA version",
        "INSTALL httpfs",
        "SELECT * FROM read_text('{outside}')",
        "SELECT * FROM read_text('{audit}/../{name}')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM read_csv('https://example.org/x.csv')",
        "SELECT * FROM nothing",
        "SELEC 1",
        "",
    ],
)
def test_all_but_a_question_to_the_audit_is_refused(made: Made, tmp_path: Path, sql: str) -> None:
    audit = Path(shutil.copytree(made.audit, tmp_path / "run.audit"))
    outside = tmp_path / "outside.txt"
    outside.write_text("not of the audit")
    before = sorted(audit.rglob("*"))
    with pytest.raises(UsageError):
        _ask(audit, sql.format(audit=audit, outside=outside, name=outside.name))
    assert before == sorted(audit.rglob("*"))


def test_a_question_that_takes_too_much_memory_is_refused(made: Made) -> None:
    with (
        open_database(made.audit, memory="40MB") as database,
        pytest.raises(UsageError, match=r"(?i)memory|size"),
    ):
        list(database.ask("SELECT list(a.range ORDER BY hash(a.range)) FROM range(50000000) a").rows())


def test_a_folder_that_was_changed_is_asked_only_unchecked(made: Made, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(made.audit, tmp_path / "run.audit"))
    (copy / "sketch.bin").write_bytes(b"another")
    with pytest.raises(SealError), open_database(copy):
        pass
    with open_database(copy, is_checked=False) as database:
        assert [(125,)] == list(database.ask("SELECT count(*) FROM records").rows())


def test_a_column_whose_name_is_sql_is_refused(made: Made, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(made.audit, tmp_path / "run.audit"))
    forgery = Forgery(copy)
    column = forgery.manifest["checks"][0]["columns"][0]
    column["name"] = "x\" FROM read_text('/etc/hostname') --"
    column["values"] = ["a"]
    forgery.manifest["record"][3] = column
    forgery.seal()
    with pytest.raises(MalformedInput), open_database(copy):
        pass


def test_a_folder_of_a_name_that_stands_for_others_is_refused(made: Made, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(made.audit, tmp_path / "run[1].audit"))
    with pytest.raises(UsageError, match="name this folder"), open_database(copy):
        pass


def test_a_quote_in_the_folder_is_only_a_quote(made: Made, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(made.audit, tmp_path / "it's.audit"))
    assert [(125,)] == _ask(copy, "SELECT count(*) FROM records")
