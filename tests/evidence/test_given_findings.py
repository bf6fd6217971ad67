"""Findings that attested rows lean on: they lift the label they are for, and no other."""

from __future__ import annotations

import asyncio
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bundle_factory import ISSUED, ISSUER, LOG, READ, RUBRIC, Recipe, begin_store, fixed_key, run_recipe
from bundle_forgery import Forger, forge
from party_factory import STRANGER, another_digest, policy, sign_about, withdrawal_of
from verilabel.errors import CheckFailed, MalformedInput, SealError, UsageError
from verilabel.evaluation.labelling import count_answers, keep_given
from verilabel.evidence import layout
from verilabel.evidence.container import Folder
from verilabel.evidence.keys import PrivateKey
from verilabel.evidence.others.attaching import attach_statements
from verilabel.evidence.others.attestation import Dispute, Finding, signed_by
from verilabel.evidence.others.given import objection_to_finding, path_of, read_given
from verilabel.evidence.others.signed import Signed
from verilabel.evidence.sealing import Sealing, seal_bundle
from verilabel.evidence.statement import write_time
from verilabel.evidence.verifier import verify_bundle
from verilabel.rubric.model import load_rubric

PERSON = fixed_key("person", "person.example")
ATTESTED_RUBRIC = RUBRIC.replace(
    "scale:\n",
    "attestations:\n  review: {statement: A person read the answers., role: reviewer, max_age: P120D}\n"
    "  audit: {statement: The data was audited., role: auditor}\nscale:\n",
).replace(
    '- {id: L1, name: Basic, when: {all: [{measure: quiz.right, op: ">=", value: 0.30}]}}',
    '- {id: L1, name: Basic, when: {all: [{measure: quiz.right, op: ">=", value: 0.30}, {attested: review}]}}',
)
SYSTEM = another_digest("to be replaced")
TRUST = policy((ISSUER, "Lab", "labels"), (LOG, "Log", "log"), (PERSON, "A person", "attestations"))


def finding_about(
    system: str,
    key: PrivateKey = PERSON,
    *,
    name: str = "review",
    role: str = "reviewer",
    issued: datetime = ISSUED - timedelta(days=1),
    days: int = 1000,
) -> Signed:
    until = write_time(issued + timedelta(days=days))
    return sign_about(system, Finding(name, role, "read", (), until, *signed_by(key.public, issued)), key)


def make_with(folder: Path, *given: Signed, at: datetime = ISSUED, days: int | None = None) -> Path:
    """A bundle whose label leans on findings; a finding about no system yet is signed again for this one."""
    recipe = Recipe(rubric=ATTESTED_RUBRIC, issued=at)
    store, suites, log = begin_store(folder, recipe)
    with store:
        asyncio.run(run_recipe(recipe, store, suites, log))
        keep_given(store, given)
        seal_bundle(store, count_answers(store), folder / "bundle", Sealing(ISSUER, log, at))
    return folder / "bundle"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the factory's system."""
    found = verify_bundle(make_with(tmp_path_factory.mktemp("bare")), now=READ)
    assert (None, "U") == (found.failure, found.label and found.label.lower)
    assert found.system is not None
    return found.system.digest


@pytest.fixture(scope="module")
def leaning(tmp_path_factory: pytest.TempPathFactory, system: str) -> Path:
    return make_with(tmp_path_factory.mktemp("leaning"), finding_about(system))


MOMENT = ISSUED + timedelta(days=30)


def test_an_attested_row_is_met_by_a_finding_of_its_role(leaning: Path) -> None:
    found = verify_bundle(leaning, trust=TRUST, now=MOMENT)
    assert (None, "V2") == (found.failure, found.level)
    assert found.label is not None
    assert "L2" == found.label.lower
    assert not {"self_attested", "attestor_unpinned"} & set(found.flags)
    rows = [row for level in found.label.levels for row in level.rows if row.attested]
    assert [("review", "met")] == [(row.attested, row.status) for row in rows]


def test_without_a_policy_the_flag_says_that_nobody_vouches_for_the_attestor(leaning: Path) -> None:
    found = verify_bundle(leaning, now=MOMENT)
    assert (None, "V2", True) == (found.failure, found.level, "attestor_unpinned" in found.flags)


def test_a_policy_that_does_not_name_the_attestor_keeps_the_label_below_v2(leaning: Path) -> None:
    found = verify_bundle(leaning, trust=policy((ISSUER, "Lab", "labels"), (LOG, "Log", "log")), now=MOMENT)
    assert "V1" == found.level
    assert isinstance(found.failure, CheckFailed)
    assert "signed by a key that does not count" in found.failure.message


def test_who_attests_to_their_own_label_is_flagged(tmp_path: Path, system: str) -> None:
    found = verify_bundle(make_with(tmp_path, finding_about(system, ISSUER)), now=MOMENT)
    assert (None, True) == (found.failure, "self_attested" in found.flags)


def test_a_label_is_out_of_force_when_what_it_leans_on_is(leaning: Path) -> None:
    before, after = ISSUED + timedelta(days=118), ISSUED + timedelta(days=120)
    assert verify_bundle(leaning, trust=TRUST, now=before).failure is None
    found = verify_bundle(leaning, trust=TRUST, now=after)
    assert "V0" == found.level
    assert found.failure is not None
    assert "step 10 (validity)" in found.failure.message
    assert "it expired on 30 April 2026" in found.failure.message


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"role": "auditor"}, "it is signed as 'auditor', the rubric asks for 'reviewer'"),
        ({"name": "praise"}, "does not ask for 'praise'"),
        ({"issued": ISSUED + timedelta(days=1)}, "it is signed only on 02 January 2026"),
        ({"issued": ISSUED - timedelta(days=121)}, "it expired on 31 December 2025"),
        ({"issued": ISSUED - timedelta(days=10), "days": 5}, "it expired on 27 December 2025"),
    ],
)
def test_a_finding_that_does_not_fit_is_refused_when_the_label_is_sealed(
    tmp_path: Path, system: str, changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(UsageError, match="does not count") as refused:
        make_with(tmp_path, finding_about(system, **changes))  # type: ignore[arg-type]
    assert reason in refused.value.message
    assert not (tmp_path / "bundle").exists()


def test_a_finding_about_another_system_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="about another system"):
        make_with(tmp_path, finding_about(another_digest("another system")))


def test_a_finding_that_its_signer_withdrew_ends_the_label(leaning: Path, tmp_path: Path) -> None:
    finding = read_given(Folder(leaning)).findings["review"]
    taken = withdrawal_of(finding.attestation.digest, PERSON, issued=ISSUED)
    copy = shutil.copytree(leaning, tmp_path / "copy")
    attach_statements(copy, [taken])
    for found in (
        verify_bundle(copy, trust=TRUST, now=MOMENT),
        verify_bundle(leaning, trust=TRUST, now=MOMENT, statements=[taken]),
    ):
        assert "V0" == found.level
        assert found.failure is not None
        assert "the finding 'review' that it leans on was withdrawn by its signer" in found.failure.message
        assert [True] == [statement.counts for statement in found.statements]
    for other in (ISSUER, STRANGER):
        foreign = withdrawal_of(finding.attestation.digest, other, issued=ISSUED)
        assert verify_bundle(leaning, trust=TRUST, now=MOMENT, statements=[foreign]).failure is None


# -- what an issuer could forge --------------------------------------------------------------------------------


def forged_with(leaning: Path, target: Path, signed: Signed, path: str | None = None) -> Path:
    """The issuer puts another finding in place and seals all of it again."""

    def change(folder: Path) -> None:
        (folder / layout.GIVEN / "review.json").unlink()
        (folder / layout.GIVEN / (path or path_of(signed).rpartition("/")[2])).write_bytes(signed.data)

    return forge(leaning, target, change, Forger(key=ISSUER, log_key=LOG))


@pytest.mark.parametrize("changes", [{"role": "auditor"}, {"name": "audit", "role": "auditor"}, {"days": 1}])
def test_a_forged_finding_does_not_carry_the_label(
    leaning: Path, tmp_path: Path, system: str, changes: dict[str, object]
) -> None:
    forged = forged_with(leaning, tmp_path / "forged", finding_about(system, **changes))  # type: ignore[arg-type]
    found = verify_bundle(forged, trust=TRUST, now=MOMENT)
    assert found.level < "V2"
    assert found.failure is not None
    assert "step 9 (label)" in found.failure.message


def test_a_finding_of_another_system_does_not_carry_the_label(leaning: Path, tmp_path: Path) -> None:
    forged = forged_with(leaning, tmp_path / "forged", finding_about(another_digest("x")))
    failure = verify_bundle(forged, trust=TRUST, now=MOMENT).failure
    assert failure is not None
    assert "it is about another system" in failure.message


def test_a_finding_by_a_stranger_does_not_carry_the_label(leaning: Path, tmp_path: Path, system: str) -> None:
    forged = forged_with(leaning, tmp_path / "forged", finding_about(system, STRANGER))
    failure = verify_bundle(forged, trust=TRUST, now=MOMENT).failure
    assert failure is not None
    assert "not a key of this policy" in failure.message


def test_a_renamed_finding_is_refused(leaning: Path, tmp_path: Path, system: str) -> None:
    audit = finding_about(system, name="audit", role="auditor")
    forged = forged_with(leaning, tmp_path / "forged", audit, "review.json")
    failure = verify_bundle(forged, trust=TRUST, now=MOMENT).failure
    assert isinstance(failure, MalformedInput)
    assert "a finding lies under its own name" in failure.message


def test_another_kind_of_statement_is_no_finding(leaning: Path, tmp_path: Path, system: str) -> None:
    dispute = sign_about(system, Dispute(("other",), "no", (), (), *signed_by(PERSON.public, ISSUED)), PERSON)
    forged = forged_with(leaning, tmp_path / "forged", dispute, "review.json")
    failure = verify_bundle(forged, trust=TRUST, now=MOMENT).failure
    assert isinstance(failure, MalformedInput)
    assert "a dispute where a finding belongs" in failure.message


def test_a_removed_finding_is_missed(leaning: Path, tmp_path: Path) -> None:
    def remove(folder: Path) -> None:
        (folder / layout.GIVEN / "review.json").unlink()
        (folder / layout.GIVEN).rmdir()

    forged = forge(leaning, tmp_path / "forged", remove, Forger(key=ISSUER, log_key=LOG))
    failure = verify_bundle(forged, trust=TRUST, now=MOMENT).failure
    assert failure is not None
    assert "which gives: U Unlabelled granted" in failure.message


def test_a_changed_finding_is_seen(leaning: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(leaning, tmp_path / "copy")
    path = copy / layout.GIVEN / "review.json"
    path.write_bytes(path.read_bytes()[:-2] + b" }\n"[:2])
    failure = verify_bundle(copy, now=MOMENT).failure
    assert isinstance(failure, SealError | MalformedInput)
    assert "step 2 (manifest)" in failure.message


def test_findings_are_read_by_name(leaning: Path) -> None:
    given = read_given(Folder(leaning)).findings
    assert ["review"] == list(given)
    rubric = load_rubric(ATTESTED_RUBRIC.encode(), "r")
    assert objection_to_finding(given["review"], rubric, given["review"].attestation.about, MOMENT) is None
