"""Reading policies and configurations: strict, every mistake with its place, identified by their exact bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from verilabel.errors import LimitExceeded, UsageError, VerilabelError
from verilabel.evidence.keys import home_folder
from verilabel.evidence.trust import TrustPolicy, load_trust
from verilabel.gateway.policy.bundled import BUNDLED_PREFIX, DEFAULT, bundled_bytes
from verilabel.gateway.policy.checking import CheckGuard, lint_policy
from verilabel.gateway.policy.document import Gateway, Policy
from verilabel.gateway.policy.foreign import lint_foreign
from verilabel.gateway.policy.forms import convert_document
from verilabel.gateway.policy.gateway_checks import lint_gateway, lint_together
from verilabel.gateway.policy.packing import PACK_PREFIX, find_pack
from verilabel.gateway.policy.remark import Remark, refuse_mistakes
from verilabel.records.canonical import digest
from verilabel.records.strict_yaml import load_strict_yaml

MAX_POLICY_BYTES = 2**20
MAX_CONFIG_BYTES = 2**20


@dataclass(frozen=True)
class PolicyFile:
    """A policy as it was read: `data` are its exact bytes, `digest` theirs, `where` names the place."""

    policy: Policy
    digest: str
    data: bytes
    where: str
    remarks: tuple[Remark, ...] = ()
    path: Path | None = None
    """The file, where it is one that can change."""

    @property
    def name(self) -> str:
        """As people know it."""
        return f"{self.policy.policy}@{self.policy.version}"


@dataclass(frozen=True)
class Loaded:
    """A gateway's configuration with everything it names, read and checked together.

    `policy` holds where no route and no key names another; `policies` are the others by id. `remarks` are doubts, those
    about its policies among them; `files` the files that were read (`watched_files` has those to be watched).
    """

    gateway: Gateway
    path: Path
    digest: str
    policy: PolicyFile
    policies: Mapping[str, PolicyFile]
    remarks: tuple[Remark, ...]
    files: tuple[Path, ...]
    trust: TrustPolicy | None = field(default=None, repr=False)

    @property
    def digests(self) -> dict[Path, str]:
        """The digest of the bytes that were read of each file, for a watcher to begin with."""
        policies = (self.policy, *self.policies.values())
        return {self.path: self.digest} | {
            each.path: each.digest for each in policies if each.path is not None
        }

    @property
    def folder(self) -> Path:
        """Where relative paths of the configuration begin."""
        return self.path.parent


def load_policy(
    source: Path | bytes,
    where: str | None = None,
    *,
    check_guard: CheckGuard | None = None,
    today: date | None = None,
) -> PolicyFile:
    """Read a policy and refuse what contradicts itself; its doubts are in `remarks`.

    `where` names it in errors (absent: the path). Raises MalformedInput with the file and the path of the first
    mistake, UsageError where there is no file, LimitExceeded beyond MAX_POLICY_BYTES.
    """
    place = where or (str(source) if isinstance(source, Path) else "policy")
    read = read_policy(source, place, check_guard=check_guard, today=today)
    refuse_mistakes(read.remarks, place)
    return read


def read_policy(
    source: Path | bytes, where: str, *, check_guard: CheckGuard | None = None, today: date | None = None
) -> PolicyFile:
    """Read a policy and keep its mistakes among its remarks: for `lint`. Raises as `load_policy` for bad words."""
    path = source if isinstance(source, Path) else None
    data = source if isinstance(source, bytes) else read_bounded(source, MAX_POLICY_BYTES, "policy")
    policy = convert_document(load_strict_yaml(data, where=where, max_bytes=MAX_POLICY_BYTES), Policy, where)
    remarks = lint_policy(policy, check_guard=check_guard, today=today)
    return PolicyFile(policy, digest(data), data, where, tuple(remarks), path)


def read_bounded(path: Path, limit: int, what: str) -> bytes:
    """A whole file of bounded size. Raises UsageError where there is none, LimitExceeded beyond `limit`."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError):
        known = "`verilabel policy list` has those that come with the program"
        raise UsageError(
            f"there is no such {what}", where=str(path), hint=known if what.endswith("policy") else None
        ) from None
    except IsADirectoryError:
        raise UsageError(f"a folder is no {what}", where=str(path)) from None
    if len(data) > limit:
        raise LimitExceeded(f"a {what} has at most {limit} bytes", where=str(path))
    return data


def is_gateway(data: bytes) -> bool:
    """True if the bytes are a gateway's configuration rather than a policy, as far as can be told."""
    document = _parse_loosely(data)
    return "gateway" in document


def load_gateway(
    path: Path,
    *,
    check_guard: CheckGuard | None = None,
    home: Path | None = None,
    today: date | None = None,
) -> Loaded:
    """Read a gateway's configuration, its trust policy and its policies, and refuse what does not fit together.

    Policies are paths beside the configuration, `bundled:NAME`, or `pack:NAME@sha256:...`, which is looked up under
    `home` and never fetched; where a trust policy is named, it must accept a pack's signature. Raises MalformedInput
    with the file and the path of the first mistake, UsageError where a file is missing, SealError for a pack that is
    not what its digest says or that nobody trusted signed.
    """
    where = str(path)
    data = read_bounded(path, MAX_CONFIG_BYTES, "configuration of a gateway")
    document = load_strict_yaml(data, where=where, max_bytes=MAX_CONFIG_BYTES)
    gateway = convert_document(_with_params_as_text(document), Gateway, where)
    remarks = lint_gateway(gateway)
    refuse_mistakes(remarks, where)
    files = [path]
    trust = None
    if gateway.trust is not None:
        files.append(path.parent / gateway.trust)
        trust = load_trust(path.parent / gateway.trust)
    reader = _Policies(path.parent, home or home_folder(), trust, check_guard, today)
    main = reader.load(gateway.policy or f"{BUNDLED_PREFIX}{DEFAULT}", f"{where}: $.policy")
    others = {
        name: reader.load(given, f"{where}: $.policies.{name}") for name, given in gateway.policies.items()
    }
    named = {"$.policy": main.policy} | {f"$.policies.{name}": each.policy for name, each in others.items()}
    remarks += lint_together(gateway, named)
    refuse_mistakes(remarks, where)
    remarks += [remark.within(each.where) for each in (main, *others.values()) for remark in each.remarks]
    files += [each.path for each in (main, *others.values()) if each.path is not None]
    return Loaded(
        gateway, path, digest(data), main, others, tuple(remarks), tuple(dict.fromkeys(files)), trust
    )


@dataclass(frozen=True)
class _Policies:
    """Reads the policies that one configuration names."""

    folder: Path
    home: Path
    trust: TrustPolicy | None
    check_guard: CheckGuard | None
    today: date | None

    def load(self, reference: str, place: str) -> PolicyFile:
        if reference.startswith(PACK_PREFIX):
            data = find_pack(reference, home=self.home, trust=self.trust, where=place)
            file = load_policy(data, reference, check_guard=self.check_guard, today=self.today)
            foreign = tuple(lint_foreign(file.policy))
            refuse_mistakes(foreign, reference)
            return replace(file, remarks=file.remarks + foreign)
        if reference.startswith(BUNDLED_PREFIX):
            data = bundled_bytes(reference.removeprefix(BUNDLED_PREFIX), where=place)
            return load_policy(data, reference, check_guard=self.check_guard, today=self.today)
        return load_policy(self.folder / reference, check_guard=self.check_guard, today=self.today)


def _with_params_as_text(document: Any) -> Any:
    """Decimals among a target's parameters as text, the form in which labels and records write them."""
    for target in _targets(document):
        params = target.get("params")
        if isinstance(params, dict):
            target["params"] = {
                name: str(value) if isinstance(value, Decimal) else value for name, value in params.items()
            }
    return document


def _targets(document: Any) -> list[dict[str, Any]]:
    """The targets of a configuration that was not checked yet."""
    models = document.get("models") if isinstance(document, dict) else None
    routes = [route for route in models if isinstance(route, dict)] if isinstance(models, list) else []
    lists = [route["to"] for route in routes if isinstance(route.get("to"), list)]
    return [target for targets in lists for target in targets if isinstance(target, dict)]


def watched_files(path: Path) -> tuple[Path, ...]:
    """Every file that a configuration names at the moment, itself first, however much of it is wrong.

    For noticing changes: it never raises, and what cannot be read names nothing.
    """
    named = [path]
    document = _read_loosely(path)
    policies = document.get("policies")
    references = [document.get("policy"), *(policies.values() if isinstance(policies, dict) else [])]
    for reference in references:
        if isinstance(reference, str) and not reference.startswith((PACK_PREFIX, BUNDLED_PREFIX)):
            policy = path.parent / reference
            named += [policy, *_files_of_guards(policy, path.parent)]
    if isinstance(document.get("trust"), str):
        named.append(path.parent / document["trust"])
    for target in _targets(document):
        if isinstance(target.get("system_prompt_file"), str):
            named.append(path.parent / target["system_prompt_file"])
    return tuple(dict.fromkeys(named))


def _files_of_guards(policy: Path, folder: Path) -> list[Path]:
    guards = _read_loosely(policy).get("guards")
    entries = guards if isinstance(guards, list) else []
    settings = [guard.get("settings") for guard in entries if isinstance(guard, dict)]
    given = [item for each in settings if isinstance(each, dict) for item in each.items()]
    names = [value for key, value in given if key.endswith("file") and isinstance(value, str)]
    return [base / name for name in names for base in dict.fromkeys((policy.parent, folder))]


def _read_loosely(path: Path) -> dict[str, Any]:
    try:
        return _parse_loosely(read_bounded(path, MAX_CONFIG_BYTES, "file"))
    except (VerilabelError, OSError):
        return {}


def _parse_loosely(data: bytes) -> dict[str, Any]:
    try:
        document = load_strict_yaml(data, where="file")
    except VerilabelError:
        return {}
    return document if isinstance(document, dict) else {}
