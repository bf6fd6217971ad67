"""`log/consistency.json`: the proof that the log which holds the label grew out of the log which held the plan."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

from verilabel.errors import MalformedInput, SealError
from verilabel.evidence.keys import decode_base64
from verilabel.evidence.merkle import verify_consistency
from verilabel.evidence.note import Checkpoint
from verilabel.records.canonical import jcs, parse_json


def consistency_bytes(old: int, new: int, hashes: Sequence[bytes]) -> bytes:
    """The file of a consistency proof between a log's `old` and `new` sizes."""
    return jcs({"from": old, "to": new, "proof": [b64encode(item).decode("ascii") for item in hashes]})


def check_consistency(data: bytes, old: Checkpoint, new: Checkpoint, *, where: str) -> None:
    """Check the file of a consistency proof against the two checkpoints, whose signatures were verified.

    Raises MalformedInput where it is not one in canonical form, SealError where it does not lead from `old` to `new`.
    """
    document = parse_json(data, where=where)
    if not isinstance(document, dict) or set(document) != {"from", "to", "proof"} or jcs(document) != data:
        raise MalformedInput("not a consistency proof in canonical form", where=where)
    sizes = (document["from"], document["to"])
    if any(type(size) is not int for size in sizes):  # `true` equals 1
        raise MalformedInput("a size is not a number", where=where)
    if sizes != (old.size, new.size) or old.origin != new.origin:
        raise SealError("the proof is not between the two checkpoints", where=where)
    hashes = document["proof"]
    if not isinstance(hashes, list) or not all(isinstance(item, str) for item in hashes):
        raise MalformedInput("the proof is not a list of hashes", where=where)
    path = [decode_base64(item, what="a hash", where=where) for item in hashes]
    try:
        verify_consistency(old.size, new.size, path, old.root, new.root)
    except SealError as error:
        raise SealError(error.message, where=where) from None
