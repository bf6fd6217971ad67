"""The command `verilabel sandbox`, run as its users run it."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest

from examined_boxes import UID, made_examination, require_provider, run_unprivileged
from small_runs import Place, open_place
from verilabel.evidence.keys import key_path, load_key
from verilabel.evidence.others.containment import load_attestation, sign_containment
from verilabel.evidence.statement import parse_time
from verilabel.sandbox.probing.program import list_probes

AS_NOBODY = () if UID is None else ("--uid", str(UID))
BOX = ("--provider", "bubblewrap", *AS_NOBODY)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.delenv("VERILABEL_SANDBOX_UID", raising=False)
    return open_place(tmp_path, monkeypatch)


def write_attestation(place: Place, **changed: str) -> Path:
    """An attestation of answers that are made up, signed with the folder's key."""
    key = load_key(key_path("default", place.folder / "home"))
    results = {name.replace("__", "."): result for name, result in changed.items()}
    signed = sign_containment(made_examination(results), key, parse_time("2026-11-22T12:00:00Z", where="now"))
    path = place.folder / "containment.json"
    path.write_bytes(signed.data)
    return path


def test_a_box_is_examined_and_what_was_found_is_signed_and_verified(place: Place) -> None:
    require_provider("bubblewrap")
    done = place.succeed("sandbox", "doctor", *BOX, "--out", "containment.json")
    assert "nothing escaped in" in done.out
    signed = load_attestation(Path("containment.json"))
    assert signed.digest in done.out
    Path("key.pub").write_text(place.succeed("keys", "export", "default").out)
    verified = place.succeed(
        "sandbox", "verify", "containment.json", "--key-file", "key.pub", "--here", *AS_NOBODY
    )
    assert f"genuine: {signed.digest}" in verified.out
    assert "does not count" not in verified.out


def test_it_ends_with_1_where_something_escaped_and_names_it(place: Place) -> None:
    require_provider("process")
    done = place.run("sandbox", "doctor", "--provider", "process", *AS_NOBODY, "--json")
    assert 1 == done.status
    assert done.json["escaped"]
    assert "files.planted-secret" in done.json["examination"]["escapes"]


def test_root_without_a_user_to_become_is_refused_with_6_and_nothing_is_written(place: Place) -> None:
    if os.geteuid() != 0:
        pytest.skip("tests are not run by root")
    done = place.run("sandbox", "doctor", "--out", "containment.json")
    assert 6 == done.status
    assert "root" in done.err
    assert not Path("containment.json").exists()
    assert 2 == place.run("sandbox", "doctor", "--uid", "0").status


def test_without_a_signing_key_nothing_is_examined(place: Place) -> None:
    done = place.run("sandbox", "doctor", *BOX, "--out", "c.json", "--key", "nobody")
    assert (2, True) == (done.status, "no signing key" in done.err)


def test_what_is_there_is_not_replaced_without_force(place: Place) -> None:
    Path("c.json").write_text("mine")
    assert 2 == place.run("sandbox", "doctor", *BOX, "--out", "c.json").status
    assert "mine" == Path("c.json").read_text()


def test_a_changed_attestation_is_refused_with_4(place: Place) -> None:
    path = write_attestation(place)
    file = json.loads(path.read_bytes())
    payload = file["envelope"]["payload"]
    file["envelope"]["payload"] = ("B" if payload[100] == "A" else "A").join((payload[:100], payload[101:]))
    path.write_text(json.dumps(file, separators=(",", ":"), sort_keys=True) + "\n")
    assert 4 == place.run("sandbox", "verify", str(path)).status


def test_an_attestation_of_an_escape_verifies_and_ends_with_1(place: Place) -> None:
    done = place.run("sandbox", "verify", str(write_attestation(place, files__shadow="open")))
    assert 1 == done.status
    assert "ESCAPED: files.shadow" in done.out
    assert "whose key that is, nobody asked" in done.out


def test_an_attestation_with_a_probe_that_gave_no_answer_ends_with_8(place: Place) -> None:
    done = place.run("sandbox", "verify", str(write_attestation(place, files__shadow="error")))
    assert (8, True) == (done.status, "not known: files.shadow" in done.out)


def test_an_attestation_signed_by_somebody_else_does_not_count(place: Place) -> None:
    path = write_attestation(place)
    place.succeed("keys", "new", "--name", "other")
    Path("other.pub").write_text(place.succeed("keys", "export", "other").out)
    done = place.run("sandbox", "verify", str(path), "--key-file", "other.pub", "--json")
    assert 1 == done.status
    assert ["signed by tests: not a key of this policy"] == done.json["objections"]


def test_a_trust_policy_says_whose_attestations_count(place: Place) -> None:
    path = write_attestation(place)
    line = place.succeed("keys", "export", "default").out.strip()
    rule = f"    - {{key: {line!r}, name: Doctor, roles: [attestations]}}\n"
    Path("trust.yaml").write_text(f"format: verilabel/trust/v1\naccept:\n  any:\n{rule}")
    done = place.succeed("sandbox", "verify", str(path), "--trust", "trust.yaml", "--json")
    assert ([], False) == (done.json["objections"], done.json["signer_unpinned"])


def test_an_old_attestation_does_not_speak_for_this_machine(place: Place) -> None:
    require_provider("bubblewrap")
    path = write_attestation(place)
    done = place.run("sandbox", "verify", str(path), "--here", *AS_NOBODY, "--json", "--max-age-days", "1")
    assert 1 == done.status
    assert any("means" in text or "level" in text or "made" in text for text in done.json["objections"])


def test_providers_are_listed_with_why_they_do_not_work(place: Place) -> None:
    listed = {
        entry["name"]: entry
        for entry in place.succeed("sandbox", "list", *AS_NOBODY, "--json").json["providers"]
    }
    assert {"bubblewrap", "gvisor", "process"} <= listed.keys()
    assert all(entry["works"] is (entry["objection"] is None) for entry in listed.values())
    text = place.succeed("sandbox", "list", *AS_NOBODY).out
    assert "docker" in text
    assert "through Inspect" in text


def test_probes_are_listed_with_what_must_stop_them(place: Place) -> None:
    listed = place.succeed("sandbox", "probes", "--json").json
    assert [probe.id for probe in list_probes()] == [probe["id"] for probe in listed["probes"]]
    assert "kernel.io-uring" in place.succeed("sandbox", "probes").out


def test_a_program_is_run_in_a_box_and_its_streams_and_status_are_passed_on(place: Place) -> None:
    require_provider("bubblewrap")
    program = ("sh", "-c", "echo out; echo err >&2; exit 42")
    done = place.run("sandbox", "run", *BOX, "--", *program)
    assert (42, "out\n", "err\n") == (done.status, done.out, done.err)
    told = place.run("sandbox", "run", *BOX, "--json", "--", *program)
    assert (42, 42, "out\n") == (told.status, told.json["exit_status"], told.json["stdout"])


def test_a_program_whose_time_is_over_ends_with_124(place: Place) -> None:
    require_provider("bubblewrap")
    assert 124 == place.run("sandbox", "run", *BOX, "--timeout", "0.2", "--", "sleep", "60").status


def test_a_program_sees_what_is_mounted_and_the_variables_that_it_is_given(place: Place) -> None:
    require_provider("bubblewrap")
    with tempfile.TemporaryDirectory() as name:  # not the tests' own folder, which is closed to others
        Path(name).chmod(0o755)
        Path(name, "file").write_text("content")
        Path(name, "file").chmod(0o644)
        words = ("--mount", f"{name}:/opt/data", "--env", "NAME=value")
        done = place.run("sandbox", "run", *BOX, *words, "--", "sh", "-c", "cat /opt/data/file; echo $NAME")
    assert (0, "contentvalue\n") == (done.status, done.out), done.err


def test_a_box_that_cannot_contain_enough_is_refused_with_6(place: Place) -> None:
    done = place.run("sandbox", "run", "--provider", "process", *AS_NOBODY, "--", "true")
    assert 6 == done.status


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--timeout", "0", "--", "true"),
        ("run", "--mount", "x", "--", "true"),
        ("run", "--env", "=1", "--", "true"),
        ("run", "--uid", "-1", "--", "true"),
        ("run",),
        ("verify", "none.json"),
        ("verify", "none.json", "--max-age-days", "0"),
        ("surgery",),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(place: Place, arguments: tuple[str, ...]) -> None:
    assert 2 == place.run("sandbox", *arguments).status


def test_a_user_without_rights_examines_boxes_too() -> None:
    require_provider("bubblewrap")
    done = run_unprivileged("-m", "verilabel", "sandbox", "run", "--provider", "bubblewrap", "--", "id", "-u")
    assert (0, "1000\n") == (done.returncode, done.stdout), done.stderr
