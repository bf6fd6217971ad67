"""A detector measured against several raters: their disagreement is carried into its errors, not averaged away.

Each answer has the votes of its raters (event, no event; a label that is neither makes it disputed). Four truths:

- **adjudicated**: the adjudicated label where there is one, else the majority of the votes; ties are left out, and
  counted;
- **each rater** alone, on the answers that the rater labelled;
- **unanimous**: only answers on which every vote, and the adjudication, agree;
- **worst** and **best case**: unanimous answers as they are, and each disputed one labelled against (for) the
  detector. No way of settling the disputes gives fewer (more) of its findings right: these are the extremes of the
  identification region under unknown labels (Manski 2003, "Partial Identification of Probability Distributions",
  ch. 1), and exact bounds on the worst case hold for each truth in between. For a rater who labelled every answer the
  worst case has no more true positives and no fewer misses, so its Clopper-Pearson lower bound of sensitivity is no
  higher at any level; likewise for specificity. A card carries the worst case, unless it is told to carry
  the hardest rater's counts or the adjudicated ones: with many raters most answers are disputed by somebody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import msgspec

from verilabel.detectors.interface import Finding
from verilabel.detectors.rated import RatedItem, RatedSet, label_units
from verilabel.records.score import ErrorCounts, Scored
from verilabel.statistics.agreement import (
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    percent_agreement,
)
from verilabel.statistics.exact import clopper_pearson, cp_lower

MIN_ITEMS = 30
"""A rater with fewer labelled answers is no truth of their own; the answers count all the same."""
CONFIDENCE_ALPHA = 0.05
LABEL_ALPHA = 0.005


class Agreement(msgspec.Struct, frozen=True):
    """How the raters agree; a figure that is not defined for them is None."""

    percent: float | None
    """Share of agreeing pairs of labels on one answer."""
    cohen_kappa: float | None
    """Two raters: on the answers that both labelled."""
    fleiss_kappa: float | None
    """Where every answer has as many labels."""
    krippendorff_alpha: float | None


class Bounds(msgspec.Struct, frozen=True):
    """The lowest lower and the highest upper bound (exact, 95 %) over several truths."""

    lower: float
    upper: float


class PanelMeasurement(msgspec.Struct, frozen=True, kw_only=True):
    """A detector's errors under every truth that the raters allow."""

    items: int
    raters: int
    labels: Agreement
    """Of the labels as they stand."""
    events: Agreement
    """Of event or no event; labels that are neither are left out."""
    disputed: int
    ties: int
    """Answers that neither the adjudication nor a majority decides: left out of `adjudicated`."""
    adjudicated: ErrorCounts
    unanimous: ErrorCounts
    worst: ErrorCounts
    best: ErrorCounts
    by_rater: dict[str, ErrorCounts]
    set_aside: tuple[str, ...] = ()
    """Raters with too few answers to be a truth of their own."""

    @property
    def sensitivity(self) -> Bounds:
        """The widest bounds of sensitivity over the adjudication and each rater as truth."""
        return _widest([(c.true_positives, c.positives) for c in self._truths])

    @property
    def specificity(self) -> Bounds:
        """The widest bounds of specificity over the adjudication and each rater as truth."""
        return _widest([(c.true_negatives, c.negatives) for c in self._truths])

    @property
    def hardest(self) -> ErrorCounts:
        """Sensitivity by the rater under whom it is bounded lowest, specificity by the rater under whom that is.

        Counts of two raters may stand together. Lowest is by the bounds that a label uses, at 0.005 (label-semantics
        section 6: a fifth of 0.025). Where no rater labelled enough to be a truth alone, the worst case.
        """
        if not self.by_rater:
            return self.worst
        for_hits = min(
            self.by_rater.items(), key=lambda pair: _lowest(pair[1].true_positives, pair[1].positives)
        )
        for_clear = min(
            self.by_rater.items(), key=lambda pair: _lowest(pair[1].true_negatives, pair[1].negatives)
        )
        return msgspec.structs.replace(
            for_hits[1],
            true_negatives=for_clear[1].true_negatives,
            negatives=for_clear[1].negatives,
            method=f"measured on answers of {self.raters} raters: sensitivity against rater {for_hits[0]} alone, "
            f"specificity against rater {for_clear[0]} alone, the lowest bounds of all",
        )

    @property
    def _truths(self) -> tuple[ErrorCounts, ...]:
        return (self.adjudicated, *self.by_rater.values())


def measure_against_raters(
    rated: RatedSet,
    findings: Sequence[Finding],
    *,
    positive: Collection[str],
    unsure: Collection[str] = (),
    min_items: int = MIN_ITEMS,
    language: str = "en",
) -> PanelMeasurement:
    """Count a detector's errors under every truth of the module's docstring; `findings` are in the items' order.

    An answer that was left unscored is wrong under every truth, and in the worst case on both sides. `unsure` are
    labels that say neither.
    """
    counter = _Counter(rated, findings, frozenset(positive), frozenset(unsure), language)
    decided = [_decide(item, counter) for item in rated.items]
    unanimous = [counter.agreed(item) for item in rated.items]
    labelled = Counter(rater for item in rated.items for rater in item.labels)
    own = [rater for rater in rated.raters if labelled[rater] >= min_items]
    return PanelMeasurement(
        items=len(rated.items),
        raters=len(rated.raters),
        labels=_agreement(rated.items, rated.raters),
        events=_agreement([counter.as_events(item) for item in rated.items], rated.raters),
        disputed=unanimous.count(None),
        ties=decided.count(None),
        adjudicated=counter.count(decided, "adjudicated labels or the majority; ties left out"),
        unanimous=counter.count(unanimous, "unanimous answers alone"),
        worst=counter.count_extreme(unanimous, against=True),
        best=counter.count_extreme(unanimous, against=False),
        by_rater={
            rater: counter.count(
                [counter.vote(item.labels.get(rater)) for item in rated.items], f"rater {rater} alone"
            )
            for rater in own
        },
        set_aside=tuple(rater for rater in rated.raters if rater not in own),
    )


class _Counter:
    """Votes and counts of one measurement."""

    def __init__(
        self,
        rated: RatedSet,
        findings: Sequence[Finding],
        positive: frozenset[str],
        unsure: frozenset[str],
        language: str,
    ) -> None:
        self._rated, self._positive, self._unsure, self._language = rated, positive, unsure, language
        self._found = [finding.value if isinstance(finding, Scored) else None for finding in findings]
        assert len(self._found) == len(rated.items), "one finding an item"

    def vote(self, label: str | None) -> bool | None:
        """What a label says of the event; None where it says nothing."""
        return None if label is None or label in self._unsure else label in self._positive

    def agreed(self, item: RatedItem) -> bool | None:
        """What everybody says of an answer; None where it is disputed."""
        votes = {self.vote(label) for label in item.labels.values()}
        if item.adjudicated is not None:
            votes.add(self.vote(item.adjudicated))
        return votes.pop() if len(votes) == 1 else None

    def as_events(self, item: RatedItem) -> RatedItem:
        """An item with its labels reduced to event or no event."""
        votes = {rater: self.vote(label) for rater, label in item.labels.items()}
        return item._replace(labels={rater: str(vote) for rater, vote in votes.items() if vote is not None})

    def count(self, truths: Sequence[bool | None], method: str) -> ErrorCounts:
        """Counts under one truth; answers without one are left out."""
        tally = Counter((truth, truth == found) for truth, found in zip(truths, self._found, strict=True))
        return self._counts(
            tally[True, True],
            tally[True, False],
            tally[False, True],
            tally[False, False],
            f"against {method}",
        )

    def count_extreme(self, unanimous: Sequence[bool | None], *, against: bool) -> ErrorCounts:
        """Counts with every disputed answer labelled against, or for, the detector."""
        pairs = list(zip(unanimous, self._found, strict=True))
        hits, misses, cleared, invented = (
            sum(truth is event and (found is event) == right for truth, found in pairs)
            for event, right in ((True, True), (True, False), (False, True), (False, False))
        )
        disputed = Counter(found for truth, found in pairs if truth is None)
        if against:
            misses += disputed[False] + disputed[None]
            invented += disputed[True] + disputed[None]
        else:
            hits, cleared = hits + disputed[True], cleared + disputed[False]
        which = "against the detector" if against else "for the detector"
        return self._counts(
            hits, misses, cleared, invented, f"{sum(disputed.values())} disputed answers labelled {which}"
        )

    def _counts(self, hits: int, misses: int, cleared: int, invented: int, method: str) -> ErrorCounts:
        unscored = self._found.count(None)
        return ErrorCounts(
            true_positives=hits,
            positives=hits + misses,
            true_negatives=cleared,
            negatives=cleared + invented,
            dataset=self._rated.name,
            dataset_sha256=self._rated.sha256,
            language=self._language,
            method=f"measured on answers of {len(self._rated.raters)} raters: {method}; {unscored} unscored are wrong",
        )


def _decide(item: RatedItem, counter: _Counter) -> bool | None:
    if item.adjudicated is not None:
        return counter.vote(item.adjudicated)
    votes = [vote for label in item.labels.values() if (vote := counter.vote(label)) is not None]
    events = sum(votes)
    return None if 2 * events == len(votes) else 2 * events > len(votes)


def _agreement(items: Sequence[RatedItem], raters: Sequence[str]) -> Agreement:
    units = label_units(items)
    sizes = {len(unit) for unit in units}
    kappa = None
    if len(raters) == 2:
        first, second = raters
        both = [item.labels for item in items if len(item.labels) == 2]
        kappa = cohen_kappa((labels[first], labels[second]) for labels in both)
    complete = len(sizes) == 1 and min(sizes) >= 2
    return Agreement(
        percent_agreement(units), kappa, fleiss_kappa(units) if complete else None, krippendorff_alpha(units)
    )


def _lowest(events: int, n: int) -> float:
    return cp_lower(events, n, LABEL_ALPHA) if n else 0.0


def _widest(counts: Sequence[tuple[int, int]]) -> Bounds:
    intervals = [clopper_pearson(events, n, CONFIDENCE_ALPHA) if n else (0.0, 1.0) for events, n in counts]
    return Bounds(min(low for low, _ in intervals), max(high for _, high in intervals))
