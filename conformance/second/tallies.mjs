// Counts of measures as a case gives them: defaults filled in, impossible ones refused.
import { Refusal } from "./refusal.mjs";

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

function requireThat(holds, message, where) {
  if (!holds) throw new Refusal(message, where);
}

const isCount = (value) => Number.isSafeInteger(value) && value >= 0;

function requireClusters(tally, where) {
  if (tally.unit !== "family") {
    requireThat(tally.clusters.length === 0, "families in a count that has none", where);
    return;
  }
  const sums = [0, 0, 0];
  for (const [events, missing, size, count] of tally.clusters) {
    const isPossible = [events, missing, size, count].every(isCount) && size > 0 && events + missing <= size;
    requireThat(isPossible, "an impossible family", where);
    [events, missing, size].forEach((part, index) => {
      sums[index] += part * count;
    });
  }
  const isEqual = sums[0] === tally.events && sums[1] === tally.missing && sums[2] === tally.n;
  requireThat(isEqual, "the families do not add up to the counts", where);
}

function requireErrors(errors, where) {
  const { true_positives: found, positives, true_negatives: cleared, negatives } = errors;
  requireThat([found, positives, cleared, negatives].every(isCount), "an impossible judge", where);
  requireThat(found <= positives && cleared <= negatives, "an impossible judge", where);
}

function requirePossible(tally, where) {
  const { n, events, missing, n_planned: planned, pool } = tally;
  requireThat([n, events, missing, planned].every(isCount), "a count that is none", where);
  requireThat(events + missing <= n, "more events and missing answers than answers", where);
  requireThat(planned === 0 || n <= planned, "more answers than the plan allows", where);
  requireThat(pool === null || (isCount(pool) && pool >= n), "more draws than the pool holds", where);
  requireClusters(tally, where);
  if (tally.errors) requireErrors(tally.errors, where);
}

function requireFits(tally, measure, where) {
  requireThat(measure !== undefined, "no such measure in the rubric", where);
  for (const key of ["unit", "population"]) {
    requireThat(
      tally[key] === measure[key],
      `${key} ${tally[key]}, the rubric says ${measure[key]}`,
      `${where}.${key}`,
    );
  }
  requireThat(tally.complement === measure.isNegated, "event and absence mixed up", `${where}.complement`);
}

/** Tallies by `measure` or `measure@setting`. Throws Refusal. */
export function readTallies(document, rubric, name) {
  const result = new Map();
  for (const [key, given] of Object.entries(document ?? {})) {
    const where = `${name}.${key}`;
    const tally = { ...DEFAULTS, ...given };
    requireThat(tally.measure === key, "stands under another name", where);
    requireFits(tally, rubric.measures.get(key.split("@")[0]), where);
    requirePossible(tally, where);
    result.set(key, tally);
  }
  return result;
}
