"""What a probe is and what it answers; the list of all probes grows as their modules are imported."""

from __future__ import annotations

from typing import Callable, Dict, List, NamedTuple  # noqa: UP035  (older Pythons run this in a box)

Config = Dict[str, object]  # noqa: UP006
"""What the outside planted, by name; parsed JSON."""
MAX_DETAIL = 200


class Answer(NamedTuple):
    """`result` is stopped, open, informational or error; `detail` says by what, in words without secrets."""

    result: str
    detail: str


class Probe(NamedTuple):
    """One attempt. `by` is the means that must stop it: `always`, `seccomp`, `limits`, or empty where it informs."""

    id: str
    group: str
    tries: str
    by: str
    heavy: bool
    attempt: Callable[[Config], Answer]


PROBES: List[Probe] = []  # noqa: UP006


def probe(
    name: str, tries: str, by: str = "always", heavy: bool = False
) -> Callable[[Callable[[Config], Answer]], Callable[[Config], Answer]]:
    """Add a function to the list, as the probe `GROUP.NAME` that `tries` something."""

    def add(attempt: Callable[[Config], Answer]) -> Callable[[Config], Answer]:
        PROBES.append(Probe(name, name.split(".", 1)[0], tries, by, heavy, attempt))
        return attempt

    return add


def stopped(detail: str) -> Answer:
    """It did not work."""
    return Answer("stopped", detail[:MAX_DETAIL])


def came_through(detail: str) -> Answer:
    """It worked, which it must not where something must stop it."""
    return Answer("open", detail[:MAX_DETAIL])


def told(detail: str) -> Answer:
    """Neither good nor bad."""
    return Answer("informational", detail[:MAX_DETAIL])


def failed(detail: str) -> Answer:
    """It could not be tried: nothing is known."""
    return Answer("error", detail[:MAX_DETAIL])


def refused(error: OSError) -> Answer:
    """An operating-system error stopped it."""
    import errno

    return stopped(errno.errorcode.get(error.errno or 0, str(error.errno)))


def text_of(config: Config, name: str) -> str:
    """A text of the configuration."""
    value = config[name]
    assert isinstance(value, str)
    return value


def number_of(config: Config, name: str) -> int:
    """A number of the configuration."""
    value = config[name]
    assert isinstance(value, int)
    return value
