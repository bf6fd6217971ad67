"""How the store is reached: over TLS with certificates that are checked, a socket, and as a user with few rights."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.limits.limit_worlds import at_once, budget, rate, reserved, take, tokens
from servers.redis_server import RedisServer, redis_server
from verilabel.errors import UsageError
from verilabel.gateway.limits.redis import RedisLimiter

COMMANDS = "evalsha script|load set get del time zadd zrem zcard zremrangebyscore pexpire pttl"


def write_certificate(folder: Path, name: x509.GeneralName) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "store of the test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def tls_url(server: RedisServer, folder: Path) -> str:
    server.ask("CONFIG", "SET", "tls-cert-file", str(folder / "cert.pem"), "tls-key-file", str(folder / "key.pem"),
               "tls-ca-cert-file", str(folder / "cert.pem"), "tls-auth-clients", "no")  # fmt: skip
    # the plain port becomes the TLS port: port 0 first, so that it is free
    port = server.port
    server.ask("CONFIG", "SET", "port", "0", "tls-port", str(port))
    return f"rediss://127.0.0.1:{port}/0"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


async def serve_one(url: str) -> None:
    limiter = RedisLimiter(url, timeout_s=20)
    await limiter.open()
    charges = [take(rate(5)), take(tokens(5)), take(budget(7), 3), take(at_once(2))]
    one = reserved(await limiter.reserve(charges))
    await limiter.settle(one, {"tokens": 0, "cost": 1})
    again = reserved(await limiter.reserve([take(tokens(5), 5), take(at_once(2)), take(at_once(2))]))
    assert [0, 0, 0] == [standing.remaining for standing in again.standings]
    assert 0 == limiter.lost_count
    await limiter.close()


async def test_a_trusted_certificate_with_the_right_name_is_taken(
    server: RedisServer, tmp_path: Path
) -> None:
    write_certificate(tmp_path, x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    await serve_one(f"{tls_url(server, tmp_path)}?ssl_ca_certs={tmp_path / 'cert.pem'}")


async def test_a_certificate_of_another_name_is_refused(server: RedisServer, tmp_path: Path) -> None:
    write_certificate(tmp_path, x509.DNSName("elsewhere.example"))
    url = f"{tls_url(server, tmp_path)}?ssl_ca_certs={tmp_path / 'cert.pem'}"
    with pytest.raises(UsageError, match="cannot be reached"):
        await RedisLimiter(url, timeout_s=20).open()


async def test_a_certificate_that_nobody_vouches_for_is_refused(server: RedisServer, tmp_path: Path) -> None:
    write_certificate(tmp_path, x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    with pytest.raises(UsageError, match="cannot be reached"):
        await RedisLimiter(tls_url(server, tmp_path), timeout_s=20).open()


async def test_a_socket_is_taken(tmp_path: Path) -> None:
    with redis_server("--unixsocket", str(tmp_path / "s")):
        await serve_one(f"unix://{tmp_path / 's'}")


async def test_a_user_who_may_do_no_more_than_is_needed_is_enough(server: RedisServer) -> None:
    server.ask(
        "ACL", "SETUSER", "gate", "on", ">pw", "~{verilabel}:*", *(f"+{name}" for name in COMMANDS.split())
    )
    await serve_one(f"redis://gate:pw@127.0.0.1:{server.port}/0")
    server.ask("ACL", "SETUSER", "gate", "-set")
    with pytest.raises(UsageError, match="may not do this"):
        await RedisLimiter(f"redis://gate:pw@127.0.0.1:{server.port}/0", timeout_s=20).open()
