"""The sandbox that episodes ran in: what a box must achieve, and whether the enclosed attestation speaks for it.

Before a run, the attestation is held against a box that was opened here and now. Afterwards a verifier sees only what
episodes recorded: their level and provider must be those that were examined, and nothing may have escaped.
"""

from __future__ import annotations

from datetime import UTC, datetime

from verilabel.errors import SandboxError, VerilabelError
from verilabel.evidence.container import Container
from verilabel.evidence.layout import CONTAINMENT
from verilabel.evidence.others.containment import SignedContainment, check_attestation, parse_containment
from verilabel.evidence.reading import read_document
from verilabel.records.episode import AchievedContainment
from verilabel.sandbox.doctor import box_user
from verilabel.sandbox.interface import LEVELS, BoxSpec, Containment, Level, contains_enough
from verilabel.sandbox.probing.host import describe_environment

AT_LEAST: Level = "C2"
"""The containment that an environment needs which runs programs."""


def require_speaking(signed: SignedContainment, box: Containment, spec: BoxSpec) -> None:
    """Check that an attestation speaks for boxes as they are made here now. Raises SandboxError saying why not."""
    objections = check_attestation(
        signed,
        here=describe_environment(box.provider, box_user(spec)),
        containment=box,
        now=datetime.now(UTC),
    )
    if objections:
        raise SandboxError(
            f"the containment attestation does not speak for this sandbox: {'; '.join(objections)}",
            where="--containment",
            hint="`verilabel sandbox doctor --out FILE` examines it anew",
        )


def read_enclosed(container: Container) -> tuple[SignedContainment | None, str | None]:
    """The attestation that a bundle encloses, and what is wrong with it, if anything."""
    if CONTAINMENT not in container.sizes:
        return None, None
    try:
        return parse_containment(read_document(container, CONTAINMENT), where=CONTAINMENT), None
    except VerilabelError as error:
        return None, f"the containment attestation does not hold: {error.message[:200]}"


def objections_to_containment(
    achieved: AchievedContainment | None, signed: SignedContainment | None, *, needed: bool
) -> list[str]:
    """What does not hold of the containment that an episode records; `needed` where programs were or could be run."""
    if not needed:
        return [] if achieved is None else ["a sandbox is claimed where none is needed"]
    if achieved is None:
        return ["programs were run, and no containment is recorded"]
    level: Level = next((level for level in LEVELS if level == achieved.level), "C0")
    if not contains_enough(level, AT_LEAST):
        return [f"containment {achieved.level[:8]!r} is below {AT_LEAST}, which the environment needs"]
    if achieved.attestation is None:
        unnamed = "the episode does not name the containment attestation that the bundle encloses"
        return [] if signed is None else [unnamed]
    if signed is None or signed.digest != achieved.attestation:
        return ["the containment attestation is not the one that the bundle encloses"]
    found = []
    if signed.environment.provider != achieved.provider:
        found.append("the containment attestation is of another provider")
    if not contains_enough(signed.containment.level, level):
        found.append(f"the containment attestation is of {signed.containment.level}, less than is claimed")
    if signed.examination.escapes:
        found.append("the containment attestation says that probes escaped")
    return found
