"""`verilabel attest`, and labels that lean on it: `plan`, `label`, `decide`, by a rubric that asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from small_runs import Place, at_most, numbered_rows, open_place, rubric_text, write_suite
from verilabel.evidence.others.attestation import Finding
from verilabel.evidence.others.signed import parse_signed

MODEL = ("--model", "simulated:rate=0.02,seed=3", "--name", "bot")
RUBRIC = rubric_text(
    at_most("0.3"),
    at_most("0.3") + ", {attested: review}",
    at_most("0.2") + ", {attested: review}, {attested: audit}",
).replace(
    "scale:\n",
    "attestations:\n  review: {statement: Read., role: reviewer, max_age: P120D}\n"
    "  audit: {statement: Audited., role: auditor}\nscale:\n",
)
MEASURED = ("--suite", "./suite", "--rubric", "rubric.yaml")
REVIEW = ("attest", "review", "--role", "reviewer", "--text", "read all of it")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    place = open_place(tmp_path, monkeypatch)
    write_suite(tmp_path / "suite", numbered_rows(80))
    (tmp_path / "rubric.yaml").write_text(RUBRIC)
    place.succeed("keys", "new", "--name", "person")
    place.succeed("label", *MODEL, *MEASURED, "--out", "bare.bundle", "--quiet")
    return place


def attest(place: Place, *more: str, system: str = "bare.bundle", out: str = "review.json") -> None:
    place.succeed(*REVIEW, "--system", system, "--key", "person", "--out", out, *more)


def test_a_finding_is_about_the_system_and_ends_on_a_date(place: Place) -> None:
    Path("trial.pdf").write_bytes(b"%PDF")
    attest(place, "--valid-days", "30", "--evidence", "trial.pdf", "--rubric", "rubric.yaml")
    signed = parse_signed(Path("review.json").read_bytes())
    said = signed.attestation.predicate
    assert isinstance(said, Finding)
    assert ("review", "reviewer", "read all of it") == (said.name, said.role, said.text)
    from_bundle = signed.attestation.about
    attest(place, system="bare.bundle/subject/system.json", out="again.json")
    assert from_bundle == parse_signed(Path("again.json").read_bytes()).attestation.about


def test_a_label_leans_on_it_and_reaches_the_level_that_asks_for_it(place: Place) -> None:
    assert "L1 Level 1 granted" in place.succeed("verify", "bare.bundle").out
    attest(place)
    leaning = ("label", *MODEL, *MEASURED, "--attestation", "review.json", "--quiet")
    done = place.succeed(*leaning, "--out", "leaning.bundle")
    assert done.out.startswith("L2 Level 2 granted")
    verified = place.succeed("verify", "leaning.bundle")
    assert "L2 Level 2 granted" in verified.out
    assert "attestor_unpinned" in verified.out
    assert "self_attested" not in verified.out
    assert "attested: review" in place.succeed("show", "leaning.bundle").out


def test_who_counts_as_attestor_is_for_the_reader_s_policy(place: Place) -> None:
    attest(place)
    place.succeed("label", *MODEL, *MEASURED, "--attestation", "review.json", "--quiet", "--out", "l.bundle")
    keys = {name: place.succeed("keys", "export", name).out.strip() for name in ("default", "person")}
    lines = [f"    - {{key: {keys['default']!r}, name: Lab, roles: [labels]}}\n"]
    Path("trust.yaml").write_text("format: verilabel/trust/v1\naccept:\n  any:\n" + "".join(lines))
    done = place.run("verify", "l.bundle", "--trust", "trust.yaml")
    assert (1, True) == (done.status, "signed by a key that does not count" in done.err)
    lines.append(f"    - {{key: {keys['person']!r}, name: Person, roles: [attestations]}}\n")
    Path("trust.yaml").write_text("format: verilabel/trust/v1\naccept:\n  any:\n" + "".join(lines))
    assert "L2 Level 2 granted" in place.succeed("verify", "l.bundle", "--trust", "trust.yaml").out


def test_the_plan_knows_what_it_can_reach_with_it(place: Place) -> None:
    attest(place)
    assert "at best: L1 Level 1" in place.succeed("plan", *MODEL, *MEASURED).out
    done = place.succeed("plan", *MODEL, *MEASURED, "--attestation", "review.json")
    assert "at best: L2 Level 2 granted" in done.out


def test_an_anytime_run_goes_on_for_the_rows_that_it_opens(place: Place) -> None:
    """Without the findings the third level cannot be granted, and nothing is asked for it."""
    attest(place)
    audit = (
        "attest",
        "audit",
        "--role",
        "auditor",
        "--text",
        "ok",
        "--system",
        "bare.bundle",
        "--out",
        "audit.json",
    )
    place.succeed(*audit)
    both = ("--attestation", "review.json", "--attestation", "audit.json", "--quiet")
    done = place.succeed("label", *MODEL, *MEASURED, *both, "--out", "both.bundle", "--json")
    bare = place.succeed("verify", "bare.bundle", "--json").json
    assert ("L1", "L3") == (bare["label"]["granted"]["id"], done.json["label"]["granted"]["id"])


def test_a_run_is_decided_with_a_finding_that_comes_later(place: Place) -> None:
    place.succeed("run", *MODEL, *MEASURED, "--design", "fixed", "--store", "s.run", "--quiet")
    assert place.succeed("decide", "s.run").out.startswith("L1 Level 1 granted")
    attest(place)
    assert place.succeed("decide", "s.run", "--attestation", "review.json").out.startswith(
        "L2 Level 2 granted"
    )
    place.succeed("decide", "s.run", "--attestation", "review.json", "--out", "d.bundle")
    assert "L2 Level 2 granted" in place.succeed("verify", "d.bundle").out


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (("--role", "auditor"), "it is signed as 'auditor', the rubric asks for 'reviewer'"),
        (("--system", "other.json"), "it is about another system"),
    ],
)
def test_a_finding_that_does_not_count_stops_the_label_before_anything_is_asked(
    place: Place, changes: tuple[str, ...], said: str
) -> None:
    text = Path("bare.bundle/subject/system.json").read_text()
    Path("other.json").write_text(text.replace('"bot"', '"bat"'))
    attest(place, *changes)
    done = place.run(
        "label", *MODEL, *MEASURED, "--attestation", "review.json", "--quiet", "--out", "l.bundle"
    )
    assert 2 == done.status
    assert said in done.err
    assert not Path("l.bundle").exists()
    assert [] == [p for p in Path("l.bundle.run").glob("journal.jsonl") if p.stat().st_size]


def test_another_statement_is_no_finding(place: Place) -> None:
    place.succeed("dispute", "bare.bundle", "--ground", "other", "--text", "no", "--out", "d.json")
    done = place.run("label", *MODEL, *MEASURED, "--attestation", "d.json", "--quiet", "--out", "l.bundle")
    assert (3, True) == (done.status, "a dispute where a finding belongs" in done.err)
    attest(place)
    done = place.run("statements", "attach", "bare.bundle", "review.json")
    assert (2, True) == (done.status, "label --attestation" in done.err)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--rubric", "rubric.yaml", "--role", "auditor"), 2, "is signed as 'reviewer'"),
        (("--rubric", "core"), 2, "does not ask for 'review'"),
        (("--valid-days", "0"), 2, "1 to 3650 days"),
        (("--system", "rubric.yaml"), 3, "not JSON"),
        (("--text", ""), 3, "predicate.text"),
        (("--key", "nobody"), 2, "there is no signing key"),
    ],
)
def test_wrong_use_has_a_message_a_status_and_leaves_nothing(
    place: Place, arguments: tuple[str, ...], status: int, said: str
) -> None:
    before = place.files()
    done = place.run(
        *REVIEW, "--system", "bare.bundle", "--key", "person", "--out", "review.json", *arguments
    )
    assert (status, before) == (done.status, place.files()), done.err
    assert said in done.err


def test_a_name_that_is_no_name_is_refused(place: Place) -> None:
    rest = ("--role", "r", "--text", "t", "--system", "bare.bundle", "--out", "x.json")
    done = place.run("attest", "../../escape", *rest)
    assert (3, True, False) == (done.status, "predicate.name" in done.err, Path("x.json").exists())


HAZARD = RUBRIC.partition("scale:\n")[0] + (
    "scale:\n  kind: hazard\n  levels:\n    - {id: C1, name: Below concern}\n    - id: C2\n      name: Concern\n"
    '      rule_in: {all: [{measure: steps, op: ">=", value: 0.9}]}\n'
    '      rule_out: {all: [{measure: steps, op: "<", value: 0.2}, {attested: review}]}\n'
)


def test_an_anytime_run_goes_on_where_a_finding_makes_ruling_out_possible(place: Place) -> None:
    """Without it the run stops once the hazard cannot be established: nothing more can come of it."""
    Path("rubric.yaml").write_text(
        HAZARD.replace("direction: lower_is_safer", "direction: higher_is_more_capable")
    )
    bare = place.succeed("label", *MODEL, *MEASURED, "--quiet", "--out", "bare2.bundle", "--json").json
    assert "C2" == bare["label"]["not_ruled_out"]["id"]
    attest(place)
    given = ("--attestation", "review.json", "--quiet", "--out", "given.bundle", "--json")
    done = place.succeed("label", *MODEL, *MEASURED, *given).json
    assert "C1" == done["label"]["not_ruled_out"]["id"]
    answers = [len(place.evidence(bundle)) for bundle in ("bare2.bundle", "given.bundle")]
    assert answers[0] < answers[1]
    assert "V2 recomputed" in place.succeed("verify", "given.bundle").out
