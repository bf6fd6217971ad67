"""Formats of licences, notices and reservations, in the layouts that files have: plain, re-wrapped, as comments."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from typing import TypedDict

from verilabel.audit.canaries.draws import Draws
from verilabel.audit.canaries.formats import Carrier, Catalogue

RIGHTS = Catalogue()
HOLDERS = ("Example Authors", "The Sample Project Developers", "Jane Doe", "Contoso Ltd.", "Muster GmbH")
_BLOCK: tuple[Carrier, ...] = (("", ""),)
_LAYOUTS = ("plain", "plain", "narrow", "wide", "hash", "slash", "star", "indented")


class _Texts(TypedDict):
    source: str
    texts: dict[str, str]
    notices: dict[str, str]


@lru_cache(maxsize=1)
def licence_texts() -> _Texts:
    """The shipped texts of licences, and the notices that stand at the head of files, by SPDX id."""
    data = files("verilabel.audit.canaries").joinpath("data/licences.json").read_text("utf-8")
    found: _Texts = json.loads(data)
    return found


def fill_holder(draws: Draws, text: str) -> str:
    """A licence's text with a year and a holder."""
    return text.replace("{year}", str(draws.between(1995, 2025))).replace("{holder}", draws.pick(HOLDERS))


def lay_out(draws: Draws, text: str) -> str:
    """The text as a file might hold it: as it is, wrapped anew, indented, or as a comment."""
    layout = draws.pick(_LAYOUTS)
    if layout in ("narrow", "wide"):
        return "\n\n".join(_wrap(part, 60 if layout == "narrow" else 100) for part in text.split("\n\n"))
    if layout == "star":
        return "/*\n" + "\n".join(f" * {line}".rstrip() for line in text.split("\n")) + "\n */"
    prefix = {"plain": "", "hash": "# ", "slash": "// ", "indented": "    "}[layout]
    return "\n".join(f"{prefix}{line}".rstrip() for line in text.split("\n")) if prefix else text


def _wrap(text: str, width: int) -> str:
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + len(word) >= width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return "\n".join([*lines, line])


def _licence(text: str) -> Callable[[Draws], str]:
    return lambda draws: lay_out(draws, fill_holder(draws, text))


def _one_of(*shapes: str) -> Callable[[Draws], str]:
    return lambda draws: fill_holder(draws, draws.pick(shapes))


def _add_licences() -> None:
    known = licence_texts()
    for kind, part in (("licence.text", known["texts"]), ("licence.header", known["notices"])):
        for name, text in part.items():
            RIGHTS.add(kind, name, _licence(text), _BLOCK, is_block=True)
    names = (
        "MIT License",
        "Apache License, Version 2.0",
        "GNU General Public License v3.0",
        "BSD 3-Clause License",
    )
    sentences = {
        "released": "Example Maps is released under the {}.",
        "licensed": "Their old parser was licensed under the {}.",
        "distributed": "The fonts of the Sample Project are distributed under the terms of the {}.",
    }
    for name, sentence in sentences.items():
        made = _one_of(*(sentence.format(licence) for licence in names))
        RIGHTS.add("licence.statement", name, made, _BLOCK, is_block=True)
    simple = [
        "MIT",
        "Apache-2.0",
        "BSD-3-Clause",
        "GPL-2.0-only",
        "MPL-2.0",
        "AGPL-3.0-only",
        "CC-BY-4.0",
        "ISC",
    ]
    joined = ("MIT OR Apache-2.0", "GPL-2.0-or-later WITH Classpath-exception-2.0", "(MIT AND BSD-2-Clause)")
    tag = "SPDX-License-" + "Identifier: "
    shapes = (
        ("hash", "# ", ""),
        ("slashes", "// ", ""),
        ("block", "/* ", " */"),
        ("markup", "<!-- ", " -->"),
    )
    for name, before, after in shapes:
        carrier = ((before, after),)
        RIGHTS.add("licence.tag", name, _one_of(*(tag + i for i in simple)), carrier, is_block=True)
        expressions = _one_of(*(tag + i for i in joined))
        RIGHTS.add("licence.tag", f"{name}_expression", expressions, carrier, is_block=True)
    links = ("by/4.0", "by-sa/4.0", "by-nc/4.0", "by-nc-nd/4.0", "by-sa/3.0", "by-nc-sa/2.5")
    around = (('<a href="', '">CC</a>'), ("licensed under ", "."), ("Licence: ", ""), ("(", ")"))
    commons = "://creativecommons.org/"
    for scheme in ("https", "http"):
        made = _one_of(*(f"{scheme}{commons}licenses/{link}/" for link in links))
        RIGHTS.add("licence.url", f"creative_commons_{scheme}", made, around)
    RIGHTS.add("licence.url", "zero", _one_of(f"https{commons}publicdomain/zero/1.0/"), around)
    localised = (
        f"https{commons}licenses/{link}/deed.{language}" for link in links for language in ("de", "fr")
    )
    RIGHTS.add("licence.url", "localised", _one_of(*localised), around)


def _add_notices() -> None:
    def add(kind: str, name: str, *shapes: str) -> None:
        RIGHTS.add(kind, name, _one_of(*shapes), _BLOCK, is_block=True)

    add(
        "copyright.notice", "c_in_brackets", "Copyright (c) {year} {holder}", "Copyright (C) {year}, {holder}"
    )
    add("copyright.notice", "symbol", "Copyright © {year} {holder}", "© {year} {holder}")
    add("copyright.notice", "years", "Copyright (c) {year}-2025 {holder}", "Copyright {year}, 2025 {holder}")
    add("copyright.notice", "plain", "Copyright {year} {holder}", "Copyright {year} by {holder}")
    add("copyright.reserved", "english", "All rights reserved.", "ALL RIGHTS RESERVED")
    add(
        "copyright.reserved",
        "no_part",
        "No part of this publication may be reproduced or transmitted in any form.",
    )
    add("copyright.reserved", "german", "Alle Rechte vorbehalten.")
    add("copyright.reserved", "french", "Tous droits réservés.")
    add("copyright.reserved", "spanish", "Todos los derechos reservados.")
    robots = '<meta name="robots" content="{}">'
    add("use.opt_out", "robots_meta", robots.format("noai, noimageai"), robots.format("noai"))
    add("use.opt_out", "robots_header", "X-Robots-Tag: noai", "X-Robots-Tag: noai, noimageai")
    add("use.opt_out", "tdm_header", "tdm-reservation: 1", "TDM-Reservation: 1")
    add("use.opt_out", "tdm_meta", '<meta name="tdm-reservation" content="1">')
    add("use.opt_out", "may_not", "This content may not be used for training of AI models.")
    add("use.opt_out", "you_may_not", "You may not use this work to train artificial intelligence systems.")
    add("use.opt_out", "prohibited", "The use of this text for training large language models is prohibited.")
    add(
        "use.paywall",
        "subscribe",
        "Subscribe to continue reading.",
        "Subscribe now to read the full article.",
    )
    add("use.paywall", "subscribers", "This article is for subscribers only.")


for _add in (_add_licences, _add_notices):
    _add()
