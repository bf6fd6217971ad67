"""Admission by verified label: which target of which route may be used now, and for which requests.

A standing is worked out when something new is known of a bundle, together with the moment until which the clock cannot
change it (the end of validity, an age, a waiver's last day). Until then it is a look-up.

What a waiver may name: `rubric`, `granted`, `ruled_out`, `verification`, `max_age_days`, `flags_forbidden` (or one, as
`flags_forbidden.disputed`), `scope` (or one key, as `scope.params`), and `label`: that there is a bundle at all, and in
force. No waiver lets a bundle through that was changed, is not genuine, or was withdrawn by its issuer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from verilabel.errors import MalformedInput, UsageError
from verilabel.evidence.requirements import Requirements, find_shortfalls
from verilabel.evidence.statement import parse_time
from verilabel.evidence.verification import Verification
from verilabel.gateway.admission.interface import FLAGGED, Standing
from verilabel.gateway.admission.scope import (
    REQUEST_KEYS,
    SCOPE_KEYS,
    SERVED_KEYS,
    TARGET_KEYS,
    find_request_difference,
    find_served_difference,
    find_target_difference,
)
from verilabel.gateway.admission.shelf import LabelShelf, Shelved
from verilabel.gateway.policy.document import AdmissionRow, ModelRoute, Target, Upstream, Waiver

PAIR_WORDS = {"assurance": "cannot-exclude", "hazard": "not-ruled-out"}
FOREVER = datetime.max.replace(tzinfo=UTC)
LABEL_REQUIREMENTS = (
    "label",
    "rubric",
    "granted",
    "ruled_out",
    "verification",
    "max_age_days",
    "flags_forbidden",
    "scope",
)


class _Row:
    """One row as it holds for one target."""

    __slots__ = ("drift", "flagged", "requirements", "scope", "waivers")

    def __init__(self, row: AdmissionRow) -> None:
        self.flagged = row.otherwise == "flag"
        self.scope = row.scope
        self.waivers = tuple((waiver.requirement, _end_of(waiver)) for waiver in row.waivers)
        self.requirements = Requirements(
            granted=row.granted,
            ruled_out=row.ruled_out,
            verification=row.verification,
            max_age=None if row.max_age_days is None else timedelta(days=row.max_age_days),
            rubric=row.rubric,
            flags_forbidden=row.flags_forbidden,
        )
        self.drift: tuple[int, str] | None = None
        """The round of verification in which the provider served something else, and what."""

    def waived(self, requirement: str, now: datetime) -> str | None:
        """The name of a waiver in force that covers a requirement, such as `scope` for `scope.params`."""
        for name, until in self.waivers:
            if now < until and (requirement == name or requirement.startswith(name + ".")):
                return name
        return None


class _Cell:
    """One target of one route: its rows, and its standing with the time for which it holds."""

    __slots__ = (
        "base_url",
        "bundle",
        "holds_from",
        "holds_until",
        "model",
        "observed",
        "requested",
        "rows",
        "standing",
    )

    def __init__(self, rows: list[_Row], bundle: Path | None, model: str | None, base_url: str) -> None:
        self.rows = rows
        self.bundle = bundle
        self.model = model
        self.base_url = base_url
        of_request = (*REQUEST_KEYS, "provider_model") if model is None else REQUEST_KEYS
        self.requested = [(row, key) for row in rows for key in row.scope if key in of_request]
        self.observed = [(row, key) for row in rows for key in row.scope if key in SERVED_KEYS]
        self.standing = Standing(admitted=False, reasons=("label: nothing is known of it yet",))
        self.holds_from = self.holds_until = datetime.min.replace(tzinfo=UTC)


class _Notes:
    """What is gathered while a standing is worked out."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.until = FOREVER
        self.reasons: list[str] = []
        self.flags: list[str] = []

    def object(self, row: _Row, requirement: str, says: str) -> None:
        """Note a requirement that is not met: a reason, a flag, or a waiver that was used."""
        if (name := row.waived(requirement, self.now)) is not None:
            self.flags.append(f"waived:{name}")
        else:
            self.refuse(row, says)

    def refuse(self, row: _Row, says: str) -> None:
        """Note what no waiver covers: a reason, or a flag where the row only flags."""
        (self.flags if row.flagged else self.reasons).append(says)

    def ends(self, moment: datetime) -> None:
        """From this moment on the standing may be another."""
        if self.now < moment < self.until:
            self.until = moment


class LabelAdmission:
    """The `Admission` of one policy's rows over the routes of a gateway; `shelf` has the bundles.

    `folder` is where relative paths of bundles begin. Raises MalformedInput for rows that cannot be held to: a scope
    or a waiver of an unknown name, a row for a part of the names of one route. `bundles_of` says what to shelve.
    """

    def __init__(
        self,
        routes: Sequence[ModelRoute],
        upstreams: Sequence[Upstream],
        rows: Sequence[AdmissionRow],
        shelf: LabelShelf,
        *,
        folder: Path,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        check_rows(rows, routes)
        self._clock = clock
        self._shelf = shelf
        addresses = {upstream.id: upstream.base_url for upstream in upstreams}
        self._cells = {
            (route.name, number): _make_cell(route, target, addresses[target.upstream], rows, folder)
            for route in routes
            for number, target in enumerate(route.to)
        }
        shelf.listen(self._forget)

    def standing(self, route: str, target: int) -> Standing:
        """How the target of a route stands now; a target that is not configured is not admitted."""
        cell = self._cells.get((route, target))
        if cell is None:
            return _UNKNOWN
        now = self._clock()
        if not cell.holds_from <= now < cell.holds_until:
            self._work_out(cell, now)
        return cell.standing

    def objections(self, route: str, target: int, in_use: dict[str, Any]) -> tuple[str, ...]:
        """What in this request leaves the label's scope; those that begin with `flagged:` are only to be recorded."""
        cell = self._cells.get((route, target))
        if cell is None:
            return _UNKNOWN.reasons
        if not cell.requested:
            return ()
        notes = _Notes(self._clock())
        flags: list[str] = []
        for row, key in cell.requested:
            notes.reasons.clear()
            self._compare_request(cell, row, key, in_use, notes)
            flags += [FLAGGED + flag for flag in notes.flags]
            flags += notes.reasons
            notes.flags.clear()
        return tuple(dict.fromkeys(flags))

    def observe(
        self, route: str, target: int, served_model: str | None, fingerprint: str | None
    ) -> str | None:
        """Note what the upstream says it served; what is out of scope keeps the target out from now on.

        Until the bundle is verified again, by its timer or because it changed, or the upstream serves what it did:
        then a request shows whether it is back in scope. Where the row only flags, requests go on, and it is flagged.
        """
        cell = self._cells.get((route, target))
        if cell is None or not cell.observed:
            return None
        found: str | None = None
        for row, key in cell.observed:
            found = self._observe_one(cell, row, key, served_model, fingerprint) or found
        return found

    def _observe_one(
        self, cell: _Cell, row: _Row, key: str, model: str | None, fingerprint: str | None
    ) -> str | None:
        shelved = _NOTHING if cell.bundle is None else self._shelf.find(cell.bundle)
        says = find_served_difference(key, shelved.served, model, fingerprint)
        now = self._clock()
        if says is None:
            if row.drift is not None and row.drift[1].startswith(_WHAT[key]):
                row.drift = None
                self._work_out(cell, now)
            return None
        waived = row.waived(f"scope.{key}", now) is not None
        if not waived and row.drift != (shelved.round, says):
            row.drift = (shelved.round, says)
            self._work_out(cell, now)
        return f"{FLAGGED}waived:scope.{key}" if waived else (FLAGGED + says if row.flagged else says)

    def _compare_request(
        self, cell: _Cell, row: _Row, key: str, in_use: dict[str, Any], notes: _Notes
    ) -> None:
        found = None if cell.bundle is None else self._shelf.find(cell.bundle).found
        if found is None or found.system is None:
            notes.object(row, "label", f"{key}: no label says what it must be")
        elif (says := find_request_difference(key, found.system, in_use)) is not None:
            notes.object(row, f"scope.{key}", says)

    def _forget(self, bundle: Path) -> None:
        """A bundle's finding is new: its cells are worked out again at the next look-up."""
        for cell in self._cells.values():
            if cell.bundle == bundle:
                cell.holds_until = cell.holds_from

    def _work_out(self, cell: _Cell, now: datetime) -> None:
        notes = _Notes(now)
        for row in cell.rows:
            self._judge(cell, row, notes)
        shelved = None if cell.bundle is None else self._shelf.find(cell.bundle)
        if not cell.rows and shelved is not None and (why := _failure(shelved, notes)) is not None:
            notes.flags.append(f"label: {why[1]}")
        found = None if shelved is None or _failure(shelved, notes) is not None else shelved.found
        cell.standing = Standing(
            admitted=not notes.reasons,
            reasons=tuple(dict.fromkeys(notes.reasons)),
            flags=tuple(dict.fromkeys(notes.flags)),
            label=None if found is None else say_label(found),
            label_digest=None if found is None else found.statement_sha256,
        )
        cell.holds_from, cell.holds_until = now, notes.until

    def _judge(self, cell: _Cell, row: _Row, notes: _Notes) -> None:
        """Hold one row against its bundle: is there a label, is it enough, is it for this target?"""
        for _, until in row.waivers:
            notes.ends(until)
        if cell.bundle is None:
            notes.object(row, "label", "label: no bundle is named for this target")
            return
        shelved = self._shelf.find(cell.bundle)
        failure = _failure(shelved, notes)
        if failure is not None:
            can_be_waived, says = failure
            if not can_be_waived:
                notes.refuse(row, f"label: {says}")
                return
            notes.object(row, "label", f"label: {says}")
        found = shelved.found
        if found is None or found.label is None or found.plan is None or found.system is None:
            return
        self._judge_label(row, found, notes, in_force=failure is None)
        for key in row.scope:
            if key in TARGET_KEYS and (key != "provider_model" or cell.model is not None):
                says_of_key = find_target_difference(
                    key, found.system, model=cell.model, base_url=cell.base_url
                )
                if says_of_key is not None:
                    notes.object(row, f"scope.{key}", says_of_key)
        if row.drift is not None and row.drift[0] == shelved.round:
            notes.refuse(row, row.drift[1])

    def _judge_label(self, row: _Row, found: Verification, notes: _Notes, *, in_force: bool) -> None:
        assert found.plan is not None, "a label comes with its plan"
        try:
            lacking = find_shortfalls(found, row.requirements, now=notes.now)
        except UsageError as error:
            notes.refuse(row, f"label: {error.message}")
            return
        for shortfall in lacking:
            if shortfall.requirement == "verification" and not in_force:
                continue  # out of force is V0, and was said already
            name = shortfall.requirement + ("" if shortfall.flag is None else f".{shortfall.flag}")
            notes.object(row, name, f"{shortfall.requirement}: {shortfall.says}")
        if row.requirements.max_age is not None:
            planned = datetime.fromisoformat(found.plan.created)
            notes.ends(planned + row.requirements.max_age + timedelta(microseconds=1))


_UNKNOWN = Standing(admitted=False, reasons=("label: this target is not configured",))
_NOTHING = Shelved(at=datetime.min.replace(tzinfo=UTC))
_OUT_OF_TIME = frozenset({"expired", "not_yet_valid"})
_WHAT = {"provider_model": "served_model", "fingerprint": "fingerprint"}


def bundles_of(routes: Iterable[ModelRoute], folder: Path) -> list[Path]:
    """The bundles that routes name, each once; relative paths begin at `folder`."""
    named = [target.bundle for route in routes for target in route.to]
    return list(dict.fromkeys(folder / bundle for bundle in named if bundle is not None))


def check_rows(rows: Sequence[AdmissionRow], routes: Sequence[ModelRoute]) -> None:
    """Check that every row can be held to. Raises MalformedInput with the place in the policy."""
    for number, row in enumerate(rows):
        where = f"$.admit[{number}]"
        if row.granted is not None and row.ruled_out is not None:
            raise MalformedInput("a label is on one scale: granted or ruled_out", where=where)
        for key in row.scope:
            if key not in SCOPE_KEYS:
                raise MalformedInput(
                    f"a gateway cannot see {key!r}", where=f"{where}.scope", hint=", ".join(SCOPE_KEYS)
                )
        for place, waiver in enumerate(row.waivers):
            _check_waiver(waiver, row, f"{where}.waivers[{place}]")
        for route in routes:
            if _is_part_of(row.route, route.name):
                raise MalformedInput(
                    f"the row for {row.route!r} is for some of the models of the route {route.name!r} alone",
                    where=f"{where}.route",
                    hint="give these models a route of their own",
                )


def _check_waiver(waiver: Waiver, row: AdmissionRow, where: str) -> None:
    name, _, part = waiver.requirement.partition(".")
    parts = {"scope": row.scope, "flags_forbidden": row.flags_forbidden}.get(name, ())
    if name not in LABEL_REQUIREMENTS or (part and part not in parts) or waiver.requirement.endswith("."):
        raise MalformedInput(
            f"no requirement {waiver.requirement!r} in this row",
            where=f"{where}.requirement",
            hint=", ".join(LABEL_REQUIREMENTS),
        )
    try:
        _end_of(waiver)
    except MalformedInput as error:
        raise MalformedInput(error.message, where=f"{where}.until", hint=error.hint) from None


def _end_of(waiver: Waiver) -> datetime:
    """The first moment at which a waiver is over: the midnight (UTC) that ends its last day."""
    try:
        return datetime.strptime(waiver.until, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)
    except (ValueError, OverflowError):
        raise MalformedInput("not a day", hint="such as 2027-01-31, the last day on which it holds") from None


def _is_part_of(pattern: str, route: str) -> bool:
    """True if a row is for some of the names that a route with `*` stands for, and not for all."""
    if not route.endswith("*") or matches(pattern, route):
        return False
    return pattern.rstrip("*").startswith(route[:-1])


def matches(pattern: str, route: str) -> bool:
    """True if a row's `route` (a name, or a prefix and `*`) is for a route of this name."""
    if pattern.endswith("*"):
        return route.startswith(pattern[:-1])
    return pattern == route


def _make_cell(
    route: ModelRoute, target: Target, base_url: str, rows: Sequence[AdmissionRow], folder: Path
) -> _Cell:
    own = None if target.bundle is None else folder / target.bundle
    held = [_Row(row) for row in rows if matches(row.route, route.name)]
    model = target.model or (None if route.name.endswith("*") else route.name)
    return _Cell(held, own, model, base_url)


def _failure(shelved: Shelved, notes: _Notes) -> tuple[bool, str] | None:
    """Why no label stands now, and whether a waiver of `label` covers it; None where one stands."""
    found = shelved.found
    if found is None or found.issued is None or found.valid_until is None:
        return (shelved.is_absent, shelved.failure or _unsigned(found))
    issued, until = (
        parse_time(found.issued, where="issued"),
        parse_time(found.valid_until, where="valid_until"),
    )
    notes.ends(issued)
    notes.ends(until)
    failed = next((step.name for step in found.steps if step.outcome == "failed"), None)
    is_only_out_of_time = (
        failed == "validity" and _OUT_OF_TIME & set(found.flags) and not _is_taken_back(found)
    )
    if shelved.failure is not None and not is_only_out_of_time:
        return False, shelved.failure
    if notes.now >= until:
        return True, f"it expired on {until:%d %B %Y}"
    if notes.now < issued:
        return True, f"it is valid only from {issued:%d %B %Y}"
    # found at a time out of force, and in force by now: it must be verified again before it counts
    return None if shelved.failure is None else (True, shelved.failure)


def _is_taken_back(found: Verification) -> bool:
    return bool({"revoked", "superseded"} & set(found.flags))


def _unsigned(found: Verification | None) -> str:
    return "there is none" if found is None else found.reason


def say_label(found: Verification) -> str:
    """The value of `x-verilabel-label`: rubric, the pair, the verification level, the digest of the statement."""
    label = found.label
    assert label is not None, "a label stands"
    pair = f"{label.lower} {PAIR_WORDS[label.kind]}={label.upper}"
    text = f"{label.rubric.id}@{label.rubric.version} {pair} {found.level} {found.statement_sha256}"
    return "".join(char if " " <= char <= "~" else "?" for char in text)


def flags_of(objections: Iterable[str]) -> tuple[list[str], list[str]]:
    """Objections parted: those that refuse, and those that are only recorded (without their mark)."""
    refusing, recorded = [], []
    for objection in objections:
        if objection.startswith(FLAGGED):
            recorded.append(objection.removeprefix(FLAGGED))
        else:
            refusing.append(objection)
    return refusing, recorded
