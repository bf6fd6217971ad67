"""Episodes whose programs run in a real sandbox: what is recorded, what is refused, and that nothing stays behind."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import pytest

from agent_worlds import SumEnvironment, sum_suite
from episode_runs import ask_for, changed, play, play_moves, playing
from process_children import children, descriptors
from servers.tool_calling import Move
from verilabel.errors import SandboxError
from verilabel.evaluation.agents.solver import AgentSolver, Surroundings
from verilabel.evidence.keys import new_key
from verilabel.evidence.others.containment import SignedContainment, sign_containment
from verilabel.records.episode import AchievedContainment, BoxStep, ToolStep
from verilabel.sandbox.doctor import examine
from verilabel.sandbox.interface import Box, BoxSpec
from verilabel.sandbox.opening import available, open_box

CODE = "import sys; print(sys.stdin.read() + '!', end='')"
RUN = Move("", [("run", {"code": CODE})])


@pytest.fixture(scope="module")
def spec() -> BoxSpec:
    """A box as an unprivileged user, or a skip where this machine can make none."""
    spec = BoxSpec(uid=65534 if os.geteuid() == 0 else None)
    objections = available(spec)
    if all(objections.values()):
        pytest.skip(f"no sandbox here: {objections}")
    return spec


async def test_a_program_of_the_world_is_an_event_before_the_call_it_belongs_to(spec: BoxSpec) -> None:
    played = await play_moves([RUN, Move("done")], Surroundings(box=spec), SumEnvironment(needs_box=True))
    ran, called = played.episode.events[1:3]
    assert isinstance(ran, BoxStep)
    assert (("python3", "main.py"), "in", 0, "in!") == (ran.argv, ran.stdin, ran.exit_status, ran.stdout)
    assert isinstance(called, ToolStep)
    assert "0: in!" == called.result
    assert [] == played.check()


@pytest.fixture(scope="module")
def examined(spec: BoxSpec) -> SignedContainment:
    """A signed examination of boxes as they are made here."""
    return sign_containment(asyncio.run(examine(spec)), new_key("examiner"), datetime.now(UTC))


async def test_the_containment_is_recorded_as_achieved(spec: BoxSpec, examined: SignedContainment) -> None:
    around = Surroundings(box=spec, attestation=examined)
    played = await play_moves([RUN, Move("done")], around, SumEnvironment(needs_box=True))
    box = await open_box(spec)
    await box.close()
    expected = AchievedContainment(box.containment.level, box.containment.provider, examined.digest)
    assert expected == played.episode.containment
    assert ["the containment attestation is not the one that the bundle encloses"] == played.check()
    enclosed = replace(played, setting=replace(played.setting, attestation=examined))
    assert [] == enclosed.check()


async def test_an_enclosed_attestation_covers_no_episode_that_does_not_name_it(
    spec: BoxSpec, examined: SignedContainment
) -> None:
    played = await play_moves([RUN, Move("done")], Surroundings(box=spec), SumEnvironment(needs_box=True))
    enclosed = replace(played, setting=replace(played.setting, attestation=examined))
    expected = "the episode does not name the containment attestation that the bundle encloses"
    assert [expected] == enclosed.check()


async def test_more_than_was_examined_may_not_be_claimed(spec: BoxSpec, examined: SignedContainment) -> None:
    around = Surroundings(box=spec, attestation=examined)
    played = await play_moves([RUN, Move("done")], around, SumEnvironment(needs_box=True))
    played = replace(played, setting=replace(played.setting, attestation=examined))
    for changes in ({"level": "C5"}, {"provider": "gvisor 1"}):
        assert played.episode.containment is not None
        claimed = msgspec.structs.replace(played.episode.containment, **changes)
        found = changed(played, msgspec.structs.replace(played.episode, containment=claimed)).check()
        assert found[0].startswith("the containment attestation is of")


async def test_an_attestation_of_other_boxes_is_refused_before_anything_is_asked(
    spec: BoxSpec, examined: SignedContainment
) -> None:
    other = msgspec.structs.replace(examined.examination.environment, kernel="0.0.1")
    examination = msgspec.structs.replace(examined.examination, environment=other)
    signed = sign_containment(examination, new_key("examiner"), datetime.now(UTC))
    async with playing([RUN]) as (server, model):
        with pytest.raises(SandboxError, match="does not speak for this sandbox: made with another kernel"):
            await play(model, Surroundings(box=spec, attestation=signed), SumEnvironment(needs_box=True))
        assert [] == server.bodies


@pytest.mark.parametrize(
    ("containment", "said"),
    [
        (None, "programs were run, and no containment is recorded"),
        (AchievedContainment("C1", "x"), "containment 'C1' is below C2"),
        (AchievedContainment("C9", "x"), "containment 'C9' is below C2"),
    ],
)
async def test_less_containment_than_the_environment_needs_is_named(
    spec: BoxSpec, containment: AchievedContainment | None, said: str
) -> None:
    played = await play_moves([RUN, Move("done")], Surroundings(box=spec), SumEnvironment(needs_box=True))
    claimed = msgspec.structs.replace(played.episode, containment=containment)
    assert changed(played, claimed).check()[0].startswith(said)


@pytest.mark.parametrize(
    "change", [{"argv": ("sh",)}, {"stdin": "other"}, {"stdout": "42"}, {"exit_status": 1}]
)
async def test_a_program_that_the_world_did_not_run_so_is_named(
    spec: BoxSpec, change: dict[str, object]
) -> None:
    played = await play_moves([RUN, Move("done")], Surroundings(box=spec), SumEnvironment(needs_box=True))
    events = list(played.episode.events)
    events[1] = msgspec.structs.replace(events[1], **change)
    found = changed(played, msgspec.structs.replace(played.episode, events=tuple(events))).check()
    assert found[0].startswith(("event 2 is another program", "event 3 is not what the world gives"))


async def test_without_a_sandbox_nothing_is_asked() -> None:
    around = Surroundings(box=BoxSpec(provider="process", at_least="C2"))
    async with playing([RUN]) as (server, model):
        with pytest.raises(SandboxError):
            await play(model, around, SumEnvironment(needs_box=True))
        assert [] == server.bodies


async def test_a_sandbox_that_fails_on_the_way_is_a_failure_and_no_measurement(spec: BoxSpec) -> None:
    async def open_and_lose(asked: BoxSpec) -> Box:
        box = await open_box(asked)
        await box.close()
        return box

    around = Surroundings(box=spec, open_box=open_and_lose)
    played = await play_moves([RUN], around, SumEnvironment(needs_box=True))
    assert played.exchange.failure is not None
    assert ("sandbox", True, None) == (
        played.exchange.failure.kind,
        played.exchange.failure.retryable,
        played.exchange.output,
    )
    assert ("failed", 1) == (played.episode.ending, len(played.episode.events))


class Watched:
    """A real box that says when a program is about to run."""

    def __init__(self, box: Box, begun: asyncio.Event) -> None:
        self._box = box
        self._begun = begun

    def __getattr__(self, name: str) -> Any:
        if name == "exec":
            self._begun.set()
        return getattr(self._box, name)


async def test_a_cancelled_episode_leaves_no_process_behind(spec: BoxSpec) -> None:
    before, begun = children(), asyncio.Event()

    async def open_watched(asked: BoxSpec) -> Box:
        return cast(Box, Watched(await open_box(asked), begun))

    slow = Move("", [("run", {"code": "import time; time.sleep(60)"})])
    around, suite = Surroundings(box=spec, open_box=open_watched), sum_suite()
    async with (
        playing([slow]) as (_, model),
        AgentSolver(suite, SumEnvironment(needs_box=True), model, around) as solver,
    ):
        episode = asyncio.create_task(solver.solve(ask_for(suite)))
        await begun.wait()
        await asyncio.sleep(0)
        assert children() - before
        episode.cancel()
        with pytest.raises(asyncio.CancelledError):
            await episode
        assert before == children()


async def test_episodes_one_after_another_leave_no_process_and_no_file_open(spec: BoxSpec) -> None:
    environment, suite = SumEnvironment(needs_box=True), sum_suite()
    async with (
        playing([RUN, Move("done")]) as (_, model),
        AgentSolver(suite, environment, model, Surroundings(box=spec)) as solver,
    ):
        await solver.solve(ask_for(suite))
        processes, files = children(), descriptors()
        for _ in range(6):
            exchange = await solver.solve(ask_for(suite))
            assert exchange.failure is None
        assert processes == children()
        assert files == descriptors()


@pytest.mark.parametrize(
    "changes", [{"stdout_total": 0}, {"stdout": "in!" * 40_000, "stdout_total": 120_000}]
)
async def test_a_stream_longer_than_it_can_have_been_is_named(spec: BoxSpec, changes: dict[str, Any]) -> None:
    played = await play_moves([RUN, Move("done")], Surroundings(box=spec), SumEnvironment(needs_box=True))
    events = [
        msgspec.structs.replace(event, **changes) if isinstance(event, BoxStep) else event
        for event in played.episode.events
    ]
    found = changed(played, msgspec.structs.replace(played.episode, events=tuple(events))).check()
    assert "event 2 keeps more of its streams than it says there was" == found[0]
