// Counts of measures as a case gives them: defaults filled in, impossible ones refused.
import type { Counted, Errors, Measure, Rubric } from "./claims.ts";
import { Refusal } from "./refusal.ts";

const DEFAULTS = {
  missing: 0,
  unit: "item",
  population: "items_sampled",
  clusters: [],
  pool: null,
  errors: null,
  exact: false,
  complement: false,
  n_planned: 0,
};

function requireThat(holds: boolean, message: string, where: string): void {
  if (!holds) throw new Refusal(message, where);
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

function requireClusters(tally: Counted, where: string): void {
  if (tally.unit !== "family") {
    requireThat(tally.clusters.length === 0, "families in a count that has none", where);
    return;
  }
  const sums: [number, number, number] = [0, 0, 0];
  for (const [events, missing, size, count] of tally.clusters) {
    const isPossible = [events, missing, size, count].every(isCount) && size > 0 && events + missing <= size;
    requireThat(isPossible, "an impossible family", where);
    sums[0] += events * count;
    sums[1] += missing * count;
    sums[2] += size * count;
  }
  const isEqual = sums[0] === tally.events && sums[1] === tally.missing && sums[2] === tally.n;
  requireThat(isEqual, "the families do not add up to the counts", where);
}

function requireErrors(errors: Errors, where: string): void {
  const { true_positives: found, positives, true_negatives: cleared, negatives } = errors;
  requireThat([found, positives, cleared, negatives].every(isCount), "an impossible judge", where);
  requireThat(found <= positives && cleared <= negatives, "an impossible judge", where);
}

function requirePossible(tally: Counted, where: string): void {
  const { n, events, missing, n_planned: planned, pool } = tally;
  requireThat([n, events, missing, planned].every(isCount), "a count that is none", where);
  requireThat(events + missing <= n, "more events and missing answers than answers", where);
  requireThat(planned === 0 || n <= planned, "more answers than the plan allows", where);
  requireThat(pool === null || (isCount(pool) && pool >= n), "more draws than the pool holds", where);
  requireClusters(tally, where);
  if (tally.errors) requireErrors(tally.errors, where);
}

function requireFits(tally: Counted, measure: Measure | undefined, where: string): void {
  if (measure === undefined) throw new Refusal("no such measure in the rubric", where);
  for (const key of ["unit", "population"] as const) {
    requireThat(
      tally[key] === measure[key],
      `${key} ${tally[key]}, the rubric says ${measure[key]}`,
      `${where}.${key}`,
    );
  }
  requireThat(tally.complement === measure.isNegated, "event and absence mixed up", `${where}.complement`);
}

/** Tallies by `measure` or `measure@setting`. Throws Refusal. */
export function readTallies(
  document: Record<string, Partial<Counted>> | undefined,
  rubric: Rubric,
  name: string,
): Map<string, Counted> {
  const result = new Map<string, Counted>();
  for (const [key, given] of Object.entries(document ?? {})) {
    const where = `${name}.${key}`;
    const tally = { ...DEFAULTS, ...given } as Counted;
    requireThat(tally.measure === key, "stands under another name", where);
    requireFits(tally, rubric.measures.get(key.split("@")[0] as string), where);
    requirePossible(tally, where);
    result.set(key, tally);
  }
  return result;
}
