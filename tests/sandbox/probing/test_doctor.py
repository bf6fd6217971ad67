"""Examinations of real boxes: nothing gets out of a good one, and what gets out of bad ones is found."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from examined_boxes import UID, LooseBox, require_provider, run_unprivileged
from verilabel.errors import SandboxError, UsageError
from verilabel.sandbox.doctor import examine, run_examination
from verilabel.sandbox.interface import Box, BoxSpec, Containment, ExecResult, Limits
from verilabel.sandbox.probing.host import find_processes
from verilabel.sandbox.probing.inside.calls import invoke
from verilabel.sandbox.probing.judging import judge
from verilabel.sandbox.probing.planting import plant
from verilabel.sandbox.probing.record import Examination

NOTHING = Containment(level="C0", provider="loose 1")
CLAIMED = Containment(level="C3", provider="loose 1", means=("userns", "seccomp", "cgroup:v1"))


@pytest.fixture(scope="module")
def boxed() -> Examination:
    """The examination of a real box, its limits included."""
    small = Limits(memory=160 * 2**20, pids=40, disk=32 * 2**20, output=2**18)
    return run_examination(msgspec.structs.replace(require_provider("bubblewrap"), limits=small), heavy=True)


@pytest.fixture(scope="module")
def loose() -> Examination:
    """The examination of a plain process that claims to be more."""
    return examine_loose(LooseBox(CLAIMED))


def examine_loose(box: LooseBox) -> Examination:
    async def opening(_: BoxSpec) -> Box:
        return box  # type: ignore[return-value]

    return asyncio.run(examine(BoxSpec(uid=UID, at_least="C0"), opening=opening))


def answers(examination: Examination) -> dict[str, str]:
    return {result.id: result.result for result in examination.results}


# -- a good box ----------------------------------------------------------------------------------------------------


def test_no_probe_escapes_from_the_box(boxed: Examination) -> None:
    assert ((), ()) == (boxed.escapes, boxed.unanswered)


def test_limits_are_held_when_they_are_used_up(boxed: Examination) -> None:
    heavy = {result.id: result.result for result in boxed.results if result.group == "heavy"}
    assert 10 == len(heavy)
    assert {"stopped"} == set(heavy.values())


def test_what_the_box_stops_was_really_there_to_be_found(boxed: Examination, loose: Examination) -> None:
    """A probe that cannot come through anywhere shows nothing: most do where nothing contains them."""
    found = {name for name, said in answers(loose).items() if said == "open"}
    assert {"files.planted-secret", "network.loopback", "processes.read-memory", "environment.own"} <= found
    assert not found & {name for name, said in answers(boxed).items() if said == "open"}
    assert len(found) > 50


def test_the_examination_says_what_was_examined_and_where(boxed: Examination) -> None:
    assert boxed.environment.provider.startswith("bubblewrap")
    assert os.uname().release == boxed.environment.kernel == boxed.inside["kernel"]
    assert boxed.achieved.level in ("C2", "C3")
    assert (UID or os.geteuid()) == boxed.environment.user


def test_no_probe_escapes_from_the_box_of_a_user_without_rights() -> None:
    require_provider("bubblewrap")
    done = run_unprivileged("-m", "verilabel", "sandbox", "doctor", "--provider", "bubblewrap", "--json")
    assert 0 == done.returncode, done.stdout[-2000:] + done.stderr
    found = json.loads(done.stdout)["examination"]
    assert ([], []) == (found["escapes"], found["unanswered"])
    assert not found["environment"]["started_as_root"]


def test_no_probe_escapes_from_gvisor() -> None:
    found = run_examination(require_provider("gvisor"))
    assert ((), ()) == (found.escapes, found.unanswered)
    assert "C4" == found.achieved.level
    assert found.inside["kernel"] != found.environment.kernel


# -- bad boxes -----------------------------------------------------------------------------------------------------


def test_the_escapes_of_a_plain_process_are_found(loose: Examination) -> None:
    found = set(loose.escapes)
    files = {"files.planted-secret", "files.planted-write", "files.planted-elsewhere", "files.link-out"}
    network = {"network.loopback", "network.abstract-socket", "network.path-socket", "network.datagrams"}
    processes = {"processes.seen", "processes.signal", "processes.limits-of-others"}
    environment = {"environment.own", "environment.of-any", "environment.command-lines"}
    host = {"host.victim", "host.folder", "host.listeners", "leftovers.processes"}
    assert files | network | processes | environment | host <= found


def test_a_filter_that_is_claimed_and_not_there_is_found(loose: Examination) -> None:
    assert {"privileges.filter", "kernel.clone3", "kernel.32-bit-entry"} & set(loose.escapes)
    assert "privileges.filter" in loose.escapes


def test_the_same_answers_of_a_process_that_claims_nothing_are_exposed_there_and_escapes_elsewhere(
    loose: Examination,
) -> None:
    escapes, exposed, _ = judge(loose.results, "C0", ())
    assert "privileges.filter" in exposed
    assert "files.planted-secret" in escapes


def test_namespaces_with_the_flags_that_come_to_mind_first_leak_the_environment_and_the_files() -> None:
    require_provider("bubblewrap")
    box = LooseBox(NOTHING)
    box.prefix = (
        *("bwrap", "--unshare-all", "--as-pid-1", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
        *("--bind", str(box.folder), str(box.folder), "--chdir", str(box.folder), "--"),
    )
    found = examine_loose(box)
    assert {"environment.own", "environment.of-first", "files.planted-secret", "files.host-users"} <= set(
        found.escapes
    )
    said = answers(found)
    assert {"stopped"} == {said[name] for name in ("network.loopback", "processes.signal", "processes.trace")}


class DumbBox(LooseBox):
    """A box whose programs say what they are told to say."""

    said: bytes = b""

    async def exec(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout_s: float = 60.0,
        env: Mapping[str, str] = {},
        cwd: str | None = None,
    ) -> ExecResult:
        return ExecResult(exit_status=0, stdout=self.said, stdout_total=len(self.said))


def test_a_box_in_which_the_probes_are_silent_is_not_known_and_not_good() -> None:
    box = DumbBox(CLAIMED)
    box.said = (
        b'{"facts": {"kernel": "x"}}\n{"id": "files.shadow", "result": "stopped", "detail": ""}\n{"id": "ti'
    )
    found = examine_loose(box)
    assert "files.planted-secret" in found.unanswered
    assert "files.shadow" not in found.unanswered
    assert len(found.unanswered) > 100


def test_a_box_in_which_nothing_runs_is_an_error_that_says_so() -> None:
    box = DumbBox(CLAIMED)
    with pytest.raises(SandboxError, match="ended with status 0"):
        examine_loose(box)


# -- what the doctor does to the host --------------------------------------------------------------------------------


async def test_nothing_that_was_planted_is_left() -> None:
    limits = {"disk_limit": 1, "memory_limit": 1, "process_limit": 1}
    async with plant(UID or os.geteuid(), limits) as planted:
        config = planted.config
        assert find_processes(str(config["victim_marker"]))
        assert planted.folder.exists()
        assert "VERILABEL_PLANTED_VARIABLE" in os.environ
        assert invoke("shmget", config["shared_memory_key"], 0, 0) >= 0
    places = [Path(str(config[name])) for name in ("secret_file", "other_file", "shm_file", "socket_path")]
    assert [] == [path for path in places if path.exists()]
    assert [] == find_processes(str(config["victim_marker"]))
    assert invoke("shmget", config["shared_memory_key"], 0, 0) < 0
    assert "VERILABEL_PLANTED_VARIABLE" not in os.environ
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", config["tcp_port"]), timeout=5)  # type: ignore[arg-type]


def test_root_without_a_user_to_become_is_refused_before_anything_is_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if os.geteuid() != 0:
        pytest.skip("tests are not run by root")
    monkeypatch.delenv("VERILABEL_SANDBOX_UID", raising=False)
    opened: list[BoxSpec] = []

    async def opening(spec: BoxSpec) -> Box:
        opened.append(spec)
        return LooseBox(NOTHING)  # type: ignore[return-value]

    for uid in (None, 0):
        with pytest.raises(SandboxError) as caught:
            asyncio.run(examine(BoxSpec(uid=uid, at_least="C0"), opening=opening))
        assert 6 == caught.value.status
        assert "65534" in (caught.value.hint or "")
    assert [] == opened


def test_limits_are_not_used_up_where_there_are_none() -> None:
    box = LooseBox(NOTHING)

    async def opening(_: BoxSpec) -> Box:
        return box  # type: ignore[return-value]

    with pytest.raises(UsageError, match="no limits"):
        asyncio.run(examine(BoxSpec(uid=UID, at_least="C0"), heavy=True, opening=opening))
    assert not box.folder.exists()


def test_gvisor_says_that_it_is_missing_where_it_is() -> None:
    from verilabel.sandbox.gvisor import GvisorProvider

    objection = GvisorProvider().objection(BoxSpec(uid=UID, at_least="C5"))
    expected = "runsc is not installed" if shutil.which("runsc") is None else "not a separate machine"
    assert objection is not None
    assert expected in objection
