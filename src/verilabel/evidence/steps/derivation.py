"""Steps 6 to 9: plan, evidence, counts and label follow from each other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import partial
from itertools import chain

from verilabel.errors import SealError
from verilabel.evidence import layout
from verilabel.evidence.container import Container
from verilabel.evidence.counting import Recount, recount
from verilabel.evidence.lines import EvidenceLine
from verilabel.evidence.merkle import leaf_hashes, root_of
from verilabel.evidence.others.given import objection_to_finding, read_given
from verilabel.evidence.plan_checks import check_against_rubric, flags_of_cards, flags_of_suites
from verilabel.evidence.reading import (
    evidence_blocks,
    read_document,
    read_indexes,
)
from verilabel.evidence.references import find_disagreement
from verilabel.evidence.results import measures_bytes
from verilabel.evidence.statement import parse_time
from verilabel.evidence.steps.state import State, does_not_follow
from verilabel.evidence.suite_checks import check_index, read_suite_files
from verilabel.evidence.surplus import walk_surplus
from verilabel.records.canonical import digest
from verilabel.records.plan import Plan
from verilabel.rubric.decide import decide
from verilabel.rubric.structure import Rubric

# -- 6 ------------------------------------------------------------------------------------------------------------


def check_plan(state: State) -> str:
    assert state.plan is not None and state.system is not None and state.rubric is not None, "step 4 passed"
    plan = state.plan
    if plan.system_sha256 != state.system.digest:
        raise SealError("the plan is for another system", where=layout.PLAN)
    if plan.rubric != state.rubric.reference:
        raise SealError("the plan is for another rubric", where=layout.PLAN)
    check_against_rubric(plan, state.rubric, state.system)
    if state.find_card is not None:
        state.flags.extend(flags_of_cards(plan, state.find_card))
    if state.find_suite is not None:
        state.flags.extend(flags_of_suites(plan, state.find_suite, partial(_enclosed_suite, state)))
    for stream in plan.streams:
        path, index = layout.suite_files(stream.suite)
        if digest(read_document(state.container, path)) != stream.suite_sha256:
            raise SealError(f"suite {stream.suite} is not the planned one", where=path)
        if digest(read_document(state.container, index)) != stream.index_sha256:
            raise SealError(f"the index of {stream.suite} is not the planned one", where=index)
    state.suites = read_suite_files(state.container, plan)
    return f"{plan.design} design, {len(plan.streams)} suites, {len(plan.measures)} measures"


def _enclosed_suite(state: State, name: str) -> bytes:
    return read_document(state.container, layout.suite_files(name)[0])


# -- 7 and 8 ------------------------------------------------------------------------------------------------------


def check_evidence(state: State) -> str:
    assert state.plan is not None and state.manifest is not None and state.evidence_digest is not None
    plan = state.plan
    indexes = read_indexes(state.container, plan)
    for stream in plan.streams:
        check_index(stream, indexes[stream.suite], state.suites[stream.suite])
    hashes: list[bytes] = []
    lines = chain.from_iterable(_hashed_blocks(state.container, hashes))
    try:
        state.recounted = recount(plan, indexes, lines)
    except SealError as error:
        # step 8's finding; first it must be known whether the lines are the signed ones
        state.departure = error
    deque(lines, maxlen=0)  # to the end, where the walk left them
    state.leaves, state.root = len(hashes), "sha256:" + root_of(hashes).hex()
    listed = next(e.sha256 for e in state.manifest.entries if e.path == layout.EVIDENCE)
    if state.evidence_digest.result() != listed:
        raise SealError("the file was changed: it does not have its digest", where=layout.EVIDENCE)
    if state.statement is not None:
        signed = state.statement.predicate.evidence
        if (signed.root, signed.leaves) != (state.root, state.leaves):
            raise SealError("the evidence does not hash to the signed Merkle root", where=layout.EVIDENCE)
    withheld = "" if state.recounted is None else _check_surplus_and_commitments(state, state.recounted)
    return f"{state.leaves} records under {state.root[:19]}...{withheld}"


def _check_surplus_and_commitments(state: State, recounted: Recount) -> str:
    """Commitments stand where the manifest says so, each once; in words, how many there are in the evidence."""
    assert state.manifest is not None, "step 2 passed"
    surplus = walk_surplus(state.container, recounted.streams)
    state.hidden = surplus.hidden
    counts = {layout.EVIDENCE: len(recounted.commitments), layout.SURPLUS: len(surplus.commitments)}
    for entry in state.manifest.entries:
        count = counts.get(entry.path, 0)
        if entry.visibility != ("sealed" if count else "public"):
            raise SealError(
                f"the manifest calls it {entry.visibility}, and it has {count} commitments", where=entry.path
            )
    if not any(counts.values()):
        return ""
    if len({*recounted.commitments, *surplus.commitments}) != sum(counts.values()):
        raise SealError("a commitment stands twice", where=layout.EVIDENCE)
    state.flags.append("sealed_records")
    if not recounted.commitments:
        return ""
    count = len(recounted.commitments)
    state.short_of["V2s"] = f"{count} records are withheld: only their openings show what they hold"
    return f", {count} of them withheld"


def _hashed_blocks(container: Container, hashes: list[bytes]) -> Iterator[list[EvidenceLine]]:
    for block, records in evidence_blocks(container):
        hashes.extend(leaf_hashes(block.split(b"\n")[:-1]))
        yield records


def check_recount(state: State) -> str:
    if state.departure is not None:
        does_not_follow(
            state,
            f"the evidence does not follow the plan: {state.departure.message}",
            state.departure.where or layout.EVIDENCE,
        )
    assert state.recounted is not None and state.plan is not None, "step 7 passed"
    if state.hidden is not None:
        does_not_follow(state, "an attempt at a counted answer was kept out of the count", state.hidden)
    if measures_bytes(state.recounted) != read_document(state.container, layout.MEASURES):
        does_not_follow(state, "the bundle's counts are not those of its evidence", layout.MEASURES)
    if state.plan.design == "fixed":
        for stream in state.recounted.streams:
            if stream.consumed != stream.length:
                does_not_follow(
                    state,
                    f"a fixed plan stopped {stream.stream.suite} after {stream.consumed} of {stream.length} answers",
                    layout.EVIDENCE,
                )
    if len(state.recounted.served) > 1:
        state.flags.append("served_model_varied")
    if state.recounted.set_aside:
        state.flags.append("responses_set_aside")
    if state.recounted.judged_again:
        state.flags.append("judge_asked_again")
    answers = sum(stream.consumed for stream in state.recounted.streams)
    return f"{answers} answers counted again in the committed order"


# -- 9 -----------------------------------------------------------------------------------------------------------------


def check_label(state: State) -> str:
    assert (
        state.recounted is not None
        and state.rubric is not None
        and state.plan is not None
        and state.label is not None
    )
    derived = decide(
        state.rubric,
        state.recounted.tallies(),
        design=state.plan.design,
        attested=_count_given(state, state.rubric),
        references=state.plan.reference_tallies(),
    )
    if derived.bytes() != state.label.bytes():
        does_not_follow(
            state,
            f"the label does not follow from the evidence, which gives: {derived.sentence}",
            layout.LABEL,
        )
    state.flags.extend(derived.flags)
    _check_references(state, state.plan)
    return derived.sentence


def _count_given(state: State, rubric: Rubric) -> list[str]:
    """Names of the findings that the label may lean on: about this system, as the rubric asks, by keys that count."""
    assert state.system is not None, "step 4 passed"
    state.given, state.given_audits = read_given(state.container)
    moment = state.now
    if state.statement is not None:
        moment = parse_time(state.statement.predicate.issued, where=layout.ATTESTATION)
    for name, signed in state.given.items():
        if (why := objection_to_finding(signed, rubric, state.system.digest, moment)) is not None:
            does_not_follow(
                state, f"the finding {name!r} did not count when the label was made: {why}", layout.GIVEN
            )
        if state.signer_key is not None and signed.signer.keyid == state.signer_key.keyid:
            state.flags.append("self_attested")
        if state.trust is None:
            state.flags.append("attestor_unpinned")
            continue
        verdict = state.trust.accepts(
            signed.signer, role="attestations", rubric=rubric.id, system=state.system.name
        )
        if not verdict.accepted:
            does_not_follow(
                state,
                f"the finding {name!r} is signed by a key that does not count: {verdict.reason}",
                layout.GIVEN,
            )
    return sorted(state.given)


def _check_references(state: State, plan: Plan) -> None:
    """The reference's counts are taken from the plan, and compared where its own bundle was verified."""
    for planned in plan.references:
        reference = next((v for v in state.references if v.manifest_sha256 == planned.manifest_sha256), None)
        if reference is None:
            state.flags.append("reference_not_recomputed")
            state.short_of["V2"] = (
                f"the counts of the reference system for {planned.tally.measure} are in another bundle; pass it too"
            )
        elif (disagreement := find_disagreement(planned, plan, reference)) is not None:
            does_not_follow(state, disagreement, layout.PLAN)
