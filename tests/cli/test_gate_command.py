"""`verilabel gate`: exit 0 only if the bundle verifies, by a key that counts, and meets every requirement."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle_factory import ATTACKER, HAZARD_RUBRIC, ISSUER, LOG, Recipe, make_bundle
from bundle_forgery import Forger, change_records, forge
from verilabel.cli import main
from verilabel.evidence import layout
from verilabel.evidence.keys import save_key
from verilabel.evidence.trust import write_trust

Capture = pytest.CaptureFixture[str]
Gate = Callable[..., tuple[int, str]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of keys."""
    monkeypatch.setenv("VERILABEL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def gate(home: Path, tmp_path: Path, capsys: Capture) -> Gate:
    """Runs the gate under a policy that names the issuer; gives status and output."""
    trust = tmp_path / "trust.yaml"
    trust.write_bytes(write_trust(ISSUER.public, LOG.public))

    def run(bundle: Path, *options: str) -> tuple[int, str]:
        status = main(["gate", str(bundle), "--trust", str(trust), *options])
        out, err = capsys.readouterr()
        return status, out + err

    return run


def test_it_passes_where_everything_is_met(made_bundle: Path, made_zip: Path, gate: Gate) -> None:
    for bundle in (made_bundle, made_zip):
        status, said = gate(
            bundle,
            "--min",
            "L2",
            "--verification",
            "V2",
            "--max-age",
            "99999d",
            "--rubric",
            "test/quiz-label",
        )
        assert 0 == status, said
        assert said.startswith("pass: L2 Solid granted, cannot exclude up to L3 Strong; V2 recomputed")


@pytest.mark.parametrize(
    ("options", "objection"),
    [
        (["--min", "L3"], "L3 is required, L2 Solid granted, cannot exclude up to L3 Strong"),
        (["--min", "L1", "--max-age", "1d"], "planned 2026-01-01T11:00:00Z, older than 1d"),
        (
            ["--min", "L1", "--rubric", "test/other"],
            "rubric test/other is required, this label is by test/quiz-label",
        ),
        (["--min", "L1", "--rubric", "test/quiz-label@2.0.0"], "rubric test/quiz-label@2.0.0 is required"),
    ],
)
def test_it_fails_for_each_requirement_that_is_not_met(
    made_bundle: Path, gate: Gate, options: list[str], objection: str
) -> None:
    status, said = gate(made_bundle, *options)
    assert 1 == status
    assert said.startswith("FAIL: ")
    assert f"  - {objection}" in said


@pytest.mark.parametrize("options", [["--min", "U"], ["--min", "L1", "--rubric", "test/quiz-label@1.0.0"]])
def test_it_passes_at_lower_levels_and_for_the_exact_version(
    made_bundle: Path, gate: Gate, options: list[str]
) -> None:
    assert 0 == gate(made_bundle, *options)[0]


def test_all_objections_are_listed_at_once(made_bundle: Path, gate: Gate) -> None:
    status, said = gate(made_bundle, "--min", "L3", "--max-age", "1d", "--rubric", "x", "--json")
    answer = json.loads(said)
    assert (1, False, 3) == (status, answer["passed"], len(answer["objections"]))


def test_an_unsigned_bundle_does_not_pass_even_v1(tmp_path: Path, gate: Gate) -> None:
    sealed = make_bundle(tmp_path, Recipe(key=None, log_key=None))
    status, said = gate(sealed.path, "--min", "L1", "--verification", "V1")
    assert 1 == status
    assert "V1 is required, this is V0 claimed: it is not signed" in said


def test_an_unlogged_bundle_does_not_pass(tmp_path: Path, gate: Gate) -> None:
    sealed = make_bundle(tmp_path, Recipe(log_key=None))
    status, said = gate(sealed.path, "--min", "L1", "--verification", "V1")
    assert 1 == status
    assert "not in a log" in said


# -- whose key counts ------------------------------------------------------------------------------------------


def test_anothers_key_without_a_policy_is_refused(made_bundle: Path, home: Path, capsys: Capture) -> None:
    assert 4 == main(["gate", str(made_bundle), "--min", "L1"])
    assert "not one the trust policy accepts" in capsys.readouterr().out


def test_ones_own_key_counts_without_a_policy(made_bundle: Path, home: Path, capsys: Capture) -> None:
    (home / "keys").mkdir(parents=True, mode=0o700)
    save_key(ISSUER, home / "keys" / "default.key")
    assert 0 == main(["gate", str(made_bundle), "--min", "L1"]), capsys.readouterr()
    save_key(ATTACKER, home / "keys" / "other.key")
    assert 0 == main(["gate", str(made_bundle), "--min", "L1"])


def test_with_a_policy_ones_own_key_is_not_enough(
    made_bundle: Path, home: Path, tmp_path: Path, capsys: Capture
) -> None:
    (home / "keys").mkdir(parents=True, mode=0o700)
    save_key(ISSUER, home / "keys" / "default.key")
    trust = tmp_path / "trust.yaml"
    trust.write_bytes(write_trust(ATTACKER.public))
    assert 4 == main(["gate", str(made_bundle), "--min", "L1", "--trust", str(trust)])


def test_a_perfect_forgery_by_another_key_does_not_pass(
    made_bundle: Path, tmp_path: Path, gate: Gate
) -> None:
    forger = Forger(counts_again=True, decides_again=True)
    forged = forge(made_bundle, tmp_path / "forged", lambda folder: None, forger)
    status, said = gate(forged, "--min", "L1")
    assert 4 == status
    assert "step 3 (signature)" in said


# -- what verify refuses, the gate refuses ---------------------------------------------------------------------


def test_a_changed_bundle_does_not_pass_with_the_status_of_its_failure(bundle: Path, gate: Gate) -> None:
    path = bundle / layout.EVIDENCE
    path.write_bytes(path.read_bytes()[:-1] + b" ")
    status, said = gate(bundle, "--min", "U")
    assert status in (3, 4)
    assert said.startswith("FAIL: ")


def test_a_label_that_does_not_follow_does_not_pass_even_where_v1_is_enough(
    made_bundle: Path, tmp_path: Path, gate: Gate
) -> None:
    forger = Forger(key=ISSUER, log_key=LOG)
    forged = forge(made_bundle, tmp_path / "forged", change_records(lambda records: records[:-2]), forger)
    status, said = gate(forged, "--min", "L1", "--verification", "V1")
    assert 1 == status
    assert "step 8 (recount)" in said


def test_an_expired_label_does_not_pass(made_bundle: Path, tmp_path: Path, gate: Gate) -> None:
    forger = Forger(key=ISSUER, log_key=LOG, days=1)
    forged = forge(made_bundle, tmp_path / "forged", lambda folder: None, forger)
    status, said = gate(forged, "--min", "U")
    assert 1 == status
    assert "expired on 02 January 2026" in said


# -- hazard scales and scope -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hazard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A label on a hazard scale: C2 is established, C3 is ruled out."""
    return make_bundle(tmp_path_factory.mktemp("hazard"), Recipe(rubric=HAZARD_RUBRIC, accuracy="0.9")).path


def test_a_level_of_a_hazard_scale_must_be_ruled_out(hazard: Path, gate: Gate, capsys: Capture) -> None:
    status, said = gate(hazard, "--ruled-out", "C2")
    assert 1 == status
    assert "C2 must be ruled out, C2 Can do the quiz established" in said
    assert 1 == gate(hazard, "--ruled-out", "C1")[0]
    status, said = gate(hazard, "--ruled-out", "C3")
    assert 0 == status, said


def test_min_is_for_assurance_scales_and_ruled_out_for_hazard_scales(
    made_bundle: Path, hazard: Path, gate: Gate
) -> None:
    for bundle, option, level, hint in (
        (made_bundle, "--ruled-out", "L2", "use --min"),
        (hazard, "--min", "C2", "use --ruled-out"),
    ):
        status, said = gate(bundle, option, level)
        assert 2 == status
        assert hint in said


def test_a_level_that_the_rubric_does_not_have_is_a_usage_error_naming_those_it_has(
    made_bundle: Path, gate: Gate
) -> None:
    status, said = gate(made_bundle, "--min", "L9")
    assert 2 == status
    assert "it has U, L1, L2, L3" in said


def _system(bundle: Path, tmp_path: Path, **changes: object) -> str:
    document = json.loads((bundle / layout.SYSTEM).read_bytes())
    document.update(changes)
    path = tmp_path / "system.json"
    path.write_text(json.dumps(document))
    return str(path)


def test_the_same_scope_passes_and_what_the_rubric_does_not_bind_may_differ(
    made_bundle: Path, tmp_path: Path, gate: Gate
) -> None:
    for changes in ({}, {"name": "another name", "modality": "voice"}):
        status, said = gate(made_bundle, "--min", "L1", "--system", _system(made_bundle, tmp_path, **changes))
        assert 0 == status, said


def test_a_difference_of_scope_names_every_key_that_differs(
    made_bundle: Path, tmp_path: Path, gate: Gate
) -> None:
    system = _system(made_bundle, tmp_path, provider_model="other/model", params={"temperature": "1"})
    status, said = gate(made_bundle, "--min", "L1", "--system", system)
    assert 1 == status
    assert "the label is for another system: provider_model, params differ" in said


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        ([], 2, "--min --ruled-out is required"),
        (["--min", "L1", "--ruled-out", "L2"], 2, "not allowed with"),
        (["--min", "L1", "--max-age", "soon"], 2, "'soon' is not a number of days"),
        (["--min", "L1", "--max-age", "-1d"], 2, ""),
        (["--min", "L1", "--verification", "V9"], 2, "invalid choice"),
        (["--min", "L1", "--system", "nowhere.json"], 2, "nowhere.json"),
    ],
)
def test_wrong_use_has_a_message_and_a_status(
    made_bundle: Path, gate: Gate, options: list[str], status: int, said: str
) -> None:
    found, output = gate(made_bundle, *options)
    assert status == found
    assert said in output


def test_a_system_file_that_is_none_is_malformed_input(made_bundle: Path, tmp_path: Path, gate: Gate) -> None:
    path = tmp_path / "system.json"
    path.write_text('{"name": "x"}')
    status, said = gate(made_bundle, "--min", "L1", "--system", str(path))
    assert 3 == status
    assert str(path) in said


def test_a_forbidden_flag_does_not_pass_and_says_what_it_means(made_bundle: Path, gate: Gate) -> None:
    status, said = gate(made_bundle, "--min", "L1", "--forbid-flag", "unwitnessed")
    assert 1 == status
    assert "the flag unwitnessed is forbidden: No independent witness" in said
    assert 0 == gate(made_bundle, "--min", "L1", "--forbid-flag", "expired")[0]


def test_a_flag_that_does_not_exist_cannot_be_forbidden(made_bundle: Path, gate: Gate) -> None:
    status, said = gate(made_bundle, "--min", "L1", "--forbid-flag", "unwitnesed")
    assert 2 == status
    assert "no flag 'unwitnesed'" in said


def test_the_flags_are_printed_with_the_verdict(made_bundle: Path, gate: Gate) -> None:
    assert "flags: " in gate(made_bundle, "--min", "L1")[1]
