"""What the check of licences says of itself, with its measured errors."""

from __future__ import annotations

import hashlib
from importlib import resources

import msgspec

from verilabel.audit.interface import CheckCard, Column, Error, Kind
from verilabel.audit.licences.index import VERSION as INDEX_VERSION
from verilabel.audit.licences.texts import CLASSES, digest_data, list_ids

VERSION = "1"
_WORDS = {
    "licence.text": "the text of a licence of the SPDX list, whole or a large part of it",
    "licence.header": "a notice that puts the document under a named licence: `This file is licensed under ...`",
    "licence.statement": "a sentence that something is under a named licence, maybe something else than the document",
    "licence.tag": "an SPDX-License-Identifier or a field such as `license: mit`",
    "licence.url": "the address of a licence",
    "copyright.notice": "a copyright notice: the word or sign with a year or a holder",
    "copyright.reserved": "a reservation of rights, in 26 languages, such as `all rights reserved`",
    "use.opt_out": "a statement against the use for training or text and data mining, or a machine-readable mark of it",
    "use.paywall": "words of a page that is shown in part to those who have not paid",
}
KINDS: tuple[str, ...] = tuple(_WORDS)


def _load_errors() -> dict[str, list[Error]]:
    path = resources.files("verilabel.audit.licences").joinpath("data", "errors.json")
    return msgspec.json.decode(path.read_bytes(), type=dict[str, list[Error]])


def make_card() -> CheckCard:
    """The card. Its digest covers the texts, the phrases, the names, and the versions of index and code."""
    errors = _load_errors()
    deciding = f"{VERSION} {INDEX_VERSION} {digest_data()}"
    return CheckCard(
        name="licences",
        version=VERSION,
        data_sha256=f"sha256:{hashlib.sha256(deciding.encode()).hexdigest()}",
        words=(
            "Texts of the SPDX licence list by runs of six words, each compared word by word; SPDX tags, fields, "
            "addresses and sentences that name a licence; copyright notices, reservations, opt-outs and paywalls by "
            "phrases."
        ),
        limits=(
            "A licence whose text is not on the SPDX list, or changed by more than a quarter, is not found; texts "
            "under 20 runs of six words are only found by name; a text that GPL versions share counts as the `only` "
            "id; whether a sentence is about the document itself is told by its words (`this file`, `you may`); "
            "opt-outs and paywalls are found by fixed phrases, opt-outs in English; more than 65,535 places of a kind "
            "in one document are counted in licences_beyond and not read."
        ),
        kinds=tuple(Kind(name, words, tuple(errors.get(name, ()))) for name, words in _WORDS.items()),
        columns=(
            Column("licences_id", "u2", "the document's first licence", ("none", *list_ids()[1:])),
            Column("licences_class", "u1", "class of that licence", CLASSES),
            Column("licences_beyond", "u4", "places that were counted and not read"),
        ),
    )
