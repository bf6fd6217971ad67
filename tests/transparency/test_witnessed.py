"""A log and its witnesses, as processes: cosignatures in its proofs, and nothing lost where a witness is silent."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path

import pytest

from transparency.small_logs import (
    LOG_KEY,
    OTHER_KEY,
    WITNESS,
    WITNESS_KEY,
    Served,
    answering,
    entry,
    free_port,
    log_server,
    make_log,
    witness_server,
)
from verilabel.errors import MalformedInput, SealError, UsageError, VerilabelError
from verilabel.evidence.keys import KeyType
from verilabel.evidence.log import LocalLog
from verilabel.evidence.note import cosign, open_checkpoint, open_proof
from verilabel.transparency.configuration import (
    WitnessAddress,
    parse_configuration,
    parse_witness,
    read_configuration,
    write_configuration,
)
from verilabel.transparency.fetching import send_request
from verilabel.transparency.remote import RemoteLog
from verilabel.transparency.witness_protocol import encode_request, parse_size, seen_path
from verilabel.transparency.witnessed import STATE, WitnessedLog
from verilabel.transparency.witnessing import Witness


@pytest.fixture(scope="module")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A witness of the small log, which has seen nothing of it."""
    with witness_server(tmp_path_factory.mktemp("witness")) as server:
        yield server


def open_witnessed(folder: Path, url: str, told: list[str] | None = None) -> WitnessedLog:
    warnings: list[str] = [] if told is None else told
    return WitnessedLog(LocalLog.open(folder, LOG_KEY), [WitnessAddress(url, WITNESS)], warn=warnings.append)


def test_an_entry_s_proof_has_the_cosignature_of_the_witness(witness: Served, tmp_path: Path) -> None:
    with open_witnessed(make_log(tmp_path / "log", range(3)), witness.url) as log:
        proofs = log.append_all([entry(name) for name in "abc"])
        for name, proof in zip("abc", proofs, strict=True):
            opened = open_proof(
                proof.bytes(), entry(name).leaf, [LOG_KEY.public], [WITNESS], witness_quorum=1
            )
            assert 6 == opened.checkpoint.size
        again = log.append(entry("d"))
        open_proof(again.bytes(), entry("d").leaf, [LOG_KEY.public], [WITNESS], witness_quorum=1)
    with LocalLog.open(tmp_path / "log", LOG_KEY) as local:
        assert 7 == local.audit().size, "cosigned checkpoints pass the log's own audit"
        kept = open_checkpoint((tmp_path / "log" / "checkpoint").read_bytes(), [LOG_KEY.public], [WITNESS])
        assert 1 == len(kept.cosignatures)
    seen = send_request(f"{witness.url}/{seen_path(LOG_KEY.name)}")
    assert 7 == open_checkpoint(seen.body, [LOG_KEY.public]).checkpoint.size
    assert 404 == send_request(f"{witness.url}/{seen_path(OTHER_KEY.name)}").status


def test_a_silent_witness_loses_no_entry_and_is_asked_again(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    folder = make_log(tmp_path / "log", range(3))
    told: list[str] = []
    with open_witnessed(folder, url, told) as log:
        proof = log.append(entry("a"))
        assert 4 == open_proof(proof.bytes(), entry("a").leaf, [LOG_KEY.public]).checkpoint.size
        with pytest.raises(SealError, match="0 known witnesses"):
            open_proof(proof.bytes(), entry("a").leaf, [LOG_KEY.public], [WITNESS], witness_quorum=1)
        assert 1 == len(told) and "witness.example.net did not cosign 4 entries: no answer" in told[0]
        assert b'"failed"' in (folder / STATE).read_bytes()
        with witness_server(tmp_path, "--port", str(port)):
            cosigned = log.refresh()
            assert (4, ("witness.example.net",), ()) == (cosigned.size, cosigned.names, cosigned.failures)
        later = log.local.prove(3)
        open_proof(later.bytes(), entry("a").leaf, [LOG_KEY.public], [WITNESS], witness_quorum=1)
        assert b'"failed"' not in (folder / STATE).read_bytes()


def test_what_was_written_down_of_witnesses_is_not_believed(tmp_path: Path) -> None:
    folder = make_log(tmp_path / "log", range(3))
    with witness_server(tmp_path) as server:
        for number, kept in enumerate(
            [
                b"",
                b"nonsense",
                b"[]",
                b'{"%s":{"cosigned":99}}' % WITNESS.line.encode(),
                b'{"x":{"cosigned":-1}}',
            ]
        ):
            (folder / STATE).write_bytes(kept)
            with open_witnessed(folder, server.url) as log:
                proof = log.append(entry(number))
            open_proof(proof.bytes(), entry(number).leaf, [LOG_KEY.public], [WITNESS], witness_quorum=1)


def test_a_witness_that_has_seen_more_than_the_log_is_told_of(tmp_path: Path) -> None:
    folder = make_log(tmp_path / "log", range(3))
    told: list[str] = []
    with witness_server(tmp_path) as server:
        with open_witnessed(make_log(tmp_path / "longer", range(9)), server.url) as longer:
            longer.refresh()
        with open_witnessed(folder, server.url, told) as log:
            log.append(entry("a"))
    assert [
        "the witness witness.example.net did not cosign 4 entries: it has seen 9 entries of this log"
    ] == told


def test_a_false_cosignature_is_not_kept(tmp_path: Path) -> None:
    folder = make_log(tmp_path / "log", range(3))
    with LocalLog.open(folder) as local:
        note = local.checkpoint_note()
    impostor = OTHER_KEY.named(WITNESS_KEY.name)
    line = cosign(note, impostor, time=5).removeprefix(note)
    ours = cosign(note, WITNESS_KEY, time=5).removeprefix(note)
    spoiled = ours[:-10] + b"AAAAAAA==\n"
    for body, told_of in (
        (line, "no known key signed"),
        (spoiled, ""),
        (b"", ""),
        (b"nonsense\n", ""),
        (b"x" * 2**20, "more than"),
    ):
        told: list[str] = []
        with answering({"/add-checkpoint": (200, {}, body)}) as url, open_witnessed(folder, url, told) as log:
            assert () == log.refresh().names
        assert 1 == len(told) and told_of in told[0]
    with LocalLog.open(folder) as local:
        assert note == local.checkpoint_note()


def test_one_of_two_witnesses_is_enough_for_its_own_cosignature(tmp_path: Path) -> None:
    folder = make_log(tmp_path / "log", range(20))
    told: list[str] = []
    other = WitnessAddress("http://127.0.0.1:9", OTHER_KEY.public.of_type(KeyType.COSIGNATURE))
    with witness_server(tmp_path) as server:
        both = [other, WitnessAddress(server.url, WITNESS)]
        with WitnessedLog(LocalLog.open(folder, LOG_KEY), both, warn=told.append) as log:
            cosigned = log.refresh()
    assert (("witness.example.net",), ["other.example.com"]) == (
        cosigned.names,
        [failure.witness.key.name for failure in cosigned.failures],
    )


def test_a_served_log_and_its_witness_give_proofs_for_a_quorum(tmp_path: Path) -> None:
    folder = make_log(tmp_path / "log", range(3))
    with witness_server(tmp_path) as server:
        write_configuration(folder, [WitnessAddress(server.url, WITNESS)])
        with log_server(folder) as served:

            def write(name: str) -> bytes:
                state = tmp_path / f"state-{name}"
                with RemoteLog.open(served.url, state=state, tell=[].append) as log:
                    return b"".join(log.append(entry(f"{name}/{n}")).bytes() for n in range(1))

            with ThreadPoolExecutor(4) as pool:
                proofs = list(pool.map(write, "abcd"))
    for name, proof in zip("abcd", proofs, strict=True):
        leaf = entry(f"{name}/0").leaf
        assert 1 == len(open_proof(proof, leaf, [LOG_KEY.public], [WITNESS], witness_quorum=1).cosignatures)


def test_writers_that_share_a_log_all_get_cosigned_proofs(tmp_path: Path) -> None:
    folder = make_log(tmp_path / "log", range(3))
    with witness_server(tmp_path) as server:

        def write(name: str) -> list[bytes]:
            with open_witnessed(folder, server.url) as log:
                return [log.append(entry(f"{name}/{number}")).bytes() for number in range(4)]

        with ThreadPoolExecutor(3) as pool:
            proofs = dict(zip("abc", pool.map(write, "abc"), strict=True))
    indexes = set()
    for name, given in proofs.items():
        for number, proof in enumerate(given):
            leaf = entry(f"{name}/{number}").leaf
            opened = open_proof(proof, leaf, [LOG_KEY.public], [WITNESS], witness_quorum=1)
            indexes.add(opened.index)
    assert set(range(3, 15)) == indexes


def test_a_witness_killed_at_any_moment_never_goes_back(tmp_path: Path) -> None:
    folder = make_log(tmp_path / "log", range(60))
    answered = [0]
    with LocalLog.open(folder) as log, witness_server(tmp_path) as server:
        try:
            for size in range(1, 60):
                body = encode_request(size - 1, log.consistency(size - 1, size), log.checkpoint_note(size))
                answer = send_request(f"{server.url}/add-checkpoint", body=body)
                assert HTTPStatus.OK == answer.status
                answered.append(size)
                if size == 25:
                    server.kill()
        except VerilabelError:
            pass
    assert 25 == answered[-1]
    with LocalLog.open(folder) as log:
        again = Witness(WITNESS_KEY, [LOG_KEY.public], tmp_path / "state")
        reply = again.add_checkpoint(encode_request(3, log.consistency(3, 9), log.checkpoint_note(9)))
    assert HTTPStatus.CONFLICT == reply.status
    assert 25 == parse_size(reply.body.decode().strip(), where="answer")


@pytest.mark.parametrize(("size", "status"), [(300_000, 413), (10, 400)])
def test_a_request_that_is_too_large_or_none_is_refused(witness: Served, size: int, status: int) -> None:
    assert status == send_request(f"{witness.url}/add-checkpoint", body=b"x" * size).status
    assert 405 == send_request(f"{witness.url}/add-checkpoint").status
    assert WITNESS.line == send_request(f"{witness.url}/witness.vkey").text


# -- log.yaml


def test_witnesses_are_kept_in_a_file_and_read_back(tmp_path: Path) -> None:
    assert () == read_configuration(tmp_path)
    witnesses = (
        WitnessAddress("https://witness.example.net/a", WITNESS),
        WitnessAddress("http://127.0.0.1:8401", OTHER_KEY.public.of_type(KeyType.COSIGNATURE)),
    )
    write_configuration(tmp_path, witnesses)
    assert witnesses == read_configuration(tmp_path)
    write_configuration(tmp_path, [])
    assert () == read_configuration(tmp_path)
    assert witnesses[0] == parse_witness(f"https://witness.example.net/a={WITNESS.line}")


ONE = f"""\
format: verilabel/log-config/v1
witnesses:
  - url: https://witness.example.net
    key: {WITNESS.line}
"""


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("log-config/v1", "log-config/v2", "$.format"),
        ("witnesses:", "witness:", "$"),
        ("url: https://witness.example.net", "url: ftp://witness.example.net", "$.witnesses[0].url"),
        ("url: https://witness.example.net", "url: 7", "$.witnesses[0]"),
        ("url: https", "name: https", "$.witnesses[0]"),
        (WITNESS.line, WITNESS_KEY.public.line, "$.witnesses[0].key"),
        (WITNESS.line, WITNESS.line[:-1], "$.witnesses[0].key"),
        (
            f"    key: {WITNESS.line}\n",
            f"    key: {WITNESS.line}\n  - url: https://two.example.net\n    key: {WITNESS.line}\n",
            "$.witnesses",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(old: str, new: str, where: str) -> None:
    assert old in ONE
    with pytest.raises(MalformedInput) as caught:
        parse_configuration(ONE.replace(old, new, 1).encode())
    assert f"log.yaml: {where}" == caught.value.where


def test_a_log_is_not_its_witness_server(tmp_path: Path) -> None:
    own = WitnessAddress("https://witness.example.net", LOG_KEY.public.of_type(KeyType.COSIGNATURE))
    with (
        LocalLog.open(make_log(tmp_path / "log", []), LOG_KEY) as log,
        pytest.raises(MalformedInput, match="own"),
    ):
        WitnessedLog(log, [own], warn=print)


def test_a_witness_is_named_by_address_and_key() -> None:
    for text in ("https://witness.example.net", "=x"):
        with pytest.raises((UsageError, MalformedInput)):
            parse_witness(text)
