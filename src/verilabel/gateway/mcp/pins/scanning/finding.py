"""What a scan looks for, and what it found: a rule, how bad, where, and a sentence that repeats no hostile text."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import msgspec

Severity = Literal["note", "low", "medium", "high"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""From what is good to know to what should stop a build."""


class Rule(NamedTuple):
    """One kind of finding. `help` says what to do."""

    id: str
    severity: Severity
    title: str
    help: str


_ALL: tuple[Rule, ...] = (
    Rule(
        "mcp/hidden-text",
        "high",
        "A server hides text from people",
        "Do not use the server: models read what people cannot see.",
    ),
    Rule(
        "mcp/injection-phrase",
        "high",
        "A text of a server speaks to the model as an attacker would",
        "Read the definition; pin it only if it is harmless.",
    ),
    Rule(
        "mcp/conceals-from-user",
        "high",
        "A text of a server asks the model to keep something from its user",
        "Do not use the server until its author explains it.",
    ),
    Rule(
        "mcp/reads-credentials",
        "high",
        "A text of a server asks the model for files that hold credentials",
        "Do not use the server; if it ran, replace the credentials.",
    ),
    Rule(
        "mcp/cross-server-instruction",
        "high",
        "A tool of one server says how tools of another are to be used",
        "A server should speak of its own tools alone; keep the two apart, or do not use it.",
    ),
    Rule(
        "mcp/steers-other-tools",
        "medium",
        "A text of a server says what is to happen before or instead of any other tool",
        "Read the definition; a server should not rule over other servers' tools.",
    ),
    Rule(
        "mcp/pretends-authority",
        "medium",
        "A text of a server dresses as an order from above",
        "Read the definition; markup such as <IMPORTANT> is written for models, not for people.",
    ),
    Rule(
        "mcp/padded-text",
        "medium",
        "A text of a server pushes a part of itself out of sight",
        "Read the definition to its end.",
    ),
    Rule(
        "mcp/harvesting-parameter",
        "medium",
        "A parameter asks for the model's own context",
        "Ask why a tool needs the conversation or the system prompt.",
    ),
    Rule(
        "mcp/homoglyph",
        "high",
        "A name looks like another",
        "Do not use the server: names that look alike are made to be mistaken.",
    ),
    Rule(
        "mcp/shadowed-tool",
        "medium",
        "Two servers have a tool of one name",
        "Pin both servers, so that a call goes where it should.",
    ),
    Rule(
        "mcp/malformed",
        "medium",
        "A definition is not what the protocol asks for",
        "The gateway keeps it from agents; tell the server's author.",
    ),
    Rule(
        "mcp/secret-in-config",
        "high",
        "A credential stands in the file",
        "Take it from the environment or a secret store (`secrets`, `headers_from`, `${input:...}`), and replace it.",
    ),
    Rule(
        "mcp/fetch-and-run",
        "high",
        "A command fetches a program from the network and runs it unseen",
        "Install it, check it, and name the installed program.",
    ),
    Rule(
        "mcp/unpinned-package",
        "medium",
        "A command runs whatever version of a package is newest",
        "Name an exact version: npx -y PACKAGE@1.2.3, uvx PACKAGE==1.2.3.",
    ),
    Rule(
        "mcp/unpinned-image",
        "medium",
        "A command runs a container image that can change",
        "Name the image by digest: IMAGE@sha256:...",
    ),
    Rule(
        "mcp/image-by-tag",
        "note",
        "A container image is named by a tag, which can move",
        "Name the image by digest: IMAGE@sha256:...",
    ),
    Rule(
        "mcp/open-container",
        "high",
        "A container is started so that it contains nothing",
        "Drop --privileged, the host's namespaces, / and the container engine's socket.",
    ),
    Rule(
        "mcp/writable-command",
        "high",
        "Everybody on this machine can replace what the command runs",
        "chmod o-w the file and the folders above it.",
    ),
    Rule(
        "mcp/broad-files",
        "medium",
        "A server is given the whole disk or a whole home",
        "Give it the one folder that it needs.",
    ),
    Rule(
        "mcp/plain-http",
        "medium",
        "A server is reached without encryption",
        "Use https, or loopback.",
    ),
    Rule(
        "mcp/credential-over-http",
        "high",
        "A credential is sent without encryption",
        "Use https, and replace the credential.",
    ),
    Rule(
        "mcp/wildcard-host",
        "medium",
        "A server listens to everybody, or lets every host speak to it",
        "Bind it to 127.0.0.1 and name the hosts.",
    ),
    Rule(
        "mcp/auto-approved",
        "medium",
        "A client runs tools of this server without asking",
        "Let people decide on calls that have effects, or put the server behind the gateway.",
    ),
    Rule(
        "mcp/uncontained",
        "low",
        "A server runs as a plain process",
        "Leave `sandbox` out, or name a provider that contains.",
    ),
    Rule(
        "mcp/missing-lock",
        "medium",
        "Nothing tells when this server changes",
        "verilabel mcp pin CONFIG, and name the lock under `pins`.",
    ),
    Rule(
        "mcp/broken-lock",
        "high",
        "A lock is named and cannot be used",
        "verilabel mcp pin CONFIG --server NAME",
    ),
    Rule(
        "mcp/lethal-trifecta",
        "note",
        "Heuristic: tools that read private data, tools that read what strangers wrote and tools that send, together",
        "A flow rule of a tool policy keeps them apart: verilabel mcp gateway.",
    ),
)
RULES = {rule.id: rule for rule in _ALL}
"""Every rule by its id."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One finding. `line` counts from 1 in the file `target`; `server` and `subject` (a tool, a variable) are harmless
    forms of names."""

    rule: str
    severity: Severity
    target: str
    line: int | None
    server: str
    subject: str
    message: str


def reaches(severity: Severity, threshold: Severity) -> bool:
    """True if a finding is at least as bad as a threshold."""
    return SEVERITIES.index(severity) >= SEVERITIES.index(threshold)
