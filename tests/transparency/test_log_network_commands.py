"""The commands `log` and `witness` over the network, and labels in remote and witnessed logs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from small_runs import Place, at_most, numbered_rows, open_place, rubric_text, write_suite
from transparency.small_logs import (
    LOG_KEY,
    OTHER_KEY,
    WITNESS,
    WITNESS_KEY,
    entry,
    free_port,
    log_server,
    make_log,
    witness_server,
)
from verilabel.evidence.container import write_zip
from verilabel.evidence.keys import save_key
from verilabel.evidence.log import LocalLog
from verilabel.evidence.note import open_proof
from verilabel.evidence.others.attestation import Dispute, build_attestation, signed_by
from verilabel.evidence.others.signed import load_signed, sign_attestation
from verilabel.evidence.trust import write_trust
from verilabel.records.canonical import digest


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A folder with a signing key, a suite and a rubric, as the current one."""
    opened = open_place(tmp_path, monkeypatch)
    monkeypatch.delenv("VERILABEL_LOG_TOKEN", raising=False)
    write_suite(tmp_path / "suite", numbered_rows(30))
    (tmp_path / "rubric.yaml").write_text(rubric_text(at_most("0.5")))
    return opened


LABEL = (
    "label",
    "--model",
    "simulated:rate=0.01",
    "--suite",
    "./suite",
    "--rubric",
    "rubric.yaml",
    "--quiet",
)


def policy(folder: Path, *, quorum: int) -> str:
    """A trust policy that asks for a witness of the small log."""
    text = write_trust(LOG_KEY.public, roles=["labels", "log"]).decode()
    text = text.replace("accept:", f"witness_quorum: {quorum}\naccept:")
    text += f"    - key: {WITNESS.line}\n      name: Example Witness\n      roles: [witness]\n"
    (folder / "trust.yaml").write_text(text)
    return "trust.yaml"


def test_a_label_is_logged_in_a_remote_log_and_its_proofs_satisfy_a_quorum(place: Place) -> None:
    save_key(LOG_KEY, place.folder / "signer.key")
    make_log(place.folder / "team", range(3))
    with witness_server(place.folder) as witness:
        address = f"{witness.url}={WITNESS.line}"
        with log_server(place.folder / "team", "--witness", address) as log:
            made = place.succeed(*LABEL, "--key", "signer.key", "--log", log.url, "--out", "a.bundle")
            assert LOG_KEY.public.line in made.err, "the key of a first meeting is told"
            place.succeed("run", *LABEL[1:], "--log", log.url, "--store", "b.run")
            key = ("--log-key", LOG_KEY.public.line)
            place.succeed(
                "decide", "b.run", "--key", "signer.key", "--log", log.url, *key, "--out", "b.bundle"
            )
    for bundle in ("a.bundle", "b.bundle"):
        found = place.succeed("verify", bundle, "--trust", policy(place.folder, quorum=1), "--json").json
        assert ("V2", set()) == (
            found["level"],
            {"unwitnessed", "log_unpinned", "unknown_cosignatures"} & set(found["flags"]),
        )


def test_another_key_than_the_remote_log_s_stops_a_label_before_it_is_run(place: Place) -> None:
    make_log(place.folder / "team", range(3))
    with log_server(place.folder / "team") as log:
        given = ("--log", log.url, "--log-key", OTHER_KEY.public.line)
        assert 4 == place.run(*LABEL, *given, "--out", "a.bundle").status
    assert 2 == place.run(*LABEL, "--log", log.url, "--out", "a.bundle").status, "nobody answers any more"
    assert 7 == place.run(*LABEL, "--log", "http://log.example.org", "--out", "a.bundle").status
    assert 2 == place.run(*LABEL, "--log", "team", "--log-key", "x", "--out", "a.bundle").status
    assert not (place.folder / "a.bundle").exists()


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_a_bundle_sealed_while_its_witness_was_silent_gets_the_cosignature_later(
    place: Place, form: str
) -> None:
    save_key(LOG_KEY, place.folder / "signer.key")
    make_log(place.folder / "log", range(3))
    port = free_port()
    place.succeed("log", "witness", "add", f"http://127.0.0.1:{port}", WITNESS.line, "--log", "log")
    made = place.succeed(*LABEL, "--key", "signer.key", "--log", "log", "--out", "a.bundle")
    assert "did not cosign 5 entries" in made.err
    bundle = "a.bundle"
    if form == "zip":
        write_zip(place.folder / bundle, place.folder / "a.zip")
        bundle = "a.zip"
    trusting = ("--trust", policy(place.folder, quorum=1))
    assert 4 == place.run("verify", bundle, *trusting).status
    assert 2 == place.run("log", "refresh", "--log", "log").status, "it is silent still"
    with witness_server(place.folder, "--port", str(port)):
        done = place.succeed("log", "refresh", "--log", "log", "--bundle", bundle, "--json").json
        expected = {bundle: ["log/plan.tlog-proof", "log/label.tlog-proof"]}
        assert (5, ["witness.example.net"], expected) == (done["size"], done["cosigned_by"], done["bundles"])
        again = place.succeed("log", "refresh", "--log", "log", "--bundle", bundle)
        assert "its proofs are cosigned already" in again.out
    assert "V2" == place.succeed("verify", bundle, *trusting, "--json").json["level"]
    left = {path.name for path in place.folder.iterdir()}
    assert not [name for name in left if name.startswith(f".{bundle}")]


def test_who_uses_a_remote_log_takes_the_cosignatures_that_it_got_later(place: Place) -> None:
    save_key(LOG_KEY, place.folder / "signer.key")
    folder = make_log(place.folder / "team", range(3))
    with log_server(folder) as log:
        place.succeed(*LABEL, "--key", "signer.key", "--log", log.url, "--out", "a.bundle")
        with witness_server(place.folder) as witness:
            address = ("--witness", f"{witness.url}={WITNESS.line}")
            asking = ("log", "refresh", "--log", log.url, "--bundle", "a.bundle")
            assert 2 == place.run(*asking).status, "whose cosignatures?"
            early = place.run(*asking, *address)
            assert (2, True) == (early.status, "witnesses did not cosign" in early.err)
            place.succeed("log", "refresh", "--log", "team", *address)
        done = place.succeed(*asking, *address, "--json").json
    assert ["witness.example.net"] == done["cosigned_by"]
    trusting = ("--trust", policy(place.folder, quorum=1))
    assert "V2" == place.succeed("verify", "a.bundle", *trusting, "--json").json["level"]


def test_a_bundle_of_another_log_is_not_given_proofs(place: Place) -> None:
    save_key(LOG_KEY, place.folder / "signer.key")
    make_log(place.folder / "log", range(3))
    place.succeed(*LABEL, "--key", "signer.key", "--out", "a.bundle")
    with witness_server(place.folder) as witness:
        place.succeed("log", "witness", "add", witness.url, WITNESS.line, "--log", "log")
        outcome = place.run("log", "refresh", "--log", "log", "--bundle", "a.bundle")
    assert 2 == outcome.status and "logged in another log" in outcome.err


def test_witnesses_of_a_log_are_added_listed_and_removed(place: Place) -> None:
    make_log(place.folder / "log", [])
    own = ("--log", "log")
    assert "no witness" in place.succeed("log", "witness", "list", *own).out
    place.succeed("log", "witness", "add", "https://witness.example.net", WITNESS.line, *own)
    listed = place.succeed("log", "witness", "list", *own, "--json").json
    assert {"witnesses": [{"url": "https://witness.example.net", "key": WITNESS.line}]} == listed
    for wrong in (
        ("https://two.example.net", WITNESS.line),
        ("https://two.example.net", WITNESS_KEY.public.line),
        ("https://two.example.net", "nonsense"),
    ):
        assert 3 == place.run("log", "witness", "add", *wrong, *own).status
    assert 2 == place.run("log", "witness", "add", "ftp://two.example.net", WITNESS.line, *own).status
    assert 2 == place.run("log", "witness", "add", *own).status
    assert 2 == place.run("log", "witness", "remove", "nobody", *own).status
    place.succeed("log", "witness", "remove", "witness.example.net", *own)
    assert {"witnesses": []} == place.succeed("log", "witness", "list", *own, "--json").json
    assert 2 == place.run("log", "refresh", *own).status


def test_a_witness_s_key_is_printed_as_logs_and_policies_take_it(place: Place) -> None:
    save_key(WITNESS_KEY, place.folder / "witness.key")
    assert f"{WITNESS.line}\n" == place.succeed("witness", "key", "--key", "witness.key").out
    assert WITNESS.line == place.succeed("witness", "key", "--key", "witness.key", "--json").json["key"]
    assert 2 == place.run("witness", "key", "--key", "nobody").status


def test_a_log_audits_well_until_its_history_changes(place: Place) -> None:
    make_log(place.folder / "log", range(5))
    shown = place.succeed("log", "audit", "log").out
    assert "5 entries" in shown and "met for the first time" in shown and "all of it holds" in shown
    shutil.rmtree(place.folder / "log")
    make_log(place.folder / "log", [0, 1, "changed", 3, 4, 5])
    outcome = place.run("log", "audit", "log", "--json")
    assert 4 == outcome.status
    (finding,) = outcome.json["findings"]
    assert ("rewritten", 2) == (finding["kind"], finding["entry"])
    assert (Path(finding["evidence"]) / "earlier.checkpoint").is_file()
    told = place.run("log", "audit", "log").out
    assert "REWRITTEN: the 6 entries do not begin with the 5 signed earlier; entry 2 is the first" in told


def test_two_parties_shown_two_histories_find_out_by_the_witness(place: Place) -> None:
    make_log(place.folder / "honest", range(5))
    make_log(place.folder / "forked", [0, 1, "changed", 3, 4])
    with witness_server(place.folder) as witness:
        with LocalLog.open(place.folder / "honest") as log:
            shown = log.checkpoint_note()
        place.succeed("log", "witness", "add", witness.url, WITNESS.line, "--log", "honest")
        place.succeed("log", "refresh", "--log", "honest")
        place.succeed("log", "audit", "honest", "--state", "one", "--peer", witness.url)
        outcome = place.run("log", "audit", "forked", "--state", "two", "--peer", witness.url, "--json")
    assert 4 == outcome.status
    assert ["forked"] == [finding["kind"] for finding in outcome.json["findings"]]
    evidence = Path(outcome.json["findings"][0]["evidence"])
    kept = {path.read_bytes().split(b"\n\n")[0] for path in evidence.glob("*.checkpoint")}
    assert shown.split(b"\n\n")[0] in kept and 2 == len(kept)


def test_a_remote_log_is_shown_proved_and_audited(place: Place) -> None:
    make_log(place.folder / "team", range(3))
    with log_server(place.folder / "team") as log:
        shown = place.succeed("log", "show", "--log", log.url, "--last", "2", "--json").json
        assert (3, [1, 2]) == (shown["size"], [item["number"] for item in shown["entries"]])
        place.succeed("log", "prove", "1", "--log", log.url, "--out", "one.tlog-proof")
        opened = open_proof((place.folder / "one.tlog-proof").read_bytes(), entry(1).leaf, [LOG_KEY.public])
        assert 3 == opened.checkpoint.size
        audited = place.succeed("log", "audit", log.url, "--json").json
        assert (3, [], {"verilabel.plan/v1": 3}) == (audited["size"], audited["findings"], audited["kinds"])
        for action in (["check"], ["refresh"], ["tiles", "--out", "x"], ["witness", "list"]):
            assert 2 == place.run("log", *action, "--log", log.url).status


def test_tiles_on_any_web_host_are_audited_like_the_log(place: Place) -> None:
    make_log(place.folder / "log", range(300))
    written = place.succeed("log", "tiles", "--log", "log", "--out", "public", "--json").json
    assert (300, 6) == (written["size"], written["written"])
    audited = place.succeed("log", "audit", "public", "--json").json
    assert (300, 3, []) == (audited["size"], audited["tiles_compared"], audited["findings"])
    place.succeed("log", "audit", "log", "--peer", "public/checkpoint")


def test_a_label_is_submitted_to_a_second_log(place: Place) -> None:
    make_log(place.folder / "second", range(3))
    place.succeed(*LABEL, "--out", "a.bundle")
    done = place.succeed("log", "submit", "a.bundle", "--log", "second", "--json").json
    assert (3, "verilabel.label/v1") == (done["number"], done["kind"])
    proof = place.folder / "a.bundle.tlog-proof"
    with LocalLog.open(place.folder / "second") as log:
        open_proof(proof.read_bytes(), log.entries(3)[0].entry.leaf, [LOG_KEY.public])
    assert 2 == place.run("log", "submit", "a.bundle", "--log", "second").status, "the proof is there"
    statement = place.folder / "a.bundle" / "attestations" / "label.intoto.json"
    document = json.loads(statement.read_bytes())
    made = document["signatures"][0]["sig"]
    document["signatures"][0]["sig"] = ("B" if made[0] == "A" else "A") + made[1:]
    statement.write_bytes(json.dumps(document, separators=(",", ":"), sort_keys=True).encode() + b"\n")
    assert 4 == place.run("log", "submit", "a.bundle", "--log", "second", "--out", "p").status
    with LocalLog.open(place.folder / "second") as log:
        assert 4 == log.size, "what nobody signed is not logged"


def test_a_bare_envelope_is_submitted_with_the_key_that_signed_it(place: Place) -> None:
    make_log(place.folder / "second", [])
    place.succeed(*LABEL, "--out", "a.bundle")
    envelope = "a.bundle/attestations/label.intoto.json"
    assert 2 == place.run("log", "submit", envelope, "--log", "second", "--out", "p").status
    signer = ("--signer", "a.bundle/attestations/signer.pub")
    done = place.succeed("log", "submit", envelope, "--log", "second", "--out", "p", *signer, "--json").json
    assert (0, "verilabel.statement/v1") == (done["number"], done["kind"])
    assert 2 == place.run("log", "submit", envelope, "--out", "q", *signer, "--attach").status
    assert 2 == place.run("log", "submit", "nowhere", "--log", "second").status


def test_a_signed_dispute_is_logged_shown_by_an_audit_and_given_its_proof(place: Place) -> None:
    make_log(place.folder / "team", range(3))
    issuer, issued, tool = signed_by(OTHER_KEY.public, datetime(2026, 11, 22, tzinfo=UTC))
    dispute = Dispute(("method",), "The suite is too small.", (), (), issuer, issued, tool)
    signed = sign_attestation(build_attestation("statement", digest(b"a label"), dispute), OTHER_KEY)
    path = place.folder / "dispute.json"
    path.write_bytes(signed.data)
    with log_server(place.folder / "team") as log:
        done = place.succeed("log", "submit", "dispute.json", "--log", log.url, "--attach", "--json").json
        assert (3, "verilabel.statement/v1", signed.attestation.digest) == (
            done["number"],
            done["kind"],
            done["digest"],
        )
        audited = place.succeed("log", "audit", log.url, "--json").json
    assert [[3, signed.attestation.digest]] == audited["statements"]
    proved = load_signed(path)
    assert (signed.attestation, LOG_KEY.public) == (proved.attestation, proved.log_key)


def test_what_cannot_be_served_is_said_before_anything_is_made(place: Place) -> None:
    make_log(place.folder / "log", [])
    save_key(LOG_KEY, place.folder / "own.key")
    for line, status in (
        (["log", "serve", "--log", "log", "--host", "0.0.0.0"], 7),
        (["log", "serve", "--log", "log", "--port", "99999999"], 2),
        (["log", "serve", "--log", "https://log.example.org"], 2),
        (["witness", "serve", "--key", "nobody", "--log-key", LOG_KEY.public.line, "--state", "w"], 2),
        (["witness", "serve", "--key", "own.key", "--log-key", LOG_KEY.public.line, "--state", "w"], 3),
        (["witness", "serve", "--key", "own.key", "--log-key", "nowhere.vkey", "--state", "w"], 2),
    ):
        assert status == place.run(*line).status, line


def test_auditing_and_submitting_need_none_of_the_extras(place: Place) -> None:
    make_log(place.folder / "team", range(3))
    place.succeed(*LABEL, "--out", "a.bundle")
    with log_server(place.folder / "team") as log:
        code = (
            "import sys; from verilabel.cli import main\n"
            f"for line in (['log', 'audit', {log.url!r}], ['log', 'submit', 'a.bundle', '--log', {log.url!r}]):\n"
            "    assert main(line) == 0\n"
            "print(sorted({'aiohttp', 'starlette', 'uvicorn', 'anyio', 'rich'} & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ("[]", 0) == (done.stdout.splitlines()[-1], done.returncode), done.stderr
