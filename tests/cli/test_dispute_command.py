"""`verilabel dispute`: an objection with grounds, about rows that exist, logged where asked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bundle_factory import Recipe
from party_factory import make_party
from small_runs import Place, open_place
from verilabel.evidence.log import LocalLog
from verilabel.evidence.others.attestation import Dispute
from verilabel.evidence.others.signed import entry_of, parse_signed
from verilabel.records.canonical import digest


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_party(tmp_path_factory.mktemp("made"))


@pytest.fixture
def place(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    shutil.copytree(made, tmp_path / "a.bundle")
    return open_place(tmp_path, monkeypatch)


DISPUTE = ("dispute", "a.bundle", "--ground", "evidence", "--text", "rows repeat", "--out", "d.json")


def test_a_dispute_is_signed_with_its_grounds_rows_and_evidence(place: Place) -> None:
    Path("notes.md").write_text("see line 3")
    more = ("--ground", "method", "--row", "quiz.right", "--row", "L2", "--evidence", "notes.md")
    done = place.succeed(*DISPUTE, *more)
    assert done.out.startswith("disputed: L2 Solid granted, cannot exclude up to L3 Strong\n")
    assert "attach: verilabel statements attach a.bundle d.json" in done.out
    said = parse_signed(Path("d.json").read_bytes()).attestation.predicate
    assert isinstance(said, Dispute)
    assert (("evidence", "method"), ("quiz.right", "L2"), "rows repeat") == (
        said.grounds,
        said.rows,
        said.text,
    )
    assert [("notes.md", digest(b"see line 3"))] == [(e.name, e.sha256) for e in said.evidence]


def test_attached_it_raises_the_flag_and_withdrawn_it_does_not(place: Place) -> None:
    place.succeed(*DISPUTE)
    place.succeed("statements", "attach", "a.bundle", "d.json")
    verified = place.succeed("verify", "a.bundle")
    assert "; disputed; for system" in verified.out
    assert "dispute " in verified.out
    assert ": counts" in verified.out
    shown = place.succeed("show", "a.bundle")
    assert "disputed" in shown.out
    assert "what others signed about it\ndispute " in shown.out
    assert ["dispute"] == [s["kind"] for s in place.succeed("show", "a.bundle", "--json").json["statements"]]
    place.succeed("withdraw", "d.json", "--reason", "settled", "--out", "w.json")
    place.succeed("statements", "attach", "a.bundle", "w.json")
    verified = place.succeed("verify", "a.bundle")
    assert "disputed" not in verified.out.splitlines()[0]
    assert "does not count: its signer withdrew it" in verified.out


def test_its_digest_is_logged_where_asked_and_the_proof_goes_with_it(place: Place) -> None:
    done = place.succeed(*DISPUTE, "--log", "notary", "--json")
    signed = parse_signed(Path("d.json").read_bytes())
    assert (True, signed.attestation.digest) == (done.json["logged"], done.json["digest"])
    with LocalLog.open(Path("notary")) as log:
        assert [entry_of(signed.attestation)] == [logged.entry for logged in log.entries()]


def test_a_text_may_come_from_a_file(place: Place) -> None:
    Path("why.txt").write_text("für alle")
    place.succeed(*DISPUTE[:4], "--text", "@why.txt", "--out", "d.json")
    said = parse_signed(Path("d.json").read_bytes()).attestation.predicate
    assert isinstance(said, Dispute)
    assert "für alle" == said.text


def test_a_label_that_does_not_follow_can_be_disputed(place: Place, tmp_path: Path, made: Path) -> None:
    from bundle_factory import ISSUER, LOG
    from bundle_forgery import Forger, change_records, forge

    forger = Forger(key=ISSUER, log_key=LOG)
    forge(made, tmp_path / "lie.bundle", change_records(lambda records: records[:-2]), forger)
    assert 1 == place.run("verify", "lie.bundle").status
    place.succeed("dispute", "lie.bundle", "--ground", "scoring", "--text", "no", "--out", "d.json")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--row", "harm"), 2, "the label has no row 'harm'"),
        (("--evidence", "nowhere.md"), 2, "nowhere.md"),
        (("--key", "nobody"), 2, "there is no signing key"),
        (("--ground", "taste"), 2, "invalid choice"),
        (("--text", " "), 3, "predicate.text"),
        (("--text", "@nowhere.txt"), 2, "nowhere.txt"),
    ],
)
def test_wrong_use_has_a_message_a_status_and_leaves_nothing(
    place: Place, arguments: tuple[str, ...], status: int, said: str
) -> None:
    before = place.files()
    done = place.run(*DISPUTE, *arguments)
    assert (status, before) == (done.status, place.files()), done.err
    assert said in done.err


def test_what_nobody_signed_cannot_be_disputed(place: Place, tmp_path: Path) -> None:
    unsigned = make_party(tmp_path / "unsigned", Recipe(key=None, log_key=None))
    done = place.run("dispute", str(unsigned), *DISPUTE[2:])
    assert (2, True) == (done.status, "not signed" in done.err)


def test_nothing_is_overwritten_without_force(place: Place) -> None:
    place.succeed(*DISPUTE)
    before = Path("d.json").read_bytes()
    assert 2 == place.run(*DISPUTE, "--row", "L2").status
    assert before == Path("d.json").read_bytes()
    place.succeed(*DISPUTE, "--row", "L2", "--force")
    assert before != Path("d.json").read_bytes()
