"""`verilabel statements`: show what counts, attach without changing what was signed, check one file alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from party_factory import CRITIC, STRANGER, another_digest, dispute_of, make_party, statement_of
from small_runs import Place, open_place


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_party(tmp_path_factory.mktemp("made"))


@pytest.fixture
def place(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    shutil.copytree(made, tmp_path / "a.bundle")
    about = statement_of(tmp_path / "a.bundle")
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / "one.json").write_bytes(dispute_of(about).data)
    (tmp_path / "sent" / "two.json").write_bytes(dispute_of(about, STRANGER, text="\x1b[2Jgone").data)
    (tmp_path / "foreign.json").write_bytes(dispute_of(another_digest()).data)
    return open_place(tmp_path, monkeypatch)


def test_a_bundle_without_statements_says_so(place: Place) -> None:
    assert "nobody signed anything" in place.succeed("statements", "show", "a.bundle").out


def test_statements_of_a_folder_are_attached_once(place: Place) -> None:
    done = place.succeed("statements", "attach", "a.bundle", "sent", "--json").json
    assert (2, 0) == (len(done["added"]), len(done["already_there"]))
    done = place.succeed("statements", "attach", "a.bundle", "sent/one.json", "--json").json
    assert (0, 1) == (len(done["added"]), len(done["already_there"]))
    shown = place.succeed("statements", "show", "a.bundle", "--json").json
    assert ["dispute", "dispute"] == [s["kind"] for s in shown["statements"]]
    assert all(s["counts"] for s in shown["statements"])


def test_what_does_not_count_is_shown_with_the_reason(place: Place) -> None:
    trust = (
        "format: verilabel/trust/v1\naccept:\n  any:\n"
        f"    - {{key: {CRITIC.public.line!r}, name: Critic, roles: [disputes]}}\n"
        "    - unsafe_accept_any_key: true\n"
    )
    Path("trust.yaml").write_text(trust)
    shown = place.succeed("statements", "show", "a.bundle", "--statements", "foreign.json")
    assert "does not count: it is about another label" in shown.out
    refused = place.run("statements", "attach", "a.bundle", "foreign.json")
    assert (1, True) == (refused.status, "about another label" in refused.err)
    assert not Path("a.bundle/statements").exists()


def test_statements_beside_a_bundle_are_listed_by_verify_and_in_its_json(place: Place) -> None:
    done = place.succeed("verify", "a.bundle", "--statements", "sent", "--statements", "foreign.json")
    assert 3 == sum(line.startswith("dispute ") for line in done.out.splitlines())
    assert "; disputed; for system" in done.out
    found = place.succeed("verify", "a.bundle", "--statements", "sent", "--json").json
    assert [("dispute", "method", True)] * 2 == [
        (s["kind"], s["says"], s["counts"]) for s in found["statements"]
    ]


def test_one_statement_is_checked_alone_and_cannot_move_the_cursor(place: Place) -> None:
    done = place.succeed("statements", "check", "sent/two.json")
    assert done.out.startswith("genuine: sha256:")
    assert "stranger.example" in done.out
    assert "\x1b" not in done.out
    found = place.succeed("statements", "check", "sent/one.json", "--json").json
    assert ("dispute", CRITIC.keyid) == (found["kind"], found["keyid"])
    assert "no" == found["statement"]["predicate"]["text"]


def test_a_changed_statement_is_not_genuine(place: Place) -> None:
    data = bytearray(Path("sent/one.json").read_bytes())
    at = data.index(b'"payload":"') + 40
    data[at] = data[at] ^ 1
    Path("sent/one.json").write_bytes(data)
    for command in (
        ("check", "sent/one.json"),
        ("attach", "a.bundle", "sent"),
        ("show", "a.bundle", "--statements", "sent"),
    ):
        assert place.run("statements", *command).status in (3, 4)
    assert not Path("a.bundle/statements").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("check", "nowhere.json"), 2, "there is no such statement"),
        (("attach", "nowhere.bundle", "sent"), 2, "no bundle here"),
        (("attach", "a.bundle"), 2, "required"),
        (("show", "a.bundle", "--statements", "home"), 2, "there are no statements"),
        (("check", "a.bundle/bundle.json"), 3, "not a signed statement"),
    ],
)
def test_wrong_use_has_a_message_and_a_status(
    place: Place, arguments: tuple[str, ...], status: int, said: str
) -> None:
    done = place.run("statements", *arguments)
    assert (status, True) == (done.status, said in done.err), done.err
