"""Texts of licences are found however they are wrapped and dressed, and nothing else is."""

from __future__ import annotations

import random
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from licence_documents import examine, examine_one, make_batch
from verilabel.audit.interface import Check, Words
from verilabel.audit.kernels.tokens import cut_words
from verilabel.audit.licences.texts import load_licences

TEXTS = {licence.id: licence.text for licence in load_licences().licences}
COMMON = (
    *(
        "0BSD",
        "AGPL-3.0-only",
        "Apache-2.0",
        "Artistic-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC-BY-4.0",
    ),
    *(
        "CC-BY-NC-SA-4.0",
        "CC0-1.0",
        "EPL-2.0",
        "GPL-2.0-only",
        "GPL-3.0-only",
        "ISC",
        "LGPL-2.1-only",
        "MIT",
        "MIT-0",
    ),
    *("MPL-2.0", "NCSA", "OFL-1.1", "PostgreSQL", "Unlicense", "Zlib"),
)
PROSE = "The river was low that year, and the mill stood still until the rain came back in the autumn. " * 6


def wrap(text: str, width: int = 72, mark: str = "") -> str:
    """Each paragraph wrapped anew, each line behind a mark."""
    lines = [line for part in text.split("\n\n") for line in [*textwrap.wrap(part, width), ""]]
    return "\n".join((mark + line).rstrip() for line in lines)


DRESSES: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "one line": lambda text: " ".join(text.split()),
    "narrow": lambda text: wrap(text, 40),
    "hash": lambda text: wrap(text, 72, "# "),
    "slashes": lambda text: wrap(text, 80, "// "),
    "stars": lambda text: "/*\n" + wrap(text, 72, " * ") + "\n */",
    "upper case": str.upper,
    "curly": lambda text: text.replace(' "', " “").replace('"', "”").replace("'", "’").replace(" - ", " — "),
    "holder": lambda text: (
        text.replace("<year>", "2021")
        .replace("<copyright holders>", "Example Authors and others")
        .replace("<owner>", "Jane Example")
        .replace("copyright holder", "Example Software Foundation")
    ),
}


@pytest.mark.parametrize("dress", DRESSES)
def test_a_licence_is_named_however_its_text_is_dressed(licence_check: Check, dress: str) -> None:
    documents = [DRESSES[dress](TEXTS[name]) + "\n\n" + PROSE for name in COMMON]
    assert list(COMMON) == [told.first for told in examine(licence_check, *documents)]


def test_texts_of_the_list_are_named_by_their_own_id(licence_check: Check) -> None:
    chosen = random.Random(11).sample(sorted(TEXTS), 150)
    told = examine(licence_check, *(TEXTS[name] for name in chosen))
    superseded = {licence.id for licence in load_licences().licences if licence.superseded}
    wrong = {
        name: one.first
        for name, one in zip(chosen, told, strict=True)
        if one.first != name and name not in superseded and not name.endswith(("-or-later", "-only"))
    }
    # GFDL and OFL with one text have one id, and texts of a sentence or two are not looked for
    assert len(wrong) <= 15, wrong


def test_the_finding_covers_the_text_and_the_row_says_how_much_of_it(licence_check: Check) -> None:
    told = examine_one(licence_check, f"{PROSE}\n\n{TEXTS['MIT']}\n\n{PROSE}")
    assert [("MIT", "text", 1000)] == told.rows
    text = next(text for kind, text in told.findings if kind == "licence.text")
    assert text.startswith("Permission is hereby granted")
    assert text.rstrip(".").endswith("DEALINGS IN THE SOFTWARE")


def test_two_licences_in_one_document_are_both_listed(licence_check: Check) -> None:
    told = examine_one(licence_check, f"{TEXTS['Apache-2.0']}\n\nParts are under:\n\n{TEXTS['MIT']}")
    assert {("Apache-2.0", "text"), ("MIT", "text")} <= {(name, how) for name, how, _ in told.rows}


def test_licences_that_share_most_of_their_words_are_told_apart_behind_one_another(
    licence_check: Check,
) -> None:
    for names in (
        ("MIT", "NCSA"),
        ("UPL-1.0", "MIT-0"),
        ("MIT-0", "UPL-1.0"),
        ("BSD-3-Clause", "BSD-2-Clause"),
    ):
        told = examine_one(licence_check, "\n\n".join(TEXTS[name] for name in names))
        assert set(names) == {name for name, how, _ in told.rows if how == "text"}


def test_copies_of_one_licence_are_found_each(licence_check: Check) -> None:
    told = examine_one(licence_check, "\n\n".join([TEXTS["MIT"]] * 5))
    assert 5 == sum(kind == "licence.text" for kind, _ in told.findings)
    assert [("MIT", "text", 1000)] == told.rows


def test_the_first_half_of_a_long_licence_is_found(licence_check: Check) -> None:
    text = TEXTS["GPL-3.0-only"]
    told = examine_one(licence_check, text[: len(text) // 3])
    assert "GPL-3.0-only" == told.first
    ((_, how, coverage),) = [row for row in told.rows if row[0] == "GPL-3.0-only"]
    assert "text" == how
    assert 200 < coverage < 500


def test_a_disclaimer_alone_is_no_licence(licence_check: Check) -> None:
    for name in ("MIT", "BSD-3-Clause", "ISC", "Apache-2.0"):
        text = TEXTS[name]
        place = text.index("THE SOFTWARE IS") if name in ("MIT", "ISC") else text.lower().index("as is") - 60
        assert "licence.text" not in examine_one(licence_check, text[place : place + 700]).kinds


def test_mentions_of_licences_are_no_findings(licence_check: Check) -> None:
    mentions = [
        "She renewed her driver's license in May.",
        "The MIT licence is short; the Apache License, Version 2.0 is long.",
        "A dog license costs ten euros, and poetic license is allowed here.",
        "The copyright office is closed on Sunday.",
        "GPL and BSD people argued about copyleft all night.",
        "Ask for a licence to fish. License plates are yellow.",
        "He subscribed to the newspaper and trained for the race.",
        "def print(c): return (c)\n(c) the third of a list",
        "class License(NamedTuple):\n    license: str\n    licence: Optional[str] = None",
    ]
    assert [(set(), "")] * len(mentions) == [
        (told.kinds, told.first) for told in examine(licence_check, *mentions)
    ]


def test_words_that_only_hash_like_a_licence_are_not_one(licence_check: Check) -> None:
    honest = make_batch([TEXTS["MIT"]])
    words = cut_words(honest)
    forged = make_batch([b" ".join(b"x" * (index % 3 + 1) for index in range(len(words.hashes)))])
    shape = cut_words(forged)
    examined = licence_check.examine(
        forged, Words(words.hashes.copy(), shape.starts, shape.ends, shape.documents)
    )
    assert [0] == examined.columns["licences_id"].tolist()
    assert 0 == len(examined.findings.document) if examined.findings else True


def test_texts_as_a_catalogue_of_licences_types_them_are_named(
    licence_check: Check, shared_data: Path
) -> None:
    files = sorted((shared_data / "licence_texts" / "_licenses").glob("*.txt"))
    heads, bodies = zip(*(path.read_text("utf-8").split("---", 2)[1:] for path in files), strict=True)
    expected = [head.split("spdx-id: ", 1)[1].split("\n", 1)[0] for head in heads]
    got = [told.first for told in examine(licence_check, *bodies)]
    wrong = [
        (name, found)
        for name, found in zip(expected, got, strict=True)
        if name != found and f"{name}-only" != found
    ]
    # CECILL-2.1 is on the list in French and in the catalogue in English
    assert len(files) >= 40
    assert [("CECILL-2.1", "CECILL-1.0")] == wrong
