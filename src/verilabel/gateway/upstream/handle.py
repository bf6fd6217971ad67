"""An upstream as the pipeline holds it: its client, its health, and what it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from verilabel.gateway.policy.document import Upstream
from verilabel.gateway.upstream.health import Health
from verilabel.gateway.upstream.interface import UpstreamClient

MAX_MODELS = 256
"""Models of one upstream whose failures are remembered; clients may name any."""


@dataclass(frozen=True)
class UpstreamHandle:
    """One upstream. Two snapshots share it where its words in the configuration are the same."""

    written: Upstream
    client: UpstreamClient
    health: Health = field(default_factory=Health)
    models: dict[str, Health] = field(default_factory=dict)
    """Health of single models that failed of late: one that gives errors does not rest its neighbours."""

    @property
    def id(self) -> str:
        """Its name in the configuration."""
        return self.written.id

    def may_ask(self, model: str, now: float) -> bool:
        """True if the upstream may be asked for this model; see `Health.may_ask`."""
        of_model = self.models.get(model) if self.models else None
        if of_model is not None and not of_model.may_ask(now):
            return False
        if self.health.may_ask(now):
            return True
        if of_model is not None:
            of_model.note_abandoned()
        return False

    def note_success(self, model: str) -> None:
        """It answered."""
        self.health.note_success()
        if self.models:
            self.models.pop(model, None)

    def note_failure(self, model: str, now: float, *, is_whole: bool) -> None:
        """It failed: the whole upstream (no connection, the key refused), or this model alone."""
        if is_whole:
            self.health.note_failure(now)
            return
        self.health.note_success()  # something is there and speaks
        of_model = self.models.get(model)
        if of_model is None:
            if len(self.models) >= MAX_MODELS:
                del self.models[next(iter(self.models))]
            of_model = self.models[model] = Health()
        of_model.note_failure(now)

    def note_abandoned(self, model: str) -> None:
        """It is not known whether it would have answered."""
        self.health.note_abandoned()
        if model in self.models:
            self.models[model].note_abandoned()
