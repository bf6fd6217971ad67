"""Weights by their model-signing root, with signatures that the OpenSSF package really made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from verilabel.cli import main
from verilabel.errors import MalformedInput, SealError, UsageError
from verilabel.evidence.identities.weights import check_signature, weights_root

model_signing = pytest.importorskip("model_signing", reason="the extra model-signing is not installed")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "tokenizer").mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(b"weights")
    (folder / "tokenizer" / "vocabulary.json").write_text("{}")
    return folder


@pytest.fixture
def signed(model: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A signature over the model and the public key that checks it."""
    key = ec.generate_private_key(ec.SECP256R1())
    private, public, signature = tmp_path / "key", tmp_path / "key.pub", tmp_path / "model.sig"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    model_signing.signing.Config().use_elliptic_key_signer(private_key=private).sign(model, signature)
    return signature, public


def test_the_root_is_the_one_that_signatures_are_about(model: Path, signed: tuple[Path, Path]) -> None:
    assert check_signature(model, *signed) == weights_root(model)


def test_one_changed_byte_gives_another_root_and_no_signature(model: Path, signed: tuple[Path, Path]) -> None:
    before = weights_root(model)
    (model / "weights.safetensors").write_bytes(b"Weights")
    assert before != weights_root(model)
    with pytest.raises(SealError):
        check_signature(model, *signed)


def test_a_file_more_is_not_the_signed_model(model: Path, signed: tuple[Path, Path]) -> None:
    (model / "backdoor.py").write_text("")
    with pytest.raises(SealError, match="backdoor"):
        check_signature(model, *signed)


def test_a_signature_that_leaves_files_out_is_not_about_the_whole_folder(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (model / "adapter.safetensors").write_bytes(b"harmless")
    key = ec.generate_private_key(ec.SECP256R1())
    private, public, signature = tmp_path / "key2", tmp_path / "key2.pub", tmp_path / "part.sig"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    hashing = model_signing.hashing.Config().set_ignored_paths(
        paths=[model / "adapter.safetensors"], ignore_git_paths=True
    )
    config = model_signing.signing.Config().set_hashing_config(hashing)
    config.use_elliptic_key_signer(private_key=private).sign(model, signature)
    (model / "adapter.safetensors").write_bytes(b"another behaviour")  # which the package itself lets pass
    with pytest.raises(SealError, match="leaves out some"):
        check_signature(model, signature, public)
    arguments = ["keys", "weights", str(model), "--signature", str(signature), "--public-key", str(public)]
    assert 4 == main(arguments)
    assert "the signature holds;" not in capsys.readouterr().out


def test_files_of_git_do_not_belong_to_the_weights(model: Path) -> None:
    before = weights_root(model)
    (model / ".git").mkdir()
    (model / ".git" / "HEAD").write_text("ref")
    assert before == weights_root(model)


def test_another_key_does_not_count(model: Path, signed: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other.pub"
    other.write_bytes(
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    with pytest.raises(SealError):
        check_signature(model, signed[0], other)


def test_a_key_that_is_not_there_is_not_a_signature_that_does_not_hold(
    model: Path, signed: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = tmp_path / "nothing.pub"
    arguments = ["--signature", str(signed[0]), "--public-key", str(nothing)]
    assert 2 == main(["keys", "weights", str(model), *arguments])
    assert "nothing.pub" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "{}", '{"dsseEnvelope":{"payload":"e30="}}', "[]"])
def test_what_is_no_signature_is_malformed(
    model: Path, signed: tuple[Path, Path], tmp_path: Path, text: str
) -> None:
    (tmp_path / "bad.sig").write_text(text)
    with pytest.raises(MalformedInput):
        check_signature(model, tmp_path / "bad.sig", signed[1])


def test_no_folder_and_an_empty_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        weights_root(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no weights"):
        weights_root(tmp_path / "empty")


def test_a_system_file_can_name_weights_by_their_folder(model: Path, tmp_path: Path) -> None:
    from verilabel.evaluation.describing import describe_system, read_system_file
    from verilabel.models.address import open_model

    path = tmp_path / "system.yaml"
    path.write_text('model: "simulated:accuracy=1,seed=3"\nweights: "model-signing:model"\n')
    choice = read_system_file(path)
    system = describe_system(choice, open_model(choice.model))
    assert ("weights", weights_root(model)) == (system.identity, system.weights)


def test_the_command_says_root_signature_and_label(
    model: Path, signed: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    system = tmp_path / "system.json"
    system.write_text(json.dumps({"weights": weights_root(model)}))
    arguments = ["keys", "weights", str(model), "--signature", str(signed[0]), "--public-key", str(signed[1])]
    assert 0 == main([*arguments, "--json"])
    said = json.loads(capsys.readouterr().out)
    assert (weights_root(model), True) == (said["root"], said["signed"])
    (model / "weights.safetensors").write_bytes(b"other")
    assert 4 == main(arguments)
