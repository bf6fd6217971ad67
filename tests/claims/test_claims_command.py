"""The command `verilabel claims`, as people and programs call it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from claims.claim_cards import CARD, page_server
from servers.answering import answering_server
from small_runs import Place, open_place

REPOSITORY = Path(__file__).resolve().parents[2]
WHOLE = (
    "# quiz-model\n\nThe Example Institute ran quiz (n = 20): an accuracy of 90.0% (95% CI 68.3 to 98.8).\n\n"
    "## Setup\n\nEvaluated with inspect_ai, 5-shot, at temperature 0.0, without a system prompt; evaluated by "
    "Example in Mar 2026. The exact prompts are published, the [logs and outputs](https://example.org/logs) too.\n"
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    (tmp_path / "card.md").write_text(CARD)
    return open_place(tmp_path, monkeypatch)


def test_a_card_is_printed_with_counts_and_the_verdict_with_its_reasons(place: Place) -> None:
    out = place.succeed("claims", "card.md").out
    assert "card.md: 9 claims" in out
    assert "If the provider cannot supply these, the label is not actionable." in out
    assert "  - an interval: missing for 9 of 9 claims" in out
    assert "not read: card.md:1: the front matter cannot be read" in out
    assert "ambiguous" in out
    assert not re.search(r"\bscore\b", out)


def test_the_document_for_programs_holds_every_claim_with_its_fields(place: Place) -> None:
    document = place.succeed("claims", "card.md", "--json").json
    assert 9 == len(document["claims"])
    asked = {count["field"]: count for count in document["fields"]}
    assert 9 == asked["interval"]["asked"] == asked["interval"]["missing"]
    safety = [claim for claim in document["claims"] if claim["topic"] == "safety"]
    assert len(safety) == asked["threshold"]["asked"] == asked["red_teaming"]["asked"]
    assert document["verdict"]["actionable"] is False
    assert document["documents"][0]["sha256"].startswith("sha256:")


def test_strict_makes_missing_fields_a_failed_check(place: Place) -> None:
    assert 1 == place.run("claims", "card.md", "--strict").status
    (place.folder / "none.md").write_text("# Hello\n")
    assert 0 == place.run("claims", "none.md", "--strict").status


def test_a_contradicted_claim_is_a_failed_check_and_a_supported_one_is_not(
    place: Place, made_bundle: Path
) -> None:
    (place.folder / "good.md").write_text("# quiz-model\n\nIt has an accuracy of 90% on HellaSwag.\n")
    (place.folder / "bad.md").write_text("# quiz-model\n\nIt has an accuracy of 30% on HellaSwag.\n")
    options = ("--bundle", str(made_bundle), "--same", "HellaSwag=test/quiz")
    good, bad = place.run("claims", "good.md", *options), place.run("claims", "bad.md", *options)
    assert (0, 1) == (good.status, bad.status)
    assert "supported: good.md:3" in good.out
    assert "contradicted: bad.md:3" in bad.out
    assert {"contradicted": 1} == place.run("claims", "bad.md", *options, "--json").json["matches"]


def test_a_bundle_that_was_changed_ends_the_command_with_its_own_status(place: Place, bundle: Path) -> None:
    label = bundle / "results" / "label.json"
    label.write_bytes(label.read_bytes().replace(b"L", b"M", 1))
    outcome = place.run("claims", "card.md", "--bundle", str(bundle))
    assert 4 == outcome.status
    assert "" == outcome.out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("none.md",), 2, "no such file"),
        (("hf:nonsense",), 2, "not the name of a model"),
        (("card.md", "--same", "x"), 2, "is not NAME=NAME"),
        (("card.md", "--bundle", "none.bundle"), 2, "none.bundle"),
        (("card.pdf",), 3, "a PDF is not read"),
        (("card.md", "--extractor", "nobody/x"), 2, "no model has this address"),
    ],
)
def test_bad_input_has_its_status_and_says_what_is_wrong(
    place: Place, arguments: tuple[str, ...], status: int, message: str
) -> None:
    (place.folder / "card.pdf").write_bytes(b"%PDF-1.4")
    outcome = place.run("claims", *arguments)
    assert status == outcome.status
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_a_model_that_the_hub_does_not_have_is_status_2_and_leaves_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = place.files()
    with page_server({}) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        outcome = place.run("claims", "hf:org/none", "--json")
    assert 2 == outcome.status
    assert "no card of a model 'org/none'" in json.loads(outcome.err)["message"]
    assert before == place.files()


def test_an_extractor_adds_claims_and_what_was_dropped_is_told(place: Place) -> None:
    (place.folder / "odd.md").write_text("# M\n\nIn our view three of a hundred replies were poor.\n")
    good = {"quote": "three of a hundred replies were poor", "kind": "comparison"}
    invented = {"quote": "the model is perfectly harmless", "kind": "category"}
    with answering_server(lambda _: json.dumps([good, invented])) as server:
        out = place.succeed(
            "claims", "odd.md", "--extractor", "openai/x", "--extractor-url", server.base_url
        ).out
    assert "odd.md: 1 claims" in out
    assert "dropped: 1 of the extractor's: the quote does not stand in the document" in out


def test_hostile_text_in_a_card_cannot_command_the_terminal(place: Place) -> None:
    (place.folder / "evil.md").write_text(
        "# M\x1b[2J\n\nIt has an accuracy of 90% on MMLU\x1b]0;x\x07 \u202eabc.\n"
    )
    out = place.succeed("claims", "evil.md").out
    assert not set("\x1b\x07\u202e") & set(out)


def test_a_claim_that_says_everything_is_actionable(place: Place) -> None:
    (place.folder / "whole.md").write_text(WHOLE.replace("## Setup\n\n", ""))
    document = place.succeed("claims", "whole.md", "--json", "--strict").json
    (claim,) = document["claims"]
    assert {"stated"} == {said["state"] for said in claim["fields"].values()}
    assert document["verdict"]["actionable"] is True


def test_what_stands_in_another_section_is_missing(place: Place) -> None:
    (place.folder / "split.md").write_text(WHOLE)
    (claim,) = place.succeed("claims", "split.md", "--json").json["claims"]
    assert {"prompts", "configuration", "method", "evaluator", "evidence"} <= {
        field for field, said in claim["fields"].items() if said["state"] == "missing"
    }


def test_the_table_of_cards_in_the_documentation_is_what_the_program_counts(shared_data: Path) -> None:
    """`docs/claims.md` lists every card of the public test data; each row is counted again here."""
    from verilabel.claims.completeness import count_fields
    from verilabel.claims.extraction import extract_claims
    from verilabel.claims.source import open_source

    page = (REPOSITORY / "docs" / "claims.md").read_text()
    listed = re.findall(
        r"^\| `((?:model_cards|hf_cards|every_eval_ever)/[^`]+)` \|(.*)\|$", page, re.MULTILINE
    )
    cards = [p for folder in ("model_cards", "hf_cards") for p in (shared_data / folder).rglob("*.md")]
    assert {str(p.relative_to(shared_data)) for p in cards} <= {name for name, _ in listed}
    for name, cells in listed:
        path = str(shared_data / name)
        claims = extract_claims(path, open_source(path)).claims
        lacking = {count.field: count.missing for count in count_fields(claims)}
        safety = sum(claim.topic == "safety" for claim in claims)
        figures = sum(claim.value is not None for claim in claims)
        expected = [
            len(claims),
            safety,
            figures,
            *(lacking[f] for f in ("n", "interval", "prompts", "evidence")),
        ]
        assert expected == [int(cell) for cell in cells.split("|")], name
