"""Started by path in the interpreter that has inspect_ai: reads one command, carries it out, ends with its parent."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

NAME = "verilabel_inspect_child"
"""The package's name in that interpreter, where `verilabel` need not be installed."""


def load_siblings() -> None:
    """Make the files beside this one importable as one package, and nothing of this folder by a bare name."""
    folder = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != folder]
    spec = importlib.util.spec_from_file_location(
        NAME, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None, "the package lies beside this file"
    package = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    load_siblings()
    importlib.import_module(f"{NAME}.commands").main()
