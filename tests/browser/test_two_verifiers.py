"""The page's verifier (run in Node) finds of every bundle what the program finds: steps, level, flags, sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundle_factory import HAZARD_RUBRIC, ISSUER, LOG, READ, Recipe, make_bundle
from bundle_forgery import Forger, forge
from party_factory import (
    CRITIC,
    REPLICATOR,
    WHO_COUNTS,
    dispute_of,
    make_party,
    model_that,
    policy,
    replica_recipe,
    replication_of,
    statement_of,
    withdrawal_of,
)
from sealed_bundles import make_sealed
from two_findings import finding_here, finding_there
from verilabel.evidence import layout
from verilabel.evidence.others.signed import Signed
from verilabel.evidence.trust import parse_trust, write_trust
from verilabel.evidence.verifier import verify_bundle
from verilabel.records.canonical import jcs

BUNDLES = Path(__file__).resolve().parents[1] / "bundles"
EXPECTED: dict[str, dict[str, Any]] = json.loads((BUNDLES / "expected.json").read_text())
STORED = [path for path in sorted(BUNDLES.iterdir()) if path.stem in EXPECTED]
RunNode = Callable[..., list[dict[str, Any]]]
WHO_COUNTS_TEXT = "format: verilabel/trust/v1\naccept:\n  any:\n" + "".join(
    f"    - {{key: {key.public.line!r}, name: {name}, roles: [{role}]}}\n" for key, name, role in WHO_COUNTS
)


def find_there(run_node: RunNode, *arguments: str | Path) -> dict[str, Any]:
    """What the second implementation finds of one bundle."""
    (answer,) = run_node("verify.mjs", "--now", READ.isoformat(), *arguments)
    return finding_there(answer)


def write_statements(folder: Path, *statements: Signed) -> list[str | Path]:
    """The options that give statements to the second implementation."""
    options: list[str | Path] = []
    for number, signed in enumerate(statements):
        path = folder / f"statement-{number}.json"
        path.write_bytes(signed.data)
        options += ["--statement", path]
    return options


def test_every_stored_bundle_is_judged_alike_step_by_step(run_node: RunNode) -> None:
    assert len(EXPECTED) == len(STORED)
    answers = run_node("verify.mjs", "--now", READ.isoformat(), *STORED)
    for path, answer in zip(STORED, answers, strict=True):
        assert finding_here(verify_bundle(path, now=READ)) == finding_there(answer), path.name


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(design="anytime", accuracy="0.6"),
        Recipe(rubric=HAZARD_RUBRIC, zipped=True),
        Recipe(epochs=2, errors="0.3"),
    ],
    ids=["anytime", "hazard", "repeated-with-failures"],
)
def test_bundles_of_other_shapes_are_judged_alike(run_node: RunNode, tmp_path: Path, recipe: Recipe) -> None:
    path = make_bundle(tmp_path, recipe).path
    found = verify_bundle(path, now=READ)
    assert "V2" == found.level
    assert finding_here(found) == find_there(run_node, path)


def test_a_trust_policy_is_read_alike(run_node: RunNode, tmp_path: Path) -> None:
    policies = {
        "named": write_trust(ISSUER.public, LOG.public),
        "other": write_trust(CRITIC.public),
        "scoped": WHO_COUNTS_TEXT.replace("roles: [labels]", 'roles: [labels], systems: ["quiz-*"]').encode(),
        "elsewhere": WHO_COUNTS_TEXT.replace("roles: [labels]", "roles: [labels], rubrics: [a/b]").encode(),
        "anyone": b"format: verilabel/trust/v1\naccept: {unsafe_accept_any_key: true}\n",
        "sigstore": (
            b"format: verilabel/trust/v1\naccept:\n  any:\n    - sigstore: {identity: a@example.org, "
            b'issuer: "https://accounts.example.org"}\n      name: A\n      roles: [labels]\n'
        ),
    }
    levels = {}
    for name, data in policies.items():
        path = tmp_path / f"{name}.yaml"
        path.write_bytes(data)
        found = verify_bundle(BUNDLES / "good", now=READ, trust=parse_trust(data))
        levels[name] = str(found.level)
        assert finding_here(found) == find_there(run_node, "--trust", path, BUNDLES / "good"), name
    assert {
        "named": "V2",
        "other": "V0",
        "scoped": "V2",
        "elsewhere": "V0",
        "anyone": "V2",
        "sigstore": "V0",
    } == levels


def test_replications_disputes_and_withdrawals_count_alike(run_node: RunNode, tmp_path: Path) -> None:
    original = make_party(tmp_path / "original")
    replica = make_party(tmp_path / "replica", replica_recipe(), model_that(11))
    trust = tmp_path / "trust.yaml"
    trust.write_text(WHO_COUNTS_TEXT)
    about = statement_of(original)
    replication, dispute = replication_of(original, replica), dispute_of(about)
    cases: dict[str, tuple[Signed, ...]] = {
        "V3": (replication,),
        "V2": (dispute, dispute_of(about, REPLICATOR)),
        "V0": (withdrawal_of(about), dispute),
    }
    for level, statements in cases.items():
        found = verify_bundle(original, now=READ, trust=policy(), statements=statements)
        assert level == found.level
        options = write_statements(tmp_path, *statements)
        assert finding_here(found) == find_there(run_node, "--trust", trust, *options, original)


def test_a_sealed_bundle_is_counted_from_its_commitments_alike(run_node: RunNode, tmp_path: Path) -> None:
    sealed = make_sealed(tmp_path).sealed
    found = verify_bundle(sealed, now=READ)
    assert ("V2s", True) == (found.level, "sealed_records" in found.flags)
    assert finding_here(found) == find_there(run_node, sealed)


def test_a_rubric_that_takes_a_bundled_name_is_refused_by_both(run_node: RunNode, tmp_path: Path) -> None:
    make_bundle(tmp_path)

    def rename(folder: Path) -> None:
        rubric = folder / layout.RUBRIC
        text = rubric.read_text().replace("id: test/quiz-label", "id: verilabel/core")
        rubric.write_text(text.replace("version: 1.0.0", "version: 0.1.0"))
        canonical = folder / layout.RUBRIC_CANONICAL
        document = json.loads(canonical.read_text()) | {"id": "verilabel/core", "version": "0.1.0"}
        canonical.write_bytes(jcs(document))

    forged = forge(tmp_path / "bundle", tmp_path / "forged", rename, Forger())
    found = verify_bundle(forged, now=READ)
    assert found.failure is not None and "comes with this program" in found.failure.message
    assert finding_here(found) == find_there(run_node, forged)
