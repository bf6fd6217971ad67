"""What the commands that sign statements share, or lean on signed ones: the key, the log, the files."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli import seal_options
from verilabel.cli.console import plain, print_json
from verilabel.errors import UsageError

if TYPE_CHECKING:
    from verilabel.evidence.keys import PrivateKey
    from verilabel.evidence.others.attestation import EvidenceReference, Predicate
    from verilabel.evidence.others.signed import Signed
    from verilabel.evidence.verification import Verification


def add_signing_options(parser: ArgumentParser, *, required: bool = True) -> None:
    """Options that say who signs a statement, where it is logged and where it goes."""
    group = parser.add_argument_group("signing")
    group.add_argument("--out", type=Path, required=required, metavar="FILE", help="the signed statement")
    group.add_argument(
        "--key",
        metavar="NAME|FILE",
        default="default" if required else None,
        help="signing key" + (" (default: the key named default)" if required else ""),
    )
    group.add_argument(
        "--passphrase-env", metavar="VARIABLE", help="environment variable with the key's passphrase"
    )
    group.add_argument(
        "--log", metavar="DIR|URL", help="also log the statement's digest there, and keep the proof with it"
    )
    group.add_argument("--log-key", metavar="VKEY|FILE", help="the key of the log at an address")
    group.add_argument(
        "--log-token-env",
        metavar="VARIABLE",
        help="environment variable with the token that the log asks for",
    )
    group.add_argument("--force", action="store_true", help="replace what is at --out")


def add_attestation_option(parser: ArgumentParser) -> None:
    """The option that names signed findings which attested rows ask for."""
    parser.add_argument(
        "--attestation",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="a signed finding that the rubric asks for, from `verilabel attest`, or the signed audit of its training "
        "data (repeatable)",
    )


def load_findings(args: Namespace) -> list[Signed]:
    """The signed findings and audits that --attestation names, where a command has it.

    Raises MalformedInput for a file that is neither.
    """
    from verilabel.evidence.others.given import finding_of, is_audit
    from verilabel.evidence.others.signed import load_signed

    found = [load_signed(path) for path in getattr(args, "attestation", [])]
    for path, signed in zip(getattr(args, "attestation", []), found, strict=True):
        if not is_audit(signed):
            finding_of(signed, str(path))
    return found


def check_statement_out(args: Namespace) -> None:
    """Check that the statement may be written. Raises UsageError where it may not."""
    if args.out is None:
        raise UsageError("where shall the statement go?", hint="--out FILE")
    if args.out.is_dir() or (args.out.exists() and not args.force):
        raise UsageError(
            "there is something here already", where=str(args.out), hint="choose another --out, or --force"
        )


def sign_and_write(args: Namespace, key: PrivateKey, name: str, about: str, predicate: Predicate) -> Signed:
    """Sign a statement about a digest, log it where --log says, and write it to --out."""
    from verilabel.evidence.atomic import write_file
    from verilabel.evidence.others.attestation import build_attestation
    from verilabel.evidence.others.signed import entry_of, sign_attestation, with_proof

    signed = sign_attestation(build_attestation(name, about, predicate), key)
    if args.log is not None:
        with seal_options.open_log(
            args.log, key.name, log_key=args.log_key, token_variable=args.log_token_env
        ) as log:
            proof = log.append(entry_of(signed.attestation))
            signed = with_proof(signed, log.public_key, proof.bytes())
    write_file(args.out, signed.data, overwrite=args.force)
    return signed


def print_signed(args: Namespace, signed: Signed, says: str, *, attach_to: Path | None = None) -> None:
    """Print what was signed and what to do with it."""
    if args.json:
        print_json(
            {
                "kind": signed.attestation.kind,
                "statement": str(args.out),
                "digest": signed.attestation.digest,
                "about": signed.attestation.about,
                "signer": signed.signer.name,
                "keyid": signed.signer.keyid,
                "logged": signed.proof is not None,
            }
        )
        return
    print(plain(says))
    print(f"{signed.attestation.kind} {signed.attestation.digest}, signed by {signed.signer.name}")
    print(f"statement: {args.out}" + (" (logged)" if signed.proof is not None else ""))
    if attach_to is not None:
        print(f"attach: verilabel statements attach {attach_to} {args.out}")


def now_seconds() -> datetime:
    """The present moment in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def verify_for(args: Namespace, path: Path, *, trusted: bool = True) -> Verification:
    """Verify a bundle as every command does; `trusted` asks the trust policy of the command, where it has one."""
    from verilabel.detectors.catalogue import find_card
    from verilabel.evidence.verifier import verify_bundle
    from verilabel.suites.loading import find_suite

    trust = seal_options.open_trust(args) if trusted and hasattr(args, "trust") else None
    return verify_bundle(path, trust=trust, now=datetime.now(UTC), find_card=find_card, find_suite=find_suite)


def text_or_file(value: str) -> str:
    """A text, or the contents of the file that is named after an @. Raises UsageError for what is not UTF-8."""
    if not value.startswith("@"):
        return value
    try:
        return Path(value[1:]).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"not UTF-8 at byte {error.start}", where=value[1:]) from error


def evidence_of(files: Sequence[Path]) -> tuple[EvidenceReference, ...]:
    """Names and digests of files that a statement points to. Raises UsageError for two of one name."""
    from verilabel.evidence.others.attestation import EvidenceReference

    names = [file.name for file in files]
    if len(set(names)) != len(names):
        raise UsageError(f"two pieces of evidence are called {max(names, key=names.count)!r}")
    return tuple(EvidenceReference(file.name, _digest_of(file)) for file in files)


def _digest_of(file: Path) -> str:
    import hashlib

    with file.open("rb") as data:
        return f"sha256:{hashlib.file_digest(data, 'sha256').hexdigest()}"
