"""Whoever has an audit's folder finds what does not hold in it, and who forges without the key is found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_corpora import write_corpus
from audit_forging import Change, Forgery, Made, made_audit
from audit_runs import few, run
from verilabel.audit.proof.findings import read_findings, write_findings
from verilabel.audit.proof.verifying import STEPS, verify_audit
from verilabel.errors import LimitExceeded, MalformedInput, SealError, UsageError, VerilabelError
from verilabel.records.canonical import jcs

FOUND = "shards/0000000/findings.parquet"
UNREAD = "shards/0000003/unread.parquet"
MATCHES = "shards/0000000/table-contamination.parquet"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made_audit(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made_audit(tmp_path_factory.mktemp("signed"), is_signed=True)


@pytest.fixture
def copied(made: Made, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made.audit, tmp_path / "run.audit"))


def test_an_honest_audit_holds_in_all_its_steps(made: Made) -> None:
    found = verify_audit(made.audit)
    assert (127, 125, 2) == (
        found.manifest.coverage.rows,
        found.manifest.coverage.read,
        found.manifest.coverage.unread,
    )
    assert (None, None, 9) == (found.signed, found.is_trusted, len(STEPS))


def test_a_copy_that_was_sealed_again_without_a_change_holds(copied: Path) -> None:
    before = verify_audit(copied).manifest
    Forgery(copied).seal()
    assert before == verify_audit(copied).manifest


def test_a_signed_audit_names_its_signer(signed: Made) -> None:
    found = verify_audit(signed.audit)
    assert found.signed is not None
    assert len(found.signed.signer.keyid) > 10


# ---------------------------------------------------------------- what a forger changes, and who finds it


def _set(**changes: Any) -> Change:
    """Say something else in the manifest; a path is written with double underscores."""

    def change(forgery: Forgery) -> None:
        for path, value in changes.items():
            *steps, last = path.split("__")
            place: Any = forgery.manifest
            for step in steps:
                place = place[int(step) if isinstance(place, list) else step]
            key: Any = int(last) if isinstance(place, list) else last
            place[key] = value(place[key]) if callable(value) else value

    return change


def _record(shard: int, edit: Callable[[Any], Any]) -> Change:
    def change(forgery: Forgery) -> None:
        records = forgery.records(shard)
        edited = edit(records)
        forgery.write_records(shard, records if edited is None else edited)

    return change


def _put(records: Any, column: str, row: int, value: int) -> None:
    records[column][row] = value


def _line(shard: int, **changes: Any) -> Change:
    return lambda forgery: forgery.change_line(shard, **changes)


def _findings(edit: Callable[[Any], Any]) -> Change:
    def change(forgery: Forgery) -> None:
        path = forgery.folder / FOUND
        found = read_findings(path, where="test")
        edited = edit(found)
        write_findings(found if edited is None else edited, path)

    return change


def _table(path: str, edit: Callable[[dict[str, list[Any]]], None]) -> Change:
    def change(forgery: Forgery) -> None:
        table = pq.read_table(forgery.folder / path)
        columns = table.to_pydict()
        edit(columns)
        pq.write_table(pa.table(columns, schema=table.schema), forgery.folder / path)

    return change


def _drop_last(columns: dict[str, list[Any]]) -> None:
    for values in columns.values():
        values.pop()


def _examples(edit: Callable[[list[dict[str, Any]]], Any]) -> Change:
    def change(forgery: Forgery) -> None:
        path = forgery.folder / "examples.jsonl"
        examples = [json.loads(line) for line in path.read_bytes().splitlines()]
        edit(examples)
        path.write_bytes(b"".join(jcs(one) + b"\n" for one in examples))

    return change


def _first_with(column: str, records: Any) -> int:
    return int(np.flatnonzero(records[column])[0])


def _hide_number(records: Any) -> None:
    records["pii_phone"][_first_with("pii_phone", records)] = 0


def _total(name: str, less: int) -> Change:
    def change(forgery: Forgery) -> None:
        total = next(total for total in forgery.manifest["totals"] if total["findings"])
        total[name] -= less

    return change


def _split_cluster(records: Any) -> None:
    place = int(np.flatnonzero(records["duplicates_exact_size"] > 1)[0])
    records["duplicates_exact"][place] += 1


FORGERIES: dict[str, tuple[int, Change]] = {
    "fewer unread documents in the manifest": (3, _set(coverage__unread=1)),
    "more text in the manifest": (3, _set(coverage__text_bytes=10**9)),
    "a shard of other size": (3, _line(0, text_bytes=5)),
    "more documents than records": (3, _line(0, read=10**6, rows=10**6)),
    "a shard that hides what was not read": (3, _line(3, unread=0, rows=12)),
    "unread documents that are not listed": (3, _table(UNREAD, _drop_last)),
    "unread places one over the other": (
        3,
        _table(UNREAD, lambda columns: columns["row"].__setitem__(1, columns["row"][0])),
    ),
    "an unread place where a record is": (
        3,
        _table(UNREAD, lambda columns: columns["row"].__setitem__(0, columns["row"][0] + 1)),
    ),
    "a record that is left out": (3, _record(0, lambda records: records[:-1])),
    "a record twice": (4, _record(0, lambda records: np.append(records, records[-1:]))),
    "records in another order": (4, _record(0, lambda records: records[::-1].copy())),
    "a count of telephone numbers": (5, _record(0, _hide_number)),
    "a finding that is left out": (5, _findings(lambda found: found[1:])),
    "a finding twice": (5, _findings(lambda found: np.append(found, found[:1]))),
    "a finding of another kind": (
        5,
        _findings(lambda found: _put(found, "kind", 0, int(found["kind"][0]) + 1)),
    ),
    "a finding in a document that is not there": (5, _findings(lambda found: _put(found, "row", -1, 10**6))),
    "a finding beyond its document": (5, _findings(lambda found: _put(found, "start", 0, 2**32 - 9))),
    "a total": (5, _total("findings", 1)),
    "a total of documents": (5, _total("documents", 1)),
    "choices that no record has": (5, _set(choices={"pii_email": {"none": 1}})),
    "a cluster": (6, _record(1, _split_cluster)),
    "a cluster's size": (6, _record(1, lambda records: _put(records, "duplicates_near_size", 2, 9))),
    "a cluster that begins nowhere": (
        6,
        _record(1, lambda records: _put(records, "duplicates_near", 2, 999)),
    ),
    "the summary of duplicates": (6, _set(duplicates__exact__documents=lambda count: count + 1)),
    "an item in the table alone": (
        7,
        _table(MATCHES, lambda columns: columns["row"].__setitem__(0, columns["row"][0] - 1)),
    ),
    "an item of another name": (7, _table(MATCHES, lambda columns: columns["item"].__setitem__(0, "2"))),
    "a benchmark of another name": (
        7,
        _table(MATCHES, lambda columns: columns["benchmark"].__setitem__(0, "other")),
    ),
    "a rule that there is not": (7, _table(MATCHES, lambda columns: columns["rule"].__setitem__(0, "guess"))),
    "a table that is left out": (7, lambda forgery: (forgery.folder / MATCHES).unlink()),
    "matched items": (7, _set(contamination__0__matched=0)),
    "a count of items in a record": (
        7,
        _record(0, lambda records: _put(records, "contamination_items", 0, 1)),
    ),
    "a sample of chosen documents": (8, _set(sample__documents__0=lambda place: [place[0], place[1] + 1])),
    "a smaller sample": (8, _set(sample__wanted=10)),
    "a sample of fewer positives": (8, _set(sample__measured__0__kinds__0__positives=77)),
    "a detector that is left out of the sample": (8, _set(sample__measured=[])),
    "a canary found that was not planted": (8, _set(canaries__0__found=4)),
    "a canary twice": (8, _set(canaries=lambda counts: [*counts, counts[-1]])),
    "better recall than the statements rest on": (8, _set(canaries=lambda counts: counts[2:])),
    "a statement with a better bound": (8, _set(statements__0__upper_per_million=1)),
    "a statement left out": (8, _set(statements=lambda stated: stated[:-1])),
    "another confidence": (8, _set(settings__confidence="0.99")),
    "a confidence that is none": (8, _set(settings__confidence="often")),
    "an example of another place": (9, _examples(lambda some: some[0].update(start=some[0]["start"] + 1))),
    "an example of another mark": (9, _examples(lambda some: some[0].update(mark="0" * 32))),
    "an example of another rank": (9, _examples(lambda some: some[0].update(rank="0" * 16))),
    "an example of a shard that there is not": (9, _examples(lambda some: some[0].update(shard=77))),
    "examples without the worst": (9, _examples(lambda some: some.pop(0))),
    "an example twice": (9, _examples(lambda some: some.append(some[-1]))),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_that_seals_everything_again_is_found_with_its_step(copied: Path, name: str) -> None:
    step, change = FORGERIES[name]
    forgery = Forgery(copied)
    change(forgery)
    forgery.seal()
    with pytest.raises(SealError) as found:
        verify_audit(copied)
    assert (step, name) == (found.value.step, name)


MALFORMED: dict[str, Change] = {
    "checks that were not asked for": _set(settings__checks=["pii"]),
    "no summary of duplicates": _set(duplicates=None),
    "no sample": _set(sample=None),
    "no benchmark": _set(contamination=[]),
    "a sketch that is not there": lambda forgery: (forgery.folder / "sketch.bin").unlink(),
    "a sketch that nobody asked for": _set(settings__contamination__sketch=False),
    "a column too few": _set(record=lambda columns: columns[:-1]),
    "two kinds of one name": _set(checks__0__kinds=lambda kinds: [*kinds, kinds[0]]),
    "other words than what a root proves": _set(says="This model was trained on these data."),
    "a finding of a kind beyond all": _findings(lambda found: _put(found, "kind", 0, 999)),
    "a finding of nothing": _findings(lambda found: _put(found, "length", 0, 0)),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_manifest_that_does_not_fit_together_is_refused(copied: Path, name: str) -> None:
    forgery = Forgery(copied)
    MALFORMED[name](forgery)
    forgery.seal()
    with pytest.raises(MalformedInput):
        verify_audit(copied)


# ---------------------------------------------------------------- files


def test_every_changed_byte_of_any_file_is_found(made: Made, tmp_path: Path) -> None:
    paths = sorted(path for path in made.audit.rglob("*") if path.is_file())
    for number, path in enumerate(paths):
        copy = Path(shutil.copytree(made.audit, tmp_path / str(number)))
        data = bytearray((copy / path.relative_to(made.audit)).read_bytes())
        data[len(data) // 2] ^= 1
        (copy / path.relative_to(made.audit)).write_bytes(data)
        with pytest.raises((SealError, MalformedInput)):
            verify_audit(copy)


@pytest.mark.parametrize("path", ["more.json", "tables/more.parquet", "shards/0000000/more.parquet"])
def test_a_file_that_nobody_lists_is_found(copied: Path, path: str) -> None:
    (copied / path).write_bytes(b"{}")
    with pytest.raises(SealError, match=r"not listed") as found:
        verify_audit(copied)
    assert 1 == found.value.step


@pytest.mark.parametrize("path", ["shards.jsonl", "examples.jsonl", FOUND, MATCHES])
def test_a_file_that_is_missing_is_found(copied: Path, path: str) -> None:
    (copied / path).unlink()
    with pytest.raises((SealError, MalformedInput)):
        verify_audit(copied)


@pytest.mark.parametrize("path", ["shards.jsonl", FOUND, "shards/0000000", "tables"])
def test_a_link_in_the_place_of_a_file_is_refused(copied: Path, tmp_path: Path, path: str) -> None:
    (copied / path).rename(tmp_path / "elsewhere")
    (copied / path).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MalformedInput):
        verify_audit(copied)


def test_a_folder_that_is_no_audit_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        verify_audit(tmp_path)
    with pytest.raises(UsageError):
        verify_audit(tmp_path / "nothing")


def test_what_was_signed_is_held_against_the_manifest(signed: Made, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(signed.audit, tmp_path / "run.audit"))
    forgery = Forgery(copy)
    forgery.manifest["engine"] = "another engine"
    forgery.seal()
    with pytest.raises(SealError) as found:
        verify_audit(copy)
    assert 2 == found.value.step


def test_a_signature_of_another_audit_is_refused(signed: Made, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "texts", files=1, documents=12)
    run(corpus, few("duplicates"), tmp_path / "run.audit", signed.secret)
    verify_audit(tmp_path / "run.audit")
    shutil.copy(signed.audit / "attestation.json", tmp_path / "run.audit")
    with pytest.raises(SealError) as found:
        verify_audit(tmp_path / "run.audit")
    assert 2 == found.value.step


# ---------------------------------------------------------------- Parquet that is hostile


def _write(forgery: Forgery, path: str, columns: dict[str, Any], **options: Any) -> None:
    pq.write_table(pa.table(columns), forgery.folder / path, **options)
    forgery.seal()


@pytest.mark.parametrize("path", [FOUND, UNREAD, MATCHES, "shards/0000000/records.parquet"])
def test_a_table_of_other_columns_is_refused(copied: Path, path: str) -> None:
    _write(Forgery(copied), path, {"row": ["a", "b"]})
    with pytest.raises(VerilabelError):
        verify_audit(copied)


@pytest.mark.parametrize("path", [FOUND, UNREAD, MATCHES])
def test_a_table_with_holes_is_refused(copied: Path, path: str) -> None:
    forgery = Forgery(copied)
    table = pq.read_table(copied / path)
    holes = {field.name: pa.array([None] * 3, field.type) for field in table.schema}
    _write(forgery, path, holes)
    with pytest.raises(MalformedInput, match="holes"):
        verify_audit(copied)


@pytest.mark.parametrize("path", [FOUND, MATCHES, UNREAD])
def test_a_small_file_of_a_billion_rows_is_refused_before_it_is_unpacked(copied: Path, path: str) -> None:
    forgery = Forgery(copied)
    schema = pq.read_table(copied / path).schema
    rows = 1 << 20
    table = pa.table(
        {field.name: pa.nulls(rows, field.type).fill_null(_zero(field.type)) for field in schema}
    )
    with pq.ParquetWriter(copied / path, schema, compression="zstd") as writer:
        for _ in range(34):
            writer.write_table(table, row_group_size=rows)
    assert (copied / path).stat().st_size < 2_000_000
    forgery.seal()
    with pytest.raises(LimitExceeded):
        verify_audit(copied)


def _zero(kind: Any) -> Any:
    if pa.types.is_fixed_size_binary(kind):
        return bytes(16)
    return "" if pa.types.is_string(kind) else 0


def test_one_long_text_that_many_rows_point_at_is_refused(copied: Path) -> None:
    forgery = Forgery(copied)
    schema = pq.read_table(copied / MATCHES).schema
    nothing = pa.array(np.zeros(5000, np.int32))
    long = pa.DictionaryArray.from_arrays(nothing, ["x" * 2_000_000])
    columns = {
        field.name: long if field.type == pa.string() else nothing.cast(field.type) for field in schema
    }
    pq.write_table(pa.table(columns), copied / MATCHES)
    forgery.seal()
    with pytest.raises(LimitExceeded):
        verify_audit(copied)


@settings(max_examples=25)
@given(
    place=st.floats(0, 1, exclude_max=True),
    bit=st.integers(0, 7),
    name=st.sampled_from([FOUND, UNREAD, MATCHES]),
)
def test_a_damaged_table_is_an_error_of_the_tree(
    made: Made, tmp_path_factory: pytest.TempPathFactory, place: float, bit: int, name: str
) -> None:
    copy = Path(shutil.copytree(made.audit, tmp_path_factory.mktemp("damaged") / "run.audit"))
    data = bytearray((copy / name).read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    (copy / name).write_bytes(data)
    Forgery(copy).seal()
    try:
        found = verify_audit(copy)
    except (SealError, MalformedInput):
        return
    # what was changed contradicts nothing: a mark, that only the secret can check, or words of the writer
    assert Forgery(made.audit).manifest["totals"] == list(map(msgspec.to_builtins, found.manifest.totals))


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] + [leaf for key, item in items for leaf in _leaves(item, (*path, key))]


@settings(max_examples=40)
@given(
    place=st.floats(0, 1, exclude_max=True),
    value=st.sampled_from(
        [None, True, 0, 1, -1, 65_537, 2**53 - 1, "", "x", "0", "1e999", "nan", [], {}, [[0, 0]]]
    ),
)
def test_whatever_stands_in_a_manifest_is_an_error_of_the_tree_or_is_true(
    made: Made, tmp_path_factory: pytest.TempPathFactory, place: float, value: Any
) -> None:
    copy = Path(shutil.copytree(made.audit, tmp_path_factory.mktemp("fuzzed") / "run.audit"))
    forgery = Forgery(copy)
    places = _leaves(forgery.manifest)[1:]
    *steps, last = places[int(place * len(places))]
    holder: Any = forgery.manifest
    for step in steps:
        holder = holder[step]
    holder[last] = value
    (copy / "audit.json").write_bytes(jcs(forgery.manifest) + b"\n")
    try:
        said = verify_audit(copy).manifest
    except VerilabelError:
        return
    honest = verify_audit(made.audit).manifest
    assert (honest.coverage, honest.totals, honest.root) == (said.coverage, said.totals, said.root)
