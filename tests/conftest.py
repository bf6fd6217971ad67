"""Fixtures and settings that every test may use."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine must not fail a property: no test asserts how long an example takes. Every run draws the same, so that
# a change is judged by what it changes; `make test-random` looks further, with new draws and more of them.
settings.register_profile("fixed", deadline=None, derandomize=True, database=None, max_examples=50)
settings.register_profile("random", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("VERILABEL_DRAWS", "fixed"))

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public test data, or a skip where this machine has none."""
    folder = Path(os.environ.get("VERILABEL_DATA", REPOSITORY / ".." / "shared" / "data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no public test data at {folder}; set VERILABEL_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def made_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real bundle as a folder: 20 and 10 answers, fixed design, signed, logged. Never change it."""
    from bundle_factory import make_bundle

    return make_bundle(tmp_path_factory.mktemp("made")).path


@pytest.fixture
def bundle(made_bundle: Path, tmp_path: Path) -> Path:
    """A copy of the small bundle, for changing."""
    return Path(shutil.copytree(made_bundle, tmp_path / "bundle"))


@pytest.fixture(scope="session")
def made_zip(made_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small bundle as one file. Never change it."""
    from verilabel.evidence.container import write_zip

    target = tmp_path_factory.mktemp("zipped") / "bundle.zip"
    write_zip(made_bundle, target)
    return target
