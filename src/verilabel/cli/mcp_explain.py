"""Say why a tool policy decides a call as it does: every rule that looked, what it said, what would change the answer.

--policy takes a tool policy (a file, a pack, a bundled name) or a gateway's mcp.yaml, whose servers' trust then counts.
With --trail a decision that a gateway recorded is made again from its audit trail: the same policy must give the same
answer. `verilabel gateway verify-log` says whether the trail itself is intact. No value of an argument is printed.

examples:
  verilabel mcp explain --policy cautious --call mail/send_mail --labels untrusted
  verilabel mcp explain --policy mcp.yaml --call mail/send --labels untrusted,private \\
      --args '{"to": "ann@corp.example"}' --prompt "Write to ann@corp.example"
  verilabel mcp explain --policy mcp.yaml --trail audit --id 4f1c9d2e8a7b6053

exit statuses: 0 explained, whatever was decided; with --trail 1 where the decision is another one than was recorded, or
was made under another policy, and 8 where the trail does not hold what the decision looks at.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verilabel.cli.console import add_json_flag, plain, print_json, print_table
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.gateway.mcp.policy.compiling import Compiled
    from verilabel.gateway.mcp.policy.explaining import Explanation
    from verilabel.gateway.mcp.policy.interface import Decision
    from verilabel.gateway.mcp.policy.replaying import Replayed

SUMMARY = "say why a tool policy decides a call as it does"
MAX_TEXT_BYTES = 4 * 2**20


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--policy", required=True, metavar="POLICY", help="a tool policy, or a gateway's mcp.yaml"
    )
    parser.add_argument("--call", metavar="SERVER/TOOL", help="the call to be explained")
    parser.add_argument("--args", metavar="JSON|@FILE", default="{}", help="its arguments (default: none)")
    parser.add_argument(
        "--labels", metavar="LABEL,...", default="", help="labels that the session has (default: none)"
    )
    parser.add_argument(
        "--prompt",
        metavar="TEXT|@FILE",
        default="",
        help="what the person asked for (it vouches for arguments)",
    )
    parser.add_argument(
        "--trusted", metavar="TEXT|@FILE", default="", help="what trusted tools returned (it vouches as well)"
    )
    parser.add_argument(
        "--calls", type=int, default=0, metavar="N", help="calls that the session made before (default: 0)"
    )
    parser.add_argument(
        "--trail", type=Path, metavar="DIR", help="an audit trail: decide a recorded call again"
    )
    parser.add_argument("--id", metavar="ID", help="the id of the recorded call")
    add_json_flag(parser)


def run(args: argparse.Namespace) -> ExitStatus:
    """Explain a call, or decide a recorded one again."""
    if (args.trail is None) == (args.call is None):
        raise UsageError("what is to be explained?", hint="--call SERVER/TOOL, or --trail DIR --id ID")
    if (args.trail is None) != (args.id is None):
        raise UsageError("--trail and --id go together")
    compiled = _open_policy(args.policy)
    return _explain_recorded(args, compiled) if args.trail is not None else _explain_given(args, compiled)


def _open_policy(reference: str) -> Compiled:
    from verilabel.cli.policy_kinds import policy_bytes
    from verilabel.gateway.mcp.policy.reading import (
        is_mcp_file,
        is_tool_policy,
        load_mcp_file,
        load_tool_policy,
    )

    data, where = policy_bytes(reference)
    if is_mcp_file(data):
        return load_mcp_file(Path(reference)).compile()
    if not is_tool_policy(data):
        raise UsageError(
            "not a tool policy", where=where, hint="verilabel: mcp-policy/v1 stands at the top of one"
        )
    return load_tool_policy(data, where).compile()


def _explain_given(args: argparse.Namespace, compiled: Compiled) -> ExitStatus:
    from verilabel.gateway.mcp.policy.explaining import explain_call
    from verilabel.gateway.mcp.policy.interface import SessionView, ToolCall
    from verilabel.gateway.mcp.policy.provenance import fold_text

    server, slash, tool = args.call.partition("/")
    if not (server and slash and tool):
        raise UsageError("no name of a tool", where=f"--call {args.call[:100]}", hint="SERVER/TOOL")
    if args.calls < 0:
        raise UsageError("a number of calls is at least 0", where="--calls")
    session = SessionView(
        labels=_read_labels(args.labels, compiled),
        user_prompt=fold_text(_read_text(args.prompt, "--prompt")),
        trusted_text=fold_text(_read_text(args.trusted, "--trusted")),
        calls=args.calls,
    )
    call = ToolCall(server=server, tool=tool, arguments=_read_arguments(args.args))
    explanation = explain_call(compiled, call, session)
    if args.json:
        print_json(_document(explanation))
    else:
        _print_explanation(explanation)
    return ExitStatus.OK


def _read_text(given: str, option: str) -> str:
    from verilabel.gateway.policy.reading import read_bounded

    if not given.startswith("@"):
        return given
    data = read_bounded(Path(given[1:]), MAX_TEXT_BYTES, "text")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"not UTF-8 at byte {error.start}", where=f"{option} {given}") from None


def _read_arguments(given: str) -> dict[str, Any]:
    from verilabel.gateway.mcp.strict_json import read_strictly

    text = _read_text(given, "--args")
    value = read_strictly(text.encode("utf-8", "surrogatepass"), where="--args")
    if not isinstance(value, dict):
        raise UsageError("arguments are a JSON object", where="--args", hint='\'{"to": "ann@corp.example"}\'')
    return value


def _read_labels(given: str, compiled: Compiled) -> frozenset[str]:
    from verilabel.gateway.policy.forms import nearest

    labels = [label.strip() for label in given.split(",") if label.strip()]
    known = list(compiled.policy.labels)
    for label in labels:
        if label not in known:
            hint = nearest(label, known)
            raise UsageError(f"the policy has no label {label[:40]!r}", where="--labels", hint=hint)
    return frozenset(labels)


def _explain_recorded(args: argparse.Namespace, compiled: Compiled) -> ExitStatus:
    from verilabel.gateway.audit.querying import Query, find_records
    from verilabel.gateway.mcp.policy.explaining import explain_call
    from verilabel.gateway.mcp.policy.replaying import replay_decision

    replayed = replay_decision(find_records(args.trail, Query()), args.id, compiled)
    explanation = explain_call(compiled, replayed.call, replayed.session)
    holds = replayed.decides_same and replayed.under_same_policy
    if args.json:
        recorded = {
            "id": replayed.id,
            "at_us": replayed.at_us,
            "policy": replayed.policy,
            "action": replayed.recorded_action,
            "rules": list(replayed.recorded_rules),
            "same_policy": replayed.under_same_policy,
            "same_decision": replayed.decides_same,
        }
        print_json({"recorded": recorded} | _document(explanation))
    else:
        _print_replayed(replayed, compiled)
        _print_explanation(explanation)
    return ExitStatus.OK if holds else ExitStatus.CHECK_FAILED


def _document(explanation: Explanation) -> dict[str, Any]:
    import msgspec

    document: dict[str, Any] = msgspec.to_builtins(explanation, str_keys=True)
    document["decision"]["rules"] = list(explanation.decision.rules)
    document["decision"]["reasons"] = [reason._asdict() for reason in explanation.decision.reasons]
    document["decision"]["rates"] = [rate._asdict() for rate in explanation.decision.rates]
    for name in ("before", "after"):
        document["decision"][name] = sorted(document["decision"][name])
    return document


def _print_replayed(replayed: Replayed, compiled: Compiled) -> None:
    print(
        f"recorded: {plain(replayed.recorded_action)} by {plain(', '.join(replayed.recorded_rules) or 'no rule')}"
    )
    if not replayed.under_same_policy:
        print(f"under another policy: {plain(replayed.policy)}, and this is {compiled.digest}")
    print("decided again: the same" if replayed.decides_same else "decided again: NOT the same")


def _print_explanation(explanation: Explanation) -> None:
    decision = explanation.decision
    print(f"{plain(explanation.call)}: {decision.action}, by {plain(', '.join(decision.rules))}")
    print(f"policy:  {plain(explanation.policy)} {explanation.digest}")
    print(f"session: {', '.join(explanation.labels) or 'no label'}")
    rows = [
        (
            f"{look.says or '-'}{' (shadow)' if look.shadow else ''}",
            plain(look.rule),
            plain(look.why),
            look.where,
        )
        for look in explanation.looks
    ]
    print_table(("says", "rule", "why", "place"), rows)
    if explanation.silent:
        print(f"{explanation.silent} further rules do not concern this tool")
    _print_consequences(decision)
    for other in explanation.otherwise:
        print(f"{plain(other.condition)}: {other.action}, by {plain(', '.join(other.rules))}")


def _print_consequences(decision: Decision) -> None:
    if decision.terms is not None:
        terms = decision.terms
        whom = f"the roles {', '.join(terms.approvers)}" if terms.approvers else "anyone who may approve"
        strict = ", not by the requester" if terms.strict else ""
        where = "in the queue" if terms.channel == "queue" else "by the client's own person"
        print(f"asked:   {terms.quorum} of {plain(whom)}{strict}, {where}, within {terms.ttl_s} s")
    for name, labels in (("by the call", decision.before), ("by its result", decision.after)):
        if labels:
            print(f"labels {name}: {', '.join(sorted(labels))}")
    for rate in decision.rates:
        print(f"counted: {rate.amount} per {rate.window_s:g} s and {rate.per} ({plain(rate.rule)})")
