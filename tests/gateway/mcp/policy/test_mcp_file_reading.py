"""Reading `mcp.yaml` with its policy: inline, by path, bundled or pinned, and what does not fit together."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundle_factory import fixed_key
from tool_policies import HEAD, MAIL, call_of, session_of
from verilabel.errors import MalformedInput, SealError, UsageError
from verilabel.gateway.mcp.policy.bundled import tool_policy_bytes
from verilabel.gateway.mcp.policy.packs import TOOL_POLICY
from verilabel.gateway.mcp.policy.reading import LoadedMcp, load_mcp_file
from verilabel.gateway.policy.packing import GUARD_POLICY, keep_pack, pack_policy, read_pack, verify_pack
from verilabel.records.canonical import digest

POLICY = (HEAD + MAIL).encode()
FIRST, SECOND = fixed_key("first", "first.example"), fixed_key("second", "second.example")
SERVERS = """servers:
  mail: {command: [mail-mcp], trust: trusted, pins: mail.lock}
  files: {command: [files-mcp], pins: f.lock}
"""


def write(folder: Path, policy: str, rest: str = SERVERS) -> Path:
    path = folder / "mcp.yaml"
    path.write_text(f"verilabel: mcp/v1\npolicy: {policy}\n{rest}")
    return path


def load(folder: Path, policy: str, rest: str = SERVERS) -> LoadedMcp:
    return load_mcp_file(write(folder, policy, rest), home=folder / "home")


def test_a_policy_beside_the_file_is_read_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "tools.yaml").write_bytes(POLICY)
    loaded = load(tmp_path, "tools.yaml")
    assert (digest(POLICY), (tmp_path / "mcp.yaml", tmp_path / "tools.yaml")) == (
        loaded.policy.digest,
        loaded.files,
    )
    assert {"mail": "trusted", "files": "untrusted"} == loaded.trusts


def test_servers_that_are_not_trusted_taint_the_session(tmp_path: Path) -> None:
    (tmp_path / "tools.yaml").write_bytes(POLICY.replace(b"files/delete, action: ask", b"files/delete"))
    policy = load(tmp_path, "tools.yaml").compile()
    assert frozenset({"untrusted"}) == policy.decide(call_of("files/delete"), session_of()).after
    assert frozenset() == policy.decide(call_of("mail/address_book"), session_of()).after


def test_a_policy_in_the_file_itself_is_identified_by_what_it_says(tmp_path: Path) -> None:
    text = "{verilabel: mcp-policy/v1, policy: p, version: '1', default: deny, tools: ["
    text += "{match: mail/a, args: {x: {max: 1.50}}}]}"
    loaded = load(tmp_path, text)
    same = load(tmp_path, text.replace("policy: p, version: '1'", "version: '1', policy: p"))
    other = load(tmp_path, text.replace("1.50", "1.5"))
    assert loaded.policy.digest == same.policy.digest != other.policy.digest
    assert None is loaded.policy.path
    with pytest.raises(MalformedInput) as caught:
        load(tmp_path, text.replace("deny", "denied"))
    assert "$.policy: $.default" in str(caught.value.where)


@pytest.mark.parametrize("reference", ["cautious", "bundled:cautious"])
def test_a_bundled_policy_is_named(tmp_path: Path, reference: str) -> None:
    assert digest(tool_policy_bytes("cautious")) == load(tmp_path, reference).policy.digest


def test_a_pinned_pack_is_used_and_its_signer_asked_for(tmp_path: Path) -> None:
    reference = f"pack:mine@{digest(POLICY)}"
    with pytest.raises(UsageError):
        load(tmp_path, f"'{reference}'")
    pack = pack_policy(POLICY, FIRST, where="p", kind=TOOL_POLICY)
    keep_pack(pack, digest(POLICY), home=tmp_path / "home", where="p", kinds=(TOOL_POLICY,))
    loaded = load(tmp_path, f"'{reference}'")
    assert digest(POLICY) == loaded.policy.digest
    assert "$.trust" in [remark.where for remark in loaded.remarks]
    for key, fits in ((FIRST, True), (SECOND, False)):
        trust = f"format: verilabel/trust/v1\naccept: {{key: {key.public.line}, name: A, roles: [labels]}}\n"
        (tmp_path / "trust.yaml").write_text(trust)
        rest = SERVERS + "trust: trust.yaml\n"
        if fits:
            assert digest(POLICY) == load(tmp_path, f"'{reference}'", rest).policy.digest
        else:
            with pytest.raises(SealError):
                load(tmp_path, f"'{reference}'", rest)


def test_a_guard_policy_never_passes_for_a_tool_policy(tmp_path: Path) -> None:
    guard = b"policy: mine\nversion: '2'\nguards:\n  - {id: g, use: pii}\n"
    pack = pack_policy(guard, FIRST, where="p")
    with pytest.raises(SealError):
        read_pack(pack, where="p", kinds=(TOOL_POLICY,))
    with pytest.raises(SealError):
        verify_pack(pack, where="p", keys=[FIRST.public], kinds=(TOOL_POLICY,))
    with pytest.raises(MalformedInput):
        pack_policy(guard, FIRST, where="p", kind=TOOL_POLICY)
    keep_pack(pack, digest(guard), home=tmp_path / "home", where="p")
    with pytest.raises(SealError):
        load(tmp_path, f"'pack:mine@{digest(guard)}'")


def test_a_pack_of_one_kind_relabelled_as_the_other_does_not_verify() -> None:
    pack = pack_policy(POLICY, FIRST, where="p", kind=TOOL_POLICY)
    assert "mine" == verify_pack(pack, where="p", keys=[FIRST.public], kinds=(GUARD_POLICY, TOOL_POLICY)).name
    relabelled = pack.replace(TOOL_POLICY.payload_type.encode(), GUARD_POLICY.payload_type.encode())
    with pytest.raises(SealError):
        verify_pack(relabelled, where="p", keys=[FIRST.public], kinds=(GUARD_POLICY, TOOL_POLICY))


SERVER_MISTAKES = {
    "no server": ("servers: {}\n", "$.servers"),
    "a name with a slash": ("servers: {a/b: {command: [x]}}\n", "$.servers"),
    "neither command nor url": ("servers: {a: {}}\n", "$.servers.a"),
    "both": ("servers: {a: {command: [x], url: 'https://h.example/'}}\n", "$.servers.a"),
    "plain http": ("servers: {a: {url: 'http://h.example/'}}\n", "$.servers.a.url"),
    "credentials in a url": ("servers: {a: {url: 'https://u:p@h.example/'}}\n", "$.servers.a.url"),
    "an environment for a url": (
        "servers: {a: {url: 'https://h.example/', env: {A: b}}}\n",
        "$.servers.a.env",
    ),
    "headers for a command": (
        "servers: {a: {command: [x], headers_from: {X: Z}}}\n",
        "$.servers.a.headers_from",
    ),
    "a header of HTTP itself": (
        "servers: {a: {url: 'https://h.example/', headers_from: {Host: Z}}}\n",
        "$.servers.a.headers_from",
    ),
    "a variable with an equals sign": ("servers: {a: {command: [x], env: {'A=B': c}}}\n", "$.servers.a.env"),
    "a secret given by value": (
        "servers: {a: {command: [x], env: {A: b}, secrets: [A]}}\n",
        "$.servers.a.secrets",
    ),
    "prefixes that begin alike": (
        "servers: {a: {command: [x]}, b: {command: [x], prefix: a__b}}\n",
        "$.servers.a.prefix",
    ),
    "two servers without a prefix": (
        "servers: {a: {command: [x], prefix: ''}, b: {command: [x]}}\n",
        "$.servers.a.prefix",
    ),
    "anybody on the network": (
        SERVERS + "listen: {transport: http, host: 0.0.0.0, auth: none}\n",
        "$.listen.auth",
    ),
    "no port": (SERVERS + "listen: {port: 70000}\n", "$.listen.port"),
    "any host": (SERVERS + "listen: {allowed_hosts: ['*.corp.example']}\n", "$.listen.allowed_hosts"),
    "no patience": ("servers: {a: {command: [x], timeout_s: 0}}\n", "$.servers.a.timeout_s"),
}


@pytest.mark.parametrize("name", SERVER_MISTAKES)
def test_a_mistake_in_the_file_is_refused_with_its_place(tmp_path: Path, name: str) -> None:
    rest, where = SERVER_MISTAKES[name]
    with pytest.raises(MalformedInput) as caught:
        load(tmp_path, "cautious", rest)
    assert f"{tmp_path / 'mcp.yaml'}: {where}" == caught.value.where


def test_doubts_about_a_file_and_its_policy_together(tmp_path: Path) -> None:
    (tmp_path / "tools.yaml").write_bytes(POLICY)
    box = "{provider: process, min_containment: C0}"
    rest = f"servers:\n  mail: {{command: [x], trust: trusted, sandbox: {box}}}\n"
    rest += "  other: {url: 'https://h.example/mcp'}\n  web: {command: [x], pins: w.lock}\n"
    found = {remark.where for remark in load(tmp_path, "tools.yaml", rest).remarks}
    assert {
        "$.servers.mail.pins",
        "$.servers.mail.sandbox",
        "$.servers.mail.trust",
        "$.servers.other.pins",
        "$.policy.tools[3]",
    } <= found
    assert f"{tmp_path / 'tools.yaml'}: $.tests" in found


def test_a_policy_or_a_trust_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        load(tmp_path, "nothing.yaml")
    with pytest.raises(UsageError):
        load(tmp_path, "bundled:nothing")
    with pytest.raises((UsageError, FileNotFoundError)):
        load(tmp_path, "cautious", SERVERS + "trust: nothing.yaml\n")


def test_a_server_that_could_never_reach_its_containment_is_refused_before_it_is_started(
    tmp_path: Path,
) -> None:
    (tmp_path / "tools.yaml").write_bytes(POLICY)

    def servers(sandbox: str) -> str:
        return f"servers:\n  mail: {{command: [mail-mcp], sandbox: {{{sandbox}}}}}\n"

    with pytest.raises(MalformedInput, match="would not start") as caught:
        load(tmp_path, "tools.yaml", servers("provider: process"))
    assert caught.value.hint == "min_containment: C0 runs it without containment"
    loaded = load(tmp_path, "tools.yaml", servers("provider: process, min_containment: C0"))
    assert "C0" == loaded.gateway.servers["mail"].sandbox.min_containment


def test_a_tool_policy_in_the_place_of_the_gateways_file_is_named_as_one(tmp_path: Path) -> None:
    (tmp_path / "tools.yaml").write_bytes(POLICY)
    with pytest.raises(MalformedInput, match="this is a tool policy") as caught:
        load_mcp_file(tmp_path / "tools.yaml")
    assert "policy: tools.yaml" in (caught.value.hint or "")
