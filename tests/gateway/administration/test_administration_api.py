"""The administration over HTTP: every role sees and does its own, and nothing acts for somebody unasked."""

from __future__ import annotations

import http.client
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.administration.served import Served, administration
from gateway.approvals.held import KEY, subject
from stores import pass_time
from verilabel.gateway.access.interface import NOBODY
from verilabel.gateway.approvals.signing import open_decision
from verilabel.gateway.approvals.watching import MAX_READERS

API = "/verilabel/api"
GOOD = {"verdict": "approve", "reason": "I know it"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One served administration for the tests that only add to it."""
    path = tmp_path_factory.mktemp("administration") / "gateway.db"
    with administration(str(path), state=lambda: {"workers": 1}) as running:
        yield running


def test_an_approver_sees_why_something_is_held_and_decides(served: Served) -> None:
    held = served.hold("decided", quorum=1)
    status, told = served.ask(f"{API}/approvals?state=pending", by="reviewer")
    shown = next(one for one in told["approvals"] if one["id"] == held.id)
    assert (200, "asker", ["payments: transfer"], None) == (
        status, shown["requester"], shown["reason"], shown["objection"],
    )  # fmt: skip
    status, decided = served.ask(f"{API}/approvals/{held.id}/decision", by="reviewer", body=GOOD)
    assert (200, "approved", "reviewer") == (status, decided["state"], decided["votes"][0]["by"])
    _, whole = served.ask(f"{API}/approvals/{held.id}", by="auditor")
    decision = open_decision(whole["votes"][0]["envelope"], [KEY.public])
    assert (held.id, subject("decided"), "I know it") == (
        decision.approval,
        decision.subject,
        decision.reason,
    )
    event = served.recorded[-1]
    assert ("approval_approve", "reviewer", held.id) == (event.event, event.user, event.approval)


def test_who_asked_sees_the_state_of_their_own_alone(served: Served) -> None:
    held = served.hold("own")
    status, told = served.ask(f"{API}/approvals/{held.id}", by="asker")
    assert (200, {"id", "state", "created_us", "expires_us"}) == (status, set(told))
    assert 404 == served.ask(f"{API}/approvals/{held.id}", by="second")[0]
    assert 404 == served.ask(f"{API}/approvals/ap_nothing", by="asker")[0]


def test_who_asked_can_wait_for_the_decision(served: Served) -> None:
    held = served.hold("waited")
    assert (200, "pending") == _state(served.ask(f"{API}/approvals/{held.id}?wait=0", by="asker"))
    served.ask(f"{API}/approvals/{held.id}/decision", by="reviewer", body=GOOD | {"verdict": "deny"})
    assert (200, "denied") == _state(served.ask(f"{API}/approvals/{held.id}?wait=60", by="asker"))


def _state(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["state"]


@pytest.mark.parametrize(
    ("path", "body", "may"),
    [
        ("/me", None, {"asker", "reviewer", "auditor", "admin"}),
        ("/state", None, {"reviewer", "auditor", "admin"}),
        ("/approvals", None, {"reviewer", "auditor", "admin"}),
        ("/keys", None, {"admin"}),
        ("/keys", {"name": "new one"}, {"admin"}),
        ("/keys/none/revoke", {}, {"admin"}),
        ("/keys/none/rotate", {}, {"admin"}),
    ],
)
def test_every_role_has_its_own_routes(served: Served, path: str, body: Any, may: set[str]) -> None:
    for person in ("asker", "reviewer", "auditor", "admin"):
        status, told = served.ask(API + path, by=person, body=body)
        assert (person in may) is (status != 403), (person, told)
    for nobody in (None, "vk_0123456789ab_" + "A" * 43, "x" * 10_000):
        assert 401 == served.ask(API + path, by=nobody, body=body)[0]


def test_a_vote_that_does_not_count_says_why(served: Served) -> None:
    held = served.hold("votes", requester="reviewer", key="other", quorum=2)
    path = f"{API}/approvals/{held.id}/decision"

    def code(by: str) -> tuple[int, str]:
        status, told = served.ask(path, by=by, body=GOOD)
        return status, told["error"]["code"] if "error" in told else told["state"]

    assert [(403, "own_request"), (403, "permission"), (403, "role")] == [
        code(p) for p in ("reviewer", "second", "auditor")
    ]
    assert [(200, "pending"), (409, "voted"), (200, "approved"), (409, "decided")] == [
        code(p) for p in ("colleague", "colleague", "admin", "colleague")
    ]
    assert (404, "unknown") == (
        (answer := served.ask(f"{API}/approvals/ap_x/decision", by="colleague", body=GOOD))[0],
        answer[1]["error"]["code"],
    )


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"verdict": "approve"}', 400),
        (b'{"verdict": "edit", "reason": "x"}', 400),
        (b'{"verdict": "approve", "reason": "x", "by": "colleague"}', 400),
        (b'{"verdict": "approve", "reason": " "}', 400),
        (b'{"verdict": "approve", "reason": "' + b"x" * 70_000 + b'"}', 413),
        (b"[" * 60_000, 400),
    ],
)
def test_a_malformed_decision_changes_nothing(served: Served, body: bytes, status: int) -> None:
    held = served.hold("malformed")
    assert status == served.ask(f"{API}/approvals/{held.id}/decision", by="reviewer", body=body)[0]
    assert "pending" == served.ask(f"{API}/approvals/{held.id}", by="reviewer")[1]["state"]


@pytest.mark.parametrize("query", ["state=odd", "limit=-1", "limit=1e9", "limit=", "wait=x"])
def test_a_query_that_means_nothing_is_refused(served: Served, query: str) -> None:
    held = served.hold("query")
    path = f"/approvals/{held.id}" if query.startswith("wait") else "/approvals"
    assert 400 == served.ask(f"{API}{path}?{query}", by="reviewer")[0]


def test_keys_are_made_rotated_and_revoked_at_once(served: Served) -> None:
    status, made = served.ask(
        f"{API}/keys", by="admin", body={"name": "bot", "role": "auditor", "models": ["m*"]}
    )
    assert (201, ["m*"], "admin") == (status, made["key"]["models"], made["key"]["created_by"])
    assert 200 == served.ask(f"{API}/me", by=made["token"])[0]
    key_id = made["key"]["id"]
    status, rotated = served.ask(f"{API}/keys/{key_id}/rotate", by="admin", body={})
    assert (201, 401, 200) == (
        status, served.ask(f"{API}/me", by=made["token"])[0], served.ask(f"{API}/me", by=rotated["token"])[0],
    )  # fmt: skip
    new_id = rotated["key"]["id"]
    for change, expected in (("disable", 401), ("enable", 200), ("revoke", 401)):
        assert 200 == served.ask(f"{API}/keys/{new_id}/{change}", by="admin", body={})[0]
        assert expected == served.ask(f"{API}/me", by=rotated["token"])[0]
    assert "token" not in json.dumps(served.ask(f"{API}/keys", by="admin")[1])
    assert ["key_created", "key_rotated", "key_disabled", "key_enabled", "key_revoked"] == [
        event.event
        for event in served.recorded
        if event.event.startswith("key_") and event.code in (key_id, new_id)
    ]
    assert 404 == served.ask(f"{API}/keys/{new_id}/erase", by="admin", body={})[0]
    assert 400 == served.ask(f"{API}/keys/none/revoke", by="admin", body={})[0]


# -- pages of others ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example.org", "127.0.0.1.evil.example.org", "", "[", "localhost@evil.org"]
)
def test_another_name_of_this_address_is_refused(served: Served, host: str) -> None:
    for path in (f"{API}/me", "/verilabel/approvals", "/verilabel/approvals.js"):
        assert 421 == served.ask(path, by="reviewer", headers={"Host": host})[0]


def test_two_host_headers_are_refused(served: Served) -> None:
    parts = urlsplit(served.url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port)
    connection.putrequest("GET", f"{API}/me", skip_host=True)
    for host in (parts.netloc, parts.netloc):
        connection.putheader("Host", host)
    connection.putheader("Authorization", f"Bearer {served.tokens['reviewer']}")
    connection.endheaders()
    assert connection.getresponse().status in (400, 421)
    connection.close()


def test_a_page_of_another_origin_cannot_decide(served: Served) -> None:
    held = served.hold("origin")
    path = f"{API}/approvals/{held.id}/decision"
    for origin in ("https://evil.example.org", "null", "http://127.0.0.1:1", "http://["):
        assert 403 == served.ask(path, by="reviewer", body=GOOD, headers={"Origin": origin})[0]
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        assert 415 == served.ask(path, by="reviewer", body=GOOD, headers={"Content-Type": kind})[0]
    assert 401 == served.ask(path, body=GOOD, headers={"Cookie": f"key={served.tokens['reviewer']}"})[0]
    assert 200 == served.ask(path, by="reviewer", body=GOOD, headers={"Origin": served.url})[0]


def test_answers_let_no_page_in_and_are_kept_nowhere(served: Served) -> None:
    for path in ("/verilabel/approvals", f"{API}/me"):
        request = urllib.request.Request(
            served.url + path, headers={"Authorization": f"Bearer {served.tokens['reviewer']}"}
        )
        with urllib.request.urlopen(request) as response:
            headers = response.headers
            assert ("no-store", "nosniff") == (headers["Cache-Control"], headers["X-Content-Type-Options"])
            assert "Access-Control-Allow-Origin" not in headers
            assert "Set-Cookie" not in headers
    with urllib.request.urlopen(served.url + "/verilabel/approvals") as response:
        policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_a_name_that_was_given_is_answered(tmp_path: Path) -> None:
    with administration(str(tmp_path / "x.db"), hosts=("gateway.example.org",)) as running:
        for host, status in (
            ("gateway.example.org", 200),
            ("gateway.example.org:8443", 200),
            ("other.org", 421),
        ):
            assert status == running.ask(f"{API}/me", by="reviewer", headers={"Host": host})[0]


# -- following ---------------------------------------------------------------------------------------------------


def follow(served: Served, by: str) -> Any:
    """An open stream of changes."""
    request = urllib.request.Request(
        f"{served.url}{API}/approvals/stream", headers={"Authorization": f"Bearer {served.tokens[by]}"}
    )
    return urllib.request.urlopen(request, timeout=30)


def next_event(stream: Any) -> dict[str, Any]:
    """The next approval that a stream tells of."""
    for line in stream:
        if line.startswith(b"data: "):
            document: dict[str, Any] = json.loads(line[6:])
            return document
    raise AssertionError("the stream ended")


def test_changes_are_told_as_they_happen(served: Served) -> None:
    with follow(served, "reviewer") as stream:
        assert b": follow\n" == stream.readline()
        held = served.hold("followed")
        assert (held.id, "pending", None) == _next_of(stream, held.id, but=())
        served.ask(f"{API}/approvals/{held.id}/decision", by="reviewer", body=GOOD)
        assert (held.id, "approved", "decided") == _next_of(stream, held.id, but=("pending",))


def _next_of(stream: Any, approval: str, *, but: tuple[str, ...]) -> tuple[str, str, str | None]:
    """The next event of one approval in another state than `but`; what other tests left behind is told, too."""
    while True:
        seen = _seen(next_event(stream))
        if seen[0] == approval and seen[1] not in but:
            return seen


def _seen(event: dict[str, Any]) -> tuple[str, str, str | None]:
    return event["id"], event["state"], event["objection"] and event["objection"]["code"]


def test_a_stream_ends_when_its_key_is_revoked(tmp_path: Path) -> None:
    with administration(str(tmp_path / "x.db")) as running, follow(running, "auditor") as stream:
        assert b": follow\n" == stream.readline()
        running.ask(f"{API}/keys/{running.key_ids['auditor']}/revoke", by="admin", body={})
        assert b"" == stream.read().strip()


def test_streams_that_nobody_reads_any_more_make_room(served: Served) -> None:
    watch = served.services.desk.queue.watch
    assert not watch.is_full
    for _ in range(MAX_READERS + 20):
        with follow(served, "reviewer") as stream:
            assert b": follow\n" == stream.readline()
    assert not watch.is_full


def test_what_expires_while_somebody_follows_is_told(tmp_path: Path) -> None:
    with administration(str(tmp_path / "x.db")) as running, follow(running, "reviewer") as stream:
        held = running.hold("late")
        running.run(lambda: pass_time(running.services.desk.queue.database, 3601))
        while (event := next_event(stream))["state"] != "expired":
            assert held.id == event["id"]


def test_users_without_a_key_have_no_rights_at_all() -> None:
    assert ("user", "none") == (NOBODY.role, NOBODY.id)
