"""A remote log: the key it is held to, the history it is held to, and servers that answer anything at all."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from transparency.small_logs import (
    LOG_KEY,
    OTHER_KEY,
    Served,
    answering,
    entry,
    log_server,
    make_log,
)
from verilabel.errors import LimitExceeded, MalformedInput, PolicyError, SealError, UsageError
from verilabel.evidence.keys import PublicKey
from verilabel.evidence.log import LocalLog
from verilabel.evidence.merkle import Tree, verify_consistency
from verilabel.evidence.note import Checkpoint, Proof, open_proof, sign_checkpoint
from verilabel.serving import read_token
from verilabel.transparency.fetching import check_url, send_request
from verilabel.transparency.memory import Memory, Pins
from verilabel.transparency.opening import url_of
from verilabel.transparency.remote import RemoteLog, read_log_key


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Served]]:
    """Two servers of logs with one key, whose histories part at entry 4; and one of another log."""
    folder = tmp_path_factory.mktemp("servers")
    histories = {"honest": range(9), "forked": [0, 1, 2, 3, "changed", 5, 6, 7, 8, 9]}
    for name, names in histories.items():
        make_log(folder / name, names)
    make_log(folder / "other", range(3), OTHER_KEY)
    with (
        log_server(folder / "honest") as honest,
        log_server(folder / "forked") as forked,
        log_server(folder / "other") as other,
    ):
        yield {"honest": honest, "forked": forked, "other": other}


def open_log(url: str, state: Path, key: PublicKey | None = None, told: list[str] | None = None) -> RemoteLog:
    return RemoteLog.open(url, key=key, state=state, tell=[].append if told is None else told.append)


def test_a_remote_log_gives_the_proofs_that_a_local_one_gives(
    servers: dict[str, Served], tmp_path: Path
) -> None:
    with open_log(servers["honest"].url, tmp_path) as log:
        first = log.append(entry("plan"))
        second = log.append(entry("label"))
        assert first.index < second.index
        open_proof(second.bytes(), entry("label").leaf, [log.public_key])
        assert LOG_KEY.public == log.public_key
        sizes = (first.index + 1, second.index + 1)
        names = [*range(9), "plan", "label"][: sizes[1]]
        roots = [Tree([entry(n).leaf for n in names[:size]]).root() for size in sizes]
        verify_consistency(*sizes, log.consistency(*sizes), *roots)
        again = log.prove(4)
        open_proof(again.bytes(), entry(4).leaf, [LOG_KEY.public])
        assert entry(4) == log.entries(4)[0].entry
        with pytest.raises(UsageError, match="no entry"):
            log.prove(log.size)


def test_the_key_of_a_first_meeting_is_told_and_kept(servers: dict[str, Served], tmp_path: Path) -> None:
    told: list[str] = []
    url = servers["honest"].url
    open_log(url, tmp_path, told=told)
    open_log(url, tmp_path, told=told)
    assert 1 == len(told) and LOG_KEY.public.line in told[0]
    with pytest.raises(SealError, match="met under another key"):
        open_log(url, tmp_path, OTHER_KEY.public)


def test_another_key_behind_a_known_address_is_refused(servers: dict[str, Served], tmp_path: Path) -> None:
    Pins(tmp_path).pin(servers["other"].url, LOG_KEY.public)
    with pytest.raises(SealError, match="no known key signed"):
        open_log(servers["other"].url, tmp_path)


def test_a_given_key_that_is_not_the_log_s_is_not_pinned(servers: dict[str, Served], tmp_path: Path) -> None:
    with pytest.raises(SealError):
        open_log(servers["honest"].url, tmp_path, OTHER_KEY.public)
    assert [] == list(tmp_path.iterdir())


def test_two_servers_of_one_key_with_two_histories_are_found_out(
    servers: dict[str, Served], tmp_path: Path
) -> None:
    with open_log(servers["honest"].url, tmp_path) as log:
        log.append(entry("more"))
        log.append(entry("and more"))
    with pytest.raises(SealError, match=r"the log is (shrunk|forked|rewritten)") as caught:
        open_log(servers["forked"].url, tmp_path)
    assert caught.value.hint is not None and str(tmp_path) in caught.value.hint
    kept = list(Memory(tmp_path, LOG_KEY.public).folder.glob("evidence/*/*.checkpoint"))
    assert 2 == len(kept)


def test_an_append_to_a_forked_log_is_refused_with_evidence(
    servers: dict[str, Served], tmp_path: Path
) -> None:
    honest = Tree([entry(n).leaf for n in range(9)])
    note = sign_checkpoint(Checkpoint(LOG_KEY.name, 9, honest.root()), LOG_KEY)
    memory = Memory(tmp_path, LOG_KEY.public)
    memory.keep(note)
    log = RemoteLog(servers["forked"].url, LOG_KEY.public, memory)
    with pytest.raises(SealError, match="the log is rewritten"):
        log.append(entry("x"))
    assert (note, True) == (
        next(memory.folder.glob("evidence/*/earlier.checkpoint")).read_bytes(),
        next(memory.folder.glob("evidence/*/consistency.json")).is_file(),
    )


def test_a_log_put_back_to_an_older_copy_is_found_by_who_has_used_it(tmp_path: Path) -> None:
    folder = make_log(tmp_path / "log", range(5))
    shutil.copytree(folder, tmp_path / "backup")
    with log_server(folder) as server, open_log(server.url, tmp_path / "state") as log:
        log.append(entry("lost"))
        memory = log.memory
    shutil.rmtree(folder)
    shutil.move(tmp_path / "backup", folder)
    with (
        log_server(folder) as server,
        pytest.raises(SealError, match="the log is shrunk: it shows 5 entries"),
    ):
        open_log(server.url, tmp_path / "state")
    with log_server(folder) as server:
        log = RemoteLog(server.url, LOG_KEY.public, memory)
        with pytest.raises(SealError, match=r"the log is (forked|shrunk)"):
            log.append(entry("another"))


# -- servers that answer anything


def proof_for(size: int, names: list[object], key_entry: object) -> bytes:
    tree = Tree([entry(n).leaf for n in names])
    note = sign_checkpoint(Checkpoint(LOG_KEY.name, size, tree.root()), LOG_KEY)
    return Proof(names.index(key_entry), tuple(tree.inclusion(names.index(key_entry))), note).bytes()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((200, {}, b""), MalformedInput),
        ((200, {}, b"c2sp.org/tlog-proof@v1\nindex 0\n\nx\n"), MalformedInput),
        ((200, {}, proof_for(2, ["x", "other"], "other")), SealError),
        ((200, {}, b"y" * 2**21), LimitExceeded),
        ((302, {"Location": "/elsewhere"}, b""), UsageError),
        ((500, {}, b"broken\n"), UsageError),
        ((403, {}, b"no\n"), UsageError),
    ],
)
def test_an_answer_that_is_no_proof_of_the_entry_is_refused(
    answer: tuple[int, dict[str, str], bytes], error: type[Exception], tmp_path: Path
) -> None:
    elsewhere = (200, {}, proof_for(1, ["x"], "x"))
    with answering({"/add": answer, "/elsewhere": elsewhere}) as url:
        log = RemoteLog(url, LOG_KEY.public, Memory(tmp_path, LOG_KEY.public))
        with pytest.raises(error):
            log.append(entry("x"))
    assert not log.memory.folder.exists()


def test_an_honest_answer_is_taken_packed_or_not(tmp_path: Path) -> None:
    proof = proof_for(1, ["x"], "x")
    packed = gzip.compress(proof)
    for headers, body in (({}, proof), ({"Content-Encoding": "gzip"}, packed)):
        with answering({"/add": (200, headers, body)}) as url:
            log = RemoteLog(url, LOG_KEY.public, Memory(tmp_path / url[-5:], LOG_KEY.public))
            assert proof == log.append(entry("x")).bytes()


def test_a_small_answer_that_unpacks_to_a_large_one_is_bounded() -> None:
    bomb = gzip.compress(bytes(2**24))
    with answering({"/add": (200, {"Content-Encoding": "gzip"}, bomb)}) as url, pytest.raises(LimitExceeded):
        send_request(f"{url}/add", limit=2**16)
    with (
        answering({"/add": (200, {"Content-Encoding": "gzip"}, b"not gzip")}) as url,
        pytest.raises(SealError),
    ):
        send_request(f"{url}/add")


def test_nobody_there_is_said_in_words(tmp_path: Path) -> None:
    with answering({}) as url:
        pass
    with pytest.raises(UsageError, match="no answer"):
        open_log(url, tmp_path)
    with answering({}) as url, pytest.raises(UsageError, match="answers 404"):
        open_log(url, tmp_path)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("ftp://log.example.org", UsageError),
        ("https://", UsageError),
        ("https://user:word@log.example.org", UsageError),
        ("https://log.example.org/?x=1", UsageError),
        ("https://log.example.org:port", UsageError),
        ("https://log example.org", UsageError),
        ("http://log.example.org", PolicyError),
        ("http://127.0.0.1.example.org", PolicyError),
    ],
)
def test_an_address_that_is_none_or_not_protected_is_refused(url: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        check_url(url)


def test_addresses_are_told_from_folders() -> None:
    assert "https://log.example.org/a" == url_of("https://log.example.org/a")
    assert "http://127.0.0.1:8400" == url_of(Path("http://127.0.0.1:8400"))
    assert [None, None, None] == [url_of(place) for place in (None, "folder", Path("https.d/log"))]
    assert "https://log.example.org" == check_url("https://log.example.org/")
    assert "http://log.example.org" == check_url("http://log.example.org", may_be_plain=True)


def test_a_log_s_key_is_given_as_its_line_or_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "log.vkey").write_bytes(LOG_KEY.public.file_bytes())
    assert LOG_KEY.public == read_log_key(LOG_KEY.public.line) == read_log_key(str(tmp_path / "log.vkey"))
    for text, error in (("nowhere.vkey", UsageError), ("a+b+c", MalformedInput)):
        with pytest.raises(error):
            read_log_key(text)


def test_a_token_comes_from_a_variable_and_is_never_short() -> None:
    assert "t" * 16 == read_token("T", {"T": "t" * 16 + "\n"})
    assert read_token(None, {}) is None
    for environ in ({}, {"T": ""}, {"T": "short"}, {"T": "with a space in it 123"}):
        with pytest.raises(UsageError, match="holds no token"):
            read_token("T", environ)


def test_the_log_of_a_process_that_died_is_opened_again(tmp_path: Path) -> None:
    folder = make_log(tmp_path / "log", range(3))
    with log_server(folder) as server:
        server.kill()
    with LocalLog.open(folder, LOG_KEY) as log:
        assert 3 == log.append(entry(3)).index
