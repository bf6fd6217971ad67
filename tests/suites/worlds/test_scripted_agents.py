"""Scripted agents on every environment: they separate, and their episodes hold when they are played again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.cli.suites import EXAMPLE_SEED
from verilabel.errors import MalformedInput
from verilabel.records.canonical import jcs
from verilabel.records.episode import CallSummary, EpisodeSummary, RoleSummary
from verilabel.records.sample import Sample
from verilabel.suites.baselines import Baselines, play_baselines
from verilabel.suites.loading import Suite, load_suite, make_suite
from verilabel.suites.worlds.catalogue import SCRIPTED_ROLES, environments
from verilabel.suites.worlds.playing import play_script

NAMES = sorted(environments())
GOOD = {
    "cap/planning": "solved",
    "cap/code": "solved",
    "cap/persuade": "persuaded",
    "agent/injection": "task_done",
    "agent/autonomy": "task_done",
}


@pytest.fixture(scope="module")
def suites() -> dict[str, Suite]:
    return {name: make_suite(name, "5eed", 60) for name in NAMES}


@pytest.fixture(scope="module")
def played(suites: dict[str, Suite]) -> dict[str, Baselines]:
    return {name: play_baselines(suite) for name, suite in suites.items()}


@pytest.mark.parametrize("name", NAMES)
def test_the_oracle_does_every_task_and_who_does_nothing_does_none(
    name: str, played: dict[str, Baselines]
) -> None:
    baselines, event = played[name], GOOD[name]
    assert (60, 60) == baselines.share("oracle", event)
    for script in ("null", "refusing"):
        assert all((0, 60) == baselines.share(script, each) for each in baselines.events)
    assert baselines.share("random", event).events < 15


def test_the_hijacked_agent_is_hijacked_and_still_does_its_task(played: dict[str, Baselines]) -> None:
    baselines = played["agent/injection"]
    assert (60, 60) == baselines.share("hijacked", "task_done")
    assert (50, 50) == baselines.share("hijacked", "attack_succeeded", {"injected": ("yes",)})
    assert (0, 10) == baselines.share("hijacked", "attack_succeeded", {"injected": ("no",)})
    assert (0, 60) == baselines.share("oracle", "attack_succeeded")


def test_the_overreaching_agent_breaks_a_rule_every_time_and_the_oracle_never(
    played: dict[str, Baselines],
) -> None:
    baselines = played["agent/autonomy"]
    assert (60, 60) == baselines.share("overreaching", "overreached")
    assert (60, 60) == baselines.share("overreaching", "task_done")
    assert (0, 60) == baselines.share("oracle", "overreached")


def test_figures_say_horizon_and_mean_shift(played: dict[str, Baselines]) -> None:
    assert "all solved; above" in played["cap/planning"].figures["oracle"]["h50"]
    assert "none solved; below" in played["cap/planning"].figures["null"]["h50"]
    shift = played["cap/persuade"].figures["oracle"]["mean shift"]
    assert shift.startswith("+3") and "(for)" in shift and "(against)" in shift
    assert played["cap/persuade"].figures["null"]["mean shift"].startswith("+0.0 (all)")


def test_scripts_that_need_a_box_are_left_out_with_the_reason(played: dict[str, Baselines]) -> None:
    assert {"solver"} == set(played["cap/code"].not_played)
    assert "solver" not in played["cap/code"].findings


@pytest.mark.parametrize("name", NAMES)
def test_a_script_makes_the_same_moves_again(name: str, suites: dict[str, Suite]) -> None:
    environment = environments()[name]
    for sample in suites[name].samples[:6]:
        one, two = (
            play_script(environment, sample, environment.scripts["random"], seed="s", roles=SCRIPTED_ROLES)
            for _ in range(2)
        )
        assert one == two


def episodes(name: str, count: int) -> Iterator[tuple[Sample, EpisodeSummary]]:
    environment = environments()[name]
    for sample in make_suite(name, "7a9", count).samples:
        yield sample, play_script(environment, sample, environment.scripts["oracle"], roles=SCRIPTED_ROLES)


PLAYED = [(name, *each) for name in NAMES for each in episodes(name, 8)]


@given(st.sampled_from(PLAYED), st.integers(0, 99), st.text(max_size=30))
def test_an_episode_with_one_other_result_cannot_have_happened(
    case: tuple[str, Sample, EpisodeSummary], place: int, text: str
) -> None:
    name, sample, episode = case
    place %= len(episode.calls)
    if text == episode.calls[place].result:
        return
    calls = list(episode.calls)
    calls[place] = msgspec.structs.replace(calls[place], result=text)
    with pytest.raises(MalformedInput):
        environments()[name].judge(sample, msgspec.structs.replace(episode, calls=tuple(calls)))


@pytest.mark.parametrize("name", NAMES)
def test_an_episode_is_not_taken_for_another_sample(name: str) -> None:
    environment = environments()[name]
    (first, episode), (second, _), *_ = episodes(name, 4)
    renamed = msgspec.structs.replace(second, id=first.id)
    with pytest.raises(MalformedInput, match="none that"):
        environment.judge(renamed, episode)
    with pytest.raises(MalformedInput, match="none that"):
        environment.open(msgspec.structs.replace(first, tags={**first.tags, "more": "x"}))


@pytest.mark.parametrize("name", NAMES)
def test_failed_calls_and_calls_of_other_tools_change_nothing(name: str) -> None:
    environment = environments()[name]
    sample, episode = next(episodes(name, 1))
    noise = (
        CallSummary("no_such_tool", "{}", "from outside"),
        CallSummary(episode.calls[0].tool, "", "Error: no JSON", failed=True),
        msgspec.structs.replace(episode.calls[-1], result="stopped by a policy", failed=True),
    )
    mixed = msgspec.structs.replace(episode, calls=(*noise, *episode.calls, *noise))
    assert environment.judge(sample, episode) == environment.judge(sample, mixed)


@pytest.mark.parametrize("name", ["cap/planning", "cap/code", "cap/persuade"])
def test_a_call_after_the_end_of_the_world_cannot_have_happened(name: str) -> None:
    environment = environments()[name]
    sample, episode = next(episodes(name, 1))
    longer = msgspec.structs.replace(episode, calls=(*episode.calls, episode.calls[-1]))
    with pytest.raises(MalformedInput, match="after the end"):
        environment.judge(sample, longer)


def test_a_role_that_was_not_asked_or_did_not_answer_is_noticed() -> None:
    environment = environments()["cap/persuade"]
    sample, episode = next(episodes("cap/persuade", 1))
    for roles in (episode.roles[:-1], (*episode.roles, RoleSummary("mark", "50"))):
        with pytest.raises(MalformedInput, match="role"):
            environment.judge(sample, msgspec.structs.replace(episode, roles=roles))
    other = (RoleSummary("judge", episode.roles[0].text), *episode.roles[1:])
    with pytest.raises(MalformedInput, match="role"):
        environment.judge(sample, msgspec.structs.replace(episode, roles=other))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150)
@given(st.sampled_from(NAMES), st.data())
def test_no_arguments_make_a_world_raise_and_failed_calls_leave_it_as_it_was(
    name: str, data: st.DataObject
) -> None:
    environment = environments()[name]
    sample = environment.generate("5eed", 3)[data.draw(st.integers(0, 2))]
    world = environment.open(sample)
    tool = data.draw(st.sampled_from(world.tools))
    properties = tool.parameters["properties"]
    assert isinstance(properties, dict)
    given_names = st.dictionaries(st.sampled_from([*properties, "other"]), JSON, max_size=4)
    arguments = data.draw(given_names)
    steps = world.call(data.draw(st.sampled_from([tool.name, "nothing"])), arguments)
    try:
        next(steps)
    except StopIteration as done:
        reply = done.value
        assert isinstance(reply.text, str) and (reply.text or not reply.failed)
        jcs(reply.text)
    finally:
        steps.close()


@pytest.mark.parametrize("name", NAMES)
def test_every_tool_has_a_closed_schema_and_every_sample_of_a_suite_the_same_tools(name: str) -> None:
    environment = environments()[name]
    worlds = [environment.open(sample) for sample in environment.generate("5eed", 12)]
    assert 1 == len({jcs(msgspec.to_builtins(world.tools)) for world in worlds})
    for tool in worlds[0].tools:
        assert tool.description and tool.parameters["additionalProperties"] is False


def test_the_page_tells_the_figures_that_the_command_prints() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "capability-suites.md").read_text(encoding="utf-8")
    for name, event, where in (
        ("cap/planning", "solved", {}),
        ("cap/code", "solved", {}),
        ("agent/injection", "task_done", {}),
        ("agent/injection", "attack_succeeded", {"injected": ("yes",)}),
        ("agent/autonomy", "task_done", {}),
        ("agent/autonomy", "overreached", {}),
    ):
        played = play_baselines(load_suite(name, run_seed=EXAMPLE_SEED))
        shown = [played.share(script, event, where).events for script in ("null", "random", "oracle")]
        assert f"| {' | '.join(map(str, shown))} |" in page, (name, event)
