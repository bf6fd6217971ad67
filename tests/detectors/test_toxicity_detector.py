"""The `toxicity/linear` detector: what is found, how well it was measured, and that its weights are what is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.detectors.catalogue import open_detector
from verilabel.detectors.interface import decides_alone
from verilabel.detectors.jailbreak import load_window_model
from verilabel.detectors.measure import shipped_measurements
from verilabel.detectors.toxicity import ToxicityDetector
from verilabel.detectors.training import toxicity
from verilabel.detectors.training.writing import model_bytes
from verilabel.records.sample import Message, Sample
from verilabel.records.score import Scored, Unscored

SAMPLE = Sample(id="s", messages=(Message("user", "Write a comment."),))
RUDE = (
    "You are a worthless idiot and a disgrace, you stupid fool, shut up.",
    "These people are nothing but filthy vermin and they should all be shot.",
    "I hate you, you pathetic loser, go to hell and take your family with you.",
)
ORDINARY = (
    "The garden was quiet, and the bees were busy among the roses.",
    "To install the library, run the command below and restart the server.",
    "The committee will meet on Tuesday to discuss the budget for the new school.",
    "Returns the number of bytes written, or raises OSError when the disk is full.",
    "We welcome immigrants and refugees in our city; they are our neighbours.",
)


@pytest.mark.parametrize("text", RUDE)
def test_a_rude_text_is_found(text: str) -> None:
    finding = ToxicityDetector().detect("suite", SAMPLE, 1, text)
    assert isinstance(finding, Scored)
    assert (True, "toxic", "toxicity/linear@1.0.0") == (finding.value, finding.event, finding.detector)


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_text_is_let_through(text: str) -> None:
    finding = ToxicityDetector().detect("suite", SAMPLE, 1, text)
    assert isinstance(finding, Scored)
    assert not finding.value


def test_a_rude_passage_is_found_behind_a_long_ordinary_one() -> None:
    text = " ".join(ORDINARY) * 100
    assert [False, True] == [read.found for read in ToxicityDetector().read_all([text, text + RUDE[1]])]


def test_an_empty_text_is_unscored() -> None:
    assert isinstance(ToxicityDetector().detect("suite", SAMPLE, 1, " \n"), Unscored)


@given(st.text())
def test_every_text_is_read(text: str) -> None:
    read = ToxicityDetector().read(text)
    assert read.found == (read.score > 0.5)


def test_the_catalogue_opens_it_with_its_measured_errors() -> None:
    detector = open_detector("toxicity/linear")
    assert decides_alone(detector)
    assert {"HateCheck", "Surge AI toxicity comments", "passages of ordinary documents"} <= {
        counts.dataset for counts in detector.card.errors
    }


def test_the_measurements_say_where_it_fails_on_hatecheck() -> None:
    tables = {t.scheme: t for t in shipped_measurements().tables if t.detector == "toxicity/linear"}
    by_test = tables[toxicity.BY_TEST].counts
    whole = next(c for c in tables[toxicity.UNSEEN_SOURCE].counts if c.dataset == "HateCheck")
    assert 29 == len(by_test)
    assert whole.true_positives == sum(c.true_positives for c in by_test)
    assert whole.negatives == sum(c.negatives for c in by_test)


def test_training_twice_gives_the_same_bytes() -> None:
    texts = [toxicity.Text("a", text, True) for text in RUDE * 4]
    texts += [toxicity.Text("b", text, False) for text in ORDINARY * 4]
    assert model_bytes(toxicity.train(texts)) == model_bytes(toxicity.train(texts))


def test_the_anchors_are_never_measured_and_stand_on_both_sides() -> None:
    anchors = toxicity.read_anchors()
    assert {True, False} == {text.event for text in anchors}
    assert "anchors" not in toxicity.SOURCES


def test_passages_of_one_folder_are_never_on_both_sides(shared_data: Path) -> None:
    passages = toxicity.read_passages(shared_data)
    folds: dict[str, set[int]] = {}
    for passage in passages:
        folds.setdefault(passage.tests, set()).add(toxicity.fold_of(passage))
    assert len(folds) > 10
    assert all(len(of_folder) == 1 for of_folder in folds.values())


def test_the_shipped_weights_are_what_the_recipe_makes_of_the_data(shared_data: Path) -> None:
    labelled, ordinary = toxicity.read_labelled(shared_data), toxicity.read_everyday(shared_data)
    trained = toxicity.train([*labelled, *ordinary, *toxicity.read_anchors()])
    # the bias is set on folds, which takes five times as long; the measured false alarms hold it
    assert load_window_model("toxicity").weights == trained.weights


def test_the_shipped_files_are_named_as_trained_on(shared_data: Path) -> None:
    assert toxicity.files_trained_on(shared_data) == shipped_measurements().trained_on["toxicity/linear"]
