"""The check of licences, opened once, and documents as a batch."""

from __future__ import annotations

from pathlib import Path

import pytest

from verilabel.audit.interface import Check
from verilabel.audit.licences.opening import OPENING
from verilabel.audit.settings import AuditSettings


@pytest.fixture(scope="session")
def licence_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that an audit's driver prepared. Never change it."""
    folder = tmp_path_factory.mktemp("licence-index")
    OPENING.prepare(AuditSettings(), folder)
    return folder


@pytest.fixture(scope="session")
def licence_check(licence_index: Path) -> Check:
    """The check as a worker opens it."""
    return OPENING.open(AuditSettings(), licence_index)
