"""Keepers, peers and strangers that mean harm: silence at the right moment, races, drips, and floods of refusals."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from transparency.small_logs import LOG_KEY, OTHER_KEY, WITNESS_KEY, answering, entry, make_log
from verilabel.errors import SealError, UsageError
from verilabel.evidence.log import LocalLog
from verilabel.evidence.merkle import Tree
from verilabel.evidence.note import Checkpoint, open_checkpoint, parse_note, sign_checkpoint, sign_note
from verilabel.transparency.auditing import audit_log
from verilabel.transparency.fetching import send_request
from verilabel.transparency.local_tiles import FolderTiles, write_tiles
from verilabel.transparency.memory import Memory
from verilabel.transparency.tiles import TilePath
from verilabel.transparency.witness_protocol import encode_request
from verilabel.transparency.witnessing import REFUSED, Witness

FORKED = [*range(4), "changed", *range(5, 9)]


def signed(names: Sequence[object]) -> bytes:
    tree = Tree([entry(name).leaf for name in names])
    return sign_checkpoint(Checkpoint(LOG_KEY.name, tree.size, tree.root()), LOG_KEY)


def publish(folder: Path, names: Sequence[object]) -> Path:
    with LocalLog.open(make_log(folder / "log", names)) as log:
        write_tiles(log, folder / "static")
    return folder / "static"


# -- audits ------------------------------------------------------------------------------------------------------


class SilentLater:
    """A log that shows its first entries, and falls silent when it is asked again."""

    def __init__(self, folder: Path) -> None:
        self._tiles = FolderTiles(folder)
        self._asked = 0
        self.name = "a silent log"

    def checkpoint(self) -> bytes:
        self._asked += 1
        if self._asked > 1:
            raise UsageError("no answer")
        return self._tiles.checkpoint()

    def tile(self, tile: TilePath) -> bytes:
        return self._tiles.tile(tile)


def test_a_log_that_falls_silent_when_a_peer_has_seen_more_is_not_let_off(tmp_path: Path) -> None:
    (tmp_path / "seen.checkpoint").write_bytes(signed(range(9)))
    memory = Memory(tmp_path / "state", LOG_KEY.public)
    source = SilentLater(publish(tmp_path, range(5)))
    audited = audit_log(source, LOG_KEY.public, memory, peers=[str(tmp_path / "seen.checkpoint")])
    (finding,) = audited.findings
    assert ("unreadable", True) == (finding.kind, "over 9 entries" in finding.message)
    assert finding.evidence is not None
    kept = (finding.evidence / "seen.checkpoint").read_bytes()
    assert 9 == open_checkpoint(kept, [LOG_KEY.public]).checkpoint.size
    assert memory.checkpoint() is None


def test_a_log_that_does_not_serve_what_it_shows_to_peers_is_unreadable(tmp_path: Path) -> None:
    folder = publish(tmp_path, range(5))
    (tmp_path / "seen.checkpoint").write_bytes(signed(range(8)))

    class Grown(SilentLater):
        def checkpoint(self) -> bytes:
            self._asked += 1
            return self._tiles.checkpoint() if self._asked == 1 else signed(range(9))

    memory = Memory(tmp_path / "state", LOG_KEY.public)
    audited = audit_log(Grown(folder), LOG_KEY.public, memory, peers=[str(tmp_path / "seen.checkpoint")])
    assert ["unreadable"] == [finding.kind for finding in audited.findings]


def test_an_audit_whose_peer_could_not_be_asked_does_not_end_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from verilabel.cli import main

    monkeypatch.setenv("VERILABEL_HOME", str(tmp_path / "home"))
    folder = str(publish(tmp_path, range(5)))
    assert 8 == main(["log", "audit", folder, "--peer", str(tmp_path / "nowhere")])
    assert "all of it holds; 1 of 1 peers could not be compared with" in capsys.readouterr().out
    assert 0 == main(["log", "audit", folder, "--peer", f"{folder}/checkpoint"])


# -- memory ------------------------------------------------------------------------------------------------------


def test_a_slow_audit_does_not_take_back_what_another_program_has_seen_meanwhile(tmp_path: Path) -> None:
    folder = publish(tmp_path, range(5))
    memory = Memory(tmp_path / "state", LOG_KEY.public)

    class Slow(SilentLater):
        """While it answers, another program of the same user sees more of the log."""

        def checkpoint(self) -> bytes:
            memory.keep(signed(FORKED))
            return self._tiles.checkpoint()

    assert () == audit_log(Slow(folder), LOG_KEY.public, memory).findings
    seen = memory.checkpoint()
    assert seen is not None and 9 == seen[0].size
    again = audit_log(FolderTiles(folder), LOG_KEY.public, memory)
    assert ["shrunk"] == [finding.kind for finding in again.findings]


def test_of_two_histories_seen_at_once_the_first_stays(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "state", LOG_KEY.public)
    memory.keep(signed(range(3)))
    before = memory.checkpoint()
    assert before is not None
    memory.keep(signed(range(7)), seen=before[1])
    memory.keep(signed(FORKED), seen=before[1])  # compared with three entries, not with seven
    seen = memory.checkpoint()
    assert seen is not None and 7 == seen[0].size


def test_tiles_of_another_history_are_not_written_over_partial_ones(tmp_path: Path) -> None:
    folder = publish(tmp_path, range(5))
    (tmp_path / "other").mkdir()
    with (
        LocalLog.open(make_log(tmp_path / "other" / "log", FORKED)) as log,
        pytest.raises(SealError, match="does not begin with the 5 entries"),
    ):
        write_tiles(log, folder)
    assert 5 == open_checkpoint((folder / "checkpoint").read_bytes(), [LOG_KEY.public]).checkpoint.size


# -- servers that never end --------------------------------------------------------------------------------------


@contextmanager
def dripping(first: bytes, drop: bytes) -> Iterator[str]:
    """A server that begins an answer and goes on with one drop after another, for as long as anybody listens."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                try:
                    connection.sendall(first)
                    while not over.wait(0.01):
                        connection.sendall(drop)
                except OSError:
                    return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/checkpoint"
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"a"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a"),
    ],
    ids=["headers", "body", "chunk"],
)
def test_an_answer_that_drips_is_given_up_at_one_deadline(first: bytes, drop: bytes) -> None:
    with dripping(first, drop) as url, pytest.raises(UsageError, match="takes too long"):
        send_request(url, timeout_s=0.3)


def test_an_answer_in_time_is_whole() -> None:
    with answering({"/checkpoint": (200, {"Content-Length": "4"}, b"note")}) as url:
        assert b"note" == send_request(f"{url}/checkpoint", timeout_s=5).body


# -- witnesses ---------------------------------------------------------------------------------------------------


def with_strange_line(note: bytes, number: int) -> bytes:
    """A checkpoint with a signature line that anybody could have hung on it."""
    strange = sign_note(f"{number}\n", OTHER_KEY).split(b"\n\n")[1]
    return note + strange


def test_strange_signatures_do_not_fill_the_place_for_evidence(tmp_path: Path) -> None:
    witness = Witness(WITNESS_KEY, [LOG_KEY.public], tmp_path)
    assert 200 == witness.add_checkpoint(encode_request(0, [], signed(range(3)))).status
    for number in range(5):
        false_proof = encode_request(3, [], with_strange_line(signed(range(6)), number))
        assert 422 == witness.add_checkpoint(false_proof).status
    assert 1 == len(list((tmp_path / REFUSED).iterdir()))


def test_a_witness_shows_what_the_log_signed_and_nothing_that_was_hung_on_it(tmp_path: Path) -> None:
    from verilabel.records.canonical import sha256_hex

    witness = Witness(WITNESS_KEY, [LOG_KEY.public], tmp_path)
    note = signed(range(3))
    assert 200 == witness.add_checkpoint(encode_request(0, [], with_strange_line(note, 1))).status
    shown = witness.seen(sha256_hex(LOG_KEY.name.encode()))
    assert note == shown
    assert 1 == len(parse_note(note).signatures)


# -- the screen --------------------------------------------------------------------------------------------------


def test_a_proof_that_a_terminal_would_obey_goes_to_a_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from verilabel.cli import main

    monkeypatch.setenv("VERILABEL_HOME", str(tmp_path / "home"))
    tree = Tree([entry(0).leaf])
    text = Checkpoint(LOG_KEY.name, 1, tree.root(), ("\x9b2J and all is well",)).text
    note = sign_note(text, LOG_KEY)
    answers = {
        "/checkpoint": note,
        "/log.vkey": LOG_KEY.public.file_bytes(),
        "/tile/0/000.p/1": entry(0).leaf,
    }
    with answering({path: (200, {}, body) for path, body in answers.items()}) as url:
        prove = ["log", "prove", "0", "--log", url]
        assert 2 == main(prove)
        assert "\x9b" not in capsys.readouterr().out
        assert 0 == main([*prove, "--out", str(tmp_path / "proof")])
    assert note in (tmp_path / "proof").read_bytes()


def test_a_folder_of_tiles_is_held_to_the_key_of_its_first_audit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from verilabel.cli import main

    monkeypatch.setenv("VERILABEL_HOME", str(tmp_path / "home"))
    folder = publish(tmp_path, range(5))
    audit = ["log", "audit", str(folder)]
    assert 0 == main(audit)
    assert f"its key from now on is {LOG_KEY.public.line}" in capsys.readouterr().err
    shutil.rmtree(folder)
    with LocalLog.open(make_log(tmp_path / "stranger", range(7), OTHER_KEY)) as log:
        write_tiles(log, folder)
    assert 4 == main(audit)
    assert 4 == main([*audit, "--log-key", OTHER_KEY.public.line])
