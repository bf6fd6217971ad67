"""Documents that a nonce chooses are looked at again: what is true passes, and what is not is named."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_forging import Forgery, Made, made_audit
from verilabel.audit.proof.commitments import Secret, load_secret
from verilabel.audit.proof.verifying import verify_audit
from verilabel.audit.rechecking.drawing import draw_numbers
from verilabel.audit.rechecking.spot_check import Rechecked, spot_check
from verilabel.errors import SealError, UsageError

ROOT = "sha256:" + "ab" * 32


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made_audit(tmp_path_factory.mktemp("made"))


def _check(made: Made, audit: Path | None = None, corpus: Path | None = None, **options: Any) -> Rechecked:
    asked: dict[str, Any] = {"documents": 200, "nonce": "n", "benches": [str(made.bench)], **options}
    return spot_check(audit or made.audit, [str(corpus or made.corpus)], **asked)


# ---------------------------------------------------------------- the choice


@given(nonce=st.text(min_size=1).filter(str.strip), read=st.integers(1, 10**12), documents=st.integers(1, 60))
def test_a_nonce_chooses_so_many_different_documents(nonce: str, read: int, documents: int) -> None:
    chosen = draw_numbers(nonce, ROOT, read, documents)
    assert min(read, documents) == len(set(chosen))
    assert sorted(chosen) == chosen
    assert 0 <= chosen[0] <= chosen[-1] < read
    assert chosen == draw_numbers(nonce, ROOT, read, documents)


def test_every_pair_of_documents_is_chosen_about_as_often() -> None:
    pairs = Counter(tuple(draw_numbers(f"nonce {number}", ROOT, 5, 2)) for number in range(4000))
    assert 10 == len(pairs)
    # 400 expected of each, standard deviation 19; the nonces are fixed, so that this never changes
    assert 320 < min(pairs.values()) <= max(pairs.values()) < 480


def test_another_root_or_nonce_chooses_others() -> None:
    chosen = draw_numbers("a", ROOT, 10**9, 20)
    assert chosen != draw_numbers("b", ROOT, 10**9, 20)
    assert chosen != draw_numbers("a", "sha256:" + "00" * 32, 10**9, 20)


@pytest.mark.parametrize(
    ("nonce", "documents"), [("", 3), ("  ", 3), ("x" * 5000, 3), ("n", 0), ("n", 10**9)]
)
def test_what_chooses_nothing_is_refused(nonce: str, documents: int) -> None:
    with pytest.raises(UsageError):
        draw_numbers(nonce, ROOT, 100, documents)


# ---------------------------------------------------------------- what is true


def test_every_document_of_an_honest_audit_is_what_is_recorded(made: Made) -> None:
    found = _check(made, secret=load_secret(made.secret))
    assert (125, 125, (), {}) == (found.documents, found.read, found.failures, found.not_compared)
    assert ("pii", "contamination") == found.compared
    assert 0 == found.most_false


def test_a_few_documents_bound_what_the_others_can_be(made: Made) -> None:
    found = _check(made, documents=30)
    # hypergeometric: with 11 false of 125, 30 draws without one have a chance below 5 %; with 10 not
    assert (30, 10) == (found.documents, found.most_false)


def test_files_of_other_names_are_the_same_corpus(made: Made, tmp_path: Path) -> None:
    for number, path in enumerate(sorted(made.corpus.iterdir(), reverse=True)):
        shutil.copy(path, tmp_path / f"{number}{path.suffix}")
    assert () == _check(made, corpus=tmp_path).failures


# ---------------------------------------------------------------- what is not


def _change_words(records: Any) -> None:
    records["words"][7] += 1


def _change_bytes(records: Any) -> None:
    records["bytes"][7] += 1
    records["bytes"][8] -= 1


def _change_commitment(records: Any) -> None:
    records["commitment"][7][0] ^= 1


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (_change_words, "length of the text"),
        (_change_bytes, "length of the text"),
        (_change_commitment, "commitment"),
    ],
)
def test_a_false_record_that_no_step_can_find_is_found_in_the_corpus(
    made: Made, tmp_path: Path, change: Callable[[Any], None], what: str
) -> None:
    copy = Path(shutil.copytree(made.audit, tmp_path / "run.audit"))
    forgery = Forgery(copy)
    records = forgery.records(0)
    change(records)
    forgery.write_records(0, records)
    forgery.seal()
    verify_audit(copy)
    found = _check(made, copy, secret=load_secret(made.secret))
    assert (0, 7, (what,)) == (found.failures[0].shard, found.failures[0].row, found.failures[0].what)
    assert found.most_false >= len(found.failures)


def test_a_mark_of_another_value_is_found_with_the_secret(made: Made, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(made.audit, tmp_path / "run.audit"))
    path = copy / "shards/0000001/findings.parquet"
    table = pq.read_table(path).to_pydict()
    table["mark"][0] = bytes(16)
    pq.write_table(pq.read_table(path).from_pydict(table, schema=pq.read_table(path).schema), path)
    assert () == _check(made, copy).failures
    (failure,) = _check(made, copy, secret=load_secret(made.secret)).failures
    assert 1 == failure.shard
    assert failure.what[0].startswith("findings of ")


def test_a_hidden_finding_is_found(made: Made, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(made.audit, tmp_path / "run.audit"))
    forgery = Forgery(copy)
    records = forgery.records(0)
    records["pii_phone"] = 0
    forgery.write_records(0, records)
    forgery.seal()
    failures = _check(made, copy).failures
    assert {("pii_phone",)} == {failure.what for failure in failures}


def test_another_corpus_is_named_with_its_shards(made: Made, tmp_path: Path) -> None:
    other = Path(shutil.copytree(made.corpus, tmp_path / "texts"))
    lines = (other / "part-009.jsonl").read_text().splitlines()
    lines[0] = json.dumps({"text": "another text"})
    (other / "part-009.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(SealError, match=r"part-009\.jsonl"):
        _check(made, corpus=other)


def test_a_corpus_with_a_file_too_few_or_too_many_is_another(made: Made, tmp_path: Path) -> None:
    other = Path(shutil.copytree(made.corpus, tmp_path / "texts"))
    shutil.copy(other / "part-000.parquet", other / "part-100.parquet")
    with pytest.raises(SealError, match="1 shards here, not audited"):
        _check(made, corpus=other)
    (other / "part-100.parquet").unlink()
    (other / "part-001.parquet").unlink()
    with pytest.raises(SealError, match="1 shards audited, not here"):
        _check(made, corpus=other)


def test_a_secret_or_benchmark_of_another_audit_is_refused(made: Made) -> None:
    with pytest.raises(UsageError, match="secret"):
        _check(made, secret=Secret(bytes(32)))
    with pytest.raises(UsageError, match="did not look for"):
        _check(made, benches=["other.jsonl"])


# ---------------------------------------------------------------- what cannot be decided


def test_a_benchmark_that_is_not_at_hand_leaves_its_check_open(made: Made) -> None:
    found = _check(made, benches=[])
    assert (("pii",), False, ()) == (found.compared, found.is_decided, found.failures)
    assert ["contamination"] == list(found.not_compared)


def test_a_benchmark_of_the_same_name_with_other_items_leaves_its_check_open(
    made: Made, tmp_path: Path
) -> None:
    (tmp_path / "lamps.jsonl").write_text(
        json.dumps({"question": "What else is there to be asked here now?"}) + "\n"
    )
    assert ["contamination"] == list(_check(made, benches=[str(tmp_path / "lamps.jsonl")]).not_compared)


def test_a_check_of_another_version_is_not_compared(made: Made, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(made.audit, tmp_path / "run.audit"))
    forgery = Forgery(copy)
    forgery.manifest["checks"][0]["version"] = "0"
    forgery.seal()
    found = _check(made, copy)
    assert (("contamination",), ["pii"]) == (found.compared, list(found.not_compared))
