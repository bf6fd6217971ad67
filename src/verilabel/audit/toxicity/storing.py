"""The table of the word list on disk: made once a machine, read by every worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from verilabel.audit.kernels import tokens
from verilabel.audit.kernels.keeping import copy_kept, digest_sources
from verilabel.audit.toxicity import lexicon as lists
from verilabel.audit.toxicity import table as tables
from verilabel.audit.toxicity.lexicon import Lexicon, read_shipped, shipped_lexicon
from verilabel.audit.toxicity.table import TermTable, make_table
from verilabel.errors import MalformedInput

_FOLDER = "toxicity-terms"
_DESCRIPTION = "lexicon.json"
_NUMBERS = ("shift", "bits_shift")


class Described(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which list a table was made of."""

    sha256: str
    terms: int
    shift: int
    bits_shift: int


class KeptLexicon(NamedTuple):
    """What a check needs of a list."""

    table: TermTable
    sha256: str
    """Of the list's canonical bytes."""
    terms: int


def keep_lexicon(lexicon: Lexicon) -> KeptLexicon:
    """What a check needs of this list. Raises MalformedInput as `make_table` does."""
    return KeptLexicon(make_table(lexicon), lexicon.sha256, len(lexicon.terms))


def save_shipped(folder: Path) -> None:
    """Write the shipped list's table into a folder of `folder`; does nothing where it is there."""
    programs = [Path(str(module.__file__)) for module in (tokens, lists, tables)]
    copy_kept("toxicity", digest_sources(programs, read_shipped()), folder / _FOLDER, _write)


def _write(folder: Path) -> None:
    kept = keep_lexicon(shipped_lexicon())
    for name, value in kept.table._asdict().items():
        if name not in _NUMBERS:
            np.save(folder / f"{name}.npy", value, allow_pickle=False)
    described = Described(kept.sha256, kept.terms, kept.table.shift, kept.table.bits_shift)
    (folder / _DESCRIPTION).write_bytes(msgspec.json.encode(described))


def load_shipped(folder: Path) -> KeptLexicon:
    """Read what `save_shipped` wrote. Raises MalformedInput where it is not there or not whole."""
    place = folder / _FOLDER
    try:
        described = msgspec.json.decode((place / _DESCRIPTION).read_bytes(), type=Described)
        arrays: dict[str, Any] = {
            name: np.load(place / f"{name}.npy", allow_pickle=False)
            for name in TermTable._fields
            if name not in _NUMBERS
        }
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise MalformedInput(
            "the table of the word list cannot be read",
            where=str(place),
            hint="delete it and begin the audit anew",
        ) from error
    arrays |= {"shift": described.shift, "bits_shift": described.bits_shift}
    return KeptLexicon(TermTable(**arrays), described.sha256, described.terms)
