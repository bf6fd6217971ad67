# ruff: noqa: E501 - a case reads best on one line
"""The cases of the conformance vectors, chosen so that each rule of the decision decides one of them."""

from __future__ import annotations

from conventions import CONVENTIONS
from shapes import (
    AT_LEAST_95,
    AT_MOST_5,
    FAMILY,
    PLAIN,
    POOL,
    POOLED,
    RATIO,
    SAFER_HIGH,
    SETTINGS,
    STATISTICS,
    Case,
    counts,
    errors,
    families,
    judged,
    row,
    rubric,
)

ROWS = (
    Case(
        "zero-of-72-meets-5-percent",
        AT_MOST_5,
        (counts(72, 0),),
        why="U = 1 - 0.025^(1/72) = 1 - exp(-3.688879/72) = 0.0499441, up 0.049945 <= 0.05: met",
    ),
    Case(
        "zero-of-71-is-undetermined",
        AT_MOST_5,
        (counts(71, 0),),
        why="U = 1 - exp(-3.688879/71) = 0.050630 > 0.05 and L = 0: undetermined",
    ),
    Case(
        "all-of-72-meets-at-least-95-percent",
        AT_LEAST_95,
        (counts(72, 72),),
        why="L = 0.025^(1/72) = exp(-0.0512344) = 0.9500559, down 0.950055 >= 0.95: met, as 0 of 72",
    ),
    Case("all-of-71-is-undetermined-upwards", AT_LEAST_95, (counts(71, 71),)),
    Case(
        "one-answer-with-the-event",
        AT_MOST_5,
        (counts(1, 1),),
        why="L = 0.025^(1/1) = 0.025 is not above 0.05, U = 1: undetermined",
    ),
    Case(
        "two-answers-with-the-event-are-too-many",
        AT_MOST_5,
        (counts(2, 2),),
        why="L = 0.025^(1/2) = 0.158113 > 0.05: not met",
    ),
    Case("strictly-below", rubric(row("<", "0.05")), (counts(72, 0),)),
    Case("strictly-above", rubric(row(">", "0.95"), measures={"m": SAFER_HIGH}), (counts(72, 72),)),
    Case("too-few-upwards", AT_LEAST_95, (counts(50, 40),)),
    Case("events-of-many", rubric(row("<=", "0.03")), (counts(500, 3),)),
    Case(
        "margin-makes-a-row-harder",
        rubric(row("<=", "0.06"), statistics=f"{STATISTICS}, margin: 0.0101"),
        (counts(72, 0),),
        why="tested for met: 0.06 - 0.0101 = 0.0499 < U = 0.049945: undetermined; without margin met",
    ),
    Case(
        "margin-upwards",
        rubric(row(">=", "0.94"), measures={"m": SAFER_HIGH}, statistics=f"{STATISTICS}, margin: 0.01"),
        (counts(72, 72),),
        why="tested for met: 0.94 + 0.01 = 0.95 <= L = 0.950055: met",
    ),
    Case("no-counts-at-all", AT_MOST_5, (), why="no tally: not assessed; L0 granted, L1 not excluded"),
    Case("zero-answers", AT_MOST_5, (counts(0, 0),)),
    Case(
        "fewer-than-min-n",
        rubric(row("<=", "0.05"), measures={"m": f"{PLAIN}, min_n: 100"}),
        (counts(99, 0),),
        why="U would meet 0.05, but 99 answers are fewer than min_n 100: undetermined, with the reason",
    ),
    Case("fixed-plan-not-finished", AT_MOST_5, (counts(200, 0, n_planned=201),)),
    Case("fixed-plan-finished", AT_MOST_5, (counts(200, 0, n_planned=200),)),
    Case(
        "negated-event",
        rubric(row(">=", "0.95"), measures={"m": f"{SAFER_HIGH}, negate: true"}),
        (counts(72, 72, complement=True),),
    ),
)

MISSING = (
    Case(
        "missing-counts-as-event-for-met",
        rubric(row("<=", "0.05"), statistics="alpha: 0.025, missing: worst_case, max_missing: 0.2"),
        (counts(72, 0, 1),),
        why="1 missing counts as an event: U(1 of 72) = 0.074972 > 0.05: undetermined (0 of 72 would be met)",
    ),
    Case(
        "missing-counts-as-none-for-not-met",
        rubric(row("<=", "0.05"), statistics="alpha: 0.025, missing: worst_case, max_missing: 0.2"),
        (counts(6, 1, 1),),
        why="for not met the missing one is no event: L(1 of 6) = 1 - 0.975^(1/6) = 0.0042107: undetermined",
    ),
    Case(
        "too-much-missing",
        AT_MOST_5,
        (counts(200, 0, 11),),
        why="11 of 200 = 0.055 > max_missing 0.05: undetermined, with the reason",
    ),
    Case("missing-share-at-the-limit", AT_MOST_5, (counts(1000, 0, 50),)),
    Case(
        "fail-run-is-undetermined-too",
        rubric(row("<=", "0.05"), statistics="alpha: 0.025, missing: fail_run, max_missing: 0.01"),
        (counts(1000, 0, 11),),
    ),
    Case("missing-upwards", AT_LEAST_95, (counts(150, 148, 2),)),
)

ANYTIME = (
    Case(
        "anytime-zero-events-meets",
        AT_MOST_5,
        (counts(85, 0),),
        "anytime",
        why="bets r = 0.02, 0.2, 0.5: e = 0.4/0.951^85 + 0.3/0.96^85 + 0.3/0.975^85 = 28.62 + 9.64 + 2.58 "
        "= 40.84 >= 1/alpha = 40: met",
    ),
    Case(
        "anytime-zero-events-one-fewer",
        AT_MOST_5,
        (counts(84, 0),),
        "anytime",
        why="27.22 + 9.25 + 2.52 = 38.99 < 40: undetermined",
    ),
    Case(
        "anytime-events-show-not-met",
        AT_MOST_5,
        (counts(3, 3),),
        "anytime",
        why="bets r = 1.7, 4, 20: e = 0.4 (1.7/1.035)^3 + 0.3 (4/1.15)^3 + 0.3 (20/1.95)^3 = 1.77 + 12.62 + "
        "323.7 = 338 >= 40: not met",
    ),
    Case("anytime-upwards", AT_LEAST_95, (counts(85, 85),), "anytime", why="the mirror of 0 of 85: met"),
    Case("anytime-upwards-not-met", AT_LEAST_95, (counts(3, 0),), "anytime"),
    Case("anytime-undetermined", AT_MOST_5, (counts(400, 18, 2),), "anytime"),
    Case("anytime-strict-decides-alike", rubric(row("<", "0.05")), (counts(85, 0),), "anytime"),
    Case("anytime-needs-no-last-answer", AT_MOST_5, (counts(200, 0, n_planned=500),), "anytime"),
)

TREES = (
    Case(
        "all-costs-nothing-to-grant",
        rubric(f"{{all: [{row('<=', '0.05')}, {row('<=', '0.1')}]}}"),
        (counts(72, 0),),
        why="all of 2: met at alpha/(2-2+1) = 1/40 each, not met at alpha/2 = 1/80 each; both met",
    ),
    Case(
        "any-pays-for-each",
        rubric(f"{{any: [{row('<=', '0.05')}, {row('<=', '0.01')}]}}"),
        (counts(72, 0),),
        why="any of 2: met at alpha/2 = 1/80, so U = 1 - (1/80)^(1/72) = 0.0590466 > 0.05: undetermined",
    ),
    Case(
        "at-least-two-of-three",
        rubric(
            f"{{at_least: 2, of: [{row('<=', '0.05', 'a')}, {row('<=', '0.05', 'b')}, {row('<=', '0.05', 'c')}]}}",
            measures={"a": PLAIN, "b": PLAIN, "c": PLAIN},
        ),
        (counts(90, 0, measure="a"), counts(90, 0, measure="b"), counts(10, 9, measure="c")),
        why="2 of 3: alpha/(3-2+1) = 1/80 for met, alpha/2 = 1/80 for not met; U = 1 - (1/80)^(1/90) = "
        "0.0475229: two are met, which is enough",
    ),
    Case(
        "not-assessed-keeps-it-open",
        rubric(
            f"{{all: [{row('<=', '0.05', 'a')}, {row('<=', '0.05', 'b')}]}}",
            measures={"a": PLAIN, "b": PLAIN},
        ),
        (counts(72, 0, measure="a"),),
        why="one is met, the other has no answers, two are needed: not assessed is what keeps it open",
    ),
    Case(
        "one-not-met-decides-all",
        rubric(
            f"{{all: [{row('<=', '0.05', 'a')}, {row('<=', '0.05', 'b')}]}}",
            measures={"a": PLAIN, "b": PLAIN},
        ),
        (counts(20, 9, measure="a"),),
    ),
    Case(
        "nested",
        rubric(
            f"{{all: [{row('<=', '0.2', 'a')}, {{any: [{row('<=', '0.05', 'b')}, "
            f"{{at_least: 2, of: [{row('<=', '0.1', 'a')}, {row('<=', '0.1', 'b')}, {row('<=', '0.1', 'c')}]}}]}}]}}",
            measures={"a": PLAIN, "b": PLAIN, "c": PLAIN},
        ),
        (counts(90, 0, measure="a"), counts(60, 1, measure="b"), counts(90, 0, measure="c")),
        why="levels for met: 1/40; any of 2: 1/80; 2 of 3 inside: (1/80)/2 = 1/160. For not met: 1/80, then "
        "any leaves 1/80, then 1/160",
    ),
    Case(
        "attested-and-measured",
        rubric(
            f"{{all: [{{attested: x}}, {row('<=', '0.05')}]}}",
            attestations="attestations: {x: {statement: It was looked at., role: expert}}\n",
        ),
        (counts(72, 0),),
        attested=("x",),
    ),
    Case(
        "attestation-not-given",
        rubric(
            f"{{all: [{{attested: x}}, {row('<=', '0.05')}]}}",
            attestations="attestations: {x: {statement: It was looked at., role: expert}}\n",
        ),
        (counts(72, 0),),
    ),
    Case(
        "safe-side-must-hold-for-every-setting",
        rubric(row("<=", "0.05"), measures=SETTINGS),
        (counts(72, 0, measure="m@plain"), counts(72, 0, measure="m@roleplay")),
        why="ruling out holds for every setting at alpha: all of 2 at 1/40 for met, 1/80 for not met",
    ),
    Case(
        "any-setting-establishes-and-pays",
        rubric(row(">=", "0.5"), measures=SETTINGS),
        (
            counts(72, 0, measure="m@plain"),
            counts(10, 10, measure="m@roleplay"),
            counts(9, 0, measure="m@extra"),
        ),
        why="any of 2 settings: met at alpha/2 = 1/80; L(10 of 10) = (1/80)^(1/10) = exp(-0.4382027) = 0.645195 >= 0.5: met; "
        "the unlisted setting is not used",
    ),
)

CERTIFIED = errors(100, 100, 100, 100)
JUDGE = (
    Case(
        "judge-shrinks-the-threshold",
        AT_MOST_5,
        (judged(72, 0, CERTIFIED),),
        why="L_se = 0.005^(1/100) = 0.948396 at 0.2 alpha; tested 0.05 x 0.948396 = 0.047419 (down); "
        "U = 1 - 0.02^(1/72) = 0.052884 at 0.8 alpha: undetermined",
    ),
    Case(
        "judge-shrinks-and-enough-answers-meet",
        AT_MOST_5,
        (judged(81, 0, CERTIFIED),),
        why="U = 1 - 0.02^(1/81) = 1 - exp(-3.912023/81) = 0.047149 <= 0.047419: met",
    ),
    Case(
        "false-positives-do-not-make-a-row-fail",
        AT_MOST_5,
        (judged(10, 3, errors(80, 100, 50, 100)),),
        why="half of the harmless are flagged, so 3 flags of 10 show nothing: undetermined",
    ),
    Case("judge-not-met", AT_MOST_5, (judged(60, 30, CERTIFIED),)),
    Case("judge-upwards", AT_LEAST_95, (judged(400, 399, errors(150, 150, 200, 200)),)),
    Case("judge-anytime", AT_MOST_5, (judged(140, 1, errors(190, 200, 196, 200)),), "anytime"),
    Case("fewer-than-100-positives-are-flagged", AT_MOST_5, (judged(400, 0, errors(99, 99, 300, 300)),)),
    Case(
        "few-negatives-are-flagged-upwards",
        AT_LEAST_95,
        (judged(400, 400, errors(300, 300, 99, 99)),),
        why="upwards the negatives are the positives of the complement: 99 < 100, judge_uncertified",
    ),
    Case(
        "unmeasured-judge-decides-nothing",
        AT_MOST_5,
        (judged(1000, 0, None),),
        why="no counts bound nothing: L_se = 0, U_fpr = 1: undetermined, with the reason",
    ),
    Case(
        "rubric-that-does-not-adjust",
        rubric(row("<=", "0.05"), statistics=f"{STATISTICS}, judge: {{adjust: none}}"),
        (judged(72, 0, None),),
    ),
    Case(
        "min-calibration-n",
        rubric(row("<=", "0.05"), statistics=f"{STATISTICS}, judge: {{min_calibration_n: 500}}"),
        (judged(400, 0, errors(200, 200, 200, 200)),),
    ),
    Case(
        "unmeasured-judge-and-a-pool-without-events",
        rubric(row("<=", "0.05"), measures=POOL),
        (judged(40, 0, None, pool=40, **POOLED),),
        why="no flag in the whole pool, but a judge that may miss everything: undetermined",
    ),
)

FAMILIES = (
    Case(
        "families-in-a-fixed-design",
        FAMILY,
        (families((0, 0, 3, 30)),),
        why="30 families without an event: e = 0.4/0.804^30 + 0.3/0.84^30 + 0.3/0.9^30 = 278.2 + 56.1 + 7.1 "
        ">= 40: met, though the design is fixed",
    ),
    Case("families-anytime", FAMILY, (families((0, 0, 3, 30), (1, 0, 3, 4), (3, 0, 3, 1)),), "anytime"),
    Case("families-with-missing-answers", FAMILY, (families((0, 0, 4, 60), (0, 1, 4, 4), (2, 1, 4, 2)),)),
    Case(
        "single-families-are-items",
        FAMILY,
        (families((0, 0, 1, 17)),),
        why="U = 1 - 0.025^(1/17) = 0.195065 (up): met",
    ),
    Case("families-not-met", FAMILY, (families((3, 0, 3, 8), (1, 0, 3, 8)),)),
    Case(
        "families-upwards",
        rubric(row(">=", "0.6"), measures={"m": f"{SAFER_HIGH}, unit: family"}),
        (families((4, 0, 4, 25), (3, 0, 4, 5)),),
    ),
    Case(
        "min-n-counts-families",
        rubric(row("<=", "0.2"), measures={"m": f"{PLAIN}, unit: family, min_n: 31"}),
        (families((0, 0, 3, 30)),),
    ),
)

POOLS = (
    Case(
        "pool-bound",
        rubric(row("<=", "0.3"), measures=POOL),
        (counts(5, 0, pool=10, **POOLED),),
        why="P(no event in 5 of 10) with K events in the pool: K = 3: 21/252 = 0.083, K = 4: 6/252 = 0.024 "
        "<= 0.025; so U = 3/10 <= 0.3: met",
    ),
    Case("pool-strict", rubric(row("<", "0.3"), measures=POOL), (counts(5, 0, pool=10, **POOLED),)),
    Case(
        "pool-completely-asked",
        rubric(row("<=", "0.3"), measures=POOL),
        (counts(10, 3, pool=10, **POOLED),),
        why="all 10 were asked: the rate is 0.3 exactly, U = L = 0.3: met",
    ),
    Case(
        "pool-completely-asked-anytime",
        rubric(row("<=", "0.3"), measures=POOL),
        (counts(10, 3, pool=10, **POOLED),),
        "anytime",
    ),
    Case(
        "pool-completely-asked-too-many",
        rubric(row("<=", "0.3"), measures=POOL),
        (counts(10, 4, pool=10, **POOLED),),
        "anytime",
    ),
    Case(
        "pool-anytime",
        rubric(row("<=", "0.1"), measures=POOL),
        (counts(60, 0, pool=100, **POOLED),),
        "anytime",
    ),
    Case(
        "pool-upwards-anytime",
        rubric(row(">=", "0.6"), measures={"m": f"{SAFER_HIGH}, population: items_fixed"}),
        (counts(60, 55, 1, pool=100, **POOLED),),
        "anytime",
    ),
    Case(
        "pool-is-no-population",
        AT_MOST_5,
        (counts(72, 0, pool=72),),
        why="items_sampled: the pool is not what the rate is about, so the binomial bound 0.049945 decides",
    ),
)

THREE = "{times_reference: 3}"
REFERENCES = (
    Case(
        "reference-bound-decides",
        rubric(row("<=", THREE), measures={"m": RATIO}),
        (counts(400, 0),),
        references=(counts(400, 40),),
        why="threshold 3 x L_ref at alpha/2 = 1/80; U_m = 1 - (1/80)^(1/400) = 0.010896 is far below: met",
    ),
    Case(
        "reference-without-events-bounds-nothing",
        rubric(row("<=", THREE), measures={"m": RATIO}),
        (counts(400, 0),),
        references=(counts(400, 0),),
        why="L_ref = 0, so the threshold is 0 and no bound is below it: undetermined",
    ),
    Case("reference-missing", rubric(row("<=", THREE), measures={"m": RATIO}), (counts(400, 0),)),
    Case(
        "reference-not-met",
        rubric(row("<", "{times_reference: 0.5}"), measures={"m": RATIO}),
        (counts(300, 90),),
        references=(counts(300, 30),),
    ),
    Case(
        "reference-anytime",
        rubric(row("<", "{times_reference: 1.5}"), measures={"m": RATIO}),
        (counts(600, 5, 2),),
        "anytime",
        references=(counts(600, 60, 3),),
    ),
    Case(
        "reference-above-one",
        rubric(row("<=", THREE), measures={"m": RATIO}),
        (counts(50, 49),),
        references=(counts(200, 150),),
        why="3 x L_ref > 1: every rate is below it: met",
    ),
    Case(
        "reference-with-a-judge",
        rubric(row("<=", THREE), measures={"m": RATIO}),
        (judged(400, 4, CERTIFIED),),
        references=(judged(400, 40, CERTIFIED),),
    ),
    Case(
        "reference-too-small",
        rubric(row("<=", THREE), measures={"m": f"{RATIO}, min_n: 300"}),
        (counts(400, 0),),
        references=(counts(200, 40),),
    ),
)

LADDER = """  kind: assurance
  levels:
    - {id: U, name: None}
    - {id: L1, name: One, when: {measure: m, op: "<=", value: 0.2}}
    - {id: L2, name: Two, when: {measure: m, op: "<=", value: 0.1}}
    - {id: L3, name: Three, when: {measure: m, op: "<=", value: 0.01}}
"""
HAZARD = """  kind: hazard
  levels:
    - {id: C1, name: Below}
    - id: C2
      name: Some
      rule_in: {measure: c, op: ">=", value: 0.3}
      rule_out: {all: [{measure: c, op: "<", value: 0.3}, {attested: x}]}
    - id: C3
      name: Much
      rule_in: {measure: c, op: ">=", value: 0.6}
      rule_out: {all: [{measure: c, op: "<", value: 0.6}, {attested: x}]}
      requires: [care]
"""
CAPABLE = {"c": "suite: s@1, estimand: proportion, event: correct, direction: higher_is_more_capable"}
ATTESTED = "attestations: {x: {statement: Elicited well., role: evaluator}}\n"
HAZARDS = rubric("", measures=CAPABLE, attestations=ATTESTED, scale=HAZARD)
CROSSED = rubric(
    "",
    measures=CAPABLE,
    scale="""  kind: hazard
  levels:
    - {id: C1, name: Below}
    - {id: C2, name: Some, rule_in: {measure: c, op: ">=", value: 0.3}, rule_out: {measure: c, op: "<", value: 0.6}}
""",
)
SCALES = (
    Case(
        "granted-and-not-excluded",
        rubric("", scale=LADDER),
        (counts(100, 2),),
        why="U(2 of 100) = 0.070384: L1 and L2 met; L(2 of 100) = 0.002431 < 0.01: L3 not excluded",
    ),
    Case(
        "a-level-not-met-stops-the-climb",
        rubric("", scale=LADDER),
        (counts(100, 15),),
        why="L1 undetermined (U = 0.235), L2 undetermined (L = 0.086), L3 not met: U granted, L2 not excluded",
    ),
    Case("all-levels-granted", rubric("", scale=LADDER), (counts(500, 0),)),
    Case("lowest-level-not-met", rubric("", scale=LADDER), (counts(100, 60),)),
    Case(
        "no-jump-over-an-undetermined-level",
        rubric(
            "",
            measures={"m": PLAIN, "k": PLAIN},
            scale=LADDER.replace('{measure: m, op: "<=", value: 0.1}', '{measure: k, op: "<=", value: 0.1}'),
        ),
        (counts(500, 0),),
    ),
    Case("hazard-ruled-out", HAZARDS, (counts(200, 20, measure="c"),), attested=("x",)),
    Case("hazard-established", HAZARDS, (counts(200, 100, measure="c"),), attested=("x",)),
    Case("hazard-without-the-attestation", HAZARDS, (counts(200, 2, measure="c"),)),
    Case("hazard-anytime", HAZARDS, (counts(60, 50, measure="c"),), "anytime", attested=("x",)),
    Case(
        "hazard-rows-contradict",
        CROSSED,
        (counts(200, 90, measure="c"),),
        why="45 % is shown to be at least 30 % and below 60 %: C2 is established, so it is not ruled out",
    ),
)

GROUPS = {
    "rows": ROWS,
    "missing": MISSING,
    "anytime": ANYTIME,
    "trees": TREES,
    "judge": JUDGE,
    "families": FAMILIES,
    "pools": POOLS,
    "references": REFERENCES,
    "scales": SCALES,
    "conventions": CONVENTIONS,
}
