"""Small tool policies for tests, written as their files are."""

from __future__ import annotations

from typing import Any

from verilabel.gateway.mcp.policy.compiling import Compiled
from verilabel.gateway.mcp.policy.document import Trust
from verilabel.gateway.mcp.policy.interface import Decision, SessionView, ToolCall
from verilabel.gateway.mcp.policy.provenance import fold_text
from verilabel.gateway.mcp.policy.reading import load_tool_policy

HEAD = "verilabel: mcp-policy/v1\npolicy: mine\nversion: '1'\n"
MAIL = """default: deny
tools:
  - {match: "mail/read_*", reads: [private], emits: [untrusted]}
  - {id: send, match: mail/send, sink: external, args: {to: {type: email, max_items: 5}, body: {max_bytes: 20}}}
  - {id: book, match: mail/address_book, trusted_source: true}
  - {id: delete, match: files/delete, action: ask, approvers: [admin], quorum: 2, ttl: 2m}
  - {id: shell, match: "*/shell*", action: deny}
  - {id: run, match: lab/run, sink: exec}
flows:
  - id: no-exfil
    when: {session_has: [private, untrusted]}
    to: {sink: external}
    unless: {args_from: {args: [to]}}
  - {id: no-code, when: {session_has: [untrusted]}, to: {sink: exec}, then: deny}
"""


def policy_of(body: str, *, trust: dict[str, Trust] | None = None) -> Compiled:
    """A policy ready for use, from the YAML behind its head. Raises as reading a file does."""
    return load_tool_policy((HEAD + body).encode(), "mine.yaml").compile(trust)


def call_of(name: str, **arguments: Any) -> ToolCall:
    """`mail/send` with its arguments."""
    server, _, tool = name.partition("/")
    return ToolCall(server=server, tool=tool, arguments=arguments)


def session_of(*labels: str, prompt: str = "", trusted: str = "", calls: int = 0) -> SessionView:
    """A session with labels; texts are folded here."""
    return SessionView(
        labels=frozenset(labels), user_prompt=fold_text(prompt), trusted_text=fold_text(trusted), calls=calls
    )


def said(decision: Decision) -> tuple[str, tuple[str, ...]]:
    """Action and rules of a decision."""
    return decision.action, decision.rules
