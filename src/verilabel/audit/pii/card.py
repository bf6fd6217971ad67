"""The card of the check: everything that decides a finding, and how often each kind is wrong, as it was measured."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha256
from importlib import resources
from importlib.resources.abc import Traversable

import msgspec

from verilabel.audit.interface import CheckCard, Column, Error, Kind
from verilabel.audit.pii.kinds import KINDS
from verilabel.audit.pii.phones import plans_version
from verilabel.detectors.spans.packs import pack_digest

VERSION = "1"
WORDS = (
    "Looks at every byte for personal data and secrets of 33 kinds by their written forms, check digits, "
    "issuers' ranges "
    "and numbering plans, and by words that announce a number where its form alone says too little."
)
LIMITS = (
    "Names, postal addresses, driver's licences and dates of birth are not looked for, nor values that "
    "are encoded, split, "
    "obfuscated or written in full-width digits; addresses in private, reserved and documentation ranges, "
    "domains for "
    "documentation, networks (10.1.2.0/24), published test cards and makers' example keys are not "
    "counted, numbers for "
    "fiction (555-01xx) are; national telephone numbers count in the usual forms of the settings' regions "
    "or beside words; "
    "secrets without a maker's prefix count only where a name announces them; in one document at most "
    "65,535 candidates of "
    "a form and findings of a kind are looked at, those beyond are counted in pii_beyond."
)
COLUMNS = (
    Column(
        "pii_beyond", "u4", "candidates and findings beyond the bound of a document, which were not looked at"
    ),
)


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file of measured errors."""

    how: str
    errors: dict[str, tuple[Error, ...]]


@cache
def data_digest(regions: Sequence[str]) -> str:
    """The digest over the rules as they are written, the lists, the packs of rules and the numbering "
    "plans."""
    package = resources.files("verilabel.audit.pii")
    parts = {
        name: sha256(file.read_bytes()).hexdigest()
        for name, file in sorted(_walk(package, ""))
        if name.endswith((".py", ".txt"))
    }
    parts["detectors/spans/checks.py"] = sha256(
        (resources.files("verilabel.detectors.spans") / "checks.py").read_bytes()
    ).hexdigest()
    parts["pack secrets"] = pack_digest("secrets")
    parts["numbering plans"] = plans_version()
    parts["regions"] = " ".join(regions)
    return "sha256:" + sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def make_card(regions: Sequence[str]) -> CheckCard:
    """The card for some regions."""
    errors = read_errors().errors
    return CheckCard(
        name="pii",
        version=VERSION,
        data_sha256=data_digest(tuple(regions)),
        words=WORDS,
        limits=LIMITS,
        kinds=tuple(Kind(kind.id, kind.words, errors.get(kind.id, ())) for kind in KINDS),
        columns=COLUMNS,
    )


def read_errors() -> Measured:
    """The measured errors (`benchmarks/audit/measure_pii.py` writes them)."""
    file = resources.files("verilabel.audit.pii") / "data" / "errors.json"
    return msgspec.json.decode(file.read_bytes(), type=Measured)


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _walk(item, f"{prefix}{item.name}/")
        else:
            yield f"{prefix}{item.name}", item
