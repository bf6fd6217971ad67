"""Weights by their OpenSSF model-signing root: the digest that model signatures and labels have in common.

The package `model-signing` (extra `model-signing`) hashes every file of a model folder; the root is the SHA-256 over
the SHA-256 of its files in path order, which is the subject digest of the signatures that it makes (OpenSSF Model
Signing v1.0). A label whose descriptor has this digest is for the weights that the signature is for. The root covers
the files' contents and their order, not their names; the signature covers both.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from verilabel.errors import MalformedInput, MissingExtra, SealError, UsageError
from verilabel.records.canonical import DIGEST_PREFIX, is_digest, parse_json

MAX_SIGNATURE_BYTES = 64 * 2**20


def weights_root(folder: Path) -> str:
    """The model-signing root of a model folder, `sha256:HEX`. Files of git are left out, as its signer does.

    Raises MissingExtra without the package, UsageError where there is no folder or nothing in it.
    """
    hashing = _package().hashing
    if not folder.is_dir():
        raise UsageError("there is no folder of weights", where=str(folder))
    manifest = hashing.hash(folder)
    root = hashlib.sha256()
    files = 0
    for descriptor in manifest.resource_descriptors():
        root.update(descriptor.digest.digest_value)
        files += 1
    if not files:
        raise UsageError("there are no weights in this folder", where=str(folder))
    return DIGEST_PREFIX + root.hexdigest()


def check_signature(folder: Path, signature: Path, public_key: Path) -> str:
    """Verify a model signature made with an elliptic-curve key, offline; return the root that it signed.

    A signature may say itself which files it leaves out; it must be about all of the folder. Raises MissingExtra
    without the package, MalformedInput for what is no signature file, SealError where the signature does not hold or
    the folder is not the signed one.
    """
    verifying = _package().verifying
    root = _signed_root(signature)
    config = verifying.Config().use_elliptic_key_verifier(public_key=public_key)
    try:
        config.verify(folder, signature)
    except OSError:  # a file that cannot be read says nothing of the signature
        raise
    except Exception as error:  # the package raises ValueError, sigstore's and cryptography's errors
        raise SealError(f"the model signature does not hold: {error}", where=str(signature)) from None
    if root != weights_root(folder):
        raise SealError(
            "the signature holds, but it leaves out some of the folder's files, or hashes them in another way",
            where=str(signature),
            hint="files that a signature leaves out can be anybody's",
        )
    return root


def _signed_root(signature: Path) -> str:
    where = str(signature)
    try:
        data = signature.read_bytes()
    except FileNotFoundError:
        raise UsageError("there is no model signature", where=where) from None
    bundle = parse_json(data, where=where, max_bytes=MAX_SIGNATURE_BYTES)
    try:
        payload = base64.b64decode(bundle["dsseEnvelope"]["payload"], validate=True)
        statement = parse_json(payload, where=where, max_bytes=MAX_SIGNATURE_BYTES)
        root = DIGEST_PREFIX + str(statement["subject"][0]["digest"]["sha256"])
    except (KeyError, TypeError, IndexError, ValueError):
        raise MalformedInput("not a model signature", where=where) from None
    if not is_digest(root):
        raise MalformedInput("not a model signature: its subject has no SHA-256", where=where)
    return root


def _package() -> Any:
    try:
        import model_signing
    except ImportError as error:
        # version 1.1.1 imports pyOpenSSL and does not ask for it
        lacking = "pyOpenSSL" if (error.name or "").partition(".")[0] == "OpenSSL" else "model-signing"
        raise MissingExtra(lacking, "model-signing") from None
    return model_signing
