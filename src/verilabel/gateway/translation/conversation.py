"""The neutral form between two APIs: a conversation that is asked, an answer, and the events of a streamed one."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Stop = Literal["stop", "length", "tool_calls", "content_filter"]
"""Why an answer ended; a `content_filter` is the provider's own, whatever it calls it."""
Origin = Literal["anthropic", "google", "openai"]
"""Whose signature stands on a thought: nobody else can read it."""


class Text(msgspec.Struct):
    """A text that is asked or answered."""

    text: str


class Refusal(msgspec.Struct):
    """A text in which the model declines."""

    text: str


class Media(msgspec.Struct, kw_only=True):
    """An image, a sound or a document: base64 `data` of a `media_type`, or a `url`. `where` is its path."""

    kind: Literal["image", "audio", "document"]
    where: str
    media_type: str = ""
    data: str = ""
    url: str = ""
    name: str = ""
    detail: str = ""


class Thought(msgspec.Struct, kw_only=True):
    """What a model thought aloud. `signature` is the opaque text by which `origin` knows it again; `hidden` says
    that the signature is all there is to see."""

    text: str = ""
    signature: str = ""
    origin: Origin | None = None
    hidden: bool = False


class Call(msgspec.Struct, kw_only=True):
    """A call of a tool: `arguments` is JSON source text. `signature` is Google's, for this call."""

    id: str
    name: str
    arguments: str
    where: str = ""
    signature: str = ""


class Result(msgspec.Struct, kw_only=True):
    """What a tool gave back for the call of this id."""

    call_id: str
    parts: list[Text | Media]
    where: str
    is_error: bool = False


Part = Text | Refusal | Media | Thought | Call | Result


class Turn(msgspec.Struct, kw_only=True):
    """What one side says at once; `where` is its path in the client's request."""

    role: Literal["system", "developer", "user", "assistant"]
    parts: list[Part]
    where: str


class Tool(msgspec.Struct, kw_only=True):
    """A function that the model may call, its parameters as JSON schema."""

    name: str
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class ToolChoice(msgspec.Struct, kw_only=True):
    """Whether tools may, must or may not be called, and which (`names` empty: any of them)."""

    mode: Literal["auto", "none", "any"]
    names: tuple[str, ...] = ()


class OutputFormat(msgspec.Struct, kw_only=True):
    """The form an answer must have: any JSON, or JSON of a schema."""

    kind: Literal["json", "schema"]
    name: str = "answer"
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class Request(msgspec.Struct, kw_only=True):
    """A request, whatever API it came in. `logprobs` is how many alternatives are asked for at each token.

    `paths` says where in the client's request a member of this form comes from, for refusals.
    """

    turns: list[Turn]
    paths: dict[str, str]
    tools: list[Tool] = []
    tool_choice: ToolChoice | None = None
    parallel_calls: bool | None = None
    output_format: OutputFormat | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    n: int = 1
    stop: list[str] = []
    logprobs: int | None = None
    effort: str | None = None
    budget: int | None = None
    shows_thoughts: bool | None = None
    keeps_signatures: bool = False
    verbosity: str | None = None
    end_user: str | None = None
    stream: bool = False
    store: bool | None = None

    def where(self, member: str) -> str:
        """The path in the client's request that a member of this form comes from."""
        return self.paths.get(member, f"$.{member}")


class Count(msgspec.Struct, kw_only=True):
    """Tokens: `input` with those read from and written to a cache, `output` with those spent on reasoning."""

    input: int = 0
    output: int = 0
    cached: int = 0
    written: int = 0
    reasoning: int = 0


class Answer(msgspec.Struct, kw_only=True):
    """One choice of a reply. `explanation` is what a provider says of its own filter."""

    parts: list[Text | Refusal | Thought | Call]
    stop: Stop
    index: int = 0
    stop_sequence: str | None = None
    explanation: str | None = None
    logprobs: list[Any] | None = None


class Reply(msgspec.Struct, kw_only=True):
    """A whole reply."""

    answers: list[Answer]
    id: str = ""
    model: str = ""
    created: int | None = None
    fingerprint: str | None = None
    count: Count | None = None


class Begun(msgspec.Struct, kw_only=True):
    """A stream has begun."""

    id: str = ""
    model: str = ""
    created: int | None = None
    fingerprint: str | None = None


class Said(msgspec.Struct):
    """More of a text, a thought or a refusal of one choice."""

    kind: Literal["text", "thought", "refusal"]
    choice: int
    text: str
    logprobs: list[Any] | None = None


class Signed(msgspec.Struct):
    """The thought that was said last is signed; a hidden one has nothing but its signature."""

    choice: int
    origin: Origin
    signature: str
    hidden: bool = False


class Called(msgspec.Struct):
    """A call begins; `index` counts the calls of a choice from 0."""

    choice: int
    index: int
    id: str
    name: str
    signature: str = ""


class Argued(msgspec.Struct):
    """More of a call's arguments, as JSON source text."""

    choice: int
    index: int
    text: str


class PartEnded(msgspec.Struct):
    """What was being said, thought or called is whole."""

    choice: int


class Stopped(msgspec.Struct):
    """A choice has come to its end."""

    choice: int
    stop: Stop
    stop_sequence: str | None = None
    explanation: str | None = None


class Counted(msgspec.Struct):
    """Tokens as far as the upstream has counted."""

    count: Count


class Failed(msgspec.Struct):
    """The upstream says in the middle of its stream that it failed."""

    message: str
    is_overload: bool = False


class Ended(msgspec.Struct):
    """The stream has come to its proper end."""


Event = Begun | Said | Signed | Called | Argued | PartEnded | Stopped | Counted | Failed | Ended
