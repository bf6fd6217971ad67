"""What changes between two tool policies: what is tightened, what is loosened, what nobody can tell by reading.

Loosened means: some call could pass, unasked or unlabelled, that could not before. What cannot be ordered (another
pattern, another sink) is `unclear`, and counts as loosened where loosening is forbidden (`gateway.policy.difference`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from verilabel.gateway.mcp.policy.document import (
    ArgumentRule,
    FlowRule,
    FlowUnless,
    RateRule,
    ResultRules,
    ToolPolicy,
    ToolRule,
)
from verilabel.gateway.mcp.policy.matching import parse_match
from verilabel.gateway.mcp.policy.measures import parse_rate, parse_ttl
from verilabel.gateway.mcp.policy.rules import name_rule
from verilabel.gateway.policy.difference import Change, Kind

_ACTIONS = ("allow", "ask", "deny")
_T = TypeVar("_T")


def compare_tool_policies(old: ToolPolicy, new: ToolPolicy) -> tuple[Change, ...]:
    """Every change from one checked tool policy to another, section by section."""
    return (
        *_compare_head(old, new),
        *_compare_tools(old, new),
        *_compare_flows(old, new),
        *_compare_results(old.results, new.results),
        *_more_is(
            "loosened", "limits.calls_per_session", *_both(old.limits, new.limits, "calls_per_session")
        ),
        *_more_is("loosened", "limits.parallel", *_both(old.limits, new.limits, "parallel")),
        *([Change("changed", "tests", "the tests differ")] if old.tests != new.tests else []),
    )


def _both(old: object, new: object, name: str) -> tuple[Any, Any]:
    return getattr(old, name), getattr(new, name)


def _opposite(kind: Kind) -> Kind:
    return "tightened" if kind == "loosened" else "loosened"


def _more_is(kind: Kind, where: str, old: Any, new: Any, shown: object = None) -> Iterator[Change]:
    """A change of something of which more is stricter or laxer."""
    if old != new:
        yield Change(kind if new > old else _opposite(kind), where, f"now {new if shown is None else shown}")


def _bound(where: str, old: Any, new: Any, *, is_upper: bool = True) -> Iterator[Change]:
    """A change of a bound that may be absent, which is the laxest."""
    if old == new:
        return
    if old is None or new is None:
        yield Change(
            "tightened" if old is None else "loosened", where, f"now {'any' if new is None else new}"
        )
    else:
        yield from _more_is("loosened" if is_upper else "tightened", where, old, new)


def _members(kind: Kind, where: str, old: Sequence[_T], new: Sequence[_T]) -> Iterator[Change]:
    """A change of a list of which each further member is stricter or laxer."""
    if gone := [str(each) for each in old if each not in new]:
        yield Change(_opposite(kind), where, f"no longer {', '.join(gone)}"[:200])
    if added := [str(each) for each in new if each not in old]:
        yield Change(kind, where, f"also {', '.join(added)}"[:200])


def _allowed(where: str, old: Sequence[_T], new: Sequence[_T]) -> Iterator[Change]:
    """A change of a list of what is allowed, where an empty one allows all."""
    if bool(old) != bool(new):
        yield Change("tightened" if new else "loosened", where, "now some" if new else "now any")
    else:
        yield from _members("loosened", where, old, new)


def _replaced(where: str, old: Any, new: Any, kind: Kind = "unclear") -> Iterator[Change]:
    """A change of something that cannot be ordered, but whose absence is laxer than any of it."""
    if old == new:
        return
    if kind == "unclear" and (old is None or new is None):
        kind = "tightened" if old is None else "loosened"
    yield Change(kind, where, f"{_shown(old)} becomes {_shown(new)}"[:200])


def _shown(value: object) -> str:
    return "nothing" if value is None else str(value)


def _compare_head(old: ToolPolicy, new: ToolPolicy) -> Iterator[Change]:
    for name in ("policy", "version", "summary"):
        yield from _replaced(name, *_both(old, new, name), kind="changed")
    yield from _more_is(
        "tightened", "default", _ACTIONS.index(old.default), _ACTIONS.index(new.default), new.default
    )
    yield from _replaced("labels", old.labels, new.labels, kind="changed")


# -- tool rules --------------------------------------------------------------------------------------------


def _compare_tools(old: ToolPolicy, new: ToolPolicy) -> Iterator[Change]:
    before = {name_rule(rule): rule for rule in old.tools}
    after = {name_rule(rule): rule for rule in new.tools}
    for name, rule in before.items():
        where = f"tools.{name}"
        if name not in after:
            yield Change(_opposite_of_presence(rule, old), where, "removed")
        elif rule != after[name]:
            yield from _compare_rule(rule, after[name], (old, new), where)
    for name, rule in after.items():
        if name not in before:
            yield Change(_presence(rule, new), f"tools.{name}", "added")


def _presence(rule: ToolRule, policy: ToolPolicy) -> Kind:
    """What it means that a rule is there: it restricts, it lets through, or both in one."""
    if rule.mode == "shadow":
        return "changed"
    is_restricting = _restricts(rule)
    others = [each for each in policy.tools if each is not rule and each.mode == "enforce"]
    pattern = parse_match(rule.match)
    # without it, all that it meets is denied: then it only opens, whatever it asks
    is_sole = policy.default == "deny" and not any(
        pattern.may_meet(parse_match(other.match)) for other in others
    )
    opens = _ACTIONS.index(rule.action) < _ACTIONS.index(policy.default) or rule.trusted_source
    if rule.action == "deny" or (is_restricting and not opens):
        return "tightened"
    if opens and (is_sole or not is_restricting):
        return "loosened"
    return "changed" if not opens and not is_restricting else "unclear"


def _opposite_of_presence(rule: ToolRule, policy: ToolPolicy) -> Kind:
    kind = _presence(rule, policy)
    return _opposite(kind) if kind in ("loosened", "tightened") else kind


def _restricts(rule: ToolRule) -> bool:
    return bool(
        rule.action != "allow"
        or rule.args
        or rule.only_args
        or rule.rate
        or rule.sink
        or rule.reads
        or rule.emits
    )


def _compare_rule(
    old: ToolRule, new: ToolRule, policies: tuple[ToolPolicy, ToolPolicy], where: str
) -> Iterator[Change]:
    if old.match != new.match:
        yield Change(_compare_match(old, new, policies), f"{where}.match", f"now {new.match}")
    yield from _more_is(
        "tightened", f"{where}.action", _ACTIONS.index(old.action), _ACTIONS.index(new.action), new.action
    )
    for name in ("reads", "emits"):
        yield from _members("tightened", f"{where}.{name}", *_both(old, new, name))
    yield from _more_is("loosened", f"{where}.trusted_source", *_both(old, new, "trusted_source"))
    yield from _replaced(f"{where}.sink", old.sink, new.sink)
    yield from _compare_arguments(old, new, where)
    yield from _compare_rates(old.rate, new.rate, f"{where}.rate")
    yield from _compare_terms(old, new, where)
    if old.mode != new.mode:
        is_new = new.mode == "enforce"
        kind = _presence(new, policies[1]) if is_new else _opposite_of_presence(old, policies[0])
        yield Change(kind, f"{where}.mode", f"now {new.mode}")


def _compare_match(old: ToolRule, new: ToolRule, policies: tuple[ToolPolicy, ToolPolicy]) -> Kind:
    narrow, wide = parse_match(old.match), parse_match(new.match)
    kind = _presence(old, policies[0])
    if kind != _presence(new, policies[1]) or kind == "unclear":
        return "unclear"
    if kind == "changed":
        return "changed"
    if wide.covers(narrow):
        return kind
    return _opposite(kind) if narrow.covers(wide) else "unclear"


def _compare_rates(old: RateRule | None, new: RateRule | None, where: str) -> Iterator[Change]:
    for name in ("per_session", "per_principal"):
        before, after = (None if rate is None else getattr(rate, name) for rate in (old, new))
        if before == after:
            continue
        if before is None or after is None:
            yield Change(
                "tightened" if before is None else "loosened", f"{where}.{name}", f"now {after or 'any'}"
            )
            continue
        (amount, window), (other, other_window) = (parse_rate(text, where=where) for text in (before, after))
        if amount == other or window == other_window:
            yield from _more_is("loosened", f"{where}.{name}", amount / window, other / other_window, after)
        else:
            yield Change("unclear", f"{where}.{name}", f"{before} becomes {after}: another window")


def _compare_terms(old: ToolRule | FlowRule, new: ToolRule | FlowRule, where: str) -> Iterator[Change]:
    yield from _more_is("tightened", f"{where}.quorum", old.quorum, new.quorum)
    ttls = [parse_ttl(each.ttl, where=where) for each in (old, new)]
    yield from _more_is("loosened", f"{where}.ttl", ttls[0], ttls[1], new.ttl)
    yield from _more_is("tightened", f"{where}.strict", old.strict, new.strict)
    yield from _more_is(
        "loosened", f"{where}.channel", old.channel == "client", new.channel == "client", new.channel
    )
    yield from _allowed(f"{where}.approvers", old.approvers, new.approvers)


def _compare_arguments(old: ToolRule, new: ToolRule, where: str) -> Iterator[Change]:
    yield from _more_is("tightened", f"{where}.only_args", old.only_args, new.only_args)
    for name, rule in old.args.items():
        place = f"{where}.args.{name}"
        if name not in new.args:
            yield Change("unclear" if new.only_args else "loosened", place, "removed")
        elif rule != new.args[name]:
            yield from _compare_argument(rule, new.args[name], place)
    for name in new.args:
        if name not in old.args:
            yield Change("loosened" if old.only_args else "tightened", f"{where}.args.{name}", "added")


def _compare_argument(old: ArgumentRule, new: ArgumentRule, where: str) -> Iterator[Change]:
    yield from _replaced(f"{where}.type", old.type, new.type)
    yield from _replaced(f"{where}.pattern", old.pattern, new.pattern)
    yield from _more_is("tightened", f"{where}.required", old.required, new.required)
    for name in ("one_of", "domains", "within"):
        yield from _allowed(f"{where}.{name}", *_both(old, new, name))
    yield from _members("loosened", f"{where}.schemes", old.schemes, new.schemes)
    yield from _bound(f"{where}.min", old.min, new.min, is_upper=False)
    for name in ("max", "max_bytes", "max_items"):
        yield from _bound(f"{where}.{name}", *_both(old, new, name))


# -- flows and results -------------------------------------------------------------------------------------


def _compare_flows(old: ToolPolicy, new: ToolPolicy) -> Iterator[Change]:
    before = {flow.id: flow for flow in old.flows}
    after = {flow.id: flow for flow in new.flows}
    for name, flow in before.items():
        where = f"flows.{name}"
        if name not in after:
            yield Change("loosened" if flow.mode == "enforce" else "changed", where, "removed")
        elif flow != after[name]:
            yield from _compare_flow(flow, after[name], where)
    for name, flow in after.items():
        if name not in before:
            yield Change("tightened" if flow.mode == "enforce" else "changed", f"flows.{name}", "added")


def _compare_flow(old: FlowRule, new: FlowRule, where: str) -> Iterator[Change]:
    yield from _members("loosened", f"{where}.when.session_has", old.when.session_has, new.when.session_has)
    yield from _narrowed(f"{where}.to.sink", old.to.sink, new.to.sink, covers=lambda *_: False)
    yield from _narrowed(f"{where}.to.match", old.to.match, new.to.match, covers=_covers)
    yield from _compare_unless(old.unless, new.unless, f"{where}.unless")
    yield from _more_is(
        "tightened", f"{where}.then", _ACTIONS.index(old.then), _ACTIONS.index(new.then), new.then
    )
    yield from _compare_terms(old, new, where)
    yield from _more_is("tightened", f"{where}.mode", old.mode == "enforce", new.mode == "enforce", new.mode)


def _covers(wide: str, narrow: str) -> bool:
    return parse_match(wide).covers(parse_match(narrow))


def _narrowed(
    where: str, old: str | None, new: str | None, *, covers: Callable[[str, str], bool]
) -> Iterator[Change]:
    """A change of what a flow is about: absent is everything, and more is stricter."""
    if old == new:
        return
    if old is None or new is None:
        yield Change("loosened" if old is None else "tightened", where, f"now {new or 'any'}")
    elif covers(new, old):
        yield Change("tightened", where, f"now {new}")
    else:
        yield Change("loosened" if covers(old, new) else "unclear", where, f"{old} becomes {new}")


def _compare_unless(old: FlowUnless | None, new: FlowUnless | None, where: str) -> Iterator[Change]:
    if old is None or new is None:
        if old is not new:
            yield Change(
                "loosened" if old is None else "tightened", where, "added" if old is None else "removed"
            )
        return
    before, after = old.args_from, new.args_from
    if before is None or after is None:
        yield from _held(f"{where}.args_from", before, after)
    else:
        # one more must be known where it is there, and may be the one that is there: nobody can tell
        yield from _replaced(f"{where}.args_from.args", sorted(before.args), sorted(after.args))
        yield from _members("loosened", f"{where}.args_from.but", before.but, after.but)
        yield from _members("loosened", f"{where}.args_from.sources", before.sources, after.sources)
    listed, now = old.arg_in, new.arg_in
    if listed is None or now is None:
        yield from _held(f"{where}.arg_in", listed, now)
    else:
        yield from _replaced(f"{where}.arg_in.arg", listed.arg, now.arg)
        yield from _members("loosened", f"{where}.arg_in.one_of", listed.one_of, now.one_of)


def _held(where: str, old: object, new: object) -> Iterator[Change]:
    """One of several conditions that must all hold for an exemption, there or not."""
    if (old is None) != (new is None):
        yield Change("tightened" if old is None else "loosened", where, "added" if old is None else "removed")


def _compare_results(old: ResultRules, new: ResultRules) -> Iterator[Change]:
    yield from _more_is("loosened", "results.max_bytes", old.max_bytes, new.max_bytes)
    for name in ("strip", "scan"):
        yield from _members("tightened", f"results.{name}", *_both(old, new, name))
    yield from _more_is(
        "tightened",
        "results.on_injection",
        old.on_injection == "withhold",
        new.on_injection == "withhold",
        new.on_injection,
    )
