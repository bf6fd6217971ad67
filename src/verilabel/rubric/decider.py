"""The decision answer by answer: which measures can still change the label, at a few microseconds an answer.

A `Decider` gives each row the status that `decide` gives for the same counts, without bounds: in the anytime
design evidence is compared with what is needed; in the fixed design the plan's last answer is awaited. Counts
that `decide` refuses have no status; they are not looked for here, answer by answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from fractions import Fraction
from typing import Literal, NamedTuple

from verilabel.records.label import Status
from verilabel.records.plan import Design
from verilabel.records.tally import Tally
from verilabel.rubric.admission import check_inputs
from verilabel.rubric.allocation import Gate, PlannedRow, combine, plan_tests
from verilabel.rubric.counted import Claim, Method, family_means, method_of
from verilabel.rubric.leaf import (
    RowContext,
    check_claim,
    claims_of,
    find_obstacle,
    find_reference_obstacle,
)
from verilabel.rubric.structure import Measure, Rubric, TimesReference
from verilabel.statistics.eprocess import Bets, log_needed, place_bets, place_pool_bets

Goal = Literal["met", "not_met"]


class _Compiled(NamedTuple):
    """One row for one kind of tally: the two tests, and which of them any further answers could satisfy."""

    errors: object
    exact: bool
    method: Method
    pool: int | None
    met: Callable[[Tally], bool]
    not_met: Callable[[Tally], bool]
    attainable: frozenset[Goal]


class _RowState:
    """A row, its compiled test and its status at the last counts."""

    __slots__ = ("attainable", "compiled", "planned", "status")

    def __init__(self, planned: PlannedRow, status: Status) -> None:
        self.planned = planned
        self.status: Status = status
        self.compiled: _Compiled | None = None
        self.attainable: frozenset[Goal] = frozenset()


class Decider:
    """Follows the rows of a rubric while answers come in.

    `references` are the reference system's counts, complete before the run; `attested` as for `decide`.
    Raises what `decide` raises for a design, attestation or reference that does not fit.
    """

    def __init__(
        self,
        rubric: Rubric,
        design: Design,
        *,
        attested: Collection[str] = (),
        references: Mapping[str, Tally] | None = None,
    ) -> None:
        self._rubric = rubric
        self._design: Design = design
        self._references = references or {}
        check_inputs(rubric, self._references, design, attested)
        self._tests = plan_tests(rubric)
        self._states: list[_RowState] = []
        self._offsets: list[int] = []
        self._rows_of: dict[str, list[int]] = {}
        for test in self._tests:
            self._offsets.append(len(self._states))
            for planned in test.rows:
                if planned.measure:
                    self._rows_of.setdefault(planned.measure, []).append(len(self._states))
                given = planned.attested is not None and planned.attested in attested
                self._states.append(_RowState(planned, "met" if given else "not_assessed"))
        self._least = {key: self._measure_of(key).min_n for key in self._rows_of}
        self._most_missing = Fraction(rubric.statistics.max_missing)
        self._seen: dict[str, Tally] = {}
        self._open: frozenset[str] = frozenset()
        self._is_current = False

    @property
    def rows(self) -> tuple[PlannedRow, ...]:
        """Every row of every test, in the order of `decide`; `status_of` takes their indices."""
        return tuple(state.planned for state in self._states)

    @property
    def measures(self) -> tuple[str, ...]:
        """The tallies the rubric looks at: measures, or `measure@setting`."""
        return tuple(self._rows_of)

    def status_of(self, row: int, tally: Tally) -> Status:
        """The status that `decide` gives to a row at these counts. Raises IndexError for no such row."""
        state = self._states[row]
        criterion = state.planned.criterion
        if criterion is None:
            return state.status
        if tally.n == 0 or (
            isinstance(criterion.value, TimesReference) and self._reference_of(state) is None
        ):
            return "not_assessed"
        compiled = self._compiled(state, tally)
        if self._is_hindered(state, tally):
            return "undetermined"
        if compiled.met(tally):
            return "met"
        return "not_met" if compiled.not_met(tally) else "undetermined"

    def open_measures(self, tallies: Mapping[str, Tally]) -> AbstractSet[str]:
        """The measures that still matter: more answers could decide a row and change the pair.

        A measure without a tally cannot be asked, and one whose planned answers are all in is never open. Only
        measures whose tally differs from the last call cost time.
        """
        for key, rows in self._rows_of.items():
            tally = tallies.get(key)
            if tally is None or tally is self._seen.get(key):
                continue
            self._update(key, rows, tally)
        if not self._is_current:
            self._open = frozenset(self._find_open())
            self._is_current = True
        return self._open

    # ------------------------------------------------------------ one row

    def _measure_of(self, key: str) -> Measure:
        return self._rubric.measures[key.partition("@")[0]]

    def _reference_of(self, state: _RowState) -> Tally | None:
        reference = self._references.get(state.planned.measure)
        return reference if reference is not None and reference.n else None

    def _lacks_reference(self, state: _RowState) -> bool:
        criterion = state.planned.criterion
        relative = criterion is not None and isinstance(criterion.value, TimesReference)
        return relative and self._reference_of(state) is None

    def _reference_decides_nothing(self, state: _RowState, tally: Tally) -> bool:
        criterion = state.planned.criterion
        return (
            criterion is not None
            and find_reference_obstacle(criterion, self._context(state, tally)) is not None
        )

    def _context(self, state: _RowState, tally: Tally) -> RowContext:
        measure = self._measure_of(state.planned.measure)
        return RowContext(measure, self._rubric.statistics, self._design, tally, self._reference_of(state))

    def _is_hindered(self, state: _RowState, tally: Tally) -> bool:
        criterion = state.planned.criterion
        assert criterion is not None
        if not isinstance(criterion.value, TimesReference):  # the usual case, written out for speed
            units = sum([c.count for c in tally.clusters]) if tally.unit == "family" else tally.n
            if units < self._least[state.planned.measure]:
                return True
            if tally.missing > 0 and tally.missing > self._most_missing * tally.n:
                return True
            return self._design == "fixed" and tally.n < tally.n_planned
        return find_obstacle(criterion, self._context(state, tally)) is not None

    def _compiled(self, state: _RowState, tally: Tally) -> _Compiled:
        compiled, method = state.compiled, method_of(tally)
        if (
            compiled is None
            or compiled.errors is not tally.errors
            or compiled.exact is not tally.exact
            or compiled.method is not method
            or compiled.pool != tally.pool
        ):
            state.compiled = compiled = self._compile(state, tally, method)
            state.attainable = compiled.attainable
        return compiled

    def _compile(self, state: _RowState, tally: Tally, method: Method) -> _Compiled:
        criterion = state.planned.criterion
        assert criterion is not None
        met, not_met = claims_of(state.planned, criterion, self._context(state, tally))
        attainable: list[Goal] = []
        if _is_attainable(met, method):
            attainable.append("met")
        if _is_attainable(not_met, method):
            attainable.append("not_met")
        return _Compiled(
            tally.errors,
            tally.exact,
            method,
            tally.pool,
            self._test_of(met, method, tally.pool),
            self._test_of(not_met, method, tally.pool),
            frozenset(attainable),
        )

    def _test_of(self, claim: Claim, method: Method, pool: int | None) -> Callable[[Tally], bool]:
        """The claim's test as one comparison of evidence, where evidence decides it."""
        design = self._design
        if not 0 <= claim.threshold <= 1 or (design == "fixed" and method != "clusters"):
            return lambda tally: check_claim(tally, claim, design).holds
        tau: Decimal = 1 - claim.threshold if claim.mirrored else claim.threshold
        needed = float(log_needed(claim.alpha))
        if method == "clusters":
            return _families_test(claim, place_bets(tau, claim.side), needed)
        if method == "pool":
            of_pool = _counts_test(claim, place_pool_bets(pool or 0, tau, claim.side).log_e, needed, None)
            return lambda tally: (
                check_claim(tally, claim, design).holds if tally.n == pool else of_pool(tally)
            )
        return _counts_test(claim, place_bets(tau, claim.side).log_e, needed, float(tau))

    def _update(self, key: str, rows: Sequence[int], tally: Tally) -> None:
        before = self._seen.get(key)
        if before is None or _is_exhausted(before) != _is_exhausted(tally):
            self._is_current = False
        self._seen[key] = tally
        for row in rows:
            state = self._states[row]
            attainable, status = state.attainable, self.status_of(row, tally)
            if status != state.status or attainable != state.attainable:
                state.status = status
                self._is_current = False

    # ------------------------------------------------------------ the whole label

    def _find_open(self) -> set[str]:
        found: set[str] = set()
        halted: set[str] = set()
        unclimbable: set[str] = set()
        for test, offset in zip(self._tests, self._offsets, strict=True):
            if test.test in halted:
                continue
            status = self._tree_status(test.tree, offset, None)
            can_be_met = self._tree_status(test.tree, offset, "met") == "met"
            if can_be_met and test.test not in unclimbable:
                self._collect(test.tree, offset, "met", found)
            if test.test == "when":
                self._collect(test.tree, offset, "not_met", found)
            if not can_be_met:
                unclimbable.add(test.test)
            # above a level that is not met (and, on a hazard scale, cannot be) nothing moves the pair
            if status == "not_met" or (test.test != "when" and not can_be_met):
                halted.add(test.test)
        return found

    def _row_status(self, index: int, supposed: Goal | None) -> Status:
        state = self._states[index]
        if (
            supposed is not None
            and state.status not in ("met", "not_met")
            and self._can_become(state, supposed)
        ):
            return supposed
        return state.status

    def _can_become(self, state: _RowState, goal: Goal) -> bool:
        tally = self._seen.get(state.planned.measure)
        if tally is None or _is_exhausted(tally):
            return False
        if self._lacks_reference(state) or self._reference_decides_nothing(state, tally):
            return False
        # before the first answer nothing is compiled: all is possible
        return state.compiled is None or goal in state.attainable

    def _tree_status(self, tree: Gate | int, offset: int, supposed: Goal | None) -> Status:
        if isinstance(tree, int):
            return self._row_status(offset + tree, supposed)
        return combine([self._tree_status(child, offset, supposed) for child in tree.children], tree.need)

    def _collect(self, tree: Gate | int, offset: int, goal: Goal, found: set[str]) -> None:
        """Add the measures of undecided rows through which this tree could reach the goal."""
        status = self._tree_status(tree, offset, None)
        if status in ("met", "not_met") or self._tree_status(tree, offset, goal) != goal:
            return
        if isinstance(tree, int):
            found.add(self._states[offset + tree].planned.measure)
            return
        for child in tree.children:
            self._collect(child, offset, goal, found)


def _counts_test(
    claim: Claim, log_e: Callable[[int, int], float], needed: float, tau: float | None
) -> Callable[[Tally], bool]:
    """The test of a claim on counts.

    Where `tau` is given, counts on the other side of it are not weighed: by concavity of the logarithm no bet
    has gained there, so the evidence is at most 1.
    """
    below, mirrored, is_met_side = claim.direction == "below", claim.mirrored, claim.side == "met"

    def holds(tally: Tally) -> bool:
        n = tally.n
        events = tally.events + tally.missing if below else tally.events
        if mirrored:
            events = n - events
        if tau is not None and (events >= tau * n) is is_met_side:
            return False
        return log_e(events, n) >= needed

    return holds


def _families_test(claim: Claim, bets: Bets, needed: float) -> Callable[[Tally], bool]:
    """The test of a claim on families, with the same shortcut as for counts."""
    is_met_side = claim.side == "met"

    def holds(tally: Tally) -> bool:
        means = family_means(tally, claim.direction, mirrored=claim.mirrored)
        total, families = 0.0, 0
        for mean, count in means:
            total += mean * count
            families += count
        if (total >= bets.tau * families) is is_met_side:
            return False
        return bets.log_e_clusters(means) >= needed

    return holds


def _is_exhausted(tally: Tally) -> bool:
    return 0 < tally.n_planned <= tally.n or (tally.pool is not None and tally.n >= tally.pool)


def _is_attainable(claim: Claim, method: Method) -> bool:
    """True unless no counts at all could show the claim: a rate below 0 or above 1."""
    edge = 0 if claim.direction == "below" else 1
    if claim.threshold == edge:
        return method == "pool" and not claim.strict
    return (claim.threshold > edge) == (claim.direction == "below")
