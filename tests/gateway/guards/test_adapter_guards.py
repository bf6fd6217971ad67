"""Guards of other packages in processes of their own, with stand-ins for the packages' own code."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from gateway.guards.conftest import Open, Opened
from verilabel.errors import MissingExtra, UsageError
from verilabel.gateway.guards.adapting import AdapterGuard
from verilabel.gateway.guards.interface import Conversation, GuardError

GUARDRAILS = {
    "guardrails/__init__.py": "",
    "guardrails/settings.py": """
class Settings:
    class rc:
        enable_metrics = True
        use_remote_inferencing = True
settings = Settings()
""",
    "guardrails/types/__init__.py": "",
    "guardrails/types/on_fail.py": "class OnFailAction:\n    NOOP = 'noop'\n",
    "guardrails/validator_base.py": "class Validator:\n    def __init__(self, on_fail=None, **settings): pass\n",
    "validators.py": """
import os, re, socket, sys, time
from types import SimpleNamespace
from guardrails.settings import settings
from guardrails.validator_base import Validator

def passed(): return SimpleNamespace(outcome="pass")
def failed(spans=(), fix=None): return SimpleNamespace(outcome="fail", error_spans=spans, fix_value=fix)

class Plain(Validator):
    def __init__(self, on_fail=None, word="bad"):
        self.word = word
    def validate(self, text, metadata):
        print("packages print things")
        at = text.find(self.word)
        if at < 0: return passed()
        span = SimpleNamespace(start=at, end=at + len(self.word))
        return failed([span], text.replace(self.word, "***"))

class Stalling(Validator):
    def validate(self, text, metadata):
        return passed() if re.fullmatch("(a|a?)+", text) else failed()

class Dying(Validator):
    def validate(self, text, metadata):
        if text == "die": os._exit(3)
        if text == "raise": raise ValueError("secret text " + text)
        if text == "garble":
            os.write(int(os.environ.get("OUT", "1")), b"")
        return passed()

class Wandering(Validator):
    def validate(self, text, metadata):
        return failed([SimpleNamespace(start=0, end=10_000)])

class Calling(Validator):
    def validate(self, text, metadata):
        socket.create_connection(("127.0.0.1", int(text)), timeout=1).close()
        return passed()

class Reporting(Validator):
    def validate(self, text, metadata):
        quiet = not settings.rc.enable_metrics and not settings.rc.use_remote_inferencing
        seen = sorted(name for name in os.environ if name in ("OPENAI_API_KEY", "DO_NOT_TRACK", "WANTED"))
        return failed(fix=f"{quiet} {seen}")
""",
}


@pytest.fixture
def packages(tmp_path: Path) -> dict[str, str]:
    """Stand-ins in a folder that the worker's Python finds; gives the environment for it."""
    for name, text in GUARDRAILS.items():
        path = tmp_path / "packages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(tmp_path / "packages"),
        "OPENAI_API_KEY": "sk-secret",
    }


async def open_validator(
    opened: Open, packages: dict[str, str], name: str, *, fix: bool = False, **more: Any
) -> Opened:
    own = more.pop("settings", {})
    validator = {"use": f"validators:{name}", "fix": fix, "settings": own}
    settings = {"validators": [validator], "pass_env": ["PYTHONPATH"], **more}
    return await opened("guardrails", settings, environ=packages)


async def test_a_validator_s_verdict_comes_with_its_spans_and_its_fix_where_asked_for(
    opened: Open, packages: dict[str, str]
) -> None:
    guard = await open_validator(opened, packages, "Plain", settings={"word": "wörse"})
    judgement = await guard.ask("it gets wörse")
    assert (True, "Plain", ((8, 13, "Plain"),)) == (judgement.found, judgement.rule, judgement.spans)
    assert judgement.replacement is None
    assert not (await guard.ask("it gets better")).found
    fixing = await open_validator(opened, packages, "Plain", fix=True)
    assert "not ***" == (await fixing.ask("not bad")).replacement


async def test_a_validator_that_hangs_is_ended_and_the_next_text_is_judged(
    opened: Open, packages: dict[str, str]
) -> None:
    guard = await open_validator(opened, packages, "Stalling")
    assert not (await guard.ask("aaa")).found
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await guard.ask("a" * 60 + "!")
    assert not (await guard.ask("aaa")).found
    assert isinstance(guard.guard, AdapterGuard)
    assert 1 == guard.guard.restarts


async def test_several_processes_judge_at_once_and_each_answer_is_its_text_s(
    opened: Open, packages: dict[str, str]
) -> None:
    guard = await open_validator(opened, packages, "Plain", fix=True, processes=3)
    judged = await asyncio.gather(*(guard.ask(f"bad {i}") for i in range(60)))
    assert [f"*** {i}" for i in range(60)] == [each.replacement for each in judged]
    assert isinstance(guard.guard, AdapterGuard)
    assert 0 == guard.guard.restarts


async def test_a_process_that_dies_is_started_again(opened: Open, packages: dict[str, str]) -> None:
    guard = await open_validator(opened, packages, "Dying")
    with pytest.raises(GuardError, match="guardrails failed"):
        await guard.ask("die")
    assert not (await guard.ask("live")).found
    assert isinstance(guard.guard, AdapterGuard)
    assert 1 == guard.guard.restarts


async def test_a_package_s_own_mistake_is_an_error_that_repeats_no_text(
    opened: Open, packages: dict[str, str]
) -> None:
    guard = await open_validator(opened, packages, "Dying")
    with pytest.raises(GuardError) as raised:
        await guard.ask("raise")
    assert "guardrails failed: ValueError" == str(raised.value)
    assert not (await guard.ask("live")).found
    assert isinstance(guard.guard, AdapterGuard)
    assert 0 == guard.guard.restarts


async def test_a_span_outside_the_text_is_an_error(opened: Open, packages: dict[str, str]) -> None:
    guard = await open_validator(opened, packages, "Wandering")
    with pytest.raises(GuardError, match="outside the text"):
        await guard.ask("short")


async def test_texts_that_are_too_long_or_too_many_are_refused(
    opened: Open, packages: dict[str, str]
) -> None:
    guard = await open_validator(opened, packages, "Plain", max_chars=100, waiting=2)
    with pytest.raises(GuardError, match="longer than is put"):
        await guard.ask("x" * 101)
    asked = [guard.ask(f"text {i}") for i in range(10)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert 7 == sum(isinstance(each, GuardError) for each in results)


async def test_a_package_reaches_no_network_unless_the_policy_says_so(
    opened: Open, packages: dict[str, str]
) -> None:
    listener = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = str(listener.sockets[0].getsockname()[1])
    async with listener:
        guard = await open_validator(opened, packages, "Calling")
        with pytest.raises(GuardError, match="PermissionError"):
            await guard.ask(port)
        allowed = await open_validator(opened, packages, "Calling", network=True)
        assert not (await allowed.ask(port)).found


async def test_a_package_sees_no_secret_and_reports_nothing_home(
    opened: Open, packages: dict[str, str]
) -> None:
    environ = {**packages, "WANTED": "1"}
    guard = await open_validator(opened, environ, "Reporting", fix=True, pass_env=["PYTHONPATH", "WANTED"])
    assert "True ['DO_NOT_TRACK', 'WANTED']" == (await guard.ask("text")).replacement


@pytest.mark.parametrize(
    ("use", "settings", "extra"),
    [
        ("presidio", {}, "presidio"),
        ("guardrails", {"validators": [{"use": "a.b:C"}]}, "guardrails"),
        ("nemo", {"config": "rails"}, "nemo"),
    ],
)
async def test_an_absent_package_is_named_with_what_to_install(
    opened: Open, tmp_path: Path, use: str, settings: dict[str, Any], extra: str
) -> None:
    (tmp_path / "rails").mkdir()
    (tmp_path / "rails" / "config.yml").write_text("models: []\n")
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    for package in ("presidio_analyzer", "guardrails", "nemoguardrails"):
        # an empty stand-in that says what Python says of a package that is not there
        (hidden / f"{package}.py").write_text(f"raise ModuleNotFoundError('absent', name={package!r})\n")
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(hidden)}
    with pytest.raises(MissingExtra, match=f"pip install 'verilabel\\[{extra}\\]'"):
        await opened(use, {**settings, "pass_env": ["PYTHONPATH"]}, environ=environ)


async def test_settings_that_a_package_refuses_are_a_usage_error(
    opened: Open, packages: dict[str, str]
) -> None:
    with pytest.raises(UsageError, match="unexpected keyword argument 'size'"):
        await open_validator(opened, packages, "Plain", settings={"size": 3})
    with pytest.raises(UsageError, match="is no validator"):
        await open_validator(opened, packages, "passed")


async def test_a_closed_guard_does_not_look(opened: Open, packages: dict[str, str]) -> None:
    guard = await open_validator(opened, packages, "Plain")
    await guard.guard.close()
    with pytest.raises(GuardError, match="not open"):
        await guard.guard.judge("text", "content", "output", Conversation())


def test_a_rails_folder_counts_in_the_version_with_every_file(tmp_path: Path) -> None:
    from verilabel.gateway.guards.catalogue import Resources, open_guard
    from verilabel.gateway.policy.document import GuardEntry

    rails = tmp_path / "rails"
    rails.mkdir()
    (rails / "config.yml").write_text("models: []\n")
    entry = GuardEntry(id="rails", use="nemo", settings={"config": "rails"})
    first = open_guard(entry, Resources(folder=tmp_path, environ={})).version
    (rails / "flows.co").write_text("define flow hello\n")
    assert first != open_guard(entry, Resources(folder=tmp_path, environ={})).version
