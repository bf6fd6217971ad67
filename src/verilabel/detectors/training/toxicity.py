"""Train the `toxicity/linear` weights: `python -m verilabel.detectors.training.toxicity --data DIR --out FILE`.

`measurements` measures them: each source judged by weights that were trained without it, and false alarms.
"""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from verilabel.detectors.jailbreak import FEATURES_VERSION, WindowModel, windows
from verilabel.detectors.measure import Measurement
from verilabel.detectors.normal_form import split_normal
from verilabel.detectors.training.answers import digest_of_files, read_lines, read_table
from verilabel.detectors.training.jailbreak import read_ordinary
from verilabel.detectors.training.windows import fit_windows
from verilabel.detectors.training.writing import run_recipe
from verilabel.records.canonical import parse_json, sha256_hex
from verilabel.records.score import ErrorCounts

WINDOW = 60
STRENGTH = 0.1
"""Inverse of the L2 penalty (C of scikit-learn)."""
MIN_TEXTS = 4
"""A feature counts if this many training texts have it: nothing of a few texts is shipped."""
MIN_WEIGHT = 10
"""Thousandths of a nat; smaller weights are left out."""
MAX_WINDOWS = 20
PASSAGE_CHARACTERS = 3_000
PASSAGES_OF_FILE = 12
PASSAGE_FOLDERS = (
    "air_bench",
    "bbh",
    "croissant",
    "cyclonedx",
    "evalica",
    "every_eval_ever",
    "factscore",
    "fmti",
    "garak/tests",
    "gsm8k",
    "hf_cards",
    "inspect_logs",
    "intercode_ctf",
    "licence_texts",
    "model_cards",
    "moonshot/recipes",
    "pandalm",
    "presidio_research",
    "promptfoo",
    "pythia_evals",
    "refchecker",
    "spdx",
    "tau_bench",
    "taxonomy",
    "truthfulqa",
)
PASSAGE_ENDINGS = (".json", ".jsonl", ".md", ".txt", ".yaml")
"""Documentation, licences, cards, schemas, biographies, answers of models: what documents of a corpus look like."""
FALSE_ALARMS_OF_1000 = 10
FOLDS = 4
ANCHORS_OF_PATTERN = 300
TOTAL_OF_GROUP = 1_000
"""The texts of a source with one label weigh this much together, however many they are."""
WEIGHT_OF_ORDINARY = 3
EVERYDAY = ("ordinary", "passages")
_MULTIPLIER = 2_654_435_761


class Text(NamedTuple):
    """A text, where it is from, whether people call it toxic; of a test what it tests, of a passage its folder."""

    source: str
    text: str
    event: bool
    tests: str = ""


SOURCES = {
    "surge": ("Surge AI toxicity comments", "surge_toxicity/toxicity_en.csv"),
    "hatecheck": ("HateCheck", "hatecheck/test_suite_cases.csv"),
    "moderation": ("OpenAI moderation set, hate and harassment", "moderation/samples_even.jsonl"),
}
IN_VIEW = "anchors written with the cases in view"
UNSEEN_SOURCE = f"source left out of the training; bias set for 1 % false alarms on ordinary texts; {IN_VIEW}"
BY_TEST = f"HateCheck by functional test, left out of the training; {IN_VIEW}"


def read_labelled(data: Path) -> Iterator[Text]:
    """The labelled texts of every source, each text once.

    Of the moderation set what is hate or harassment is the event; what is known to be neither is not; the rest,
    which nobody looked at for them, is left out.
    """
    seen: set[str] = set()
    for text in _read_sources(data):
        if text.text not in seen:
            seen.add(text.text)
            yield text


def _read_sources(data: Path) -> Iterator[Text]:
    for row in read_table(data / SOURCES["surge"][1]):
        yield Text("surge", row["text"], row["is_toxic"] == "Toxic")
    for row in read_table(data / SOURCES["hatecheck"][1]):
        yield Text("hatecheck", row["test_case"], row["label_gold"] == "hateful", row["functionality"])
    for post in read_lines(data / SOURCES["moderation"][1]):
        event = any(post.get(name) == 1 for name in ("H", "HR", "H2"))
        if event or (post.get("H") == 0 and post.get("HR") == 0):
            yield Text("moderation", post["prompt"], event)


def read_everyday(data: Path) -> list[Text]:
    """Ordinary texts: prompts of every kind, emails, passages of documents. None of them is a comment."""
    short = [Text("ordinary", t.text, False) for t in read_ordinary(data) if t.source != "moderation"]
    return [*short, *read_passages(data)]


def read_passages(data: Path) -> list[Text]:
    """Passages of documents, a few of each file, spread over it."""
    found: dict[str, str] = {}
    for folder in PASSAGE_FOLDERS:
        for path in sorted((data / folder).rglob("*")):
            if path.suffix in PASSAGE_ENDINGS and path.is_file():
                text = path.read_text("utf-8", "replace")
                most = max(1, min(PASSAGES_OF_FILE, len(text) // PASSAGE_CHARACTERS))
                for index in range(most):
                    start = index * len(text) // most
                    found.setdefault(text[start : start + PASSAGE_CHARACTERS], folder)
    return [Text("passages", text, False, folder) for text, folder in found.items() if text.strip()]


@cache
def read_anchors() -> tuple[Text, ...]:
    """Our own patterns written out in a fixed scatter; in every training set and never measured."""
    raw = resources.files("verilabel.detectors.training").joinpath("toxicity_anchors.json").read_bytes()
    document: Any = parse_json(raw, where="toxicity_anchors.json")
    return tuple(
        Text("anchors", text, event)
        for name, event in (("toxic", True), ("not_toxic", False))
        for parts in document[name]
        for text in _write_out(parts)
    )


def _write_out(parts: Sequence[Sequence[str]]) -> Iterator[str]:
    for index in range(ANCHORS_OF_PATTERN):
        rest = index * _MULTIPLIER
        words = []
        for choices in parts:
            rest, chosen = divmod(rest, len(choices))
            words.append(codecs.encode(choices[chosen], "rot13"))
        yield " ".join(word for word in words if word)


@cache
def features_of(text: str) -> tuple[frozenset[str], ...]:
    """The features of a text's windows, the first twenty."""
    found = windows(split_normal(text), WINDOW)
    return tuple(frozenset(seen) for _, seen in zip(range(MAX_WINDOWS), found, strict=False))


def train(texts: Sequence[Text]) -> WindowModel:
    """Logistic regression (liblinear, L2) over the windows of texts; bias not yet set.

    Each source weighs as much as any other on each side, ordinary texts more; a text's windows share its weight by
    the inverse root of their number. Raises UsageError without scikit-learn.
    """
    spread: Counter[str] = Counter()
    for text in texts:
        spread.update(set().union(*features_of(text.text)))
    of_group = Counter((text.source, text.event) for text in texts)
    rows, events, weights = [], [], []
    for text in texts:
        share = TOTAL_OF_GROUP / of_group[text.source, text.event]
        seen = features_of(text.text)
        for features in seen:
            rows.append({name: 1 for name in sorted(features) if spread[name] >= MIN_TEXTS})
            events.append(text.event)
            weights.append(share * len(seen) ** -0.5 * (WEIGHT_OF_ORDINARY if text.source in EVERYDAY else 1))
    fitted = fit_windows(rows, events, weights, strength=STRENGTH, tolerance=1e-4, min_weight=MIN_WEIGHT)
    return WindowModel(
        id="toxicity/linear",
        version="1.0.0",
        event="toxic",
        features=FEATURES_VERSION,
        window=WINDOW,
        bias=fitted.bias,
        weights=fitted.weights,
    )


def margin_of(model: WindowModel, text: str) -> int:
    """The margin of a text as it was trained on: its first twenty windows."""
    weigh = model.weights.get
    return model.bias + max(sum(weigh(name, 0) for name in seen) for seen in features_of(text))


def calibrate(model: WindowModel, ordinary: Sequence[Text]) -> WindowModel:
    """The model with the bias at which it flags one in a hundred of ordinary texts it was not trained on.

    Short texts and passages of documents are counted apart, and the stricter of the two decides.
    """
    cuts = []
    for source in EVERYDAY:
        margins = sorted((margin_of(model, t.text) for t in ordinary if t.source == source), reverse=True)
        cuts += margins[len(margins) * FALSE_ALARMS_OF_1000 // 1000 :][:1]
    return msgspec.structs.replace(model, bias=model.bias - max(cuts))


def fold_of(text: Text) -> int:
    """The fold of a text, by its digest; passages of one folder are in one fold, as they resemble each other."""
    key = text.tests if text.source == "passages" else text.text
    return int(sha256_hex(key.encode("utf-8", "replace"))[:8], 16) % FOLDS


def fit(labelled: Sequence[Text], ordinary: Sequence[Text], fold: int) -> WindowModel:
    """Weights of labelled and ordinary texts; the bias is set on a fold of ordinary texts that is not trained on."""
    model = train([*labelled, *(t for t in ordinary if fold_of(t) != fold), *read_anchors()])
    return calibrate(model, [t for t in ordinary if fold_of(t) == fold])


def fit_shipped(data: Path) -> WindowModel:
    """The weights of all texts; the bias is the mean of those set for each fold on texts the fold did not train on."""
    labelled, ordinary = list(read_labelled(data)), read_everyday(data)
    model = train([*labelled, *ordinary, *read_anchors()])
    cuts = [fit(labelled, ordinary, fold).bias for fold in range(FOLDS)]
    return msgspec.structs.replace(model, bias=sum(cuts) // FOLDS)


def measure_toxicity(data: Path) -> list[Measurement]:
    """The tables of `toxicity/linear`, the card's first: each source judged by weights that know nothing of it."""
    labelled, ordinary = list(read_labelled(data)), read_everyday(data)
    counts, by_test = [], []
    for source, (title, name) in SOURCES.items():
        model = fit([t for t in labelled if t.source != source], ordinary, 0)
        mine = [t for t in labelled if t.source == source]
        sha256 = digest_of_files(data / name)
        counts.append(_count(model, mine, title, sha256, UNSEEN_SOURCE))
        for test in sorted({t.tests for t in mine} - {""}):
            cases = [t for t in mine if t.tests == test]
            by_test.append(_count(model, cases, f"HateCheck {test}", sha256, BY_TEST))
    counts += _count_false_alarms(labelled, ordinary)
    return [
        Measurement("toxicity/linear", UNSEEN_SOURCE, tuple(counts)),
        Measurement("toxicity/linear", BY_TEST, tuple(by_test)),
    ]


def _count_false_alarms(labelled: Sequence[Text], ordinary: Sequence[Text]) -> list[ErrorCounts]:
    """Ordinary texts that neither weights nor bias have seen, over all folds."""
    cleared: Counter[str] = Counter()
    for fold in range(FOLDS):
        rest = [t for t in ordinary if fold_of(t) != fold]
        model = fit(labelled, rest, (fold + 1) % FOLDS)
        cleared.update(t.source for t in ordinary if fold_of(t) == fold and margin_of(model, t.text) <= 0)
    titles = {"ordinary": "ordinary prompts and emails", "passages": "passages of ordinary documents"}
    counts = []
    for source, title in titles.items():
        mine = [t for t in ordinary if t.source == source]
        digests = "\n".join(sorted(sha256_hex(t.text.encode("utf-8", "replace")) for t in mine))
        sha256 = f"sha256:{sha256_hex(digests.encode())}"
        counts.append(ErrorCounts(0, 0, cleared[source], len(mine), title, sha256, method=UNSEEN_SOURCE))
    return counts


def _count(model: WindowModel, texts: Sequence[Text], dataset: str, sha256: str, method: str) -> ErrorCounts:
    flagged = [margin_of(model, text.text) > 0 for text in texts]
    positives = [flag for flag, text in zip(flagged, texts, strict=True) if text.event]
    negatives = [not flag for flag, text in zip(flagged, texts, strict=True) if not text.event]
    return ErrorCounts(
        true_positives=sum(positives),
        positives=len(positives),
        true_negatives=sum(negatives),
        negatives=len(negatives),
        dataset=dataset,
        dataset_sha256=sha256,
        method=method,
    )


def files_trained_on(data: Path) -> tuple[str, ...]:
    """Digests of the labelled files behind the weights."""
    return tuple(sorted(digest_of_files(data / name) for _, name in SOURCES.values()))


if __name__ == "__main__":
    run_recipe(__doc__, fit_shipped)
