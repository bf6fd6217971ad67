"""What a rubric can be decided on: a design it allows, attestations it names, and counts that can be."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from verilabel.errors import MalformedInput, UsageError
from verilabel.records.plan import Design
from verilabel.records.tally import Tally
from verilabel.rubric.structure import Rubric


def check_inputs(
    rubric: Rubric, tallies: Mapping[str, Tally], design: Design, attested: Collection[str]
) -> None:
    """Refuse counts that cannot be or do not belong to the rubric; see `decide` for what is raised."""
    if design not in rubric.statistics.designs:
        raise UsageError(
            f"the rubric {rubric.id} is not decided with the design {design!r}",
            where="$.statistics.design",
            hint=f"it allows {', '.join(rubric.statistics.designs)}",
        )
    for name in attested:
        if name not in rubric.attestations:
            raise MalformedInput(f"the rubric {rubric.id} has no attestation {name!r}", where="attested")
    for key, tally in tallies.items():
        _check_tally(rubric, key, tally)


def _check_tally(rubric: Rubric, key: str, tally: Tally) -> None:
    where = f"tallies.{key}"
    measure = rubric.measures.get(key.partition("@")[0])
    if measure is None:
        raise MalformedInput(f"the rubric {rubric.id} has no measure {key!r}", where=where)
    if tally.measure not in (key, key.partition("@")[0]):
        raise MalformedInput(f"counts of {tally.measure!r} given for {key!r}", where=where)
    for name in ("unit", "population"):
        if getattr(tally, name) != getattr(measure, name):
            raise MalformedInput(
                f"{name} is {getattr(tally, name)!r}, the rubric says {getattr(measure, name)!r}",
                where=f"{where}.{name}",
            )
    if tally.complement != measure.negate:
        raise MalformedInput("the event and its absence are mixed up", where=f"{where}.complement")
    problem = _impossible(tally) or _impossible_errors(tally)
    if problem:
        raise MalformedInput(problem, where=where)


def _impossible(tally: Tally) -> str | None:
    if (
        min(tally.n, tally.events, tally.missing, tally.n_planned) < 0
        or tally.events + tally.missing > tally.n
    ):
        return f"{tally.events} events and {tally.missing} missing of {tally.n} answers cannot be"
    if tally.n > tally.n_planned > 0:
        return f"{tally.n} answers where the plan allows {tally.n_planned} cannot be"
    if tally.pool is not None and tally.n > tally.pool:
        return f"{tally.n} answers from a pool of {tally.pool} cannot be"
    if (tally.unit == "family") != bool(tally.clusters) and tally.n:
        return "counts of families come with their clusters, and only they do"
    return _impossible_clusters(tally)


def _impossible_clusters(tally: Tally) -> str | None:
    for cluster in tally.clusters:
        if min(cluster.events, cluster.missing, cluster.count) < 0 or cluster.size < 1:
            return "a cluster with a negative count or without answers cannot be"
        if cluster.events + cluster.missing > cluster.size:
            return "a cluster has more events and missing answers than answers"
    if tally.clusters:
        for name in ("events", "missing", "size"):
            total = sum(getattr(cluster, name) * cluster.count for cluster in tally.clusters)
            if total != getattr(tally, "n" if name == "size" else name):
                return f"the clusters' {name} do not add up to the whole"
    return None


def _impossible_errors(tally: Tally) -> str | None:
    errors = tally.errors
    if errors is None:
        return None
    if not (
        0 <= errors.true_positives <= errors.positives and 0 <= errors.true_negatives <= errors.negatives
    ):
        return "the judge's error counts cannot be"
    return None
