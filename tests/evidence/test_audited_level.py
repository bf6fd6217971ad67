"""V4: which audits and findings lift a replicated label, what each lack says, and who can lie about it."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from audit_statements import (
    AUDIT_PARTIES,
    AUDITOR,
    PERSON,
    ROOT,
    TRUST,
    covering,
    declaration_of,
    finding_of,
    findings_of,
    matches,
    read_parts,
    reference,
)
from bundle_factory import ISSUED, ISSUER, READ, Recipe, begin_store, run_recipe
from party_factory import (
    CRITIC,
    REPLICATOR,
    STRANGER,
    USUAL,
    another_digest,
    dispute_of,
    make_party,
    model_that,
    policy,
    read_with,
    replica_recipe,
    replication_of,
    statement_of,
    withdrawal_of,
)
from verilabel.errors import CheckFailed, MalformedInput, SealError, UsageError
from verilabel.evaluation.labelling import count_answers, keep_given, require_counting
from verilabel.evidence import layout
from verilabel.evidence.container import Folder
from verilabel.evidence.others.attaching import attach_statements
from verilabel.evidence.others.audit import AUDIT_LIMIT
from verilabel.evidence.others.audited import counted_suites, is_judged
from verilabel.evidence.others.given import path_of, read_given
from verilabel.evidence.others.signed import Signed
from verilabel.evidence.requirements import Requirements, find_shortfalls
from verilabel.evidence.sealed.withholding import Choice, withhold_records
from verilabel.evidence.sealing import Sealing, seal_bundle
from verilabel.evidence.verification import Verification
from verilabel.evidence.verifier import verify_bundle
from verilabel.rubric.model import load_rubric


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_party(tmp_path_factory.mktemp("original"))


@pytest.fixture(scope="module")
def replication(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Signed:
    replica = make_party(tmp_path_factory.mktemp("replica"), replica_recipe(), model_that(11))
    return replication_of(original, replica)


ReadAs = Callable[..., Verification]


@pytest.fixture
def read_as(original: Path, replication: Signed) -> ReadAs:
    """Reads the replicated label with statements beside it; findings are there unless `alone`."""

    def read(*statements: Signed, alone: bool = False, **options: Any) -> Verification:
        more = () if alone else findings_of(original)
        asked = {"trust": TRUST, "now": READ, **options}
        return verify_bundle(original, statements=(replication, *more, *statements), **asked)

    return read


def why_not(found: Verification, kind: str = "audit") -> str:
    """Why the one statement of a kind does not count."""
    (statement,) = (s for s in found.statements if s.kind == kind)
    assert not statement.counts
    return statement.why


# -- reached ---------------------------------------------------------------------------------------------------


def test_a_replicated_label_with_audit_and_findings_is_v4(original: Path, read_as: ReadAs) -> None:
    found = read_as(declaration_of(original))
    assert (None, "V4 audited", ()) == (found.failure, found.level_name, found.lacking_for_v4)
    assert AUDIT_LIMIT == found.reason
    assert 4 == sum(s.counts for s in found.statements)
    assert not {"contaminated", "self_audited"} & set(found.flags)
    says = next(s.says for s in found.statements if s.kind == "audit")
    assert "declared-training-data; 998 of 1000 documents read" == says


def test_a_gate_that_requires_v4_lets_it_pass_and_says_what_another_lacks(
    original: Path, read_as: ReadAs
) -> None:
    asked = Requirements(verification="V4")
    assert [] == find_shortfalls(read_as(declaration_of(original)), asked, now=READ)
    (short,) = find_shortfalls(read_as(), asked, now=READ)
    assert "V4 is required, this is V3 replicated: no statement on training data (V4)" == short.says


def test_statements_in_the_bundle_count_as_those_beside_it(
    original: Path, replication: Signed, tmp_path: Path
) -> None:
    bundle = shutil.copytree(original, tmp_path / "bundle")
    statements = (replication, declaration_of(original), *findings_of(original))
    assert 4 == len(attach_statements(bundle, statements).added)
    assert "V4" == verify_bundle(bundle, trust=TRUST, now=READ).level


def test_a_later_audit_of_the_same_data_set_completes_an_earlier_one(original: Path, read_as: ReadAs) -> None:
    _, plan = read_parts(original)
    quiz, puzzles = covering(plan)
    halves = (
        declaration_of(original, contamination=(quiz,)),
        declaration_of(original, contamination=(puzzles,)),
    )
    assert "V4" == read_as(*halves).level
    assert "V3" == read_as(halves[0]).level


# -- lacking ---------------------------------------------------------------------------------------------------


def test_a_replicated_label_alone_names_all_that_it_lacks(read_as: ReadAs) -> None:
    found = read_as(alone=True)
    lacking = (
        "no statement on training data",
        "no statement on elicitation",
        "no statement on governance",
    )
    assert ("V3", lacking) == (found.level, found.lacking_for_v4)
    assert f"{'; '.join(lacking)} (V4)" == found.reason


def test_without_a_replication_nothing_else_lifts_the_label(original: Path) -> None:
    found = read_with(original, declaration_of(original), *findings_of(original), trust=TRUST)
    assert ("V2", ()) == (found.level, found.lacking_for_v4)
    assert "no independent replication" in found.reason


def test_each_finding_is_needed(original: Path, read_as: ReadAs) -> None:
    elicitation, governance = findings_of(original)
    for given, missing in ((elicitation, "governance"), (governance, "elicitation")):
        found = read_as(declaration_of(original), given, alone=True)
        assert ("V3", (f"no statement on {missing}",)) == (found.level, found.lacking_for_v4)


@pytest.mark.parametrize(
    ("changes", "lack"),
    [
        ({"contamination": ()}, "no statement on test/puzzles@1.0.0 in the data set"),
        ({"relation": "declared-fine-tuning-data"}, "other than that of fine-tuning"),
        ({"relation": "audited"}, "does not say that the system was trained on it"),
    ],
)
def test_an_audit_that_leaves_something_open_is_not_enough(
    original: Path, read_as: ReadAs, changes: dict[str, Any], lack: str
) -> None:
    found = read_as(declaration_of(original, **changes))
    assert "V3" == found.level
    assert lack in found.reason


@pytest.mark.parametrize("forged", [{"benchmark": "test/quiz@1.0.1"}, {"benchmark_sha256": another_digest()}])
def test_a_suite_of_another_name_or_digest_is_not_the_label_s(
    original: Path, read_as: ReadAs, forged: dict[str, Any]
) -> None:
    _, plan = read_parts(original)
    table = [msgspec.structs.replace(m, **forged) if "quiz" in m.benchmark else m for m in covering(plan)]
    found = read_as(declaration_of(original, contamination=tuple(table)))
    assert ("V3", (f"no statement on test/quiz@1.0.0 in the data set {ROOT[:19]}",)) == (
        found.level,
        found.lacking_for_v4,
    )


def test_a_suite_that_was_looked_for_in_part_is_not_covered(original: Path, read_as: ReadAs) -> None:
    _, plan = read_parts(original)
    found = read_as(declaration_of(original, contamination=covering(plan, items=10)))
    assert ("V3", (f"no statement on all 20 samples of test/quiz@1.0.0 in the data set {ROOT[:19]}",)) == (
        found.level,
        found.lacking_for_v4,
    )


def test_a_suite_of_which_nothing_can_be_told_from_chance_is_not_covered(
    original: Path, read_as: ReadAs
) -> None:
    _, plan = read_parts(original)
    quiz, puzzles = covering(plan)
    for unchecked, level in ((20, "V3"), (19, "V4")):
        unsure = msgspec.structs.replace(quiz, unchecked=unchecked)
        assert level == read_as(declaration_of(original, contamination=(unsure, puzzles))).level


def test_another_data_set_has_to_be_looked_through_as_well(original: Path, read_as: ReadAs) -> None:
    other = another_digest("the data of fine-tuning")
    second = declaration_of(
        original,
        audit=reference(dataset_root=other),
        relation="declared-fine-tuning-data",
        contamination=(matches(),),
    )
    found = read_as(declaration_of(original), second)
    assert "V3" == found.level
    assert [
        f"no statement on {s} in the data set {other[:19]}" for s in ("test/puzzles@1.0.0", "test/quiz@1.0.0")
    ] == (sorted(found.lacking_for_v4))


def test_a_long_list_of_lacks_is_cut_in_the_sentence_alone(original: Path, read_as: ReadAs) -> None:
    sets = [another_digest(str(number)) for number in range(3)]
    audits = [declaration_of(original, audit=reference(dataset_root=root), contamination=()) for root in sets]
    found = read_as(*audits)
    assert 6 == len(found.lacking_for_v4)
    assert "; and 1 more (V4)" in found.reason


# -- who and when ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [-1, 0])
def test_an_audit_ends_at_its_border(original: Path, read_as: ReadAs, seconds: int) -> None:
    found = read_as(declaration_of(original, until=READ - timedelta(seconds=seconds)))
    if seconds:
        assert "V4" == found.level
    else:
        assert ("V3", "it expired on 22 November 2026") == (found.level, why_not(found))
        assert "the audit of auditor.example" not in found.reason
        assert "the audit of Auditor does not count: it expired on 22 November 2026" in found.reason


def test_a_finding_ends_at_its_border(original: Path, read_as: ReadAs) -> None:
    other = finding_of(original, "governance")
    for until, level in ((READ + timedelta(seconds=1), "V4"), (READ, "V3")):
        found = read_as(
            declaration_of(original), finding_of(original, "elicitation", until=until), other, alone=True
        )
        assert level == found.level
    assert ("the finding 'elicitation' of A person does not count: it expired on 22 November 2026",) == (
        found.lacking_for_v4
    )


def test_what_is_dated_in_the_future_does_not_count(original: Path, read_as: ReadAs) -> None:
    later = READ + timedelta(seconds=1)
    found = read_as(declaration_of(original, issued=later))
    assert ("V3", "it is dated in the future") == (found.level, why_not(found))


def test_an_audit_of_another_system_does_not_count(original: Path, read_as: ReadAs, tmp_path: Path) -> None:
    elsewhere = make_party(tmp_path, Recipe(system={"use_case": "tutoring"}))
    found = read_as(declaration_of(elsewhere))
    assert ("V3", "it is about another system") == (found.level, why_not(found))


@pytest.mark.parametrize("key", [STRANGER, PERSON, CRITIC, REPLICATOR, ISSUER])
def test_who_is_not_named_for_audits_audits_nothing(original: Path, read_as: ReadAs, key: Any) -> None:
    found = read_as(declaration_of(original, key))
    assert "V3" == found.level
    assert "the trust policy: " in why_not(found)


def test_who_is_named_for_audits_alone_finds_nothing(original: Path, read_as: ReadAs) -> None:
    found = read_as(
        declaration_of(original),
        finding_of(original, "elicitation", AUDITOR),
        finding_of(original, "governance"),
        alone=True,
    )
    assert "V3" == found.level
    assert "Auditor counts, but not for the role attestations" in found.reason


def test_without_a_policy_no_audit_counts(original: Path) -> None:
    found = read_with(original, declaration_of(original), *findings_of(original))
    assert "V2" == found.level
    assert {"no trust policy says whose key that is"} == {s.why for s in found.statements}


def test_a_withdrawn_audit_or_finding_does_not_count(original: Path, read_as: ReadAs) -> None:
    audit = declaration_of(original)
    found = read_as(audit, withdrawal_of(audit.attestation.digest, AUDITOR))
    assert ("V3", "its signer withdrew it") == (found.level, why_not(found))
    assert "V4" == read_as(audit, withdrawal_of(audit.attestation.digest, STRANGER)).level
    governance = finding_of(original, "governance")
    found = read_as(audit, withdrawal_of(governance.attestation.digest, PERSON))
    assert ("V3", True) == (found.level, "its signer withdrew it" in found.reason)


def test_an_open_dispute_keeps_a_label_from_v4_until_it_is_withdrawn(original: Path, read_as: ReadAs) -> None:
    audit, dispute = declaration_of(original), dispute_of(statement_of(original))
    found = read_as(audit, dispute)
    assert ("V3", ("it is disputed",)) == (found.level, found.lacking_for_v4)
    assert "V4" == read_as(audit, dispute_of(statement_of(original), STRANGER)).level
    assert "V4" == read_as(audit, dispute, withdrawal_of(dispute.attestation.digest, CRITIC)).level


@pytest.mark.parametrize(("key", "name"), [(ISSUER, "Lab again"), (AUDITOR, " lAB ")])
def test_who_audits_their_own_label_is_flagged(original: Path, read_as: ReadAs, key: Any, name: str) -> None:
    rest = [party for party in AUDIT_PARTIES if party[0] is not AUDITOR]
    trust = policy(*rest, (key, repr(name), "audits"))
    found = read_as(declaration_of(original, key), trust=trust)
    assert ("V4", True) == (found.level, "self_audited" in found.flags)


def test_found_items_of_the_label_s_own_suites_are_flagged(original: Path, read_as: ReadAs) -> None:
    _, plan = read_parts(original)
    dirty = declaration_of(original, contamination=covering(plan, items_matched=1, documents=2))
    assert ("V4", True) == ((found := read_as(dirty)).level, "contaminated" in found.flags)
    of_another = declaration_of(original, contamination=(*covering(plan), matches()))
    assert "contaminated" not in read_as(of_another).flags
    by_stranger = declaration_of(original, STRANGER, contamination=dirty.attestation.predicate.contamination)  # type: ignore[union-attr]
    assert "contaminated" not in read_as(by_stranger).flags


# -- in a bundle -----------------------------------------------------------------------------------------------


def test_what_is_about_another_system_is_not_attached(original: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(original, tmp_path / "bundle")
    other = finding_of(original, "governance", about=another_digest("another system"))
    for statement in (other, declaration_of(original, relation="audited")):
        with pytest.raises(CheckFailed, match="about another system"):
            attach_statements(bundle, [statement])
    with pytest.raises(UsageError, match="no statement about its label"):
        attach_statements(bundle, [finding_of(original, "review")])
    assert not (bundle / layout.STATEMENTS).exists()


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda b: finding_of(b, "governance", about=another_digest("another system")), SealError),
        (lambda b: declaration_of(b, relation="audited"), SealError),
        (lambda b: finding_of(b, "review"), MalformedInput),
    ],
    ids=["another system", "a data set", "another name"],
)
def test_what_does_not_belong_in_a_bundle_fails_the_step(
    original: Path, tmp_path: Path, make: Callable[[Path], Signed], error: type[Exception]
) -> None:
    bundle = shutil.copytree(original, tmp_path / "bundle")
    signed = make(original)
    (bundle / layout.STATEMENTS).mkdir()
    (bundle / layout.STATEMENTS / signed.file_name).write_bytes(signed.data)
    found = verify_bundle(bundle, trust=TRUST, now=READ)
    assert (11, error) == (
        next(step.number for step in found.steps if step.outcome == "failed"),
        type(found.failure),
    )


UNLOGGED = Recipe(log_key=None)


def seal_with(folder: Path, *given: Signed, recipe: Recipe = USUAL) -> Path:
    """A bundle whose label was made with statements about its system."""
    store, suites, log = begin_store(folder, recipe)
    with store:
        asyncio.run(run_recipe(recipe, store, suites, log))
        keep_given(store, given)
        seal_bundle(store, count_answers(store), folder / "bundle", Sealing(ISSUER, log, ISSUED))
    return folder / "bundle"


EARLY = ISSUED - timedelta(days=1)


def test_an_audit_that_was_given_to_the_label_is_sealed_with_it_and_counts(
    original: Path, tmp_path: Path
) -> None:
    audit = declaration_of(original, issued=EARLY)
    bundle = seal_with(tmp_path / "made", audit)
    assert (audit.data,) == tuple(item.data for item in read_given(Folder(bundle)).audits)
    replica = make_party(tmp_path / "replica", replica_recipe(), model_that(11))
    beside = (replication_of(bundle, replica), *findings_of(bundle))
    assert "V4" == verify_bundle(bundle, trust=TRUST, now=READ, statements=beside).level
    (bundle / path_of(audit)).unlink()
    (bundle / layout.GIVEN).rmdir()
    left_out = verify_bundle(bundle, trust=TRUST, now=READ, statements=beside)
    assert ("V0", MalformedInput) == (left_out.level, type(left_out.failure))


def test_a_given_audit_that_was_withdrawn_leaves_the_label_in_force(original: Path, tmp_path: Path) -> None:
    audit = declaration_of(original, issued=EARLY)
    bundle = seal_with(tmp_path / "made", audit)
    attach_statements(bundle, [withdrawal_of(audit.attestation.digest, AUDITOR)])
    found = verify_bundle(bundle, trust=TRUST, now=READ)
    assert ("V2", None, "its signer withdrew it") == (found.level, found.failure, why_not(found))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"relation": "audited"}, "does not say that the system was trained on it"),
        ({"until": ISSUED}, "it expired on 01 January 2026"),
        ({"issued": ISSUED + timedelta(seconds=1)}, "it is signed only on 01 January 2026"),
    ],
)
def test_an_audit_that_does_not_count_is_not_sealed_into_a_label(
    original: Path, tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    audit = declaration_of(original, **{"issued": EARLY, **changes})
    with pytest.raises(UsageError, match=why):
        seal_with(tmp_path / "made", audit)
    assert not (tmp_path / "made" / "bundle").exists()
    system, _ = read_parts(original)
    with pytest.raises(UsageError, match=why):
        require_counting([audit], load_rubric(Recipe().rubric.encode(), "rubric"), system.digest, ISSUED)


# -- whose scores ----------------------------------------------------------------------------------------------


def read_plan_and_label(original: Path) -> tuple[Any, Any]:
    found = verify_bundle(original, now=READ)
    return found.plan, found.label


@pytest.mark.parametrize(
    ("card", "judged"),
    [
        ({}, False),
        ({"exact": False}, False),
        ({"exact": False, "id": "judge:openai/example"}, True),
        ({"exact": False, "setting": "inspect_ai/model_graded_qa"}, True),
        ({"setting": "a pattern"}, False),
    ],
)
def test_scores_of_a_judge_are_known_by_its_detector(
    original: Path, card: dict[str, Any], judged: bool
) -> None:
    plan, label = read_plan_and_label(original)
    cards = tuple(msgspec.structs.replace(detector, **card) for detector in plan.detectors)
    renamed = {old.name: new.name for old, new in zip(plan.detectors, cards, strict=True)}
    measures = tuple(msgspec.structs.replace(m, detector=renamed[m.detector]) for m in plan.measures)
    changed = msgspec.structs.replace(plan, detectors=cards, measures=measures)
    assert judged is is_judged(changed, label, 0)
    assert is_judged(changed, label, 1)


def test_a_suite_on_which_no_row_decides_needs_no_audit(original: Path) -> None:
    plan, label = read_plan_and_label(original)
    assert ["test/puzzles@1.0.0", "test/quiz@1.0.0"] == sorted(s.suite for s in counted_suites(plan, label))
    level = label.levels[0]
    assert ["test/quiz@1.0.0"] == [
        s.suite for s in counted_suites(plan, msgspec.structs.replace(label, levels=(level,)))
    ]
    empty = tuple(msgspec.structs.replace(row, n=0) for row in level.rows)
    bare = msgspec.structs.replace(level, rows=empty)
    assert [] == counted_suites(plan, msgspec.structs.replace(label, levels=(bare,)))


def test_what_is_lacking_is_in_the_findings_json(original: Path, read_as: ReadAs) -> None:
    from verilabel.cli.verify import document_of

    document = json.loads(json.dumps(document_of(read_as())))
    assert ["no statement on training data"] == document["lacking_for_v4"]


def test_a_bundle_whose_audit_has_ended_can_still_be_sealed_again(original: Path, tmp_path: Path) -> None:
    audit = declaration_of(original, issued=EARLY, until=ISSUED + timedelta(days=1))
    bundle = seal_with(tmp_path / "made", audit, recipe=UNLOGGED)
    chosen = Choice(everything=True)
    done = Sealing(ISSUER, None, ISSUED + timedelta(days=2))
    withhold_records(bundle, tmp_path / "sealed", tmp_path / "openings", chosen, done)
    assert (audit.data,) == tuple(item.data for item in read_given(Folder(tmp_path / "sealed")).audits)
