"""Bundles of several parties about one system, and what they sign about each other's labels, for tests."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from bundle_factory import (
    ISSUED,
    ISSUER,
    LOG,
    READ,
    FixedClockModel,
    Recipe,
    begin_store,
    fixed_key,
    run_recipe,
)
from verilabel.comparison.pairing import Party, open_party
from verilabel.comparison.replication import compare_parties, reference_to
from verilabel.evaluation.labelling import count_answers
from verilabel.evidence.keys import PrivateKey
from verilabel.evidence.others.attestation import (
    Comparison,
    Dispute,
    Predicate,
    Replication,
    Withdrawal,
    build_attestation,
    signed_by,
)
from verilabel.evidence.others.signed import Signed, sign_attestation
from verilabel.evidence.sealing import Sealing, seal_bundle
from verilabel.evidence.trust import TrustPolicy, parse_trust
from verilabel.evidence.verification import Verification
from verilabel.evidence.verifier import verify_bundle
from verilabel.records.canonical import digest

REPLICATOR = fixed_key("replicator", "second.example")
CRITIC = fixed_key("critic", "critic.example")
STRANGER = fixed_key("stranger", "stranger.example")
USUAL = Recipe()
SIGNED = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)
"""When statements about labels are signed: after the label and before it is read."""
WHO_COUNTS = (
    (ISSUER, "Lab", "labels"),
    (LOG, "Log", "log"),
    (REPLICATOR, "Second lab", "replications"),
    (CRITIC, "Critic", "disputes"),
)


def policy(*rules: tuple[PrivateKey, str, str]) -> TrustPolicy:
    """A trust policy in which each key has one role."""
    lines = "".join(
        f"    - {{key: {key.public.line!r}, name: {name}, roles: [{role}]}}\n"
        for key, name, role in rules or WHO_COUNTS
    )
    return parse_trust(f"format: verilabel/trust/v1\naccept:\n  any:\n{lines}".encode())


def model_that(seed: int = 7, **rates: float) -> type[FixedClockModel]:
    """A model of the factory's name that answers by another seed or other rates, as a served model may."""

    class OtherModel(FixedClockModel):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[arg-type]
            self.seed = seed
            for name, value in rates.items():
                setattr(self, name, value)

    return OtherModel


def make_party(folder: Path, recipe: Recipe = USUAL, model: type[FixedClockModel] = FixedClockModel) -> Path:
    """Make one party's bundle under `folder`."""
    store, suites, log = begin_store(folder, recipe)
    out = folder / ("bundle.zip" if recipe.zipped else "bundle")
    with store:
        asyncio.run(run_recipe(recipe, store, suites, log, model))
        seal_bundle(store, count_answers(store), out, Sealing(recipe.key, log, recipe.issued))
    if log is not None:
        log.close()
    return out


def open_at(path: Path, trust: TrustPolicy | None = None) -> Party:
    """A bundle, verified and read."""
    return open_party(path, verify_bundle(path, trust=trust, now=READ))


def replica_recipe(**changes: object) -> Recipe:
    """The recipe of another party that asks the same system in an order of its own."""
    return replace(Recipe(key=REPLICATOR, seed="cafe", issued=ISSUED + timedelta(days=1)), **changes)  # type: ignore[arg-type]


def comparison_of(original: Path, replica: Path, margin: str = "0.9") -> Comparison:
    """What two bundles give."""
    return compare_parties(open_at(original), open_at(replica), margin=margin)


def replication_of(
    original: Path,
    replica: Path,
    key: PrivateKey = REPLICATOR,
    /,
    *,
    margin: str = "0.9",
    issued: datetime = SIGNED,
    **changes: object,
) -> Signed:
    """A signed replication; `changes` are put into it before it is signed."""
    parties = open_at(original), open_at(replica)
    predicate = Replication(
        reference_to(parties[0]),
        reference_to(parties[1]),
        "another laboratory, with an account of its own",
        compare_parties(*parties, margin=margin),
        *signed_by(key.public, issued),
    )
    predicate = msgspec.structs.replace(predicate, **changes)
    return sign_about(predicate.original.statement_sha256, predicate, key)


def dispute_of(
    about: str, key: PrivateKey = CRITIC, *, issued: datetime = SIGNED, text: str = "no"
) -> Signed:
    """A signed dispute of a statement."""
    return sign_about(about, Dispute(("method",), text, (), (), *signed_by(key.public, issued)), key)


def withdrawal_of(
    about: str, key: PrivateKey = ISSUER, *, issued: datetime = SIGNED, successor: str | None = None
) -> Signed:
    """A signed withdrawal of a statement."""
    return sign_about(about, Withdrawal("mistaken", successor, *signed_by(key.public, issued)), key)


def sign_about(about: str, predicate: Predicate, key: PrivateKey) -> Signed:
    """Sign a predicate about a digest."""
    return sign_attestation(build_attestation("quiz-model", about, predicate), key)


def statement_of(path: Path) -> str:
    """The digest of a bundle's label statement."""
    found = verify_bundle(path, now=READ)
    assert found.statement_sha256 is not None
    return found.statement_sha256


def read_with(path: Path, *statements: Signed, trust: TrustPolicy | None = None) -> Verification:
    """The finding on a bundle with statements beside it."""
    return verify_bundle(path, trust=trust, now=READ, statements=statements)


def another_digest(text: str = "another") -> str:
    """A digest of something else."""
    return digest(text.encode())
