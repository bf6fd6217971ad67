"""Stored bundles, one for each defect: what was refused once stays refused, and what was made once stays readable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bundle_factory import ISSUER, LOG, READ
from verilabel.cli import main
from verilabel.evidence import layout
from verilabel.evidence.envelope import open_envelope
from verilabel.evidence.statement import parse_statement
from verilabel.evidence.trust import trust_keys, write_trust
from verilabel.evidence.verifier import verify_bundle
from verilabel.records.canonical import digest

BUNDLES = Path(__file__).resolve().parent.parent / "bundles"
EXPECTED: dict[str, dict[str, Any]] = json.loads((BUNDLES / "expected.json").read_text())
GOLDEN = {
    "manifest": "sha256:84398f503abe2636d433ecdc3dee989ddde2f3e8f2f42744504ccf855488b471",
    "root": "sha256:0b0f7da70b7a8f331ddbc8dcbf27b027c3cbb50afa77282595aa71e8dc3aad82",
    "statement": "sha256:feac1a47d5a5cb23be843d92c3ebf689e7b92ba0fae2bd369a6ecf54f2ffebe7",
    "plan": "sha256:22e8f32a042c76ea700dfe63dcb15c57dff70e42047bd6fbbe3fe3295ee700d2",
    "label": "sha256:f814bcb87909d124e08f9c4e7a3f300123db86f05e8c97dbfe8875fc06459de5",
    "zip": "sha256:31f5eae09443479de8070465a3a0a249f33b020d8a31013b515becba35df2457",
    "leaves": 12,
}
"""Digests of the stored good bundle."""
DEFECTS = [name for name, expected in EXPECTED.items() if "step" in expected]
SOUND = [name for name in EXPECTED if name not in DEFECTS]


def stored(name: str) -> Path:
    """Where a stored bundle lies."""
    folder = BUNDLES / name
    return folder if folder.is_dir() else folder.with_suffix(".zip")


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_found_at_its_step_with_its_error_and_exit_status(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = EXPECTED[name]
    found = verify_bundle(stored(name), now=READ)
    assert found.failure is not None
    failed = [step.number for step in found.steps if step.outcome == "failed"]
    assert ([expected["step"]], expected["error"]) == (failed, found.failure.code)
    assert expected["fragment"] in found.failure.message
    assert ("V1" if expected["step"] in (8, 9) else "V0") == found.level

    assert expected["status"] == main(["verify", str(stored(name)), "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert expected["fragment"] in printed["error"]["message"]
    assert found.level == printed["level"]


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_bundle_has_its_level_and_says_why_it_is_not_higher(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = EXPECTED[name]
    assert 0 == main(["verify", str(stored(name)), "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert (expected["level"], None) == (printed["level"], printed["error"])
    assert expected["fragment"] in printed["reason"]


def test_the_good_bundle_is_the_one_that_was_stored() -> None:
    """Golden digests: whoever computes these bytes differently has changed the format."""
    good = BUNDLES / "good"
    found = verify_bundle(good, trust=trust_keys(ISSUER.public, LOG.public), now=READ)
    assert ("V2", "lab.example") == (found.level, found.signer)
    envelope = open_envelope((good / layout.ATTESTATION).read_bytes(), [ISSUER.public])
    statement = parse_statement(envelope.payload)
    assert GOLDEN == {
        "manifest": digest((good / layout.MANIFEST).read_bytes()),
        "root": found.root,
        "statement": statement.digest,
        "plan": found.plan.digest if found.plan else None,
        "label": digest((good / layout.LABEL).read_bytes()),
        "zip": digest((BUNDLES / "good_in_one_file.zip").read_bytes()),
        "leaves": found.leaves,
    }


def test_no_stored_bundle_but_the_sound_ones_passes_the_gate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trust = tmp_path / "trust.yaml"
    trust.write_bytes(write_trust(ISSUER.public, LOG.public))
    passed = [
        name
        for name in EXPECTED
        if main(["gate", str(stored(name)), "--min", "L1", "--trust", str(trust)]) == 0
    ]
    capsys.readouterr()
    assert ["good", "good_in_one_file"] == passed


def test_every_stored_bundle_is_in_the_table_and_all_are_small() -> None:
    names = {
        p.stem for p in BUNDLES.iterdir() if p.suffix == ".zip" or (p.is_dir() and p.name != "__pycache__")
    }
    assert set(EXPECTED) == names
    total = sum(p.stat().st_size for p in BUNDLES.rglob("*") if p.is_file() and not p.is_symlink())
    assert total < 1_500_000
