"""Documents that their owner opens are checked by whoever has the audit and not the corpus."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_forging import Made, audit_into, made_audit
from verilabel.audit.proof.commitments import Secret, load_secret, save_secret
from verilabel.audit.rechecking.opening import check_openings, open_documents
from verilabel.audit.rechecking.spot_check import Rechecked
from verilabel.audit.settings import AuditSettings, CanarySettings, SamplingSettings
from verilabel.errors import MalformedInput, SealError, UsageError
from verilabel.records.canonical import jcs

Line = dict[str, Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made_audit(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def opened(made: Made) -> bytes:
    return _open(made)


def _open(made: Made, **options: Any) -> bytes:
    asked: dict[str, Any] = {"nonce": "n", "documents": 9, **options}
    return b"".join(open_documents(made.audit, [str(made.corpus)], load_secret(made.secret), **asked))


def _check(made: Made, data: bytes, **options: Any) -> Rechecked:
    asked: dict[str, Any] = {"nonce": "n", "documents": 9, "benches": [str(made.bench)], **options}
    return check_openings(made.audit, io.BytesIO(data), **asked)


def test_opened_documents_are_those_that_were_audited(made: Made, opened: bytes) -> None:
    found = _check(made, opened)
    assert (9, 125, (), True) == (found.documents, found.read, found.failures, found.is_decided)
    texts = [json.loads(line)["text"] for line in opened.splitlines()[1:]]
    assert 9 == len([text for text in texts if len(text) > 100])


def test_all_documents_can_be_opened(made: Made) -> None:
    found = _check(made, _open(made, documents=1000), documents=1000)
    assert (125, (), 0) == (found.documents, found.failures, found.most_false)


def test_digests_alone_open_commitments_and_decide_nothing_else(made: Made) -> None:
    data = _open(made, digests_only=True)
    assert b"lighthouse" not in _open(made, digests_only=True, documents=1000)
    found = _check(made, data)
    assert ((), False) == (found.failures, found.is_decided)


def _edit(number: int, change: Callable[[Line], object]) -> Callable[[list[Line]], None]:
    def edit(lines: list[Line]) -> None:
        change(lines[number])

    return edit


FORGERIES: dict[str, Callable[[list[Line]], None]] = {
    "another text": _edit(3, lambda one: one.update(text=one["text"] + " ")),
    "another text with its digest": _edit(
        3, lambda one: one.update(text=None, text_sha256="sha256:" + "0" * 64)
    ),
    "another salt": _edit(3, lambda one: one.update(salt="0" * 64)),
    "another proof to the shard": _edit(3, lambda one: one["record_proof"].__setitem__(0, "0" * 64)),
    "a proof too short": _edit(3, lambda one: one["record_proof"].pop()),
    "another proof to the root": _edit(3, lambda one: one["shard_proof"].__setitem__(0, "0" * 64)),
    "another row": _edit(3, lambda one: one.update(row=one["row"] + 1)),
    "another document": _edit(3, lambda one: one.update(document=one["document"] + 1)),
    "another nonce": _edit(0, lambda one: one.update(nonce="m")),
    "fewer documents": _edit(0, lambda one: one.update(documents=8)),
    "another audit": _edit(0, lambda one: one.update(manifest_sha256="sha256:" + "0" * 64)),
    "another root": _edit(0, lambda one: one.update(root="sha256:" + "0" * 64)),
    "one left out": lambda lines: lines.__delitem__(3),
    "the last left out": lambda lines: lines.__delitem__(-1),
    "one more": lambda lines: lines.append(lines[-1]),
    "another order": lambda lines: lines.insert(1, lines.pop(2)),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_openings_that_were_forged_are_refused(made: Made, opened: bytes, name: str) -> None:
    lines = [json.loads(line) for line in opened.splitlines()]
    FORGERIES[name](lines)
    with pytest.raises(SealError):
        _check(made, b"".join(jcs(line) + b"\n" for line in lines))


@settings(max_examples=40)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_changed_bit_passes_but_in_what_the_source_says(
    made: Made, opened: bytes, place: float, bit: int
) -> None:
    data = bytearray(opened)
    data[int(place * len(data))] ^= 1 << bit
    try:
        _check(made, bytes(data))
    except (SealError, MalformedInput):
        return
    before, after = (
        [{**json.loads(line), "about": None} for line in some.splitlines()] for some in (opened, data)
    )
    assert before == after


@pytest.mark.parametrize("data", [b"\xff\n", b"[]\n", b"{}\n", b'{"a":1}\n', b"null\n", b"[" * 100_000])
def test_what_is_no_file_of_openings_is_malformed(made: Made, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        _check(made, data)


def test_nothing_is_no_answer(made: Made) -> None:
    with pytest.raises(SealError, match="fewer"):
        _check(made, b"")


def test_another_secret_opens_nothing(made: Made) -> None:
    with pytest.raises(UsageError):
        list(open_documents(made.audit, [str(made.corpus)], Secret(bytes(32)), nonce="n", documents=3))


def test_hosts_and_years_are_checked_with_what_the_source_says(made: Made, tmp_path: Path) -> None:
    save_secret(Secret(bytes(32)), tmp_path / "secret")
    asked = AuditSettings(
        checks=("provenance",),
        sampling=SamplingSettings(documents=0),
        canaries=CanarySettings(per_format=0),
    )
    audit_into(tmp_path / "run.audit", made.corpus / "part-000.parquet", tmp_path / "secret", asked, None)
    lines = list(
        open_documents(
            tmp_path / "run.audit",
            [str(made.corpus / "part-000.parquet")],
            Secret(bytes(32)),
            nonce="n",
            documents=3,
        )
    )
    honest = check_openings(tmp_path / "run.audit", io.BytesIO(b"".join(lines)))
    assert (("provenance",), ()) == (honest.compared, honest.failures)
    lied = json.loads(lines[1])
    lied["about"]["url"] = "https://another.example.net/"
    lines[1] = jcs(lied) + b"\n"
    found = check_openings(tmp_path / "run.audit", io.BytesIO(b"".join(lines)))
    assert 1 == len(found.failures)
    assert "provenance_host" in found.failures[0].what
