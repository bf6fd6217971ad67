"""Challenges: the choice follows from nonce and root alone, 300 answers find 1 % altered ones, and nonces are held."""

from __future__ import annotations

import hashlib
import json
from math import comb
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle_factory import ATTACKER_LOG, LOG, PLANNED, READ
from sealed_bundles import Lines, Made, forge_lines, make_sealed, open_log, seal_again
from verilabel.errors import CheckFailed, MalformedInput, SealError, VerilabelError
from verilabel.evidence.container import Folder
from verilabel.evidence.log import Entry, LocalLog
from verilabel.evidence.note import parse_checkpoint_text, parse_note, sign_checkpoint
from verilabel.evidence.sealed.challenge import (
    Challenge,
    CheckpointNonce,
    TextNonce,
    check_challenge,
    encode_hash,
    label_checkpoint,
    make_challenge,
    parse_challenge,
)
from verilabel.evidence.verifier import verify_bundle
from verilabel.statistics.exact import pool_upper

MANIFEST = "sha256:" + "1" * 64
ROOT = "sha256:" + "2" * 64
K = 300


def challenge_of(text: str, k: int = K, root: str = ROOT) -> Challenge:
    return Challenge(MANIFEST, root, k, TextNonce(text))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A sealed bundle whose log has grown since. Never change it."""
    made = make_sealed(tmp_path_factory.mktemp("challenged"))
    with open_log(made.folder) as log:
        log.append(Entry("verilabel.plan/v1", "sha256:" + "3" * 64))
    return made


def later_checkpoint(made: Made) -> CheckpointNonce:
    with open_log(made.folder) as log:
        logged = label_checkpoint(Folder(made.sealed))
        proof = log.consistency(logged.size)
        return CheckpointNonce(log.checkpoint_note().decode(), tuple(map(encode_hash, proof)))


# -- the choice --------------------------------------------------------------------------------------------------


@given(st.text(min_size=1, max_size=40), st.integers(1, 60), st.integers(0, 50))
def test_the_choice_is_what_the_format_says(nonce: str, k: int, withheld: int) -> None:
    seed = hashlib.sha256(nonce.encode()).digest() + bytes.fromhex("22" * 32)
    by_rank = sorted(range(withheld), key=lambda i: hashlib.sha256(seed + i.to_bytes(8, "big")).digest())
    assert sorted(by_rank[:k]) == challenge_of(nonce, k).choose(withheld)


def test_another_root_or_nonce_chooses_others() -> None:
    chosen = {
        tuple(challenge_of(nonce, 10, root).choose(1000)) for nonce in ("a", "b") for root in (ROOT, MANIFEST)
    }
    assert 4 == len(chosen)


@pytest.mark.parametrize("withheld", [300, 1_000, 10_000, 100_000, 1_000_000])
def test_three_hundred_openings_find_one_percent_altered_with_95_percent(withheld: int) -> None:
    altered = withheld // 100
    missed = comb(withheld - altered, K) / comb(withheld, K) if withheld < 100_000 else None
    if missed is None:  # the same ratio without its huge terms
        missed = 1.0
        for draw in range(K):
            missed *= (withheld - altered - draw) / (withheld - draw)
    assert missed <= 0.99**K <= 0.0491  # drawing without replacement only helps
    # and the bound that a reader is told after 300 that hold is below 1 % of them
    assert pool_upper(0, K, withheld, 0.05) <= altered


def test_the_real_choice_finds_altered_answers_as_often_as_the_exact_probability_says() -> None:
    withheld, altered, nonces = 2_000, frozenset(range(7, 2_000, 100)), 400
    assert len(altered) == withheld // 100
    expected = 1 - comb(withheld - len(altered), K) / comb(withheld, K)
    found = sum(not altered.isdisjoint(challenge_of(f"beacon {i}").choose(withheld)) for i in range(nonces))
    spread = (expected * (1 - expected) / nonces) ** 0.5
    assert 0.95 < expected
    assert abs(found / nonces - expected) < 3 * spread


# -- nonces ------------------------------------------------------------------------------------------------------


def test_a_text_that_somebody_chose_is_called_that(made: Made) -> None:
    found, container = verify_bundle(made.sealed, now=READ), Folder(made.sealed)
    challenge = make_challenge(container, found, 5, TextNonce("a public beacon"))
    assert ("nonce_chosen",) == check_challenge(container, found, challenge, where="challenge")
    assert challenge == parse_challenge(challenge.bytes(), where="challenge")


def test_a_later_checkpoint_of_the_labels_log_chooses(made: Made) -> None:
    found, container = verify_bundle(made.sealed, now=READ), Folder(made.sealed)
    nonce = later_checkpoint(made)
    challenge = make_challenge(container, found, 5, nonce)
    assert ("nonce_of_unpinned_log",) == check_challenge(container, found, challenge, where="challenge")
    without = make_challenge(container, found, 5, CheckpointNonce(nonce.checkpoint))
    flags = check_challenge(container, found, without, where="challenge")
    assert ("nonce_order_unproved", "nonce_of_unpinned_log") == flags
    assert challenge.choose(20) == without.choose(20)


def test_signing_a_checkpoint_again_does_not_change_the_choice(made: Made) -> None:
    nonce = later_checkpoint(made)
    text = parse_note(nonce.checkpoint.encode()).text
    note = (
        nonce.checkpoint
        + nonce.checkpoint.splitlines()[-1].replace("log.example/tests", "other.example")
        + "\n"
    )
    assert text == parse_note(note.encode()).text
    assert nonce.data == CheckpointNonce(note).data


def test_the_labels_own_checkpoint_is_not_later_than_the_label(made: Made) -> None:
    found, container = verify_bundle(made.sealed, now=READ), Folder(made.sealed)
    with open_log(made.folder) as log:
        note = log.checkpoint_note(label_checkpoint(container).size).decode()
    with pytest.raises(SealError, match="not later than the label's"):
        make_challenge(container, found, 5, CheckpointNonce(note))


def test_a_checkpoint_of_another_log_or_another_tree_does_not_choose(made: Made, tmp_path: Path) -> None:
    found, container = verify_bundle(made.sealed, now=READ), Folder(made.sealed)
    for name, key in (("other", ATTACKER_LOG), ("fork", LOG)):
        with LocalLog.create(tmp_path / name, key, clock=lambda: PLANNED) as log:
            log.append_all([Entry("verilabel.plan/v1", f"sha256:{i:064}") for i in range(9)])
            note = log.checkpoint_note().decode()
        nonce = CheckpointNonce(note, later_checkpoint(made).consistency)
        with pytest.raises(SealError, match=r"no known key signed|did not grow from the label"):
            make_challenge(container, found, 5, nonce)


def test_a_checkpoint_nobody_signed_is_refused(made: Made) -> None:
    found, container = verify_bundle(made.sealed, now=READ), Folder(made.sealed)
    checkpoint = parse_checkpoint_text(parse_note(later_checkpoint(made).checkpoint.encode()).text)
    forged = sign_checkpoint(checkpoint, ATTACKER_LOG.named(checkpoint.origin)).decode()
    with pytest.raises(SealError, match="no known key signed"):
        make_challenge(container, found, 5, CheckpointNonce(forged))


# -- bundles and files -------------------------------------------------------------------------------------------


def test_an_open_bundle_cannot_be_challenged(made: Made) -> None:
    found = verify_bundle(made.open, now=READ)
    with pytest.raises(SealError, match="no record of this bundle is withheld"):
        make_challenge(Folder(made.open), found, 5, TextNonce("x"))


def test_a_bundle_whose_label_does_not_follow_is_refused_before_it_is_challenged(
    made: Made, tmp_path: Path
) -> None:
    def tell_another_model(lines: Lines) -> None:
        line = next(line for line in lines if line["kind"] == "sealed")
        line["served_model"] = "another"

    forged = forge_lines(made.sealed, tmp_path / "forged", tell_another_model)
    with pytest.raises(CheckFailed, match="step 8"):
        make_challenge(Folder(forged), verify_bundle(forged, now=READ), 5, TextNonce("x"))


def test_a_challenge_to_one_bundle_is_none_to_another(made: Made) -> None:
    challenge = make_challenge(
        Folder(made.sealed), verify_bundle(made.sealed, now=READ), 5, TextNonce("a public beacon")
    )
    other = seal_again(made.folder, out="other", seed="other").sealed
    with pytest.raises(SealError, match="to another bundle"):
        check_challenge(Folder(other), verify_bundle(other, now=READ), challenge, where="challenge")


@pytest.mark.parametrize(
    "change",
    [
        {"k": 0},
        {"k": "300"},
        {"k": 10**8},
        {"root": "sha256:" + "A" * 64},
        {"nonce": {"kind": "text", "text": ""}},
        {"nonce": {"kind": "time", "text": "x"}},
        {"more": 1},
        {"format": "verilabel/challenge/v2"},
    ],
)
def test_a_malformed_challenge_is_refused(change: dict[str, object]) -> None:
    document = json.loads(challenge_of("x").bytes()) | change
    data = json.dumps(document, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    with pytest.raises(MalformedInput):
        parse_challenge(data, where="challenge")


@given(st.binary(max_size=200) | st.integers(0, 300).map(lambda i: challenge_of("x").bytes()[:i]))
def test_no_bytes_but_a_challenges_own_are_read_as_one(data: bytes) -> None:
    if data == challenge_of("x").bytes():
        return
    with pytest.raises(VerilabelError):
        parse_challenge(data, where="challenge")
