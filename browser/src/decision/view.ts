// A tally as a claim `rate <= threshold` sees it, and the bounds of its rate.
//
// A claim with `>=` or `>` is the mirror of one with `<=` or `<`: the absence of the event against 1 -
// threshold, with the judge's two errors exchanged. Only the printing of a row knows of the two directions.
import type { Counted, Design, Side, View } from "./claims.ts";
import type { Group } from "./betting.ts";
import { betsLower, betsUpper, logBets, logPoolBets, poolBetsLower, poolBetsUpper } from "./betting.ts";
import { binomialLower, binomialUpper, poolLower, poolUpper } from "./bounds.ts";
import { Fraction, fractionOfMicro, MICRO, ONE, ZERO } from "./exact.ts";

/** How many units of independence a tally holds. */
export function unitsOf(tally: Counted): number {
  return tally.unit === "family" ? tally.clusters.reduce((sum, cluster) => sum + cluster[3], 0) : tally.n;
}

// Families of one answer each are items.
const isClustered = (tally: Counted): boolean => tally.clusters.some(([, , size]) => size > 1);

function viewClusters(tally: Counted, isUpward: boolean): NonNullable<View["clusters"]> {
  return tally.clusters.map(([events, missing, size, count]) => {
    const least = isUpward ? size - events - missing : events;
    return { worst: least + missing, least, size, count };
  });
}

// Whether bets or exact bounds decide: exact bounds need a fixed number of independent items, or a whole
// pool.
function isDecidedByBets(tally: Counted, design: Design, pool: number | null): boolean {
  if (isClustered(tally)) return true;
  return design === "anytime" && pool !== tally.n;
}

/**
 * Counts for a claim `rate <= threshold`. `worst` counts missing answers as events (for met), `least` as none
 * (for not met); `sensitivity` and `specificity` are the judge's, for the event as the claim counts it.
 */
export function viewTally(tally: Counted, design: Design, isUpward: boolean): View {
  const { n, events, missing, errors } = tally;
  const least = isUpward ? n - events - missing : events;
  const found = errors ? { right: errors.true_positives, of: errors.positives } : { right: 0, of: 0 };
  const cleared = errors ? { right: errors.true_negatives, of: errors.negatives } : { right: 0, of: 0 };
  const isPool = tally.population === "items_fixed" && tally.unit === "item" && tally.exact;
  const pool = isPool ? tally.pool : null;
  return {
    n,
    worst: least + missing,
    least,
    pool,
    clusters: isClustered(tally) ? viewClusters(tally, isUpward) : null,
    byBets: isDecidedByBets(tally, design, pool),
    sensitivity: isUpward ? cleared : found,
    specificity: isUpward ? found : cleared,
  };
}

/** Lower bound of the judge's share of right answers; 0 where nothing was labelled. */
export function rightAtLeast({ right, of }: View["sensitivity"], alpha: Fraction): Fraction {
  return of === 0 ? ZERO : fractionOfMicro(binomialLower(right, of, alpha));
}

// One group for each share, so that families that show all (or nothing) of the event add up without rounding.
function groupByShare(clusters: NonNullable<View["clusters"]>, part: "worst" | "least"): Group[] {
  const groups = new Map<string, Group>();
  for (const cluster of clusters) {
    const share = new Fraction(BigInt(cluster[part]), BigInt(cluster.size));
    const known = groups.get(String(share))?.count ?? 0;
    groups.set(String(share), { share, count: known + cluster.count });
  }
  return [...groups.values()];
}

function groupsOf(view: View, part: "worst" | "least"): Group[] {
  if (view.clusters) return groupByShare(view.clusters, part);
  return [
    { share: ONE, count: view[part] },
    { share: ZERO, count: view.n - view[part] },
  ];
}

/** Upper bound of the rate at the one-sided level alpha, rounded up (micro). */
export function upperOf(view: View, alpha: Fraction): bigint {
  if (view.pool !== null)
    return (view.byBets ? poolBetsUpper : poolUpper)(view.worst, view.n, view.pool, alpha);
  return view.byBets ? betsUpper(groupsOf(view, "worst"), alpha) : binomialUpper(view.worst, view.n, alpha);
}

/** Lower bound of the rate at the one-sided level alpha, rounded down (micro). */
export function lowerOf(view: View, alpha: Fraction): bigint {
  if (view.pool !== null)
    return (view.byBets ? poolBetsLower : poolLower)(view.least, view.n, view.pool, alpha);
  return view.byBets ? betsLower(groupsOf(view, "least"), alpha) : binomialLower(view.least, view.n, alpha);
}

// statistics.md 1.1: K0 = ceil(N tau) against the claim, floor(N tau) for it.
function nullOfPool(side: Side, tau: Fraction, pool: number): bigint {
  const share = tau.times(new Fraction(BigInt(pool)));
  return side === "met" ? share.ceiling() : share.floor();
}

/** Whether bets decide against a limit (micro): a limit below 0 or above 1 is no rate, and bounds decide. */
export const isBetOn = (view: View, limit: bigint): boolean => view.byBets && limit >= 0n && limit <= MICRO;

/** ln e of the view for `met` or `not_met` against a limit (micro) from 0 to 1. */
export function logEvidence(side: Side, view: View, limit: bigint): number {
  const tau = fractionOfMicro(limit);
  const part = side === "met" ? "worst" : "least";
  if (view.pool === null) return logBets(side, groupsOf(view, part), tau);
  return logPoolBets(side, view[part], view.n, view.pool, tau, nullOfPool(side, tau, view.pool));
}
