"""`verilabel challenge`: what it writes, which nonces it takes, and what it says of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from small_runs import Place, at_most, numbered_rows, open_place, rubric_text, write_suite
from verilabel.evidence.sealed.challenge import parse_challenge

SAMPLES = 30


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A folder with an open bundle `mine` and a sealed one `public`."""
    write_suite(tmp_path / "suite", numbered_rows(SAMPLES))
    (tmp_path / "rubric.yaml").write_text(rubric_text(at_most("0.9")))
    place = open_place(tmp_path, monkeypatch)
    label(place, "mine")
    place.succeed("seal", "mine", "--all", "--out", "public", "--openings", "o")
    return place


def label(place: Place, out: str) -> None:
    place.succeed(
        *("label", "--model", "simulated:rate=0.2,seed=1", "--suite", "suite", "--rubric", "rubric.yaml"),
        *("--design", "fixed", "--seed", "7", "--quiet", "--out", out),
    )


def test_a_challenge_names_the_bundle_and_chooses_as_many_as_are_asked_for(place: Place) -> None:
    done = place.succeed(
        "challenge", "public", "-k", "7", "--nonce", "a beacon", "--out", "c.json", "--json"
    ).json
    assert (25, 7, ["nonce_chosen"]) == (done["withheld_answers"], len(done["chosen"]), done["flags"])
    challenge = parse_challenge((place.folder / "c.json").read_bytes(), where="c.json")
    assert done["chosen"] == challenge.choose(25)
    found = place.succeed("verify", "public", "--json").json
    assert found["evidence_root"] == challenge.root


def test_more_than_there_are_means_all(place: Place) -> None:
    done = place.succeed("challenge", "public", "--out", "c.json")
    assert "25 of 25 withheld answers chosen" in done.out
    assert "whoever chose the nonce could have known the records" in done.out


def test_a_nonce_that_is_not_given_is_drawn_anew_each_time(place: Place) -> None:
    for name in ("a.json", "b.json"):
        place.succeed("challenge", "public", "--out", name)
    first, second = (
        json.loads((place.folder / name).read_bytes())["nonce"]["text"] for name in ("a.json", "b.json")
    )
    assert (64, 64) == (len(first), len(second))
    assert first != second


def test_a_later_checkpoint_of_the_log_is_taken_and_an_earlier_one_is_not(place: Place) -> None:
    log = "home/log"
    early = place.run("challenge", "public", "--checkpoint", log, "--out", "c.json")
    assert (2, True) == (early.status, "nothing was logged after the label" in early.err)
    own = place.run("challenge", "public", "--checkpoint", f"{log}/checkpoint", "--out", "c.json")
    assert (4, True) == (own.status, "not later than the label's" in own.err)
    label(place, "another")
    proved = place.succeed(
        "challenge", "public", "-k", "5", "--checkpoint", log, "--out", "c.json", "--json"
    ).json
    assert ["nonce_of_unpinned_log"] == proved["flags"]
    file = f"{log}/checkpoint"
    bare = place.succeed(
        "challenge", "public", "-k", "5", "--checkpoint", file, "--out", "d.json", "--json"
    ).json
    assert ["nonce_order_unproved", "nonce_of_unpinned_log"] == bare["flags"]
    assert proved["chosen"] == bare["chosen"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("mine",), 4, "no record of this bundle is withheld"),
        (("public", "-k", "0"), 2, "at least one"),
        (("public", "--nonce", " "), 2, "empty nonce"),
        (("public", "--nonce", "x", "--checkpoint", "home/log"), 2, "not allowed with"),
        (("public", "--checkpoint", "rubric.yaml"), 3, "signed note"),
        (("nowhere",), 2, "no bundle here"),
    ],
)
def test_what_cannot_be_challenged_is_refused(
    place: Place, arguments: tuple[str, ...], status: int, said: str
) -> None:
    refused = place.run("challenge", *arguments, "--out", "c.json")
    assert (status, True) == (refused.status, said in refused.err), refused.err
    assert "c.json" not in place.files()


def test_a_challenge_is_replaced_only_by_force(place: Place) -> None:
    place.succeed("challenge", "public", "--out", "c.json")
    before = (place.folder / "c.json").read_bytes()
    assert 2 == place.run("challenge", "public", "--out", "c.json").status
    assert before == (place.folder / "c.json").read_bytes()
    place.succeed("challenge", "public", "--out", "c.json", "--force")
    assert before != (place.folder / "c.json").read_bytes()
