"""Who is measured: the 24 rules are a policy that holds, and what is not installed is said, not left out silently."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from verilabel.gateway.policy.reading import load_policy
from verilabel.gateway_bench.contenders import CONTENDERS, GROUPS, chosen, missing, rules_policy
from verilabel.gateway_bench.hostile import SIZE, harmless, hostile_texts
from verilabel.gateway_bench.leak import cuts


def test_the_policy_of_the_bench_is_a_good_policy_of_24_rules() -> None:
    data = resources.files("verilabel.gateway_bench") / "data" / "rules24.yaml"
    policy = load_policy(Path(str(data))).policy
    assert 24 == len(policy.guards[0].settings["patterns"])
    assert "redact" == policy.guards[0].action
    assert "bench-24" == rules_policy()["policy"]


def test_ours_is_always_measured_and_rivals_where_they_are_asked_for() -> None:
    assert {"verilabel"} == {each.group for each in chosen("leak", ())}
    assert set(GROUPS) < {each.group for each in chosen("load", GROUPS)}
    assert not any(each.guards for each in chosen("load", ()) if "no guards" in each.name)


def test_a_rival_that_is_not_installed_is_named_with_how_to_get_it(tmp_path: Path) -> None:
    rival = next(each for each in CONTENDERS if each.kind == "litellm")
    assert "make bench-rivals" in str(missing(rival, tmp_path / "python"))
    (tmp_path / "litellm").touch()
    assert missing(rival, tmp_path / "python") is None


def test_hostile_texts_are_as_large_as_the_harmless_one() -> None:
    texts = hostile_texts()
    assert len({each.name for each in texts}) == len(texts)
    for text in (harmless(), *(each.text for each in texts)):
        assert 0.98 * SIZE < len(text.encode()) <= SIZE


def test_streams_are_cut_in_every_size_and_at_random_the_same_way_each_time() -> None:
    ways = cuts(1, quick=False)
    assert [(size,) for size in range(1, 65)] == ways[:64]
    assert 16 == len(ways[64:])
    assert ways == cuts(1, quick=False)
    assert ways[64:] != cuts(2, quick=False)[64:]
