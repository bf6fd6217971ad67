"""The language model of py3langid as arrays that workers map into memory: built once an audit, without unpickling.

The model comes with the installed package (BSD licence) and is read there; nothing is fetched.
"""

from __future__ import annotations

import hashlib
import os
import sys
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Positions
from verilabel.audit.kernels.keeping import copy_kept, digest_sources
from verilabel.audit.language.kernels import languages
from verilabel.audit.language.kernels.languages import (
    BYTE_PLACES,
    FEATURE_BITS,
    MOST_SCORE,
    SCORE_SCALE,
    TABLE_SCALE,
    WIDTH,
    Model,
    count_visits,
)
from verilabel.errors import MalformedInput, MissingExtra

_ROW_BYTES = 256
_PACKAGE = Path(__file__).parents[2]
_FOLDER = "language-model-2"
_IMPOSSIBLE = -(2**40)
_OTHER_FORM = "the language model of py3langid has a form that is not known"
_OTHER_VERSION = "install the version of py3langid that the extra `audit` asks for"


class Described(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which model the arrays are of."""

    sha256: str
    """Of the file that came with py3langid."""
    classes: tuple[str, ...]
    """The language of each class, as ISO 639 codes; a language may have two classes."""


class Opened(NamedTuple):
    """A model that is mapped into memory."""

    described: Described
    model: Model


def prepare_model(folder: Path) -> None:
    """Write the arrays into a folder of `folder`, unless they are there. Raises MissingExtra without py3langid.

    They are converted once a machine, and copied after that.
    """
    try:
        from py3langid.modelio import load_model
    except ImportError as error:
        raise MissingExtra("py3langid", "audit") from error

    with resources.as_file(resources.files("py3langid") / "data" / "model.npz.xz") as path:
        sources = [path, Path(__file__), Path(languages.__file__)]
        digest = digest_sources(sources, sys.byteorder.encode(), np.__version__.encode())

        def write_model(empty: Path) -> None:
            logarithms, priors, classes, moves, rows, features = load_model(path)
            model = convert_model(
                np.asarray(logarithms),
                np.asarray(priors),
                classes,
                np.asarray(moves),
                np.asarray(rows),
                np.asarray(features, np.int64),
            )
            for name, array in model._asdict().items():
                with (empty / f"{name}.npy").open("wb") as stream:
                    np.save(stream, array, allow_pickle=False)
                    stream.flush()
                    os.fsync(stream.fileno())
            described = Described("sha256:" + hashlib.sha256(path.read_bytes()).hexdigest(), tuple(classes))
            (empty / "model.json").write_bytes(msgspec.json.encode(described))

        copy_kept("language", digest, folder / _FOLDER, write_model)


def convert_model(
    logarithms: npt.NDArray[Any],
    priors: npt.NDArray[Any],
    classes: list[str],
    moves: npt.NDArray[Any],
    rows: npt.NDArray[Any],
    features: npt.NDArray[np.int64],
) -> Model:
    """The model in whole numbers. Raises MalformedInput where its numbers are not such, or too many.

    `logarithms` is (features, classes), `priors` (classes); `moves` (distinct rows * 256) holds states, `rows` and
    `features` (states) each state's row of moves and its feature or -1.
    """
    scaled = np.asarray(logarithms, np.float64) * TABLE_SCALE
    whole = np.rint(scaled)
    fits = len(classes) <= WIDTH and int(rows.max()) < 2**16 and len(whole) < 2 << FEATURE_BITS
    if not fits or not np.array_equal(whole, scaled) or np.ptp(whole, axis=1).max() >= 2 * MOST_SCORE:
        raise MalformedInput(_OTHER_FORM, hint=_OTHER_VERSION)
    # what is met often lies together, so that it fills few lines of the cache and few pages of memory
    shares = np.exp(whole / TABLE_SCALE)
    visits = _count_visits(np.asarray(moves, np.int64), np.asarray(rows, np.int64))
    used = np.bincount(features + 1, visits, len(whole) + 1)[1:]
    order = np.lexsort((-shares.max(axis=1), shares.argmax(axis=1), -used))
    table = np.zeros((len(whole) + 1, WIDTH), np.int16)
    # what all classes have of a feature changes no difference between them
    middle = (whole.max(axis=1) + whole.min(axis=1)) // 2
    table[1:, : len(classes)] = (whole - middle[:, None])[order]
    begun = np.full(WIDTH, _IMPOSSIBLE, np.int64)
    begun[: len(classes)] = np.rint(np.asarray(priors, np.float64) * SCORE_SCALE)
    twins = np.arange(WIDTH, dtype=np.int64)
    twins[: len(classes)] = [classes.index(code) for code in classes]
    places = np.zeros(len(whole) + 1, np.int64)
    places[order] = np.arange(1, len(whole) + 1)
    met = places[features]  # the last place is that of -1, no feature
    visits = np.bincount(rows, visits, int(rows.max()) + 1)
    moved, high = _number_rows(np.asarray(rows, np.int64), met, visits, moves.reshape(-1, _ROW_BYTES))
    if len(moved) > _ROW_BYTES << FEATURE_BITS:
        raise MalformedInput(_OTHER_FORM, hint=_OTHER_VERSION)
    return Model(moved, table, begun, twins, np.array([high], np.int64))


def _count_visits(moves: Positions, rows: Positions) -> Positions:
    """How often a sample of texts comes by each state. It decides where numbers lie, and no language."""
    visits = np.zeros(len(rows), np.int64)
    for path in sorted(_PACKAGE.rglob("*.py")):  # English, and source code, that is always at hand
        count_visits(np.frombuffer(path.read_bytes(), np.uint8).copy(), moves, rows, visits)
    return visits


def _number_rows(
    rows: npt.NDArray[np.int64],
    met: npt.NDArray[np.int64],
    visits: npt.NDArray[Any],
    followed: npt.NDArray[Any],
) -> tuple[npt.NDArray[np.uint32], int]:
    """The moves between rows, those met often first, and the number of the first row that is entered by high features.

    A row that is entered with features of either kind is there twice.
    """
    kinds = rows * 2 + (met >> FEATURE_BITS)
    visits[rows[0]] = visits.max() + 1  # a walk begins in state 0, whose row becomes the first
    kept = np.unique(np.append(kinds, rows[0] * 2))
    kept = kept[np.lexsort((-visits[kept // 2], kept % 2))]
    numbers = np.zeros(2 * len(followed), np.int64)
    numbers[kept] = np.arange(len(kept))
    entries = ((numbers[kinds] << FEATURE_BITS) | (met & ((1 << FEATURE_BITS) - 1))).astype(np.uint32)
    return entries[followed[kept // 2][:, np.argsort(BYTE_PLACES)]].ravel(), int(
        np.count_nonzero(kept % 2 == 0)
    )


def open_model(folder: Path) -> Opened:
    """Map the arrays that `prepare_model` wrote. Raises MalformedInput where they cannot be read."""
    source = folder / _FOLDER
    try:
        described = msgspec.json.decode((source / "model.json").read_bytes(), type=Described)
        # copy on write: nothing is written, and kernels are compiled for arrays that could be
        arrays = [
            np.asarray(np.load(source / f"{name}.npy", mmap_mode="c", allow_pickle=False))
            for name in Model._fields
        ]
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise MalformedInput(
            "the prepared language model cannot be read",
            where=str(source),
            hint="remove the folder and begin again",
        ) from error
    model = Model(*arrays)
    if len(model.moves) % _ROW_BYTES or model.table.shape[1] != WIDTH:
        raise MalformedInput("the prepared language model has another form", where=str(source))
    return Opened(described, model)
