"""The words of C2SP tlog-witness: what a log sends to a witness, and where a witness shows what it has seen."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from verilabel.errors import MalformedInput
from verilabel.evidence.keys import decode_base64
from verilabel.evidence.merkle import HASH_BYTES, MAX_LEAVES
from verilabel.evidence.note import MAX_NOTE_BYTES, Checkpoint, parse_checkpoint_text, parse_note
from verilabel.records.canonical import sha256_hex

ADD_CHECKPOINT = "add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"
MAX_PROOF_LINES = 63
MAX_REQUEST_BYTES = MAX_NOTE_BYTES + 8192


@dataclass(frozen=True)
class CosignRequest:
    """A checkpoint that somebody wants cosigned, with the proof that it extends the one over `old_size` entries."""

    old_size: int
    proof: tuple[bytes, ...]
    note: bytes
    checkpoint: Checkpoint
    """What the note says; its signatures are not verified yet."""


def encode_request(old_size: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """The body of an `add-checkpoint` request."""
    lines = [f"old {old_size}", *(b64encode(item).decode("ascii") for item in proof)]
    return "".join(f"{line}\n" for line in lines).encode("ascii") + b"\n" + note


def parse_request(body: bytes) -> CosignRequest:
    """Read the body of an `add-checkpoint` request. Raises MalformedInput."""
    where = "request"
    if len(body) > MAX_REQUEST_BYTES:
        raise MalformedInput(f"a request of {len(body)} bytes", where=where)
    head, separator, note = body.partition(b"\n\n")
    try:
        first, *rest = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise MalformedInput("the lines before the checkpoint are not ASCII", where=where) from None
    if not separator or not first.startswith("old ") or len(rest) > MAX_PROOF_LINES:
        raise MalformedInput(
            "not an old size, at most 63 hashes, an empty line and a checkpoint", where=where
        )
    proof = tuple(decode_base64(line, what="a hash of the proof", where=where) for line in rest)
    if any(len(item) != HASH_BYTES for item in proof):
        raise MalformedInput(f"a hash of the proof is not {HASH_BYTES} bytes long", where=where)
    checkpoint = parse_checkpoint_text(parse_note(note, where=where).text, where=where)
    return CosignRequest(parse_size(first.removeprefix("old "), where=where), proof, note, checkpoint)


def parse_size(text: str, *, where: str) -> int:
    """A tree size in plain decimal digits. Raises MalformedInput."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19) or str(int(text)) != text:
        raise MalformedInput(f"{text[:40]!r} is not a tree size", where=where)
    if int(text) > MAX_LEAVES:
        raise MalformedInput(f"no tree has {text} leaves", where=where)
    return int(text)


def seen_path(origin: str) -> str:
    """Where a witness of this program shows the last checkpoint it cosigned of a log.

    tlog-witness leaves retrieval open; this is the lower-case hexadecimal SHA-256 of the origin, then `/checkpoint`.
    """
    return f"{sha256_hex(origin.encode('utf-8'))}/checkpoint"
