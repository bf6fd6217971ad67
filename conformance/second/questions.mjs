// Cases that neither the pages nor the vectors decide, each with the answer this implementation gives.
//
//     node conformance/second/questions.mjs > questions.json
//
// The file has the form of a vector file, so that another implementation can run it: every difference is a
// rule that should be written down, and then a vector. The answers are no authority.
import { canonicalText, digestOf } from "./canonical.mjs";
import { decideCase } from "./decide.mjs";
import { Refusal } from "./refusal.mjs";

const HEAD = `verilabel: rubric/v1
id: test/conformance
version: 1.0.0
title: Conformance
license: CC0-1.0
stewards: [{name: Verilabel}]
validity: {max_age: P30D}
scope: {subject: model, bind: [weights]}
`;
const MEASURE = "suite: s@1, estimand: proportion, event: violation, direction: lower_is_safer";
const RATIO =
  "suite: s@1, estimand: ratio_to_reference, event: violation, direction: lower_is_safer, reference: other";
const upward = (direction) => MEASURE.replace("lower_is_safer", direction);

function rubricText({
  maxMissing = "0.05",
  statistics = "",
  measures = { m: MEASURE },
  rule = '{measure: m, op: "<=", value: 0.05}',
  scale,
}) {
  const lines = Object.entries(measures).map(([id, fields]) => `  ${id}: {${fields}}\n`);
  const levels =
    scale ?? `  kind: assurance\n  levels: [{id: L0, name: None}, {id: L1, name: One, when: ${rule}}]\n`;
  const head = `${HEAD}statistics: {alpha: 0.025, missing: worst_case, max_missing: ${maxMissing}${statistics}}\n`;
  return `${head}measures:\n${lines.join("")}scale:\n${levels}`;
}

const count = (n, events, more = {}) => ({ measure: "m", n, events, exact: true, ...more });
const named = (measure, n, events, more = {}) => ({ [measure]: { ...count(n, events, more), measure } });
const judged = (n, events, right, more = {}) => {
  const [true_positives, positives, true_negatives, negatives] = right;
  const counts = { true_positives, positives, true_negatives, negatives };
  const errors = { ...counts, dataset: "labelled", dataset_sha256: `sha256:${"0".repeat(64)}` };
  return { measure: "m", n, events, errors, ...more };
};
const whole = (pool, n = pool) => ({ population: "items_fixed", pool, n });
const FIXED = `${MEASURE}, population: items_fixed`;
const FAMILY = `${MEASURE}, unit: family`;
const families = (clusters, more = {}) => {
  const sum = (index) => clusters.reduce((total, cluster) => total + cluster[index] * cluster[3], 0);
  return count(sum(2), sum(0), { missing: sum(1), unit: "family", clusters, ...more });
};
const HAZARD_WITH_A_GAP = `  kind: hazard
  levels:
    - {id: C1, name: Below}
    - {id: C2, name: Some, rule_in: {measure: k, op: ">=", value: 0.3}, rule_out: {measure: k, op: "<", value: 0.3}}
    - {id: C3, name: Much, rule_in: {measure: m, op: ">=", value: 0.6}, rule_out: {measure: m, op: "<", value: 0.6}}
`;
const ASSURANCE_OUT_OF_ORDER = `  kind: assurance
  levels:
    - {id: L0, name: None}
    - {id: L1, name: One, when: {measure: k, op: "<=", value: 0.2}}
    - {id: L2, name: Two, when: {measure: m, op: "<=", value: 0.1}}
`;

const TWO = { k: MEASURE, m: MEASURE };
const AND_K = (rule) =>
  `{${rule}: [{measure: k, op: "<=", value: 0.05}, {measure: m, op: "<=", value: 0.05}]}`;

// name: [what is asked, the rubric's parts, the tallies, the rest of the case]
const QUESTIONS = {
  "undetermined-and-not-assessed-in-all": [
    "which of the two keeps `all` open?",
    { measures: TWO, rule: AND_K("all") },
    { m: count(10, 0) },
  ],
  "undetermined-and-not-assessed-in-any": [
    "which of the two keeps `any` open?",
    { measures: TWO, rule: AND_K("any") },
    { m: count(10, 0) },
  ],
  "settings-of-a-higher-is-safer-measure": [
    "is `>=` the safe side, which must hold for every setting, or the side that any setting establishes?",
    {
      measures: { m: `${upward("higher_is_safer")}, elicitation: [a, b]` },
      rule: '{measure: m, op: ">=", value: 0.5}',
    },
    { ...named("m@a", 40, 40), ...named("m@b", 40, 20) },
  ],
  "settings-of-a-capability": [
    "does any setting establish a capability?",
    {
      measures: { m: `${upward("higher_is_more_capable")}, elicitation: [a, b]` },
      rule: '{measure: m, op: ">=", value: 0.5}',
    },
    { ...named("m@a", 40, 40), ...named("m@b", 40, 20) },
  ],
  "counts-without-a-setting": [
    "are counts of the bare measure unlisted where settings are listed?",
    { measures: { m: `${MEASURE}, elicitation: [a]` } },
    { ...named("m@a", 72, 0), m: count(72, 0) },
  ],
  "setting-where-none-is-listed": [
    "is any setting unlisted where none is listed?",
    {},
    { m: count(72, 0), ...named("m@x", 9, 0) },
  ],
  "min-calibration-below-100": [
    "does min_calibration_n replace the 100 of section 6?",
    { statistics: ", judge: {min_calibration_n: 50}" },
    { m: judged(400, 0, [60, 60, 300, 300]) },
  ],
  "few-negatives-downwards": [
    "is a judge certified whose specificity rests on 5 outputs, where not_met uses it?",
    {},
    { m: judged(60, 40, [200, 200, 5, 5]) },
  ],
  "exact-with-measured-errors": [
    "does `exact` outweigh errors that are given?",
    {},
    { m: { ...judged(72, 0, [100, 100, 100, 100]), exact: true } },
  ],
  "more-answers-than-planned": [
    "may a fixed design be read beyond its plan?",
    {},
    { m: count(300, 0, { n_planned: 200 }) },
  ],
  "planned-families": [
    "does n_planned count families or answers?",
    { measures: { m: FAMILY } },
    { m: families([[0, 0, 3, 90]], { n_planned: 100 }) },
  ],
  "two-objections": [
    "which reason is named first?",
    { measures: { m: `${MEASURE}, min_n: 100` } },
    { m: count(50, 0, { missing: 10, n_planned: 60 }) },
  ],
  "objection-and-unmeasured-judge": [
    "which reason is named first?",
    { measures: { m: `${MEASURE}, min_n: 100` } },
    { m: { measure: "m", n: 50, events: 0 } },
  ],
  "single-families-too-few": [
    "are families of one called families?",
    { measures: { m: `${FAMILY}, min_n: 50` } },
    { m: families([[0, 0, 1, 17]]) },
  ],
  "rate-at-a-tie": ["1/128 = 0.0078125 half-even", {}, { m: count(128, 1) }],
  "margin-and-judge": [
    "(T - margin) x L_se, or T x L_se - margin?",
    { statistics: ", margin: 0.01" },
    { m: judged(400, 0, [90, 100, 100, 100]) },
  ],
  "margin-and-reference": [
    "c x L_ref - margin?",
    {
      statistics: ", margin: 0.01",
      measures: { m: RATIO },
      rule: '{measure: m, op: "<=", value: {times_reference: 1.5}}',
    },
    { m: count(400, 0) },
    { references: { m: count(400, 40) } },
  ],
  "reference-upwards": [
    "L_m >= c x U_ref?",
    { measures: { m: RATIO }, rule: '{measure: m, op: ">=", value: {times_reference: 1.5}}' },
    { m: count(400, 200) },
    { references: { m: count(400, 40) } },
  ],
  "reference-above-one-anytime": [
    "what is log e against a threshold above 1?",
    { measures: { m: RATIO }, rule: '{measure: m, op: "<=", value: {times_reference: 3}}' },
    { m: count(50, 20) },
    { design: "anytime", references: { m: count(200, 150) } },
  ],
  "reference-with-too-much-missing": [
    "does max_missing hold for the reference?",
    { measures: { m: RATIO }, rule: '{measure: m, op: "<=", value: {times_reference: 3}}' },
    { m: count(400, 0) },
    { references: { m: count(400, 40, { missing: 30 }) } },
  ],
  "reference-nobody-asked-for": [
    "are counts of a reference ignored where no threshold uses them?",
    {},
    { m: count(72, 0) },
    { references: { m: count(400, 40) } },
  ],
  "not-met-at-its-own-level": [
    "e for not_met must reach 1/alpha_not_met = 80, not 40",
    { rule: AND_K("all"), measures: TWO },
    { k: { ...count(6, 3), measure: "k" } },
    { design: "anytime" },
  ],
  "inversion-at-the-last-place": [
    "is the end of the bets' interval where e = 1/alpha, or where the rounded logarithms say so?",
    {},
    { m: count(18, 0) },
    { design: "anytime" },
  ],
  "pool-of-families": [
    "is a pool of families finite, and in which unit?",
    { measures: { m: `${FIXED}, unit: family` } },
    { m: families([[0, 0, 3, 30]], { population: "items_fixed", pool: 90 }) },
  ],
  "pool-decided-early": [
    "how is an infinite e-value printed?",
    { measures: { m: FIXED }, rule: '{measure: m, op: "<=", value: 0.3}' },
    { m: { ...count(9, 0), ...whole(10, 9) } },
    { design: "anytime" },
  ],
  "pool-met-above-its-bound": [
    "the bets at T = 0.07 differ from those at K/N = 3/30: met, but upper > tested_met",
    { measures: { m: FIXED }, rule: '{measure: m, op: "<=", value: 0.07}' },
    { m: { ...count(22, 0), ...whole(30, 22) } },
    { design: "anytime" },
  ],
  "pool-open-below-its-bound": [
    "upper = 3/30 <= 0.1, but K0 = ceil(N T) = 3 tests `< 0.1`: undetermined",
    { measures: { m: FIXED }, rule: '{measure: m, op: "<=", value: 0.1}' },
    { m: { ...count(20, 0), ...whole(30, 20) } },
    { design: "anytime" },
  ],
  "pool-with-a-measured-judge": [
    "section 6 takes the flagged rate of a whole pool as known: false `met` up to 22 %, see README",
    { measures: { m: FIXED } },
    { m: judged(40, 1, [800, 1000, 1000, 1000], whole(40)) },
  ],
  "pool-with-a-judge-that-found-nothing": [
    "L_se = 0 and no flag in the whole pool: U = 0 <= 0 x T is met, though U_q / L_se is 0 / 0",
    { measures: { m: FIXED } },
    { m: judged(40, 0, [0, 1, 100, 100], whole(40)) },
  ],
  "families-with-a-judge": [
    "the order of the flags",
    { measures: { m: FAMILY } },
    { m: families([[0, 0, 2, 200]], { exact: false, errors: judged(1, 0, [80, 90, 90, 90]).errors }) },
  ],
  "all-flags-of-a-label": [
    "the order of the label's flags",
    {
      measures: { m: `${upward("higher_is_more_capable")}, elicitation: [a]` },
      scale:
        '  kind: hazard\n  levels: [{id: C1, name: Low}, {id: C2, name: High, rule_in: {measure: m, op: ">=", value: 0.3}, rule_out: {measure: m, op: "<", value: 0.8}}]\n',
    },
    { "m@a": { ...judged(400, 220, [60, 60, 60, 60]), measure: "m@a" }, ...named("m@b", 5, 0) },
  ],
  "established-over-a-gap": [
    "is C3 established where C2 is not assessed?",
    {
      measures: { k: upward("higher_is_more_capable"), m: upward("higher_is_more_capable") },
      scale: HAZARD_WITH_A_GAP,
    },
    { m: count(40, 40) },
  ],
  "not-met-over-an-undetermined-level": [
    "each level's not_met is tested at alpha: is any of several enough to exclude, see README?",
    { measures: TWO, scale: ASSURANCE_OUT_OF_ORDER },
    { k: { ...count(40, 8), measure: "k" }, m: count(100, 30) },
  ],
  "higher-level-met-over-one-not-met": [
    "is that a contradiction worth a flag?",
    { measures: TWO, scale: ASSURANCE_OUT_OF_ORDER },
    { k: { ...count(40, 30), measure: "k" }, m: count(100, 0) },
  ],
  trials: [
    "are trials counted as items, against section 4?",
    { measures: { m: `${MEASURE}, unit: trial` } },
    { m: count(72, 0, { unit: "trial" }) },
  ],
  "threshold-with-a-zero": [
    "as the rubric says it: 0.050 or 0.05?",
    { rule: '{measure: m, op: "<=", value: 0.050}' },
    { m: count(72, 0) },
  ],
  "threshold-with-an-exponent": [
    "as the rubric says it: 5e-2 or 0.05, or refused?",
    { rule: '{measure: m, op: "<=", value: 5e-2}' },
    { m: count(72, 0) },
  ],
  "factor-with-a-zero": [
    "3.0 x reference?",
    { measures: { m: RATIO }, rule: '{measure: m, op: "<=", value: {times_reference: 3.0}}' },
    { m: count(400, 0) },
    { references: { m: count(400, 40) } },
  ],
  "max-missing-with-a-zero": [
    "a share above 0.050 or 0.05?",
    { maxMissing: "0.050" },
    { m: count(100, 0, { missing: 10 }) },
  ],
  "another-population": [
    "must the counts' population be the rubric's?",
    {},
    { m: count(40, 0, { population: "items_fixed" }) },
  ],
  "family-without-answers": [
    "a family of no answers",
    { measures: { m: FAMILY } },
    {
      m: families([
        [0, 0, 3, 30],
        [0, 0, 0, 1],
      ]),
    },
  ],
  "settings-listed-twice": [
    "is a repeated setting refused?",
    { measures: { m: `${MEASURE}, elicitation: [a, a]` } },
    named("m@a", 72, 0),
  ],
  "margin-with-seven-decimals": [
    "is a margin beyond 6 decimals refused?",
    { statistics: ", margin: 0.0000001" },
    { m: count(72, 0) },
  ],
};

function answerTo(given) {
  try {
    const label = decideCase(given);
    return { label, label_sha256: digestOf(canonicalText(label)) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { error: "MalformedInput", where: error.where };
  }
}

/** Every question as a case with this implementation's answer. */
export function answerQuestions() {
  return Object.entries(QUESTIONS).map(([name, [why, parts, tallies, rest = {}]]) => {
    const given = { name, design: "fixed", why, rubric: rubricText(parts), tallies, ...rest };
    return { ...given, ...answerTo(given) };
  });
}

console.log(JSON.stringify({ format: "verilabel/conformance/v1", cases: answerQuestions() }, null, 1));
