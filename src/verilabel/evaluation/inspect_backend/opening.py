"""Opening a solver for a suite that is a task of Inspect, from what a user says of the model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from verilabel.evaluation.inspect_backend.solver import SAMPLE_S, InspectSolver
from verilabel.models.inspect_model import SCRIPTED, choose_inspect_model
from verilabel.suites.loading import Suite


def open_inspect_solver(
    suite: Suite,
    address: str,
    *,
    python: str | None = None,
    base_url: str | None = None,
    key_env: str | None = None,
    key_file: str | Path | None = None,
    roles: Mapping[str, str] | None = None,
    connections: int = 20,
    epochs: int = 1,
    timeout_s: float | None = None,
    sample_timeout_s: float = SAMPLE_S,
    allow_insecure: bool = False,
    allow_network: bool = False,
    environ: Mapping[str, str] | None = None,
) -> InspectSolver:
    """The solver of a suite (`suite.make_inspect_suite`) for the model at an address; nothing is started yet.

    `address` is one of this program's that Inspect can ask (`openai/NAME`, `inspect/PROVIDER/NAME`, `scripted:oracle`),
    `roles` maps a role of the task to the address of its model. `python` is the interpreter that has inspect_ai.
    Raises UsageError for an address that means nothing to Inspect, ModelError where a key is not set, MissingExtra
    without Inspect.
    """
    choice = choose_inspect_model(
        address,
        base_url=base_url,
        key_env=key_env,
        key_file=key_file,
        allow_insecure=allow_insecure,
        environ=environ,
    )
    graders = {
        role: choose_inspect_model(given, environ=environ)
        for role, given in (roles or {}).items()
        if given != f"{SCRIPTED}{role}"  # the rule that plays a role of this program's own suites
    }
    return InspectSolver(
        suite,
        choice,
        python=python,
        roles=graders,
        connections=connections,
        epochs=epochs,
        timeout_s=timeout_s,
        sample_timeout_s=sample_timeout_s,
        allow_network=allow_network,
    )
