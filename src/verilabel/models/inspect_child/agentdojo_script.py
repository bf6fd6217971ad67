"""The known way through AgentDojo: the ground truth of the user's task, then of the injected one if hijacked."""

from __future__ import annotations

from typing import Any

Plan = tuple[list[tuple[str, dict[str, Any]]], str]
"""Calls in order, and what is said at the end."""


def plan_agentdojo(metadata: dict[str, Any], hijacked: bool) -> Plan | None:
    """The plan for a sample whose setup has put AgentDojo's task objects into its metadata; None for any other."""
    environment, user_task = metadata.get("pre_environment"), metadata.get("user_task")
    if environment is None or not hasattr(user_task, "ground_truth"):
        return None
    tasks: list[Any] = [user_task]
    if hijacked and metadata.get("injection_task") is not None:
        tasks.append(metadata["injection_task"])
    calls = [
        (call.function, dict(call.arguments)) for task in tasks for call in task.ground_truth(environment)
    ]
    texts = [task.GROUND_TRUTH_OUTPUT for task in tasks]
    return calls, " ".join(text for text in texts if text)
