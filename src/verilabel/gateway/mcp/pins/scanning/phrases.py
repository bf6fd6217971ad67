"""What texts of servers must not say: the injection rules of the gateway's guards, and rules for texts of tools.

Rules run on RE2 with bounded repeats (`detectors.spans`). They find what is said in known words, in English: a text
that asks for the same in other words passes. A pin is what holds; this is what a person is pointed to.
"""

from __future__ import annotations

import functools

from verilabel.detectors.spans.packs import open_pack
from verilabel.detectors.spans.rule import Rule
from verilabel.detectors.spans.ruleset import RuleSet

_CREDENTIAL_FILES = (
    r"(?:~/\.ssh|\.ssh/|id_rsa|id_ed25519|id_ecdsa|\.cursor/mcp\.json|claude_desktop_config|\.claude\.json|\.aws/cred"
    r"|/etc/shadow|/etc/passwd|\.netrc|\.kube/config|\.git-credentials|\.gnupg|wallet\.dat|\.docker/config\.json)"
)
_TOOL_RULES = (
    Rule(
        id="mcp/conceals-from-user",
        label="CONCEALS",
        pattern=r"\b(?:do not|don't|never|avoid|without) (?:ever )?(?:mention|reveal|disclos|expos)(?:e|ing)?"
        r" (?:this|that|it|these|them|any of this|the (?:instruction|step|note|side ?note|detail|fact)s?)\b",
        ignore_case=True,
    ),
    Rule(
        id="mcp/conceals-from-user",
        label="CONCEALS",
        pattern=r"\b(?:hide|conceal|keep) (?:this|that|it|these)(?: \w{1,12}){0,3} (?:from|secret from) the"
        r" (?:user|human)",
        ignore_case=True,
    ),
    Rule(
        id="mcp/reads-credentials",
        label="CREDENTIALS",
        pattern=r"\b(?:read|open|cat|include|pass|send|attach|load|provide|fetch|copy|upload|get)\b[^\n]{0,80}"
        + _CREDENTIAL_FILES,
        ignore_case=True,
    ),
    Rule(
        id="mcp/steers-other-tools",
        label="STEERS",
        pattern=r"\b(?:before|prior to|after|instead of|when|whenever) (?:(?:using|calling|invoking|running|you (?:use"
        r"|call|run|invoke)) )?(?:any|all|every|each)(?: of the)?(?: other)? (?:tool|function|server)s?\b",
        ignore_case=True,
    ),
    Rule(
        id="mcp/steers-other-tools",
        label="STEERS",
        pattern=r"\b(?:do not|don't|never) (?:use|call|invoke|run) (?:any other|other|the other)"
        r" (?:tool|function|server)s?\b",
        ignore_case=True,
    ),
    Rule(
        id="mcp/pretends-authority",
        label="AUTHORITY",
        pattern=r"<\s{0,3}(?:important|critical|secret|hidden|urgent|mandatory|override)\s{0,3}>",
        ignore_case=True,
    ),
    Rule(
        id="mcp/pretends-authority",
        label="AUTHORITY",
        pattern=r"\bimportant (?:message|instruction|order|note)s? from"
        r" (?:me|us|your|the (?:user|system|developer|admin))\b"
        r"|#{2,6} ?\((?:system|admin|developer)[ _]?(?:message|prompt|note)?\)",
        ignore_case=True,
    ),
    Rule(
        id="mcp/pretends-authority",
        label="AUTHORITY",
        pattern=r"\bbefore (?:you )?(?:can )?(?:solv|complet|do|start|answer|perform|continu)(?:e|ing)?(?: with)?"
        r" (?:the|this|any|your|my|that|other) (?:task|request|question|order)s?\b"
        r"[^\n]{0,80}\b(?:the following|must|have to|first)\b",
        ignore_case=True,
    ),
    Rule(
        id="mcp/harvesting-parameter",
        label="HARVESTS",
        pattern=r"\b(?:conversation|chat history|system prompt|previous messages|credentials?|passwords?)\b[^\n]{0,60}"
        r"\b(?:as|in|into|via) (?:the |a |this )?\W?\w{1,30}\W? (?:parameter|argument|field)\b",
        ignore_case=True,
    ),
    Rule(
        id="mcp/padded-text",
        label="PADDED",
        pattern=r"(?:[ \t\xa0]{0,8}\n){30}|[ \t\xa0]{200}",
    ),
    Rule(id="mcp/padded-text", label="PADDED", pattern=r"<!--[^>]{40}", ignore_case=True),
)
_HARVESTING_PARAMETERS = frozenset(
    (
        "systemprompt",
        "conversationhistory",
        "chathistory",
        "fullconversation",
        "entireconversation",
        "chainofthought",
        "previousmessages",
        "previoustoolcalls",
        "alltools",
        "availabletools",
        "toolslist",
        "sidenote",
    )
)
_FETCHERS = r"(?:curl|wget|fetch|iwr|irm|invoke-webrequest|invoke-restmethod)"
_PROGRAMS = (
    r"(?:sudo\s{1,4})?(?:(?:ba|z|da|k|a)?sh|python[0-9.]{0,5}|node|perl|ruby|php|iex|invoke-expression)"
)
_FETCH_AND_RUN = (
    rf"\b{_FETCHERS}\b[^|;&]{{0,1000}}\|\s{{0,4}}(?:[^|;&]{{0,200}}\|\s{{0,4}})?{_PROGRAMS}\b",
    rf"(?:<\(|\$\(|`)\s{{0,4}}{_FETCHERS}\b",
    rf"\b(?:iex|invoke-expression)\b[^|;&]{{0,200}}\b(?:{_FETCHERS}|downloadstring)\b",
    rf"\b{_FETCHERS}\b[^|;&]{{0,1000}}(?:;|&&)\s{{0,4}}(?:chmod\b[^;&]{{0,200}}(?:;|&&)\s{{0,4}})?(?:{_PROGRAMS}\b|\./)",
)


@functools.cache
def injection_rules() -> RuleSet:
    """The gateway's injection rules but for hidden characters, which `unseen_text` finds, and for words to the model:
    instructions and descriptions of servers are written to models."""
    rules = open_pack("injection", without=["to_the_model"])
    return RuleSet([rule for rule in rules if rule.label != "HIDDEN"])


@functools.cache
def tool_rules() -> RuleSet:
    """Rules for texts of tools; the id of a match, up to its number, is the finding's rule."""
    return RuleSet(
        [
            Rule(
                id=f"{rule.id}.{number}", label=rule.label, pattern=rule.pattern, ignore_case=rule.ignore_case
            )
            for number, rule in enumerate(_TOOL_RULES)
        ]
    )


@functools.cache
def shell_rules() -> RuleSet:
    """Commands of a shell that fetch a program and run it."""
    return RuleSet(
        [
            Rule(id=f"shell.{number}", label="SHELL", pattern=pattern, ignore_case=True)
            for number, pattern in enumerate(_FETCH_AND_RUN)
        ]
    )


def asks_for_context(parameter: str) -> bool:
    """True for the name of a parameter that is known to draw a model's own context out."""
    return parameter.lower().replace("_", "").replace("-", "") in _HARVESTING_PARAMETERS
