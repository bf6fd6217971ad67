"""Keys: one canonical public line, files that only their owner reads, and a secret that is never shown."""

from __future__ import annotations

import base64
import copy
import hashlib
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.errors import MalformedInput, SealError, UsageError
from verilabel.evidence.keys import (
    KeyType,
    PrivateKey,
    PublicKey,
    check_key_name,
    home_folder,
    key_path,
    load_key,
    load_public,
    new_key,
    parse_public,
    parse_public_file,
    passphrase_from_environment,
    save_key,
)

# Verifier keys published by others: C2SP signed-note, golang.org/x/mod/sumdb/note, transparency-dev/formats.
FOREIGN_LINES = {
    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k": KeyType.ED25519,
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW": KeyType.ED25519,
    "TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6": KeyType.ED25519,
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2": KeyType.COSIGNATURE,
}


def seeded(seed: int, name: str = "test") -> PrivateKey:
    return PrivateKey(ed25519.Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32), name)


@pytest.mark.parametrize("line", FOREIGN_LINES)
def test_published_verifier_keys_are_read_and_written_back_byte_for_byte(line: str) -> None:
    key = parse_public(line)
    assert line == key.line
    assert FOREIGN_LINES[line] == key.key_type


def test_the_keyid_is_the_digest_of_the_subject_public_key_info() -> None:
    # RFC 8032 section 7.1, TEST 1
    raw = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    der = ed25519.Ed25519PublicKey.from_public_bytes(raw).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    key = PublicKey("test", raw)
    assert "sha256:" + hashlib.sha256(der).hexdigest() == key.keyid
    assert key.keyid == key.named("another").keyid == key.of_type(KeyType.COSIGNATURE).keyid


def test_signatures_are_those_of_rfc_8032() -> None:
    # RFC 8032 section 7.1, TEST 2
    secret = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    key = PrivateKey(ed25519.Ed25519PrivateKey.from_private_bytes(secret))
    expected = (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert expected == key.sign(b"\x72").hex()
    key.public.verify(bytes.fromhex(expected), b"\x72")


LINE = seeded(7, "labels.example.org").public.line


@given(st.integers(0, len(LINE) - 1), st.integers(0, 0x10FFFF).filter(lambda c: not 0xD800 <= c < 0xE000))
@settings(max_examples=300)
def test_a_public_line_with_one_changed_character_is_refused(place: int, code: int) -> None:
    changed = LINE[:place] + chr(code) + LINE[place + 1 :]
    if changed == LINE:
        assert seeded(7, "labels.example.org").public == parse_public(changed)
        return
    with pytest.raises(MalformedInput):
        parse_public(changed)


@given(st.text(max_size=120))
def test_what_is_read_as_a_public_line_is_exactly_what_would_be_written(text: str) -> None:
    try:
        key = parse_public(text)
    except MalformedInput:
        return
    assert text == key.line


@pytest.mark.parametrize("bad", ["", "a b", "a+b", "a\tb", "a\u00a0b", "a\u2003b", "a\nb", "\x7f", "\ud800"])
def test_a_name_that_could_be_read_in_two_ways_is_refused(bad: str) -> None:
    with pytest.raises(MalformedInput):
        check_key_name(bad)


def test_a_public_file_is_one_line_with_one_newline() -> None:
    key = seeded(1).public
    assert key == parse_public_file(key.file_bytes(), where="x.pub")
    for data in (key.line.encode(), key.file_bytes() + b"\n", b"\n" + key.file_bytes(), b"", b"\xff\n"):
        with pytest.raises(MalformedInput):
            parse_public_file(data, where="x.pub")


def _add(p: tuple[int, int], q: tuple[int, int]) -> tuple[int, int]:
    """Addition on edwards25519 (RFC 8032 section 5.1), in affine coordinates."""
    prime = 2**255 - 19
    d = -121665 * pow(121666, -1, prime) % prime
    (x1, y1), (x2, y2) = p, q
    cross = d * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + cross, -1, prime) % prime
    y = (y1 * y2 + x1 * x2) * pow(1 - cross, -1, prime) % prime
    return x, y


def _point(y: int) -> tuple[int, int]:
    prime = 2**255 - 19
    d = -121665 * pow(121666, -1, prime) % prime
    square = (y * y - 1) * pow(d * y * y + 1, -1, prime) % prime
    x = pow(square, (prime + 3) // 8, prime)
    if x * x % prime != square:
        x = x * pow(2, (prime - 1) // 4, prime) % prime
    assert square == x * x % prime
    return x, y


@pytest.mark.parametrize(
    "low",
    [
        "01" + "00" * 31,
        "ec" + "ff" * 30 + "7f",
        "00" * 32,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ],
)
def test_a_key_that_accepts_signatures_from_anyone_is_refused(low: str) -> None:
    raw = bytes.fromhex(low)
    point = _point(int.from_bytes(raw, "little"))
    for _ in range(3):
        point = _add(point, point)
    assert (0, 1) == point, "its order divides 8"
    for sign_bit in (0, 0x80):
        with pytest.raises(MalformedInput, match="anyone"):
            PublicKey("low", raw[:31] + bytes([raw[31] | sign_bit]))


def test_the_second_way_to_write_a_point_is_refused() -> None:
    with pytest.raises(MalformedInput):
        PublicKey("twice", (2**255 - 19 + 9).to_bytes(32, "little"))


def test_a_saved_key_is_read_back_and_its_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    key = new_key("labels.example.org")
    path = tmp_path / "keys" / "mine.key"
    save_key(key, path)
    assert 0o600 == path.stat().st_mode & 0o777
    assert 0o700 == path.parent.stat().st_mode & 0o777
    again = load_key(path)
    assert key.public == again.public
    key.public.verify(again.sign(b"message"), b"message")
    assert key.public == load_public(path.with_suffix(".pub"))
    assert ["mine.key", "mine.pub"] == sorted(entry.name for entry in path.parent.iterdir())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o644, 0o601])
def test_a_private_key_that_others_can_reach_is_refused_with_a_hint(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.key"
    save_key(new_key("a"), path)
    path.chmod(mode)
    with pytest.raises(UsageError) as caught:
        load_key(path)
    assert caught.value.hint is not None and "chmod 600" in caught.value.hint


def test_a_key_is_not_overwritten_unless_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    first, second = new_key("a"), new_key("a")
    save_key(first, path)
    with pytest.raises(UsageError, match="already there"):
        save_key(second, path)
    assert first.public == load_key(path).public
    save_key(second, path, overwrite=True)
    assert second.public == load_key(path).public


def test_a_passphrase_protects_the_file_and_a_wrong_one_is_said_to_be_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    key = seeded(3, "a")
    save_key(key, path, passphrase=b"correct horse")
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in path.read_bytes()
    assert key.public == load_key(path, passphrase=b"correct horse").public
    assert key.public == load_key(path, passphrase=lambda: b"correct horse").public
    with pytest.raises(UsageError, match="wrong") as wrong:
        load_key(path, passphrase=b"battery staple")
    assert "battery" not in str(wrong.value)
    with pytest.raises(UsageError, match="has a passphrase"):
        load_key(path)
    with pytest.raises(UsageError, match="empty"):
        key.pem(b"")


def test_an_encrypted_file_costs_six_hundred_thousand_rounds_to_try() -> None:
    body = b"".join(seeded(3).pem(b"x").splitlines()[1:-1])
    # The rounds stand in the file as a DER INTEGER (RFC 8018 appendix A.2).
    assert b"\x02\x03" + (600_000).to_bytes(3, "big") in base64.b64decode(body)


def test_the_passphrase_is_not_asked_for_where_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    save_key(new_key("a"), path)

    def ask() -> bytes:
        raise AssertionError("asked")

    assert "a" == load_key(path, passphrase=ask).name


def test_a_public_line_of_another_key_beside_the_private_one_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    save_key(new_key("a"), path)
    path.with_suffix(".pub").write_bytes(new_key("a").public.file_bytes())
    with pytest.raises(SealError, match="another key"):
        load_key(path)
    path.with_suffix(".pub").unlink()
    assert "a" == load_key(path).name


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_what_is_no_private_key_is_malformed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(MalformedInput):
        load_key(path)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    other = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(
        other.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    path.chmod(0o600)
    with pytest.raises(MalformedInput, match="Ed25519"):
        load_key(path)


def test_a_missing_key_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_key(tmp_path / "none.key")
    assert "verilabel keys new" == caught.value.hint


def test_the_secret_is_in_no_representation_and_is_not_pickled() -> None:
    key = seeded(5)
    secret = bytes([5]) * 32
    shown = repr(key) + str(key) + format(key)
    assert secret.hex() not in shown and base64.b64encode(secret).decode() not in shown
    assert key.keyid in repr(key)
    for spread in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            spread(key)


def test_a_signature_by_another_key_or_over_other_bytes_does_not_verify() -> None:
    key = seeded(5)
    signature = key.sign(b"message")
    for bad, message in (
        (signature, b"messagE"),
        (seeded(6).sign(b"message"), b"message"),
        (signature[:-1], b"message"),
        (b"", b"message"),
    ):
        with pytest.raises(SealError):
            key.public.verify(bad, message)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "-x", "x" * 129])
def test_a_name_that_leaves_the_key_folder_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        key_path(name, tmp_path)


def test_the_home_folder_is_the_one_of_the_environment(tmp_path: Path) -> None:
    assert tmp_path == home_folder({"VERILABEL_HOME": str(tmp_path)})
    assert Path.home() / ".verilabel" == home_folder({})
    assert tmp_path / "keys" / "default.key" == key_path("default", tmp_path)


def test_a_passphrase_comes_from_a_named_variable_that_is_set() -> None:
    assert b"s3cret" == passphrase_from_environment("PASS", {"PASS": "s3cret"})
    for environ in ({}, {"PASS": ""}):
        with pytest.raises(UsageError, match="PASS"):
            passphrase_from_environment("PASS", environ)


def test_a_prompt_without_a_terminal_says_what_to_do_instead() -> None:
    program = (
        "from verilabel.evidence.keys import prompt_for_passphrase\n"
        "from verilabel.errors import UsageError\n"
        "try:\n    prompt_for_passphrase()\n"
        "except UsageError as error:\n    print(error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=True,
        timeout=60,
    )
    assert "--passphrase-env VARIABLE" == done.stdout.strip()


def test_openssl_reads_an_encrypted_key_file_where_it_is_installed(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl program here")
    path = tmp_path / "a.key"
    key = seeded(9)
    path.write_bytes(key.pem(b"words"))
    done = subprocess.run(
        ["openssl", "pkey", "-in", str(path), "-passin", "env:WORDS", "-pubout", "-outform", "DER"],
        env={**os.environ, "WORDS": "words"},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert 0 == done.returncode, done.stderr
    assert key.public.raw == done.stdout[-32:]


def test_a_folder_is_not_a_key(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a regular file"):
        load_key(tmp_path)
