"""Attempts at samples of a task of Inspect read again, for `verify --rescore`: the request, and the record."""

from __future__ import annotations

from verilabel.evaluation.inspect_backend.record import (
    as_pairs,
    encode_request,
    messages_of,
    read_response,
)
from verilabel.evaluation.inspect_backend.suite import task_of
from verilabel.models.dialects.dialect import Decoded
from verilabel.models.interface import ModelRequest
from verilabel.records.attempt import Failure
from verilabel.suites.loading import Suite


class InspectWire:
    """How the samples of one suite are asked of Inspect, and its records read (`evaluation.wire.Wire`).

    `suite` is loaded by `load_inspect_suite`, `model` the descriptor's `provider_model`. A record whose sample began
    with other messages than the suite's is malformed.
    """

    free: frozenset[str] = frozenset()
    read_fields: tuple[str, ...] = ("output", "finish", "served_model", "usage")

    def __init__(self, suite: Suite, model: str) -> None:
        self._task = task_of(suite.manifest)
        self._samples = {sample.id: sample for sample in suite.samples}
        self._digests = {entry.id: entry.sha256 for entry in suite.entries}
        self._model = model

    def encode(self, request: ModelRequest) -> bytes:
        """The body that asks for this sample. Raises KeyError for a sample that the suite has not."""
        sample = self._samples[request.sample]
        return encode_request(self._task, sample, self._digests[request.sample], request, self._model)

    def read(self, request: str, response: bytes) -> Decoded | Failure:
        """What the record says; never raises."""
        said, record = read_response(request, response)
        sample = self._samples.get(str(record.id)) if record is not None else None
        if record is None or isinstance(said, Failure):
            return said
        if sample is None or messages_of(record) != as_pairs(sample.messages):
            return Failure("malformed", "the record does not begin with the sample's messages")
        return said
