"""Opened answers scored again, and what that says of the withheld answers that stay closed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal

import msgspec

from verilabel.detectors.interface import AskingDetector, Detector
from verilabel.evaluation.rescoring import Rescorer, Rescoring
from verilabel.evidence.container import Container
from verilabel.evidence.reading import evidence_lines
from verilabel.evidence.sealed.opening import Opened
from verilabel.records.plan import Plan
from verilabel.statistics.exact import pool_upper
from verilabel.suites.loading import Suite

ALPHA = Decimal("0.05")


class OpenedScores(msgspec.Struct, frozen=True):
    """What came of scoring the opened answers again."""

    withheld: int
    """Answers that the evidence withholds."""
    opened: int
    """Answers that the challenge chose and that were opened."""
    differing: int
    """Opened answers whose question, answer or score does not hold together."""
    unchecked: int
    """Opened answers of which something could not be checked; none of them is known to differ."""
    altered_at_most: int
    """Of the withheld answers, at 95 %, counting those that could not be checked as altered."""
    rescoring: Rescoring
    """Place by place."""

    @property
    def holds(self) -> bool:
        """True if nothing differs, in the opened answers or in the indexes of the suites."""
        return self.rescoring.mismatches == 0

    @property
    def sentence(self) -> str:
        """The finding in words, with the exact bound on the share of altered answers."""
        share = (Decimal(100) * self.altered_at_most / self.withheld).quantize(Decimal("0.01"), ROUND_CEILING)
        unchecked = f", {self.unchecked} could not be checked in full" if self.unchecked else ""
        sure = "" if self.opened == self.withheld else ", at 95 %"
        return (
            f"{self.opened} opened, {self.differing} differ{unchecked}: at most {self.altered_at_most} of "
            f"{self.withheld} withheld answers ({share} %) are altered{sure}"
        )


def rescore_opened(
    container: Container,
    plan: Plan,
    suites: Mapping[str, Suite],
    detectors: Mapping[str, Detector | AskingDetector],
    opened: Opened,
) -> OpenedScores:
    """Score again the answers that were opened, and bound the altered ones among all that are withheld.

    `opened` is what `evidence.sealed.opening.check_opened` gave, `suites` and `detectors` are as for
    `rescore_bundle`. The bound is exact: the most altered answers among the withheld ones of which a choice without
    replacement shows so few with probability above 5 % (hypergeometric; `statistics.exact.pool_upper`). It rests on
    the nonce: on whether it could be foreseen (`Opened.flags`). Raises MalformedInput where a file of the bundle
    cannot be read.
    """
    work = Rescorer(container, plan, suites, detectors, opened.records)
    work.check_indexes()
    work.check_cards()
    keys = {(a.suite, a.sample, a.epoch) for a in opened.records.values()}
    doubts: dict[tuple[str, str, int], tuple[int, int]] = {}
    for number, record in enumerate(evidence_lines(container), 1):
        key = (record.suite, record.sample, record.epoch)
        if key in keys:
            mismatches, unchecked = work.doubts
            work.check(number, record)
            after = work.doubts
            had = doubts.get(key, (0, 0))
            doubts[key] = (had[0] + after[0] - mismatches, had[1] + after[1] - unchecked)
    differing = sum(mismatches > 0 for mismatches, _ in doubts.values())
    unsure = sum(mismatches == 0 and unchecked > 0 for mismatches, unchecked in doubts.values())
    return OpenedScores(
        withheld=opened.withheld,
        opened=opened.chosen,
        differing=differing,
        unchecked=unsure,
        altered_at_most=pool_upper(differing + unsure, opened.chosen, opened.withheld, ALPHA),
        rescoring=work.result(),
    )
