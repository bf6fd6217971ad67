"""Which targets of a route a request may use: by their labels, and by what the request would change of their scope."""

from __future__ import annotations

from verilabel.gateway.admission.interface import FLAGGED
from verilabel.gateway.pipeline.exchange import Exchange
from verilabel.gateway.pipeline.receiving import refuse
from verilabel.gateway.pipeline.snapshot import RouteTarget
from verilabel.gateway.pipeline.using import in_use
from verilabel.gateway.verdicts import Refused


def admit(exchange: Exchange) -> None:
    """Keep the targets that the labels admit. Raises Refused (403) where none is left."""
    route = exchange.route
    assert route is not None
    admission = exchange.plan.admission
    reasons: list[str] = []
    for target in route.targets:
        standing = admission.standing(route.name, target.index)
        objections = standing.reasons
        if standing.admitted and exchange.plan.reads_scope:
            found = admission.objections(route.name, target.index, in_use(exchange, target))
            objections = tuple(each for each in found if not each.startswith(FLAGGED))
            exchange.scope_flags[target.index] = tuple(
                each.removeprefix(FLAGGED) for each in found if each.startswith(FLAGGED)
            )
        if not standing.admitted or objections:
            reasons += [each for each in objections if each not in reasons]
        else:
            exchange.targets.append(target)
            exchange.standings[target.index] = standing
    if not exchange.targets:
        raise _not_admitted(exchange, tuple(reasons))


def admit_again(exchange: Exchange) -> None:
    """Keep the targets that the labels still admit, after a request has waited. Raises Refused (403)."""
    route = exchange.route
    assert route is not None
    standings = [exchange.plan.admission.standing(route.name, each.index) for each in exchange.targets]
    reasons = tuple(dict.fromkeys(reason for standing in standings for reason in standing.reasons))
    kept = [each for each, standing in zip(exchange.targets, standings, strict=True) if standing.admitted]
    if not kept:
        raise _not_admitted(exchange, reasons)
    exchange.targets = kept


def _not_admitted(exchange: Exchange, reasons: tuple[str, ...]) -> Refused:
    exchange.admission = reasons
    said = "no label admits this model here: " + "; ".join(reasons[:5])
    return refuse(403, "policy", "label_not_admitted", said, where="$.model")


def choose_standing(exchange: Exchange, target: RouteTarget) -> None:
    """Note label and flags of the target that answers, as they stood when it was admitted."""
    standing = exchange.standings[target.index]
    exchange.label = standing.label
    exchange.label_digest = standing.label_digest
    exchange.admission = standing.flags + exchange.scope_flags.get(target.index, ())
