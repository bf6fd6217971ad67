"""The witness: the statuses of C2SP tlog-witness, and nothing but one growing tree under its cosignatures."""

from __future__ import annotations

import struct
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from itertools import pairwise
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transparency.small_logs import LOG_KEY, OTHER_KEY, WITNESS, WITNESS_KEY, entry
from verilabel.errors import MalformedInput, UsageError
from verilabel.evidence.keys import KeyType
from verilabel.evidence.merkle import Tree, verify_consistency
from verilabel.evidence.note import Checkpoint, cosign, merge_cosignatures, open_checkpoint, sign_checkpoint
from verilabel.transparency.witness_protocol import (
    SIZE_TYPE,
    encode_request,
    parse_request,
    parse_size,
    seen_path,
)
from verilabel.transparency.witnessing import Reply, Witness

# C2SP tlog-witness, section add-checkpoint
SPEC_REQUEST = (
    "old 20852014\n"
    "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
    "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
    "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n"
    "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n"
    "\n"
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— example.com/behind-the-sofa "
    "opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n"
).encode()

TREES = {
    "honest": Tree([entry(n).leaf for n in range(40)]),
    "forked": Tree([entry(n if n != 5 else "changed").leaf for n in range(40)]),
}


def signed(size: int, history: str = "honest") -> bytes:
    tree = Tree([TREES[history].node(0, n) for n in range(size)])
    return sign_checkpoint(Checkpoint(LOG_KEY.name, size, tree.root()), LOG_KEY)


def request(old: int, size: int, history: str = "honest") -> bytes:
    tree = Tree([TREES[history].node(0, n) for n in range(size)])
    return encode_request(old, tree.consistency(old) if old <= size else [], signed(size, history))


def ask(witness: Witness, old: int, size: int, history: str = "honest") -> Reply:
    return witness.add_checkpoint(request(old, size, history))


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(WITNESS_KEY, [LOG_KEY.public], tmp_path / "state", clock=lambda: 1_795_000_000.5)


def test_the_example_request_of_the_specification_is_read_and_written_back() -> None:
    parsed = parse_request(SPEC_REQUEST)
    assert (20852014, 4, 20852163) == (parsed.old_size, len(parsed.proof), parsed.checkpoint.size)
    assert SPEC_REQUEST == encode_request(parsed.old_size, parsed.proof, parsed.note)


@given(st.binary(max_size=200), st.integers(0, len(SPEC_REQUEST)))
def test_whatever_is_read_as_a_request_is_written_back_the_same(data: bytes, cut: int) -> None:
    for candidate in (data, SPEC_REQUEST[:cut] + data, data + SPEC_REQUEST[cut:]):
        try:
            parsed = parse_request(candidate)
        except MalformedInput:
            continue
        assert candidate == encode_request(parsed.old_size, parsed.proof, parsed.note)


def test_a_growing_log_is_cosigned_at_the_witness_s_time(witness: Witness) -> None:
    for old, size in ((0, 3), (3, 3), (3, 17), (17, 40)):
        reply = ask(witness, old, size)
        assert HTTPStatus.OK == reply.status
        note = merge_cosignatures(signed(size), reply.body, [WITNESS])
        opened = open_checkpoint(note, [LOG_KEY.public], [WITNESS])
        assert [(WITNESS, 1_795_000_000)] == [(c.key, c.time) for c in opened.cosignatures]


def test_a_stale_old_size_is_answered_with_the_size_that_was_seen(witness: Witness) -> None:
    ask(witness, 0, 9)
    for old in (0, 3, 10):
        reply = ask(witness, old, 12)
        assert (HTTPStatus.CONFLICT, b"9\n", SIZE_TYPE) == (reply.status, reply.body, reply.content_type)


def test_an_unknown_log_and_an_unknown_key_are_told_apart(witness: Witness) -> None:
    tree = TREES["honest"]
    unknown = sign_checkpoint(Checkpoint(OTHER_KEY.name, 40, tree.root()), OTHER_KEY)
    assert HTTPStatus.NOT_FOUND == witness.add_checkpoint(encode_request(0, [], unknown)).status
    impostor = sign_checkpoint(Checkpoint(LOG_KEY.name, 40, tree.root()), OTHER_KEY)
    assert HTTPStatus.FORBIDDEN == witness.add_checkpoint(encode_request(0, [], impostor)).status
    spoiled = signed(40).replace(b"\n40\n", b"\n39\n")
    assert HTTPStatus.FORBIDDEN == witness.add_checkpoint(encode_request(0, [], spoiled)).status
    assert HTTPStatus.OK == ask(witness, 0, 5).status, "nothing was seen yet"


def test_what_is_no_request_is_a_bad_request(witness: Witness) -> None:
    hashed = b64encode(bytes(32)) + b"\n"
    for body in (
        b"",
        b"old 0\n",
        b"old 00\n\n" + signed(3),
        b"old -1\n\n" + signed(3),
        b"old 0\nAAAA\n\n" + signed(3),
        b"old 1\n" + hashed * 64 + b"\n" + signed(3),
        b"older 1\n\n" + signed(3),
        request(0, 3)[:-1],
        request(4, 3),
        b"old 0\n\n" + b"x" * 300_000,
    ):
        assert HTTPStatus.BAD_REQUEST == witness.add_checkpoint(body).status, body[:40]


def test_a_forked_log_is_not_cosigned_and_what_it_signed_is_kept(witness: Witness, tmp_path: Path) -> None:
    ask(witness, 0, 9)
    same = ask(witness, 9, 9, "forked")
    assert (HTTPStatus.CONFLICT, "text/plain; charset=utf-8") == (same.status, same.content_type)
    assert HTTPStatus.UNPROCESSABLE_ENTITY == ask(witness, 9, 20, "forked").status
    kept = sorted((tmp_path / "state" / "refused").iterdir())
    assert 2 == len(kept)
    assert all(signed(9) in path.read_bytes() for path in kept)
    assert any(signed(20, "forked") in path.read_bytes() for path in kept)
    assert HTTPStatus.OK == ask(witness, 9, 20).status


@pytest.mark.parametrize(
    "damage", ["one_hash_too_many", "one_hash_too_few", "another_hash", "no_hash_at_all"]
)
def test_a_proof_that_does_not_lead_there_is_unprocessable(witness: Witness, damage: str) -> None:
    ask(witness, 0, 9)
    proof = Tree([TREES["honest"].node(0, n) for n in range(20)]).consistency(9)
    damaged = {
        "one_hash_too_many": [*proof, bytes(32)],
        "one_hash_too_few": proof[:-1],
        "another_hash": [bytes(32), *proof[1:]],
        "no_hash_at_all": [],
    }[damage]
    reply = witness.add_checkpoint(encode_request(9, damaged, signed(20)))
    assert HTTPStatus.UNPROCESSABLE_ENTITY == reply.status
    assert signed(9) == witness.seen(seen_path(LOG_KEY.name).partition("/")[0])


def test_a_witness_started_again_goes_on_where_it_was(witness: Witness, tmp_path: Path) -> None:
    ask(witness, 0, 9)
    again = Witness(WITNESS_KEY, [LOG_KEY.public], tmp_path / "state")
    assert HTTPStatus.CONFLICT == ask(again, 0, 5).status
    assert HTTPStatus.OK == ask(again, 9, 10).status
    with pytest.raises(UsageError, match="another witness"):
        Witness(OTHER_KEY, [LOG_KEY.public], tmp_path / "state")


def test_a_log_is_not_its_own_witness(tmp_path: Path) -> None:
    with pytest.raises(MalformedInput, match="own witness"):
        Witness(LOG_KEY.named("witness.example.net"), [LOG_KEY.public], tmp_path / "state")


def test_a_checkpoint_that_it_cosigned_already_is_cosigned_again(witness: Witness) -> None:
    ask(witness, 0, 9)
    earlier = cosign(signed(9), WITNESS_KEY, time=7)
    reply = witness.add_checkpoint(encode_request(9, [], earlier))
    assert HTTPStatus.OK == reply.status
    merged = merge_cosignatures(earlier, reply.body, [WITNESS])
    opened = open_checkpoint(merged, [LOG_KEY.public], [WITNESS])
    assert [1_795_000_000] == [c.time for c in opened.cosignatures], "the newer one took its place"


def test_of_two_histories_at_once_one_alone_is_cosigned(tmp_path: Path) -> None:
    for round_ in range(6):
        folder = tmp_path / str(round_)
        Witness(WITNESS_KEY, [LOG_KEY.public], folder)
        barrier = Barrier(4)

        def race(history: str, folder: Path = folder, barrier: Barrier = barrier) -> HTTPStatus:
            mine = Witness(WITNESS_KEY, [LOG_KEY.public], folder)
            barrier.wait()
            return ask(mine, 0, 9, history).status

        with ThreadPoolExecutor(4) as pool:
            statuses = list(pool.map(race, ["honest", "forked", "honest", "forked"]))
        assert 1 == statuses.count(HTTPStatus.OK), statuses
        assert 3 == statuses.count(HTTPStatus.CONFLICT), statuses


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 12), st.sampled_from(["honest", "forked"])), max_size=14
    )
)
def test_whatever_it_is_asked_it_cosigns_one_growing_tree(
    tmp_path_factory: pytest.TempPathFactory, asked: list[tuple[int, int, str]]
) -> None:
    witness = Witness(WITNESS_KEY, [LOG_KEY.public], tmp_path_factory.mktemp("w"))
    cosigned: list[tuple[int, str]] = []
    for old, size, history in asked:
        if HTTPStatus.OK == ask(witness, old, size, history).status:
            cosigned.append((size, history))
    for (old, before), (new, after) in pairwise(cosigned):
        old_tree, new_tree = (
            Tree([TREES[h].node(0, n) for n in range(size)]) for size, h in ((old, before), (new, after))
        )
        verify_consistency(old, new, new_tree.consistency(old), old_tree.root(), new_tree.root())


def test_the_order_of_signatures_on_a_checkpoint_does_not_matter(witness: Witness) -> None:
    ask(witness, 0, 9)
    text, lines = cosign(signed(9), WITNESS_KEY, time=7).split(b"\n\n")
    first, second, _ = lines.split(b"\n")
    turned = text + b"\n\n" + second + b"\n" + first + b"\n"
    reply = witness.add_checkpoint(encode_request(9, [], turned))
    assert HTTPStatus.OK == reply.status
    merge_cosignatures(signed(9), reply.body, [WITNESS])


def test_an_answer_that_makes_another_text_of_the_checkpoint_is_refused() -> None:
    text = signed(3).split(b"\n\n")[0] + b"\n"
    other = text + b"\nmore\n"
    message = b"cosignature/v1\ntime 9\n" + other
    signature = struct.pack(">Q", 9) + WITNESS_KEY.sign(message)
    line = f"— {WITNESS.name} {b64encode(WITNESS.note_hash + signature).decode()}\n".encode()
    with pytest.raises(MalformedInput, match="something else"):
        merge_cosignatures(signed(3), b"more\n\n" + line, [WITNESS])


def test_only_lines_of_known_keys_are_taken_from_an_answer() -> None:
    stranger = OTHER_KEY.public.of_type(KeyType.COSIGNATURE)
    line = cosign(signed(3), OTHER_KEY, time=9).removeprefix(signed(3))
    merged = merge_cosignatures(signed(3), line, [stranger, WITNESS])
    assert [stranger] == [c.key for c in open_checkpoint(merged, [LOG_KEY.public], [stranger]).cosignatures]
    ours = cosign(signed(3), WITNESS_KEY, time=9).removeprefix(signed(3))
    mixed = merge_cosignatures(signed(3), line + ours, [WITNESS])
    assert () == open_checkpoint(mixed, [LOG_KEY.public], [stranger, WITNESS]).unknown
    assert 2 == mixed.count("—".encode()), "the log's own line and ours"


@pytest.mark.parametrize("text", ["", "01", "-1", "1 ", "9" * 20, str(2**63), "1٠"])
def test_a_tree_size_has_one_form(text: str) -> None:
    with pytest.raises(MalformedInput):
        parse_size(text, where="size")


def test_a_first_checkpoint_comes_without_a_proof(witness: Witness) -> None:
    reply = witness.add_checkpoint(encode_request(0, [bytes(32)], signed(9)))
    assert HTTPStatus.UNPROCESSABLE_ENTITY == reply.status
    assert witness.seen(seen_path(LOG_KEY.name).partition("/")[0]) is None
