"""From what the caller chose to a system with an agent in it: its settings bound, its solvers made ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from verilabel.errors import UsageError
from verilabel.evaluation.agents.environments import environment_of
from verilabel.evaluation.agents.interface import Solver
from verilabel.evaluation.agents.mcp_tools import McpServers
from verilabel.evaluation.agents.observing import NO_OBSERVER, Observer
from verilabel.evaluation.agents.replaying import OUTSIDE_TOOLS, tools_bytes
from verilabel.evaluation.agents.roles import open_panels
from verilabel.evaluation.agents.settings import (
    LOCAL_SANDBOX,
    UNCONTAINED,
    agent_params,
    read_roles,
    read_settings,
    role_params,
)
from verilabel.evaluation.agents.solver import AgentSolver, Surroundings
from verilabel.evaluation.agents.solving import SolvingModel
from verilabel.evaluation.describing import SystemChoice
from verilabel.evaluation.inspect_backend.solver import SAMPLE_S
from verilabel.evaluation.inspect_backend.suite import is_inspect_suite, uses_local_sandbox
from verilabel.evidence.others.containment import SignedContainment
from verilabel.models.interface import Model
from verilabel.records.system import Scalar
from verilabel.sandbox.interface import BoxSpec
from verilabel.suites.loading import Suite
from verilabel.suites.worlds.interface import Environment


@dataclass(frozen=True)
class Reach:
    """How a task of Inspect gets to the model under test: what `models.address.open_model` is given, too."""

    key_env: str | None = None
    key_file: Path | None = None
    timeout_s: float = 120.0
    connections: int = 20
    epochs: int = 1
    allow_insecure: bool = False
    sample_timeout_s: float = SAMPLE_S
    """For one sample of a task of Inspect."""


@dataclass(frozen=True)
class AgentChoice:
    """What was chosen for agentic suites. `settings` are those of `AgentSettings`, `roles` panels of addresses."""

    settings: Mapping[str, Scalar] = field(default_factory=dict)
    roles: Mapping[str, Sequence[str]] = field(default_factory=dict)
    box: BoxSpec = field(default_factory=BoxSpec)
    containment: SignedContainment | None = None
    """The containment attestation that is kept with the run."""
    servers: McpServers | None = None
    """MCP servers whose tools are offered beside the worlds', with the tools that they listed."""
    observer: Observer = NO_OBSERVER
    role_key_env: str | None = None
    allow_local_sandbox: bool = False
    """True where tasks of Inspect may run programs with the user's own rights."""

    @property
    def chosen(self) -> bool:
        """True if anything was chosen that means nothing without an agentic suite."""
        return bool(self.settings or self.roles or self.servers or self.containment is not None)


def agentic_suites(suites: Sequence[Suite]) -> dict[str, Environment]:
    """The agentic suites' environments, by `id@version`. Raises UsageError for an environment that is not here."""
    found = {}
    for suite in suites:
        if suite.manifest.environment:
            environment = environment_of(suite)
            if environment is None:
                raise UsageError(
                    f"this program has no environment {suite.manifest.environment!r}", where=str(suite.path)
                )
            found[suite.name] = environment
    return found


def bind_agent(choice: SystemChoice, agent: AgentChoice, suites: Sequence[Suite]) -> SystemChoice:
    """The system with its agent: settings, other models and outside tools become part of what the label binds to.

    Without an agentic suite the system is left as it is. Raises UsageError for settings that make no sense, for a role
    that no suite has, where agent options were given for plain suites alone, and for a task of Inspect that runs
    programs without containment where that was not allowed.
    """
    environments = agentic_suites(suites)
    of_inspect = any(is_inspect_suite(suite) for suite in suites)
    if not environments and not of_inspect:
        if agent.chosen:
            raise UsageError("no suite here is for an agent", hint="leave out the agent's options")
        return choice
    uncontained = _bind_local_sandbox(agent, suites)
    params = {
        **choice.params,
        **uncontained,
        **{f"agent.{key}": value for key, value in agent.settings.items()},
    }
    panels = {**default_roles(environments), **read_roles(params), **agent.roles}
    if not of_inspect:  # what roles a task of Inspect has, Inspect knows
        _refuse_unknown_roles(panels, environments)
    if not environments:
        _refuse_loop_options(agent)
        return replace(choice, params={**choice.params, **uncontained, **role_params(panels)})
    if agent.containment is not None and not any(e.needs_box for e in environments.values()):
        raise UsageError("no suite here runs programs in a sandbox", where="--containment")
    tools = dict(choice.tools)
    if agent.servers is not None:
        tools[OUTSIDE_TOOLS] = tools_bytes(agent.servers.tools)
    bound = {**params, **agent_params(read_settings(params)), **role_params(panels)}
    return replace(choice, params=bound, tools=tools)


def _bind_local_sandbox(agent: AgentChoice, suites: Sequence[Suite]) -> dict[str, Scalar]:
    """What the descriptor says of tasks of Inspect that contain nothing."""
    local = next((suite.name for suite in suites if uses_local_sandbox(suite)), None)
    if local is None:
        return {}
    if not agent.allow_local_sandbox:
        raise UsageError(
            "the task runs programs of the model with your own rights (sandbox 'local', containment C0)",
            where=local,
            hint="a task with another sandbox, or --allow-local-sandbox on a machine that may be lost",
        )
    return {LOCAL_SANDBOX: UNCONTAINED}


def _refuse_unknown_roles(panels: Mapping[str, object], environments: Mapping[str, Environment]) -> None:
    wanted = {role for environment in environments.values() for role in environment.roles}
    if unknown := sorted(set(panels) - wanted):
        raise UsageError(
            f"no suite has a role {unknown[0]!r}",
            where="--role",
            hint=f"they have {', '.join(sorted(wanted)) or 'none'}",
        )


def _refuse_loop_options(agent: AgentChoice) -> None:
    if agent.settings or agent.servers is not None or agent.containment is not None:
        raise UsageError(
            "tasks of Inspect bring their own agent", hint="--role is what they share with our own suites"
        )


def default_roles(environments: Mapping[str, Environment]) -> dict[str, tuple[str, ...]]:
    """Who plays the roles that nobody was named for: the simulated player, which its address says."""
    roles = {role for environment in environments.values() for role in environment.roles}
    return {role: (f"scripted:{role}",) for role in sorted(roles)}


def add_solvers(
    model: Model, choice: SystemChoice, agent: AgentChoice, suites: Sequence[Suite], reach: Reach
) -> Model:
    """The model with a solver for each agentic suite; the model itself where there is none.

    `choice` is what `bind_agent` gave, `reach` how Inspect gets to the model. Raises UsageError for a model that cannot
    be shown tools.
    """
    environments = agentic_suites(suites)
    panels = read_roles(choice.params)
    solvers: dict[str, Solver] = {}
    for suite in suites:
        if (environment := environments.get(suite.name)) is not None:
            around = _surroundings(choice, agent, {role: panels[role] for role in environment.roles})
            solvers[suite.name] = AgentSolver(suite, environment, model, around)
        elif is_inspect_suite(suite):
            solvers[suite.name] = _open_inspect(suite, choice, panels, reach)
    if not solvers:
        return model
    return SolvingModel(model, solvers, observer=agent.observer, notes=_notes(panels))


def _surroundings(
    choice: SystemChoice, agent: AgentChoice, panels: Mapping[str, Sequence[str]]
) -> Surroundings:
    return Surroundings(
        settings=read_settings(choice.params),
        roles=open_panels(panels, key_env=agent.role_key_env),
        addresses=panels,
        outside=agent.servers.tools if agent.servers else (),
        open_outside=agent.servers.open if agent.servers else None,
        box=agent.box,
        attestation=agent.containment,
        observer=agent.observer,
    )


def _open_inspect(
    suite: Suite, choice: SystemChoice, panels: Mapping[str, Sequence[str]], reach: Reach
) -> Solver:
    from verilabel.evaluation.inspect_backend.opening import open_inspect_solver

    if several := sorted(role for role, panel in panels.items() if len(panel) > 1):
        raise UsageError("a task of Inspect has one model a role", where=f"--role {several[0]}")
    return open_inspect_solver(
        suite,
        choice.model,
        base_url=choice.base_url,
        key_env=reach.key_env,
        key_file=reach.key_file,
        roles={role: panel[0] for role, panel in panels.items()},
        connections=reach.connections,
        epochs=reach.epochs,
        timeout_s=reach.timeout_s,
        sample_timeout_s=reach.sample_timeout_s,
        allow_insecure=reach.allow_insecure,
    )


def _notes(panels: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    simulated = [role for role, panel in panels.items() if all(a.startswith("scripted:") for a in panel)]
    return tuple(
        f"the role {role!r} is played by a rule and no model (--role {role}=ADDRESS names one)"
        for role in simulated
    )
