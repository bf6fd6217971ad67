"""What contradicts itself in a tool policy (mistakes), and what its author should look at again (doubts)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, get_args

from verilabel.errors import MalformedInput
from verilabel.gateway.access.interface import Role
from verilabel.gateway.mcp.policy.addresses import read_host, read_path
from verilabel.gateway.mcp.policy.arguments import compile_pattern, scalar_key
from verilabel.gateway.mcp.policy.compiling import APPROVERS_RULE, CALLS_RULE, DEFAULT_RULE
from verilabel.gateway.mcp.policy.document import ArgumentRule, FlowRule, FlowUnless, ToolPolicy, ToolRule
from verilabel.gateway.mcp.policy.matching import Pattern, parse_match
from verilabel.gateway.mcp.policy.measures import parse_rate, parse_ttl
from verilabel.gateway.mcp.policy.rules import name_rule
from verilabel.gateway.policy.checking import APPROVER_ROLES
from verilabel.gateway.policy.forms import nearest
from verilabel.gateway.policy.remark import Remark, doubt, mistake

RESERVED = frozenset({DEFAULT_RULE, CALLS_RULE, APPROVERS_RULE, "name"})
"""Ids under which the engine itself speaks."""
MAX_RULES = 2_000
MAX_RESULT_BYTES = 64 * 2**20
_TEXT_WORDS = ("pattern", "domains", "within")
_HOSTED = (None, "email", "url", "domain", "list")
_NUMBERS = (None, "integer", "number", "list")
_ROLES: tuple[str, ...] = get_args(Role)
_LABEL_CHARS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")


def lint_tool_policy(policy: ToolPolicy) -> tuple[Remark, ...]:
    """Every mistake and doubt, in the order of the file."""
    if len(policy.tools) + len(policy.flows) > MAX_RULES:
        return (mistake("$.tools", f"a policy has at most {MAX_RULES} rules"),)
    return tuple(
        chain(
            _lint_head(policy),
            _lint_ids(policy),
            *(_lint_rule(rule, policy, i) for i, rule in enumerate(policy.tools)),
            *(_lint_flow(flow, policy, i) for i, flow in enumerate(policy.flows)),
            _lint_silence(policy),
            _lint_reach(policy),
            _lint_rest(policy),
        )
    )


def _lint_head(policy: ToolPolicy) -> Iterator[Remark]:
    for name in ("policy", "version"):
        if not getattr(policy, name).strip():
            yield mistake(f"$.{name}", f"an empty {name}")
    if policy.default == "allow":
        yield doubt(
            "$.default", "a tool that no rule names is allowed", "default: deny, and a rule for each tool"
        )
    for index, label in enumerate(policy.labels):
        if not label or not _LABEL_CHARS.issuperset(label):
            yield mistake(
                f"$.labels[{index}]", f"{label[:40]!r} is no label", "small letters, digits, _ and -"
            )
        elif label in policy.labels[:index]:
            yield mistake(f"$.labels[{index}]", f"the label {label!r} is there twice")
    if "untrusted" not in policy.labels:
        yield doubt("$.labels", "there is no label untrusted, which servers and injections bring")


def _lint_ids(policy: ToolPolicy) -> Iterator[Remark]:
    seen: dict[str, str] = {}
    named = [(f"$.tools[{i}]", name_rule(rule)) for i, rule in enumerate(policy.tools)]
    named += [(f"$.flows[{i}]", flow.id) for i, flow in enumerate(policy.flows)]
    for where, name in named:
        if not name or len(name) > 200 or not name.isprintable():
            yield mistake(f"{where}.id", "an id is 1 to 200 printable characters")
        elif name in RESERVED:
            yield mistake(f"{where}.id", f"{name!r} is what the engine itself speaks under")
        elif name in seen:
            yield mistake(
                f"{where}.id", f"{name!r} is also the id of {seen[name]}", "give one of them an `id`"
            )
        else:
            seen[name] = where


# -- one tool rule -----------------------------------------------------------------------------------------


def _lint_rule(rule: ToolRule, policy: ToolPolicy, index: int) -> Iterator[Remark]:
    where = f"$.tools[{index}]"
    yield from _refused(lambda: parse_match(rule.match, where=f"{where}.match"))
    for name in ("reads", "emits"):
        yield from _lint_labels(getattr(rule, name), policy, f"{where}.{name}")
    if rule.trusted_source and "untrusted" in rule.emits:
        yield mistake(f"{where}.trusted_source", "what is untrusted vouches for nothing")
    if rule.rate is not None:
        yield from _lint_rate(rule, f"{where}.rate")
    yield from _lint_terms(rule, rule.action == "ask", where)
    for name, each in rule.args.items():
        yield from _lint_argument(each, f"{where}.args.{name}")
    if rule.action == "deny" and (rule.args or rule.only_args):
        yield doubt(
            f"{where}.args",
            "the rule denies every call, whatever its arguments are",
            "a rule states what must be",
        )
    if rule.only_args and not rule.args:
        yield doubt(f"{where}.only_args", "only calls without any argument pass")
    if rule.mode == "shadow" and (rule.reads or rule.emits or rule.sink or rule.rate or rule.trusted_source):
        yield doubt(f"{where}.mode", "in shadow mode its labels, sink and rates do not act")


def _lint_rate(rule: ToolRule, where: str) -> Iterator[Remark]:
    assert rule.rate is not None
    given = {name: getattr(rule.rate, name) for name in ("per_session", "per_principal")}
    if not any(given.values()):
        yield mistake(where, "a rate per nothing", "per_session: 10/min")
    for name, text in given.items():
        if text is not None:
            yield from _refused(partial(parse_rate, text, where=f"{where}.{name}"))


def _lint_terms(rule: ToolRule | FlowRule, asks: bool, where: str) -> Iterator[Remark]:
    yield from _refused(lambda: parse_ttl(rule.ttl, where=f"{where}.ttl"))
    if rule.quorum < 1:
        yield mistake(f"{where}.quorum", "a quorum is at least 1")
    elif rule.quorum > 1 and rule.channel == "client":
        yield mistake(
            f"{where}.channel", "one client has one person, and the quorum is more", "channel: queue"
        )
    if asks and rule.channel == "client" and rule.strict:
        yield doubt(
            f"{where}.channel",
            "strict keeps the requester from approving, and the client's person is the requester",
            "strict: false, or channel: queue",
        )
    elif asks and rule.channel == "client":
        yield doubt(
            f"{where}.channel", "the agent's own program asks its person, and could answer in their place"
        )
    for name in rule.approvers:
        if name not in _ROLES:
            yield mistake(
                f"{where}.approvers", f"{name[:40]!r} is no role of a key", nearest(name, list(_ROLES))
            )
    if asks and rule.approvers and not set(rule.approvers) & set(APPROVER_ROLES):
        roles = f"approvers: [{', '.join(APPROVER_ROLES)}]"
        yield mistake(f"{where}.approvers", "no role that decides approvals is named", roles)
    if rule.approvers and not asks:
        yield doubt(f"{where}.approvers", "nobody is asked by this rule")


def _lint_labels(labels: Iterable[str], policy: ToolPolicy, where: str) -> Iterator[Remark]:
    for label in labels:
        if label not in policy.labels:
            yield mistake(where, f"no label {label[:40]!r}", nearest(label, list(policy.labels)))


# -- one argument ------------------------------------------------------------------------------------------


def _lint_argument(rule: ArgumentRule, where: str) -> Iterator[Remark]:
    for low, high in (("min", "max"),):
        if rule.min is not None and rule.max is not None and rule.max < rule.min:
            yield mistake(f"{where}.{high}", f"{high} is below {low}: nothing fits")
    for name in ("max_bytes", "max_items"):
        value = getattr(rule, name)
        if value is not None and value < 0:
            yield mistake(f"{where}.{name}", "a size is at least 0")
    if rule.pattern is not None:
        yield from _refused(lambda: compile_pattern(str(rule.pattern), f"{where}.pattern"))
    yield from _lint_fit(rule, where)
    yield from _lint_domains(rule.domains, f"{where}.domains")
    for index, folder in enumerate(rule.within):
        if read_path(folder) is None:
            yield mistake(f"{where}.within[{index}]", f"{folder[:80]!r} is no plain folder")
    if any(scalar_key(value) is None for value in rule.one_of):
        yield mistake(f"{where}.one_of", "values are texts, numbers, true and false")
    elif rule.one_of and (rule.min is not None or rule.max is not None or rule.pattern is not None):
        yield doubt(
            f"{where}.one_of", "the list says it all: pattern, min and max beside it can only forbid more"
        )


def _lint_fit(rule: ArgumentRule, where: str) -> Iterator[Remark]:
    """Words that go with no value of the type."""
    kind = rule.type
    if (rule.min is not None or rule.max is not None) and kind not in _NUMBERS:
        yield mistake(f"{where}.min", f"min and max go with numbers, not with {kind}")
    if rule.domains and kind not in _HOSTED:
        yield mistake(f"{where}.domains", f"domains go with email, url and domain, not with {kind}")
    if rule.within and kind not in (None, "path", "list"):
        yield mistake(f"{where}.within", f"within goes with path, not with {kind}")
    if rule.pattern is not None and kind in ("integer", "number", "boolean", "object"):
        yield mistake(f"{where}.pattern", f"a pattern goes with text, not with {kind}")
    if rule.pattern is not None and kind == "path" and not rule.within:
        yield doubt(
            f"{where}.pattern", "the pattern sees `..` as it is written", "within: [/FOLDER] resolves it"
        )
    if kind == "object" and rule.one_of:
        yield mistake(f"{where}.one_of", "an object is never one of a list")
    if rule.schemes != ("https",) and kind not in ("url", "list", None):
        yield mistake(f"{where}.schemes", f"schemes go with url, not with {kind}")
    if kind == "url" and not rule.schemes:
        yield mistake(f"{where}.schemes", "without a scheme no URL fits")
    if kind is None and not rule.required and rule == ArgumentRule():
        yield doubt(where, "the rule says nothing")


def _lint_domains(domains: Sequence[str], where: str) -> Iterator[Remark]:
    for index, domain in enumerate(domains):
        name, colon, port = domain.removeprefix("*.").partition(":")
        place = f"{where}[{index}]"
        host = read_host(name)
        if host is None or (colon and not (port.isdigit() and 0 < int(port[:6]) < 65536)):
            yield mistake(place, f"{domain[:80]!r} is no domain", _hint_domain(name))
        elif domain.startswith("*.") and (colon or host.is_number):
            yield mistake(place, "a wildcard stands before a name alone")


def _hint_domain(name: str) -> str:
    try:
        written = name.encode("idna").decode("ascii")
    except UnicodeError:
        written = name
    if written != name and read_host(written) is not None:
        return f"write it as it stands in URLs: {written}"
    return "corp.example, *.corp.example or corp.example:8443"


# -- one flow ----------------------------------------------------------------------------------------------


def _lint_flow(flow: FlowRule, policy: ToolPolicy, index: int) -> Iterator[Remark]:
    where = f"$.flows[{index}]"
    yield from _lint_labels(flow.when.session_has, policy, f"{where}.when.session_has")
    if flow.to.sink is None and flow.to.match is None:
        yield mistake(f"{where}.to", "a flow to nowhere", "to: {sink: external}, or to: {match: SERVER/TOOL}")
    if flow.to.match is not None:
        yield from _refused(lambda: parse_match(str(flow.to.match), where=f"{where}.to.match"))
    yield from _lint_terms(flow, flow.then == "ask", where)
    if flow.unless is not None:
        yield from _lint_unless(flow.unless, f"{where}.unless")


def _lint_unless(unless: FlowUnless, where: str) -> Iterator[Remark]:
    if unless.args_from is None and unless.arg_in is None:
        yield mistake(where, "an exemption of nothing", "args_from or arg_in")
    if unless.args_from is not None:
        if not unless.args_from.args:
            yield mistake(f"{where}.args_from.args", "no argument is named, so nothing is exempt")
        if unless.args_from.but and "*" not in unless.args_from.args:
            yield mistake(f"{where}.args_from.but", "it takes from all arguments", 'args: ["*"]')
        if not unless.args_from.sources:
            yield mistake(f"{where}.args_from.sources", "without a source nothing is exempt")
    if unless.arg_in is not None and any(scalar_key(value) is None for value in unless.arg_in.one_of):
        yield mistake(f"{where}.arg_in.one_of", "values are texts, numbers, true and false")
    if unless.arg_in is not None and not unless.arg_in.one_of:
        yield mistake(f"{where}.arg_in.one_of", "the list is empty, so nothing is exempt")


# -- the rules together ------------------------------------------------------------------------------------


def _patterns(policy: ToolPolicy) -> list[tuple[int, ToolRule, Pattern]]:
    read = []
    for index, rule in enumerate(policy.tools):
        try:
            read.append((index, rule, parse_match(rule.match)))
        except MalformedInput:
            continue
    return read


def _lint_silence(policy: ToolPolicy) -> Iterator[Remark]:
    """Rules that change nothing: all they name is denied anyway."""
    rules = _patterns(policy)
    denying = [each for each in rules if each[1].action == "deny" and each[1].mode == "enforce"]
    for index, rule, pattern in rules:
        for other, shadowing, wide in denying:
            if other != index and wide.covers(pattern) and not (rule.action == "deny" and index < other):
                yield doubt(
                    f"$.tools[{index}]",
                    f"it can change nothing: {name_rule(shadowing)!r} denies all that it matches",
                )
                break


def _lint_reach(policy: ToolPolicy) -> Iterator[Remark]:
    """Flows that no session and no call can come to, and sinks that no flow watches."""
    rules = [each for each in _patterns(policy) if each[1].mode == "enforce"]
    labels = {"untrusted", *(label for _, rule, _ in rules for label in (*rule.reads, *rule.emits))}
    sinks = {rule.sink for _, rule, _ in rules if rule.sink is not None}
    for index, flow in enumerate(policy.flows):
        where = f"$.flows[{index}]"
        if absent := [label for label in flow.when.session_has if label not in labels]:
            yield doubt(f"{where}.when", f"no rule gives a session {', '.join(absent)}")
        if flow.to.sink is not None and flow.to.sink not in sinks:
            yield doubt(f"{where}.to.sink", f"no rule has the sink {flow.to.sink}")
        if flow.to.match is not None and policy.default == "deny":
            yield from _lint_target(flow.to.match, [each[2] for each in rules], f"{where}.to.match")
    watched = {flow.to.sink for flow in policy.flows if flow.mode == "enforce"}
    is_all_watched = any(flow.to.sink is None and flow.to.match == "*/*" for flow in policy.flows)
    for index, rule, _ in rules:
        if (
            rule.action == "allow"
            and rule.sink is not None
            and not is_all_watched
            and rule.sink not in watched
        ):
            yield doubt(f"$.tools[{index}].sink", f"no flow says when the sink {rule.sink} may be reached")


def _lint_target(match: str, patterns: Sequence[Pattern], where: str) -> Iterator[Remark]:
    try:
        pattern = parse_match(match)
    except MalformedInput:
        return
    if not any(pattern.may_meet(other) for other in patterns):
        yield doubt(where, "no rule lets any such tool be called")


def _lint_rest(policy: ToolPolicy) -> Iterator[Remark]:
    if not 1 <= policy.results.max_bytes <= MAX_RESULT_BYTES:
        yield mistake("$.results.max_bytes", f"from 1 to {MAX_RESULT_BYTES}")
    if policy.results.on_injection == "withhold" and "prompt_injection" not in policy.results.scan:
        yield mistake("$.results.on_injection", "nothing looks for injections", "scan: [prompt_injection]")
    if not policy.results.strip:
        yield doubt("$.results.strip", "results reach the agent with what people do not see in them")
    for name in ("calls_per_session", "parallel"):
        if getattr(policy.limits, name) < 1:
            yield mistake(f"$.limits.{name}", "at least 1")
    if not policy.tests:
        yield doubt("$.tests", "the policy has no tests", "tests: [{trace: [mail/read], expect: allow}]")


def _refused(work: Callable[[], Any]) -> Iterator[Remark]:
    """The mistake that a reader of one word reports, if it does."""
    try:
        work()
    except MalformedInput as error:
        yield mistake(error.where or "$", error.message, error.hint)
