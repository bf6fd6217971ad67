"""`verilabel verify`: what it prints, its JSON, and its exit statuses, as a person or a program meets them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bundle_factory import ATTACKER, ISSUER, LOG, Recipe, make_bundle
from bundle_forgery import change_records, forge
from verilabel.cli import main
from verilabel.evidence import layout
from verilabel.evidence.trust import write_trust

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def trust(tmp_path: Path) -> str:
    """A trust policy file that names the issuer and its log."""
    path = tmp_path / "trust.yaml"
    path.write_bytes(write_trust(ISSUER.public, LOG.public))
    return str(path)


def test_a_genuine_bundle_prints_the_sentence_and_every_step(
    made_bundle: Path, trust: str, capsys: Capture
) -> None:
    assert 0 == main(["verify", str(made_bundle), "--trust", trust])
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].startswith(
        "L2 Solid granted, cannot exclude up to L3 Strong; V2 recomputed; current until 2125-12-08"
    )
    assert 10 == sum(line.startswith("  ok") for line in lines)
    assert any("signed by lab.example" in line for line in lines)
    assert "nobody vouched" not in out
    assert "" == err


def test_without_a_policy_it_says_that_nobody_vouched_for_the_key(made_bundle: Path, capsys: Capture) -> None:
    assert 0 == main(["verify", str(made_bundle)])
    assert f"nobody vouched for the signer's key {ISSUER.keyid}" in capsys.readouterr().out


def test_json_says_all_that_was_found(made_zip: Path, trust: str, capsys: Capture) -> None:
    assert 0 == main(["verify", str(made_zip), "--trust", trust, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert ("V2", "lab.example", ISSUER.keyid, 60) == tuple(
        found[k] for k in ("level", "signer", "keyid", "records")
    )
    assert list(range(1, 12)) == [step["number"] for step in found["steps"]]
    assert {"id": "L2", "name": "Solid"} == found["label"]["granted"]
    assert {"id": "L3", "name": "Strong"} == found["label"]["cannot_exclude_up_to"]
    assert ("quiz-model", None) == (found["system"]["name"], found["error"])


def test_a_changed_bundle_fails_with_its_step_and_never_prints_its_label_as_a_fact(
    bundle: Path, capsys: Capture
) -> None:
    path = bundle / layout.LABEL
    path.write_bytes(path.read_bytes().replace(b'"L2"', b'"L3"', 1))
    assert 4 == main(["verify", str(bundle)])
    out, err = capsys.readouterr()
    assert "FAIL  2 manifest" in out
    assert "granted" not in out
    assert "error: step 2 (manifest): the file was changed" in err
    assert "results/label.json" in err


def test_a_label_that_does_not_follow_is_a_check_that_says_no(
    made_bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    forged = forge(
        made_bundle,
        tmp_path / "forged",
        change_records(lambda records: records[2:4] + records[:2] + records[4:]),
    )
    assert 1 == main(["verify", str(forged)])
    out, err = capsys.readouterr()
    assert "level: V1 signed" in out
    assert "error: step 8 (recount)" in err


def test_another_key_than_the_policys_is_status_4(made_bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "trust.yaml"
    path.write_bytes(write_trust(ATTACKER.public))
    assert 4 == main(["verify", str(made_bundle), "--trust", str(path), "--json"])
    error = json.loads(capsys.readouterr().out)["error"]
    assert "SealError" == error["error"]
    assert "step 3 (signature)" in error["message"]
    assert "trust policy" in error["hint"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["verify"], 2, "the following arguments are required: bundle"),
        (["verify", "nowhere.bundle"], 2, "no bundle here"),
        (["verify", "{bundle}", "--trust", "nowhere.yaml"], 2, "there is no such trust policy"),
        (["verify", "{bundle}", "--trust", "{bundle}/bundle.json"], 3, "bundle.json"),
        (["verify", "{bundle}/bundle.json"], 4, "not a bundle"),
    ],
)
def test_wrong_use_has_a_message_and_a_status(
    made_bundle: Path, arguments: list[str], status: int, said: str, capsys: Capture
) -> None:
    assert status == main([argument.format(bundle=made_bundle) for argument in arguments])
    assert said in capsys.readouterr().err


def test_nothing_in_a_bundle_can_pass_for_a_line_of_the_report(tmp_path: Path, capsys: Capture) -> None:
    """Names and notes are the issuer's: a line feed or an escape sequence in them must not draw a false step."""
    lie = "x)\n  ok    3 signature  signed by everybody\x1b[2K\u202e"
    sealed = make_bundle(tmp_path, Recipe(key=None, log_key=None, system={"use_case": lie}))
    for command in (["verify", str(sealed.path)], ["gate", str(sealed.path), "--min", "L2"]):
        main(command)
        out, err = capsys.readouterr()
        assert not any(line.startswith("  ok    3") for line in out.splitlines())
        assert all(character.isprintable() or character == "\n" for character in out + err)


def test_a_hostile_error_message_stays_on_its_line(bundle: Path, capsys: Capture) -> None:
    path = bundle / layout.MANIFEST
    path.write_bytes(path.read_bytes().replace(b'"size"', b'"si\\u001b[2K\\nze"', 1))
    assert 3 == main(["verify", str(bundle)])
    out, err = capsys.readouterr()
    assert 1 == len(err.splitlines())
    assert all(character.isprintable() or character == "\n" for character in out + err)


def test_verifying_needs_none_of_the_heavy_packages(made_zip: Path) -> None:
    """The light verifier: a process that cannot import them verifies all the same.

    It knows its own detectors and suites, so that no other is taken for one; these need no package either.
    """
    program = (
        "import sys\n"
        "blocked = ('aiohttp', 'rich', 'pyarrow', 'numpy', 'scipy', 'sklearn', 'torch',"
        " 'transformers', 'huggingface_hub')\n"
        "for name in blocked:\n    sys.modules[name] = None\n"
        "from verilabel.cli import main\n"
        "status = main(['verify', sys.argv[1]])\n"
        "own = {name.split('.')[1] for name in sys.modules if name.startswith('verilabel.')}\n"
        "print('loaded:', *sorted(own & {'evaluation', 'models', 'detectors', 'suites', 'sandbox'}))\n"
        "sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, made_zip], capture_output=True, text=True, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert "loaded: detectors suites" == done.stdout.splitlines()[-1].strip()
