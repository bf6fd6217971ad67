"""Arguments made to look like what a rule allows: e-mail addresses, URLs, hosts and paths, refused one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tool_policies import call_of, policy_of, session_of
from verilabel.gateway.mcp.policy.addresses import is_within, read_email, read_host, read_path, read_url

POLICY = policy_of(
    """default: deny
tools:
  - {id: send, match: m/send, args: {to: {type: email, domains: [corp.example, "*.corp.example"], required: true}}}
  - {id: any, match: m/any, args: {to: {type: email, required: true}}}
  - id: fetch
    match: w/fetch
    args: {url: {type: url, domains: [corp.example, "api.corp.example:8443"], required: true}}
  - {id: open, match: w/open, args: {url: {type: url, required: true}}}
  - {id: dns, match: w/dns, args: {host: {type: domain, domains: [corp.example], required: true}}}
  - {id: read, match: f/read, args: {path: {type: path, within: [/srv/data], required: true}}}
  - {id: note, match: f/note, args: {path: {type: path, within: [notes], required: true}}}
"""
)


def action(name: str, **arguments: object) -> str:
    return POLICY.decide(call_of(name, **arguments), session_of()).action


ODD_EMAILS = [
    "x@evil.example",
    "x@corp.example.evil.example",
    "x@evilcorp.example",
    "x@corp.example.",
    "x@corp.example,y@evil.example",
    "x@corp.example;y@evil.example",
    "x@corp.example y@evil.example",
    "x@evil.example@corp.example",
    "x%evil.example@corp.example",
    "evil.example!x@corp.example",
    '"x@evil.example"@corp.example',
    "Ann <x@corp.example>",
    "<x@corp.example>",
    "x@corp.example(comment)",
    "x@corp.example\r\nBcc: y@evil.example",
    "x@corp.example\n",
    "x@corp.example\x00",
    " x@corp.example",
    "x@cоrp.example",  # a Cyrillic o
    "х@corp.example",  # a Cyrillic h
    "x@corp．example",  # a full-width stop
    "x@corp\u200b.example",
    "x@[127.0.0.1]",
    "x@127.0.0.1",
    "-oProxyCommand@corp.example",
    ".x@corp.example",
    "x..y@corp.example",
    "|mail@corp.example",
    "x@corp",
    "x@-corp.example",
    "@corp.example",
    "x" * 65 + "@corp.example",
    "mailto:x@corp.example",
    "x@corp.example?bcc=y@evil.example",
    "x@xn--crp-0nd.example",
]


@pytest.mark.parametrize("address", ODD_EMAILS)
def test_no_odd_address_passes_for_one_of_the_house(address: str) -> None:
    assert "deny" == action("m/send", to=address)
    assert "deny" == action("m/send", to=["ann@corp.example", address])


@pytest.mark.parametrize("address", ["a@corp.example", "A.b+c@CORP.example", "o'neil_x@mail.corp.example"])
def test_plain_addresses_of_the_house_pass(address: str) -> None:
    assert "allow" == action("m/send", to=address)
    assert "allow" == action("m/send", to=[address, "a@corp.example"])


@pytest.mark.parametrize("value", [7, True, {"a": 1}, ["a@corp.example", 7], [["a@corp.example"]], 1.5, ""])
def test_what_is_no_text_is_no_address(value: object) -> None:
    assert "deny" == action("m/send", to=value)


ODD_URLS = [
    "https://evil.example/",
    "https://evil.example#corp.example",
    "https://evil.example/#corp.example",
    "https://evil.example?corp.example",
    "https://corp.example@evil.example/",
    "https://corp.example:x@evil.example/",
    "https://corp.example%40evil.example/",
    "https://corp.example#@evil.example/",
    "https://corp.example?@evil.example/",
    "https://corp.example\\@evil.example/",
    "https:\\\\corp.example/",
    "https://corp.example\\.evil.example/",
    "https:/corp.example/",
    "https:corp.example/",
    "//corp.example/",
    "corp.example",
    "http://corp.example/",
    "HTTP://corp.example/",
    "javascript://corp.example/%0aalert(1)",
    "file://corp.example/etc/passwd",
    "ftp://corp.example/",
    "data:text/html,x",
    "https://corp.example./",
    "https://corp.example:8443/",
    "https://api.corp.example/",
    "https://corp.example:0443/",
    "https://corp.example:/",
    "https://corp.example:99999/",
    "https://cоrp.example/",
    "https://ⓒorp.example/",
    "https://xn--crp-0nd.example/",
    "https://sub.corp.example/",
    "https://evilcorp.example/",
    "https://corp.example.evil.example/",
    "https://corp..example/",
    "https:// corp.example/",
    " https://corp.example/",
    "https://corp.example/\n",
    "https://corp.example/\u202e",
    "https://corp.example/a b",
    "https://[::1]/",
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://017700000001/",
    "https://127.1/",
    "https://localhost/",
    "https://%63orp.example/",
    "jar:https://corp.example/!/x",
    "view-source:https://corp.example/",
    "1https://corp.example/",
    "https://corp.example/public/../admin",
    "https://corp.example/public/%2e%2E/admin",
    "https://corp.example/public%2f..%2fadmin",
    "https://corp.example/./admin",
    "https://corp.example/..",
]


@pytest.mark.parametrize("url", ODD_URLS)
def test_no_odd_url_passes_for_one_of_the_house(url: str) -> None:
    assert "deny" == action("w/fetch", url=url)


@pytest.mark.parametrize(
    "url",
    [
        "https://corp.example",
        "https://corp.example/",
        "HTTPS://CORP.example/a?b=c@d#e",
        "https://corp.example:443/x",
        "https://api.corp.example:8443/",
        "https://corp.example/ü",
        "https://corp.example/a..b/.well-known/...?x=../y#/../z",
    ],
)
def test_plain_urls_of_the_house_pass(url: str) -> None:
    assert "allow" == action("w/fetch", url=url)


@pytest.mark.parametrize(
    "url",
    [
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/",
        "https://0x7f.1/",
        "https://metadata/",
        "https://localhost/",
        "https://news.example:22/",
        "http://news.example/",
    ],
)
def test_a_url_without_a_list_of_domains_leads_to_a_plain_public_name(url: str) -> None:
    assert "deny" == action("w/open", url=url)
    assert "allow" == action("w/open", url="https://news.example/today")


@pytest.mark.parametrize(
    "host", ["evil.example", "corp.example.", "corp.example:443", "10.0.0.1", "corp.example/x", ""]
)
def test_no_odd_host_passes(host: str) -> None:
    assert "deny" == action("w/dns", host=host)
    assert "allow" == action("w/dns", host="Corp.Example")


ODD_PATHS = [
    "/etc/passwd",
    "/srv/data/../../etc/passwd",
    "/srv/data/../secret",
    "/srv/database",
    "/srv/data\x00/../../etc/passwd",
    "/srv/data/%2e%2e/%2e%2e/etc/passwd",
    "/srv/data/..%2fsecret",
    "/srv/data/%252e%252e/x",
    "/srv/data/..\\..\\etc",
    "\\srv\\data\\x",
    "~/x",
    "/srv/data/~root/x",
    "/srv/data/$HOME/x",
    "/srv/data/${HOME}/x",
    "/srv/data/`id`",
    "//srv/data/x",
    "C:/srv/data/x",
    "srv/data/x",
    "data/x",
    "file:///srv/data/x",
    "/srv/data/．．/x",
    "/srv/data/‥/x",
    "/srv/data/x／../..",
    "/srv/data/x\n",
    "/srv/data/x\u202etxt",
    "/srv/data/.../x",
    "/srv/data/.. /x",
    "/srv/data/x.",
    "/srv",
    "",
    "x" * 5000,
]


@pytest.mark.parametrize("path", ODD_PATHS)
def test_no_odd_path_leads_out_of_its_folder(path: str) -> None:
    assert "deny" == action("f/read", path=path)


@pytest.mark.parametrize(
    "path",
    [
        "/srv/data",
        "/srv/data/x",
        "/srv/./data//x/",
        "/srv/data/a/../b",
        "/srv/x/../data/é.txt",
        "/srv/data/.env",
    ],
)
def test_plain_paths_in_the_folder_pass(path: str) -> None:
    assert "allow" == action("f/read", path=path)


def test_a_relative_folder_takes_relative_paths_alone() -> None:
    assert "allow" == action("f/note", path="notes/today.md")
    assert "allow" == action("f/note", path="./notes/x/../y")
    for path in ("/notes/x", "../notes/x", "notes/../../x", "notes/../secret", "notesx"):
        assert "deny" == action("f/note", path=path)


@given(st.text(max_size=40))
def test_reading_never_fails_and_what_is_read_is_plain(text: str) -> None:
    host, path, url = read_host(text), read_path(text), read_url(text)
    assert host is None or (host.name.isascii() and host.name == text.lower())
    assert path is None or ".." not in path.split("/")
    assert url is None or (
        url.host.name in text.lower() and "@" not in text.partition("://")[2].partition("/")[0]
    )
    email = read_email(text)
    assert email is None or f"{email[0]}@{email[1].name}" == f"{email[0]}@{text.lower().partition('@')[2]}"


@given(st.lists(st.sampled_from(["..", ".", "", "a", "b"]), max_size=12))
def test_a_path_that_was_read_is_where_a_file_system_without_links_would_go(parts: list[str]) -> None:
    import posixpath

    text = "/" + "/".join(parts)
    read = read_path(text)
    expected = posixpath.normpath(text.lstrip("/") and "/" + text.lstrip("/"))
    assert read is None or read == (expected if expected != "." else "/")


def test_folders_hold_themselves_and_what_is_below() -> None:
    assert is_within("/a/b", "/a") and is_within("/a", "/a") and is_within("/a", "/") and is_within("a", "")
    assert not is_within("/ab", "/a") and not is_within("a", "/") and not is_within("/a", "")
