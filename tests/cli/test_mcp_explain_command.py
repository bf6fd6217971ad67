"""`verilabel mcp explain`: what it prints and the statuses it ends with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tool_policies import HEAD, MAIL
from verilabel.cli import main
from verilabel.gateway.audit.record import AuditRecord, ToolRecord
from verilabel.gateway.audit.trail import AuditTrail
from verilabel.gateway.policy.document import AuditSettings
from verilabel.records.canonical import digest

SEND = '{"to": "ann@corp.example", "body": "top-secret"}'


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "tools.yaml"
    path.write_text(HEAD + MAIL)
    return str(path)


def explain(*words: str) -> int:
    return main(["mcp", "explain", *words])


def test_it_says_who_decided_and_what_would_have_changed_it(
    policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == explain(
        "--policy", policy, "--call", "mail/send", "--args", SEND, "--labels", "private,untrusted"
    )
    out = capsys.readouterr().out
    assert "mail/send: ask, by no-exfil" in out
    assert "if the session were not untrusted: allow, by send" in out
    assert "asked:   1 of anyone who may approve, not by the requester, in the queue, within 300 s" in out
    assert "top-secret" not in out and "ann@corp.example" not in out


def test_the_prompt_and_trusted_texts_vouch(
    policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "prompt.txt").write_text("Write to Ann@corp.example.")
    (tmp_path / "args.json").write_text(SEND)
    words = ("--policy", policy, "--call", "mail/send", "--labels", "private,untrusted", "--json")
    for option, text in (("--prompt", f"@{tmp_path / 'prompt.txt'}"), ("--trusted", "ann@corp.example")):
        assert 0 == explain(*words, "--args", f"@{tmp_path / 'args.json'}", option, text)
        document = json.loads(capsys.readouterr().out)
        assert ("allow", ["send"]) == (document["decision"]["action"], document["decision"]["rules"])
        assert digest(Path(policy).read_bytes()) == document["digest"]


def test_a_gateways_file_says_which_servers_are_trusted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tools.yaml").write_text(HEAD + MAIL)
    (tmp_path / "mcp.yaml").write_text(
        "verilabel: mcp/v1\npolicy: tools.yaml\nservers: {mail: {command: [x]}, lab: {command: [x]}}\n"
    )
    assert 0 == explain("--policy", str(tmp_path / "mcp.yaml"), "--call", "mail/address_book", "--json")
    decision = json.loads(capsys.readouterr().out)["decision"]
    assert (["untrusted"], False) == (decision["after"], decision["vouches"])


def test_a_bundled_policy_is_explained_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == explain("--policy", "cautious", "--call", "lab/open_shell")
    assert "lab/open_shell: deny, by shell" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("--call", "send"), 2),
        ((), 2),
        (("--call", "mail/send", "--trail", "x", "--id", "y"), 2),
        (("--trail", "x"), 2),
        (("--call", "mail/send", "--labels", "untrusted,nothing"), 2),
        (("--call", "mail/send", "--args", "[1]"), 2),
        (("--call", "mail/send", "--args", '{"to": 1, "to": 2}'), 3),
        (("--call", "mail/send", "--args", '{"to": NaN}'), 3),
        (("--call", "mail/send", "--args", "{"), 3),
        (("--call", "mail/send", "--args", "@nothing.json"), 2),
        (("--call", "mail/send", "--calls", "-1"), 2),
    ],
)
def test_what_cannot_be_explained_is_refused(policy: str, words: tuple[str, ...], status: int) -> None:
    assert status == explain("--policy", policy, *words)


def test_a_guard_policy_and_no_policy_are_refused(tmp_path: Path) -> None:
    for reference in ("default", str(tmp_path / "nothing.yaml")):
        assert 2 == explain("--policy", reference, "--call", "a/b")


def write_trail(folder: Path, policy: str, labels: tuple[str, ...], content: dict[str, str] | None) -> None:
    trail = AuditTrail.open(AuditSettings(folder=str(folder), content=True), "worker")
    tool = ToolRecord(
        server="mail", tool="send", session="s#0", action="ask", rules=("no-exfil",), labels=labels, calls=2
    )
    trail.append(
        AuditRecord(
            event="ended", id="c1", at_us=1, policy=policy, outcome="held", content=content, tool=tool
        )
    )
    trail.close()


@pytest.mark.parametrize(
    ("labels", "other_policy", "content", "status"),
    [
        (("private", "untrusted"), False, True, 0),
        (("private",), False, True, 1),
        (("private", "untrusted"), True, True, 1),
        (("private", "untrusted"), False, False, 8),
    ],
)
def test_a_recorded_decision_is_made_again(
    policy: str,
    tmp_path: Path,
    labels: tuple[str, ...],
    other_policy: bool,
    content: bool,
    status: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    in_force = digest(b"other" if other_policy else Path(policy).read_bytes())
    kept = {"arguments": SEND, "prompt": ""} if content else None
    write_trail(tmp_path / "audit", in_force, labels, kept)
    words = ("--policy", policy, "--trail", str(tmp_path / "audit"), "--id", "c1")
    assert status == explain(*words)
    out = capsys.readouterr().out
    if content:
        assert ("decided again: the same" in out) == (labels == ("private", "untrusted"))
        assert ("under another policy" in out) == other_policy
        assert status == explain(*words, "--json")
        recorded = json.loads(capsys.readouterr().out)["recorded"]
        assert (not other_policy, "ask") == (recorded["same_policy"], recorded["action"])
    assert 2 == explain(*words[:-1], "c2")
