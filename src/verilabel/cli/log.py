"""Transparency logs: show, prove and check your own; serve it; submit to, and audit, anybody's.

Plans are logged before their run and labels after it. A proof shows anyone, offline, that an entry is in the log.
`check` recomputes your own log whole. `audit` does so for any log, behind an address or in a folder, and remembers what
it saw: a log that shows fewer entries than before (shrunk), changed an entry (rewritten), showed two parties two
histories (forked), or signed another tree than it serves (another_tree) is named, the signed checkpoints that show it
are kept, and the exit status is 4. Where nothing was found and a --peer could not be compared with, it is 8. Your own
log is in `$VERILABEL_HOME/log` (`~/.verilabel/log` where that is not set).

A served log takes entries at `POST /add`. It listens on loopback; elsewhere writers need a token, and TLS is the work
of a reverse proxy. Everything else is static: `log tiles` writes the same bytes for any web host.

examples:
  verilabel log key
  verilabel log show --last 10
  verilabel log prove 4 --out plan.tlog-proof
  verilabel log check --from-checkpoint kept-last-month.checkpoint
  verilabel log serve --log team-log --origin log.example.org --port 8400
  verilabel log witness add https://witness.example.net VKEY
  verilabel log refresh
  verilabel log submit out.bundle --log https://log.example.org
  verilabel log audit https://log.example.org --peer https://witness.example.net
  verilabel log tiles --out public/log
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli.console import add_json_flag, plain, print_json, print_table
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.evidence.log import LocalLog
    from verilabel.transparency.auditing import Audited
    from verilabel.transparency.remote import RemoteLog

SUMMARY = "transparency logs: show, prove, check; serve, submit and audit"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `log`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _configure_reading(actions)
    _configure_serving(actions)
    _configure_others(actions)


def _configure_reading(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    show = actions.add_parser("show", help="list entries", allow_abbrev=False)
    show.add_argument("--last", type=_count, metavar="N", help="only the last N entries")
    prove = actions.add_parser("prove", help="write the proof of one entry", allow_abbrev=False)
    prove.add_argument("number", type=_count, metavar="N", help="the entry's number, from 0")
    prove.add_argument("--out", type=Path, metavar="FILE", help="write it to a file instead of the screen")
    prove.add_argument("--force", action="store_true", help="replace the file")
    check = actions.add_parser("check", help="recompute the whole of your own log", allow_abbrev=False)
    check.add_argument(
        "--from-checkpoint",
        type=Path,
        metavar="FILE",
        help="a checkpoint of this log that was kept elsewhere: the log must still begin with what it covers",
    )
    tiles = actions.add_parser("tiles", help="write the log as files for any web host", allow_abbrev=False)
    tiles.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the files go")
    for action in (show, prove, check, tiles):
        action.add_argument("--log", metavar="FOLDER", help="another log than your own")
        add_json_flag(action)
    for action in (show, prove):
        action.add_argument("--log-key", metavar="VKEY|FILE", help="the key of a log behind an address")


def _configure_serving(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    key = actions.add_parser(
        "key",
        help="print the key that your log signs with; the log is made where there is none",
        allow_abbrev=False,
    )
    key.add_argument("--log", metavar="FOLDER", help="another log than your own")
    key.add_argument("--origin", metavar="NAME", help="the name of a new log")
    add_json_flag(key)
    serve = actions.add_parser("serve", help="serve a log over HTTP", allow_abbrev=False)
    serve.add_argument("--log", metavar="FOLDER", help="another log than your own; made where there is none")
    serve.add_argument(
        "--origin", metavar="NAME", help="the name of a new log: its address without https:// by custom"
    )
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    serve.add_argument(
        "--port", type=int, default=8400, metavar="P", help="port (default 8400; 0: any free one)"
    )
    serve.add_argument(
        "--token-env", metavar="VARIABLE", help="environment variable with the token that writers must send"
    )
    witness = actions.add_parser("witness", help="the witnesses of your own log", allow_abbrev=False)
    witness.add_argument("what", choices=("add", "remove", "list"), help="what to do")
    witness.add_argument("url", nargs="?", metavar="URL", help="where the witness answers")
    witness.add_argument(
        "key", nargs="?", metavar="VKEY", help="its key line, as `verilabel witness key` prints it"
    )
    refresh = actions.add_parser("refresh", help="ask witnesses for missing cosignatures", allow_abbrev=False)
    refresh.add_argument(
        "--bundle",
        type=Path,
        action="append",
        default=[],
        metavar="BUNDLE",
        help="replace this bundle's proofs that no witness cosigned (repeatable)",
    )
    for action in (serve, refresh):
        action.add_argument(
            "--witness",
            action="append",
            default=[],
            metavar="URL=VKEY",
            help="ask this witness too, besides those of log.yaml (repeatable)",
        )
    witness.add_argument("--log", metavar="FOLDER", help="another log than your own")
    refresh.add_argument("--log", metavar="FOLDER|URL", help="another log than your own")
    for action in (witness, refresh):
        add_json_flag(action)


def _configure_others(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    submit = actions.add_parser("submit", help="log a label's or a statement's digest", allow_abbrev=False)
    submit.add_argument("file", type=Path, metavar="BUNDLE|FILE", help="a bundle, or a signed statement")
    submit.add_argument("--log", metavar="URL|FOLDER", help="the log (default: your own)")
    submit.add_argument(
        "--log-key", metavar="VKEY|FILE", help="the log's key (default: the one it was met with)"
    )
    submit.add_argument(
        "--log-token-env", metavar="VARIABLE", help="environment variable with the log's token"
    )
    submit.add_argument(
        "--signer", type=Path, metavar="FILE", help="for a bare envelope: the key that signed it"
    )
    submit.add_argument("--out", type=Path, metavar="FILE", help="the proof (default: FILE.tlog-proof)")
    submit.add_argument(
        "--attach", action="store_true", help="also write the proof into the signed statement"
    )
    submit.add_argument("--force", action="store_true", help="replace a proof that is there")
    audit = actions.add_parser(
        "audit", help="recompute a log, and hold it against what was seen", allow_abbrev=False
    )
    audit.add_argument("log", nargs="?", metavar="URL|FOLDER", help="the log (default: your own)")
    audit.add_argument(
        "--log-key", metavar="VKEY|FILE", help="the log's key (default: the one it was met with)"
    )
    audit.add_argument(
        "--state", type=Path, metavar="DIR", help="what was seen of logs (default: $VERILABEL_HOME/logs)"
    )
    audit.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="URL|FILE",
        help="a mirror, a witness, or a kept checkpoint to compare with (repeatable)",
    )
    audit.add_argument("--incremental", action="store_true", help="read only what came since the last audit")
    for action in (submit, audit):
        add_json_flag(action)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 up")
    return int(text)


def run(args: argparse.Namespace) -> ExitStatus:
    """Carry out one action."""
    own = {"key": _key, "check": _check, "tiles": _tiles, "witness": _witness, "refresh": _refresh}
    if args.action in own:
        own[args.action](args)
        return ExitStatus.OK
    if args.action == "audit":
        return _audit(args)
    {"show": _show, "prove": _prove, "serve": _serve, "submit": _submit}[args.action](args)
    return ExitStatus.OK


def _tell(message: str) -> None:
    print(plain(message), file=sys.stderr, flush=True)


def _open_own(args: argparse.Namespace) -> LocalLog:
    from verilabel.evidence.log import LocalLog
    from verilabel.transparency.opening import local_folder, url_of

    if url_of(args.log) is not None:
        raise UsageError(
            f"`log {args.action}` is for a log in a folder", where=args.log, hint="verilabel log audit URL"
        )
    return LocalLog.open(local_folder(args.log))


def _open_for_reading(args: argparse.Namespace) -> LocalLog | RemoteLog:
    from verilabel.transparency.opening import url_of
    from verilabel.transparency.remote import RemoteLog, read_log_key

    if (url := url_of(args.log)) is None:
        return _open_own(args)
    key = None if args.log_key is None else read_log_key(args.log_key)
    return RemoteLog.open(url, key=key, tell=_tell)


# -- reading


def _key(args: argparse.Namespace) -> None:
    from verilabel.transparency.opening import open_local_log

    with open_local_log(args.log, "verilabel", origin=args.origin) as log:
        key = log.public_key
    if args.json:
        print_json({"origin": key.name, "keyid": key.keyid, "line": key.line})
    else:
        print(key.line)


def _show(args: argparse.Namespace) -> None:
    with _open_for_reading(args) as log:
        size, public = log.size, log.public_key
        entries = log.entries(0 if args.last is None else max(0, size - args.last))
    if args.json:
        print_json(
            {
                "origin": public.name,
                "keyid": public.keyid,
                "size": size,
                "entries": [
                    {"number": e.number, "kind": e.entry.kind, "digest": e.entry.digest, "logged": e.logged}
                    for e in entries
                ],
            }
        )
        return
    print(f"{plain(public.name)}: {size} entries, signed with {public.keyid}")
    if entries:
        print_table(
            ["number", "logged", "kind", "digest"],
            [[e.number, e.logged or "", e.entry.kind, e.entry.digest] for e in entries],
        )


def _prove(args: argparse.Namespace) -> None:
    from verilabel.evidence.atomic import write_file

    with _open_for_reading(args) as log:
        proof = log.prove(args.number)
    text = proof.bytes().decode("utf-8")
    if args.out is None and not args.json and any(plain(line) != line for line in text.split("\n")):
        raise UsageError("the proof holds characters that a terminal may obey", hint="--out FILE, or --json")
    if args.out is not None:
        write_file(args.out, proof.bytes(), overwrite=args.force)
    if args.json:
        print_json({"number": args.number, "out": args.out, "proof": text})
    elif args.out is None:
        sys.stdout.write(text)
    else:
        print(f"wrote the proof of entry {args.number} to {args.out}")


def _check(args: argparse.Namespace) -> None:
    from verilabel.evidence.note import MAX_NOTE_BYTES

    against = None
    if args.from_checkpoint is not None:
        with args.from_checkpoint.open("rb") as file:
            against = file.read(MAX_NOTE_BYTES + 1)
    with _open_own(args) as log:
        audit = log.audit(against=against)
    if args.json:
        print_json(
            {
                "origin": audit.origin,
                "keyid": audit.keyid,
                "size": audit.size,
                "root": audit.root,
                "checkpoints": audit.checkpoints,
                "from_checkpoint": args.from_checkpoint,
            }
        )
        return
    print(f"{plain(audit.origin)}: all {audit.size} entries and {audit.checkpoints} signed checkpoints hold")
    print(f"  root  {audit.root}")
    print(f"  key   {audit.keyid}")
    if args.from_checkpoint is None:
        print("  a log that was rewritten whole, with its key, is seen only with --from-checkpoint")
    else:
        print(f"  it still begins with what {args.from_checkpoint} covers")


def _tiles(args: argparse.Namespace) -> None:
    from verilabel.transparency.local_tiles import write_tiles

    with _open_own(args) as log:
        written = write_tiles(log, args.out)
        origin, size = log.origin, log.size
    if args.json:
        print_json({"origin": origin, "size": size, "written": written, "out": args.out})
    else:
        print(f"{plain(origin)}: {size} entries as files in {args.out}, {written} of them new")


# -- serving


def _serve(args: argparse.Namespace) -> None:
    from verilabel import serving
    from verilabel.transparency.configuration import parse_witness, read_configuration
    from verilabel.transparency.log_server import LogService
    from verilabel.transparency.opening import open_local_log, url_of
    from verilabel.transparency.witnessed import WitnessedLog

    serving.require_server()
    if url_of(args.log) is not None:
        raise UsageError("a log is served from its folder", where=args.log)
    token = serving.read_token(args.token_env)
    serving.check_listening(args.host, token)
    given = [parse_witness(text) for text in args.witness]
    with open_local_log(args.log, "verilabel", origin=args.origin) as log:
        folder, key, size = log.path, log.public_key, log.size
        witnesses = [*read_configuration(folder), *given]
        WitnessedLog(log, witnesses, warn=_tell)  # refuses witnesses that are none before anything is served

    def open_witnessed() -> WitnessedLog:
        return WitnessedLog(open_local_log(args.log, "verilabel"), witnesses, warn=_tell)

    listener = serving.listen(args.host, args.port)
    service = LogService(folder, open_witnessed, token)

    def announce(url: str) -> None:
        print(f"serving {plain(key.name)}, {size} entries, at {url}", flush=True)
        print(f"  key        {key.line}", flush=True)
        print(f"  witnesses  {', '.join(w.key.name for w in witnesses) or 'none'}", flush=True)

    try:
        serving.serve(service.application(), listener, announce=announce)
    finally:
        service.close()


def _witness(args: argparse.Namespace) -> None:
    from verilabel.transparency.configuration import (
        check_witnesses,
        make_address,
        read_configuration,
        write_configuration,
    )

    with _open_own(args) as log:
        folder, key = log.path, log.public_key
    witnesses = list(read_configuration(folder))
    if args.what == "add":
        if args.url is None or args.key is None:
            raise UsageError("which witness?", hint="verilabel log witness add URL VKEY")
        witnesses.append(make_address(args.url, args.key, where="VKEY"))
        check_witnesses(witnesses, key, where=str(folder))
        write_configuration(folder, witnesses)
    elif args.what == "remove":
        kept = [w for w in witnesses if args.url not in (w.url, w.key.name, w.key.line)]
        if len(kept) == len(witnesses):
            raise UsageError(
                "this log has no such witness", where=args.url, hint="verilabel log witness list"
            )
        witnesses = kept
        write_configuration(folder, witnesses)
    if args.json:
        print_json({"witnesses": [{"url": w.url, "key": w.key.line} for w in witnesses]})
    elif witnesses:
        print_table(["witness", "url", "key"], [[w.key.name, w.url, w.key.line] for w in witnesses])
    else:
        print("this log has no witness: its keeper alone vouches for its order")


def _refresh(args: argparse.Namespace) -> None:
    from verilabel.transparency.configuration import parse_witness
    from verilabel.transparency.opening import refresh_place

    given = [parse_witness(text) for text in args.witness]
    cosigned, replaced = refresh_place(args.log, args.bundle, witnesses=given, tell=_tell)
    if args.json:
        print_json(
            {
                "size": cosigned.size,
                "cosigned_by": cosigned.names,
                "missing": {f.witness.key.name: f.why for f in cosigned.failures},
                "bundles": {str(bundle): proofs for bundle, proofs in replaced.items()},
            }
        )
    else:
        print(f"{cosigned.size} entries, cosigned by {', '.join(cosigned.names) or 'nobody'}")
        for bundle, proofs in replaced.items():
            print(
                f"{bundle}: {', '.join(proofs) + ' replaced' if proofs else 'its proofs are cosigned already'}"
            )
    if cosigned.failures:
        raise UsageError(f"{len(cosigned.failures)} witnesses did not cosign", hint="ask again later")


# -- submitting and auditing


def _submit(args: argparse.Namespace) -> None:
    from verilabel.evidence.atomic import write_file
    from verilabel.evidence.keys import load_public
    from verilabel.evidence.others.signed import with_proof
    from verilabel.transparency.opening import open_log_at
    from verilabel.transparency.submitting import read_submission

    submission = read_submission(args.file, None if args.signer is None else load_public(args.signer))
    if args.attach and submission.signed is None:
        raise UsageError(
            "only a signed statement holds its own proof", where=str(args.file), hint="--out FILE"
        )
    out = args.out or args.file.with_name(f"{args.file.name}.tlog-proof")
    if out.exists() and not args.force:
        raise UsageError("there is a proof here already", where=str(out), hint="another --out, or --force")
    with open_log_at(
        args.log,
        "verilabel",
        key=args.log_key,
        token_variable=args.log_token_env,
        tell=_tell,
        environ=os.environ,
    ) as log:
        proof = log.append(submission.entry)
        key = log.public_key
    write_file(out, proof.bytes(), overwrite=args.force)
    if args.attach and submission.signed is not None:
        write_file(args.file, with_proof(submission.signed, key, proof.bytes()).data, overwrite=True)
    if args.json:
        print_json(
            {
                "number": proof.index,
                "kind": submission.entry.kind,
                "digest": submission.entry.digest,
                "log": key.line,
                "out": out,
            }
        )
    else:
        print(f"{plain(submission.what)} is entry {proof.index} of {plain(key.name)}; proof: {out}")


def _audit(args: argparse.Namespace) -> ExitStatus:
    from verilabel.transparency.opening import audit_place
    from verilabel.transparency.remote import read_log_key

    audited = audit_place(
        args.log,
        key=None if args.log_key is None else read_log_key(args.log_key),
        state=args.state,
        peers=args.peer,
        incremental=args.incremental,
        tell=_tell,
    )
    if args.json:
        import msgspec

        print_json(msgspec.to_builtins(audited, enc_hook=str))
    else:
        _print_audit(audited)
    if audited.findings:
        return ExitStatus.SEAL
    return ExitStatus.OK if all(peer.was_compared for peer in audited.peers) else ExitStatus.UNDETERMINED


def _print_audit(audited: Audited) -> None:
    print(f"{plain(audited.origin)}: {audited.size} entries, root {audited.root[:16]}..., {audited.keyid}")
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(audited.kinds.items()))
    print(f"  read       {audited.entries_read} entries{f' ({kinds})' if kinds else ''}")
    print(f"  compared   {audited.tiles_compared} tiles")
    seen = "met for the first time" if audited.earlier is None else f"{audited.earlier} entries seen before"
    print(f"  memory     {seen}")
    for peer in audited.peers:
        size = "" if peer.size is None else f"{peer.size} entries, "
        print(f"  peer       {plain(peer.peer)}: {size}{plain(peer.outcome)}")
    for number, digest in audited.statements:
        print(f"  statement  entry {number}: {digest}")
    for finding in audited.findings:
        print(f"  {finding.kind.upper()}: {plain(finding.message)}")
        print(f"    kept in {finding.evidence}")
    if not audited.findings:
        silent = sum(not peer.was_compared for peer in audited.peers)
        asked = f"{silent} of {len(audited.peers)} peers could not be compared with"
        others = "; nobody else was asked (--peer)" if not audited.peers else f"; {asked}" if silent else ""
        print(f"  all of it holds{others}")
