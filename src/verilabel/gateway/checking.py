"""A gateway's configuration opened once, without serving: what would hold, and which models no label admits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verilabel.gateway.assembling import assemble, load_configuration
from verilabel.gateway.server import check_config


@dataclass(frozen=True)
class Checked:
    """What a configuration comes to. `models` are the targets by route, as the labels stand now."""

    config: str
    policies: dict[str, str]
    models: dict[str, list[dict[str, Any]]]
    remarks: tuple[str, ...]

    @property
    def serves_all(self) -> bool:
        """True if every route has a target that its labels admit."""
        return all(any(target["admitted"] for target in targets) for targets in self.models.values())

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "config": self.config,
            "policies": self.policies,
            "models": self.models,
            "remarks": list(self.remarks),
            "serves_all": self.serves_all,
        }

    def lines(self) -> list[str]:
        """For people."""
        lines = [f"configuration {self.config}"]
        lines += [f"policy {name}: {digest}" for name, digest in self.policies.items()]
        for name, targets in self.models.items():
            for target in targets:
                said = target["label"] or "no label"
                if not target["admitted"]:
                    said += "; NOT admitted: " + "; ".join(target["reasons"])
                lines.append(f"model {name} at {target['upstream']}: {said}")
        return lines + [f"remark: {remark}" for remark in self.remarks]


async def check_gateway(path: Path) -> Checked:
    """Read, compile and open everything that a gateway would, and close it again. Raises what opening raises."""
    loaded = load_configuration(path)
    check_config(loaded)
    assembly = await assemble(loaded)
    try:
        snapshot = assembly.snapshot
        models = {
            route.name: [
                {
                    "upstream": target.upstream.id,
                    "admitted": standing.admitted,
                    "label": standing.label,
                    "reasons": list(standing.reasons),
                    "flags": list(standing.flags),
                }
                for target in route.targets
                for standing in (snapshot.default.admission.standing(route.name, target.index),)
            ]
            for route in snapshot.routes
        }
        policies = {snapshot.default.name: snapshot.default.digest}
        policies |= {plan.name: plan.digest for plan in snapshot.policies.values()}
        return Checked(snapshot.digest, policies, models, tuple(str(remark) for remark in loaded.remarks))
    finally:
        await assembly.opened.close({})
