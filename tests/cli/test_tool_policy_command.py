"""`verilabel policy` on tool policies: the same verbs as for guard policies, told apart by the file itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tool_policies import HEAD, MAIL
from verilabel.cli import main
from verilabel.evidence.keys import key_path
from verilabel.gateway.mcp.policy.bundled import tool_policy_bytes, tool_policy_names
from verilabel.gateway.policy.packing import pack_path
from verilabel.records.canonical import digest

TESTED = HEAD + MAIL + "tests: [{name: reading, trace: [mail/read_inbox], expect: allow}]\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VERILABEL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "tools.yaml"
    path.write_text(TESTED)
    return path


@pytest.fixture
def pack(policy: Path) -> Path:
    assert 0 == main(["keys", "new", "--json"])
    path = policy.with_suffix(".pack")
    assert 0 == main(["policy", "sign", str(policy), "--out", str(path), "--json"])
    return path


def test_list_names_the_bundled_tool_policies_with_their_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["policy", "list", "--json"])
    listed = {each["name"]: (each["kind"], each["digest"]) for each in json.loads(capsys.readouterr().out)}
    assert {name: ("tool", digest(tool_policy_bytes(name))) for name in tool_policy_names()} == {
        name: said for name, said in listed.items() if said[0] == "tool"
    }


def test_show_and_new_give_the_exact_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["policy", "show", "cautious"])
    assert tool_policy_bytes("cautious").decode() == capsys.readouterr().out
    assert 0 == main(["policy", "new", "--from", "provenance", "--out", str(tmp_path / "p.yaml")])
    assert tool_policy_bytes("provenance") == (tmp_path / "p.yaml").read_bytes()


def test_lint_prints_mistakes_with_their_places(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["policy", "lint", str(policy)])
    assert "mine@1" in capsys.readouterr().out
    policy.write_text(TESTED.replace("[private]", "[privat]"))
    assert 3 == main(["policy", "lint", str(policy)])
    out = capsys.readouterr().out
    assert "error: no label 'privat' @ $.tools[0].reads" in out and "did you mean 'private'?" in out


def test_lint_reads_a_gateways_file_with_its_policy(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = policy.with_name("mcp.yaml")
    config.write_text("verilabel: mcp/v1\npolicy: tools.yaml\nservers: {mail: {command: [x]}}\n")
    assert 0 == main(["policy", "lint", str(config)])
    assert "doubt: its tools are not pinned" in capsys.readouterr().out
    assert 0 == main(["policy", "test", str(config)])
    config.write_text("verilabel: mcp/v1\npolicy: tools.yaml\nservers: {mail: {}}\n")
    assert 3 == main(["policy", "lint", str(config)])


def test_test_runs_the_policys_own_tests(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["policy", "test", str(policy)])
    assert "passed  reading" in capsys.readouterr().out
    policy.write_text(TESTED.replace("expect: allow}", "expect: deny}"))
    assert 1 == main(["policy", "test", str(policy)])
    assert "expected deny, came allow" in capsys.readouterr().out
    policy.write_text(HEAD + MAIL)
    assert 2 == main(["policy", "test", str(policy)])


def test_diff_can_forbid_loosening_and_compares_no_two_kinds(
    policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    looser = policy.with_name("looser.yaml")
    looser.write_text(TESTED.replace("quorum: 2", "quorum: 1"))
    assert 0 == main(["policy", "diff", str(policy), str(looser)])
    assert "loosened   tools.delete.quorum: now 1" in capsys.readouterr().out
    assert 1 == main(["policy", "diff", str(policy), str(looser), "--forbid-loosening"])
    assert 0 == main(["policy", "diff", str(looser), str(policy), "--forbid-loosening"])
    assert 2 == main(["policy", "diff", "default", str(policy)])


def test_a_pack_is_signed_verified_and_pulled(policy: Path, pack: Path, home: Path) -> None:
    public = str(key_path("default").with_suffix(".pub"))
    pinned = digest(policy.read_bytes())
    assert 0 == main(["policy", "verify", str(pack), "--key-file", public])
    assert 0 == main(["policy", "pull", str(pack), "--digest", pinned])
    assert pack.read_bytes() == pack_path(pinned, home).read_bytes()
    assert 4 == main(["policy", "pull", str(pack), "--digest", digest(b"other")])
    for verb in ("lint", "test", "show"):
        assert 0 == main(["policy", verb, str(pack)])
    config = policy.with_name("mcp.yaml")
    config.write_text(
        f"verilabel: mcp/v1\npolicy: 'pack:mine@{pinned}'\nservers: {{mail: {{command: [x]}}}}\n"
    )
    assert 0 == main(["policy", "lint", str(config)])
