"""What every worker of an audit must know, as one file in the work folder; its digest names what they make."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np

from verilabel import __version__
from verilabel.audit.engine.checks import cards_of, open_checks
from verilabel.audit.interface import Check, CheckCard, Column
from verilabel.audit.proof.commitments import Secret, load_secret
from verilabel.audit.proof.records import columns_of, form_of
from verilabel.audit.settings import AuditSettings
from verilabel.errors import MalformedInput
from verilabel.evidence.atomic import write_file

JOB = "job.json"
KEY_FILE = "secret"
INDEXES = "indexes"
CANARY_ITEMS = "canary-items.json"


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An audit as its workers know it."""

    settings: AuditSettings
    cards: tuple[CheckCard, ...]
    """Of the checks as the driver opened them; a worker that opens others refuses."""
    secret_id: str
    stored_bytes: int
    """Of the whole corpus, by the plan; shares of samples follow from it."""
    shards: int
    """In the plan; shares of canaries follow from it."""
    version: str = __version__
    """Of the program: what another one left in a work folder is not used."""

    @property
    def digest(self) -> str:
        """Names this job: equal for equal settings, checks, secret and size of the corpus."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


@dataclass(frozen=True)
class Opened:
    """A job that a worker has opened."""

    work: Path
    job: Job
    secret: Secret
    checks: list[Check]
    columns: tuple[Column, ...]
    form: np.dtype[np.void]
    """Of a whole record; the columns of duplicates are zero until a shard is finished."""


def write_job(work: Path, job: Job) -> None:
    """Leave a job for the workers."""
    write_file(work / JOB, msgspec.json.encode(job, order="sorted"), overwrite=True)


def open_job(work: str) -> Opened:
    """Open the job of a work folder, once a worker and job: a worker may outlive an audit, and its folder be another's.

    Raises MalformedInput where this worker's checks are not the driver's: another version is installed here.
    """
    return _open(work, (Path(work) / JOB).read_bytes())


@lru_cache(maxsize=1)
def _open(work: str, content: bytes) -> Opened:
    folder = Path(work)
    job = msgspec.json.decode(content, type=Job)
    if job.version != __version__:
        raise MalformedInput(
            f"this worker has version {__version__}, the driver {job.version}",
            hint="install the same version of verilabel on every node",
        )
    checks = open_checks(job.settings, folder / INDEXES)
    for ours, theirs in zip(cards_of(checks), job.cards, strict=True):
        if ours != theirs:
            raise MalformedInput(
                f"this worker's check {ours.name!r} is not the driver's",
                hint="install the same version of verilabel and of its extras on every node",
            )
    columns = columns_of(job.cards)
    return Opened(folder, job, load_secret(folder / KEY_FILE), checks, columns, form_of(columns))
