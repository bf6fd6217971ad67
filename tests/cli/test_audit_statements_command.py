"""Audits of training data on the command line: given to a label, attached to one, and required by a gate."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit_statements import (
    AUDITOR,
    TRUST_TEXT,
    audit_of,
    covering,
    declaration_of,
    findings_of,
    read_parts,
    reference,
)
from party_factory import STRANGER, make_party, model_that, replica_recipe, replication_of
from small_runs import Place, at_most, numbered_rows, open_place, rubric_text, write_suite
from verilabel.evidence.others.attestation import build_audit_attestation
from verilabel.evidence.others.signed import sign_attestation
from verilabel.evidence.statement import write_time

NOW = datetime.now(UTC).replace(microsecond=0)
MODEL = ("--model", "simulated:rate=0.02,seed=3", "--name", "bot")
MEASURED = ("--suite", "./suite", "--rubric", "rubric.yaml", "--quiet")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    place = open_place(tmp_path, monkeypatch)
    write_suite(tmp_path / "suite", numbered_rows(40))
    (tmp_path / "rubric.yaml").write_text(rubric_text(at_most("0.3")))
    (tmp_path / "trust.yaml").write_text(TRUST_TEXT)
    return place


@pytest.fixture
def bundle(place: Place) -> Path:
    """A label of the model without an audit."""
    place.succeed("label", *MODEL, *MEASURED, "--out", "bare.bundle")
    return Path("bare.bundle")


def declare(bundle: Path, **changes: Any) -> None:
    """Write a declaration that was signed an hour ago, about the bundle's system."""
    system, plan = read_parts(bundle)
    day = {"started": write_time(NOW - timedelta(days=2)), "ended": write_time(NOW - timedelta(days=1))}
    said = {
        "issued": NOW - timedelta(hours=1),
        "until": NOW + timedelta(days=30),
        "audit": reference(**day),
        "relation": "declared-training-data",
        "contamination": covering(plan),
        **changes,
    }
    about = None if said["relation"] == "audited" else system
    attestation = build_audit_attestation(audit_of(**said), about)
    Path("declared.json").write_bytes(sign_attestation(attestation, AUDITOR).data)


def test_a_declaration_is_enclosed_in_a_label_and_changes_none_of_its_rows(
    place: Place, bundle: Path
) -> None:
    declare(bundle)
    given = ("--attestation", "declared.json", "--out", "given.bundle")
    assert place.succeed("label", *MODEL, *MEASURED, *given).out.startswith("L1 Level 1 granted")
    (enclosed,) = Path("given.bundle/attestations/given").iterdir()
    assert Path("declared.json").read_bytes() == enclosed.read_bytes()
    assert enclosed.name.startswith("audit-")
    (found,) = place.succeed("verify", "given.bundle", "--json").json["statements"]
    assert ("audit", False, "no trust policy says whose key that is") == (
        found["kind"],
        found["counts"],
        found["why"],
    )
    (audit,) = place.succeed("show", "given.bundle", "--json").json["audits"]
    assert [40] == [benchmark["samples"] for benchmark in audit["benchmarks"]]
    place.succeed("plan", *MODEL, *MEASURED[:-1], "--attestation", "declared.json")


def test_a_run_that_waits_to_be_decided_takes_a_declaration(place: Place, bundle: Path) -> None:
    declare(bundle)
    place.succeed("run", *MODEL, *MEASURED, "--design", "fixed", "--store", "s.run")
    place.succeed("decide", "s.run", "--attestation", "declared.json", "--out", "d.bundle")
    assert "audit" == place.succeed("verify", "d.bundle", "--json").json["statements"][0]["kind"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"relation": "audited"}, "does not say that the system was trained on it"),
        ({"until": NOW - timedelta(minutes=1)}, "it expired on"),
        ({"issued": NOW + timedelta(days=1)}, "it is signed only on"),
    ],
)
def test_an_audit_that_does_not_count_stops_the_label_before_anything_is_asked(
    place: Place, bundle: Path, changes: dict[str, Any], said: str
) -> None:
    declare(bundle, **changes)
    done = place.run("label", *MODEL, *MEASURED, "--attestation", "declared.json", "--out", "l.bundle")
    assert (2, True) == (done.status, said in done.err)
    assert not Path("l.bundle").exists()
    assert [] == [p for p in Path("l.bundle.run").glob("journal.jsonl") if p.stat().st_size]


def test_an_audit_of_another_system_is_not_taken(place: Place, bundle: Path) -> None:
    declare(bundle)
    other = ("--model", "simulated:rate=0.02,seed=4", "--name", "bot")
    done = place.run("label", *other, *MEASURED, "--attestation", "declared.json", "--out", "l.bundle")
    assert (2, True) == (done.status, "it is about another system" in done.err)
    place.succeed("label", *other, *MEASURED, "--out", "other.bundle")
    done = place.run("statements", "attach", "other.bundle", "declared.json")
    assert (1, True) == (done.status, "this audit is about another system" in done.err)


def test_a_gate_can_require_v4_and_forbid_contaminated_suites(place: Place, tmp_path: Path) -> None:
    original = make_party(tmp_path / "original")
    replica = make_party(tmp_path / "replica", replica_recipe(), model_that(11))
    _, plan = read_parts(original)
    dirty = declaration_of(original, contamination=covering(plan, items_matched=1, documents=1))
    for name, signed in (
        ("replication", replication_of(original, replica)),
        ("dirty", dirty),
        ("stranger", declaration_of(original, STRANGER)),
        *((f"finding-{n}", finding) for n, finding in enumerate(findings_of(original))),
    ):
        Path(f"{name}.json").write_bytes(signed.data)
    shutil.copytree(original, "a.bundle")
    gate = ("gate", "a.bundle", "--min", "L1", "--verification", "V4", "--trust", "trust.yaml")
    place.succeed("statements", "attach", "a.bundle", "replication.json", "stranger.json")
    lacking = place.run(*gate)
    assert 1 == lacking.status
    assert "V4 is required, this is V3 replicated: the audit of stranger.example" in lacking.out + lacking.err
    place.succeed("statements", "attach", "a.bundle", "dirty.json", "finding-0.json", "finding-1.json")
    place.succeed(*gate)
    forbidden = place.run(*gate, "--forbid-flag", "contaminated")
    assert (1, True) == (forbidden.status, "contaminated" in forbidden.out + forbidden.err)
    shown = place.succeed("statements", "show", "a.bundle", "--trust", "trust.yaml").out
    assert "V4 audited (an audit's root proves what was audited, not what the model was trained on)" in shown
