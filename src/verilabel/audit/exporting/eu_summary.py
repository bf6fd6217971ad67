"""A draft of the public summary of training content that Article 53(1)(d) of the EU's AI Act asks of providers.

The headings follow the Commission's template (24 July 2025; formal text C(2025) 8311 of 5 December 2025). An audit
knows what it read; it does not know who trained what on it. What only the provider knows is left open, visibly, and
what the audit found stands beside the question that it bears on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from verilabel.audit.exporting.dataset import (
    AuditedData,
    say_benchmarks,
    say_duplicates,
    say_licences,
    say_names,
    say_unread,
)
from verilabel.audit.exporting.found import NOT_CLEAN, found_in_sample, say_limits, say_sampled

TITLE = "Public Summary of Training Content for general-purpose AI models"
DRAFT = (
    "DRAFT, made from an audit of training data. It is not the summary that the law asks for: what only the provider "
    "knows is open, and an audit does not show that a model was trained on what was audited."
)
OPEN = "open: to be filled in by the provider"
TEMPLATE = (
    "Regulation (EU) 2024/1689, Article 53(1)(d); Explanatory Notice and Template for the Public Summary of Training "
    "Content for general-purpose AI models, 24 July 2025, formal text C(2025) 8311 final of 5 December 2025. Headings "
    "and questions are as summaries that providers have published give them; the Commission's text itself was not at "
    "hand."
)
TOP_SHARE = 10
TOP_RULE = (
    "The template is said to ask for the top 10 % of domain names by the size of the content scraped, and of small and "
    "medium-sized enterprises for the top 5 % or 1,000, whichever is less. This was taken from other tools and from "
    "published summaries, and not verified in the Commission's text."
)
MAX_DOMAINS_LISTED = 1_000
_LEAST_TOKENS = 10**9


class Heading(NamedTuple):
    """A heading of the template."""

    level: int
    text: str


class Text(NamedTuple):
    """A paragraph."""

    text: str


class Question(NamedTuple):
    """A question of the template. `answer` is None where only the provider knows; `found` is what the audit knows."""

    asked: str
    answer: str | None
    found: tuple[str, ...] = ()


class Grid(NamedTuple):
    """A table."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Heading | Text | Question | Grid


def write_eu_summary(data: AuditedData) -> tuple[Block, ...]:
    """The draft, block by block."""
    return (
        Heading(1, TITLE),
        Text(DRAFT),
        Question("Version of the Summary", None),
        Question("Last update", None),
        *_general(data),
        *_sources(data),
        *_processing(data),
        *_basis(data),
    )


def _general(data: AuditedData) -> Iterator[Block]:
    coverage, tallies = data.manifest.coverage, data.tallies
    yield Heading(2, "1. General information")
    yield Heading(3, "1.1. Provider identification")
    yield Question("Provider name and contact details", None)
    yield Question("Authorised representative name and contact details", None)
    yield Heading(3, "1.2. Model identification")
    yield Question("Versioned model name(s)", None)
    yield Question("Model dependencies", None)
    yield Question("Date of placement of the model on the Union market", None)
    yield Heading(3, "1.3. Modalities, overall training data size and other characteristics")
    yield Question(
        "Modalities other than text (image, audio, video, other)", None, ("The audit looked at text alone.",)
    )
    yield Question("Text: training data size", None, (_say_size(data),))
    yield Question("Text: types of content", None)
    yield Question(
        "Latest date of data acquisition or collection for model training",
        None,
        (_say_years(data),) if tallies.years else (),
    )
    languages = tuple(each for each in tallies.languages if each.documents)
    found = (say_names(languages, "Documents by language, as a model tells it"),) if languages else ()
    yield Question("Description of the linguistic characteristics of the overall training data", None, found)
    yield Question("Other relevant characteristics of the overall training data", None)
    yield Question(
        "Additional comments (optional)", None, (f"{coverage.read:,} of {coverage.rows:,} documents were read. "
                                                 f"{say_unread(data)}",)
    )  # fmt: skip


def _say_size(data: AuditedData) -> str:
    """The template's ranges are of tokens; a token of text is a byte or more, so that few bytes decide the lowest."""
    size = data.manifest.coverage.text_bytes
    said = f"The audit read {size:,} bytes of text"
    coverage = data.manifest.coverage
    if size < _LEAST_TOKENS and not (coverage.unread or coverage.unknown):
        return f"{said}: of the audited data, less than 1 billion tokens."
    return f"{said}; how many tokens these are depends on the tokeniser."


def _say_years(data: AuditedData) -> str:
    years = data.tallies.years
    return (
        f"Dates that sources give documents reach from {years[0].name} to {years[-1].name}, {data.tallies.undated:,} "
        "documents have none; when the data was acquired, they do not say."
    )


def _sources(data: AuditedData) -> Iterator[Block]:
    inputs = ", ".join(data.manifest.inputs)
    yield Heading(2, "2. List of data sources")
    yield Heading(3, "2.1. Publicly available datasets")
    yield Question("Were publicly available datasets used to train the model?", None)
    yield Question("Modality(ies) of the content covered", None)
    yield Question(
        "List of large publicly available datasets",
        None,
        (f"The audit was given: {inputs}.",) if inputs else (),
    )
    yield Question("General description of other publicly available datasets", None)
    yield Question("Additional comments (optional)", None)
    yield Heading(3, "2.2. Private non-publicly available datasets obtained from third parties")
    yield Heading(4, "2.2.1. Datasets commercially licensed by rightsholders or their representatives")
    yield Question("Were transactional commercial licensing agreements concluded with rightsholders?", None)
    yield Question("Modality(ies) of the content covered", None)
    yield Heading(4, "2.2.2. Private datasets obtained from other third parties")
    yield Question("Were private datasets obtained from other third parties?", None)
    yield Question("Modality(ies), known datasets and general description", None)
    yield from _crawled(data)
    yield Heading(3, "2.4. User data")
    yield Question("Was data from user interactions with the AI model used to train the model?", None)
    yield Question(
        "Was data from user interactions with the provider's other services or products used?", None
    )
    yield Heading(3, "2.5. Synthetic data")
    yield Question("Was synthetic AI-generated data created by or for the provider to train the model?", None)
    yield Question("Modality(ies), and models that generated it", None)
    yield Heading(3, "2.6. Other sources of data")
    yield Question("Were other data sources used, and which?", None)


def _crawled(data: AuditedData) -> Iterator[Block]:
    yield Heading(3, "2.3. Data crawled and scraped from online sources")
    yield Question("Were crawlers used by the provider or on its behalf?", None)
    yield Question("Crawler name(s), purposes and behaviour", None)
    yield Question("Period of data collection", None, (_say_years(data),) if data.tallies.years else ())
    yield Question("Description of the type of content and online sources crawled", None)
    yield Question("Type of modality covered", None)
    domains = data.tallies.domains
    if not domains:
        found = ("The sources of the audited data name no addresses.",)
        yield Question("Summary of the most relevant domain names crawled", None, found)
        return
    wanted = -(-len(domains) * TOP_SHARE // 100)
    shown = domains[: min(wanted, MAX_DOMAINS_LISTED)]
    left = f", of which the first {len(shown):,} are below" if len(shown) < wanted else ", below"
    yield Question(
        "Summary of the most relevant domain names crawled",
        None,
        (
            TOP_RULE,
            f"The audited data's own addresses name {len(domains):,} domains; 10 % of them are {wanted:,}{left}, by "
            f"bytes of text. {data.tallies.without_host:,} documents have no address. Whether they were crawled, and "
            "by whom, the audit does not know.",
        ),
    )
    yield Grid(
        ("Domain", "Documents", "Bytes of text"),
        tuple((each.name, f"{each.documents:,}", f"{each.bytes:,}") for each in shown),
    )


def _processing(data: AuditedData) -> Iterator[Block]:
    yield Heading(2, "3. Data processing aspects")
    yield Heading(
        3, "3.1. Respect of reservation of rights from text and data mining exception or limitation"
    )
    yield Question("Is the provider a signatory of the Code of Practice?", None)
    found = (*data.said_of("use", "copyright"), *say_licences(data))
    yield Question("Measures implemented to respect reservations of rights", None, _with_note(found))
    yield Heading(3, "3.2. Removal of illegal content")
    found = (
        *data.said_of("toxic"),
        *(say_sampled(each) for each in found_in_sample(data.manifest)),
    )
    note = ("Whether any of it is illegal, the audit does not say.",) if found else ()
    yield Question("Measures taken to avoid or remove illegal content", None, (*_with_note(found), *note))
    yield Heading(3, "3.3. Other information (optional)")
    duplicates = say_duplicates(data)
    found = (
        *data.said_of("pii", "secret"),
        *([duplicates] if duplicates else []),
        *say_benchmarks(data),
    )
    yield Question("Other relevant information on data processing", None, _with_note(found))


def _with_note(found: Sequence[str]) -> tuple[str, ...]:
    return (*found, NOT_CLEAN) if found else ("The audit did not look for this.",)


def _basis(data: AuditedData) -> Iterator[Block]:
    yield Heading(2, "What this draft rests on")
    yield Text(TEMPLATE)
    yield Grid(("Fact", "As the audit says it"), tuple(data.facts.items()))
    yield Text("What the audit's checks do not find:")
    for limit in say_limits(data.manifest):
        yield Text(limit)
