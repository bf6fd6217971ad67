"""What a policy must be beyond its words: it must not contradict itself, and every word must have an effect."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, date, datetime

from verilabel.errors import VerilabelError
from verilabel.gateway.policy.admission_checks import check_admission, check_bound_files
from verilabel.gateway.policy.conditions import Condition
from verilabel.gateway.policy.document import GuardEntry, LimitRow, Policy, PolicyTest, RequestRule
from verilabel.gateway.policy.forms import nearest
from verilabel.gateway.policy.remark import Remark, doubt, mistake
from verilabel.gateway.verdicts import Action

CheckGuard = Callable[[GuardEntry, str], Collection[str] | None]
"""Checks the kind and the settings of a guard at a place; raises a VerilabelError for what is wrong.

Gives the ids of the rules that the guard has, or None where it does not know them beforehand.
"""

NAME = re.compile(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*", re.ASCII)
LONGEST_NAME = 100
MAX_MESSAGE = 500
MAX_TIMEOUT_MS = 600_000
WINDOW_CHARS = range(16, 100_001)
APPROVER_ROLES = ("approver", "admin")
_ROLES = ("user", "approver", "auditor", "admin")
_NEVER_IN_REPLIES = frozenset({"system", "tool_result", "tool_definition"})
_RATE = re.compile(r"[1-9][0-9]{0,14}/(?:s|min|h)", re.ASCII)
_BUDGET = re.compile(r"(?!0+(?:\.0+)?/)[0-9]{1,12}(?:\.[0-9]{1,6})?/(?:day|month)", re.ASCII)
_WHOLE_BUDGET = re.compile(r"[1-9][0-9]{0,14}/(?:day|month)", re.ASCII)
_QUANTITIES = {
    "requests": (_RATE, "like 60/min"),
    "tokens": (_RATE, "like 100000/min"),
    "cost_usd": (_BUDGET, "like 5.00/day"),
    "budget_tokens": (_WHOLE_BUDGET, "like 1000000/month"),
}


def lint_policy(
    policy: Policy, *, check_guard: CheckGuard | None = None, today: date | None = None
) -> list[Remark]:
    """Everything that is wrong or doubtful in a policy, in the order of the file.

    `check_guard` knows the kinds of guards and their settings (`guards.catalogue.check_settings`); without it kinds
    are not looked at. `today` is the day that waivers are held against (absent: now, UTC).
    """
    day = datetime.now(UTC).date() if today is None else today
    return [
        *_check_names(policy),
        *_check_guards(policy, check_guard),
        *_check_shadowed_allowances(policy.guards),
        *_check_rules(policy.rules),
        *check_admission(policy.admit, day),
        *check_bound_files(policy),
        *_check_limits(policy.limits),
        *_check_approvals(policy),
        *_check_tests(policy.tests),
        *_doubt_whole(policy),
    ]


def check_name(name: str, where: str) -> Iterator[Remark]:
    """An id must be lower-case words joined by `-`, `_` or `.`."""
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        yield mistake(where, f"{name[:LONGEST_NAME]!r} is no name", "lower-case words joined by - _ or .")


def check_once(names: Iterable[tuple[str, str]], what: str) -> Iterator[Remark]:
    """Each name, given with its place, may stand once."""
    seen: dict[str, str] = {}
    for name, where in names:
        if name in seen:
            yield mistake(where, f"the {what} {name!r} stands at {seen[name]} already")
        seen.setdefault(name, where)


def _check_names(policy: Policy) -> Iterator[Remark]:
    yield from check_name(policy.policy, "$.policy")
    if not policy.version or len(policy.version) > LONGEST_NAME or not policy.version.isprintable():
        yield mistake("$.version", "a version is a short text", 'like "1.0.0"')
    guards = [(guard.id, f"$.guards[{index}].id") for index, guard in enumerate(policy.guards)]
    rules = [(rule.id, f"$.rules[{index}].id") for index, rule in enumerate(policy.rules)]
    limits = [(row.id, f"$.limits[{index}].id") for index, row in enumerate(policy.limits)]
    for name, where in guards + rules + limits:
        yield from check_name(name, where)
    yield from check_once(guards + rules, "id")
    yield from check_once(limits, "limit")


def _check_guards(policy: Policy, check_guard: CheckGuard | None) -> Iterator[Remark]:
    for index, guard in enumerate(policy.guards):
        where = f"$.guards[{index}]"
        yield from _check_reach(guard, where)
        yield from _check_actions(guard, where)
        yield from _check_numbers(guard, where)
        yield from _check_condition(guard.when, f"{where}.when")
        yield from _check_message(guard.message, f"{where}.message")
        if check_guard is not None:
            yield from _ask(check_guard, guard, where)


def _ask(check_guard: CheckGuard, guard: GuardEntry, where: str) -> Iterator[Remark]:
    try:
        known = check_guard(guard, where)
    except VerilabelError as error:
        yield mistake(error.where or where, error.message, error.hint)
        return
    for rule in guard.rules:
        if known is not None and rule not in known:
            yield mistake(
                f"{where}.rules.{rule}", f"{guard.use} has no rule {rule!r} here", nearest(rule, list(known))
            )


def _check_reach(guard: GuardEntry, where: str) -> Iterator[Remark]:
    if not guard.on:
        yield mistake(f"{where}.directions", "the guard looks in no direction", "input, output, or both")
    for name, words in (("directions", guard.on), ("fields", guard.fields)):
        for word, count in Counter(words).items():
            if count > 1:
                yield doubt(f"{where}.{name}", f"{word!r} is named {count} times")
    if guard.fields and guard.on == ("output",) and set(guard.fields) <= _NEVER_IN_REPLIES:
        yield mistake(
            f"{where}.fields",
            "none of these fields is in a reply",
            "directions: [input], or fields of replies",
        )


def _check_actions(guard: GuardEntry, where: str) -> Iterator[Remark]:
    replaces = guard.action == "replace" or "replace" in guard.rules.values()
    if replaces and guard.replace_with is None:
        yield mistake(
            f"{where}.replace_with", "replace without what stands in its place", "replace_with: TEXT"
        )
    if guard.replace_with is not None and not replaces:
        yield mistake(f"{where}.replace_with", "nothing is replaced here", "action: replace")
    if replaces and "tool_arguments" in guard.fields:
        yield doubt(
            f"{where}.fields", "what replaces tool arguments must be JSON, or no client can read the call"
        )
    for rule, action in guard.rules.items():
        if action == guard.action:
            yield doubt(f"{where}.rules.{rule}", f"{action} is what the guard does in any case")
    if guard.action == "allow" and all(action == "allow" for action in guard.rules.values()):
        yield mistake(
            f"{where}.action",
            "the guard allows all that it finds: it does nothing",
            "flag, to see what it finds",
        )
    passive = {guard.action, *guard.rules.values()} <= {"allow", "flag"}
    if guard.mode == "shadow" and passive:
        yield doubt(f"{where}.mode", "shadow changes nothing where nothing but flags is done")
    if guard.release == "optimistic" and "output" in guard.on and not passive:
        yield doubt(
            f"{where}.release", "optimistic: clients get text of a stream before the guard has looked at it"
        )


def _check_numbers(guard: GuardEntry, where: str) -> Iterator[Remark]:
    if not 0 < guard.share <= 1:
        yield mistake(f"{where}.share", f"{guard.share} is no share of requests", "above 0 and at most 1")
    if not 1 <= guard.timeout_ms <= MAX_TIMEOUT_MS:
        yield mistake(f"{where}.timeout_ms", f"not between 1 and {MAX_TIMEOUT_MS}")
    if guard.window_chars not in WINDOW_CHARS:
        yield mistake(
            f"{where}.window_chars",
            f"not between {WINDOW_CHARS.start} and {WINDOW_CHARS.stop - 1} characters",
        )


def _check_message(message: str | None, where: str) -> Iterator[Remark]:
    if message is not None and not 1 <= len(message) <= MAX_MESSAGE:
        yield mistake(where, f"a message has 1 to {MAX_MESSAGE} characters")


def _check_condition(source: str | None, where: str) -> Iterator[Remark]:
    if source is None:
        return
    try:
        Condition(source, where)
    except VerilabelError as error:
        yield mistake(where, error.message, error.hint)


def _check_shadowed_allowances(guards: tuple[GuardEntry, ...]) -> Iterator[Remark]:
    """Rules that one guard allows by name while another of the same kind acts on them: the stronger counts."""
    for index, guard in enumerate(guards):
        for rule in (rule for rule, action in guard.rules.items() if action == "allow"):
            for other in guards:
                action = _effect(other, rule)
                if other is not guard and action > Action.FLAG and _overlap(guard, other):
                    sometimes = other.when is not None or other.share < 1
                    remark = doubt if sometimes else mistake
                    yield remark(
                        f"$.guards[{index}].rules.{rule}",
                        f"allowed here, and {action.word} by the guard {other.id!r}: the stronger counts",
                        f"settings.without: [{rule}] there, if it is to be allowed",
                    )


def _effect(guard: GuardEntry, rule: str) -> Action:
    only, without = guard.settings.get("only"), guard.settings.get("without")
    names = {rule, rule.removeprefix(f"{guard.use}.")}
    outside = isinstance(only, list) and bool(only) and names.isdisjoint(map(str, only))
    left_out = isinstance(without, list) and not names.isdisjoint(map(str, without))
    if outside or left_out or guard.mode == "shadow":
        return Action.ALLOW
    return Action[guard.rules.get(rule, guard.action).upper()]


def _overlap(one: GuardEntry, other: GuardEntry) -> bool:
    fields = not one.fields or not other.fields or bool(set(one.fields) & set(other.fields))
    return one.use == other.use and fields and bool(set(one.on) & set(other.on))


def _check_rules(rules: tuple[RequestRule, ...]) -> Iterator[Remark]:
    for index, rule in enumerate(rules):
        where = f"$.rules[{index}]"
        yield from _check_condition(rule.when, f"{where}.when")
        yield from _check_message(rule.message, f"{where}.message")
        if rule.mode == "enforce" and rule.action != "flag" and rule.on_error == "allow":
            yield _fails_open(where)


def _check_limits(limits: tuple[LimitRow, ...]) -> Iterator[Remark]:
    for index, row in enumerate(limits):
        where = f"$.limits[{index}]"
        given = [name for name in (*_QUANTITIES, "concurrency") if getattr(row, name) is not None]
        if len(given) != 1:
            what = " and ".join(given) or "nothing"
            yield mistake(where, f"a limit is on one quantity, this one is on {what}", "one row for each")
        for name in given:
            yield from _check_amount(row, name, where)
        if not row.per or len(set(row.per)) != len(row.per):
            yield mistake(f"{where}.per", "who shares the limit? Each once", "per: [key]")
        elif "all" in row.per and len(row.per) > 1:
            yield mistake(f"{where}.per", "what all share is not shared by key, user, model or route")
        yield from _check_burst(row, given, f"{where}.burst")
        yield from check_pattern(row.route, f"{where}.route")


def _check_burst(row: LimitRow, given: list[str], where: str) -> Iterator[Remark]:
    if row.burst is None:
        return
    if given not in (["requests"], ["tokens"]):
        yield mistake(where, "a burst belongs to requests or tokens a time")
        return
    amount = str(getattr(row, given[0])).partition("/")[0]
    if row.burst < 1 or (amount.isdecimal() and row.burst > int(amount)):
        yield mistake(where, f"a burst is from 1 to {amount[:20]}, what the window allows")


def _check_amount(row: LimitRow, name: str, where: str) -> Iterator[Remark]:
    if name == "concurrency":
        if row.concurrency is not None and row.concurrency < 1:
            yield mistake(f"{where}.concurrency", "at least 1")
        return
    form, example = _QUANTITIES[name]
    if not form.fullmatch(getattr(row, name)):
        yield mistake(f"{where}.{name}", f"{getattr(row, name)[:40]!r} is no amount a time", example)


def check_pattern(pattern: str, where: str) -> Iterator[Remark]:
    """A pattern is a name, or a prefix and `*`."""
    if not pattern or "*" in pattern[:-1]:
        yield mistake(where, f"{pattern[:LONGEST_NAME]!r} is neither a name nor a prefix and *", "like gpt-*")


def _check_approvals(policy: Policy) -> Iterator[Remark]:
    terms = policy.approvals
    where = "$.approvals"
    for role in terms.roles:
        if role not in _ROLES:
            yield mistake(f"{where}.roles", f"no role {role!r}", nearest(role, list(_ROLES)))
    if holds(policy) and not set(terms.roles) & set(APPROVER_ROLES):
        yield mistake(
            f"{where}.roles",
            "something is held for approval, and no role that decides approvals is named",
            f"roles: [{', '.join(APPROVER_ROLES)}]",
        )
    if terms.quorum < 1:
        yield mistake(f"{where}.quorum", "at least one person decides")
    if terms.expires_s < 1:
        yield mistake(f"{where}.expires_s", "at least one second")
    if terms.hold_s < 1 or terms.hold_s > terms.expires_s:
        yield mistake(f"{where}.hold_s", "from one second to the time after which an approval expires")
    if terms.webhook is not None and not terms.webhook.startswith(("https://", "http://")):
        yield mistake(f"{where}.webhook", "not an address", "https://HOST/PATH")


def holds(policy: Policy) -> bool:
    """True if something in the policy, outside shadow mode, is held for people."""
    guards = any(
        guard.mode == "enforce" and "hold" in (guard.action, *guard.rules.values()) for guard in policy.guards
    )
    return guards or any(rule.mode == "enforce" and rule.action == "hold" for rule in policy.rules)


def _check_tests(tests: tuple[PolicyTest, ...]) -> Iterator[Remark]:
    names = [(test.name, f"$.tests[{index}].name") for index, test in enumerate(tests)]
    yield from check_once(names, "test")
    for index, test in enumerate(tests):
        where = f"$.tests[{index}]"
        given = [name for name in ("input", "output", "request") if getattr(test, name) is not None]
        if len(given) != 1:
            what = " and ".join(given) or "nothing"
            yield mistake(where, f"a test is about one of input, output and request, this one about {what}")
        if test.text is not None and test.expect not in ("allow", "flag", "redact", "replace"):
            yield mistake(f"{where}.text", f"no text comes out of what is to {test.expect}")
        if test.expect == "allow" and test.rules:
            yield mistake(f"{where}.rules", "rules are found, and nothing is to come of it", "expect: flag")


def _doubt_whole(policy: Policy) -> Iterator[Remark]:
    for index, guard in enumerate(policy.guards):
        if guard.mode == "enforce" and guard.on_error == "allow":
            yield _fails_open(f"$.guards[{index}]")
    if not policy.guards:
        yield doubt("$.guards", "no guards: texts pass unseen")
        return
    if all(guard.mode == "shadow" for guard in policy.guards):
        yield doubt("$.guards", "every guard is in shadow mode: nothing is done")
    if not any("output" in guard.on for guard in policy.guards):
        yield doubt("$.guards", "no guard looks at replies: streams and whole replies pass unseen")
    if not any("input" in guard.on for guard in policy.guards):
        yield doubt("$.guards", "no guard looks at requests")
    if not policy.tests:
        yield doubt("$.tests", "the policy has no tests", "verilabel policy test runs those of the file")


def _fails_open(where: str) -> Remark:
    return doubt(f"{where}.on_error", "allow: what cannot be looked at passes")
