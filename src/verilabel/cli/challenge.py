"""Choose withheld answers of a sealed bundle by a nonce; their owner answers with `verilabel open`.

The nonce must be one that the owner could not foresee when the bundle was logged. Best is one of your own: without
--nonce and --checkpoint a random one is drawn. To convince others too, take a value that nobody chose and that was
announced before, such as the output of a public beacon (--nonce), or a later checkpoint of the label's log, where
somebody else keeps that log (--checkpoint, a checkpoint file or the log's folder).

300 opened answers find 1 % altered ones with a probability of 95 %.

examples:
  verilabel challenge public.bundle --out challenge.json
  verilabel challenge public.bundle -k 300 --nonce "beacon round 4711: 7d2c51e0" --out challenge.json
  verilabel challenge public.bundle -k 300 --checkpoint log --out challenge.json
"""

from __future__ import annotations

import secrets
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli import seal_options
from verilabel.cli.console import add_json_flag, plain, print_json
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.evidence.container import Container
    from verilabel.evidence.sealed.challenge import CheckpointNonce, TextNonce

SUMMARY = "choose withheld records by a public nonce that nobody could foresee"
FLAG_SAYS = {
    "nonce_chosen": "whoever chose the nonce could have known the records; it convinces who knows how it was chosen",
    "nonce_order_unproved": "nothing shows that the checkpoint was made after the label was logged",
    "nonce_of_unpinned_log": "whoever keeps the log could have tried entries until the choice pleased",
}


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("bundle", type=Path, help="the sealed bundle: a folder or a .zip")
    parser.add_argument("-k", type=int, default=300, metavar="N", help="answers to open (default 300)")
    nonce = parser.add_mutually_exclusive_group()
    nonce.add_argument("--nonce", metavar="TEXT", help="the nonce (default: 32 random bytes)")
    nonce.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE|LOG",
        help="a later checkpoint of the label's log, or its folder",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the challenge")
    parser.add_argument("--force", action="store_true", help="replace what is at --out")
    seal_options.add_trust_option(parser)
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Write the challenge."""
    from verilabel.evidence.atomic import write_file
    from verilabel.evidence.container import open_container
    from verilabel.evidence.sealed.challenge import check_challenge, make_challenge
    from verilabel.evidence.sealed.opening import withheld_answers
    from verilabel.evidence.verifier import verify_bundle

    if args.k < 1:
        raise UsageError("at least one answer must be opened", where=f"-k {args.k}")
    found = verify_bundle(args.bundle, trust=seal_options.open_trust(args), now=datetime.now(UTC))
    with open_container(args.bundle) as container:
        challenge = make_challenge(container, found, args.k, _nonce(args, container))
        flags = check_challenge(container, found, challenge, where=str(args.out))
        withheld = len(withheld_answers(container))
    data = challenge.bytes()
    write_file(args.out, data, overwrite=args.force)
    chosen = challenge.choose(withheld)
    if args.json:
        print_json(
            {"challenge": str(args.out), "withheld_answers": withheld, "chosen": chosen, "flags": list(flags)}
        )
        return ExitStatus.OK
    print(plain(f"{args.out}: {len(chosen)} of {withheld} withheld answers chosen"))
    print_flags(flags)
    return ExitStatus.OK


def print_flags(flags: tuple[str, ...]) -> None:
    """Print what a challenge's nonce leaves open."""
    for flag in flags:
        print(f"flag {flag}: {FLAG_SAYS[flag]}")


def _nonce(args: Namespace, container: Container) -> TextNonce | CheckpointNonce:
    from verilabel.evidence.sealed.challenge import CheckpointNonce, TextNonce

    if args.checkpoint is None:
        if args.nonce is not None and not args.nonce.strip():
            raise UsageError("an empty nonce chooses nothing", where="--nonce")
        return TextNonce(args.nonce or secrets.token_hex(32))
    note, proof = _read_checkpoint(args.checkpoint, container)
    try:
        return CheckpointNonce(note.decode("utf-8"), proof)
    except UnicodeDecodeError as error:
        raise UsageError("not a checkpoint", where=str(args.checkpoint)) from error


def _read_checkpoint(path: Path, container: Container) -> tuple[bytes, tuple[str, ...]]:
    """The note, and the proof that the log only grew up to it where the log itself is at hand."""
    from verilabel.evidence.log import LocalLog
    from verilabel.evidence.note import MAX_NOTE_BYTES, parse_checkpoint_text, parse_note
    from verilabel.evidence.sealed.challenge import encode_hash, label_checkpoint

    if not path.is_dir():
        with path.open("rb") as file:
            return file.read(MAX_NOTE_BYTES + 1), ()
    logged = label_checkpoint(container)
    with LocalLog.open(path) as log:
        note = log.checkpoint_note()
        size = parse_checkpoint_text(parse_note(note).text).size
        if size <= logged.size:
            raise UsageError(
                "nothing was logged after the label, so no checkpoint is later",
                where=str(path),
                hint="--nonce TEXT",
            )
        return note, tuple(encode_hash(item) for item in log.consistency(logged.size, size))
