"""Sealed bundles: the same label from commitments, nothing of what is withheld in the open, and forgeries refused."""

from __future__ import annotations

import json
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundle_factory import ATTACKER, ISSUER, READ, Recipe, make_bundle
from sealed_bundles import (
    EVERYTHING,
    RESEALED,
    Lines,
    Made,
    forge_lines,
    lines_of,
    make_sealed,
    open_log,
    reseal,
    seal_again,
    write_lines,
)
from verilabel.errors import MalformedInput, SealError, UsageError, VerilabelError
from verilabel.evidence import layout
from verilabel.evidence.container import Folder
from verilabel.evidence.lines import decode_evidence, decode_line, encode_line
from verilabel.evidence.log import LocalLog
from verilabel.evidence.manifest import Manifest, make_manifest
from verilabel.evidence.sealed.challenge import parse_challenge
from verilabel.evidence.sealed.withholding import Choice, withhold_records
from verilabel.evidence.sealing import Sealing
from verilabel.evidence.verification import Level, Verification
from verilabel.evidence.verifier import verify_bundle
from verilabel.records.attempt import Attempt, Failure, Usage
from verilabel.records.withheld import OPEN_ANSWERS, SealedAttempt, withhold_attempt

QUIZ, PUZZLES = "test/quiz@1.0.0", "test/puzzles@1.0.0"
RETRIED = Recipe(errors="0.15", attempts=2, accuracy="0.8")
"""Some of its answers took several attempts, some failed for good."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """An open bundle of 30 answers and its sealed one. Never change them."""
    return make_sealed(tmp_path_factory.mktemp("made"), RETRIED)


def failed_step(found: Verification) -> int | None:
    return next((step.number for step in found.steps if step.outcome == "failed"), None)


# -- what sealing keeps ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "recipe", [RETRIED, Recipe(design="anytime", errors="0.1", attempts=2), Recipe(epochs=2, errors="0.1")]
)
def test_counts_and_label_of_a_sealed_bundle_are_those_of_the_open_one(
    recipe: Recipe, tmp_path: Path
) -> None:
    made = make_sealed(tmp_path, recipe)
    for path in (layout.MEASURES, layout.LABEL, layout.PLAN):
        assert (made.open / path).read_bytes() == (made.sealed / path).read_bytes()
    open_found, found = verify_bundle(made.open, now=READ), verify_bundle(made.sealed, now=READ)
    assert open_found.failure is found.failure is None
    assert (Level.V2, Level.V2S) == (open_found.level, found.level)
    assert open_found.tallies == found.tallies
    assert open_found.leaves == found.leaves
    assert {"sealed_records"} == set(found.flags) - set(open_found.flags)
    assert "V2s recomputed, records sealed" in found.sentence


def test_the_level_of_a_sealed_bundle_lies_between_signed_and_recomputed() -> None:
    order = ["V0", "V1", "V2s", "V2", "V3", "V4"]
    assert order == [str(level) for level in sorted(set(Level))]
    assert not Level.V2S >= "V2"
    assert "V2" > Level.V2S
    assert Level.V1 == min(Level.V2S, "V1")


def test_the_first_five_answers_of_each_suite_stay_open(made: Made) -> None:
    for suite, withheld in ((QUIZ, 15), (PUZZLES, 5)):
        lines = [line for line in lines_of(made.sealed) if line["suite"] == suite]
        answers: dict[str, bool] = {}
        for line in lines:
            if line["kind"] in ("attempt", "sealed"):
                answers[line["sample"]] = line["kind"] == "sealed"
        assert [False] * OPEN_ANSWERS + [True] * withheld == list(answers.values())
        assert withheld == made.withheld.answers[suite]
        assert sorted(made.withheld.left_open[suite]) == sorted(list(answers)[:OPEN_ANSWERS])


def question_of(attempt: dict[str, Any]) -> bytes:
    content: str = json.loads(attempt["request"])["messages"][-1]["content"]
    return content.partition("\n")[0].encode()


def test_nothing_of_what_is_withheld_stands_in_the_bundle(made: Made) -> None:
    openings = [json.loads(line) for line in made.openings.read_bytes().splitlines()]
    attempts = [json.loads(opening["line"]) for opening in openings]
    shown = [line for line in lines_of(made.sealed) if line["kind"] == "attempt"]
    questions = {question_of(attempt) for attempt in attempts} - {question_of(attempt) for attempt in shown}
    salts = {opening["salt"].encode() for opening in openings}
    opened, sealed = (
        b"".join(path.read_bytes() for path in bundle.rglob("*") if path.is_file())
        for bundle in (made.open, made.sealed)
    )
    assert len(attempts) == len(salts) == made.withheld.records > 20
    assert len(questions) > 5
    assert questions == {question for question in questions if question in opened}
    assert set() == {secret for secret in questions | salts if secret in sealed}
    stubs = [line for line in lines_of(made.sealed) if line["kind"] == "sealed"]
    assert any("failure" in stub for stub in stubs)
    assert set() == {key for stub in stubs for key in stub} & {
        "request",
        "response",
        "response_base64",
        "output",
    }
    assert {True} == {"message" not in stub.get("failure", {}) for stub in stubs}


def test_findings_about_withheld_answers_have_no_words_of_their_own(made: Made) -> None:
    withheld = {line["sample"] for line in lines_of(made.sealed) if line["kind"] == "sealed"}
    findings = [line for line in lines_of(made.sealed) if line["kind"] in ("score", "unscored")]
    closed = [line for line in findings if line["sample"] in withheld]
    assert closed
    assert {True} == {
        "detail" not in line and line.get("reason", "withheld") == "withheld" for line in closed
    }
    assert {True} == {"detail" in line or "reason" in line for line in findings if line not in closed}


def test_headers_of_withheld_attempts_are_left_out_and_clocks_stay(made: Made, tmp_path: Path) -> None:
    observations = lines_of(made.open, layout.OBSERVATIONS)
    for line in observations:
        line["headers"] = {"x-request-id": "told by the server"}
    copy = tmp_path / "place"
    made_again = make_sealed(copy, RETRIED)
    write_lines(made_again.open, observations, layout.OBSERVATIONS)
    reseal(made_again.open, {})
    with pytest.raises(UsageError, match="another key"):
        seal_again(copy, out="again")
    sealing = Sealing(ATTACKER, None, RESEALED)
    withhold_records(made_again.open, copy / "again", copy / "again.openings", EVERYTHING, sealing)
    left = lines_of(copy / "again", layout.OBSERVATIONS)
    withheld = {line["sample"] for line in lines_of(copy / "again") if line["kind"] == "sealed"}
    assert len(observations) == len(left)
    for before, after in zip(observations, left, strict=True):
        assert before["started_us"] == after["started_us"]
        assert ("headers" in after) is (before["sample"] not in withheld)


def test_what_was_asked_and_not_counted_is_withheld_too(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path, Recipe(limit=10)).path
    counted = {line["sample"] for line in lines_of(bundle)}
    line = lines_of(bundle)[0]
    left = next(f"quiz-{number:02}" for number in range(20) if f"quiz-{number:02}" not in counted)
    score = lines_of(bundle)[1] | {"sample": left}
    write_lines(bundle, [line | {"sample": left}, score], layout.SURPLUS)
    reseal(bundle, {})
    sealing = Sealing(ATTACKER, None, RESEALED)
    withheld = withhold_records(bundle, tmp_path / "sealed", tmp_path / "o", EVERYTHING, sealing)
    surplus = lines_of(tmp_path / "sealed", layout.SURPLUS)
    assert ["sealed", "score"] == [record["kind"] for record in surplus]
    assert "detail" not in surplus[1]
    manifest = json.loads((tmp_path / "sealed" / layout.MANIFEST).read_bytes())
    sealed = {entry["path"] for entry in manifest["entries"] if entry["visibility"] == "sealed"}
    assert {layout.EVIDENCE, layout.SURPLUS} == sealed
    openings = (tmp_path / "o").read_bytes().splitlines()
    assert (1, len(openings)) == (withheld.surplus, withheld.records + 1)
    assert left in json.loads(json.loads(openings[-1])["line"])["sample"]
    assert verify_bundle(tmp_path / "sealed", now=READ).failure is None


def test_the_openings_file_is_for_its_owner_alone(made: Made) -> None:
    assert 0o600 == stat.S_IMODE(made.openings.stat().st_mode)
    assert not list(made.folder.glob(".*"))


def test_salts_are_never_used_twice(made: Made, tmp_path: Path) -> None:
    with open_log(made.folder) as log:
        sealing = Sealing(ISSUER, log, RESEALED)
        for name in ("a", "b"):
            withhold_records(made.open, tmp_path / name, tmp_path / f"{name}.openings", EVERYTHING, sealing)
    salts = [
        json.loads(line)["salt"]
        for name in ("a", "b")
        for line in (tmp_path / f"{name}.openings").read_bytes().splitlines()
    ]
    assert len(salts) == len(set(salts)) == 2 * made.withheld.records


def test_a_sealed_zip_verifies_like_a_sealed_folder(made: Made, tmp_path: Path) -> None:
    with open_log(made.folder) as log:
        sealing = Sealing(ISSUER, log, RESEALED)
        withhold_records(made.open, tmp_path / "s.zip", tmp_path / "o", EVERYTHING, sealing)
    assert Level.V2S == verify_bundle(tmp_path / "s.zip", now=READ).level


# -- choosing ----------------------------------------------------------------------------------------------------


def test_one_suite_is_withheld_and_the_other_stays_open(made: Made) -> None:
    again = seal_again(made.folder, Choice(suites=("test/quiz",)), out="one-suite")
    assert {QUIZ: 15, PUZZLES: 0} == again.withheld.answers
    assert {QUIZ} == {line["suite"] for line in lines_of(again.sealed) if line["kind"] == "sealed"}


def test_without_a_choice_and_without_sealed_suites_nothing_is_made(made: Made, tmp_path: Path) -> None:
    before = set(made.folder.iterdir())
    with pytest.raises(UsageError, match="no suite of this bundle calls itself sealed"):
        seal_again(made.folder, Choice(), out="nothing")
    with pytest.raises(UsageError, match="no suite 'test/other'"):
        seal_again(made.folder, Choice(suites=("test/other",)), out="nothing")
    with pytest.raises(UsageError, match="nothing would be withheld"):
        seal_again(made.folder, Choice(where={"topic": ("none",)}), out="nothing")
    assert before == set(made.folder.iterdir())


def test_a_suite_of_five_answers_has_none_to_withhold(tmp_path: Path) -> None:
    make_bundle(tmp_path, Recipe(sizes=(("quiz", 5), ("puzzles", 5))))
    with pytest.raises(UsageError, match="nothing would be withheld"):
        seal_again(tmp_path)


def other_key() -> Sealing:
    return Sealing(ATTACKER, None, RESEALED)


def test_only_the_issuer_seals_a_bundle_and_only_once(made: Made, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="signed with another key"):
        withhold_records(made.open, tmp_path / "s", tmp_path / "o", EVERYTHING, other_key())
    with open_log(made.folder) as log, pytest.raises(UsageError, match="sealed already"):
        sealing = Sealing(ISSUER, log, RESEALED)
        withhold_records(made.sealed, tmp_path / "s", tmp_path / "o", EVERYTHING, sealing)
    assert [] == list(tmp_path.iterdir())


def test_the_label_is_logged_where_its_plan_was(made: Made, tmp_path: Path) -> None:
    with LocalLog.create(tmp_path / "log", ATTACKER) as log, pytest.raises(UsageError, match="another log"):
        withhold_records(
            made.open, tmp_path / "s", tmp_path / "o", EVERYTHING, Sealing(ISSUER, log, RESEALED)
        )
    assert {"log"} == {path.name for path in tmp_path.iterdir()}


def test_a_disk_that_refuses_leaves_neither_bundle_nor_openings(made: Made, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with open_log(made.folder) as log, pytest.raises(OSError, match="file"):
        sealing = Sealing(ISSUER, log, RESEALED)
        withhold_records(made.open, tmp_path / "file" / "sealed", tmp_path / "o", EVERYTHING, sealing)
    assert ["file"] == [path.name for path in tmp_path.iterdir()]


def test_sealing_again_makes_no_label_last_longer(made: Made) -> None:
    before, after = (verify_bundle(bundle, now=READ) for bundle in (made.open, made.sealed))
    assert before.valid_until == after.valid_until
    assert before.issued is not None and after.issued is not None
    assert before.issued < after.issued


@pytest.mark.parametrize("place", ["sealed-again/openings", "bundle/records/openings"])
def test_openings_are_never_put_into_a_bundle(made: Made, place: str) -> None:
    with open_log(made.folder) as log, pytest.raises(UsageError, match="open it to everybody"):
        sealing = Sealing(ISSUER, log, RESEALED)
        withhold_records(made.open, made.folder / "sealed-again", made.folder / place, EVERYTHING, sealing)
    assert not (made.folder / "sealed-again").exists()


def test_openings_are_never_replaced_not_even_by_force(made: Made, tmp_path: Path) -> None:
    (tmp_path / "o").write_text("mine")
    with open_log(made.folder) as log, pytest.raises(UsageError, match="openings file is already there"):
        sealing = Sealing(ISSUER, log, RESEALED)
        withhold_records(made.open, tmp_path / "s", tmp_path / "o", EVERYTHING, sealing, force=True)
    assert ["mine"] == [path.read_text() for path in tmp_path.iterdir()]


def test_a_bundle_that_does_not_hold_is_not_sealed(made: Made, tmp_path: Path) -> None:
    changed = make_bundle(tmp_path / "place", RETRIED).path
    (changed / layout.LABEL).write_bytes((changed / layout.LABEL).read_bytes().replace(b"L1", b"L3"))
    with pytest.raises(SealError, match="step 2"):
        withhold_records(changed, tmp_path / "s", tmp_path / "o", EVERYTHING, other_key())
    assert {"place"} == {path.name for path in tmp_path.iterdir()}


# -- forgeries ---------------------------------------------------------------------------------------------------


def first(lines: Lines, kind: str, **fields: object) -> int:
    return next(
        i
        for i, line in enumerate(lines)
        if line["kind"] == kind and all(line.get(k) == v for k, v in fields.items())
    )


def fail_too(lines: Lines) -> None:
    lines[first(lines, "sealed", answered=True)]["failure"] = {"kind": "timeout", "retryable": True}


def say_nothing(lines: Lines) -> None:
    del lines[first(lines, "sealed", answered=True)]["answered"]


def speak_twice(lines: Lines) -> None:
    at = first(lines, "sealed", answered=True)
    line = lines[at]
    lines[at] = dict(list(line.items())[: list(line).index("answered") + 1]) | {"said": True} | line


def repeat_commitment(lines: Lines) -> None:
    places = [i for i, line in enumerate(lines) if line["kind"] == "sealed"]
    lines[places[1]]["commitment"] = lines[places[0]]["commitment"]


def misspell_commitment(lines: Lines) -> None:
    line = lines[first(lines, "sealed")]
    line["commitment"] = line["commitment"].upper()


def add_answer(lines: Lines) -> None:
    line = dict(lines[first(lines, "sealed")])
    lines.append(line | {"commitment": "sha256:" + "0" * 64, "sample": "quiz-99"})


def add_attempt(lines: Lines) -> None:
    at = first(lines, "sealed", answered=True)
    lines.insert(
        at + 1, lines[at] | {"commitment": "sha256:" + "0" * 64, "attempt": lines[at]["attempt"] + 1}
    )


def withhold_the_first(lines: Lines) -> None:
    at = first(lines, "attempt")
    record = decode_line(json.dumps(lines[at], separators=(",", ":"), ensure_ascii=False).encode(), "line")
    assert isinstance(record, Attempt)
    stub = withhold_attempt(record, "sha256:" + "0" * 64)
    lines[at] = json.loads(encode_line(stub))


def withhold_in_part(lines: Lines) -> None:
    at = first(lines, "sealed", attempt=2)
    stub = lines[at - 1]
    shown = {key: stub[key] for key in ("suite", "sample", "epoch", "attempt")}
    failure = stub["failure"] | {"message": "x"}
    ordered = {key: failure[key] for key in ("kind", "message", "retryable", "fatal") if key in failure}
    lines[at - 1] = {"kind": "attempt", **shown, "request": "{}", "failure": ordered}


def tell_a_detail(lines: Lines) -> None:
    withheld = lines[first(lines, "sealed", answered=True)]
    lines[first(lines, "score", sample=withheld["sample"])]["detail"] = "it read C"


def hide_a_failure(lines: Lines) -> None:
    line = lines[first(lines, "sealed", answered=True)]
    del line["answered"]
    line["failure"] = {"kind": "timeout", "retryable": True}


FORGERIES: dict[str, tuple[Callable[[Lines], None], int, str]] = {
    "answered_and_failed": (fail_too, 8, "it is answered and it failed"),
    "neither_answered_nor_failed": (say_nothing, 8, "neither answered nor failed"),
    "answered_with_a_failures_response": (speak_twice, 8, "contradicts itself"),
    "commitment_repeated": (repeat_commitment, 7, "stands twice"),
    "commitment_misspelt": (misspell_commitment, 7, "not a record"),
    "answer_where_the_plan_has_none": (add_answer, 8, "plan"),
    "asked_again_after_an_answer": (add_attempt, 8, "asked again after it was answered"),
    "first_answer_withheld": (withhold_the_first, 8, "which stay open"),
    "withheld_in_part": (withhold_in_part, 8, "withheld in part"),
    "score_with_a_detail": (tell_a_detail, 8, "tells of the withheld answer"),
    "score_after_a_failure": (hide_a_failure, 8, "the evidence"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_sealed_bundle_is_refused_at_its_step(made: Made, tmp_path: Path, name: str) -> None:
    change, step, fragment = FORGERIES[name]
    found = verify_bundle(forge_lines(made.sealed, tmp_path / "forged", change), now=READ)
    assert step == failed_step(found), f"{found.failure} {found.sentence}"
    assert fragment in str(found.failure)
    assert found.level <= "V1"


@pytest.mark.parametrize(
    ("visibility", "fragment"),
    [
        ({}, "the manifest calls it public"),
        ({layout.EVIDENCE: "gated"}, "the manifest calls it gated"),
        ({layout.EVIDENCE: "sealed", layout.SURPLUS: "sealed"}, "and it has 0 commitments"),
        ({layout.EVIDENCE: "sealed", layout.PLAN: "sealed"}, "and it has 0 commitments"),
    ],
)
def test_a_manifest_that_is_wrong_about_what_is_withheld_is_refused(
    made: Made, tmp_path: Path, visibility: dict[str, str], fragment: str
) -> None:
    forged = forge_lines(made.sealed, tmp_path / "forged", lambda lines: None, visibility=visibility)
    found = verify_bundle(forged, now=READ)
    assert (7, Level.V0) == (failed_step(found), found.level)
    assert fragment in str(found.failure)


def test_an_open_bundle_that_is_called_sealed_is_refused(made: Made, tmp_path: Path) -> None:
    forged = forge_lines(made.open, tmp_path / "forged", lambda lines: None)
    found = verify_bundle(forged, now=READ)
    assert 7 == failed_step(found)
    assert "calls it sealed, and it has 0 commitments" in str(found.failure)


def test_a_commitment_in_the_surplus_to_a_counted_answer_is_refused(made: Made, tmp_path: Path) -> None:
    forged = forge_lines(made.sealed, tmp_path / "forged", lambda lines: None)
    stub = lines_of(forged)[first(lines_of(forged), "sealed")]
    write_lines(forged, [stub | {"commitment": "sha256:" + "0" * 64}], layout.SURPLUS)
    reseal(forged, {layout.EVIDENCE: "sealed", layout.SURPLUS: "sealed"})
    found = verify_bundle(forged, now=READ)
    assert 8 == failed_step(found)
    assert "kept out of the count" in str(found.failure)


def test_a_commitment_in_a_runs_journal_is_no_record_of_it(made: Made) -> None:
    stub = lines_of(made.sealed)[first(lines_of(made.sealed), "sealed")]
    line = json.dumps(stub, separators=(",", ":")).encode()
    assert isinstance(decode_evidence(line + b"\n", "evidence", 1)[0], SealedAttempt)
    with pytest.raises(MalformedInput):
        decode_line(line, "journal")


ODD = (
    st.none() | st.booleans() | st.integers(-2, 2**70) | st.text(max_size=8) | st.lists(st.none(), max_size=2)
)


@pytest.fixture(scope="module")
def unsigned(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sealed bundle without its seals, so that a change of its evidence is looked at and not merely noticed."""
    target = tmp_path_factory.mktemp("unsigned") / "bundle"
    shutil.copytree(made.sealed, target)
    for name in ("attestations", "log"):
        shutil.rmtree(target / name)
    return target


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_commitment_with_anything_in_it_gives_a_finding(unsigned: Path, data: st.DataObject) -> None:
    path = unsigned / layout.EVIDENCE
    before, lines = path.read_bytes(), lines_of(unsigned)
    line = data.draw(st.sampled_from([line for line in lines if line["kind"] == "sealed"]))
    key = data.draw(st.sampled_from([*line, "failure", "usage", "said", "judge"]))
    line[key] = data.draw(ODD)
    write_lines(unsigned, lines)
    made = make_manifest(unsigned, [name for name in Folder(unsigned).sizes if name != layout.MANIFEST])
    entries = tuple(
        msgspec.structs.replace(entry, visibility="sealed" if entry.path == layout.EVIDENCE else "public")
        for entry in made.entries
    )
    (unsigned / layout.MANIFEST).write_bytes(Manifest(made.format, entries).bytes())
    found = verify_bundle(unsigned, now=READ)
    changed = path.read_bytes() != before
    path.write_bytes(before)
    assert Level.V0 == found.level
    # what is counted is refused; what is told beside it (status, finish) only openings can hold against the record
    assert not changed or found.failure is not None or key in ("status", "finish")


# -- properties --------------------------------------------------------------------------------------------------

texts = st.text(max_size=20)
failures = st.builds(Failure, kind=st.sampled_from(["timeout", "filtered", "empty"]), message=texts)
attempts = st.builds(
    Attempt,
    suite=texts,
    sample=texts,
    epoch=st.integers(1, 3),
    attempt=st.integers(1, 3),
    request=texts,
    judge=st.none() | texts,
    status=st.none() | st.integers(100, 599),
    response=st.none() | texts,
    finish=st.none() | texts,
    served_model=st.none() | texts,
    fingerprint=st.none() | texts,
    usage=st.none() | st.builds(Usage, st.integers(0, 9), st.integers(0, 9)),
)
outcomes = st.tuples(texts, st.none()) | st.tuples(st.none(), failures)


@given(attempts, outcomes)
def test_a_commitment_keeps_all_by_which_an_attempt_is_counted(
    attempt: Attempt, outcome: tuple[str | None, Failure | None]
) -> None:
    whole = msgspec.structs.replace(attempt, output=outcome[0], failure=outcome[1])
    stub = withhold_attempt(whole, "sha256:" + "0" * 64)
    counted = stub.as_counted()
    assert stub.contradiction is None
    assert stub == decode_evidence(encode_line(stub) + b"\n", "line", 1)[0]
    for name in (
        "suite",
        "sample",
        "epoch",
        "attempt",
        "judge",
        "status",
        "served_model",
        "fingerprint",
        "usage",
    ):
        assert getattr(whole, name) == getattr(counted, name)
    assert (whole.output is None) == (counted.output is None)
    assert (whole.failure is None) == (counted.failure is None)
    if whole.failure is not None and counted.failure is not None:
        assert (whole.failure.kind, whole.failure.is_final) == (
            counted.failure.kind,
            counted.failure.is_final,
        )
        assert bool(whole.response) == bool(counted.response)


@given(st.data())
def test_any_changed_byte_of_a_sealed_bundles_evidence_is_noticed(data: st.DataObject) -> None:
    line = (
        b'{"kind":"sealed","suite":"s@1.0.0","sample":"a","epoch":1,"attempt":1,"commitment":"sha256:'
        + b"0" * 64
        + b'","answered":true,"status":200}'
    )
    at = data.draw(st.integers(0, len(line) - 1))
    new = data.draw(st.integers(0, 255).filter(lambda value: value != line[at]))
    changed = line[:at] + bytes([new]) + line[at + 1 :]
    try:
        records = decode_evidence(changed + b"\n", "line", 1)
    except VerilabelError:
        return
    assert changed == encode_line(records[0])
    assert records[0] != decode_evidence(line + b"\n", "line", 1)[0]


# -- the page ----------------------------------------------------------------------------------------------------


def test_the_examples_of_the_formats_page_are_canonical() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    shown = dict(
        re.findall(r"^<!-- (sealed|challenge) -->\n```json\n(.*?\n)```$", page, re.DOTALL | re.MULTILINE)
    )
    (stub,) = decode_evidence(shown["sealed"].encode(), "formats.md", 1)
    assert isinstance(stub, SealedAttempt)
    assert stub.contradiction is None
    assert 300 == parse_challenge(shown["challenge"].encode(), where="formats.md").k
