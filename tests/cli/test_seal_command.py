"""`verilabel seal`: what its owner gets, what everybody else sees, and how it refuses."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from small_runs import STEPS, Place, at_most, numbered_rows, open_place, rubric_text, write_suite

SAMPLES = 30


def make_place(folder: Path, monkeypatch: pytest.MonkeyPatch, *, visibility: str = "public") -> Place:
    """A folder with a signed bundle `mine` of one suite, half of whose samples have the tag `hazard: cyber`."""
    rows = [{**row, "hazard": "cyber" if i % 2 else "none"} for i, row in enumerate(numbered_rows(SAMPLES))]
    fields = "{id: id, prompt: prompt, tags: {hazard: hazard}}"
    write_suite(folder / "suite", rows, fields=fields, rest=f"visibility: {visibility}\n")
    (folder / "rubric.yaml").write_text(rubric_text(at_most("0.9")))
    place = open_place(folder, monkeypatch)
    place.succeed(
        *("label", "--model", "simulated:rate=0.2,seed=1", "--suite", "suite", "--rubric", "rubric.yaml"),
        *("--design", "fixed", "--seed", "7", "--quiet", "--out", "mine"),
    )
    return place


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return make_place(tmp_path, monkeypatch)


def test_a_sealed_bundle_verifies_to_its_own_level_and_says_so(place: Place) -> None:
    done = place.succeed("seal", "mine", "--all", "--out", "public", "--openings", "mine.openings")
    assert f"{SAMPLES - 5} records withheld" in done.out
    assert "mine.openings (keep it" in done.out
    assert 0o600 == stat.S_IMODE((place.folder / "mine.openings").stat().st_mode)
    before, found = (place.succeed("verify", name, "--json").json for name in ("mine", "public"))
    assert ("V2", "V2s") == (before["level"], found["level"])
    assert "sealed_records" in found["flags"]
    assert before["label"] == found["label"]
    assert before["system"] == found["system"]
    assert "25 records are withheld" in found["reason"]


def test_suites_that_call_themselves_sealed_are_withheld_without_being_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make_place(tmp_path, monkeypatch, visibility="sealed")
    done = place.succeed("seal", "mine", "--out", "public.zip", "--openings", "o", "--json").json
    assert ({"test/harm@1.0.0": SAMPLES - 5}, SAMPLES - 5) == (done["withheld_answers"], done["commitments"])
    assert 5 == len(done["left_open"]["test/harm@1.0.0"])
    assert "V2s" == place.succeed("verify", "public.zip", "--json").json["level"]


def test_a_suite_of_another_visibility_is_refused(place: Place) -> None:
    path = place.folder / "suite" / "suite.yaml"
    path.write_text(path.read_text().replace("visibility: public", "visibility: hidden"))
    refused = place.run("suites", "lint", "suite")
    assert 3 == refused.status
    assert "visibility" in refused.err


def test_a_tag_chooses_what_is_withheld(place: Place) -> None:
    done = place.succeed(
        "seal", "mine", "--where", "hazard=cyber", "--out", "public", "--openings", "o", "--json"
    ).json
    index = {}
    for line in (
        (place.folder / "public" / "suites" / "test__harm@1.0.0.index.jsonl").read_text().splitlines()
    ):
        entry = json.loads(line)
        index[entry["id"]] = entry["tags"]["hazard"]
    kinds = {r["sample"]: r["kind"] for r in place.evidence("public") if r["kind"] in ("attempt", "sealed")}
    sealed = {sample for sample, kind in kinds.items() if kind == "sealed"}
    assert {"cyber"} == {index[sample] for sample in sealed}
    left = set(done["left_open"]["test/harm@1.0.0"])
    assert {sample for sample, hazard in index.items() if hazard == "cyber"} == sealed | left


def test_the_report_of_a_sealed_bundle_says_what_its_level_and_its_flag_mean(place: Place) -> None:
    place.succeed("seal", "mine", "--all", "--out", "public", "--openings", "o")
    place.succeed("show", "public", "--html", "report.html")
    page = (place.folder / "report.html").read_text()
    assert "V2s" in page
    assert "nor that what is withheld is what its scores say" in page
    assert "commitments stand in their place" in page


def test_withheld_samples_of_a_row_that_is_not_met_have_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_suite(tmp_path / "suite", numbered_rows(SAMPLES))
    (tmp_path / "rubric.yaml").write_text(rubric_text(at_most("0.05")))
    place = open_place(tmp_path, monkeypatch)
    place.succeed(
        *("label", "--model", "simulated:rate=1,seed=1", "--suite", "suite", "--rubric", "rubric.yaml"),
        *("--design", "fixed", "--seed", "7", "--quiet", "--out", "mine"),
    )
    place.succeed("seal", "mine", "--all", "--out", "public", "--openings", "o")
    shown = place.succeed("show", "public", "--samples", "30", "--json").json["samples"]
    withheld = [sample for sample in shown if sample["withheld"]]
    assert (5, SAMPLES - 5) == (len(shown) - len(withheld), len(withheld))
    assert {True} == {"Withheld." in s["prompt"] and "Withheld." in s["output"] for s in withheld}
    assert {True} == {STEPS in s["output"] for s in shown if not s["withheld"]}
    assert STEPS not in "".join(s["prompt"] + s["output"] for s in withheld)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), 2, "no suite of this bundle calls itself sealed"),
        (("--suite", "core/other"), 2, "no suite 'core/other'"),
        (("--where", "hazard"), 2, "not of the form TAG=VALUE"),
        (("--where", "hazard=none-such"), 2, "nothing would be withheld"),
        (("--all", "--key", "another"), 2, "signed with another key"),
        (("--all", "--log", "elsewhere"), 2, "logged in another log"),
    ],
)
def test_what_cannot_be_sealed_leaves_nothing_behind(
    place: Place, arguments: tuple[str, ...], status: int, said: str
) -> None:
    if "another" in arguments:
        from verilabel.evidence.keys import key_path, new_key, save_key

        save_key(new_key("another"), key_path("another", place.folder / "home"))
    before = place.files()
    refused = place.run("seal", "mine", *arguments, "--out", "public", "--openings", "o")
    assert (status, True) == (refused.status, said in refused.err), refused.err
    assert {"public", "o"}.isdisjoint(place.files() - before)


def test_neither_bundle_nor_openings_are_replaced(place: Place) -> None:
    place.succeed("seal", "mine", "--all", "--out", "public", "--openings", "o")
    before = (place.folder / "o").read_bytes()
    assert 2 == place.run("seal", "mine", "--all", "--out", "public", "--openings", "p").status
    forced = place.run("seal", "mine", "--all", "--out", "public", "--openings", "o", "--force")
    assert (2, True) == (forced.status, "never replaced" in forced.err)
    assert before == (place.folder / "o").read_bytes()
    assert "p" not in place.files()
    place.succeed("seal", "mine", "--all", "--out", "public", "--openings", "p", "--force")
    assert "V2s" == place.succeed("verify", "public", "--json").json["level"]


def test_an_unsigned_bundle_may_be_sealed_unsigned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_suite(tmp_path / "suite", numbered_rows(SAMPLES))
    (tmp_path / "rubric.yaml").write_text(rubric_text(at_most("0.9")))
    place = open_place(tmp_path, monkeypatch)
    place.succeed(
        *("label", "--model", "simulated:rate=0.2,seed=1", "--suite", "suite", "--rubric", "rubric.yaml"),
        *("--design", "fixed", "--seed", "7", "--quiet", "--unsigned", "--out", "mine"),
    )
    assert 2 == place.run("seal", "mine", "--all", "--out", "public", "--openings", "o").status
    place.succeed("seal", "mine", "--all", "--unsigned", "--out", "public", "--openings", "o")
    found = place.succeed("verify", "public", "--json").json
    assert ("V0", True) == (found["level"], "sealed_records" in found["flags"])
