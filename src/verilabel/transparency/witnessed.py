"""A local log whose checkpoints are shown to witnesses: their cosignatures are verified and kept in its proofs.

A witness that cannot be asked costs no entry: the entry is logged, the failure is written down in `witnesses.json` in
the log's folder, and `refresh` asks again. Nothing there is believed; it only says where to begin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from verilabel.errors import MalformedInput, VerilabelError
from verilabel.evidence.atomic import write_file
from verilabel.evidence.keys import PublicKey
from verilabel.evidence.log import Entry, LocalLog
from verilabel.evidence.note import MAX_NOTE_BYTES, Proof, open_checkpoint
from verilabel.records.canonical import jcs, parse_json
from verilabel.transparency.configuration import WitnessAddress, check_witnesses
from verilabel.transparency.fetching import Answer, send_request
from verilabel.transparency.witness_protocol import ADD_CHECKPOINT, SIZE_TYPE, encode_request, parse_size

STATE = "witnesses.json"
WITNESS_TIMEOUT_S = 5.0
_ROUNDS = 3
_MAX_STATE_BYTES = 256 * 1024


@dataclass(frozen=True)
class Failure:
    """A witness that did not cosign, and why."""

    witness: WitnessAddress
    why: str


@dataclass(frozen=True)
class Cosigned:
    """What asking the witnesses gave: the checkpoint's size, its note, who cosigned it now and who did not."""

    size: int
    note: bytes
    names: tuple[str, ...]
    failures: tuple[Failure, ...]


class WitnessedLog:
    """A `LocalLog` and its witnesses, with the interface of a log (`log.Log`).

    `warn` is told of each witness that did not cosign. Like the log in it, an instance stays in one thread.
    """

    def __init__(
        self,
        log: LocalLog,
        witnesses: Sequence[WitnessAddress],
        *,
        warn: Callable[[str], None],
        timeout_s: float = WITNESS_TIMEOUT_S,
    ) -> None:
        check_witnesses(witnesses, log.public_key, where=str(log.path))
        self.local = log
        self.witnesses = tuple(witnesses)
        self._warn = warn
        self._timeout_s = timeout_s

    @property
    def public_key(self) -> PublicKey:
        """The key that the log signs with."""
        return self.local.public_key

    def append(self, entry: Entry) -> Proof:
        """Add an entry; its proof has the cosignatures of every witness that could be asked."""
        return self.append_all([entry])[0]

    def append_all(self, entries: Sequence[Entry]) -> list[Proof]:
        """Add entries, all or none, and ask the witnesses once. What is raised is `LocalLog.append_all`'s alone."""
        proofs = self.local.append_all(entries)
        if not self.witnesses:
            return proofs
        cosigned = self.refresh()
        return [self.local.prove(proof.index, cosigned.size) for proof in proofs]

    def refresh(self) -> Cosigned:
        """Ask every witness that has not cosigned the last checkpoint for its cosignature, all at once.

        Where other writers made a newer checkpoint meanwhile, and a witness saw that one first, the newer one is
        asked for. Witnesses that fail are in the answer, told to `warn`, and written down.
        """
        state = self._read_state()
        failures: dict[bytes, str] = {}
        for _ in range(_ROUNDS):
            note = self.local.checkpoint_note()
            size, missing = self._missing(note)
            failures = self._collect(size, missing, state)
            if not failures or self.local.size == size:
                break
        note = self.local.checkpoint_note(size)
        opened = open_checkpoint(note, [self.public_key], [witness.key for witness in self.witnesses])
        for witness in self.witnesses:
            kept = state.setdefault(witness.key.line, {"cosigned": 0})
            kept.pop("failed", None)
            if witness.key.raw in failures:
                kept["failed"] = {"size": size, "why": failures[witness.key.raw]}
                self._warn(
                    f"the witness {witness.key.name} did not cosign {size} entries: {failures[witness.key.raw]}"
                )
        write_file(self.local.path / STATE, jcs(state) + b"\n", overwrite=True)
        names = tuple(dict.fromkeys(cosignature.key.name for cosignature in opened.cosignatures))
        failed = tuple(
            Failure(witness, failures[witness.key.raw])
            for witness in self.witnesses
            if witness.key.raw in failures
        )
        return Cosigned(size, note, names, failed)

    def consistency(self, old_size: int, new_size: int | None = None) -> list[bytes]:
        """The proof that the log at `new_size` starts with its first `old_size` entries."""
        return self.local.consistency(old_size, new_size)

    def close(self) -> None:
        """Let go of the log."""
        self.local.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _missing(self, note: bytes) -> tuple[int, list[WitnessAddress]]:
        opened = open_checkpoint(note, [self.public_key], [witness.key for witness in self.witnesses])
        there = {cosignature.key.raw for cosignature in opened.cosignatures}
        return opened.checkpoint.size, [w for w in self.witnesses if w.key.raw not in there]

    def _collect(
        self, size: int, missing: Sequence[WitnessAddress], state: dict[str, Any]
    ) -> dict[bytes, str]:
        """Ask until each witness has cosigned the checkpoint of that size, or says why not."""
        old = {w.key.raw: min(size, state.get(w.key.line, {}).get("cosigned", 0)) for w in missing}
        failures: dict[bytes, str] = {}
        for _ in range(_ROUNDS):
            if not missing:
                break
            again = []
            for witness, answer in self._ask(size, missing, old):
                seen = self._take(size, witness, answer, state, failures)
                if seen is not None and seen != old[witness.key.raw]:
                    old[witness.key.raw] = seen
                    again.append(witness)
            missing = again
        return failures

    def _ask(
        self, size: int, witnesses: Sequence[WitnessAddress], old: dict[bytes, int]
    ) -> list[tuple[WitnessAddress, Answer | str]]:
        note = self.local.checkpoint_note(size)
        bodies = [
            encode_request(old[w.key.raw], self.local.consistency(old[w.key.raw], size), note)
            for w in witnesses
        ]

        def ask(witness: WitnessAddress, body: bytes) -> Answer | str:
            headers = {"Content-Type": "text/plain; charset=utf-8"}
            try:
                return send_request(
                    f"{witness.url}/{ADD_CHECKPOINT}",
                    body=body,
                    headers=headers,
                    limit=MAX_NOTE_BYTES,
                    timeout_s=self._timeout_s,
                )
            except VerilabelError as error:
                return error.message

        with ThreadPoolExecutor(max_workers=min(16, len(witnesses))) as pool:
            return list(zip(witnesses, pool.map(ask, witnesses, bodies), strict=True))

    def _take(
        self,
        size: int,
        witness: WitnessAddress,
        answer: Answer | str,
        state: dict[str, Any],
        failures: dict[bytes, str],
    ) -> int | None:
        """Keep a cosignature, or note why there is none; the size to begin from where asking again may help."""
        failures.pop(witness.key.raw, None)
        if isinstance(answer, str):
            failures[witness.key.raw] = answer
            return None
        try:
            if answer.status == HTTPStatus.OK:
                self.local.add_cosignatures(size, answer.body, [witness.key])
                state[witness.key.line] = {"cosigned": size}
                return None
            if answer.status == HTTPStatus.CONFLICT and answer.content_type == SIZE_TYPE:
                seen = parse_size(answer.text, where=witness.url)
                failures[witness.key.raw] = f"it has seen {seen} entries of this log"
                return seen if seen <= size else None
        except VerilabelError as error:
            failures[witness.key.raw] = error.message
            return None
        failures[witness.key.raw] = f"it answers {answer.status}: {answer.text}"
        return None

    def _read_state(self) -> dict[str, Any]:
        """How far each witness was when it was last asked; what cannot be read is begun anew."""
        try:
            data = (self.local.path / STATE).read_bytes()[: _MAX_STATE_BYTES + 1]
            document = parse_json(data, where=STATE, max_bytes=_MAX_STATE_BYTES, max_depth=4)
        except (FileNotFoundError, MalformedInput):
            return {}
        lines = {witness.key.line for witness in self.witnesses}
        if not isinstance(document, dict):
            return {}
        return {line: kept for line, kept in document.items() if line in lines and _is_sound(kept)}


def _is_sound(kept: Any) -> bool:
    return isinstance(kept, dict) and type(kept.get("cosigned")) is int and kept["cosigned"] >= 0
