"""The vectors of sealed evidence: commitments, what stays open of an attempt, leaves, and what a challenge chooses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from verilabel.errors import MalformedInput
from verilabel.evidence.lines import decode_evidence, encode_line
from verilabel.evidence.merkle import leaf_hash, root_of
from verilabel.evidence.note import Checkpoint, sign_checkpoint
from verilabel.evidence.sealed.challenge import Challenge, CheckpointNonce, TextNonce
from verilabel.evidence.sealed.opening import commitment_of
from verilabel.records.attempt import Attempt, Failure, Usage
from verilabel.records.score import Scored, Unscored
from verilabel.records.withheld import SealedAttempt, withhold_attempt, withhold_finding

SEALED_FORMAT = "verilabel/conformance-sealed/v1"
JUDGE = "judge@1.0.0"
MANIFEST = "sha256:" + "ab" * 32


def salt(number: int) -> bytes:
    """A salt that is the same in every run."""
    return hashlib.sha256(f"conformance salt {number}".encode()).digest()


def attempt(sample: str, number: int = 1, **fields: Any) -> Attempt:
    """An attempt of a small suite."""
    asked = {"request": '{"messages":[{"role":"user","content":"q"}]}', "status": 200}
    return Attempt("example/sums@1.0.0", sample, 1, number, **{**asked, **fields})


ATTEMPTS = {
    "answered": attempt(
        "sum-1",
        response='{"output":"43"}',
        output="43",
        finish="stop",
        served_model="m-1",
        usage=Usage(68, 5),
    ),
    "answered-in-other-letters": attempt("sum-2", response="Zürich — 東京 🙂", output='a "quoted" \\ line\n'),
    "answered-with-nothing": attempt("sum-3", response="{}", output=""),
    "answered-in-bytes": attempt("sum-4", response_base64="AAEC/w==", output="x", fingerprint="fp_1"),
    "failed-to-connect": attempt(
        "sum-5", status=None, failure=Failure("connection", "reset", retryable=True)
    ),
    "failed-after-a-response": attempt(
        "sum-6", response="half an ans", failure=Failure("truncated", "the text of it", retryable=True)
    ),
    "failed-with-an-empty-response": attempt(
        "sum-7", status=503, response="", failure=Failure("server_error", "503")
    ),
    "failed-for-good": attempt(
        "sum-8", status=401, response="no", failure=Failure("unauthorized", "key", fatal=True)
    ),
    "asked-a-judge": attempt("sum-9", judge=JUDGE, response='{"output":"yes"}', output="yes", usage=Usage()),
}

REFUSED = {
    "commitment-in-capitals": lambda line: line.replace(b"sha256:", b"SHA256:"),
    "commitment-cut-short": lambda line: line.replace(b"sha256:0", b"sha256:"),
    "answered-by-a-word": lambda line: line.replace(b'"answered":true', b'"answered":"true"'),
    "a-default-written-out": lambda line: line.replace(b'"answered":true', b'"answered":true,"said":false'),
    "another-order-of-fields": lambda line: line.replace(
        b'"answered":true,"status":200', b'"status":200,"answered":true'
    ),
    "an-output-beside": lambda line: line.replace(b'"answered":true', b'"answered":true,"output":"43"'),
    "a-failure-with-a-message": lambda line: line.replace(
        b'"answered":true,"status":200', b'"status":200,"failure":{"kind":"timeout","message":"x"}'
    ),
    "a-space": lambda line: line.replace(b',"epoch"', b', "epoch"'),
}


def sealed_cases() -> list[dict[str, Any]]:
    """Every case, in the order of the file."""
    return [*_commitments(), *_stubs(), *_refused_lines(), _evidence(), *_choices()]


def _commitments() -> Iterable[dict[str, Any]]:
    lines = {
        "an-empty-line": "",
        "a-short-line": "{}",
        "a-line-that-begins-like-a-salt": "0" * 64,
        **{name: encode_line(record).decode() for name, record in ATTEMPTS.items()},
    }
    for number, (name, line) in enumerate(lines.items()):
        yield {
            "kind": "commitment",
            "name": f"commitment-{name}",
            "salt": salt(number).hex(),
            "line": line,
            "commitment": commitment_of(line.encode(), salt(number)),
        }


def _stubs() -> Iterable[dict[str, Any]]:
    for number, (name, record) in enumerate(ATTEMPTS.items()):
        line = encode_line(record)
        stub = withhold_attempt(record, commitment_of(line, salt(number)))
        yield {
            "kind": "stub",
            "name": f"stub-{name}",
            "salt": salt(number).hex(),
            "line": line.decode(),
            "sealed": encode_line(stub).decode(),
        }


def _refused_lines() -> Iterable[dict[str, Any]]:
    line = encode_line(withhold_attempt(ATTEMPTS["answered"], "sha256:" + "0" * 64))
    for name, change in REFUSED.items():
        yield {
            "kind": "refused",
            "name": f"refused-{name}",
            "line": _refused(name, change(line)),
            "error": "MalformedInput",
        }
    for name, change in {
        "answered-and-failed": lambda text: text[:-1] + b',"failure":{"kind":"timeout"}}',
        "neither-answered-nor-failed": lambda text: text.replace(b'"answered":true,', b""),
        "answered-with-a-failures-response": lambda text: text.replace(
            b'"answered":true', b'"answered":true,"said":true'
        ),
    }.items():
        (record,) = decode_evidence(change(line) + b"\n", name, 1)
        if not isinstance(record, SealedAttempt) or record.contradiction is None:
            raise SystemExit(f"the line of {name!r} does not contradict itself")
        yield {
            "kind": "refused",
            "name": f"refused-{name}",
            "line": change(line).decode(),
            "error": "SealError",
        }


def _refused(name: str, line: bytes) -> str:
    try:
        decode_evidence(line + b"\n", name, 1)
    except MalformedInput:
        return line.decode()
    raise SystemExit(f"the line of {name!r} is not refused")


def _evidence() -> dict[str, Any]:
    """Evidence of seven answers, the last two of which are withheld: one with a retry, one with a judge."""
    lines: list[bytes] = []
    for number in range(5):
        sample = f"open-{number}"
        lines.append(encode_line(attempt(sample, response='{"output":"1"}', output="1")))
        lines.append(encode_line(Scored("example/sums@1.0.0", sample, 1, JUDGE, "correct", True, "read 1")))
    closed = [
        attempt(
            "closed-0", 1, status=503, response="", failure=Failure("server_error", "503", retryable=True)
        ),
        attempt("closed-0", 2, response='{"output":"2"}', output="2"),
        Scored("example/sums@1.0.0", "closed-0", 1, JUDGE, "correct", False, "read 2"),
        attempt("closed-1", response='{"output":"3"}', output="3"),
        attempt("closed-1", judge=JUDGE, response='{"output":"?"}', output="?"),
        Unscored("example/sums@1.0.0", "closed-1", 1, JUDGE, "correct", "the judge said ?"),
    ]
    openings = []
    for record in closed:
        if isinstance(record, Attempt):
            line, drawn = encode_line(record), salt(100 + len(openings))
            openings.append({"line": line.decode(), "salt": drawn.hex()})
            lines.append(encode_line(withhold_attempt(record, commitment_of(line, drawn))))
        else:
            lines.append(encode_line(withhold_finding(record)))
    leaves = [leaf_hash(line) for line in lines]
    return {
        "kind": "evidence",
        "name": "evidence-of-seven-answers-two-withheld",
        "lines": [line.decode() for line in lines],
        "leaves": [leaf.hex() for leaf in leaves],
        "root": "sha256:" + root_of(leaves).hex(),
        "openings": openings,
        "withheld": [["closed-0", [0, 1]], ["closed-1", [2, 3]]],
    }


def _choices() -> Iterable[dict[str, Any]]:
    for name, text, withheld, k in (
        ("one-of-one", "a", 1, 1),
        ("ten-of-a-hundred", "a public beacon", 100, 10),
        ("another-nonce", "another beacon", 100, 10),
        ("all-where-there-are-no-more", "a public beacon", 7, 300),
        ("none-of-none", "a public beacon", 0, 5),
        ("other-letters", "Zürich 東京 🙂", 100, 10),
        ("beyond-a-byte", "a public beacon", 70_000, 12),
    ):
        yield _choice(name, TextNonce(text), withheld, k)
    yield _choice("by-a-checkpoint", CheckpointNonce(_note()), 100, 10)


def _choice(name: str, nonce: TextNonce | CheckpointNonce, withheld: int, k: int) -> dict[str, Any]:
    root = "sha256:" + hashlib.sha256(b"a root").hexdigest()
    challenge = Challenge(MANIFEST, root, k, nonce)
    return {
        "kind": "choice",
        "name": f"choice-{name}",
        "challenge": challenge.bytes().decode(),
        "nonce_sha256": hashlib.sha256(nonce.data).hexdigest(),
        "withheld": withheld,
        "chosen": challenge.choose(withheld),
    }


def _note() -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from verilabel.evidence.keys import PrivateKey

    key = PrivateKey(Ed25519PrivateKey.from_private_bytes(b"\x07" * 32), "log.example")
    return sign_checkpoint(Checkpoint("log.example", 12, hashlib.sha256(b"a tree").digest()), key).decode()
