"""The command `verilabel keys`, run as its users run it."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from verilabel import cli
from verilabel.errors import UsageError
from verilabel.evidence.keys import key_path, load_key, parse_public
from verilabel.evidence.trust import parse_trust


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own."""
    monkeypatch.setenv("VERILABEL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_new_key_is_made_shown_listed_and_exported(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["keys", "new", "--name", "labels.example.org", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    key = load_key(home / "keys" / "labels.example.org.key")
    assert {"name": key.name, "keyid": key.keyid, "line": key.public.line} == {
        field: made[field] for field in ("name", "keyid", "line")
    }
    assert cli.main(["keys", "show", "labels.example.org", "--json"]) == 0
    assert made == json.loads(capsys.readouterr().out)
    assert cli.main(["keys", "list", "--json"]) == 0
    assert [made] == json.loads(capsys.readouterr().out)
    assert cli.main(["keys", "export", "labels.example.org"]) == 0
    assert key.public == parse_public(capsys.readouterr().out.removesuffix("\n"))


def test_what_people_see_names_the_key_and_never_the_secret(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["keys", "new"]) == 0
    assert cli.main(["keys", "list"]) == 0
    assert cli.main(["keys", "show"]) == 0
    shown = capsys.readouterr().out
    key = load_key(key_path("default", home))
    assert 3 == shown.count(key.keyid)
    body = "".join(key.pem().decode().splitlines()[1:-1])
    assert body not in shown and body[-40:] not in shown


def test_the_exported_trust_policy_accepts_the_key(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["keys", "new"])
    capsys.readouterr()
    assert cli.main(["keys", "export", "--trust"]) == 0
    policy = parse_trust(capsys.readouterr().out.encode())
    key = load_key(key_path("default", home)).public
    assert policy.accepts(key, role="labels", rubric="core").accepted


def test_an_exported_trust_policy_gives_the_roles_that_are_asked_for(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["keys", "new"])
    capsys.readouterr()
    assert cli.main(["keys", "export", "--trust", "--role", "attestations"]) == 0
    policy = parse_trust(capsys.readouterr().out.encode())
    key = load_key(key_path("default", home)).public
    assert policy.accepts(key, role="attestations").accepted
    assert not policy.accepts(key, role="labels", rubric="core").accepted
    assert cli.main(["keys", "export", "--trust", "--role", "boss"]) == 2
    assert cli.main(["keys", "export", "--role", "labels"]) == 2


def test_a_key_is_replaced_only_with_force(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["keys", "new"])
    first = load_key(key_path("default", home)).keyid
    assert cli.main(["keys", "new"]) == 2
    assert "--force" in capsys.readouterr().err
    assert first == load_key(key_path("default", home)).keyid
    assert cli.main(["keys", "new", "--force"]) == 0
    assert first != load_key(key_path("default", home)).keyid


def test_a_passphrase_comes_from_the_environment_and_not_from_the_command_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KEY_WORDS", "correct horse")
    assert cli.main(["keys", "new", "--passphrase-env", "KEY_WORDS"]) == 0
    assert "correct horse" not in capsys.readouterr().out
    with pytest.raises(UsageError, match="passphrase"):
        load_key(key_path("default", home))
    assert "default" == load_key(key_path("default", home), passphrase=b"correct horse").name
    assert cli.main(["keys", "list"]) == 0
    assert "with passphrase" in capsys.readouterr().out
    assert cli.main(["keys", "new", "--name", "b", "--passphrase-env", "UNSET_VARIABLE"]) == 2
    assert not key_path("b", home).exists()


PROGRAM = "import sys; from verilabel.cli import main; sys.exit(main())"


def type_passphrases(home: Path, *typed: str) -> tuple[int, str]:
    """Run `keys new --passphrase` on a terminal of its own and type; give its exit status and what was shown."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, "keys", "new", "--passphrase"],
        stdin=child,
        stdout=child,
        stderr=child,
        env={**os.environ, "VERILABEL_HOME": str(home)},
        start_new_session=True,
    )
    os.close(child)
    shown, answered = b"", 0
    try:
        while select.select([parent], [], [], 30)[0]:
            try:
                block = os.read(parent, 4096)
            except OSError:  # the other end of the terminal is closed
                break
            shown += block
            if answered < min(shown.count(b": "), len(typed)):  # a prompt that was not answered yet
                os.write(parent, typed[answered].encode() + b"\n")
                answered += 1
        return process.wait(timeout=30), shown.decode()
    finally:
        process.kill()
        os.close(parent)


def test_a_typed_passphrase_is_asked_for_twice_and_not_shown(home: Path) -> None:
    status, shown = type_passphrases(home, "two words", "two words")
    assert 0 == status, shown
    assert "two words" not in shown
    assert "default" == load_key(key_path("default", home), passphrase=b"two words").name


def test_two_different_typed_passphrases_make_no_key(home: Path) -> None:
    status, shown = type_passphrases(home, "two words", "two worlds")
    assert 2 == status, shown
    assert not key_path("default", home).exists()


def test_a_key_that_is_not_there_says_how_to_make_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["keys", "show", "--json"]) == 2
    assert "verilabel keys new" == json.loads(capsys.readouterr().err)["hint"]
    assert cli.main(["keys", "list"]) == 0
    assert "verilabel keys new" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["keys"], ["keys", "steal"], ["keys", "new", "--name", "../x"], ["keys", "new", "--pass"]]
)
def test_a_command_that_makes_no_sense_is_a_usage_error(arguments: list[str]) -> None:
    assert 2 == cli.main(arguments)
