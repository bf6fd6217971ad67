"""Attestations that excuse what escaped, and boxes whose silence is to be taken for containment."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from examined_boxes import UID, LooseBox, box_of, made_examination
from verilabel.errors import SealError
from verilabel.evidence.keys import new_key
from verilabel.evidence.others.containment import SignedContainment, check_attestation, sign_containment
from verilabel.records.canonical import digest
from verilabel.sandbox.doctor import examine
from verilabel.sandbox.interface import Box, BoxSpec, Containment, ExecResult
from verilabel.sandbox.probing.judging import judge
from verilabel.sandbox.probing.record import Examination, ProbeResult

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY = new_key("doctor.example.org")
CLAIMED = Containment(level="C3", provider="loose 1", means=("userns", "seccomp", "cgroup:v1"))


def excused(probe: str, answer: str) -> Examination:
    """An examination in which one probe's answer was changed and the verdict was left as it was."""
    made = made_examination()
    results = tuple(
        msgspec.structs.replace(result, result=answer) if result.id == probe else result
        for result in made.results
    )
    return msgspec.structs.replace(made, results=results)


@pytest.mark.parametrize("answer", ["emulated", "informational"])
@pytest.mark.parametrize("probe", ["kernel.io-uring", "files.other-folders", "host.user", "host.settings"])
def test_an_escape_that_is_renamed_to_something_harmless_is_refused(probe: str, answer: str) -> None:
    named = {result.id for result in made_examination().results}
    target = probe if probe in named else next(iter(sorted(named - {"host.user"})))

    with pytest.raises(SealError, match="the verdict does not follow"):
        sign_containment(excused(target, answer), KEY, NOW)


def test_only_a_kernel_of_its_own_emulates_and_only_what_a_kernel_answers() -> None:
    def verdict(probe: str, answer: Any, level: Any) -> tuple[tuple[str, ...], ...]:
        return judge([ProbeResult(probe, "always", answer, "")], level, ("gvisor",))

    assert ((), (), ()) == verdict("kernel.bpf", "emulated", "C4")
    assert (("kernel.bpf",), (), ()) == verdict("kernel.bpf", "emulated", "C3")
    assert (("files.secret",), (), ()) == verdict("files.secret", "emulated", "C4")
    assert ((), (), ()) == verdict("leftovers.processes", "informational", "C4")
    assert ((), (), ("leftovers.processes",)) == verdict("leftovers.processes", "informational", "C3")
    assert ((), (), ("files.secret",)) == verdict("files.secret", "informational", "C4")


def test_an_attestation_by_another_program_of_probes_does_not_speak_for_a_box() -> None:
    other = msgspec.structs.replace(made_examination(), program=digest(b"a program that answers `stopped`"))
    signed = sign_containment(other, KEY, NOW)

    def objections(attestation: SignedContainment) -> tuple[str, ...]:
        return check_attestation(
            attestation,
            here=attestation.environment,
            containment=box_of(attestation.examination),
            now=NOW,
        )

    assert ("made with another program of probes than this version's",) == objections(signed)
    assert () == objections(sign_containment(made_examination(), KEY, NOW))


class SilentBox(LooseBox):
    """Runs the light probes, and of everything heavy says `ending` without having run it."""

    ending = ExecResult(exit_status=0)

    async def exec(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout_s: float = 60.0,
        env: Mapping[str, str] = {},
        cwd: str | None = None,
    ) -> ExecResult:
        if Path(argv[-1]).name != "probes.pyz" or "only" in json.loads(stdin):
            facts = b'{"facts": {}}\n' if Path(argv[-1]).name == "probes.pyz" else b""
            return msgspec.structs.replace(self.ending, stdout=facts)
        return await super().exec(argv, stdin=stdin, timeout_s=timeout_s, env=env, cwd=cwd)


@pytest.mark.parametrize(
    "ending",
    [ExecResult(exit_status=0), ExecResult(exit_status=-9), ExecResult(exit_status=-9, timed_out=True)],
)
def test_a_box_that_runs_no_heavy_probe_is_not_said_to_have_stopped_any(ending: ExecResult) -> None:
    async def opening(_: BoxSpec) -> Box:
        box = SilentBox(CLAIMED)
        box.ending = ending
        return box  # type: ignore[return-value]

    examination = asyncio.run(examine(BoxSpec(uid=UID, at_least="C0"), heavy=True, opening=opening))

    heavy = {r.id: r.result for r in examination.results if r.id.startswith("heavy.")}
    assert {"error"} == set(heavy.values())
    assert set(heavy) <= set(examination.unanswered)
