"""Trust policies: whose signature counts, for which role, within which scope. Nothing is trusted by default.

A policy is a tree of rules over one signer, a public key or a Sigstore identity: `AcceptKey` and `AcceptIdentity` at
the leaves, `WithinScope` to narrow, `AnyOf` and `AllOf` to combine, and `UnsafeAcceptAnyKey`, which says what it is.
Whether a Sigstore identity really signed is for others to verify (extra `sigstore`): the rules only say what it may
sign, and a key alone never satisfies them. `trust.yaml` is the policy's file form:

    format: verilabel/trust/v1
    witness_quorum: 1  # optional: witnesses that must have cosigned a log; 0 where it is not said
    accept:
      any:
        - key: labels.example.org+1a2b3c4d+AQ...
          name: Example Lab
          roles: [labels, log]
          rubrics: [core, "vendor-*"]  # optional: rubric ids, `*` and `?` as wildcards
          systems: ["example/*"]       # optional: names of systems
        - key: witness.example.net+5e6f7a8b+BA...
          name: Example Witness
          roles: [witness]
        - sigstore: {identity: someone@example.com, issuer: "https://accounts.example.com"}
          name: Someone
          roles: [replications, disputes]

`rubrics` and `systems` limit the roles that are about a label or a system (`SCOPED_ROLES`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from verilabel.errors import MalformedInput, UsageError
from verilabel.evidence.acceptance import Accepted, Decision, Refused
from verilabel.evidence.anchors import FIELDS, NONE, Anchors, read_anchors
from verilabel.evidence.keys import KeyType, PublicKey, parse_public
from verilabel.records.strict_yaml import load_strict_yaml

TRUST_FORMAT = "verilabel/trust/v1"
MAX_TRUST_BYTES = 2**20
MAX_RULES = 10_000
MAX_QUORUM = 64

Role = Literal["labels", "log", "witness", "replications", "disputes", "attestations", "audits"]
ROLES: tuple[Role, ...] = get_args(Role)
SCOPED_ROLES: frozenset[Role] = frozenset({"labels", "replications", "disputes", "attestations", "audits"})
"""Roles that rubrics and systems limit: what is signed in them is about a label, or about a system."""
MAX_IDENTITY = 2048
_RULES = "any, all, key, sigstore, within or unsafe_accept_any_key"


@dataclass(frozen=True)
class SigstoreIdentity:
    """Who a Sigstore certificate says signed, and which OpenID provider vouched for that. Compared exactly."""

    identity: str
    issuer: str


@dataclass(frozen=True)
class Question:
    """What is asked of a policy: does this signer count in this role, for this rubric and this system?

    The signer is a key, or an identity whose certificate and log entry were verified before anybody asks.
    """

    key: PublicKey | None
    role: Role
    rubric: str | None = None
    system: str | None = None
    identity: SigstoreIdentity | None = None

    @property
    def signer(self) -> str:
        """A word for the signer, for people."""
        if self.key is not None:
            return self.key.name
        return self.identity.identity if self.identity is not None else "nobody"

    @property
    def unnamed(self) -> str:
        """Why a signer whom no rule names does not count."""
        return f"not {'an identity' if self.key is None else 'a key'} of this policy"


@dataclass(frozen=True)
class Scope:
    """What a key's signature counts for. None is no limit; patterns have `*`, `?`, `[...]` and match case."""

    roles: frozenset[Role] | None = None
    rubrics: tuple[str, ...] | None = None
    systems: tuple[str, ...] | None = None

    def refusal(self, question: Question) -> str | None:
        """Why the question lies outside, or None where it lies inside. An unknown fact lies outside."""
        if self.roles is not None and question.role not in self.roles:
            return f"not for the role {question.role}"
        if question.role not in SCOPED_ROLES:
            return None
        for what, patterns, value in (
            ("rubric", self.rubrics, question.rubric),
            ("system", self.systems, question.system),
        ):
            if patterns is not None and not (value is not None and _matches(value, patterns)):
                return f"not for the {what} {value}"
        return None


def _matches(value: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns)


class Rule(Protocol):
    """A part of a policy."""

    def decide(self, question: Question) -> Decision:
        """Whether the key of the question counts."""

    def parts(self) -> Iterator[Rule]:
        """This rule and all rules inside it."""


@dataclass(frozen=True)
class AcceptKey:
    """Accepts one key within a scope. Only the key is compared, never the name that came with it."""

    key: PublicKey
    name: str
    scope: Scope

    def decide(self, question: Question) -> Decision:
        """Accepted where it is this key and the question lies in its scope."""
        if question.key is None or question.key.raw != self.key.raw:
            return Refused(question.unnamed)
        return _within(self.scope, self.name, question)

    def parts(self) -> Iterator[Rule]:
        """This rule alone."""
        yield self


@dataclass(frozen=True)
class AcceptIdentity:
    """Accepts one Sigstore identity within a scope. No key satisfies it, whatever its name."""

    identity: SigstoreIdentity
    name: str
    scope: Scope

    def decide(self, question: Question) -> Decision:
        """Accepted where it is this identity, from this issuer, and the question lies in its scope."""
        if question.identity != self.identity:
            return Refused(question.unnamed)
        return _within(self.scope, self.name, question)

    def parts(self) -> Iterator[Rule]:
        """This rule alone."""
        yield self


def _within(scope: Scope, name: str, question: Question) -> Decision:
    outside = scope.refusal(question)
    return Accepted(name) if outside is None else Refused(f"{name} counts, but {outside}")


@dataclass(frozen=True)
class WithinScope:
    """Accepts what its rule accepts, within a scope. It narrows a rule and cannot accept anything by
    itself.
    """

    scope: Scope
    rule: Rule

    def decide(self, question: Question) -> Decision:
        """The rule's decision where the question lies in the scope."""
        decision = self.rule.decide(question)
        outside = self.scope.refusal(question)
        if outside is None or not decision.accepted:
            return decision
        return Refused(f"{decision.name} counts, but {outside}")

    def parts(self) -> Iterator[Rule]:
        """This rule and all rules inside it."""
        yield self
        yield from self.rule.parts()


@dataclass(frozen=True)
class AnyOf:
    """Accepts what at least one of its rules accepts."""

    rules: tuple[Rule, ...]

    def decide(self, question: Question) -> Decision:
        """The first acceptance, one that names the holder before others, or the most telling refusal."""
        refusals, accepted = [], []
        for rule in self.rules:
            decision = rule.decide(question)
            if not decision.accepted:
                refusals.append(decision)
            elif decision.is_named:
                return decision
            else:
                accepted.append(decision)
        if accepted:
            return accepted[0]
        return max(refusals, key=lambda refused: "counts, but" in refused.reason, default=Refused("no rule"))

    def parts(self) -> Iterator[Rule]:
        """This rule and all rules inside it."""
        yield self
        for rule in self.rules:
            yield from rule.parts()


@dataclass(frozen=True)
class AllOf:
    """Accepts what every one of its rules accepts, under all the names they give."""

    rules: tuple[Rule, ...]

    def decide(self, question: Question) -> Decision:
        """The first refusal, or an acceptance. No rules at all accept nothing."""
        every = []
        for rule in self.rules:
            decision = rule.decide(question)
            if not decision.accepted:
                return decision
            every.append(decision)
        if not every:
            return Refused("no rule")
        named = [decision for decision in every if decision.is_named] or every
        return Accepted(
            ", ".join(dict.fromkeys(decision.name for decision in every)),
            is_named=any(decision.is_named for decision in every),
            holders=frozenset().union(*(decision.holders for decision in named)),
        )

    def parts(self) -> Iterator[Rule]:
        """This rule and all rules inside it."""
        yield self
        for rule in self.rules:
            yield from rule.parts()


@dataclass(frozen=True)
class UnsafeAcceptAnyKey:
    """Accepts every key in every role: a signature then only says that someone signed these bytes."""

    def decide(self, question: Question) -> Decision:
        """Always accepted, under a name that warns."""
        return Accepted(f"anyone (unsafe): {question.signer}", is_named=False)

    def parts(self) -> Iterator[Rule]:
        """This rule alone."""
        yield self


@dataclass(frozen=True)
class TrustPolicy:
    """A whole policy: the rule, and how many witnesses must have cosigned a log's checkpoint."""

    accept: Rule
    witness_quorum: int = 0
    anchors: Anchors = NONE
    is_open_to_disputes: bool = False
    """True where everybody's dispute counts, as it does without a policy."""

    def accepts(
        self, key: PublicKey, *, role: Role, rubric: str | None = None, system: str | None = None
    ) -> Decision:
        """Whether a key counts in a role. `rubric` is the rubric's id, `system` the system's name."""
        return self.accept.decide(Question(key, role, rubric, system))

    def accepts_identity(
        self, identity: SigstoreIdentity, *, role: Role, rubric: str | None = None, system: str | None = None
    ) -> Decision:
        """Whether a Sigstore identity counts in a role. Only for one whose signature was verified."""
        return self.accept.decide(Question(None, role, rubric, system, identity))

    def identities(self, role: Role) -> tuple[SigstoreIdentity, ...]:
        """The Sigstore identities that the policy names for a role."""
        rules = (rule for rule in self.accept.parts() if isinstance(rule, AcceptIdentity))
        named = [rule.identity for rule in rules if rule.scope.roles is None or role in rule.scope.roles]
        return tuple(dict.fromkeys(named))

    def keys(self, role: Role) -> tuple[PublicKey, ...]:
        """The keys that the policy names for a role, of the type in which that role signs notes.

        In roles that no rubric and no system limit, those alone that the whole policy accepts: what `within` or `all`
        around a rule forbids is not named by it.
        """
        key_type = KeyType.COSIGNATURE if role == "witness" else KeyType.ED25519
        named = {}
        for rule in self.accept.parts():
            if isinstance(rule, AcceptKey) and (rule.scope.roles is None or role in rule.scope.roles):
                if role not in SCOPED_ROLES and not self.accepts(rule.key, role=role).accepted:
                    continue
                key = rule.key.of_type(key_type)
                named[(key.name, key.raw)] = key
        return tuple(named.values())

    @property
    def accepts_any_key(self) -> bool:
        """True where `UnsafeAcceptAnyKey` stands anywhere in the policy, so that a reader can be warned."""
        return any(isinstance(rule, UnsafeAcceptAnyKey) for rule in self.accept.parts())


def trust_keys(*keys: PublicKey, roles: Sequence[Role] = ("labels", "log")) -> TrustPolicy:
    """The policy that accepts exactly these keys, under their own names."""
    scope = Scope(roles=frozenset(roles))
    return TrustPolicy(AnyOf(tuple(AcceptKey(key, key.name, scope) for key in keys)))


def write_trust(*keys: PublicKey, roles: Sequence[Role] = ("labels", "log")) -> bytes:
    """The file of the policy that `trust_keys` gives, to begin one's own with."""
    lines = [f"format: {TRUST_FORMAT}", "accept:", "  any:"]
    for key in keys:
        lines += [
            f"    # {key.keyid}",
            f"    - key: {json.dumps(key.line, ensure_ascii=False)}",
            f"      name: {json.dumps(key.name, ensure_ascii=False)}",
            f"      roles: [{', '.join(roles)}]",
        ]
    return "".join(f"{line}\n" for line in lines).encode("utf-8")


def load_trust(path: Path) -> TrustPolicy:
    """Read a trust policy file. Raises UsageError where there is none, MalformedInput where it is
    malformed.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_TRUST_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(
            "there is no such trust policy",
            where=str(path),
            hint="`verilabel keys export --trust` writes a first one",
        ) from None
    return parse_trust(data, where=str(path), folder=path.parent)


def parse_trust(data: bytes, *, where: str = "trust.yaml", folder: Path | None = None) -> TrustPolicy:
    """Read a trust policy from the bytes of its file; the files that it names are read from `folder`.

    Raises MalformedInput with the path of what is wrong.
    """
    document = load_strict_yaml(data, where=where, max_bytes=MAX_TRUST_BYTES)
    root = f"{where}: $"
    fields = _fields(document, root, required={"format", "accept"}, optional={"witness_quorum", *FIELDS})
    if fields["format"] != TRUST_FORMAT:
        raise MalformedInput(f"not the format {TRUST_FORMAT}", where=f"{root}.format")
    quorum = fields.get("witness_quorum", 0)
    if type(quorum) is not int or not 0 <= quorum <= MAX_QUORUM:
        raise MalformedInput(f"not a number from 0 to {MAX_QUORUM}", where=f"{root}.witness_quorum")
    trust = TrustPolicy(
        _parse_rule(fields["accept"], f"{root}.accept"), quorum, read_anchors(fields, folder, root)
    )
    _check_whole(trust, where)
    return trust


def _check_whole(trust: TrustPolicy, where: str) -> None:
    if sum(1 for _ in trust.accept.parts()) > MAX_RULES:
        raise MalformedInput(f"more than {MAX_RULES} rules", where=where)
    witnesses = {key.raw for key in trust.keys("witness")}
    both = witnesses & {key.raw for key in trust.keys("log")}
    if both:
        raise MalformedInput(
            "a key that is both a log's and a witness's: a log cannot be its own witness",
            where=f"{where}: $.accept",
        )
    if trust.witness_quorum > len(witnesses) and not trust.accepts_any_key:
        raise MalformedInput(
            f"{trust.witness_quorum} witnesses are asked for, {len(witnesses)} are named",
            where=f"{where}: $.witness_quorum",
        )


def _parse_rule(value: Any, where: str) -> Rule:
    if not isinstance(value, dict):
        raise MalformedInput("not a rule", where=where, hint=_RULES)
    if "key" in value:
        return _parse_key_rule(value, where)
    if "sigstore" in value:
        return _parse_identity_rule(value, where)
    if len(value) != 1:
        raise MalformedInput(f"a rule is one of {_RULES}", where=where)
    ((kind, content),) = value.items()
    place = f"{where}.{kind}"
    match kind:
        case "any":
            return AnyOf(_parse_rules(content, place))
        case "all":
            return AllOf(_parse_rules(content, place))
        case "within":
            fields = _fields(content, place, required={"accept"}, optional={"roles", "rubrics", "systems"})
            return WithinScope(_parse_scope(fields, place), _parse_rule(fields["accept"], f"{place}.accept"))
        case "unsafe_accept_any_key":
            if content is not True:
                raise MalformedInput("this rule is written with the value true, or left out", where=place)
            return UnsafeAcceptAnyKey()
    raise MalformedInput(f"no rule {kind!r}", where=where, hint=_RULES)


def _parse_rules(value: Any, where: str) -> tuple[Rule, ...]:
    if not isinstance(value, list) or not value:
        raise MalformedInput("not a list of at least one rule", where=where)
    return tuple(_parse_rule(item, f"{where}[{index}]") for index, item in enumerate(value))


def _parse_key_rule(value: Any, where: str) -> AcceptKey:
    fields = _fields(value, where, required={"key", "name", "roles"}, optional={"rubrics", "systems"})
    key = parse_public(_text(fields, "key", where), where=f"{where}.key")
    name, scope = _text(fields, "name", where), _parse_limited_scope(fields, where)
    if key.key_type is KeyType.COSIGNATURE and (scope.roles or frozenset()) != {"witness"}:
        raise MalformedInput("a witness's key counts for the role witness alone", where=f"{where}.roles")
    return AcceptKey(key, name, scope)


def _parse_identity_rule(value: Any, where: str) -> AcceptIdentity:
    fields = _fields(value, where, required={"sigstore", "name", "roles"}, optional={"rubrics", "systems"})
    place = f"{where}.sigstore"
    named = _fields(fields["sigstore"], place, required={"identity", "issuer"}, optional=set())
    identity = SigstoreIdentity(_text(named, "identity", place), _text(named, "issuer", place))
    if not identity.issuer.startswith("https://"):
        raise MalformedInput(
            "not the address of an OpenID provider", where=f"{place}.issuer", hint="https://..."
        )
    name, scope = _text(fields, "name", where), _parse_limited_scope(fields, where)
    if not (scope.roles or frozenset()) <= SCOPED_ROLES:
        raise MalformedInput(
            "logs and witnesses sign with keys, not with Sigstore identities", where=f"{where}.roles"
        )
    return AcceptIdentity(identity, name, scope)


def _parse_limited_scope(fields: dict[str, Any], where: str) -> Scope:
    scope = _parse_scope(fields, where)
    limited = scope.rubrics is not None or scope.systems is not None
    if limited and not (scope.roles or frozenset()) & SCOPED_ROLES:
        raise MalformedInput(
            f"rubrics and systems limit the roles {', '.join(r for r in ROLES if r in SCOPED_ROLES)}",
            where=where,
        )
    return scope


def _text(fields: dict[str, Any], name: str, where: str) -> str:
    value = fields[name]
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_IDENTITY:
        raise MalformedInput("not a text", where=f"{where}.{name}")
    return value


def _parse_scope(fields: dict[str, Any], where: str) -> Scope:
    roles: frozenset[Role] | None = None
    if "roles" in fields:
        given = _texts(fields["roles"], f"{where}.roles")
        known = [role for role in ROLES if role in given]
        if len(known) != len(given):
            raise MalformedInput(
                "an unknown role, or one twice", where=f"{where}.roles", hint=", ".join(ROLES)
            )
        roles = frozenset(known)
    limits = {
        name: _texts(fields[name], f"{where}.{name}") for name in ("rubrics", "systems") if name in fields
    }
    return Scope(roles, limits.get("rubrics"), limits.get("systems"))


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
        raise MalformedInput("not a list of at least one text", where=where)
    return tuple(value)


def _fields(value: Any, where: str, *, required: set[str], optional: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedInput("not a mapping", where=where)
    missing = sorted(required - value.keys())
    unknown = sorted(value.keys() - required - optional)
    if missing:
        raise MalformedInput(f"{missing[0]!r} is missing", where=where)
    if unknown:
        raise MalformedInput(
            f"no field {unknown[0]!r}", where=where, hint=", ".join(sorted(required | optional))
        )
    return value
