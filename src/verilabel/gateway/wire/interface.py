"""What an API that clients speak gives the pipeline: where texts stand, how streams are rewritten, how errors look."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from verilabel.detectors.spans.interface import SpanFilter
from verilabel.errors import VerilabelError
from verilabel.gateway.verdicts import Field, Refusal, Usage


class Slot(NamedTuple):
    """A place in a decoded body where a text stands: `container[key]`, to be read and replaced there.

    Texts of the field `tool_arguments` are JSON source, unless `is_plain` says that this one is what it says: the
    input of a custom tool, a command, a string inside arguments that are a JSON object already.
    """

    container: Any
    key: Any
    field: Field
    role: str
    choice: int = 0
    is_plain: bool = False

    @property
    def text(self) -> str:
        """The text."""
        return str(self.container[self.key])


class OpenFilter(Protocol):
    """Gives the filter for one text of one field of one choice of a stream; None where nothing looks there.

    `is_plain` is as a Slot's; it is given only where it is True.
    """

    def __call__(self, field: Field, choice: int, *, is_plain: bool = False) -> SpanFilter | None:
        """Open a filter."""
        ...


class Passage(NamedTuple):
    """Text of a stream that has passed its filter, in the order it will be sent. Where a filter has a method
    `take_guarded`, it is what that gives: the text as the guards left it, before values were put back into it.

    `number` tells the texts of one field and choice apart (tool calls, blocks), which may come interleaved: how many
    had been opened before this one. `is_last` is True once for each text.
    """

    field: Field
    choice: int
    text: str
    is_last: bool = False
    number: int = 0


class MalformedStream(VerilabelError):
    """What the upstream sends is no stream of events, or holds an event that cannot be read."""


class StreamRewriter(Protocol):
    """Rewrites the events of one stream. What it gives out is always whole events.

    `usage`, `served_model`, `fingerprint` are what the stream has said so far; `is_complete` is True once the
    stream's own end was seen; `stopped` once a filter met a match that stops: nothing more is given out then, and
    the pipeline ends the stream. `take_passages` gives the texts released since the last call (for guards that read
    whole passages); it is empty unless `keeps_passages` was asked for.
    """

    usage: Usage | None
    served_model: str | None
    fingerprint: str | None
    is_complete: bool
    stopped: bool
    events: int

    @property
    def is_heavy(self) -> bool:
        """True where the next call may take more than some milliseconds: a large event, or many texts, may end."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Take what one socket read brought; give out what may be sent. Raises MalformedStream."""
        ...

    def finish(self) -> bytes:
        """The upstream has ended: give out what is held. Raises MalformedStream for a torn last event."""
        ...

    def take_passages(self) -> list[Passage]:
        """Released texts since the last call."""
        ...

    def filters(self) -> list[tuple[Field, int, SpanFilter]]:
        """The filters that were opened, with field and choice, for their matches."""
        ...


class ClientDialect(Protocol):
    """One API of one provider, as clients speak it to the gateway. Methods never keep or change a body unless said.

    `name` is `chat`, `responses`, `completions`, `embeddings` or `messages`; `path` where it is served, without a
    query; `provider_path` what is asked of an upstream of the same dialect, behind its base URL (which ends in /v1).
    """

    name: str
    path: str
    provider_path: str

    def check(self, body: dict[str, Any]) -> Refusal | None:
        """What keeps a decoded request from being one, with the place; unknown members are let through."""
        ...

    def wants_stream(self, body: dict[str, Any]) -> bool:
        """True if the client asks for a stream."""
        ...

    def input_slots(self, body: dict[str, Any]) -> list[Slot]:
        """Every place of a request where a text stands that a model would read."""
        ...

    def output_slots(self, reply: dict[str, Any]) -> list[Slot]:
        """Every place of a whole reply where a text stands that a client would read."""
        ...

    def count_media(self, body: dict[str, Any]) -> int:
        """Images, audio and files in a request."""
        ...

    def output_limit(self, body: dict[str, Any]) -> int | None:
        """The most output tokens the request allows, times the choices it asks for; None where it does not say."""
        ...

    def describe(self, body: dict[str, Any]) -> dict[str, Any]:
        """What conditions may ask of a request: `model`, `stream`, `media`, `tools` (names), `turns`, `system`
        (text), `params` (sampling parameters by the names a label's scope uses), `end_user`, `schema` (the JSON
        schema that the answer is to fit, `{}` for any JSON, or None)."""
        ...

    def set_system_prompt(self, body: dict[str, Any], text: str) -> None:
        """Put a system prompt before the client's own, in place."""
        ...

    def drop_echoes(self, reply: dict[str, Any]) -> None:
        """Take out of a whole reply, in place, what repeats its texts in another form: log probabilities and token
        ids. To be called where a text was changed."""
        ...

    def usage(self, reply: dict[str, Any]) -> Usage | None:
        """Tokens that a whole reply says were used."""
        ...

    def served(self, reply: dict[str, Any]) -> tuple[str | None, str | None]:
        """Model name and system fingerprint that a whole reply says."""
        ...

    def rewriter(self, open_filter: OpenFilter, *, keeps_passages: bool) -> StreamRewriter:
        """A rewriter for one stream."""
        ...

    def refusal_body(self, refusal: Refusal, request_id: str) -> bytes:
        """A refusal as this API's clients know errors."""
        ...

    def refusal_event(self, refusal: Refusal, request_id: str) -> bytes:
        """A refusal in the middle of a stream: whole events after which the stream ends."""
        ...

    def keep_alive(self) -> bytes:
        """What may be sent at any time between events without meaning anything."""
        ...
