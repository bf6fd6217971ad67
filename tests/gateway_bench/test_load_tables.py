"""The load tables compare what was measured together, and leave out what was not."""

from __future__ import annotations

from verilabel.gateway_bench.busy import Busy
from verilabel.gateway_bench.contenders import BARE, CONTENDERS, OURS
from verilabel.gateway_bench.load_tables import Against, Round, added, goal_table, load_table, ratio_tables
from verilabel.gateway_bench.tables import Spread

DIRECT = next(each for each in CONTENDERS if each.kind == "direct")


def a_round(number: int, *, p50: float, speed: float, cpu_us: float | None) -> Round:
    busy = Busy(per_second=speed, cpu_us=cpu_us)
    return Round(
        number=number,
        start_s=0.5,
        start_cpu_s=0.4,
        idle_mb=70.0,
        after_mb=75.0,
        p50=p50,
        p99=2 * p50,
        first_text=p50,
        requests=busy,
        streams=busy,
        bursts=busy,
    )


FOUND = {
    DIRECT.name: [a_round(n, p50=0.1 * (n + 1), speed=9000.0, cpu_us=None) for n in range(3)],
    BARE.name: [a_round(n, p50=1.0, speed=1000.0, cpu_us=100.0) for n in range(3)],
    # the round 0 of ours failed
    OURS.name: [a_round(n, p50=2.0, speed=700.0, cpu_us=125.0) for n in (1, 2)],
}


def test_added_latency_is_taken_from_the_same_round_even_where_another_failed() -> None:
    spread = added(FOUND, OURS.name, lambda one: one.p50)
    assert spread is not None
    assert [1.8, 1.7] == [round(value, 6) for value in spread.values]
    assert added(FOUND, "nobody", lambda one: one.p50) is None


def test_more_speed_and_less_cost_are_ratios_above_one() -> None:
    against = Against(FOUND, BARE.name)
    assert 0.7 == against.times(lambda one: one.requests.per_second)
    assert 0.8 == against.thrift(lambda one: one.requests.cpu_us)
    assert 1.0 == against.more(lambda one: one.first_text)
    assert Against(FOUND, "nobody").times(lambda one: one.requests.per_second) is None


def test_every_contender_has_a_row_and_direct_shows_its_own_latency() -> None:
    table = load_table([DIRECT, BARE, OURS], FOUND)
    rows = {row[0]: dict(zip(table.headings, row, strict=True)) for row in table.rows}
    assert "0.200 (0.100-0.300)" == str(rows[DIRECT.name]["added p50 ms"])
    assert rows[DIRECT.name]["CPU us/request"] is None
    assert Spread((700.0, 700.0)) == rows[OURS.name]["requests/s"]
    ratios = ratio_tables([DIRECT, BARE, OURS], FOUND)[0]
    assert [BARE.name] == [row[0] for row in ratios.rows]


def test_goals_of_what_was_not_measured_are_left_open() -> None:
    found = {row[0]: row[2] for row in goal_table(FOUND).rows}
    assert 0.7 == found["requests/s against bare"]
    assert 0.8 == found["streams by CPU against bare"]
    assert found["requests/s against LiteLLM with its filter"] is None
    assert [] == ratio_tables([DIRECT, BARE], {DIRECT.name: FOUND[DIRECT.name], BARE.name: FOUND[BARE.name]})
