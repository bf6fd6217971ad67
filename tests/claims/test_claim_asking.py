"""Claims that a model proposes: kept only where their words stand in the document."""

from __future__ import annotations

import asyncio
import json

import pytest

from claims.claim_cards import read
from servers.answering import answering_server
from verilabel.claims.asking import ask_for_claims
from verilabel.claims.claim import Extraction
from verilabel.errors import ModelError
from verilabel.models.address import open_model

TEXT = "# M-1\n\nOn our private set the share of bad replies was\n3.1% after tuning.\n\nM-1 achieves 87.3% on GSM8K.\n"


def ask(reply: str | int, text: str = TEXT) -> tuple[Extraction, list[str]]:
    """The extraction after a scripted model was asked, and what it was asked."""

    async def run(url: str) -> Extraction:
        async with open_model("openai/extractor", base_url=url) as model:
            return await ask_for_claims(model, read(text), subject="M-1")

    with answering_server(lambda _: reply) as server:
        return asyncio.run(run(server.base_url)), server.prompts


def proposal(**fields: str) -> str:
    whole = {
        "quote": "the share of bad replies was 3.1% after tuning",
        "kind": "number",
        "value": "3.1%",
        **fields,
    }
    return "Here it is:\n" + json.dumps([whole])


def test_a_claim_whose_words_stand_in_the_document_is_kept_with_the_documents_own_words() -> None:
    extraction, asked = ask(proposal())
    claim = extraction.claims[-1]
    assert "the share of bad replies was\n3.1% after tuning" == claim.text
    assert (3, "model:openai/extractor", "percent") == (
        claim.place.line,
        claim.found_by,
        claim.value and claim.value.unit,
    )
    assert "missing" == claim.fields["interval"].state
    assert TEXT in asked[0]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"quote": "the model is entirely harmless and good"}, "the quote does not stand in the document"),
        ({"value": "31%"}, "a figure that does not stand in the quote"),
        ({"value": ".1%"}, "a figure that does not stand in the quote"),
        ({"value": ""}, "a figure that does not stand in the quote"),
        ({"kind": "opinion"}, "without a quote or a kind"),
        ({"quote": "M"}, "without a quote or a kind"),
        ({"benchmark": "HarmBench"}, "the benchmark does not stand in the document"),
        ({"subject": "Other-7"}, "the subject does not stand in the document"),
        (
            {"quote": "M-1 achieves 87.3% on GSM8K.", "value": "87.3%"},
            "found by the rules already",
        ),
    ],
)
def test_a_proposal_that_the_document_does_not_bear_out_is_dropped_and_counted(
    fields: dict[str, str], reason: str
) -> None:
    extraction, _ = ask(proposal(**fields))
    assert {reason: 1} == extraction.dropped
    assert read(TEXT).claims == extraction.claims


@pytest.mark.parametrize("reply", ["no claims here", "[1, 2", '[{"quote": ]', "[" * 5000 + "]"])
def test_a_reply_that_cannot_be_read_is_counted(reply: str) -> None:
    extraction, _ = ask(reply)
    assert {"a reply that is no JSON array": 1} == extraction.dropped


def test_a_model_that_fails_is_an_error_and_no_empty_result() -> None:
    with pytest.raises(ModelError, match="the extractor failed"):
        ask(400)


def test_a_long_document_is_asked_about_in_parts() -> None:
    text = TEXT + "\nA filling line of text without any claim.\n" * 700
    extraction, asked = ask("[]", text)
    assert 3 == len(asked)
    assert {} == extraction.dropped
    assert "".join(part.split("=" * 20)[1].strip("\n") for part in asked).count("filling line") == 700
