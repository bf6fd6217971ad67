"""Openings: what a challenge asks for is opened and holds, what was altered is found, and nothing else is taken."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle_factory import ISSUER, READ, Recipe, make_bundle
from bundle_forgery import Forger, change_records, forge
from sealed_bundles import (
    EVERYTHING,
    RESEALED,
    CountedSalts,
    Lines,
    Made,
    forge_lines,
    make_sealed,
    seal_again,
)
from verilabel.errors import MalformedInput, SealError, UsageError
from verilabel.evaluation.opened_scores import OpenedScores, rescore_opened
from verilabel.evaluation.rescoring import find_detectors, find_suites, rescore_bundle
from verilabel.evidence import layout
from verilabel.evidence.container import Folder
from verilabel.evidence.lines import Line
from verilabel.evidence.reading import read_plan
from verilabel.evidence.sealed.challenge import Challenge, TextNonce, make_challenge
from verilabel.evidence.sealed.opening import (
    Opened,
    OpenedRecord,
    check_opened,
    commitment_of,
    encode_opened,
    open_records,
    read_opened,
    read_openings,
    withheld_answers,
    write_openings,
)
from verilabel.evidence.sealed.withholding import withhold_records
from verilabel.evidence.sealing import Sealing
from verilabel.evidence.verifier import verify_bundle
from verilabel.records.score import Scored
from verilabel.rubric.model import load_rubric

SIZES = (("quiz", 25), ("puzzles", 15))
RECIPE = Recipe(sizes=SIZES, errors="0.15", attempts=2)
ALL = 1_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A sealed bundle of 30 withheld answers, some of several attempts. Never change it."""
    return make_sealed(tmp_path_factory.mktemp("opened"), RECIPE)


def challenge_to(bundle: Path, k: int, nonce: str = "a public beacon") -> Challenge:
    return make_challenge(Folder(bundle), verify_bundle(bundle, now=READ), k, TextNonce(nonce))


def open_chosen(bundle: Path, openings: Path, challenge: Challenge) -> list[OpenedRecord]:
    return open_records(Folder(bundle), verify_bundle(bundle, now=READ), challenge, openings)


def check(bundle: Path, challenge: Challenge, opened: list[OpenedRecord]) -> Opened:
    return check_opened(Folder(bundle), verify_bundle(bundle, now=READ), challenge, opened)


def score(bundle: Path, suites: Path, opened: Opened) -> OpenedScores:
    container = Folder(bundle)
    plan = read_plan(container)
    at_hand = find_suites(plan, [suites / "quiz", suites / "puzzles"])
    rubric = load_rubric((bundle / layout.RUBRIC).read_bytes(), layout.RUBRIC)
    return rescore_opened(container, plan, at_hand, find_detectors(plan, rubric, at_hand), opened)


# -- honest owners -----------------------------------------------------------------------------------------------


def test_every_chosen_answer_is_opened_whole_and_nothing_else(made: Made) -> None:
    challenge = challenge_to(made.sealed, 12)
    opened = check(made.sealed, challenge, open_chosen(made.sealed, made.openings, challenge))
    answers = withheld_answers(Folder(made.sealed))
    chosen = challenge.choose(len(answers))
    assert (30, 12) == (opened.withheld, opened.chosen)
    assert [place.line for number in chosen for place in answers[number]] == list(opened.records)
    assert len(opened.records) > 12  # an answer that was asked for twice opens both attempts
    lines = (made.sealed / layout.EVIDENCE).read_bytes().splitlines()
    open_lines = (made.open / layout.EVIDENCE).read_bytes().splitlines()
    for number, attempt in opened.records.items():
        assert b'"kind":"sealed"' in lines[number - 1]
        assert msgspec.json.encode(attempt) == open_lines[number - 1]


def test_opened_scores_follow_and_bound_the_rest(made: Made) -> None:
    challenge = challenge_to(made.sealed, 12)
    scores = score(
        made.sealed,
        made.folder / "suites",
        check(made.sealed, challenge, open_chosen(made.sealed, made.openings, challenge)),
    )
    assert (True, 0, 0, 12) == (scores.holds, scores.differing, scores.unchecked, scores.opened)
    # P(none of 12 draws hits 6 of 30) = C(24,12) / C(30,12) = 0.0313; of 5: C(25,12) / C(30,12) = 0.0601
    assert 5 == scores.altered_at_most
    assert (
        "12 opened, 0 differ: at most 5 of 30 withheld answers (16.67 %) are altered, at 95 %"
        == scores.sentence
    )


def test_a_challenge_for_more_than_there_are_opens_all_and_leaves_no_doubt(made: Made) -> None:
    challenge = challenge_to(made.sealed, ALL)
    scores = score(
        made.sealed,
        made.folder / "suites",
        check(made.sealed, challenge, open_chosen(made.sealed, made.openings, challenge)),
    )
    assert "30 opened, 0 differ: at most 0 of 30 withheld answers (0.00 %) are altered" == scores.sentence


def test_with_all_openings_a_sealed_bundle_is_scored_again_as_the_open_one_is(made: Made) -> None:
    container = Folder(made.sealed)
    plan = read_plan(container)
    suites = find_suites(plan, [made.folder / "suites" / name for name, _ in SIZES])
    rubric = load_rubric((made.sealed / layout.RUBRIC).read_bytes(), layout.RUBRIC)
    detectors = find_detectors(plan, rubric, suites)
    challenge = challenge_to(made.sealed, ALL)
    opened = check(made.sealed, challenge, open_chosen(made.sealed, made.openings, challenge))
    whole = rescore_bundle(container, plan, suites, detectors, opened=opened.records)
    assert rescore_bundle(Folder(made.open), plan, suites, detectors) == whole
    closed = rescore_bundle(container, plan, suites, detectors)
    assert (0, False) == (closed.mismatches, closed.whole)
    assert {"withheld"} == {item.reason for item in closed.unchecked}


def test_without_the_suites_data_nothing_is_claimed_to_hold(made: Made) -> None:
    challenge = challenge_to(made.sealed, 12)
    opened = check(made.sealed, challenge, open_chosen(made.sealed, made.openings, challenge))
    container = Folder(made.sealed)
    scores = rescore_opened(container, read_plan(container), {}, {}, opened)
    assert (12, 0) == (scores.unchecked, scores.differing)
    assert 30 == scores.altered_at_most


# -- planted forgeries -------------------------------------------------------------------------------------------


def plant(every: int) -> Callable[[list[Line]], list[Line]]:
    """Turn the score of every so manieth answer round, whatever its answer says."""

    def apply(records: list[Line]) -> list[Line]:
        scored = [record for record in records if isinstance(record, Scored)]
        turned = {id(record) for record in scored[every - 1 :: every]}
        return [
            msgspec.structs.replace(record, value=not record.value)
            if isinstance(record, Scored) and id(record) in turned
            else record
            for record in records
        ]

    return apply


def seal_forged(folder: Path, recipe: Recipe, every: int) -> tuple[Path, Path]:
    """A sealed bundle whose issuer turned scores round before sealing; it and its openings."""
    made = make_bundle(folder, recipe)
    forger = replace(Forger(counts_again=True, decides_again=True), key=ISSUER)
    bundle = forge(made.path, folder / "forged", change_records(plant(every)), forger)
    sealing = Sealing(ISSUER, None, RESEALED)
    withhold_records(bundle, folder / "sealed", folder / "openings", EVERYTHING, sealing, draw=CountedSalts())
    return folder / "sealed", folder / "openings"


def test_three_hundred_openings_find_one_percent_of_planted_scores(tmp_path: Path) -> None:
    recipe = Recipe(sizes=(("quiz", 1005), ("puzzles", 6)), connections=20)
    bundle, openings = seal_forged(tmp_path, recipe, every=100)
    found = verify_bundle(bundle, now=READ)
    assert found.failure is None  # counts and label follow from the planted scores
    challenge = challenge_to(bundle, 300)
    opened = check(bundle, challenge, open_chosen(bundle, openings, challenge))
    scores = score(bundle, tmp_path / "suites", opened)
    assert (1001, 300) == (scores.withheld, scores.opened)
    assert not scores.holds
    assert scores.differing == scores.rescoring.mismatches > 0
    assert {"score"} == {
        "score" if "its detector says" in mismatch.what else mismatch.what
        for mismatch in scores.rescoring.first
    }
    assert scores.altered_at_most >= 10  # as many as were planted are not excluded
    everything = challenge_to(bundle, 10_000)
    all_of_them = score(
        bundle, tmp_path / "suites", check(bundle, everything, open_chosen(bundle, openings, everything))
    )
    assert (10, 10) == (all_of_them.differing, all_of_them.altered_at_most)


def test_an_opening_that_was_altered_does_not_open_its_commitment(made: Made, tmp_path: Path) -> None:
    lines = made.openings.read_bytes().splitlines()
    first = json.loads(lines[0])
    attempt = json.loads(first["line"])
    attempt["output"] = "another answer"
    first["line"] = json.dumps(attempt, separators=(",", ":"))
    (tmp_path / "o").write_bytes(b"\n".join([msgspec.json.encode(first), *lines[1:]]) + b"\n")
    with pytest.raises(SealError, match="does not open its commitment"):
        open_chosen(made.sealed, tmp_path / "o", challenge_to(made.sealed, 3))


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (lambda lines: lines[:-1], "openings for"),
        (lambda lines: [*lines, lines[-1]], "more openings than"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "does not open its commitment"),
        (lambda lines: [], "0 openings for"),
    ],
)
def test_openings_of_another_shape_are_refused(
    made: Made, tmp_path: Path, change: Callable[[list[bytes]], list[bytes]], fragment: str
) -> None:
    lines = change(made.openings.read_bytes().splitlines())
    (tmp_path / "o").write_bytes(b"".join(line + b"\n" for line in lines))
    with pytest.raises(SealError, match=fragment):
        open_chosen(made.sealed, tmp_path / "o", challenge_to(made.sealed, 3))


def test_the_openings_of_another_sealing_do_not_fit(made: Made) -> None:
    other = seal_again(made.folder, out="other", seed="other")
    with pytest.raises(SealError, match="does not open its commitment"):
        open_chosen(made.sealed, other.openings, challenge_to(made.sealed, 3))


# -- hostile answers to a challenge ------------------------------------------------------------------------------

Records = list[OpenedRecord]


def other_salt(records: Records) -> Records:
    return [msgspec.structs.replace(records[0], salt="0" * 64), *records[1:]]


def other_line(records: Records) -> Records:
    return [msgspec.structs.replace(records[0], line=records[0].line.replace("a", "b")), *records[1:]]


ANSWERS: dict[str, tuple[Callable[[Records], Records], str]] = {
    "one_less": (lambda records: records[:-1], "were chosen"),
    "none": (lambda records: [], "0 records are opened"),
    "one_more": (lambda records: [*records, records[-1]], "were chosen"),
    "one_twice": (lambda records: [records[0], records[0], *records[2:]], "was chosen"),
    "another_order": (lambda records: records[::-1], "was chosen"),
    "another_salt": (other_salt, "does not open the commitment"),
    "another_line": (other_line, "does not open the commitment"),
    "another_record": (
        lambda records: [msgspec.structs.replace(records[1], index=records[0].index), *records[1:]],
        "does not open the commitment",
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_anything_but_the_chosen_records_is_refused(made: Made, name: str) -> None:
    change, fragment = ANSWERS[name]
    challenge = challenge_to(made.sealed, 12)
    records = change(open_chosen(made.sealed, made.openings, challenge))
    with pytest.raises(SealError, match=fragment):
        check(made.sealed, challenge, records)


def test_records_that_are_easier_to_open_than_the_chosen_are_refused(made: Made) -> None:
    asked, pleasing = challenge_to(made.sealed, 12), challenge_to(made.sealed, 12, "another beacon")
    with pytest.raises(SealError, match="was chosen"):
        check(made.sealed, asked, open_chosen(made.sealed, made.openings, pleasing))


def lie_about_the_finish(lines: Lines) -> None:
    for line in lines:
        if line["kind"] == "sealed" and line.get("finish"):
            line["finish"] = "length"


def test_a_commitment_that_tells_something_else_in_the_open_is_found(made: Made, tmp_path: Path) -> None:
    forged = forge_lines(made.sealed, tmp_path / "forged", lie_about_the_finish)
    assert verify_bundle(forged, now=READ).failure is None
    challenge = challenge_to(forged, 12)
    with pytest.raises(SealError, match=r"is not what .* says of it"):
        check(forged, challenge, open_chosen(forged, made.openings, challenge))


def test_a_bundle_that_was_changed_since_answers_no_challenge(made: Made, tmp_path: Path) -> None:
    challenge = challenge_to(made.sealed, 12)
    records = open_chosen(made.sealed, made.openings, challenge)
    changed = tmp_path / "changed"
    shutil.copytree(made.sealed, changed)
    data = (changed / layout.EVIDENCE).read_bytes()
    (changed / layout.EVIDENCE).write_bytes(data.replace(b'"value":true', b'"value":fals', 1))
    with pytest.raises((SealError, MalformedInput)):
        check(changed, challenge, records)


# -- commitments and files ---------------------------------------------------------------------------------------


@given(st.binary(max_size=40), st.binary(min_size=32, max_size=32), st.data())
def test_a_commitment_is_to_one_line_and_one_salt(line: bytes, salt: bytes, data: st.DataObject) -> None:
    whole = salt + line
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[at] ^= data.draw(st.integers(1, 255))
    assert commitment_of(line, salt) != commitment_of(bytes(changed[32:]), bytes(changed[:32]))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_salt_has_thirty_two_bytes(length: int) -> None:
    with pytest.raises(MalformedInput, match="bytes, not 32"):
        commitment_of(b"{}", b"s" * length)


@given(
    st.lists(
        st.tuples(st.integers(0, 99), st.text(max_size=30), st.binary(min_size=32, max_size=32)), max_size=5
    )
)
def test_opened_records_are_read_as_they_were_written(rows: list[tuple[int, str, bytes]]) -> None:
    import tempfile

    records = [OpenedRecord(index, line, salt.hex()) for index, line, salt in rows]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "opened"
        path.write_bytes(encode_opened(records))
        assert records == read_opened(path)


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"[]",
        b'{"line":"x","salt":"00"}',
        b'{"line":"x","salt":"' + b"0" * 64 + b'","more":1}',
        b'{"salt":"' + b"0" * 64 + b'","line":"x"}',
        b'{"line":"\\u0041","salt":"' + b"0" * 64 + b'"}',
        b'{"line":"\xff","salt":"' + b"0" * 64 + b'"}',
    ],
)
def test_a_line_that_is_no_opening_is_refused_without_repeating_it(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "o").write_bytes(line + b"\n")
    with pytest.raises(MalformedInput) as caught:
        list(read_openings(tmp_path / "o"))
    assert f"{tmp_path / 'o'}:1" == caught.value.where


def test_an_openings_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "o"
    with pytest.raises(RuntimeError), write_openings(target) as file:
        file.add(b"{}", b"s" * 32)
        raise RuntimeError
    assert [] == list(tmp_path.iterdir())
    with write_openings(target) as file:
        file.add(b"{}", b"s" * 32)
        target.write_text("somebody was quicker")
        with pytest.raises(UsageError, match="already there"):
            file.put_in_place()
    assert ["somebody was quicker"] == [path.read_text() for path in tmp_path.iterdir()]
