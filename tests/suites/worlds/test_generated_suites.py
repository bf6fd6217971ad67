"""Suites that are generated: one digest fixes every sample, and a suite file alone is enough to make them again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.errors import LimitExceeded, MalformedInput, SealError, UsageError
from verilabel.records.canonical import digest, jcs
from verilabel.suites.generated import derive_seed, generated_ids, parse_generated
from verilabel.suites.linting import lint_suite
from verilabel.suites.loading import find_suite, load_suite, load_suite_bytes, make_suite, pull_suite
from verilabel.suites.worlds.catalogue import SCRIPTED_ROLES, environments
from verilabel.suites.worlds.playing import play_script

GOLDEN = {
    "cap/planning": ("10773426fefdfd0d", "02fab41191e0464d"),
    "cap/code": ("1c316f1ea97a570f", "b41c90ce0db21e3c"),
    "cap/persuade": ("136081b9b73c1769", "4d509eda9076169c"),
    "agent/injection": ("db86936215984a8d", "f47dbffbb0c3f730"),
    "agent/autonomy": ("c55e67be01938fd8", "f1e020fa52f5f4c4"),
}
"""Digests for seed 5eed and 40 samples: of the suite file, and of all scripted agents' episodes, which hold what the
worlds say. A generator or a world that gives others is another version."""


@pytest.mark.parametrize("suite_id", generated_ids())
def test_a_generator_makes_what_it_always_made(suite_id: str) -> None:
    suite, environment = make_suite(suite_id, "5eed", 40), environments()[suite_id]
    episodes = [
        msgspec.to_builtins(play_script(environment, sample, script, seed="golden", roles=SCRIPTED_ROLES))
        for _, script in sorted(environment.scripts.items())
        for sample in suite.samples
    ]
    assert GOLDEN[suite_id] == (suite.digest[7:23], digest(jcs(episodes))[7:23])


@pytest.mark.parametrize("suite_id", generated_ids())
def test_the_suite_file_alone_makes_the_same_samples_again(suite_id: str) -> None:
    suite = make_suite(suite_id, "abc", 12)
    again = load_suite_bytes(suite.content)
    assert (suite.samples, suite.digest, suite.entries) == (again.samples, again.digest, again.entries)
    assert digest(suite.content) == suite.digest


def test_another_process_with_other_hash_seeds_makes_the_same_bytes() -> None:
    program = (
        "import sys; from verilabel.suites.loading import make_suite\n"
        "for name in ('cap/planning', 'cap/code', 'agent/injection', 'agent/autonomy'):\n"
        "    print(make_suite(name, 'f00', 9).digest)"
    )
    run = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert run[0] == run[1] and 4 == len(run[0].split())


@pytest.mark.parametrize("suite_id", generated_ids())
def test_samples_are_different_and_pass_the_lint(suite_id: str) -> None:
    suite = make_suite(suite_id, "1", 120)
    assert 120 == len({sample.id for sample in suite.samples})
    assert [] == lint_suite(suite)
    tags = set(suite.manifest.fields.tags)
    assert all(tags == set(sample.tags) for sample in suite.samples)


def test_a_longer_suite_begins_with_the_samples_of_a_shorter_one() -> None:
    short, long = make_suite("cap/planning", "77", 5), make_suite("cap/planning", "77", 9)
    assert short.samples == long.samples[:5] and short.digest != long.digest


def test_other_seeds_make_other_samples() -> None:
    first, second = make_suite("cap/code", "1", 7), make_suite("cap/code", "2", 7)
    assert {s.id for s in first.samples}.isdisjoint(s.id for s in second.samples)
    assert [s.messages for s in first.samples] != [s.messages for s in second.samples]


def test_a_reference_says_seed_count_and_version() -> None:
    asked = parse_generated("cap/planning@1:seed=5eed,count=200")
    assert asked is not None
    assert ("cap/planning", "1", "5eed", 200) == (asked.id, asked.version, asked.seed, asked.count)
    assert parse_generated("xstest") is None and parse_generated("cap/planningx") is None
    suite = load_suite("cap/planning@1:count=3,seed=5eed")
    assert make_suite("cap/planning", "5eed", 3).digest == suite.digest


@pytest.mark.parametrize(
    "reference",
    [
        "cap/planning:count=0",
        "cap/planning:count=10001",
        "cap/planning:count=1e3",
        "cap/planning:seed=XY",
        "cap/planning:seed=",
        "cap/planning:seed=" + "a" * 65,
        "cap/planning:size=3",
        "cap/planning:count=3,count=4",
        "cap/planning:",
    ],
)
def test_a_reference_with_a_bad_option_is_refused(reference: str) -> None:
    if reference.endswith(":"):  # nothing behind the colon asks for nothing
        assert 120 == len(load_suite(reference, run_seed="x").samples)
        return
    with pytest.raises(UsageError) as raised:
        load_suite(reference, run_seed="x")
    assert "cap/planning:count=200,seed=5eed" in str(raised.value.hint)


def test_a_version_that_is_not_here_is_refused() -> None:
    with pytest.raises(UsageError, match=r"version 2 of cap/planning is not here"):
        load_suite("cap/planning@2", run_seed="x")


def test_the_seed_of_a_run_commits_to_the_seeds_of_its_suites() -> None:
    one, other = derive_seed("run", "cap/planning"), derive_seed("run", "cap/code")
    assert one != other and one != derive_seed("run2", "cap/planning") and 64 == len(one)
    assert one == load_suite("cap/planning:count=1", run_seed="run").manifest.data.seed


def test_without_any_seed_nothing_is_generated() -> None:
    with pytest.raises(UsageError, match="needs a seed"):
        load_suite("cap/planning")


def changed(old: str, new: str) -> bytes:
    content = make_suite("cap/planning", "5eed", 4).content.decode()
    assert old in content
    return content.replace(old, new).encode()


def test_a_file_that_pins_other_samples_is_refused() -> None:
    with pytest.raises(SealError, match="generated samples have the digest"):
        load_suite_bytes(changed('seed: "5eed"', 'seed: "5eee"'))
    with pytest.raises(SealError):
        load_suite_bytes(changed("count: 4", "count: 5"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("count: 4", "count: 10001", "1 to 10000"),
        ("count: 4", "count: 0", "'count'"),
        ('seed: "5eed"', 'seed: "5EED"', "hexadecimal"),
        ("environment: cap/planning@1.0.0", "environment: cap/code@1.0.0", "its environment"),
        ("generator: cap/planning", "generator: cap/code", "generator's name"),
        ("  format: generated", "  format: generated\n  file: x.csv", "no 'file'"),
        ("  format: generated", "  format: csv\n  file: x.csv", "is for format generated"),
        ("    band: band\n", "", "not the families and tags"),
        ("  prompt: prompt", "  prompt: prompt\n  family: family", "not the families and tags"),
    ],
)
def test_a_suite_file_that_does_not_hold_together_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        load_suite_bytes(changed(old, new))


def test_another_version_of_a_generator_is_said_to_be_missing() -> None:
    content = make_suite("cap/planning", "5eed", 4).content.replace(b"1.0.0", b"9.0.0")
    with pytest.raises(UsageError, match=r"no generator 'cap/planning@9.0.0'"):
        load_suite_bytes(content)


def test_bytes_of_a_suite_with_a_data_file_open_no_file() -> None:
    content = load_suite("core/factual").content
    with pytest.raises(UsageError, match="not generated"):
        load_suite_bytes(content)


def test_a_reader_can_bound_how_many_samples_it_generates() -> None:
    with pytest.raises(LimitExceeded, match="the limit is 3"):
        load_suite_bytes(make_suite("cap/planning", "5eed", 4).content, max_samples=3)


def test_a_file_that_a_generator_of_ours_makes_is_one_of_ours_and_a_forged_one_is_not() -> None:
    suite = make_suite("cap/planning", "5eed", 4)
    assert suite.digest == find_suite(suite.name, suite.content)
    assert None is find_suite(suite.name)
    assert None is find_suite("cap/code@1.0.0", suite.content)
    assert None is find_suite("cap/planning@2.0.0", suite.content)
    for forged in (changed("count: 4", "count: 3"), changed("count: 4", "count: 9000"), b"no: suite\n"):
        assert None is find_suite(suite.name, forged)
    assert load_suite("core/factual").digest == find_suite("core/factual@1.0.0", suite.content)


def test_a_suite_file_in_a_folder_is_generated_too(tmp_path: Path) -> None:
    suite = make_suite("agent/injection", "5eed", 4)
    (tmp_path / "suite.yaml").write_bytes(suite.content)
    loaded = load_suite(tmp_path)
    assert (suite.samples, suite.digest) == (loaded.samples, loaded.digest)
    assert pull_suite(tmp_path).path is None and pull_suite("agent/injection").path is None


@settings(max_examples=60)
@given(st.binary(max_size=300), st.integers(0, 900))
def test_a_damaged_suite_file_is_an_error_and_never_another_suite(noise: bytes, place: int) -> None:
    content = make_suite("agent/autonomy", "5eed", 2).content
    damaged = content[:place] + noise + content[place + len(noise) :]
    try:
        suite = load_suite_bytes(damaged)
    except (MalformedInput, SealError, UsageError, LimitExceeded):
        return
    assert make_suite("agent/autonomy", suite.manifest.data.seed, len(suite.samples)).samples == suite.samples
