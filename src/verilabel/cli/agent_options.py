"""The options of agentic suites: other models, the agent's limits, the sandbox, tools of MCP servers."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli.options import WHOLE_NUMBER, name_values
from verilabel.errors import UsageError

if TYPE_CHECKING:
    from verilabel.evaluation.agents.mcp_tools import McpServers
    from verilabel.evaluation.agents.opening import AgentChoice, Reach
    from verilabel.records.system import Scalar

MAX_SAMPLE_S = 7 * 86_400.0


def add_agent_options(parser: ArgumentParser) -> None:
    """Options that mean something where a suite's samples are answered by an agent."""
    group = parser.add_argument_group("agents, on suites whose samples are tasks")
    group.add_argument(
        "--agent",
        action="append",
        default=[],
        metavar="KEY=N",
        help="max_steps=N or max_calls=N: limits of the tool loop, part of the system (repeatable)",
    )
    group.add_argument(
        "--role",
        action="append",
        default=[],
        metavar="ROLE=ADDRESS",
        help="a model that plays a role in a suite, such as mark=ollama/llama3.2 or "
        "mark=vllm/NAME@http://host:8000/v1; a role named more than once is a panel (default: a simulated player)",
    )
    group.add_argument(
        "--role-key-env", metavar="VARIABLE", help="environment variable with the key of the roles' servers"
    )
    group.add_argument(
        "--mcp",
        action="append",
        default=[],
        metavar="URL|COMMAND",
        help="an MCP server, or our MCP gateway, whose tools are offered too (repeatable)",
    )
    group.add_argument(
        "--mcp-key-env", metavar="VARIABLE", help="environment variable with the token of --mcp URLs"
    )
    group.add_argument(
        "--sandbox",
        default="auto",
        metavar="PROVIDER",
        help="what contains programs (default: the best that is here)",
    )
    group.add_argument(
        "--sandbox-uid",
        type=int,
        metavar="N",
        help="the unprivileged user that a program started by root becomes first",
    )
    group.add_argument(
        "--containment",
        type=Path,
        metavar="FILE",
        help="the containment attestation of `verilabel sandbox doctor`, kept with the label",
    )
    group.add_argument(
        "--allow-local-sandbox",
        action="store_true",
        help="let tasks of Inspect run programs with your own rights (containment C0); the label says so",
    )
    group.add_argument(
        "--sample-timeout",
        type=float,
        default=7200.0,
        metavar="SECONDS",
        help="for one sample of a task of Inspect (default 7200)",
    )


def choose_agent(args: Namespace) -> AgentChoice:
    """What the options choose. Asks the MCP servers for their tools.

    Raises UsageError, ModelError, MissingExtra, and for an attestation what `load_attestation` raises.
    """
    from verilabel.evaluation.agents.observing import open_observer
    from verilabel.evaluation.agents.opening import AgentChoice
    from verilabel.evaluation.agents.roles import read_role_options
    from verilabel.evidence.others.containment import load_attestation
    from verilabel.sandbox.interface import BoxSpec

    return AgentChoice(
        settings=_settings(args),
        roles=read_role_options(args.role),
        box=BoxSpec(provider=args.sandbox, uid=args.sandbox_uid),
        containment=None if args.containment is None else load_attestation(args.containment),
        servers=_ask_servers(args),
        observer=open_observer(os.environ),
        role_key_env=args.role_key_env,
        allow_local_sandbox=args.allow_local_sandbox,
    )


def reach_of(args: Namespace) -> Reach:
    """How tasks of Inspect get to the model, by the options that say how this program does."""
    from verilabel.evaluation.agents.opening import Reach

    return Reach(
        key_env=args.key_env,
        key_file=args.key_file,
        timeout_s=args.timeout,
        connections=args.connections,
        epochs=getattr(args, "epochs", 1),
        allow_insecure=args.allow_insecure,
        sample_timeout_s=_sample_timeout(args),
    )


def _sample_timeout(args: Namespace) -> float:
    seconds: float = args.sample_timeout
    if not 0 < seconds <= MAX_SAMPLE_S:
        raise UsageError(f"more than 0 and at most {MAX_SAMPLE_S:g} seconds", where="--sample-timeout")
    return seconds


def _settings(args: Namespace) -> dict[str, Scalar]:
    settings: dict[str, Scalar] = {}
    for key, text in name_values(args.agent, "--agent").items():
        if not WHOLE_NUMBER.fullmatch(text):
            raise UsageError(
                f"{text!r} is not a whole number", where=f"--agent {key}", hint="--agent max_steps=50"
            )
        settings[key] = int(text)
    return settings


def _ask_servers(args: Namespace) -> McpServers | None:
    if not args.mcp:
        return None
    import asyncio

    from verilabel.evaluation.agents.mcp_tools import Place, list_servers

    token = os.environ.get(args.mcp_key_env) if args.mcp_key_env else None
    if args.mcp_key_env and not token:
        raise UsageError("the variable is not set", where=f"--mcp-key-env {args.mcp_key_env}")
    places = [Place(address, token) for address in args.mcp]
    for place in places:
        if token and place.address.startswith("http://") and not args.allow_insecure:
            _refuse_insecure(place.address)
    return asyncio.run(list_servers(places))


def _refuse_insecure(url: str) -> None:
    from verilabel.models.endpoint import check_base_url

    check_base_url(url, has_key=True, allow_insecure=False)
