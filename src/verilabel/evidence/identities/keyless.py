"""Sigstore identities: who a certificate of Sigstore says signed a label's statement, verified offline.

Beside its Ed25519 signature a label may carry `attestations/label.sigstore.json`: a Sigstore bundle over the exact
bytes of the statement, made by `cosign sign-blob`, `sigstore sign` or any other client. It is verified (certificate
chain, certificate transparency, log entry, signature) against a trust root that the reader's policy names, or the
public-good instance's that comes with the package `sigstore` (extra `sigstore`); never against one of the bundle's.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from verilabel.errors import MalformedInput, MissingExtra, SealError
from verilabel.evidence.trust import SigstoreIdentity

MAX_SIGSTORE_BYTES = 2**20


def verify_keyless(
    bundle: bytes,
    payload: bytes,
    identities: Sequence[SigstoreIdentity],
    *,
    trusted_root: bytes | None = None,
    where: str = "sigstore",
) -> SigstoreIdentity:
    """The first of `identities` that signed exactly `payload`. `trusted_root` is a Sigstore trusted_root.json.

    Opens no connection. Raises MissingExtra without the package, MalformedInput for what is no Sigstore bundle,
    SealError where it does not hold or somebody else signed.
    """
    try:
        from sigstore.errors import Error, VerificationError
        from sigstore.models import Bundle, InvalidBundle
        from sigstore.verify import Verifier
        from sigstore.verify.policy import Identity
    except ImportError:
        raise MissingExtra("sigstore", "sigstore") from None
    if len(bundle) > MAX_SIGSTORE_BYTES:
        raise MalformedInput(f"over {MAX_SIGSTORE_BYTES} bytes", where=where)
    try:
        parsed = Bundle.from_json(bundle)
    except (InvalidBundle, ValueError) as error:
        raise MalformedInput(f"not a Sigstore bundle: {_first_line(error)}", where=where) from None
    root = _open_root(trusted_root)
    try:
        verifier = Verifier(trusted_root=root)
    except (VerificationError, Error, ValueError) as error:
        raise MalformedInput(
            f"not a Sigstore trusted root: {_first_line(error)}", where="trusted root"
        ) from None
    reasons = []
    for identity in identities:
        policy = Identity(identity=identity.identity, issuer=identity.issuer)
        try:
            verifier.verify_artifact(payload, parsed, policy)
        except (VerificationError, Error, ValueError) as error:
            reasons.append(f"{identity.identity}: {_first_line(error)}")
            continue
        return identity
    raise SealError(
        "the Sigstore signature is not one of an identity that the trust policy names",
        where=where,
        hint="; ".join(reasons) or None,
    )


def _open_root(trusted_root: bytes | None) -> Any:
    from sigstore.errors import Error
    from sigstore.models import ClientTrustConfig, TrustedRoot

    if trusted_root is None:
        logging.getLogger("sigstore").setLevel(
            logging.ERROR
        )  # it warns that it stays offline, which is meant
        return ClientTrustConfig.production(offline=True).trusted_root
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(trusted_root)
        file.flush()
        try:
            return TrustedRoot.from_file(Path(file.name).as_posix())
        except (Error, ValueError) as error:
            raise MalformedInput(
                f"not a Sigstore trusted root: {_first_line(error)}", where="trusted root"
            ) from None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
