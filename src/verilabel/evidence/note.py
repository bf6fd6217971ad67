"""Signed notes of C2SP: notes, log checkpoints, witness cosignatures and portable log proofs.

Formats: signed-note, tlog-checkpoint, tlog-cosignature v1 (Ed25519) and tlog-proof@v1, all of c2sp.org. Every
parser accepts only what its writer writes: parsing and writing again gives the same bytes. Signatures of keys
that the reader does not know are ignored, as the specification asks, and reported as `unknown`.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from verilabel.errors import MalformedInput, SealError
from verilabel.evidence.keys import KeyType, PrivateKey, PublicKey, check_key_name, decode_base64
from verilabel.evidence.merkle import HASH_BYTES, MAX_LEAVES, MAX_PROOF_HASHES, verify_inclusion

MAX_NOTE_BYTES = 256 * 1024
MAX_NOTE_SIGNATURES = 64
MAX_EXTRA_BYTES = 64 * 1024
MAX_TIME = 2**63 - 1
PROOF_HEADER = "c2sp.org/tlog-proof@v1"
_DASH = "\N{EM DASH} "
_HASH_LENGTH = 4
_ED25519_LENGTH = 64


@dataclass(frozen=True)
class NoteSignature:
    """One signature line, not verified: the name of the key, its 4-byte key id, the signature's bytes."""

    name: str
    note_hash: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """The line as it stands in the note, with its newline."""
        return f"{_DASH}{self.name} {base64.b64encode(self.note_hash + self.signature).decode('ascii')}\n"


@dataclass(frozen=True)
class Note:
    """A note as it was parsed: nothing in it is verified."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def bytes(self) -> bytes:
        """The exact bytes of the note."""
        return (self.text + "\n" + "".join(signature.line for signature in self.signatures)).encode("utf-8")


@dataclass(frozen=True)
class Cosignature:
    """A witness's verified statement: at this time (POSIX seconds) this was the largest tree it had seen."""

    key: PublicKey
    time: int


@dataclass(frozen=True)
class OpenedNote:
    """A note with at least one verified signature. `unknown` signatures are by keys that were not given."""

    text: str
    signers: tuple[PublicKey, ...]
    cosignatures: tuple[Cosignature, ...]
    unknown: tuple[NoteSignature, ...]


def parse_note(data: bytes, *, where: str = "note") -> Note:
    """Take a note apart without verifying it (C2SP signed-note, Format). Raises MalformedInput."""
    if len(data) > MAX_NOTE_BYTES:
        raise MalformedInput(f"a note of {len(data)} bytes, the limit is {MAX_NOTE_BYTES}", where=where)
    whole = _decode(data, where)
    split = whole.rfind("\n\n")
    if split < 0 or not whole.endswith("\n"):
        raise MalformedInput("not a signed note: text, an empty line, signature lines", where=where)
    lines = whole[split + 2 :].split("\n")[:-1]
    if not 1 <= len(lines) <= MAX_NOTE_SIGNATURES:
        raise MalformedInput(f"a note with {len(lines)} signature lines", where=where)
    signatures = tuple(_parse_signature(line, f"{where}: signature {n}") for n, line in enumerate(lines, 1))
    if len({(s.name, s.note_hash) for s in signatures}) != len(signatures):
        raise MalformedInput("two signatures of the same key", where=where)
    note = Note(whole[: split + 1], signatures)
    if note.bytes() != data:
        raise MalformedInput("the note is not in its canonical form", where=where)
    return note


def _decode(data: bytes, where: str) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedInput("not UTF-8", where=where) from None
    if any(char < " " and char != "\n" for char in text):
        raise MalformedInput("a control character in a note", where=where)
    return text


def _parse_signature(line: str, where: str) -> NoteSignature:
    parts = line.removeprefix(_DASH).split(" ")
    if not line.startswith(_DASH) or len(parts) != 2:
        raise MalformedInput("not a signature line: a dash, a key name, base64", where=where)
    check_key_name(parts[0], where=where)
    data = decode_base64(parts[1], what="the signature", where=where)
    if len(data) <= _HASH_LENGTH:
        raise MalformedInput("a signature without bytes", where=where)
    return NoteSignature(parts[0], data[:_HASH_LENGTH], data[_HASH_LENGTH:])


def sign_note(text: str, *keys: PrivateKey) -> bytes:
    """The bytes of a note: a text that ends in a newline, signed by each key (C2SP signed-note).

    Raises MalformedInput where no note can hold the text.
    """
    if not text.endswith("\n"):
        raise MalformedInput("the text of a note ends in a newline")
    message = text.encode("utf-8")
    signatures = tuple(NoteSignature(key.name, key.public.note_hash, key.sign(message)) for key in keys)
    data = Note(text, signatures).bytes()
    parse_note(data)
    return data


def open_note(data: bytes, keys: Iterable[PublicKey], *, where: str = "note") -> OpenedNote:
    """Verify a note with the keys one knows (C2SP signed-note, Signatures).

    A key is known by its name and key id together. Raises SealError where no known key signed, or where the
    signature of a known key does not hold; MalformedInput where this is no note.
    """
    note = parse_note(data, where=where)
    known = {(key.name, key.note_hash): key for key in keys}
    signers: list[PublicKey] = []
    cosignatures: list[Cosignature] = []
    unknown: list[NoteSignature] = []
    for signature in note.signatures:
        key = known.get((signature.name, signature.note_hash))
        if key is None:
            unknown.append(signature)
        elif key.key_type is KeyType.COSIGNATURE:
            cosignatures.append(_verify_cosignature(note.text, signature, key, where))
        else:
            _verify_text(note.text, signature, key, where)
            signers.append(key)
    if not signers and not cosignatures:
        raise SealError(
            "no known key signed this note",
            where=where,
            hint="signed by " + ", ".join(f"{s.name}+{s.note_hash.hex()}" for s in note.signatures[:4]),
        )
    return OpenedNote(note.text, tuple(signers), tuple(cosignatures), tuple(unknown))


def _verify_text(text: str, signature: NoteSignature, key: PublicKey, where: str) -> None:
    try:
        key.verify(signature.signature, text.encode("utf-8"))
    except SealError as error:
        raise SealError(error.message, where=where) from None


def _cosigned_message(text: str, time: int) -> bytes:
    """What a witness signs (C2SP tlog-cosignature, Ed25519 signed message)."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def _verify_cosignature(text: str, signature: NoteSignature, key: PublicKey, where: str) -> Cosignature:
    if len(signature.signature) != 8 + _ED25519_LENGTH:
        raise SealError(f"the cosignature of {key.name} has the wrong length", where=where)
    (time,) = struct.unpack(">Q", signature.signature[:8])
    if time > MAX_TIME:
        raise SealError(f"the cosignature of {key.name} has an impossible time", where=where)
    try:
        key.verify(signature.signature[8:], _cosigned_message(text, time))
    except SealError as error:
        raise SealError(error.message, where=where) from None
    return Cosignature(key, time)


@dataclass(frozen=True)
class Checkpoint:
    """A log's tree head: origin (the log's name), size in entries, root of the RFC 6962 tree (32 bytes)."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()
    """Further lines, opaque; Verilabel's own log writes none."""

    @property
    def text(self) -> str:
        """The note text (C2SP tlog-checkpoint, Note text)."""
        root = base64.b64encode(self.root).decode("ascii")
        return "".join(f"{line}\n" for line in (self.origin, str(self.size), root, *self.extensions))


@dataclass(frozen=True)
class OpenedCheckpoint:
    """A checkpoint that its log signed, with the verified cosignatures of witnesses."""

    checkpoint: Checkpoint
    log_key: PublicKey
    cosignatures: tuple[Cosignature, ...]
    unknown: tuple[NoteSignature, ...]


def parse_checkpoint_text(text: str, *, where: str = "checkpoint") -> Checkpoint:
    """Read the text of a checkpoint note. Raises MalformedInput."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
        raise MalformedInput("a checkpoint has three lines or more: origin, size, root", where=where)
    origin, size, encoded, *extensions = lines[:-1]
    root = decode_base64(encoded, what="the root", where=where)
    if len(root) != HASH_BYTES:
        raise MalformedInput(f"the root has {len(root)} bytes, not {HASH_BYTES}", where=where)
    return Checkpoint(origin, _parse_decimal(size, where), root, tuple(extensions))


def _parse_decimal(text: str, where: str) -> int:
    digits = text.isascii() and text.isdigit() and len(text) <= 19
    if not digits or (text[0] == "0" and text != "0") or int(text) > MAX_LEAVES:
        raise MalformedInput(f"{text[:40]!r} is not a number in plain decimal digits", where=where)
    return int(text)


def sign_checkpoint(checkpoint: Checkpoint, key: PrivateKey) -> bytes:
    """The signed note of a checkpoint; the key signs under the name of the log's origin.

    The caller must have checked that the tree only grew since the last checkpoint it signed.
    """
    text = checkpoint.text
    if parse_checkpoint_text(text) != checkpoint:
        raise MalformedInput("a line of the checkpoint holds a line break")
    return sign_note(text, key.named(checkpoint.origin))


def cosign(checkpoint_note: bytes, key: PrivateKey, *, time: int) -> bytes:
    """Add a witness's cosignature, made at `time` (POSIX seconds), to a checkpoint note.

    The witness must have checked that the log only grew since the last checkpoint it cosigned.
    Raises MalformedInput where this is no checkpoint, or the witness cosigned it already.
    """
    note = parse_note(checkpoint_note, where="checkpoint")
    parse_checkpoint_text(note.text)
    if not 0 <= time <= MAX_TIME:
        raise MalformedInput(f"{time} is not a time that a cosignature can hold")
    signature = struct.pack(">Q", time) + key.sign(_cosigned_message(note.text, time))
    witness = key.public.of_type(KeyType.COSIGNATURE)
    signed = Note(
        note.text, (*note.signatures, NoteSignature(witness.name, witness.note_hash, signature))
    ).bytes()
    parse_note(signed, where="checkpoint")
    return signed


def cosignature_line(checkpoint_note: bytes, key: PrivateKey, *, time: int) -> str:
    """The one signature line with which a witness answers (C2SP tlog-witness, add-checkpoint), with its newline.

    Earlier cosignatures on the note, the witness's own among them, do not matter. What the witness must have
    checked, and what is raised, is as for `cosign`.
    """
    note = parse_note(checkpoint_note, where="checkpoint")
    witness = key.public.of_type(KeyType.COSIGNATURE)
    others = (s for s in note.signatures if (s.name, s.note_hash) != (witness.name, witness.note_hash))
    bare = Note(note.text, tuple(others)[:1]).bytes()
    return parse_note(cosign(bare, key, time=time), where="checkpoint").signatures[-1].line


def merge_cosignatures(
    checkpoint_note: bytes, lines: bytes, witnesses: Iterable[PublicKey], *, where: str = "cosignatures"
) -> bytes:
    """A checkpoint note with those of a witness's answered lines that are by known witnesses, all verified.

    A newer cosignature takes the place of an older one by the same key; lines of unknown keys are dropped, as C2SP
    tlog-witness asks. Raises SealError where a known key's signature does not hold, or no line is by a known
    key; MalformedInput where these are no signature lines.
    """
    note = parse_note(checkpoint_note, where="checkpoint")
    known = [key for key in witnesses if key.key_type is KeyType.COSIGNATURE]
    answered = note.text.encode("utf-8") + b"\n" + lines
    parsed = parse_note(answered, where=where)
    if parsed.text != note.text:  # an empty line in the answer would make it sign another text
        raise MalformedInput("the answer holds something else than signature lines", where=where)
    open_note(answered, known, where=where)
    names = {(key.name, key.note_hash) for key in known}
    added = [s for s in parsed.signatures if (s.name, s.note_hash) in names]
    replaced = {(s.name, s.note_hash) for s in added}
    kept = [s for s in note.signatures if (s.name, s.note_hash) not in replaced]
    merged = Note(note.text, (*kept, *added)).bytes()
    parse_note(merged, where="checkpoint")
    return merged


def open_checkpoint(
    data: bytes,
    log_keys: Iterable[PublicKey],
    witness_keys: Iterable[PublicKey] = (),
    *,
    where: str = "checkpoint",
) -> OpenedCheckpoint:
    """Verify a checkpoint: signed by a log key under the name of its origin, cosigned by known witnesses.

    Raises SealError where a signature does not hold or the log's own is missing, MalformedInput where this
    is no checkpoint.
    """
    logs = [key for key in log_keys if key.key_type is KeyType.ED25519]
    witnesses = [key for key in witness_keys if key.key_type is KeyType.COSIGNATURE]
    opened = open_note(data, [*logs, *witnesses], where=where)
    checkpoint = parse_checkpoint_text(opened.text, where=where)
    log_key = next((key for key in opened.signers if key.name == checkpoint.origin), None)
    if log_key is None:
        raise SealError(f"the log {checkpoint.origin} did not sign this checkpoint itself", where=where)
    return OpenedCheckpoint(checkpoint, log_key, opened.cosignatures, opened.unknown)


@dataclass(frozen=True)
class Proof:
    """A portable proof that an entry is in a log: its index, the inclusion proof and a signed checkpoint."""

    index: int
    path: tuple[bytes, ...]
    checkpoint_note: bytes
    extra: bytes | None = None
    """Opaque data beside the proof; nothing authenticates it."""

    def bytes(self) -> bytes:
        """The exact bytes of a `.tlog-proof` file (C2SP tlog-proof, Format)."""
        lines = [PROOF_HEADER]
        if self.extra is not None:
            lines.append(f"extra {base64.b64encode(self.extra).decode('ascii')}")
        lines.append(f"index {self.index}")
        lines.extend(base64.b64encode(item).decode("ascii") for item in self.path)
        return "".join(f"{line}\n" for line in lines).encode("ascii") + b"\n" + self.checkpoint_note


@dataclass(frozen=True)
class OpenedProof:
    """A proof that holds: the entry is number `index` of the log at `checkpoint`."""

    index: int
    checkpoint: Checkpoint
    log_key: PublicKey
    cosignatures: tuple[Cosignature, ...]
    unknown: tuple[NoteSignature, ...]


def parse_proof(data: bytes, *, where: str = "proof") -> Proof:
    """Take a proof apart without verifying it. Raises MalformedInput."""
    if len(data) > MAX_NOTE_BYTES + 2 * MAX_EXTRA_BYTES:
        raise MalformedInput(f"a proof of {len(data)} bytes", where=where)
    head, separator, checkpoint_note = data.partition(b"\n\n")
    lines = _decode(head, where).split("\n")
    if not separator or lines[0] != PROOF_HEADER:
        raise MalformedInput(f"not a proof: its first line is not {PROOF_HEADER}", where=where)
    rest = lines[1:]
    extra = None
    if rest and rest[0].startswith("extra "):
        extra = decode_base64(rest.pop(0).removeprefix("extra "), what="the extra data", where=where)
    if not rest or not rest[0].startswith("index "):
        raise MalformedInput("a proof without an index", where=where)
    index = _parse_decimal(rest[0].removeprefix("index "), where)
    path = tuple(decode_base64(line, what="a hash of the proof", where=where) for line in rest[1:])
    if len(path) > MAX_PROOF_HASHES or any(len(item) != HASH_BYTES for item in path):
        raise MalformedInput("an inclusion proof is at most 64 hashes of 32 bytes", where=where)
    parse_note(checkpoint_note, where=where)
    proof = Proof(index, path, checkpoint_note, extra)
    if proof.bytes() != data:
        raise MalformedInput("the proof is not in its canonical form", where=where)
    return proof


def open_proof(
    data: bytes,
    leaf: bytes,
    log_keys: Iterable[PublicKey],
    witness_keys: Iterable[PublicKey] = (),
    *,
    witness_quorum: int = 0,
    where: str = "proof",
) -> OpenedProof:
    """Verify offline that a leaf hash is in a log whose key one knows.

    In order: 1 the form, 2 the log's signature and every known cosignature, 3 as many different witness
    keys as `witness_quorum`, none of them the log's own, 4 the inclusion proof. Raises SealError where a
    step from 2 on fails, MalformedInput where step 1 does.
    """
    proof = parse_proof(data, where=where)  # step 1
    opened = open_checkpoint(proof.checkpoint_note, log_keys, witness_keys, where=where)  # step 2
    count_witnesses(opened.cosignatures, opened.log_key, witness_quorum, where=where)  # step 3
    try:
        verify_inclusion(
            leaf, proof.index, opened.checkpoint.size, proof.path, opened.checkpoint.root
        )  # step 4
    except SealError as error:
        raise SealError(
            error.message, where=where, hint="the log does not hold what this proof is for"
        ) from None
    return OpenedProof(proof.index, opened.checkpoint, opened.log_key, opened.cosignatures, opened.unknown)


def count_witnesses(
    cosignatures: Sequence[Cosignature], log_key: PublicKey, quorum: int, *, where: str = "checkpoint"
) -> int:
    """How many different keys, other than the log's own, cosigned.

    Raises SealError where they are fewer than `quorum`.
    """
    independent = {cosignature.key.raw for cosignature in cosignatures} - {log_key.raw}
    if len(independent) < quorum:
        raise SealError(f"{len(independent)} known witnesses cosigned, {quorum} are asked for", where=where)
    return len(independent)
