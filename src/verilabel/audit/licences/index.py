"""The index of licence texts: which runs of six words belong to which texts. Built once, read by every worker."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Bytes, Hashes, Offsets
from verilabel.audit.kernels import ngrams, tokens
from verilabel.audit.kernels.keeping import copy_kept, digest_sources
from verilabel.audit.kernels.ngrams import NgramSet, hash_ngrams, make_ngram_set
from verilabel.audit.kernels.tokens import FOLD
from verilabel.audit.licences import wording
from verilabel.audit.licences.kernels import comparing
from verilabel.audit.licences.kernels.comparing import HEAD_BITS
from verilabel.audit.licences.texts import Licence, digest_data, load_licences, number_ids
from verilabel.audit.licences.wording import N, blank_typography, find_appendix, fold_words, mark_own_ngrams
from verilabel.errors import MalformedInput

VERSION = "5"
MIN_NGRAMS = 20
"""Texts with fewer own n-grams are not looked for: a sentence of theirs is no evidence. Nor are those of ids that SPDX
has given up: the same texts have other ids now."""
SAMPLE_MASK = 3
"""n-grams whose hash has these bits clear are the ones looked up in every document: one in four."""


COMMON = frozenset(
    {
        *(
            "Apache-2.0",
            "Artistic-1.0-Perl",
            "BSD-2-Clause",
            "BSD-3-Clause",
            "BSL-1.0",
            "CC-BY-4.0",
            "CC-BY-SA-3.0",
        ),
        *(
            "CC-BY-SA-4.0",
            "CC0-1.0",
            "EPL-2.0",
            "GFDL-1.3-only",
            "GPL-2.0-only",
            "GPL-3.0-only",
            "ISC",
            "LGPL-2.1-only",
        ),
        *("MIT", "MPL-1.1", "MPL-2.0", "OFL-1.1", "PSF-2.0", "Unlicense", "Zlib"),
    }
)
"""Licences in wide use: a torn piece of a text that others share in part is taken for one of theirs."""


class Index(NamedTuple):
    """Runs of N words of the texts. Texts with equal runs are one; `ids` names the one id they are reported as."""

    ngrams: NgramSet
    """All of them."""
    sampled: NgramSet
    """Those with the bits of SAMPLE_MASK clear."""
    heads: Offsets
    """For each value of a key's first HEAD_BITS bits, the first key with it or more; one more at the end."""
    places: Offsets
    """Per key, where its words begin in `reference`."""
    sets: Offsets
    """Per key, the number of the set of texts that have it."""
    set_starts: Offsets
    members: Offsets
    """The texts of set s are `members[set_starts[s]:set_starts[s + 1]]`. Text t is written -t - 1 where its copies may
    leave the n-gram out: then it is no evidence, and belongs to the text where it stands."""
    totals: Offsets
    """Per text, how many different keys it has that copies do not leave out."""
    common: Bytes
    """Per text, 1 for those in wide use."""
    ids: Offsets
    """Per text, its number in `texts.list_ids`."""
    reference: Bytes
    """The words of the texts in lower case, a space behind each."""


class _Text(NamedTuple):
    """What the index takes of one licence's text."""

    needed: Hashes
    """Different keys, rising; of the parts that copies do not leave out."""
    spare: Hashes
    keys: Hashes
    """Of all own n-grams, in the order of the text."""
    places: npt.NDArray[np.int64]
    """Of each of them in `folded`."""
    folded: Bytes


def _rank(licence: Licence) -> tuple[bool, int, str]:
    """Of licences with one text, the narrowest grant before wider ones."""
    return licence.id.endswith("-or-later"), len(licence.id), licence.id


def _read_text(licence: Licence) -> _Text:
    text = blank_typography(licence.text.encode())
    words, own = mark_own_ngrams(text, licence.name)
    keys = hash_ngrams(words.hashes, N)[own]
    needed = np.unique(keys[words.starts[: len(own)][own] < find_appendix(text)])
    folded, places = fold_words(np.frombuffer(text, np.uint8), words, FOLD)
    return _Text(needed, np.setdiff1d(keys, needed), keys, places[: len(own)][own], folded)


def build_index() -> Index:
    """The index of the shipped texts."""
    groups: dict[bytes, list[Licence]] = {}
    text_of: dict[bytes, _Text] = {}
    for licence in load_licences().licences:
        text = _read_text(licence)
        if len(text.needed) < MIN_NGRAMS or licence.superseded:
            continue
        token = text.needed.tobytes()
        groups.setdefault(token, []).append(licence)
        text_of.setdefault(token, text)
    named = sorted(
        ((min(group, key=_rank), text_of[token]) for token, group in groups.items()),
        key=lambda pair: pair[0].id,
    )
    return _arrange([licence for licence, _ in named], [text for _, text in named])


def _arrange(licences: list[Licence], texts: list[_Text]) -> Index:
    keys, places = _place_keys(texts)
    sets, set_starts, members = _group_holders(keys, texts)
    ids = number_ids()
    return Index(
        make_ngram_set(N, keys),
        make_ngram_set(N, keys[(keys & np.uint64(SAMPLE_MASK)) == 0]),
        np.searchsorted(keys >> np.uint64(64 - HEAD_BITS), np.arange(2**HEAD_BITS + 1)).astype(np.int32),
        places,
        sets,
        set_starts,
        members,
        np.array([len(text.needed) for text in texts], np.int32),
        np.array([licence.id in COMMON for licence in licences], np.uint8),
        np.array([ids[licence.id.lower()] for licence in licences], np.int32),
        np.concatenate([text.folded for text in texts]),
    )


def _place_keys(texts: list[_Text]) -> tuple[Hashes, Offsets]:
    """Every key once, rising, and where its words begin in the texts behind one another: its first place."""
    shifts = np.cumsum([0, *(len(text.folded) for text in texts[:-1])])
    places = np.concatenate([text.places + shift for text, shift in zip(texts, shifts.tolist(), strict=True)])
    keys, first = np.unique(np.concatenate([text.keys for text in texts]), return_index=True)
    return keys, places[first].astype(np.int32)


def _group_holders(keys: Hashes, texts: list[_Text]) -> tuple[Offsets, Offsets, Offsets]:
    """Per key the number of the set of texts that have it; where each set begins in the members; the members."""
    held = [(text.needed, number) for number, text in enumerate(texts)]
    held += [(text.spare, -number - 1) for number, text in enumerate(texts)]
    every = np.concatenate([some for some, _ in held])
    holder = np.concatenate([np.full(len(some), number, np.int32) for some, number in held])
    order = np.argsort(every, kind="stable")
    holder = holder[order]
    bounds = [*np.searchsorted(every[order], keys, side="left").tolist(), len(every)]
    numbers: dict[bytes, int] = {}
    sets = np.empty(len(keys), np.int32)
    for index in range(len(keys)):
        token = holder[bounds[index] : bounds[index + 1]].tobytes()
        sets[index] = numbers.setdefault(token, len(numbers))
    sizes = [len(token) // holder.itemsize for token in numbers]
    return sets, np.cumsum([0, *sizes]).astype(np.int32), np.frombuffer(b"".join(numbers), np.int32).copy()


def _name() -> str:
    return f"licences-{VERSION}-{digest_data().removeprefix('sha256:')[:24]}"


def save_index(folder: Path) -> None:
    """Write the index into a folder, whole or not at all; does nothing where it is there. Built once a machine."""
    sources = [Path(__file__), Path(wording.__file__), Path(comparing.__file__), Path(ngrams.__file__)]
    digest = digest_sources(
        [*sources, Path(tokens.__file__)],
        digest_data().encode(),
        sys.byteorder.encode(),
        np.__version__.encode(),
    )
    copy_kept("licences", digest, folder / _name(), _write_index)


def _write_index(folder: Path) -> None:
    for name, array in _flatten(build_index()).items():
        with (folder / f"{name}.npy").open("wb") as out:
            np.save(out, array, allow_pickle=False)
            out.flush()
            os.fsync(out.fileno())


def _flatten(index: Index) -> dict[str, npt.NDArray[np.generic]]:
    return {
        "keys": index.ngrams.keys,
        "bits": index.ngrams.bits,
        "sampled_keys": index.sampled.keys,
        "sampled_bits": index.sampled.bits,
        "shifts": np.array([index.ngrams.shift, index.sampled.shift], np.int64),
        **{
            name: getattr(index, name)
            for name in ("heads", "places", "sets", "set_starts", "members", "totals", "common", "ids")
        },
        "reference": index.reference,
    }


def load_index(folder: Path) -> Index:
    """Read what `save_index` wrote. Raises MalformedInput where it is not there or not whole."""
    source = folder / _name()
    try:
        arrays = {path.stem: np.load(path, allow_pickle=False) for path in sorted(source.glob("*.npy"))}
        shifts = arrays["shifts"].tolist()
        return Index(
            NgramSet(N, arrays["keys"], arrays["bits"], shifts[0]),
            NgramSet(N, arrays["sampled_keys"], arrays["sampled_bits"], shifts[1]),
            *(
                arrays[name]
                for name in (
                    "heads",
                    "places",
                    "sets",
                    "set_starts",
                    "members",
                    "totals",
                    "common",
                    "ids",
                    "reference",
                )
            ),
        )
    except (OSError, ValueError, KeyError) as error:
        raise MalformedInput(
            "the index of licence texts cannot be read",
            where=str(source),
            hint="delete it and begin the audit anew",
        ) from error
