"""The system prompt of recorded requests, whether the bundle shows it or keeps it private."""

from __future__ import annotations

from verilabel.evaluation.wire import texts_of
from verilabel.evidence.container import Container
from verilabel.evidence.layout import SYSTEM_PROMPT
from verilabel.evidence.reading import read_document
from verilabel.records.canonical import digest
from verilabel.records.sample import Sample
from verilabel.records.system import SystemDescriptor


class SystemPromptText:
    """The system prompt's text: from the bundle or, where it was kept private, found in a request by its digest."""

    def __init__(self, container: Container, system: SystemDescriptor) -> None:
        self._digest = system.system_prompt
        self._text: str | None = None
        if SYSTEM_PROMPT in container.sizes:
            self._offer(read_document(container, SYSTEM_PROMPT).decode("utf-8", "replace"))

    def find(self, body: str, sample: Sample) -> str | None:
        """The text, or None where neither the bundle nor this request has it."""
        if self._text is None:
            tail = "".join("\n\n" + m.content for m in sample.messages if m.role == "system")
            for text in texts_of(body):
                self._offer(text)
                self._offer(text.removesuffix(tail))
        return self._text

    def _offer(self, text: str) -> None:
        if digest(text.encode("utf-8", "surrogatepass")) == self._digest:
            self._text = text
