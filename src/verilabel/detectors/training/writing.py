"""The command line of the training recipes, and writing their result in one piece."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from verilabel.detectors.jailbreak import WindowModel
from verilabel.detectors.linear import LinearModel
from verilabel.errors import VerilabelError
from verilabel.records.canonical import digest


def model_bytes(model: LinearModel | WindowModel) -> bytes:
    """The bytes a model is shipped as: JSON with one weight a line."""
    return msgspec.json.format(msgspec.json.encode(model), indent=1) + b"\n"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file in one piece: a temporary file in the same folder, flushed to disk, then renamed."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def run_recipe(description: str | None, train: Callable[[Path], LinearModel | WindowModel]) -> None:
    """Train from `--data` and write to `--out`; exits with the status of the error, where there is one."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    arguments = parser.parse_args()
    try:
        content = model_bytes(train(arguments.data))
    except VerilabelError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(int(error.status)) from error
    write_whole(arguments.out, content)
    print(f"{arguments.out}: {len(content):,} bytes, {digest(content)}")
