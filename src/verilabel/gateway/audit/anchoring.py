"""Puts a checkpoint of an audit trail into a transparency log, where its keeper cannot take it back."""

from __future__ import annotations

from verilabel.evidence.log import Entry, Log
from verilabel.evidence.note import Proof
from verilabel.records.canonical import digest


def entry_of_checkpoint(note: bytes) -> Entry:
    """The log entry of a checkpoint's signed note: its digest alone, so that the log shows nothing of the trail."""
    return Entry("verilabel.statement/v1", digest(note))


def anchor_checkpoint(note: bytes, log: Log) -> Proof:
    """Log a checkpoint's signed note and give the proof. Keep note and proof: who has both can show the trail's state.

    Raises SealError where the log is not sound.
    """
    return log.append(entry_of_checkpoint(note))
