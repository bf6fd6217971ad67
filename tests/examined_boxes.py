"""Boxes to examine, good and bad, examinations that were never made, and programs run without root's rights."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

import verilabel
from verilabel.sandbox.interface import BoxSpec, Containment, ExecResult
from verilabel.sandbox.opening import available
from verilabel.sandbox.probing.host import describe_environment
from verilabel.sandbox.probing.judging import judge
from verilabel.sandbox.probing.program import list_digest, list_probes, program_digest
from verilabel.sandbox.probing.record import Achieved, Examination, ProbeResult

NOBODY = 65534
UID = NOBODY if os.geteuid() == 0 else None
"""The user to become: another where tests are run by root."""
TRIAL = (
    "import subprocess, sys, verilabel.errors, msgspec, yaml, cryptography; "
    "subprocess.run([sys.executable, '-c', ''], check=True)"
)
"""What a Python must be able to do: import what we need, and be started again by its user."""
MEANS = ("userns", "landlock:7", "no_new_privs", "seccomp", "rlimits", "cgroup:v1")


def require_provider(name: str) -> BoxSpec:
    """What to ask for to have a box of a provider; a skip where it cannot be had here."""
    spec = BoxSpec(provider=name, at_least="C0", uid=UID)
    objection = available(spec)[name]
    if objection is not None:
        pytest.skip(f"no boxes of {name} here: {objection}")
    return spec


def made_examination(changed: Mapping[str, str] | None = None, *, heavy: bool = False) -> Examination:
    """An examination in which every probe was stopped but those in `changed`, whose results it says."""
    results = tuple(
        ProbeResult(probe.id, probe.by, (changed or {}).get(probe.id, "stopped"), "made up")  # type: ignore[arg-type]
        for probe in list_probes()
        if heavy or not probe.heavy
    )
    escapes, exposed, unanswered = judge(results, "C3", MEANS)
    return Examination(
        program=program_digest(),
        probes=list_digest(),
        environment=describe_environment("bubblewrap 0.8.0", NOBODY),
        achieved=Achieved(
            level="C3", means=MEANS, lacking=(), memory=2**29, pids=64, cpus="1", disk=2**28, output=2**20
        ),
        inside={"kernel": os.uname().release},
        heavy=heavy,
        results=results,
        escapes=escapes,
        exposed=exposed,
        unanswered=unanswered,
    )


def box_of(examination: Examination) -> Containment:
    """The containment of the box that was examined."""
    achieved = examination.achieved
    return Containment(
        level=achieved.level,
        provider=examination.environment.provider,
        means=achieved.means,
        lacking=achieved.lacking,
    )


@dataclass
class LooseBox:
    """A box of this test's: programs started by `prefix` as nobody in particular, with the environment handed down.

    It claims whatever it is told to claim, and ends nothing when it is closed.
    """

    containment: Containment
    prefix: Sequence[str] = ()
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="verilabel-loose-")))

    def __post_init__(self) -> None:
        if UID is not None:
            os.chown(self.folder, UID, UID)

    async def exec(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout_s: float = 60.0,
        env: Mapping[str, str] = {},
        cwd: str | None = None,
    ) -> ExecResult:
        identity = {} if UID is None else {"user": UID, "group": UID, "extra_groups": []}
        process = await asyncio.create_subprocess_exec(
            *self.prefix,
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.folder,
            env={**os.environ, **env},
            start_new_session=True,
            **identity,  # type: ignore[arg-type]
        )
        async with asyncio.timeout(timeout_s):
            stdout, stderr = await process.communicate(stdin)
        assert process.returncode is not None
        return ExecResult(
            exit_status=process.returncode,
            stdout=stdout,
            stderr=stderr,
            stdout_total=len(stdout),
            stderr_total=len(stderr),
        )

    async def write_file(self, path: str, data: bytes) -> None:
        (self.folder / path).write_bytes(data)
        (self.folder / path).chmod(0o644)

    async def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def run_unprivileged(
    *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python ARGUMENTS` as a user who is not root, with this package; a skip where that user has no Python."""
    places = (verilabel.__file__, msgspec.__file__)
    variables = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": ":".join(str(Path(place).resolve().parents[1]) for place in places),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": "/nonexistent",
        **(env or {}),
    }
    drop = [] if UID is None else ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*drop, *command],
            env=variables,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    for python in (sys.executable, "/usr/bin/python3"):
        if run(python, "-c", TRIAL).returncode == 0:
            return run(python, *arguments)
    pytest.skip("no Python here that a user without rights can run this package with")
