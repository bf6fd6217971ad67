"""`verilabel policy`: what it prints and the statuses it ends with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from verilabel.cli import main, parser_for
from verilabel.evidence.keys import key_path
from verilabel.gateway.policy.bundled import bundled_bytes, bundled_names, sample_gateway_yaml
from verilabel.gateway.policy.packing import pack_path
from verilabel.records.canonical import digest

POLICY = "policy: mine\nversion: '1'\nguards:\n  - {id: g, use: length, settings: {max_chars: 9}}\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VERILABEL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


@pytest.fixture
def pack(policy: Path) -> Path:
    assert 0 == main(["keys", "new", "--json"])
    path = policy.with_suffix(".pack")
    assert 0 == main(["policy", "sign", str(policy), "--out", str(path), "--json"])
    return path


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    """The last JSON document that was printed."""
    text = capsys.readouterr().out
    return dict(json.loads(text[text.rindex("\n{") :] if "\n{" in text else text))


def test_list_names_the_bundled_policies(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["policy", "list"])
    assert all(name in capsys.readouterr().out for name in bundled_names()[:1])
    assert 0 == main(["policy", "list", "--json"])
    listed = json.loads(capsys.readouterr().out)
    assert {name: digest(bundled_bytes(name)) for name in bundled_names()} == {
        each["name"]: each["digest"] for each in listed if each["kind"] == "guard"
    }


def test_show_prints_the_exact_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["policy", "show", "default"])
    assert bundled_bytes("default").decode() == capsys.readouterr().out
    assert 0 == main(["policy", "show", "strict", "--json"])
    assert digest(bundled_bytes("strict")) == printed(capsys)["digest"]


def test_new_writes_a_policy_and_replaces_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    assert 0 == main(["policy", "new", "--from", "observe", "--out", str(path)])
    assert bundled_bytes("observe") == path.read_bytes()
    assert 2 == main(["policy", "new", "--out", str(path)])
    assert 0 == main(["policy", "new", "--out", str(path), "--force"])
    assert bundled_bytes("default") == path.read_bytes()
    assert 2 == main(["policy", "new", "--from", "nothing", "--out", str(tmp_path / "other.yaml")])


@pytest.mark.parametrize("name", bundled_names())
def test_bundled_policies_pass_lint(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["policy", "lint", name]), capsys.readouterr().out


def test_lint_prints_every_mistake_and_ends_with_3(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.write_text(POLICY.replace("length,", "length, share: 2, when: 'request.modle == 1',"))
    assert 3 == main(["policy", "lint", str(policy)])
    out = capsys.readouterr().out
    assert "error: 2 is no share of requests @ $.guards[0].share" in out
    assert "hint: did you mean 'model'?" in out
    assert 3 == main(["policy", "lint", str(policy), "--json"])
    document = printed(capsys)
    assert ("mine@1", 3) == (document["name"], document["status"])


def test_lint_asks_the_kind_of_a_guard(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.write_text(POLICY.replace("length", "lenght"))
    assert 3 == main(["policy", "lint", str(policy)])
    assert "$.guards[0]" in capsys.readouterr().out


def test_lint_of_doubts_alone_ends_with_0(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["policy", "lint", str(policy)])
    assert "doubt: the policy has no tests @ $.tests" in capsys.readouterr().out


def test_lint_of_a_broken_file_ends_with_3(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.write_text("guards: [")
    assert 3 == main(["policy", "lint", str(policy)])
    assert str(policy) in capsys.readouterr().err
    assert 2 == main(["policy", "lint", "nothing.yaml"])


def test_lint_reads_a_configuration_with_all_that_it_names(
    policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = policy.with_name("gateway.yaml")
    config.write_text(sample_gateway_yaml().replace("bundled:default", "policy.yaml"))
    assert 0 == main(["policy", "lint", str(config)])
    assert f"{policy}: $.tests" in capsys.readouterr().out
    policy.write_text(POLICY + "limits: [{id: l, route: nowhere, concurrency: 5}]\n")
    assert 3 == main(["policy", "lint", str(config)])
    assert "no route 'nowhere'" in capsys.readouterr().err


def test_diff_says_what_is_loosened_and_can_forbid_it(
    policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lax = policy.with_name("lax.yaml")
    lax.write_text(POLICY.replace("length,", "length, action: flag,"))
    assert 0 == main(["policy", "diff", str(policy), str(lax)])
    assert "loosened   guards.g.action: now flag" in capsys.readouterr().out
    assert 1 == main(["policy", "diff", str(policy), str(lax), "--forbid-loosening"])
    assert 0 == main(["policy", "diff", str(lax), str(policy), "--forbid-loosening", "--json"])
    assert [{"kind": "tightened", "where": "guards.g.action", "says": "now block"}] == json.loads(
        capsys.readouterr().out.partition("changes\n")[2]
    )["changes"]


def test_a_pack_is_signed_verified_and_pulled(
    pack: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pinned = digest(POLICY.encode())
    public = str(key_path("default", home).with_suffix(".pub"))
    capsys.readouterr()
    assert 0 == main(["policy", "verify", str(pack), "--key-file", public, "--json"])
    verified = printed(capsys)
    assert (f"pack:mine@{pinned}", ["default"]) == (verified["reference"], verified["signers"])
    assert 0 == main(["policy", "pull", str(pack), "--digest", pinned])
    assert "signature not checked" in capsys.readouterr().out
    assert pack.read_bytes() == pack_path(pinned, home).read_bytes()
    assert 0 == main(["policy", "show", str(pack)])
    assert POLICY == capsys.readouterr().out


def test_a_pack_that_does_not_hold_ends_with_4_and_is_not_kept(pack: Path, home: Path) -> None:
    assert 0 == main(["keys", "new", "--name", "other"])
    other = str(key_path("other", home).with_suffix(".pub"))
    pinned = digest(POLICY.encode())
    assert 4 == main(["policy", "verify", str(pack), "--key-file", other])
    assert 4 == main(["policy", "pull", str(pack), "--digest", pinned, "--key-file", other])
    assert 4 == main(["policy", "pull", str(pack), "--digest", digest(b"another")])
    assert not (home / "policies").exists()


def test_packs_need_to_be_told_whom_to_trust_and_what_to_take(pack: Path) -> None:
    assert 2 == main(["policy", "verify", str(pack)])
    assert 2 == main(["policy", "pull", str(pack), "--digest", "sha256:12"])
    assert 7 == main(["policy", "pull", "http://packs.example.org/a", "--digest", digest(b"a")])


def test_a_policy_with_mistakes_is_not_signed(policy: Path, pack: Path) -> None:
    policy.write_text(POLICY.replace("length,", "length, action: replace,"))
    out = policy.with_name("wrong.pack")
    assert 3 == main(["policy", "sign", str(policy), "--out", str(out)])
    assert not out.exists()


def test_a_policy_without_tests_cannot_be_tested(policy: Path) -> None:
    assert 2 == main(["policy", "test", str(policy)])


@pytest.mark.parametrize("name", bundled_names())
def test_bundled_policies_pass_their_own_tests(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["policy", "test", name]), capsys.readouterr().out


def test_a_failing_test_of_a_policy_ends_with_1(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.write_text(POLICY + "tests:\n  - {name: it is long, input: hello, expect: block}\n")
    assert 1 == main(["policy", "test", str(policy), "--json"])
    assert 1 == printed(capsys)["failed"]


def test_the_help_shows_every_verb() -> None:
    shown = parser_for("policy").format_help()
    verbs = ("list", "show", "new", "lint", "test", "diff", "sign", "verify", "pull")
    assert all(f"  {verb} " in shown for verb in verbs)
