// The e-process e3: log e-values for and against a claim `rate <= tau`, from counts alone.
//
// statistics.md 1.1 bets on odds multiplied by r. With D = 1 - tau (1 - r), the bet's factor for an outcome y
// in [0, 1] is (1 - y (1 - r)) / D, so that s events in n give r^s / D^n: the same values as the page's
// p1/tau form, by another road.
//
// In that form ln e grows strictly with tau against `rate >= tau` and falls strictly against `rate <= tau`,
// for items and for families (only -n ln D depends on tau): so the set of thresholds that the bets do not
// exclude is an interval, and its ends are found by halving.
import type { Side } from "./claims.ts";
import { arithmetic, choose, smallest } from "./bounds.ts";
import { Fraction, fractionOfMicro, MICRO } from "./exact.ts";

const WEIGHTS = [4n, 3n, 3n].map((w) => new Fraction(w, 10n));
const BETS: Record<Side, readonly Fraction[]> = {
  met: [new Fraction(1n, 50n), new Fraction(1n, 5n), new Fraction(1n, 2n)],
  not_met: [new Fraction(17n, 10n), new Fraction(4n), new Fraction(20n)],
};

// ln of the weighted mean of three bets given as logarithms: exactly 0 where all three are 0.
function logOfMixture(logs: readonly number[]): number {
  const top = Math.max(...logs);
  const shares = logs.map((value, index) => (WEIGHTS[index] as Fraction).number() * Math.exp(value - top));
  return top + Math.log(shares.reduce((sum, share) => sum + share, 0));
}

/** So many units with this share of events. */
export interface Group {
  share: Fraction;
  count: number;
}

/**
 * ln e of groups `{share: Fraction in [0, 1], count}` against `rate >= tau` (side met) or `rate <= tau`
 * (side not_met).
 * Items are the groups with share 0 and 1; a family counts once, with its share of events.
 */
export function logBets(side: Side, groups: readonly Group[], tau: Fraction): number {
  const threshold = tau.number();
  const units = groups.reduce((sum, group) => sum + group.count, 0);
  const logs = BETS[side].map((ratio) => {
    const gap = 1 - ratio.number();
    const gain = groups.reduce((sum, { share, count }) => sum + count * Math.log1p(-share.number() * gap), 0);
    return gain - units * Math.log1p(-threshold * gap);
  });
  return logOfMixture(logs);
}

const CLOSE = 1e-9;

/** What ln e must reach at the level alpha: ln(1/alpha) rounded up to 6 decimals (micro). */
export const logNeeded = (alpha: Fraction): bigint => BigInt(Math.ceil(-Math.log(alpha.number()) * Number(MICRO)));

// `needed` has 6 decimals, so ln e reaches it where ln e rounded down does.
function isEnough(log: number, needed: number): boolean {
  if (Math.abs(log - needed) < CLOSE) arithmetic.nearTheGrid += 1;
  return log >= needed;
}

const neededAt = (alpha: Fraction): number => Number(logNeeded(alpha)) / Number(MICRO);

/** The smallest millionth that the bets exclude as too high (micro); 10^6 where none is. */
export function betsUpper(groups: readonly Group[], alpha: Fraction): bigint {
  const needed = neededAt(alpha);
  return smallest(0n, MICRO, (j) => isEnough(logBets("met", groups, fractionOfMicro(j)), needed));
}

/** The largest millionth that the bets exclude as too low (micro); 0 where none is. */
export function betsLower(groups: readonly Group[], alpha: Fraction): bigint {
  const needed = neededAt(alpha);
  return (
    smallest(0n, MICRO + 1n, (j) => !isEnough(logBets("not_met", groups, fractionOfMicro(j)), needed)) - 1n
  );
}

function logOfInteger(big: bigint): number {
  const bits = big.toString(2).length;
  const shift = Math.max(0, bits - 64);
  return Math.log(Number(big >> BigInt(shift))) + shift * Math.LN2;
}

// How many of the pool show the event under bet j: odds(tau) r, kept on its side of the null.
function betOnPool(side: Side, ratio: Fraction, tau: Fraction, pool: bigint, atNull: bigint): bigint {
  const odds = tau.times(ratio);
  const alternative = odds
    .over(odds.plus(new Fraction(1n)).minus(tau))
    .times(new Fraction(pool))
    .nearest();
  if (side === "met") return alternative < atNull ? alternative : atNull - 1n;
  if (alternative > atNull) return alternative;
  return atNull < pool ? atNull + 1n : pool;
}

/**
 * ln e for a pool of fixed outcomes drawn without replacement; Infinity where the null can no longer be true,
 * -Infinity where the claim can no longer be. `atNull` is the null's count nearest to the claim.
 */
export function logPoolBets(
  side: Side,
  s: number,
  n: number,
  pool: number,
  tau: Fraction,
  atNull: bigint,
): number {
  const seen = BigInt(s);
  const draws = BigInt(n);
  const size = BigInt(pool);
  const left = size - draws;
  const ways = choose(left, atNull - seen);
  if (ways === 0n) return (side === "met") === seen < atNull ? Infinity : -Infinity;
  let top = 0n;
  let bottom = 1n;
  BETS[side].forEach((ratio, index) => {
    const showing = betOnPool(side, ratio, tau, size, atNull);
    if (showing < 0n || showing > size) return;
    const weight = WEIGHTS[index] as Fraction;
    const share = weight.top * choose(left, showing - seen) * choose(size, atNull);
    const over = weight.bottom * choose(size, showing) * ways;
    [top, bottom] = [top * over + share * bottom, bottom * over];
  });
  return top === 0n ? -Infinity : logOfInteger(top) - logOfInteger(bottom);
}

/** The largest share K/N of a pool that the bets do not exclude (micro, rounded up). Every K is tried. */
export function poolBetsUpper(s: number, n: number, pool: number, alpha: Fraction): bigint {
  const needed = neededAt(alpha);
  let showing = pool - (n - s);
  while (showing > s) {
    const tau = new Fraction(BigInt(showing), BigInt(pool));
    if (
      tau.compare(new Fraction(1n)) >= 0 ||
      !isEnough(logPoolBets("met", s, n, pool, tau, BigInt(showing)), needed)
    )
      break;
    showing -= 1;
  }
  return new Fraction(BigInt(showing) * MICRO, BigInt(pool)).ceiling();
}

/** The smallest share K/N of a pool that the bets do not exclude (micro, rounded down). */
export function poolBetsLower(s: number, n: number, pool: number, alpha: Fraction): bigint {
  const needed = neededAt(alpha);
  let showing = s;
  while (showing < pool - (n - s)) {
    const tau = new Fraction(BigInt(showing), BigInt(pool));
    if (!isEnough(logPoolBets("not_met", s, n, pool, tau, BigInt(showing)), needed)) break;
    showing += 1;
  }
  return new Fraction(BigInt(showing) * MICRO, BigInt(pool)).floor();
}
