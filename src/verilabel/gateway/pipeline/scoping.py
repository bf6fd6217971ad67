"""What an upstream says it served, held against the label it was admitted by."""

from __future__ import annotations

from verilabel.gateway.admission.interface import FLAGGED
from verilabel.gateway.pipeline.exchange import Exchange
from verilabel.gateway.pipeline.receiving import refuse


def observe(exchange: Exchange) -> None:
    """Note served model and fingerprint. Raises Refused where they leave the label's scope and the policy blocks."""
    route, target = exchange.route, exchange.target
    if route is None or target is None:
        return
    admission = exchange.plan.admission
    objection = admission.observe(route.name, target.index, exchange.served_model, exchange.fingerprint)
    if objection is None:
        return
    if objection.startswith(FLAGGED):
        exchange.admission = (*exchange.admission, objection.removeprefix(FLAGGED))
        return
    exchange.outcome = "refused"
    raise refuse(403, "policy", "label_left", f"what was served is not what the label is for: {objection}")
