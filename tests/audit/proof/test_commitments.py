"""Commitments: whoever has salt and text can check them, and nobody can guess a text from one."""

from __future__ import annotations

import hashlib
import hmac
import stat
from pathlib import Path

import numpy as np
import pytest

from verilabel.audit.proof.commitments import Secret, commitment, load_secret, make_secret, save_secret
from verilabel.errors import MalformedInput, UsageError

SECRET = Secret(bytes(range(32)))
SHARD = "sha256:" + "ab" * 32


def test_a_commitment_follows_from_secret_shard_row_and_text_as_the_page_says() -> None:
    text = "Grüße".encode()
    key = hmac.digest(SECRET.key, b"salt" + bytes.fromhex("ab" * 32), "sha256")
    salt = hashlib.sha256(key + (7).to_bytes(8, "little")).digest()
    digests = np.frombuffer(hashlib.sha256(text).digest(), np.uint8).reshape(1, 32)
    found = SECRET.salter(SHARD).commit(np.array([7]), digests)
    assert hashlib.sha256(salt + hashlib.sha256(text).digest()).digest() == found.tobytes()
    assert found.tobytes() == commitment(SECRET.salter(SHARD).salt(7), text)


def test_golden_values_of_a_name_a_salt_and_a_mark() -> None:
    assert "sha256:292a86b0805c267f2e54bebb10727d5bc98d611daa4d8120c3f64e97cf027172" == SECRET.id
    salt = SECRET.salter(SHARD).salt(0)
    assert "65f37dde78893357f49736d57c885156eba7f45eb993d471713a37bddfee1e6e" == salt.hex()
    assert "3a3dad912d7e3aab2a9b39c76d9a7327" == SECRET.marker().mark("pii.email", b"a@example.org").hex()


def test_equal_texts_in_other_rows_shards_and_audits_have_other_commitments() -> None:
    digests = np.zeros((2, 32), np.uint8)
    one = SECRET.salter(SHARD).commit(np.array([0, 1]), digests)
    other_shard = SECRET.salter("sha256:" + "cd" * 32).commit(np.array([0, 1]), digests)
    other_audit = make_secret().salter(SHARD).commit(np.array([0, 1]), digests)
    assert 6 == len({row.tobytes() for found in (one, other_shard, other_audit) for row in found})


def test_marks_are_equal_for_equal_values_of_one_kind_alone() -> None:
    mark = SECRET.marker().mark
    other = make_secret().marker().mark("pii.email", b"x")
    assert mark("pii.email", b"x") == mark("pii.email", b"x")
    assert 4 == len({mark("pii.email", b"x"), mark("pii.email", b"y"), mark("pii.phone", b"x"), other})


def test_a_secret_is_its_owners_alone_and_is_never_shown(tmp_path: Path) -> None:
    secret = make_secret()
    save_secret(secret, tmp_path / "s")
    assert 0o600 == stat.S_IMODE((tmp_path / "s").stat().st_mode)
    assert secret == load_secret(tmp_path / "s")
    assert secret.key.hex() not in f"{secret} {secret!r} {secret.id}"
    with pytest.raises(UsageError):
        save_secret(make_secret(), tmp_path / "s")


@pytest.mark.parametrize("text", ["", "00", "g" * 64, "00" * 33, "\x00\xff"])
def test_what_is_no_secret_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "s").write_text(text, encoding="latin-1")
    with pytest.raises(MalformedInput):
        load_secret(tmp_path / "s")
