"""A miniature Sigstore instance: an authority, a certificate log and a signature log with keys of their own.

It issues real certificates with certificate-transparency time stamps and real log entries with inclusion proofs and
promises, all offline, so that the verifying client can be tried against everything that may be wrong with them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from verilabel.records.canonical import jcs

WHEN = datetime(2026, 11, 1, 12, 0, 0, tzinfo=UTC)
_SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ORIGIN = "rekor.example - 1"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _octets(data: bytes) -> bytes:
    """The content of a DER OCTET STRING with its length, of at most two bytes."""
    length = bytes([len(data)]) if len(data) < 128 else b"\x82" + struct.pack("!H", len(data))
    return length + data


def _new() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class Instance:
    """Keys of one instance; two instances know nothing of each other."""

    authority: ec.EllipticCurvePrivateKey = field(default_factory=_new)
    certificate_log: ec.EllipticCurvePrivateKey = field(default_factory=_new)
    signature_log: ec.EllipticCurvePrivateKey = field(default_factory=_new)

    def __post_init__(self) -> None:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sigstore.example")])
        self._name = name
        self.root = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.authority.public_key())
            .serial_number(1)
            .not_valid_before(WHEN - timedelta(days=300))
            .not_valid_after(WHEN + timedelta(days=3000))
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(_usage(sign=False), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self.authority.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority.public_key()),
                critical=False,
            )
            .sign(self.authority, hashes.SHA256())
        )

    def trusted_root(self) -> bytes:
        """The instance's trusted_root.json."""

        def log(key: ec.EllipticCurvePrivateKey, url: str) -> dict[str, Any]:
            return {
                "baseUrl": url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": _b64(_spki(key)),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": {"start": "2026-01-01T00:00:00Z"},
                },
                "logId": {"keyId": _b64(hashlib.sha256(_spki(key)).digest())},
            }

        document = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(self.signature_log, "https://rekor.example")],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "example", "commonName": "sigstore.example"},
                    "uri": "https://fulcio.example",
                    "certChain": {
                        "certificates": [
                            {"rawBytes": _b64(self.root.public_bytes(serialization.Encoding.DER))}
                        ]
                    },
                    "validFor": {"start": "2026-01-01T00:00:00Z"},
                }
            ],
            "ctlogs": [log(self.certificate_log, "https://ct.example")],
            "timestampAuthorities": [],
        }
        return json.dumps(document).encode()

    def sign(
        self, payload: bytes, identity: str, issuer: str, *, logged_s: int = 60, **changes: object
    ) -> bytes:
        """A Sigstore bundle over `payload`; `logged_s` is how long after the certificate it was logged.

        `changes`: `entry_payload` logs a signature of other bytes; `promise` is another signed promise.
        """
        key = _new()
        certificate = self._issue(key, identity, issuer)
        signature = key.sign(payload, ec.ECDSA(hashes.SHA256()))
        entry = _entry_body(certificate, signature, changes.get("entry_payload", payload))  # type: ignore[arg-type]
        integrated = int(WHEN.timestamp()) + logged_s
        log_id = hashlib.sha256(_spki(self.signature_log)).digest()
        promise = changes.get("promise") or self.signature_log.sign(
            jcs({"body": _b64(entry), "integratedTime": integrated, "logID": log_id.hex(), "logIndex": 0}),
            ec.ECDSA(hashes.SHA256()),
        )
        leaf = hashlib.sha256(b"\0" + entry).digest()
        document = {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": _b64(certificate.public_bytes(serialization.Encoding.DER))},
                "tlogEntries": [
                    {
                        "logIndex": "0",
                        "logId": {"keyId": _b64(log_id)},
                        "kindVersion": {"kind": "hashedrekord", "version": "0.0.1"},
                        "integratedTime": str(integrated),
                        "inclusionPromise": {"signedEntryTimestamp": _b64(promise)},  # type: ignore[arg-type]
                        "inclusionProof": {
                            "logIndex": "0",
                            "rootHash": _b64(leaf),
                            "treeSize": "1",
                            "hashes": [],
                            "checkpoint": {"envelope": self._checkpoint(leaf, log_id)},
                        },
                        "canonicalizedBody": _b64(entry),
                    }
                ],
            },
            "messageSignature": {
                "messageDigest": {
                    "algorithm": "SHA2_256",
                    "digest": _b64(hashlib.sha256(payload).digest()),
                },
                "signature": _b64(signature),
            },
        }
        return json.dumps(document).encode()

    def _checkpoint(self, root: bytes, log_id: bytes) -> str:
        text = f"{_ORIGIN}\n1\n{_b64(root)}\n"
        signature = self.signature_log.sign(text.encode(), ec.ECDSA(hashes.SHA256()))
        return f"{text}\n\N{EM DASH} rekor.example {_b64(log_id[:4] + signature)}\n"

    def _issue(self, key: ec.EllipticCurvePrivateKey, identity: str, issuer: str) -> x509.Certificate:
        name: x509.GeneralName = (
            x509.RFC822Name(identity) if "@" in identity else x509.UniformResourceIdentifier(identity)
        )
        plain = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(WHEN)
            .not_valid_after(WHEN + timedelta(minutes=10))
            .add_extension(_usage(sign=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority.public_key()),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName([name]), critical=True)
            .add_extension(x509.UnrecognizedExtension(_ISSUER, issuer.encode()), critical=False)
        )
        unstamped = plain.sign(self.authority, hashes.SHA256()).tbs_certificate_bytes
        stamp = self._stamp(unstamped)
        listed = struct.pack("!HH", len(stamp) + 2, len(stamp)) + stamp
        return plain.add_extension(
            x509.UnrecognizedExtension(_SCT_LIST, b"\x04" + _octets(listed)), critical=False
        ).sign(self.authority, hashes.SHA256())

    def _stamp(self, tbs: bytes) -> bytes:
        """A signed certificate timestamp over a precertificate (RFC 6962 section 3.2)."""
        time = int(WHEN.timestamp() * 1000)
        issuer = hashlib.sha256(_spki(self.authority)).digest()
        signed = (
            struct.pack("!BBQH", 0, 0, time, 1)
            + issuer
            + struct.pack("!I", len(tbs))[1:]
            + tbs
            + struct.pack("!H", 0)
        )
        signature = self.certificate_log.sign(signed, ec.ECDSA(hashes.SHA256()))
        log_id = hashlib.sha256(_spki(self.certificate_log)).digest()
        return (
            b"\0"
            + log_id
            + struct.pack("!QH", time, 0)
            + b"\x04\x03"
            + struct.pack("!H", len(signature))
            + signature
        )


def _entry_body(certificate: x509.Certificate, signature: bytes, payload: bytes) -> bytes:
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    return jcs(
        {
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": {"hash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()}},
                "signature": {"content": _b64(signature), "publicKey": {"content": _b64(pem)}},
            },
        }
    )


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not sign,
        crl_sign=not sign,
        encipher_only=False,
        decipher_only=False,
    )
