"""What other authorities say of a label, for `verilabel keys`: Sigstore identities, time stamps, model signatures."""

from __future__ import annotations

import argparse
from http import HTTPStatus
from pathlib import Path

from verilabel.cli.console import print_json
from verilabel.errors import CheckFailed, ModelError, UsageError
from verilabel.evidence import layout

MAX_FILE_BYTES = 4 * 2**20


def run(args: argparse.Namespace) -> None:
    """Carry out one of vouch, timestamp, weights."""
    {"vouch": _vouch, "timestamp": _stamp, "weights": _weights}[args.action](args)


def _vouch(args: argparse.Namespace) -> None:
    from verilabel.evidence.atomic import write_file
    from verilabel.evidence.identities.keyless import verify_keyless
    from verilabel.evidence.trust import SigstoreIdentity

    payload = _statement_bytes(args.bundle)
    if args.payload is not None:
        if args.payload.exists():
            raise UsageError("there is something here already", where=str(args.payload))
        write_file(args.payload, payload)
        _say(
            args,
            {"payload": str(args.payload)},
            f"wrote the statement to {args.payload}; sign it with Sigstore",
        )
        return
    if args.sigstore is None or args.identity is None or args.issuer is None:
        raise UsageError(
            "a signature needs its file and who made it", hint="--sigstore FILE --identity WHO --issuer URL"
        )
    data = _read(args.sigstore)
    root = None if args.trusted_root is None else _read(args.trusted_root)
    identity = SigstoreIdentity(args.identity, args.issuer)
    verify_keyless(data, payload, [identity], trusted_root=root, where=str(args.sigstore))
    _put(args.bundle, layout.KEYLESS, data)
    _say(
        args, {"identity": args.identity, "issuer": args.issuer}, f"{args.identity} vouches for {args.bundle}"
    )


def _stamp(args: argparse.Namespace) -> None:
    from verilabel.evidence.identities.timestamps import check_meant, timestamp_query
    from verilabel.transparency.fetching import check_url, send_request

    _require_folder(args.bundle)
    payload = _statement_bytes(args.bundle)
    query = timestamp_query(payload)
    url = check_url(args.tsa, may_be_plain=True, what="time-stamp authority")
    answer = send_request(url, body=query, headers={"Content-Type": "application/timestamp-query"})
    if answer.status != HTTPStatus.OK:
        raise ModelError(f"the authority answers with status {answer.status}: {answer.text}", where=url)
    check_meant(answer.body, payload, where=url)
    _put(args.bundle, layout.TIMESTAMP, answer.body)
    _say(
        args, {"tsa": args.tsa}, f"{args.tsa} stamped {args.bundle}; name it in your trust policy to check it"
    )


def _weights(args: argparse.Namespace) -> None:
    from verilabel.evidence.container import open_container
    from verilabel.evidence.identities.weights import check_signature, weights_root
    from verilabel.evidence.reading import read_system

    if (args.signature is None) != (args.public_key is None):
        raise UsageError("a signature and the key that made it go together", hint="--signature --public-key")
    root = weights_root(args.folder)
    if args.signature is not None:
        check_signature(args.folder, args.signature, args.public_key)
    if args.bundle is not None:
        with open_container(args.bundle) as container:
            bound = read_system(container).weights
        if bound != root:
            raise CheckFailed(f"the label is for other weights: {bound}", where=str(args.bundle))
    document = {"root": root, "signed": args.signature is not None, "label": args.bundle is not None}
    signed = "; the signature holds" if args.signature else ""
    labelled = "; the bundle's label is for them" if args.bundle else ""
    _say(args, document, f"{root}{signed}{labelled}")


def _statement_bytes(bundle: Path) -> bytes:
    from verilabel.evidence.container import open_container
    from verilabel.evidence.envelope import open_envelope
    from verilabel.evidence.keys import parse_public_file
    from verilabel.evidence.reading import read_document

    with open_container(bundle) as container:
        if layout.ATTESTATION not in container.sizes:
            raise UsageError("this bundle is not signed", where=str(bundle))
        key = parse_public_file(read_document(container, layout.SIGNER_KEY), where=layout.SIGNER_KEY)
        return open_envelope(read_document(container, layout.ATTESTATION), [key]).payload


def _put(bundle: Path, path: str, data: bytes) -> None:
    from verilabel.evidence.atomic import write_file

    _require_folder(bundle)
    write_file(bundle / path, data)


def _require_folder(bundle: Path) -> None:
    if not bundle.is_dir():
        raise UsageError("this is done to a bundle that is a folder", where=str(bundle))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise UsageError("there is no such file", where=str(path)) from None
    if len(data) > MAX_FILE_BYTES:
        raise UsageError(f"over {MAX_FILE_BYTES} bytes", where=str(path))
    return data


def _say(args: argparse.Namespace, document: dict[str, object], text: str) -> None:
    if args.json:
        print_json(document)
    else:
        print(text)
