"""The language model of py3langid as arrays that workers map into memory: built once an audit, without unpickling.

The model comes with the installed package (BSD licence) and is read there; nothing is fetched.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from verilabel.audit.language.kernels.languages import SCORE_SCALE, TABLE_SCALE, WIDTH, Model
from verilabel.errors import MalformedInput, MissingExtra

_ROW_BYTES = 256
_FOLDER = "language-model"
_IMPOSSIBLE = -(2**40)


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
    """Write the arrays into a folder of `folder`, unless they are there. Raises MissingExtra without py3langid."""
    target = folder / _FOLDER
    if target.exists():
        return
    try:
        from py3langid.modelio import load_model
    except ImportError as error:
        raise MissingExtra("py3langid", "audit") from error
    with resources.as_file(resources.files("py3langid") / "data" / "model.npz.xz") as path:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        logarithms, priors, classes, moves, rows, features = load_model(path)
    model = convert_model(
        np.asarray(logarithms),
        np.asarray(priors),
        classes,
        np.asarray(moves),
        np.asarray(rows),
        np.asarray(features, np.int64),
    )
    folder.mkdir(parents=True, exist_ok=True)
    written = Path(tempfile.mkdtemp(prefix=f".{_FOLDER}.", dir=folder))
    try:
        for name, array in model._asdict().items():
            with (written / f"{name}.npy").open("wb") as stream:
                np.save(stream, array, allow_pickle=False)
                stream.flush()
                os.fsync(stream.fileno())
        described = Described("sha256:" + digest, tuple(classes))
        (written / "model.json").write_bytes(msgspec.json.encode(described))
        _put_in_place(written, target)
    finally:
        shutil.rmtree(written, ignore_errors=True)


def _put_in_place(written: Path, target: Path) -> None:
    try:
        written.rename(target)
    except OSError:
        if not target.is_dir():  # else another driver has done the same work first
            raise


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
    fits = len(classes) <= WIDTH and int(rows.max()) < 2**16 and np.abs(whole).max() < 16 * TABLE_SCALE
    if not fits or not np.array_equal(whole, scaled):
        raise MalformedInput(
            "the language model of py3langid has a form that is not known",
            hint="install the version of py3langid that the extra `audit` asks for",
        )
    none = len(whole)
    # what is met often lies together: the rows of one language's common features fill few pages of memory
    often = np.exp(whole / TABLE_SCALE).mean(axis=1)
    order = np.argsort(-often, kind="stable")
    table = np.zeros((none + 1, WIDTH), np.int16)
    table[:none, : len(classes)] = whole[order]
    begun = np.full(WIDTH, _IMPOSSIBLE, np.int64)
    begun[: len(classes)] = np.rint(np.asarray(priors, np.float64) * SCORE_SCALE)
    twins = np.arange(WIDTH, dtype=np.int64)
    twins[: len(classes)] = [classes.index(code) for code in classes]
    places = np.empty(none + 1, np.uint32)
    places[order], places[none] = np.arange(none), none
    met = places[np.where(features >= 0, features, none)]
    followed = moves.reshape(-1, _ROW_BYTES)
    visits = np.bincount(rows, np.append(often, 0)[features], len(followed))
    visits[rows[0]] = np.inf  # a walk begins in state 0, whose row becomes the first
    kept = np.argsort(-visits, kind="stable")
    numbers = np.empty(len(kept), np.uint16)
    numbers[kept] = np.arange(len(kept))
    return Model(numbers[rows[followed[kept]]].ravel(), met[followed[kept]].ravel(), table, begun, twins)


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
    if (
        len(model.moves) != len(model.features)
        or len(model.moves) % _ROW_BYTES
        or model.table.shape[1] != WIDTH
    ):
        raise MalformedInput("the prepared language model has another form", where=str(source))
    return Opened(described, model)
