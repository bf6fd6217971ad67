"""Weights of features of windows of a text, in whole thousandths: what the detectors that read windows are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from verilabel.errors import UsageError


class Fitted(NamedTuple):
    """A linear model in thousandths."""

    bias: int
    weights: dict[str, int]
    """By rising name; those below the least weight are left out."""


def fit_windows(
    rows: Sequence[Mapping[str, int]],
    events: Sequence[bool],
    weights: Sequence[float],
    *,
    strength: float,
    tolerance: float,
    min_weight: int,
) -> Fitted:
    """Fit a logistic regression to windows, each a row of features with its event and weight.

    Deterministic for the same rows in the same order. Raises UsageError without scikit-learn.
    """
    try:
        from sklearn.feature_extraction import DictVectorizer
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise UsageError("training needs scikit-learn", hint="pip install scikit-learn") from error
    vectorizer = DictVectorizer()
    matrix: Any = vectorizer.fit_transform(rows)
    matrix.indices, matrix.indptr = matrix.indices.astype("int32"), matrix.indptr.astype("int32")
    solver = LogisticRegression(
        C=strength, solver="liblinear", class_weight="balanced", random_state=0, max_iter=5_000, tol=tolerance
    )
    solver.fit(matrix, events, sample_weight=weights)
    fitted = {
        str(name): round(1000 * float(weight))
        for name, weight in zip(vectorizer.get_feature_names_out(), solver.coef_[0], strict=True)
    }
    kept = {name: weight for name, weight in sorted(fitted.items()) if abs(weight) >= min_weight}
    return Fitted(round(1000 * float(solver.intercept_[0])), kept)
