"""The one error tree: what happened, where, what to do, and the exit status a program gets.

    VerilabelError                 status
    ├── CheckFailed                1   a check says no (gate failed, label does not follow)
    ├── UsageError                 2   the command or call cannot be carried out as asked
    │   └── MissingExtra           2   an optional package is not installed
    ├── MalformedInput             3   a file, rubric, suite, record or bundle is not what it must be
    │   └── LimitExceeded          3   a size, depth or count limit was hit
    ├── SealError                  4   signature, digest, Merkle tree or log does not hold
    ├── ModelError                 5   the model or its provider cannot be used
    ├── SandboxError               6   a process or its containment failed
    ├── PolicyError                7   a policy forbids it
    └── Undetermined               8   the evidence does not decide the question

Blocked requests, successful attacks, unscored samples and undetermined rows are values, never exceptions.
"""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """Exit statuses of every command (DESIGN.md section 6)."""

    OK = 0
    CHECK_FAILED = 1
    USAGE = 2
    MALFORMED = 3
    SEAL = 4
    MODEL = 5
    SANDBOX = 6
    POLICY = 7
    UNDETERMINED = 8


class VerilabelError(Exception):
    """Base of every error this package raises on purpose.

    `message` says what happened, `where` is a path to the place (a file, or `$.measures.harm.suite` inside
    one), `hint` says what to do about it.
    """

    status: ExitStatus = ExitStatus.CHECK_FAILED

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    @property
    def code(self) -> str:
        """The stable machine-readable name of this kind of error."""
        return type(self).__name__

    def __str__(self) -> str:
        text = self.message if self.where is None else f"{self.message} @ {self.where}"
        return text if self.hint is None else f"{text}\n  hint: {self.hint}"


class CheckFailed(VerilabelError):
    """A check was carried out and its answer is no."""

    status = ExitStatus.CHECK_FAILED


class UsageError(VerilabelError):
    """The command cannot be carried out as asked."""

    status = ExitStatus.USAGE


class MissingExtra(UsageError):
    """An optional dependency is needed and not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"this needs the package {package!r}, which is not installed",
            hint=f"pip install 'verilabel[{extra}]'",
        )
        self.package = package
        self.extra = extra


class MalformedInput(VerilabelError):
    """Input that does not have the form it must have."""

    status = ExitStatus.MALFORMED


class LimitExceeded(MalformedInput):
    """Input beyond a named limit of size, depth or count."""


class SealError(VerilabelError):
    """A signature, digest, Merkle root or log proof does not hold.

    `step` is the number of the verification step that failed, where one did.
    """

    status = ExitStatus.SEAL

    def __init__(
        self, message: str, *, where: str | None = None, hint: str | None = None, step: int | None = None
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.step = step


class ModelError(VerilabelError):
    """The model or its provider cannot be used (refused key, unknown name, unreachable)."""

    status = ExitStatus.MODEL


class SandboxError(VerilabelError):
    """A process could not be started or contained."""

    status = ExitStatus.SANDBOX


class PolicyError(VerilabelError):
    """A policy forbids the action."""

    status = ExitStatus.POLICY


class Undetermined(VerilabelError):
    """The evidence does not decide the question that was asked."""

    status = ExitStatus.UNDETERMINED
