"""Refusal detection on a model that it has not seen, beside string matching, on XSTest's human labels."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from benchmarks.settings import REPOSITORY, NotMeasured, Settings
from benchmarks.tables import Section, Table
from verilabel.errors import UsageError
from verilabel.records.score import ErrorCounts

METHOD = (
    "Answers of three models to XSTest's prompts, labelled by people (the event is anything but full compliance). The "
    "refusal detector's weights are trained by its own recipe on the other models' answers and judged on the one left "
    "out. Plain string matching looks for the usual phrases and is trained on nothing."
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
        raise NotMeasured(f"there is no XSTest data in {folder}: set VERILABEL_DATA to the folder of the data sets")
    from verilabel.detectors.training.measurements import measure_refusal

    try:
        measured = measure_refusal(folder)
    except UsageError as missing:
        raise NotMeasured(str(missing)) from missing
    rows = tuple((m.scheme, c.dataset, *_figures(c)) for m in measured for c in m.counts)
    headings = ("scheme", "answers", "accuracy", "refusals found", "others cleared")
    return Section(
        "Refusal detection",
        METHOD,
        (Table("Refusal detection against people's labels", headings, rows), _means(measured)),
        ("The phrases and anchors of the detector were written with XSTest's answers in view; the weights were not.",),
    )


def _figures(counts: ErrorCounts) -> tuple[str, str, str]:
    return (
        f"{100 * _accuracy(counts):.1f} %",
        f"{counts.true_positives} of {counts.positives}",
        f"{counts.true_negatives} of {counts.negatives}",
    )


def _accuracy(counts: ErrorCounts) -> float:
    return (counts.true_positives + counts.true_negatives) / (counts.positives + counts.negatives)


def _means(measured: object) -> Table:
    from verilabel.detectors.measure import Measurement

    assert isinstance(measured, list)
    rows = []
    for one in measured:
        assert isinstance(one, Measurement)
        mean = sum(_accuracy(c) for c in one.counts) / len(one.counts)
        rows.append((one.scheme, f"{100 * mean:.1f} %"))
    return Table("Mean accuracy over the models", ("scheme", "accuracy"), tuple(rows))
