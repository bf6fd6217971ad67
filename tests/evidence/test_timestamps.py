"""RFC 3161 time stamps, of a real authority made of the openssl command and served on loopback."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bundle_factory import ISSUER, READ, make_bundle
from verilabel.errors import MalformedInput, SealError
from verilabel.evidence.anchors import TimestampAuthority
from verilabel.evidence.identities.timestamps import check_timestamp, timestamp_query
from verilabel.evidence.layout import TIMESTAMP
from verilabel.evidence.trust import load_trust, write_trust
from verilabel.evidence.verifier import verify_bundle

pytest.importorskip("rfc3161_client", reason="the extra timestamps is not installed")
OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
PAYLOAD = b'{"a":"statement"}'
CONFIG = """
[ ca ]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
[ tsa ]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[ default_tsa ]
serial = serial
signer_digest = sha256
digests = sha256
default_policy = 1.2.3.4.1
accuracy = secs:1
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


@dataclass
class Authority:
    """An authority in a folder of its own."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir()
        (self.folder / "tsa.cnf").write_text(CONFIG)
        (self.folder / "serial").write_text("01\n")
        new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "400", "-config", "/dev/null"]
        ca = ["-subj", "/CN=ca.example", "-extensions", "ca", "-config", "tsa.cnf"]
        del new[-2:]
        (self.folder / "tsa.cnf").write_text(CONFIG + "[ req ]\ndistinguished_name = none\n[ none ]\n")
        self._run(*new, "-keyout", "ca.key", "-out", "ca.pem", *ca)
        self._run(
            "req", "-newkey", "rsa:2048", "-nodes", "-config", "tsa.cnf", "-subj", "/CN=tsa.example",
            "-keyout", "tsa.key", "-out", "tsa.csr",
        )  # fmt: skip
        self._run(
            "x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "400",
            "-extfile", "tsa.cnf", "-extensions", "tsa", "-out", "tsa.pem",
        )  # fmt: skip

    def _run(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def stamp(self, query: bytes) -> bytes:
        """The authority's response to a query."""
        (self.folder / "query.tsq").write_bytes(query)
        self._run(
            "ts", "-reply", "-config", "tsa.cnf", "-section", "default_tsa", "-queryfile", "query.tsq",
            "-signer", "tsa.pem", "-inkey", "tsa.key", "-out", "reply.tsr",
        )  # fmt: skip
        return (self.folder / "reply.tsr").read_bytes()

    @property
    def named(self) -> TimestampAuthority:
        """As a policy names it."""
        return TimestampAuthority("Example TSA", (self.folder / "ca.pem").read_bytes())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa") / "authority")


@pytest.fixture(scope="module")
def served(authority: Authority) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            reply = authority.stamp(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_a_named_authoritys_stamp_gives_its_time(authority: Authority) -> None:
    response = authority.stamp(timestamp_query(PAYLOAD))
    stamped = check_timestamp(response, PAYLOAD, [authority.named])
    assert ("Example TSA", "UTC") == (stamped.authority, str(stamped.time.tzinfo))


def test_a_stamp_of_other_bytes_does_not_count(authority: Authority) -> None:
    response = authority.stamp(timestamp_query(PAYLOAD + b" "))
    with pytest.raises(SealError, match="not over this statement"):
        check_timestamp(response, PAYLOAD, [authority.named])


def test_an_authority_that_nobody_named_does_not_count(authority: Authority, tmp_path: Path) -> None:
    response = authority.stamp(timestamp_query(PAYLOAD))
    with pytest.raises(SealError):
        check_timestamp(response, PAYLOAD, [Authority(tmp_path / "other").named])


def test_a_changed_stamp_does_not_count(authority: Authority) -> None:
    response = bytearray(authority.stamp(timestamp_query(PAYLOAD)))
    response[-10] ^= 1
    with pytest.raises((SealError, MalformedInput)):
        check_timestamp(bytes(response), PAYLOAD, [authority.named])


@pytest.mark.parametrize("data", [b"", b"no", b"\x30\x03\x02\x01\x02"])
def test_what_is_no_response_is_malformed(authority: Authority, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        check_timestamp(data, PAYLOAD, [authority.named])


def _stamped(tmp_path: Path, served: str) -> Path:
    from verilabel.cli import main

    bundle = make_bundle(tmp_path / "made").path
    assert 0 == main(["keys", "timestamp", str(bundle), "--tsa", served])
    return bundle


def test_a_stamped_bundle_says_when_a_named_authority_saw_it(
    tmp_path: Path, authority: Authority, served: str
) -> None:
    bundle = _stamped(tmp_path, served)
    (tmp_path / "ca.pem").write_bytes(authority.named.certificates)
    policy = write_trust(ISSUER.public).decode()
    (tmp_path / "trust.yaml").write_text(
        policy + "timestamp_authorities:\n  - {name: Example TSA, certificates: ca.pem}\n"
    )
    found = verify_bundle(bundle, trust=load_trust(tmp_path / "trust.yaml"), now=READ)
    assert found.failure is None and "timestamped" in found.flags
    assert "seen by Example TSA at " in found.steps[4].detail


def test_without_a_named_authority_the_stamp_is_called_unchecked(tmp_path: Path, served: str) -> None:
    found = verify_bundle(_stamped(tmp_path, served), now=READ)
    assert found.failure is None and "timestamp_unchecked" in found.flags


def test_a_stamp_of_something_else_fails_at_the_log(
    tmp_path: Path, authority: Authority, served: str
) -> None:
    bundle = _stamped(tmp_path, served)
    (bundle / TIMESTAMP).write_bytes(authority.stamp(timestamp_query(PAYLOAD)))
    (tmp_path / "ca.pem").write_bytes(authority.named.certificates)
    policy = write_trust(ISSUER.public).decode()
    (tmp_path / "trust.yaml").write_text(
        policy + "timestamp_authorities:\n  - {name: Example TSA, certificates: ca.pem}\n"
    )
    found = verify_bundle(bundle, trust=load_trust(tmp_path / "trust.yaml"), now=READ)
    assert isinstance(found.failure, SealError) and found.failure.step == 5


def test_a_stamp_of_something_else_is_not_put_into_a_bundle(tmp_path: Path, authority: Authority) -> None:
    from transparency.small_logs import answering
    from verilabel.cli import main

    bundle = make_bundle(tmp_path / "made").path
    stale = authority.stamp(timestamp_query(PAYLOAD))
    with answering({"": (200, {}, stale), "/": (200, {}, stale)}) as url:
        assert 4 == main(["keys", "timestamp", str(bundle), "--tsa", url])
    assert not (bundle / TIMESTAMP).exists()
