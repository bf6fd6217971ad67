// One row: what was measured, against what, and what that decides (label semantics 1, 4 to 7 and 9).
import type { Context, Counted, Criterion, Levels, Limits, Measure, Side, Statistics, Status, View } from "./claims.ts";
import { arithmetic } from "./bounds.ts";
import { logNeeded } from "./betting.ts";
import { Fraction, MICRO, microNearest, writeDecimal, writeMicro } from "./exact.ts";
import { prepareComparison } from "./limits.ts";
import { isBetOn, logEvidence, lowerOf, unitsOf, upperOf, viewTally } from "./view.ts";

const CERTIFIED_FROM = 100;
const NEAR_THE_GRID = 1e-3;

/** A row of a label document; what has its default is left out when it is written. */
export interface Row {
  status: Status;
  [field: string]: unknown;
}

interface Claim {
  holds: boolean;
  log?: string;
  needed?: string;
}

const isWithin = (micro: bigint, limit: bigint, isStrict: boolean): boolean => (isStrict ? micro < limit : micro <= limit);

function microOfLog(value: number): bigint | number {
  if (!Number.isFinite(value)) return value;
  const scaled = value * Number(MICRO);
  if (Math.abs(scaled - Math.round(scaled)) < NEAR_THE_GRID) arithmetic.nearTheGrid += 1;
  return BigInt(Math.floor(scaled));
}

const writeLog = (value: bigint | number): string => (typeof value === "bigint" ? writeMicro(value) : String(value));

/** One of the row's two claims: whether it holds, and the evidence where bets decide it. */
function decideClaim(
  side: Side,
  view: View,
  { lower, upper }: { lower: bigint; upper: bigint },
  levels: Levels,
  limits: Limits,
  isStrict: boolean,
): Claim {
  const limit = limits[side];
  if (!isBetOn(view, limit)) {
    const holds = side === "met" ? isWithin(upper, limit, isStrict) : !isWithin(lower, limit, isStrict);
    return { holds };
  }
  const log = microOfLog(logEvidence(side, view, limit));
  const needed = logNeeded(levels[side]);
  return { holds: log >= needed, log: writeLog(log), needed: writeLog(needed) };
}

/** Why counts decide nothing, whatever their bounds say; undefined where nothing stands against them. */
function objection(tally: Counted, measure: Measure, context: Context): string | undefined {
  const { statistics, design } = context;
  const { n, missing, n_planned: planned } = tally;
  const units = unitsOf(tally);
  const noun = tally.unit === "family" ? "families" : "answers";
  if (units < measure.minN) return `${units} ${noun}, at least ${measure.minN} are required`;
  if (new Fraction(BigInt(missing), BigInt(n)).compare(statistics.maxMissing) > 0) {
    return `${missing} of ${n} answers are missing, a share above ${writeDecimal(statistics.maxMissing)}`;
  }
  if (design === "fixed" && n < planned) {
    return `${n} of ${planned} planned answers: a fixed design is read at its end`;
  }
  if (isJudgedWith(tally, statistics) && !tally.errors) return "the judge's error was never measured";
  return undefined;
}

const isJudgedWith = (tally: Counted, statistics: Statistics): boolean => statistics.isJudgeAdjusted && !tally.exact;

function reasonAgainst(
  tally: Counted,
  reference: Counted | undefined,
  measure: Measure,
  context: Context,
): string | undefined {
  const own = objection(tally, measure, context);
  if (own || !reference) return own;
  const other = objection(reference, measure, context);
  return other && `reference: ${other}`;
}

function isCertified({ sensitivity, specificity }: View, statistics: Statistics): boolean {
  const labelled = sensitivity.of + specificity.of;
  return sensitivity.of >= CERTIFIED_FROM && labelled >= statistics.minCalibration;
}

function flagsOf(tally: Counted, view: View, node: Criterion, statistics: Statistics): string[] {
  const applies: Record<string, boolean> = {
    judge_uncertified: !tally.exact && !isCertified(view, statistics),
    judge_adjusted: isJudgedWith(tally, statistics),
    finite_pool: view.pool !== null,
    clustered: view.clusters !== null,
    reference: Boolean(node.threshold.factor),
  };
  return Object.keys(applies).filter((flag) => applies[flag]);
}

const mirrored = (micro: bigint, isUpward: boolean): string => writeMicro(isUpward ? MICRO - micro : micro);

function describeCounts(tally: Counted): Record<string, unknown> {
  const { n, events, missing } = tally;
  return { n, events, missing, rate: writeMicro(microNearest(new Fraction(BigInt(events), BigInt(n)))) };
}

function assessRow(
  tally: Counted,
  reference: Counted | undefined,
  node: Criterion,
  alphas: Levels,
  context: Context,
): Row {
  const { statistics, design } = context;
  const isUpward = node.op.startsWith(">");
  const isStrict = !node.op.endsWith("=");
  const view = viewTally(tally, design, isUpward);
  const isJudged = isJudgedWith(tally, statistics);
  const { limits, levels } = prepareComparison(node, view, reference, alphas, context, isJudged, isUpward);
  const bounds = { lower: lowerOf(view, levels.not_met), upper: upperOf(view, levels.met) };
  const met = decideClaim("met", view, bounds, levels, limits, isStrict);
  const notMet = decideClaim("not_met", view, bounds, levels, limits, isStrict);
  const reason = reasonAgainst(tally, reference, node.measure, context);
  return {
    status: reason ? "undetermined" : met.holds ? "met" : notMet.holds ? "not_met" : "undetermined",
    ...describeCounts(tally),
    lower: mirrored(isUpward ? bounds.upper : bounds.lower, isUpward),
    upper: mirrored(isUpward ? bounds.lower : bounds.upper, isUpward),
    tested_met: mirrored(limits.met, isUpward),
    tested_not_met: mirrored(limits.not_met, isUpward),
    log_e_met: met.log,
    log_e_not_met: notMet.log,
    log_needed: met.needed,
    reason,
    flags: flagsOf(tally, view, node, statistics),
  };
}

/** The row of one measure. `context`: {statistics, design, references}; `alphas`: {met, not_met}. */
export function decideRow(
  name: string,
  tally: Counted | undefined,
  node: Criterion,
  alphas: Levels,
  context: Context,
): Row {
  const { op, threshold } = node;
  const levels = { alpha_met: String(alphas.met), alpha_not_met: String(alphas.not_met) };
  const row = { measure: name, op, threshold: threshold.text, ...levels };
  if (!tally || tally.n === 0) return { ...row, status: "not_assessed", reason: "no answers" };
  const reference = threshold.factor ? context.references.get(name) : undefined;
  if (threshold.factor && !reference?.n) {
    return { ...row, status: "not_assessed", reason: "no answers of the reference system" };
  }
  return { ...row, ...assessRow(tally, reference, node, alphas, context) };
}
