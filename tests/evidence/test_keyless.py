"""Sigstore identities: accepted where everything holds, refused where any part does not; no connection is made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bundle_factory import ISSUER as LABELLER
from bundle_factory import READ, make_bundle
from sigstore_instance import Instance
from verilabel.errors import MalformedInput, SealError
from verilabel.evidence.container import open_container
from verilabel.evidence.envelope import open_envelope
from verilabel.evidence.identities.keyless import verify_keyless
from verilabel.evidence.layout import ATTESTATION, KEYLESS
from verilabel.evidence.reading import read_document
from verilabel.evidence.trust import SigstoreIdentity, load_trust, trust_keys
from verilabel.evidence.verifier import verify_bundle

pytest.importorskip("sigstore", reason="the extra sigstore is not installed")

WHO, ISSUER = "lab@example.org", "https://accounts.example.org"
LAB = SigstoreIdentity(WHO, ISSUER)
PAYLOAD = b'{"a":"statement"}'


@pytest.fixture(scope="module")
def instance() -> Instance:
    return Instance()


def test_who_signed_the_very_bytes_is_found_offline(instance: Instance) -> None:
    other = SigstoreIdentity("another@example.org", ISSUER)
    bundle = instance.sign(PAYLOAD, WHO, ISSUER)
    assert LAB == verify_keyless(bundle, PAYLOAD, [other, LAB], trusted_root=instance.trusted_root())


def test_a_workflow_can_be_an_identity(instance: Instance) -> None:
    workflow = SigstoreIdentity("https://example.org/lab/repo/.ci/label.yml@refs/heads/main", ISSUER)
    bundle = instance.sign(PAYLOAD, workflow.identity, ISSUER)
    assert workflow == verify_keyless(bundle, PAYLOAD, [workflow], trusted_root=instance.trusted_root())


@pytest.mark.parametrize(
    ("identity", "issuer"),
    [("mallory@example.org", ISSUER), (WHO, "https://accounts.example.net"), (WHO + ".net", ISSUER)],
)
def test_another_identity_or_another_issuer_does_not_count(
    instance: Instance, identity: str, issuer: str
) -> None:
    bundle = instance.sign(PAYLOAD, identity, issuer)
    with pytest.raises(SealError, match="not one of an identity"):
        verify_keyless(bundle, PAYLOAD, [LAB], trusted_root=instance.trusted_root())


def test_other_bytes_than_were_signed_do_not_count(instance: Instance) -> None:
    bundle = instance.sign(PAYLOAD, WHO, ISSUER)
    with pytest.raises(SealError):
        verify_keyless(bundle, PAYLOAD + b" ", [LAB], trusted_root=instance.trusted_root())


def test_a_root_that_does_not_know_the_instance_refuses_it(instance: Instance) -> None:
    bundle = instance.sign(PAYLOAD, WHO, ISSUER)
    with pytest.raises(SealError):
        verify_keyless(bundle, PAYLOAD, [LAB], trusted_root=Instance().trusted_root())
    with pytest.raises(SealError):  # the public-good instance's, which comes with the package
        verify_keyless(bundle, PAYLOAD, [LAB])


def test_a_signature_logged_after_its_certificate_ended_does_not_count(instance: Instance) -> None:
    bundle = instance.sign(PAYLOAD, WHO, ISSUER, logged_s=3600)
    with pytest.raises(SealError):
        verify_keyless(bundle, PAYLOAD, [LAB], trusted_root=instance.trusted_root())


def test_a_log_entry_of_something_else_does_not_count(instance: Instance) -> None:
    bundle = instance.sign(PAYLOAD, WHO, ISSUER, entry_payload=b"something else")
    with pytest.raises(SealError):
        verify_keyless(bundle, PAYLOAD, [LAB], trusted_root=instance.trusted_root())


def test_a_promise_that_the_log_did_not_sign_does_not_count(instance: Instance) -> None:
    bundle = instance.sign(PAYLOAD, WHO, ISSUER, promise=b"0" * 70)
    with pytest.raises(SealError):
        verify_keyless(bundle, PAYLOAD, [LAB], trusted_root=instance.trusted_root())


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"\xff", b'{"mediaType":"x"}'])
def test_what_is_no_sigstore_bundle_is_malformed(instance: Instance, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        verify_keyless(data, PAYLOAD, [LAB], trusted_root=instance.trusted_root())


@pytest.mark.parametrize("part", ["tlogs", "certificateAuthorities"])
def test_a_trusted_root_that_lacks_a_part_is_malformed(instance: Instance, part: str) -> None:
    root = json.loads(instance.trusted_root())
    root[part] = []
    with pytest.raises(MalformedInput, match="not a Sigstore trusted root"):
        verify_keyless(
            instance.sign(PAYLOAD, WHO, ISSUER), PAYLOAD, [LAB], trusted_root=json.dumps(root).encode()
        )


def test_what_is_no_trusted_root_is_malformed(instance: Instance) -> None:
    with pytest.raises(MalformedInput):
        verify_keyless(instance.sign(PAYLOAD, WHO, ISSUER), PAYLOAD, [LAB], trusted_root=b"{}")


@pytest.fixture
def vouched(tmp_path: Path, instance: Instance) -> Path:
    """A bundle whose statement the lab's identity signed too."""
    bundle = make_bundle(tmp_path / "made").path
    with open_container(bundle) as container:
        payload = open_envelope(read_document(container, ATTESTATION), [LABELLER.public]).payload
    (bundle / KEYLESS).write_bytes(instance.sign(payload, WHO, ISSUER))
    return bundle


def _policy(folder: Path, instance: Instance, identity: str = WHO) -> Path:
    (folder / "root.json").write_bytes(instance.trusted_root())
    path = folder / "trust.yaml"
    path.write_text(
        "format: verilabel/trust/v1\nsigstore_trusted_root: root.json\naccept:\n  any:\n"
        f'    - sigstore: {{identity: "{identity}", issuer: "{ISSUER}"}}\n      name: Lab\n      roles: [labels]\n'
    )
    return path


def test_a_policy_that_names_an_identity_accepts_a_label_that_it_signed(
    vouched: Path, tmp_path: Path, instance: Instance
) -> None:
    found = verify_bundle(vouched, trust=load_trust(_policy(tmp_path, instance)), now=READ)
    assert (None, "Lab") == (found.failure, found.signer)
    assert "keyless" in found.flags


def test_a_policy_that_names_another_identity_refuses_it_at_the_signature(
    vouched: Path, tmp_path: Path, instance: Instance
) -> None:
    trust = load_trust(_policy(tmp_path, instance, "another@example.org"))
    found = verify_bundle(vouched, trust=trust, now=READ)
    assert isinstance(found.failure, SealError) and found.failure.step == 3


def test_an_identity_does_not_count_for_another_labels_statement(
    vouched: Path, tmp_path: Path, instance: Instance
) -> None:
    (vouched / KEYLESS).write_bytes(instance.sign(PAYLOAD, WHO, ISSUER))
    found = verify_bundle(vouched, trust=load_trust(_policy(tmp_path, instance)), now=READ)
    assert isinstance(found.failure, SealError) and found.failure.step == 3


def test_where_the_key_counts_already_an_unchecked_identity_is_named(vouched: Path) -> None:
    found = verify_bundle(vouched, trust=trust_keys(LABELLER.public), now=READ)
    assert found.failure is None and "keyless_unchecked" in found.flags


def test_a_policys_root_that_is_not_there_is_named(tmp_path: Path, instance: Instance) -> None:
    path = _policy(tmp_path, instance)
    (tmp_path / "root.json").unlink()
    with pytest.raises(MalformedInput, match=r"root\.json"):
        load_trust(path)
