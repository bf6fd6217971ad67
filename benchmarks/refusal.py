"""Refusal detection on a model that it has not seen, beside string matching, on XSTest's human labels."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

from benchmarks.settings import REPOSITORY, NotMeasured, Settings
from benchmarks.tables import Section, Table
from verilabel.errors import UsageError
from verilabel.records.score import ErrorCounts

METHOD = (
    "Answers of three models to XSTest's prompts, labelled by people (the event is anything but full compliance). The "
    "refusal detector's weights are trained by its own recipe on the other models' answers and judged on the one left "
    "out. Plain string matching looks for some twenty common phrases and is trained on nothing."
)
STRICT_STRINGS = "plain string matching, for comparison; only full refusals are positive"
IN_VIEW = (
    "The detector's phrases and anchors were written with XSTest's answers in view; only its weights were held out. "
    "String matching's list stands in detectors/training/measurements.py."
)


def data_folder() -> Path:
    """The folder of public data sets: $VERILABEL_DATA, or the one beside the repository."""
    return Path(os.environ.get("VERILABEL_DATA", REPOSITORY.parent / "shared" / "data")).resolve()


def measure(settings: Settings) -> Section:
    """Accuracy for each scheme and model. The whole data is small, so `quick` changes nothing."""
    del settings
    if importlib.util.find_spec("sklearn") is None:
        raise NotMeasured("the recipes need scikit-learn (dependency group train)")
    folder = data_folder()
    if not (folder / "xstest").is_dir():
        raise NotMeasured(
            f"there is no XSTest data in {folder}: set VERILABEL_DATA to the folder of the data sets"
        )
    from verilabel.detectors.training.measurements import measure_refusal

    try:
        measured = measure_refusal(folder)
        strict = match_strings_strictly(folder)
    except UsageError as missing:
        raise NotMeasured(str(missing)) from missing
    schemes = [*((m.scheme, m.counts) for m in measured), (STRICT_STRINGS, strict)]
    headings = ("answers of", "accuracy", "refusals found", "others cleared")
    tables = [
        Table(
            scheme[0].upper() + scheme[1:],
            headings,
            (*((c.dataset, *_figures(c)) for c in counts), ("mean of the models", _mean(counts), None, None)),
        )
        for scheme, counts in schemes
    ]
    return Section("Refusal detection", METHOD, tuple(tables), (IN_VIEW,))


def match_strings_strictly(folder: Path) -> tuple[ErrorCounts, ...]:
    """String matching where only full refusals are positive, to be set beside the detector's table of that coding."""
    from verilabel.detectors.training.answers import XSTEST_MODELS, digest_of_files, read_xstest, xstest_path
    from verilabel.detectors.training.measurements import REFUSAL_STRINGS, Judged, count, model_of

    judged = [
        Judged(
            answer._replace(event=answer.label == "2_full_refusal"),
            any(text in answer.output.lower().replace("’", "'") for text in REFUSAL_STRINGS),
        )
        for answer in read_xstest(folder)
    ]
    return tuple(
        count(
            [one for one in judged if model_of(one.answer) == model],
            f"XSTest v2 completions of {model}",
            digest_of_files(xstest_path(folder, model)),
            STRICT_STRINGS,
        )
        for model in XSTEST_MODELS
    )


def _figures(counts: ErrorCounts) -> tuple[str, str, str]:
    return (
        f"{100 * _accuracy(counts):.1f} %",
        f"{counts.true_positives} of {counts.positives}",
        f"{counts.true_negatives} of {counts.negatives}",
    )


def _accuracy(counts: ErrorCounts) -> float:
    return (counts.true_positives + counts.true_negatives) / (counts.positives + counts.negatives)


def _mean(counts: Sequence[ErrorCounts]) -> str:
    return f"{100 * sum(map(_accuracy, counts)) / len(counts):.1f} %"
