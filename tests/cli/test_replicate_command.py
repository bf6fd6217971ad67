"""`verilabel replicate`, and V3 as `verify`, `gate` and `statements` see it: two parties, two keys, two folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bundle_factory import ISSUER
from party_factory import CRITIC, REPLICATOR, STRANGER, WHO_COUNTS, make_party, model_that, replica_recipe
from small_runs import Place, open_place
from verilabel.evidence.keys import key_path, save_key
from verilabel.evidence.others.signed import parse_signed

INDEPENDENT = ("--independence", "another laboratory, with an account of its own")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with A's bundle, B's of the same system, one of another scope, and one that answers otherwise."""
    folder = tmp_path_factory.mktemp("made")
    shutil.move(make_party(folder / "1"), folder / "a.bundle")
    shutil.move(make_party(folder / "2", replica_recipe(zipped=True), model_that(11)), folder / "b.zip")
    other = replica_recipe(system={"locale": "de-DE"})
    shutil.move(make_party(folder / "3", other, model_that(11)), folder / "other.bundle")
    far = make_party(folder / "4", replica_recipe(), model_that(12, accuracy=0.1))
    shutil.move(far, folder / "far.bundle")
    return folder


@pytest.fixture
def place(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name in ("a.bundle", "other.bundle", "far.bundle"):
        shutil.copytree(made / name, tmp_path / name)
    shutil.copy(made / "b.zip", tmp_path / "b.zip")
    place = open_place(tmp_path, monkeypatch)
    for name, key in (("issuer", ISSUER), ("second", REPLICATOR), ("critic", CRITIC), ("stranger", STRANGER)):
        save_key(key, key_path(name))
    rules = "".join(f"    - {{key: {k.public.line!r}, name: {n}, roles: [{r}]}}\n" for k, n, r in WHO_COUNTS)
    (tmp_path / "trust.yaml").write_text(f"format: verilabel/trust/v1\naccept:\n  any:\n{rules}")
    return place


SIGN = (
    "replicate",
    "a.bundle",
    "b.zip",
    "--margin",
    "0.9",
    "--key",
    "second",
    *INDEPENDENT,
    "--out",
    "r.json",
)


def test_the_three_verdicts_have_their_statuses(place: Place) -> None:
    done = place.run("replicate", "a.bundle", "b.zip", "--margin", "0.9")
    assert 0 == done.status, done.err
    assert done.out.startswith("replicated (margin 0.9, alpha 0.05)\nlabel confirmed")
    done = place.run("replicate", "a.bundle", "b.zip")
    assert (8, True) == (done.status, done.out.startswith("underpowered (margin 0.02"))
    assert "items would decide it" in done.out
    done = place.run("replicate", "a.bundle", "far.bundle")
    assert (1, True) == (done.status, done.out.startswith("not replicated"))
    assert "label contradicted" in done.out


def test_another_scope_is_refused_and_can_only_be_looked_at(place: Place) -> None:
    done = place.run("replicate", "a.bundle", "other.bundle")
    assert 1 == done.status
    assert "the systems differ in locale" in done.err
    looked = place.run("replicate", "a.bundle", "other.bundle", "--across-scope", "--margin", "0.9")
    assert 0 == looked.status
    assert "NOT A REPLICATION: the systems differ in locale" in looked.out
    signing = ("--across-scope", "--margin", "0.9", "--key", "second", *INDEPENDENT, "--out", "r.json")
    refused = place.run("replicate", "a.bundle", "other.bundle", *signing)
    assert (1, False) == (refused.status, Path("r.json").exists())
    assert "another scope is never signed" in refused.err


def test_json_has_every_measure(place: Place) -> None:
    found = place.run("replicate", "a.bundle", "b.zip", "--json").json
    assert ("underpowered", "confirmed", []) == (found["verdict"], found["label"], found["differing"])
    assert ["quiz.right", "puzzles.right"] == [m["measure"] for m in found["measures"]]
    assert {"a.bundle", "b.zip"} == {found["original"]["bundle"], found["replica"]["bundle"]}


def test_signed_attached_and_verified_it_is_v3_and_with_a_dispute_v3_and_disputed(place: Place) -> None:
    done = place.succeed(*SIGN, "--log", "second-log")
    assert "attach: verilabel statements attach a.bundle r.json" in done.out
    signed = parse_signed(Path("r.json").read_bytes())
    assert ("replication", REPLICATOR.public, True) == (
        signed.attestation.kind,
        signed.signer,
        signed.proof is not None,
    )
    place.succeed("statements", "attach", "a.bundle", "r.json")
    verified = place.succeed("verify", "a.bundle", "--trust", "trust.yaml")
    assert "V3 replicated; current" in verified.out
    assert "(replicated; label confirmed) by Second lab" in verified.out
    assert verified.out.count(": counts") == 1
    assert "; V2 recomputed; current" in place.succeed("verify", "a.bundle").out

    dispute = ("dispute", "a.bundle", "--ground", "method", "--text", "it leaks", "--key", "critic")
    place.succeed(*dispute, "--out", "d.json")
    verified = place.succeed("verify", "a.bundle", "--statements", "d.json", "--trust", "trust.yaml")
    assert "V3 replicated; current until" in verified.out
    assert "; disputed; for system" in verified.out


def test_the_gate_asks_for_v3_and_forbids_disputes(place: Place) -> None:
    gate = ("gate", "a.bundle", "--min", "L2", "--verification", "V3", "--trust", "trust.yaml")
    done = place.run(*gate)
    assert 1 == done.status
    assert "V3 is required, this is V2 recomputed: no independent replication" in done.out
    place.succeed(*SIGN)
    assert 0 == place.run(*gate, "--statements", "r.json").status
    place.succeed(
        "dispute", "a.bundle", "--ground", "other", "--text", "no", "--key", "critic", "--out", "d.json"
    )
    both = (*gate, "--statements", "r.json", "--statements", "d.json")
    assert 0 == place.run(*both).status
    forbidden = place.run(*both, "--forbid-flag", "disputed")
    assert (1, True) == (forbidden.status, "the flag disputed is forbidden" in forbidden.out)


def test_the_comparison_is_derived_again_from_the_replica(place: Place) -> None:
    place.succeed(*SIGN)
    check = ("verify", "a.bundle", "--statements", "r.json", "--trust", "trust.yaml")
    done = place.succeed(*check, "--replica", "b.zip")
    assert "replication recomputed: both bundles give what was signed" in done.out
    assert "flags:" in done.out
    assert "replication_recomputed" in done.out
    unknown = place.run(*check, "--replica", "far.bundle")
    assert (2, True) == (unknown.status, "speaks of this bundle" in unknown.err)


def test_a_lying_comparison_by_a_trusted_key_is_caught_by_deriving_it_again(
    place: Place, made: Path, tmp_path: Path
) -> None:
    """Its signer says that a system which answers otherwise replicates the label."""
    import msgspec

    from party_factory import comparison_of, replication_of

    honest = comparison_of(Path("a.bundle"), Path("far.bundle"), "0.02")
    measures = tuple(msgspec.structs.replace(m, verdict="replicated") for m in honest.measures)
    lie = msgspec.structs.replace(honest, verdict="replicated", label="confirmed", measures=measures)
    signed = replication_of(Path("a.bundle"), Path("far.bundle"), comparison=lie)
    Path("lie.json").write_bytes(signed.data)
    check = ("verify", "a.bundle", "--statements", "lie.json", "--trust", "trust.yaml")
    assert "V3 replicated" in place.succeed(*check).out
    caught = place.run(*check, "--replica", "far.bundle")
    assert 1 == caught.status
    assert "level: V2 recomputed" in caught.out
    assert "which give: verdict not_replicated" in caught.err


def test_a_replica_that_does_not_verify_recomputes_nothing(place: Place) -> None:
    place.succeed(*SIGN)
    data = bytearray(Path("b.zip").read_bytes())
    data[len(data) // 2] ^= 1
    Path("b.zip").write_bytes(data)
    done = place.run(
        "verify", "a.bundle", "--statements", "r.json", "--replica", "b.zip", "--trust", "trust.yaml"
    )
    assert done.status != 0
    assert "level: V3" not in done.out


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--key", "issuer", *INDEPENDENT, "--out", "r.json"), 2, "this key signed the original"),
        (("--key", "stranger", *INDEPENDENT, "--out", "r.json"), 2, "this key did not sign the replica"),
        (("--key", "second", "--out", "r.json"), 2, "in which way is the signer independent"),
        (("--key", "second", *INDEPENDENT), 2, "where shall the statement go"),
        (("--key", "nobody", *INDEPENDENT, "--out", "r.json"), 2, "there is no signing key"),
        (("--key", "second", "--independence", " ", "--out", "r.json"), 3, "predicate.independence"),
        (("--out", "r.json"), 2, "--out is for signing"),
        (INDEPENDENT, 2, "--independence is for signing"),
        (("--margin", "two"), 2, "margin 'two' is not a decimal"),
        (("--alpha", "0.5"), 2, "alpha '0.5' is not a decimal above 0 and up to 0.1"),
    ],
)
def test_wrong_use_has_a_message_a_status_and_leaves_nothing(
    place: Place, arguments: tuple[str, ...], status: int, said: str
) -> None:
    before = place.files()
    done = place.run("replicate", "a.bundle", "b.zip", *arguments)
    assert status == done.status, done.err
    assert said in done.err
    assert before == place.files()


def test_nothing_is_overwritten_without_force(place: Place) -> None:
    place.succeed(*SIGN)
    before = Path("r.json").read_bytes()
    again = place.run(*SIGN[:-1], "r.json", "--alpha", "0.01")
    assert (2, before) == (again.status, Path("r.json").read_bytes())
    place.succeed(*SIGN, "--alpha", "0.01", "--force")
    assert before != Path("r.json").read_bytes()


def test_a_bundle_of_one_s_own_again_is_compared_and_never_signed(place: Place) -> None:
    done = place.run("replicate", "a.bundle", "a.bundle", "--json")
    assert all(m["identical"] == m["items"] for m in json.loads(done.out)["measures"])
    refused = place.run(
        "replicate", "a.bundle", "a.bundle", "--key", "issuer", *INDEPENDENT, "--out", "r.json"
    )
    assert (2, False) == (refused.status, Path("r.json").exists())


def test_a_gate_without_a_policy_sees_everybody_s_dispute(place: Place) -> None:
    """Its own keys count for labels; that it named nobody for disputes silences none of them."""
    place.succeed(
        "dispute", "a.bundle", "--ground", "method", "--text", "no", "--key", "stranger", "--out", "d.json"
    )
    check = ("gate", "a.bundle", "--min", "L1", "--statements", "d.json", "--forbid-flag", "disputed")
    done = place.run(*check)
    assert (1, True) == (done.status, "the flag disputed is forbidden" in done.out)
    assert 0 == place.run(*check, "--trust", "trust.yaml").status


def test_a_stranger_s_word_on_a_replica_does_not_unmake_the_replication(place: Place) -> None:
    import msgspec

    from party_factory import replication_of

    place.succeed(*SIGN)
    signed = parse_signed(Path("r.json").read_bytes()).attestation.predicate
    lie = msgspec.structs.replace(signed.comparison, margin="0.5")  # type: ignore[union-attr]
    stolen = msgspec.structs.replace(signed.replica, keyid=STRANGER.keyid)  # type: ignore[union-attr]
    junk = replication_of(Path("a.bundle"), Path("b.zip"), STRANGER, comparison=lie, replica=stolen)
    Path("junk.json").write_bytes(junk.data)
    place.succeed("statements", "attach", "a.bundle", "r.json", "junk.json")
    done = place.succeed("verify", "a.bundle", "--trust", "trust.yaml", "--replica", "b.zip")
    assert "V3 replicated" in done.out
    assert "replication recomputed" in done.out


def test_a_replication_that_does_not_count_is_no_recomputation_of_the_one_that_does(
    place: Place, tmp_path: Path
) -> None:
    from party_factory import replication_of

    shutil.move(make_party(tmp_path / "own", replica_recipe(key=STRANGER), model_that(11)), "own.bundle")
    place.succeed(*SIGN)
    Path("own.json").write_bytes(replication_of(Path("a.bundle"), Path("own.bundle"), STRANGER).data)
    check = (
        "verify",
        "a.bundle",
        "--trust",
        "trust.yaml",
        "--statements",
        "r.json",
        "--statements",
        "own.json",
    )
    assert "V3 replicated" in place.succeed(*check).out
    done = place.run(*check, "--replica", "own.bundle")
    assert (2, False) == (done.status, "replication recomputed" in done.out)
    assert "the level rests on another" in done.err
