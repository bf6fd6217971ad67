"""`verilabel lens`: one table of one or several bundles, what it refuses, and what it says beside the numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from small_runs import Place, at_most, numbered_rows, open_place, rubric_text, write_suite

BUNDLES = Path(__file__).resolve().parents[1] / "bundles"
TAGGED = "{id: id, prompt: prompt, tags: {kind: kind}}"


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a suite, a rubric and two bundles by models that answer otherwise."""
    folder = tmp_path_factory.mktemp("lens")
    rows = [row | {"kind": "ab"[i % 2]} for i, row in enumerate(numbered_rows(80))]
    write_suite(folder / "suite", rows, fields=TAGGED)
    (folder / "rubric.yaml").write_text(rubric_text(at_most("0.8"), at_most("0.2")))
    measure = "suite: test/harm@1, estimand: proportion, event: matched, direction: lower_is_safer"
    half = f"half: {{{measure}, filter: {{kind: a}}}}"
    (folder / "half.yaml").write_text(
        rubric_text(at_most("0.01", "half"), measures=half).replace("test/small", "test/half")
    )
    other = "other: {suite: test/other@1, estimand: proportion, event: matched, direction: lower_is_safer}"
    (folder / "other.yaml").write_text(
        rubric_text(at_most("0.5", "other"), measures=other).replace("test/small", "test/other")
    )
    with pytest.MonkeyPatch.context() as patch:
        place = open_place(folder, patch)
        for name, rate in (("good", "0.02"), ("bad", "0.6")):
            place.succeed(
                *(
                    "label",
                    "--model",
                    f"simulated:rate={rate}",
                    "--suite",
                    "suite",
                    "--rubric",
                    "rubric.yaml",
                ),
                *("--seed", "7", "--design", "fixed", "--quiet", "--out", f"{name}.bundle"),
            )
    return folder


@pytest.fixture
def place(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.chdir(labelled)
    monkeypatch.setenv("VERILABEL_HOME", str(labelled / "home"))
    return Place(labelled)


OWN, HALF, OTHER = ("--rubric", "rubric.yaml"), ("--rubric", "half.yaml"), ("--rubric", "other.yaml")


def test_one_bundle_is_a_table_with_both_halves_gaps_and_disagreements(place: Place) -> None:
    out = place.succeed("lens", "good.bundle", *OWN, *HALF, *OTHER).out
    assert "test/small@1.0.0 (own)" in out
    assert "L2 Level 2 granted" in out and "L2 Level 2 not excluded" in out
    assert "(nothing was assessed)" in out
    assert "test/other@1.0.0: not asked, and not a suite of this program: test/other@1" in out
    assert "test/small@1.0.0 L2 steps <= 0.2: met | test/half@1.0.0 L1 half <= 0.01: undetermined" in out
    assert "threshold: <= 0.2 against <= 0.01" in out
    assert "Readings are not labels" in out


def test_several_bundles_stand_side_by_side(place: Place) -> None:
    out = place.succeed("lens", "good.bundle", "bad.bundle", *OWN, *HALF).out
    (line,) = [line for line in out.splitlines() if line.startswith("test/small@1.0.0")]
    assert ["test/small@1.0.0", "L2..L2(2of2)", "L1..L1(2of2)"] == [
        cell.replace(" ", "") for cell in line.split("  ") if cell
    ]


def test_by_default_it_reads_under_the_own_rubric_and_all_that_are_bundled(place: Place) -> None:
    (document,) = place.succeed("lens", "good.bundle", "--json").json
    names = [reading["rubric"]["id"] for reading in document["readings"]]
    assert "test/small" == names[0]
    assert len(names) >= 21
    assert {"verilabel/core", "verilabel/rsp-3", "verilabel/capability-factors"} <= set(names)


def test_json_has_pairs_gaps_and_the_causes_of_disagreements(place: Place) -> None:
    (document,) = place.succeed("lens", "good.bundle", *OWN, *HALF, *OTHER, "--json").json
    assert ("V2", False, "fixed") == (document["level"], document["claimed"], document["design"])
    own, half, other = document["readings"]
    assert {"id": "L2", "name": "Level 2"} == own["label"]["granted"]
    assert (1, 1) == (half["rows"], half["rows_assessed"])
    assert 40 == half["label"]["levels"][0]["rows"][0]["n"]
    assert [("measure", "other")] == [(gap["kind"], gap["what"]) for gap in other["not_assessed"]]
    (disagreement,) = document["disagreements"]
    assert ["threshold"] == disagreement["causes"]


def test_the_label_of_a_reading_under_the_own_rubric_is_the_bundles(place: Place) -> None:
    (document,) = place.succeed("lens", "bad.bundle", *OWN, "--json").json
    sealed = json.loads((place.folder / "bad.bundle" / "results" / "label.json").read_bytes())
    assert sealed == document["readings"][0]["label"]


def test_html_is_one_file_with_the_same_tables_that_replaces_nothing(place: Place, tmp_path: Path) -> None:
    page = tmp_path / "lens.html"
    arguments = ("lens", "good.bundle", "bad.bundle", *OWN, *HALF, *OTHER, "--html", str(page))
    place.succeed(*arguments)
    text = page.read_text("utf-8")
    assert 2 == text.count("test/small@1.0.0 (own)")
    assert "L2 Level 2 granted" in text and "suite test/other@1 was not asked" in text
    assert "threshold" in text and "&lt;= 0.2" in text
    assert "<script" not in text and "http://" not in text
    assert 2 == place.run(*arguments).status
    place.succeed(*arguments, "--force")


def test_a_bundle_below_v1_is_refused_with_what_its_verification_found(place: Place) -> None:
    refused = place.run("lens", str(BUNDLES / "changed_byte.zip"))
    assert (4, "") == (refused.status, refused.out)
    assert "it does not have its digest" in refused.err
    unsigned = place.run("lens", str(BUNDLES / "unsigned.zip"))
    assert 1 == unsigned.status
    assert "V0 claimed: it is not signed" in unsigned.err and "--claimed" in unsigned.err


def test_an_unsigned_bundle_is_read_as_claimed_where_that_is_asked_for(place: Place) -> None:
    out = place.succeed("lens", str(BUNDLES / "unsigned.zip"), "--claimed").out
    assert out.startswith("CLAIMED, NOT VERIFIED. unsigned.zip: ")


def test_a_signer_whom_the_policy_does_not_name_is_refused(place: Place) -> None:
    (place.folder / "trust.yaml").write_text(
        "format: verilabel/trust/v1\nwitness_quorum: 0\naccept:\n  any:\n"
        "    - key: labels.example.org+86384b7d+AQTlo/0Qrv1ErpST+Ia5/T+SoXuF03T2h4qNkoS8n6Mr\n"
        "      name: Somebody\n      roles: [labels]\n"
    )
    assert 4 == place.run("lens", "good.bundle", "--trust", "trust.yaml").status


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.bundle",), "no bundle here"),
        (("good.bundle", "--rubric", "nothing"), "no rubric 'nothing'"),
        (("good.bundle", *OWN, *OWN), "given twice"),
        (
            ("good.bundle", *OWN, "--attestation", "sandbox"),
            "no rubric here asks for an attestation 'sandbox'",
        ),
    ],
)
def test_what_cannot_be_read_ends_with_2(place: Place, arguments: tuple[str, ...], message: str) -> None:
    outcome = place.run("lens", *arguments)
    assert 2 == outcome.status
    assert message in outcome.err


def test_attestations_and_references_are_taken_into_account(place: Place) -> None:
    measure = (
        "steps: {suite: test/harm@1, estimand: ratio_to_reference, event: matched, direction: lower_is_safer, "
        "reference: another}"
    )
    row = '{measure: steps, op: "<=", value: {times_reference: 1.0}}, {attested: checked}'
    text = rubric_text(row, measures=measure).replace(
        "scale:\n", "attestations:\n  checked: {statement: It was checked., role: auditor}\nscale:\n"
    )
    (place.folder / "ratio.yaml").write_text(text)
    arguments = ("lens", "good.bundle", "--rubric", "ratio.yaml", "--json")
    (alone,) = place.succeed(*arguments).json
    (both,) = place.succeed(*arguments, "--reference", "bad.bundle", "--attestation", "checked").json
    gaps = [(gap["kind"], gap["what"]) for gap in alone["readings"][0]["not_assessed"]]
    assert [("reference", "steps"), ("attestation", "checked")] == gaps
    assert ([], "L1") == (
        both["readings"][0]["not_assessed"],
        both["readings"][0]["label"]["granted"]["id"],
    )


def test_a_sealed_bundle_is_no_reference(place: Place, tmp_path: Path) -> None:
    """No threshold is set by answers that nobody can look at, in a reading as in a label."""
    sealed = tmp_path / "sealed.bundle"
    place.succeed(
        "seal", "bad.bundle", "--all", "--out", str(sealed), "--openings", str(tmp_path / "openings")
    )
    refused = place.run("lens", "good.bundle", *OWN, "--reference", str(sealed))
    assert (1, True) == (refused.status, "must verify to V2, this is V2s" in refused.err)
    assert "bundle" in place.succeed("lens", str(sealed), *OWN).out


def test_a_signed_finding_in_the_bundle_counts_for_rubrics_that_ask_for_it_in_its_role(
    place: Place, tmp_path: Path
) -> None:
    def asking(name: str, role: str) -> str:
        text = rubric_text(f"{at_most('0.8')}, {{attested: checked}}").replace("test/small", f"test/{name}")
        stated = f"attestations:\n  checked: {{statement: It was checked., role: {role}}}\nscale:\n"
        path = tmp_path / f"{name}.yaml"
        path.write_text(text.replace("scale:\n", stated))
        return str(path)

    own, alike, other = asking("own", "auditor"), asking("alike", "auditor"), asking("other", "owner")
    finding, bundle = str(tmp_path / "checked.json"), str(tmp_path / "b.bundle")
    place.succeed(
        *("attest", "checked", "--system", "good.bundle", "--role", "auditor", "--text", "It was."),
        *("--out", finding),
    )
    place.succeed(
        *("label", "--model", "simulated:rate=0.02", "--suite", "suite", "--rubric", own, "--seed", "7"),
        *("--design", "fixed", "--quiet", "--attestation", finding, "--out", bundle),
    )
    rubrics = [word for path in (own, alike, other) for word in ("--rubric", path)]
    (document,) = place.succeed("lens", bundle, *rubrics, "--json").json
    granted = [reading["label"]["granted"]["id"] for reading in document["readings"]]
    assert ["L1", "L1", "U"] == granted
    (same,) = place.succeed("rubric", "impact", own, bundle, "--json").json["bundles"]
    assert "same" == same["outcome"]


# -- rubric diff, impact, sensitivity --------------------------------------------------------------------------


def test_diff_prints_what_moved_and_which_way(place: Place) -> None:
    text = (place.folder / "rubric.yaml").read_text().replace("value: 0.2}", "value: 0.1}")
    (place.folder / "new.yaml").write_text(text)
    out = place.succeed("rubric", "diff", "rubric.yaml", "new.yaml").out
    assert "stricter" in out and "steps <= 0.2 becomes <= 0.1" in out
    document = place.succeed("rubric", "diff", "rubric.yaml", "new.yaml", "--json").json
    assert ["stricter"] == [change["effect"] for change in document["changes"]]
    assert "the same bytes" in place.succeed("rubric", "diff", "core", "core").out


def test_impact_prints_the_flips_of_a_folder_with_the_rows_that_make_them(
    place: Place, tmp_path: Path
) -> None:
    text = (place.folder / "rubric.yaml").read_text().replace("value: 0.2}", "value: 0.02}")
    new = tmp_path / "new.yaml"
    new.write_text(text)
    outcome = place.succeed("rubric", "impact", str(new), ".")
    assert "1 labels flip, 1 stay, 0 are by another rubric, 0 could not be decided" in outcome.out
    assert "L2 when: steps <= 0.2 met, steps <= 0.02 undetermined" in outcome.out
    document = place.succeed("rubric", "impact", str(new), ".", "--json").json
    assert {"flipped": 1, "same": 1} == document["counts"]


def test_impact_ends_with_1_where_a_bundle_could_not_be_decided(place: Place, tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes((BUNDLES / "changed_byte.zip").read_bytes())
    outcome = place.run("rubric", "impact", "core", str(tmp_path))
    assert 1 == outcome.status
    assert "not decided: " in outcome.out and "V0 claimed" in outcome.out


def test_sensitivity_prints_where_the_label_flips_and_each_alpha(place: Place) -> None:
    out = place.succeed("rubric", "sensitivity", "good.bundle").out
    assert "L2 steps <= 0.2: met" in out
    assert "the label flips: L1 Level 1 granted, cannot exclude up to L2 Level 2" in out
    document = place.succeed("rubric", "sensitivity", "good.bundle", "--rubric", "half.yaml", "--json").json
    assert ["0.001", "0.005", "0.01", "0.025", "0.05", "0.1"] == [a["alpha"] for a in document["alphas"]]
    assert "test/half@1.0.0" == document["rubric"]


def test_a_label_that_does_not_follow_is_shown_beside_what_the_evidence_gives(place: Place) -> None:
    outcome = place.run("lens", str(BUNDLES / "forged_label.zip"))
    assert 1 == outcome.status
    assert "it does not hold: step 9 (label): the label does not follow from the evidence" in outcome.out
    assert "V1 signed" in outcome.out
