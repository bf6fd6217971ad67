"""`verilabel withdraw`: only what one signed oneself, for good, and every command sees it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bundle_factory import ISSUER, Recipe
from party_factory import STRANGER, make_party
from small_runs import Place, open_place
from verilabel.evidence.keys import key_path, save_key
from verilabel.evidence.others.attestation import Withdrawal
from verilabel.evidence.others.signed import parse_signed


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    for name, recipe in (("a", Recipe()), ("next", Recipe(seed="0a0b"))):
        shutil.move(make_party(folder / f"{name}.made", recipe), folder / f"{name}.bundle")
        shutil.rmtree(folder / f"{name}.made")
    zipped = make_party(folder / "zip.made", replace(Recipe(), zipped=True, seed="0c"))
    shutil.move(zipped, folder / "z.zip")
    shutil.rmtree(folder / "zip.made")
    return folder


@pytest.fixture
def place(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    place = open_place(tmp_path, monkeypatch)
    save_key(ISSUER, key_path("issuer"))
    save_key(STRANGER, key_path("stranger"))
    return place


def withdraw(subject: str, *more: str, out: str = "w.json", key: str = "issuer") -> tuple[str, ...]:
    return ("withdraw", subject, "--reason", "mislabelled", "--key", key, "--out", out, *more)


@pytest.mark.parametrize("bundle", ["a.bundle", "z.zip"])
def test_a_withdrawn_label_is_revoked_for_everybody(place: Place, bundle: str) -> None:
    place.succeed(*withdraw(bundle))
    beside = place.run("verify", bundle, "--statements", "w.json")
    assert (1, True) == (beside.status, "its issuer withdrew it: mislabelled" in beside.err)
    place.succeed("statements", "attach", bundle, "w.json")
    done = place.run("verify", bundle)
    assert 1 == done.status
    assert "level: V0 claimed" in done.out
    assert "flags: " in done.out and "revoked" in done.out
    assert 1 == place.run("gate", bundle, "--min", "U").status
    assert 1 == place.run("statements", "show", bundle).status
    assert 1 == place.run("show", bundle).status


def test_a_superseded_label_names_what_takes_its_place(place: Place) -> None:
    place.succeed(*withdraw("a.bundle", "--superseded-by", "next.bundle"))
    said = parse_signed(Path("w.json").read_bytes()).attestation.predicate
    successor = place.succeed("verify", "next.bundle", "--json")
    assert isinstance(said, Withdrawal)
    assert "V2" == successor.json["level"]
    place.succeed("statements", "attach", "a.bundle", "w.json")
    done = place.run("verify", "a.bundle")
    assert (1, True) == (done.status, "superseded" in done.out)
    assert said.superseded_by is not None
    dispute = ("dispute", "next.bundle", "--ground", "other", "--text", "no", "--out", "d.json")
    place.succeed(*dispute)
    assert said.superseded_by == parse_signed(Path("d.json").read_bytes()).attestation.about


def test_nobody_withdraws_what_another_signed(place: Place) -> None:
    done = place.run(*withdraw("a.bundle", key="stranger"))
    assert (2, False) == (done.status, Path("w.json").exists())
    assert "this statement was signed with another key" in done.err
    assert "others `verilabel dispute` it" in done.err


def test_a_withdrawal_is_final(place: Place) -> None:
    place.succeed(*withdraw("a.bundle"))
    done = place.run(*withdraw("w.json", out="w2.json"))
    assert (2, True) == (done.status, "a withdrawal is final" in done.err)


def test_what_takes_its_place_must_be_one_s_own_and_something_else(place: Place, tmp_path: Path) -> None:
    foreign = make_party(tmp_path / "foreign", Recipe(key=STRANGER))
    done = place.run(*withdraw("a.bundle", "--superseded-by", str(foreign)))
    assert (2, True) == (done.status, "must be a label signed with the same key" in done.err)
    done = place.run(*withdraw("a.bundle", "--superseded-by", "a.bundle"))
    assert (2, True) == (done.status, "nothing takes its own place" in done.err)
    assert not Path("w.json").exists()


@pytest.mark.parametrize(
    ("subject", "status"), [("nowhere.bundle", 2), ("nowhere.json", 2), ("home/keys/issuer.pub", 3)]
)
def test_what_is_no_statement_cannot_be_withdrawn(place: Place, subject: str, status: int) -> None:
    assert (status, False) == (place.run(*withdraw(subject)).status, Path("w.json").exists())
