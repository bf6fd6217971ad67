"""How much a model shall think, in the words of each provider, and signatures that only one provider can read."""

from __future__ import annotations

from typing import Any

from verilabel.gateway.translation.conversation import Origin, Request, Thought
from verilabel.gateway.translation.shapes import unsayable

SIGNATURES: tuple[Origin, ...] = ("anthropic", "google", "openai")
HIDDEN = "hidden"
LOW_BUDGET = 4_096
MEDIUM_BUDGET = 16_384
"""A budget of fewer tokens than these is the effort `low`, `medium`; any other is `high`."""

ANTHROPIC_BUDGETS = {
    "minimal": 1_024,
    "low": 2_048,
    "medium": 8_192,
    "high": 16_384,
    "xhigh": 24_576,
    "max": 32_768,
}
ANTHROPIC_LEAST_BUDGET = 1_024
ANTHROPIC_EFFORTS = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}
ANTHROPIC_BUDGET_MODELS = (
    "claude-3",
    "claude-opus-4@",
    "claude-sonnet-4@",
    "claude-opus-4-0",
    "claude-opus-4-1",
    "claude-opus-4-2",
    "claude-opus-4-5",
    "claude-sonnet-4-0",
    "claude-sonnet-4-2",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
)
"""Models that know a budget of tokens and no adaptive thinking."""

GOOGLE_BUDGETS = {"none": 0, "minimal": 1_024, "low": 1_024, "medium": 8_192, "high": 24_576}
GOOGLE_LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "XHIGH"}
GOOGLE_BUDGET_MODELS = ("gemini-1.", "gemini-2.")
"""Models that know a budget of tokens and no level."""


def has_budgets(model: str, names: tuple[str, ...]) -> bool:
    """True if the model is one of those that know a budget of thinking tokens and nothing newer."""
    return any(name in model for name in names)


def effort_of(request: Request) -> str | None:
    """The effort a request asks for, in OpenAI's words; None where it says nothing."""
    if request.effort is not None or request.budget is None:
        return request.effort
    if request.budget < LOW_BUDGET:
        return "low"
    return "medium" if request.budget < MEDIUM_BUDGET else "high"


def thinking_allowance(request: Request) -> int:
    """Tokens that thinking as asked may take, where output tokens were not limited by the client."""
    return request.budget or ANTHROPIC_BUDGETS.get(request.effort or "", 0)


def write_anthropic_thinking(request: Request, model: str, max_tokens: int) -> dict[str, Any]:
    """The members `thinking` and `output_config` of a Messages request. Raises Untranslatable."""
    effort = request.effort
    if effort is None and request.budget is None:
        return {}
    if effort == "none":
        return {"thinking": {"type": "disabled"}}
    if not has_budgets(model, ANTHROPIC_BUDGET_MODELS):
        word = ANTHROPIC_EFFORTS.get(effort_of(request) or "")
        if word is None:
            raise unsayable("Anthropic", "this effort", request.where("effort"))
        return {"thinking": {"type": "adaptive"}, "output_config": {"effort": word}}
    budget = min(thinking_allowance(request), max_tokens - 1)
    if budget < ANTHROPIC_LEAST_BUDGET:
        raise unsayable(
            "Anthropic", "so little thinking", request.where("effort"), "allow more output tokens"
        )
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def write_google_thinking(request: Request, model: str) -> dict[str, Any]:
    """The member `thinkingConfig` of a generateContent request, empty where nothing is asked. Raises Untranslatable."""
    effort = effort_of(request)
    config: dict[str, Any] = {}
    if effort is None:
        return config
    if has_budgets(model, GOOGLE_BUDGET_MODELS):
        budget = request.budget if request.budget is not None else GOOGLE_BUDGETS.get(effort)
        if budget is None:
            raise unsayable("Google", "this effort", request.where("effort"))
        config["thinkingBudget"] = budget
    else:
        level = GOOGLE_LEVELS.get(effort)
        if level is None:
            raise unsayable(
                "Google", "this effort", request.where("effort"), "this model has minimal, low, medium, high"
            )
        config["thinkingLevel"] = level
    if effort != "none" and request.shows_thoughts is not False:
        config["includeThoughts"] = True
    return config


def seal_signature(origin: Origin, signature: str, *, hidden: bool) -> str:
    """A signature as a client of another API keeps it: with the name of the one who can read it."""
    return f"{origin}:{HIDDEN}:{signature}" if hidden else f"{origin}:{signature}"


def open_signature(text: str, sealed: str) -> Thought:
    """A thought with the signature that `seal_signature` made; without one where nobody here made it."""
    for origin in SIGNATURES:
        if sealed.startswith(f"{origin}:"):
            signature = sealed[len(origin) + 1 :]
            hidden = signature.startswith(f"{HIDDEN}:")
            if hidden:
                signature = signature[len(HIDDEN) + 1 :]
            return Thought(text=text, signature=signature, origin=origin, hidden=hidden)
    return Thought(text=text)
