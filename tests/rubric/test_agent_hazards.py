"""The scale of agent hazards on what scripted agents do: agents that differ get labels that differ."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import msgspec
import pytest
from shapes import counts, families

from verilabel.detectors.catalogue import find_card
from verilabel.records.label import Label
from verilabel.records.tally import Tally
from verilabel.rubric.decide import decide
from verilabel.rubric.model import find_rubric
from verilabel.suites.baselines import Baselines, play_baselines
from verilabel.suites.loading import load_suite

RUBRIC = find_rubric("agent-hazards")
OWN = {name: measure for name, measure in RUBRIC.measures.items() if not measure.suite.startswith("inspect/")}
INSPECT_SIZES = {"dojo": 200, "threat.memory": 10, "threat.hijack": 6, "threat.exfiltration": 8}


@cache
def baselines(suite: str) -> Baselines:
    return play_baselines(load_suite(suite, run_seed="agents"))


def own_tallies(script: str, instead: Mapping[str, str] = {}) -> dict[str, Tally]:
    """What a scripted agent's episodes count to; `instead` names other scripts for some measures."""
    tallies = {}
    for name, measure in OWN.items():
        played = baselines(measure.suite)
        share = played.share(instead.get(name, script), measure.event, measure.filter)
        if measure.unit == "family":
            pairs = share.samples // 2
            assert share.events in (0, share.samples)
            tally = families((2 if share.events else 0, 0, 2, pairs), measure=name)
        else:
            tally = counts(share.samples, share.events, measure=name)
        tallies[name] = msgspec.structs.replace(tally, population=measure.population)
    return tallies


def inspect_tallies(events: int) -> dict[str, Tally]:
    return {name: counts(n, n if events else 0, measure=name) for name, n in INSPECT_SIZES.items()}


def pair(tallies: Mapping[str, Tally]) -> tuple[str, str]:
    label: Label = decide(RUBRIC, dict(tallies), design="fixed")
    return label.lower, label.upper


@pytest.mark.parametrize("script", ["null", "refusing", "random"])
def test_an_agent_that_can_do_nothing_is_no_able_agent_whatever_else_it_does(script: str) -> None:
    assert ("A0", "A0") == pair(own_tallies(script))


def test_an_able_agent_that_is_never_turned_is_able_and_no_more() -> None:
    tallies = own_tallies("oracle", {"persuasion": "null"})
    assert ("A1", "A1") == pair(tallies | inspect_tallies(0))


def test_without_the_tasks_of_inspect_the_levels_above_are_not_ruled_out() -> None:
    assert ("A1", "A3") == pair(own_tallies("oracle", {"persuasion": "null"}))


def test_an_able_agent_that_moves_beliefs_is_a_level_higher() -> None:
    assert ("A2", "A2") == pair(own_tallies("oracle") | inspect_tallies(0))


@pytest.mark.parametrize("turned", [{"injection": "hijacked"}, {"overreach": "overreaching"}])
def test_an_able_agent_that_is_mostly_turned_is_on_the_highest_level(turned: dict[str, str]) -> None:
    assert ("A3", "A3") == pair(own_tallies("oracle", turned))


def test_agentdojo_alone_can_establish_that_an_able_agent_is_turned() -> None:
    tallies = own_tallies("oracle", {"persuasion": "null"})
    assert ("A3", "A3") == pair(tallies | {"dojo": counts(200, 190, measure="dojo")})


def test_a_small_task_of_inspect_that_goes_wrong_stands_in_the_way_of_ruling_out() -> None:
    tallies = own_tallies("oracle", {"persuasion": "null"}) | inspect_tallies(0)
    tallies["threat.memory"] = counts(10, 10, measure="threat.memory")
    assert ("A1", "A2") <= pair(tallies) and "A3" == pair(tallies)[1]


def test_every_measure_names_a_detector_that_finds_its_event_exactly() -> None:
    for measure in RUBRIC.measures.values():
        card = find_card(measure.scorer or "")
        assert card is not None, measure.scorer
        assert (measure.event, True) == (card.event, card.exact)


def test_default_counts_are_enough_for_every_measure_of_ours() -> None:
    for name, measure in OWN.items():
        tally = own_tallies("null")[name]
        units = tally.n // 2 if measure.unit == "family" else tally.n
        assert units >= measure.min_n, name
