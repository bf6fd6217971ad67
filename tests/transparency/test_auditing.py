"""Auditing: an honest log passes; each way of lying is found under its own name, with the signed checkpoints kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transparency.small_logs import LOG_KEY, OTHER_KEY, answering, entry, make_log
from verilabel.errors import LimitExceeded, MalformedInput, SealError, UsageError
from verilabel.evidence.consistency import check_consistency
from verilabel.evidence.log import LocalLog
from verilabel.evidence.merkle import Tree, leaf_hash
from verilabel.evidence.note import Checkpoint, open_checkpoint, sign_checkpoint
from verilabel.transparency.auditing import Audited, audit_local, audit_log
from verilabel.transparency.local_tiles import FolderTiles, write_tiles
from verilabel.transparency.memory import Memory
from verilabel.transparency.tiles import TilePath, encode_entries
from verilabel.transparency.witness_protocol import seen_path

HONEST = range(300)
REWRITTEN = [*range(137), "changed", *range(138, 320)]


def publish(folder: Path, names: Sequence[object]) -> Path:
    """The files of a log with these entries; made anew under the same key, as a dishonest keeper would."""
    with LocalLog.open(make_log(folder / "log", names)) as log:
        write_tiles(log, folder / "static")
    return folder / "static"


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Published logs of one key: what an honest keeper shows over time, and what a dishonest one might."""
    named = {
        "honest": HONEST,
        "grown": range(320),
        "shorter": range(290),
        "rewritten": REWRITTEN,
        "forked": REWRITTEN[:300],
        "unlike": [*range(300), *("x", "y")],
    }
    return {name: publish(tmp_path_factory.mktemp(name), names) for name, names in named.items()}


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "state", LOG_KEY.public)


def audit(folder: Path, memory: Memory, *peers: str, incremental: bool = False) -> Audited:
    return audit_log(FolderTiles(folder), LOG_KEY.public, memory, peers=peers, incremental=incremental)


def kinds(audited: Audited) -> list[str]:
    return [finding.kind for finding in audited.findings]


def shown(memory: Memory, audited: Audited) -> dict[str, Checkpoint]:
    """The signed checkpoints that a finding's evidence holds, verified as a third party would."""
    (finding,) = audited.findings
    assert finding.evidence is not None and finding.evidence.parent.parent == memory.folder
    document = json.loads((finding.evidence / "finding.json").read_text())
    assert (finding.kind, LOG_KEY.public.line) == (document["finding"], document["log"])
    return {
        path.stem: open_checkpoint(path.read_bytes(), [LOG_KEY.public]).checkpoint
        for path in finding.evidence.glob("*.checkpoint")
    }


def test_an_honest_log_holds_and_is_remembered(histories: dict[str, Path], memory: Memory) -> None:
    first = audit(histories["honest"], memory)
    assert ([], None, 300, 300, 3) == (
        kinds(first),
        first.earlier,
        first.size,
        first.entries_read,
        first.tiles_compared,
    )
    assert {"verilabel.plan/v1": 300} == first.kinds
    again = audit(histories["grown"], memory)
    assert ([], 300, 320, 320) == (kinds(again), again.earlier, again.size, again.entries_read)
    seen = memory.checkpoint()
    assert seen is not None and 320 == seen[0].size
    assert [entry(n).leaf for n in range(320)] == memory.leaves()


def test_an_incremental_audit_reads_what_came_since(histories: dict[str, Path], memory: Memory) -> None:
    audit(histories["honest"], memory)
    again = audit(histories["grown"], memory, incremental=True)
    assert ([], 20, 320) == (kinds(again), again.entries_read, again.size)


def test_a_log_that_shows_less_than_before_has_shrunk(histories: dict[str, Path], memory: Memory) -> None:
    audit(histories["honest"], memory)
    audited = audit(histories["shorter"], memory)
    assert ["shrunk"] == kinds(audited)
    assert {"earlier": 300, "now": 290} == {k: c.size for k, c in shown(memory, audited).items()}
    seen = memory.checkpoint()
    assert seen is not None and 300 == seen[0].size, "what was seen before is not forgotten"


@pytest.mark.parametrize("incremental", [False, True])
def test_a_log_that_changed_an_entry_and_grew_is_rewritten_and_the_entry_named(
    histories: dict[str, Path], memory: Memory, incremental: bool
) -> None:
    audit(histories["honest"], memory)
    audited = audit(histories["rewritten"], memory, incremental=incremental)
    assert ["rewritten"] == kinds(audited)
    assert 137 == audited.findings[0].entry
    signed = shown(memory, audited)
    assert {"earlier": 300, "later": 320} == {k: c.size for k, c in signed.items()}
    proof = (audited.findings[0].evidence or Path()) / "consistency.json"
    with pytest.raises(SealError):
        check_consistency(proof.read_bytes(), signed["earlier"], signed["later"], where="proof")


def test_two_trees_of_one_size_are_a_fork(histories: dict[str, Path], memory: Memory) -> None:
    audit(histories["honest"], memory)
    audited = audit(histories["forked"], memory)
    assert "forked" in kinds(audited)
    signed = {
        c.root
        for path in audited.findings[0].evidence.glob("*.checkpoint")  # type: ignore[union-attr]
        for c in [open_checkpoint(path.read_bytes(), [LOG_KEY.public]).checkpoint]
    }
    assert 2 == len(signed)


def test_a_checkpoint_signed_with_the_right_key_over_another_tree_is_named(
    histories: dict[str, Path], memory: Memory, tmp_path: Path
) -> None:
    served = Path(shutil.copytree(histories["honest"], tmp_path / "served"))
    other = Tree([entry(n if n != 200 else "other").leaf for n in HONEST])
    (served / "checkpoint").write_bytes(sign_checkpoint(Checkpoint(LOG_KEY.name, 300, other.root()), LOG_KEY))
    audited = audit(served, memory)
    assert ["another_tree"] == kinds(audited)
    assert other.root() == shown(memory, audited)["signed"].root
    assert memory.checkpoint() is None


def test_an_entry_changed_where_it_is_served_is_named(
    histories: dict[str, Path], memory: Memory, tmp_path: Path
) -> None:
    served = Path(shutil.copytree(histories["honest"], tmp_path / "served"))
    bundle = served / "tile" / "entries" / "000"
    bundle.write_bytes(bundle.read_bytes().replace(entry(66).bytes(), entry("lie").bytes()))
    audited = audit(served, memory)
    assert (["another_tree"], 66) == (kinds(audited), audited.findings[0].entry)


def test_a_tile_that_is_not_of_its_entries_is_named(
    histories: dict[str, Path], memory: Memory, tmp_path: Path
) -> None:
    served = Path(shutil.copytree(histories["honest"], tmp_path / "served"))
    tile = served / "tile" / "0" / "001.p" / "44"
    data = bytearray(tile.read_bytes())
    data[32 * 10] ^= 1
    tile.write_bytes(data)
    audited = audit(served, memory)
    assert (["wrong_tile"], 266) == (kinds(audited), audited.findings[0].entry)


@pytest.mark.parametrize(
    "path", ["tile/entries/000", "tile/entries/001.p/44", "tile/0/000", "tile/1/000.p/1"]
)
@pytest.mark.parametrize("damage", ["removed", "cut"])
def test_what_was_signed_and_is_not_served_is_named(
    histories: dict[str, Path], memory: Memory, tmp_path: Path, path: str, damage: str
) -> None:
    served = Path(shutil.copytree(histories["honest"], tmp_path / "served"))
    if damage == "removed":
        (served / path).unlink()
    else:
        (served / path).write_bytes((served / path).read_bytes()[:-1])
    audited = audit(served, memory)
    assert ["unreadable"] == kinds(audited)
    assert path.partition(".")[0] in audited.findings[0].message


def test_a_checkpoint_of_another_key_is_no_evidence_against_the_log(
    histories: dict[str, Path], memory: Memory, tmp_path: Path
) -> None:
    served = Path(shutil.copytree(histories["honest"], tmp_path / "served"))
    impostor = OTHER_KEY.named(LOG_KEY.name)
    (served / "checkpoint").write_bytes(
        sign_checkpoint(Checkpoint(LOG_KEY.name, 0, Tree([]).root()), impostor)
    )
    with pytest.raises(SealError, match="no known key"):
        audit(served, memory)
    assert not memory.folder.exists()


def test_entries_of_kinds_to_come_are_counted_and_held_against_nobody(memory: Memory) -> None:
    entries = [entry(0).bytes(), b'{"kind":"verilabel.later/v9"}', entry(2).bytes()]
    tree = Tree([leaf_hash(data) for data in entries])

    class Later:
        name = "memory"

        def checkpoint(self) -> bytes:
            return sign_checkpoint(Checkpoint(LOG_KEY.name, 3, tree.root()), LOG_KEY)

        def tile(self, tile: TilePath) -> bytes:
            if tile.level == "entries":
                return encode_entries(entries)
            return b"".join(tree.node(0, place) for place in range(3))

    audited = audit_log(Later(), LOG_KEY.public, memory)
    assert ([], {"verilabel.plan/v1": 2, "unknown": 1}) == (kinds(audited), audited.kinds)


def test_a_size_that_nobody_could_audit_is_refused(
    histories: dict[str, Path], memory: Memory, tmp_path: Path
) -> None:
    served = Path(shutil.copytree(histories["honest"], tmp_path / "served"))
    huge = Checkpoint(LOG_KEY.name, 2**62, bytes(32))
    (served / "checkpoint").write_bytes(sign_checkpoint(huge, LOG_KEY))
    with pytest.raises(LimitExceeded, match="at most 16777216"):
        audit(served, memory)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_changed_byte_anywhere_in_what_is_served_is_found(
    histories: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = data.draw(
        st.sampled_from(
            [
                "checkpoint",
                "tile/entries/000",
                "tile/entries/001.p/44",
                "tile/0/000",
                "tile/0/001.p/44",
                "tile/1/000.p/1",
            ]
        )
    )
    changed = bytearray((histories["honest"] / path).read_bytes())
    place = data.draw(st.integers(0, len(changed) - 1))
    changed[place] ^= data.draw(st.integers(1, 255))

    class Changed(FolderTiles):
        def checkpoint(self) -> bytes:
            return bytes(changed) if path == "checkpoint" else super().checkpoint()

        def tile(self, tile: TilePath) -> bytes:
            return bytes(changed) if tile.path == path else super().tile(tile)

    memory = Memory(tmp_path_factory.mktemp("state"), LOG_KEY.public)
    try:
        audited = audit_log(Changed(histories["honest"]), LOG_KEY.public, memory)
    except (SealError, MalformedInput):
        return
    assert audited.findings


# -- peers


def test_peers_that_saw_the_same_history_agree(
    histories: dict[str, Path], memory: Memory, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.checkpoint"
    shutil.copy(histories["shorter"] / "checkpoint", kept)
    note = (histories["honest"] / "checkpoint").read_bytes()
    with answering({f"/{seen_path(LOG_KEY.name)}": (200, {}, note)}) as witness:
        audited = audit(histories["honest"], memory, str(kept), witness)
    assert [(290, "agrees"), (300, "agrees")] == [(p.size, p.outcome) for p in audited.peers]


@pytest.mark.parametrize(
    ("peer", "kind"),
    [("forked", "forked"), ("rewritten", "shrunk"), ("grown", "shrunk")],
)
def test_a_peer_that_was_shown_another_history_gives_the_log_away(
    histories: dict[str, Path], memory: Memory, peer: str, kind: str
) -> None:
    audited = audit(histories["honest"], memory, str(histories[peer] / "checkpoint"))
    assert [kind] == kinds(audited)
    assert kind == audited.peers[0].outcome
    assert 2 == len(shown(memory, audited))


def test_a_peer_with_an_older_checkpoint_of_another_history_shows_a_fork(
    histories: dict[str, Path], memory: Memory
) -> None:
    audited = audit(histories["grown"], memory, str(histories["forked"] / "checkpoint"))
    assert ["forked"] == kinds(audited)
    assert {"earlier", "later"} == set(shown(memory, audited))


def test_a_peer_that_cannot_be_compared_is_said_and_hides_nothing(
    histories: dict[str, Path], memory: Memory, tmp_path: Path
) -> None:
    (tmp_path / "nonsense").write_bytes(b"nonsense")
    with answering({}) as silent:
        audited = audit(
            histories["honest"],
            memory,
            silent,
            str(tmp_path / "nonsense"),
            str(tmp_path / "nowhere"),
            str(histories["forked"] / "checkpoint"),
        )
    assert [True, True, True, False] == [p.outcome.startswith("not compared") for p in audited.peers]
    assert ["forked"] == kinds(audited)


# -- a log's own folder


def test_a_folder_s_own_log_is_audited_with_all_that_it_stores(tmp_path: Path, memory: Memory) -> None:
    make_log(tmp_path / "log", range(5))
    with LocalLog.open(tmp_path / "log") as log:
        assert [] == kinds(audit_local(log, memory))
    shutil.rmtree(tmp_path / "log")
    make_log(tmp_path / "log", [0, 1, "changed", 3, 4, 5])
    with LocalLog.open(tmp_path / "log") as log:
        audited = audit_local(log, memory)
    assert (["rewritten"], 2) == (kinds(audited), audited.findings[0].entry)


def test_what_a_keeper_alone_can_see_is_found_in_a_log_s_folder(tmp_path: Path, memory: Memory) -> None:
    make_log(tmp_path / "log", range(5))
    (tmp_path / "log" / "checkpoint").unlink()
    with LocalLog.open(tmp_path / "log") as log, pytest.raises(SealError, match="beside the log is missing"):
        audit_local(log, memory)


def test_a_folder_without_a_log_is_a_usage_error(tmp_path: Path, memory: Memory) -> None:
    with pytest.raises(UsageError, match="no log here"):
        audit(tmp_path, memory)
