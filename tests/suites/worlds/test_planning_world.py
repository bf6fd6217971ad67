"""Mazes of keys and doors: shortest plans are shortest, lengths are even, and walking obeys the map."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.records.episode import CallSummary, EpisodeSummary
from verilabel.records.sample import Sample
from verilabel.statistics.horizon import fit_horizon
from verilabel.suites.worlds.catalogue import environments
from verilabel.suites.worlds.interface import Script
from verilabel.suites.worlds.planning import (
    ACTIONS,
    LENGTHS,
    MAX_ACTIONS,
    OPPOSITE,
    Maze,
    Planning,
    describe_horizon,
)
from verilabel.suites.worlds.playing import call_of, play_script

PLANNING = environments()["cap/planning"]
SAMPLES = PLANNING.generate("5eed", 2 * len(LENGTHS))
MAZES: list[Maze] = [PLANNING.layout_of(sample) for sample in SAMPLES]


def fewest_actions(maze: Maze) -> int:
    """Layer by layer over (room, keys), written without the generator's search."""
    layer, seen, steps = {(maze.start, 0)}, {(maze.start, 0)}, 0
    while not any(room == maze.goal for room, _ in layer):
        layer = {after for state in layer for a in ACTIONS if (after := maze.step(state, a))} - seen
        seen |= layer
        steps += 1
    return steps


def test_lengths_are_spread_evenly_and_stand_in_the_tags() -> None:
    assert dict.fromkeys(map(str, LENGTHS), 2) == Counter(sample.tags["length"] for sample in SAMPLES)
    assert [len(maze.plan) for maze in MAZES] == [int(sample.tags["length"]) for sample in SAMPLES]


def test_no_plan_is_shorter_than_the_one_that_is_called_shortest() -> None:
    assert [len(maze.plan) for maze in MAZES] == [fewest_actions(maze) for maze in MAZES]


def test_every_plan_needs_a_key() -> None:
    for maze in MAZES:
        assert "take" in maze.plan
        locked = Maze(maze.passages, maze.doors, {}, maze.names, maze.start, maze.goal, maze.plan)
        reached, waiting = {maze.start}, [maze.start]
        while waiting:
            room = waiting.pop()
            for action in ACTIONS:
                after = locked.step((room, 0), action)
                if after and after[0] not in reached:
                    reached.add(after[0])
                    waiting.append(after[0])
        direct = maze.goal in reached
        # where the goal can be reached without a key, the way with it is shorter
        assert not direct or len(maze.plan) < fewest_actions(locked)


def test_passages_and_doors_are_the_same_from_both_sides() -> None:
    for maze in MAZES:
        for room, passages in enumerate(maze.passages):
            for direction, target in passages.items():
                assert room == maze.passages[target][OPPOSITE[direction]]
                door = maze.doors.get((room, direction))
                assert door == maze.doors.get((target, OPPOSITE[direction]))


def test_the_whole_map_stands_in_the_task() -> None:
    for sample, maze in zip(SAMPLES, MAZES, strict=True):
        for name in maze.names:
            assert f"\n{name}: " in sample.prompt
        assert sample.prompt.count(" door") == len(maze.doors) + 1
        assert sample.prompt.count("key lies here") == len(maze.keys)


def walk(sample: Sample, *calls: CallSummary) -> EpisodeSummary:
    moves: Script = lambda _sample, _seed, made: calls[len(made)] if len(made) < len(calls) else "Done."  # noqa: E731
    return play_script(PLANNING, sample, moves)


def plan_with(sample: Sample, before: list[str]) -> EpisodeSummary:
    actions = [*before, *PLANNING.layout_of(sample).plan]
    parts = [actions[i : i + MAX_ACTIONS] for i in range(0, len(actions), MAX_ACTIONS)]
    return walk(sample, *(call_of("act", actions=" ".join(part)) for part in parts))


def test_the_goal_within_three_times_the_shortest_plan_is_solved_and_beyond_it_not() -> None:
    for sample, maze in list(zip(SAMPLES, MAZES, strict=True))[:12]:
        (there,) = maze.actions_from((maze.start, 0))[:1]
        if there == "take":
            continue
        detour = [there, OPPOSITE[there]] if maze.step((maze.start, 0), there) else []
        spare = maze.budget - len(maze.plan)
        within = plan_with(sample, detour * (spare // 2))
        beyond = plan_with(sample, detour * (spare // 2 + 1))
        assert {"solved": True, "solved_optimally": False} == PLANNING.judge(sample, within)
        assert {"solved": False, "solved_optimally": False} == PLANNING.judge(sample, beyond)


def test_an_impossible_action_counts_and_ends_the_call() -> None:
    sample, maze = SAMPLES[0], MAZES[0]
    (wall,) = [a for a in ACTIONS if maze.step((maze.start, 0), a) is None][:1]
    episode = walk(sample, call_of("act", actions=f"{wall} {wall} {wall}"), call_of("look"))
    assert f"'{wall}' is not possible here" in episode.calls[0].result
    assert f"Actions left: {maze.budget - 1}." in episode.calls[1].result


@pytest.mark.parametrize("actions", ["", "up", "north;south", " ".join(["take"] * (MAX_ACTIONS + 1))])
def test_actions_that_are_none_fail_and_cost_nothing(actions: str) -> None:
    episode = walk(SAMPLES[0], call_of("act", actions=actions), call_of("look"))
    assert [True, False] == [call.failed for call in episode.calls]
    assert f"Actions left: {MAZES[0].budget}." in episode.calls[1].result


@settings(max_examples=40)
@given(st.sampled_from(range(len(SAMPLES))), st.lists(st.sampled_from(ACTIONS), max_size=60))
def test_any_walk_is_judged_as_the_map_says(place: int, actions: list[str]) -> None:
    sample, maze = SAMPLES[place], MAZES[place]
    episode = walk(sample, *(call_of("act", actions=action) for action in actions[:29]))
    state, used, reached = (maze.start, 0), 0, False
    for number, action in enumerate(actions[:29], 1):
        if reached or used >= maze.budget:
            break
        used = number
        state = maze.step(state, action) or state
        reached = state[0] == maze.goal
    assert reached == PLANNING.judge(sample, episode)["solved"]


def test_a_horizon_is_told_with_its_bounds_and_never_more_than_was_seen() -> None:
    solved = [(length, True) for length in LENGTHS]
    assert describe_horizon(fit_horizon(solved)).startswith("all solved; above ")
    mixed = [(length, length < 20 or length % 3 == 0) for length in LENGTHS]
    assert " actions; above " in describe_horizon(fit_horizon(mixed))
    flat = [(length, length % 2 == 0) for length in LENGTHS]
    assert describe_horizon(fit_horizon(flat)).endswith("not bounded (95 %)")


def test_longer_plans_make_larger_maps() -> None:
    sizes = {len(maze.plan): len(maze.passages) for maze in MAZES}
    assert all(small <= large for small, large in pairwise(sizes[length] for length in sorted(sizes)))
    assert isinstance(PLANNING, Planning)
