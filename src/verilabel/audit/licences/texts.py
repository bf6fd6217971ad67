"""The shipped list of licences: ids, names, classes and texts of the SPDX licence list, in one compressed file."""

from __future__ import annotations

import hashlib
import lzma
from functools import cache
from importlib import resources
from typing import Literal

import msgspec

Class = Literal[
    "none",
    "public domain",
    "permissive",
    "weak copyleft",
    "copyleft",
    "network copyleft",
    "non-commercial",
    "other terms",
]
CLASSES: tuple[Class, ...] = (
    "none",
    "public domain",
    "permissive",
    "weak copyleft",
    "copyleft",
    "network copyleft",
    "non-commercial",
    "other terms",
)
"""What `licences_class` counts, from the least to the most that a licence asks."""
RESERVED = "LicenseRef-verilabel-reserved"
"""Stands for a document that reserves all rights and names no licence."""
OWN_IDS: dict[str, Class] = {
    "LicenseRef-verilabel-Apache": "permissive",
    "LicenseRef-verilabel-BSD": "permissive",
    "LicenseRef-verilabel-CC-BY": "permissive",
    "LicenseRef-verilabel-CC-BY-NC": "non-commercial",
    "LicenseRef-verilabel-CC-BY-NC-ND": "non-commercial",
    "LicenseRef-verilabel-CC-BY-NC-SA": "non-commercial",
    "LicenseRef-verilabel-CC-BY-ND": "other terms",
    "LicenseRef-verilabel-CC-BY-SA": "weak copyleft",
    "LicenseRef-verilabel-EPL": "weak copyleft",
    "LicenseRef-verilabel-MPL": "weak copyleft",
    "LicenseRef-verilabel-other": "other terms",
    "LicenseRef-verilabel-public-domain": "public domain",
    RESERVED: "other terms",
}
"""Licences that a text names without the version that would decide between ids of SPDX, and terms of their own."""


class Licence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One licence of the list."""

    id: str
    """As SPDX writes it."""
    name: str
    terms: Class
    text: str
    superseded: bool = False
    """The id is one that SPDX no longer recommends."""


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A published file that the list was made from."""

    file: str
    sha256: str
    licence: str
    words: str


class LicenceList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of `data/texts.json.xz`; `generate.py` writes it."""

    sources: tuple[Source, ...]
    licences: tuple[Licence, ...]


@cache
def read_texts() -> bytes:
    """The file as it is shipped."""
    return resources.files("verilabel.audit.licences").joinpath("data", "texts.json.xz").read_bytes()


@cache
def load_licences() -> LicenceList:
    """The list, its licences by rising id."""
    return msgspec.json.decode(lzma.decompress(read_texts()), type=LicenceList)


@cache
def list_ids() -> tuple[str, ...]:
    """Every id a document can have, by the number of `licences_id`; number 0 stands for none."""
    return ("", *(licence.id for licence in load_licences().licences), *OWN_IDS)


@cache
def number_ids() -> dict[str, int]:
    """Lower-case id to its number."""
    return {identifier.lower(): number for number, identifier in enumerate(list_ids()) if identifier}


@cache
def list_classes() -> tuple[int, ...]:
    """The class of each id of `list_ids`, as an index into CLASSES."""
    own = [CLASSES.index(licence.terms) for licence in load_licences().licences]
    return (0, *own, *(CLASSES.index(terms) for terms in OWN_IDS.values()))


@cache
def digest_data() -> str:
    """Digest over every data file that a finding depends on."""
    folder = resources.files("verilabel.audit.licences").joinpath("data")
    digest = hashlib.sha256()
    for name in ("texts.json.xz", "phrases.json", "names.json"):
        content = folder.joinpath(name).read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return f"sha256:{digest.hexdigest()}"
