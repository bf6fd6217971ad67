"""What a policy from elsewhere may not ask of this machine: its secrets, its files, its programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from verilabel.gateway.policy.document import Policy
from verilabel.gateway.policy.remark import Remark, doubt, mistake

_RUNNING_KINDS = frozenset({"guardrails", "nemo"})
"""Kinds whose settings name code that is run."""
_OF_THIS_MACHINE = ("_env", "_file")
"""Ends of the words by which settings name environment variables and files."""
_ADDRESSES = frozenset({"url", "base_url"})


def lint_foreign(policy: Policy) -> Iterator[Remark]:
    """What is wrong or doubtful in a policy that came as a pack.

    A pack is data: it reads no secret and no file of this machine and has no code run, whoever signed it. Where it has
    texts sent is shown.
    """
    for index, guard in enumerate(policy.guards):
        where = f"$.guards[{index}]"
        if guard.use in _RUNNING_KINDS:
            yield mistake(f"{where}.use", f"{guard.use} runs code, which a pack may not", _BESIDE)
        yield from _lint_settings(guard.settings, f"{where}.settings")
    if policy.approvals.webhook is not None:
        yield doubt(
            "$.approvals.webhook", "the pack has notices of held actions sent to an address of its own"
        )


_BESIDE = "put the policy into a file of your own beside the configuration, if that is what you want"


def _lint_settings(settings: Mapping[str, Any], where: str) -> Iterator[Remark]:
    for name, value in settings.items():
        place = f"{where}.{name}"
        if name.endswith(_OF_THIS_MACHINE) and value:
            yield mistake(place, "a pack may not name secrets or files of this machine", _BESIDE)
        elif name in _ADDRESSES:
            yield doubt(place, "the pack has texts sent to an address of its own")
        elif isinstance(value, Mapping):
            yield from _lint_settings(value, place)
