"""What a look at a request or reply leads to: findings, actions, and the refusal a client is given."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

import msgspec

Direction = Literal["input", "output"]
Field = Literal[
    "system", "content", "reasoning", "refusal", "tool_arguments", "tool_result", "tool_definition"
]
"""Where in a request or reply a text stands."""

FIELDS: tuple[Field, ...] = (
    "system",
    "content",
    "reasoning",
    "refusal",
    "tool_arguments",
    "tool_result",
    "tool_definition",
)


PASSAGE_FIELDS: tuple[Field, ...] = tuple(
    each for each in FIELDS if each not in ("system", "tool_definition")
)
"""All but what the application itself wrote, which an injection or an unwanted topic is not looked for in."""


class Action(IntEnum):
    """What a finding leads to, the milder first: of several, the greatest counts."""

    ALLOW = 0
    FLAG = 1
    REDACT = 2
    REPLACE = 3
    HOLD = 4
    BLOCK = 5

    @property
    def word(self) -> str:
        """As policies and records write it."""
        return self.name.lower()


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one guard found in one field. It never holds the text that was found.

    `action` is what the policy asks for; in shadow mode (`shadow`) nothing was done. `error` is True where the
    guard could not look and its `on_error` decided instead.
    """

    guard: str
    rule: str
    action: str
    field: Field
    direction: Direction
    choice: int = 0
    count: int = 1
    score: float | None = None
    shadow: bool = False
    error: bool = False


RefusalKind = Literal[
    "invalid_request",
    "authentication",
    "permission",
    "not_found",
    "too_large",
    "rate_limit",
    "policy",
    "approval",
    "upstream",
    "overloaded",
    "internal",
]


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request gets no (further) answer, before a dialect gives it its form.

    `status` is the HTTP status; `code` a stable machine-readable word such as `guard_blocked`; `message` one
    sentence for people that repeats nothing of the content; `where` a path into the request such as
    `$.messages[3].content`; `retry_after_s` seconds until asking again can succeed; `approval` the id of the
    approval that is waited for; `headers` further response headers.
    """

    status: int
    kind: RefusalKind
    code: str
    message: str
    where: str | None = None
    retry_after_s: float | None = None
    approval: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


class Refused(Exception):
    """A refusal on its way to the client; raised by the stages of the pipeline alone."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


class Usage(msgspec.Struct, frozen=True):
    """Tokens that a provider counted."""

    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def total(self) -> int:
        """Both together."""
        return self.input_tokens + self.output_tokens
