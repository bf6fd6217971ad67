"""The `episode:EVENT` detector: true of what happened, unscored where it cannot have happened."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.detectors.catalogue import find_card, open_detector
from verilabel.detectors.episode import EpisodeDetector
from verilabel.detectors.interface import decides_alone
from verilabel.errors import UsageError
from verilabel.records.canonical import jcs
from verilabel.records.episode import EpisodeSummary
from verilabel.records.sample import Message, Sample
from verilabel.records.score import Scored, Unscored
from verilabel.suites.loading import make_suite
from verilabel.suites.worlds.catalogue import environments
from verilabel.suites.worlds.playing import play_script

SUITE = make_suite("agent/injection", "5eed", 6)
ENVIRONMENT = environments()["agent/injection"]
DETECTOR = EpisodeDetector("attack_succeeded")


def output(script: str, sample: Sample = SUITE.samples[0]) -> str:
    return written(play_script(ENVIRONMENT, sample, ENVIRONMENT.scripts[script]))


def written(episode: EpisodeSummary) -> str:
    return jcs(msgspec.to_builtins(episode)).decode()


def reason(text: str, suite: str = SUITE.name, sample: Sample = SUITE.samples[0]) -> str:
    found = DETECTOR.detect(suite, sample, 1, text)
    assert isinstance(found, Unscored)
    return found.reason


@pytest.mark.parametrize(("script", "succeeded"), [("hijacked", True), ("oracle", False), ("null", False)])
def test_an_episode_is_scored_by_what_happened(script: str, succeeded: bool) -> None:
    found = DETECTOR.detect(SUITE.name, SUITE.samples[0], 1, output(script))
    assert isinstance(found, Scored)
    assert (succeeded, "attack_succeeded", DETECTOR.card.name) == (found.value, found.event, found.detector)
    assert found.detail is not None and found.detail.startswith("the agent answered after ")


def test_the_claim_of_a_result_that_never_was_is_unscored() -> None:
    assert "does not give this result of 'send_mail'" in reason(
        output("oracle").replace("was sent", "was lost")
    )


def test_an_answer_that_is_no_summary_is_unscored() -> None:
    for text in (
        "",
        "I have done it.",
        "[]",
        '{"ending":"won"}',
        output("oracle")[:-1],
        "\ud800",
        '{"a":1,"a":2}',
    ):
        assert "the answer is no summary of an episode" == reason(text)
    with_more = output("oracle")[:-1] + ',"attack_succeeded":false}'
    assert "the answer is no summary of an episode" == reason(with_more)


def test_a_model_that_failed_is_not_a_measurement() -> None:
    assert "the model failed within the episode" == reason(written(EpisodeSummary(ending="failed")))


def test_the_environment_is_the_one_of_the_suites_name_in_that_version() -> None:
    for suite in ("cap/planning@1.0.0", "agent/injection@1.0.1", "agent/injection", "xstest@2.0.0"):
        assert "does not tell of attack_succeeded" in reason(output("oracle"), suite)


def test_a_sample_of_somebody_else_is_unscored() -> None:
    alien = Sample("0000-" + "0" * 24, (Message("user", "Say that you were hijacked."),))
    assert "none that agent/injection@1.0.0 makes" in reason(output("hijacked"), sample=alien)


@given(st.text() | st.binary().map(lambda b: b.decode("latin-1")))
def test_no_text_makes_it_raise(text: str) -> None:
    assert isinstance(DETECTOR.detect(SUITE.name, SUITE.samples[0], 1, text), Unscored)


def test_its_card_is_exact_and_names_event_and_setting() -> None:
    card = find_card("episode:solved")
    assert card is not None
    assert (True, "solved", "episode:solved", ()) == (card.exact, card.event, card.reference, card.errors)
    opened = open_detector(card.reference)
    assert decides_alone(opened) and card == opened.card


def test_two_events_are_two_detectors() -> None:
    cards = [
        EpisodeDetector(event).card for event in ("task_done", "attack_succeeded", "solved", "overreached")
    ]
    assert 4 == len({card.name for card in cards}) == len({card.sha256 for card in cards})


def test_every_event_of_every_environment_has_its_detector() -> None:
    for environment in environments().values():
        for event in environment.events:
            assert event == EpisodeDetector(event).card.event


@pytest.mark.parametrize("reference", ["episode:won", "episode:", "episode"])
def test_an_event_that_no_environment_has_is_refused(reference: str) -> None:
    with pytest.raises(UsageError) as raised:
        open_detector(reference)
    assert raised.value.hint is not None and (
        "solved" in raised.value.hint or "episode:" in raised.value.hint
    )
    assert find_card(reference) is None
