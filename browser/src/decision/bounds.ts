// Exact one-sided bounds of a rate, found on the grid of millionths.
//
// Label semantics 1 wants Clopper-Pearson bounds rounded outward to 6 decimals. The upper bound so rounded is
// the smallest millionth u with P(X <= s | u) <= alpha, because that probability falls with u: no root needs
// to be found, only one comparison for each of 20 halvings. Each comparison sums the binomial terms from
// Loader's form of the largest one (C. Loader, "Fast and accurate computation of binomial probabilities",
// 2000), and where the double comes close to alpha the same comparison is made over integers, so that a
// rounding error decides nothing.
import { Fraction, MICRO } from "./exact.ts";

const CLOSE = 1e-9;
const EXACT_UP_TO = 20_000; // Beyond it a comparison over integers takes seconds.
const HALF = new Fraction(1n, 2n);

/** `always: true` makes every comparison over integers (check.mjs --exact). */
export const arithmetic = { always: false, comparisons: 0, arbitrated: 0, nearTheGrid: 0 };

// ln n! - ln(sqrt(2 pi n) (n/e)^n): by its own sum for small n, by its asymptotic series above.
function stirlingError(n: number): number {
  if (n > 15) {
    const q = n * n;
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / q) / q) / q) / q) / n;
  }
  let logFactorial = 0;
  for (let i = 2; i <= n; i += 1) logFactorial += Math.log(i);
  return n === 0 ? 0 : logFactorial - (0.5 * Math.log(2 * Math.PI * n) + n * Math.log(n) - n);
}

// x ln(x/m) + m - x without cancellation near x = m.
function deviance(x: number, m: number): number {
  if (Math.abs(x - m) > 0.1 * (x + m)) return x * Math.log(x / m) + m - x;
  const v = (x - m) / (x + m);
  let sum = (x - m) * v;
  let power = 2 * x * v;
  for (let k = 1; k < 200; k += 1) {
    power *= v * v;
    const next = sum + power / (2 * k + 1);
    if (next === sum) break;
    sum = next;
  }
  return sum;
}

function logBinomialTerm(s: number, n: number, p: number): number {
  if (s === 0) return n * Math.log1p(-p);
  const error = stirlingError(n) - stirlingError(s) - stirlingError(n - s);
  const shape = deviance(s, n * p) + deviance(n - s, n * (1 - p));
  return error - shape - 0.5 * Math.log((2 * Math.PI * s * (n - s)) / n);
}

// ln P(X <= s) for s below the mean, where the terms fall away downwards.
function logLowerTail(s: number, n: number, p: number): number {
  let term = 1;
  let sum = 1;
  for (let k = s; k > 0 && term > 1e-18 * sum; k -= 1) {
    term *= ((k / (n - k + 1)) * (1 - p)) / p;
    sum += term;
  }
  return logBinomialTerm(s, n, p) + Math.log(sum);
}

// P(X <= s | j / 10^6) <= alpha over integers: the sum times 10^(6n), with (10^6 - j)^(n-s) taken out.
function tailIsSmallExactly(s: number, n: number, j: bigint, alpha: Fraction): boolean {
  arithmetic.arbitrated += 1;
  const rest = MICRO - j;
  const size = BigInt(n);
  const last = BigInt(s);
  let coefficient = 1n;
  let upward = 1n;
  let sum = 0n;
  for (let k = 0n; k <= last; k += 1n) {
    sum = sum * rest + coefficient * upward;
    coefficient = (coefficient * (size - k)) / (k + 1n);
    upward *= j;
  }
  return sum * rest ** (size - last) * alpha.bottom <= alpha.top * MICRO ** size;
}

function tailIsSmall(s: number, n: number, j: bigint, alpha: Fraction): boolean {
  arithmetic.comparisons += 1;
  if (j === 0n) return false;
  if (arithmetic.always) return tailIsSmallExactly(s, n, j, alpha);
  const p = Number(j) / Number(MICRO);
  // A median of the binomial is at most the mean rounded up, so the tail is at least 1/2 here.
  if (s >= n * p * (1 + 1e-12)) return false;
  if (j === MICRO) return true;
  const distance = logLowerTail(s, n, p) - Math.log(alpha.number());
  if (Math.abs(distance) > CLOSE) return distance < 0;
  // "Not small" moves the bound outward, which is the safe side.
  return n <= EXACT_UP_TO && tailIsSmallExactly(s, n, j, alpha);
}

/** The smallest value in (low, high] for which the rising predicate holds; it is known to hold at `high`. */
export function smallest(low: bigint, high: bigint, holds: (value: bigint) => boolean): bigint {
  let below = low;
  let at = high;
  while (at - below > 1n) {
    const middle = (below + at) / 2n;
    if (holds(middle)) at = middle;
    else below = middle;
  }
  return at;
}

function requireLevel(alpha: Fraction): void {
  if (alpha.top <= 0n || alpha.compare(HALF) >= 0) throw new RangeError(`a level of ${alpha}`);
}

/** Upper Clopper-Pearson bound of s events in n draws at the one-sided level alpha, rounded up (micro). */
export function binomialUpper(s: number, n: number, alpha: Fraction): bigint {
  requireLevel(alpha);
  if (s >= n) return MICRO;
  return smallest(0n, MICRO, (j) => tailIsSmall(s, n, j, alpha));
}

/** Lower Clopper-Pearson bound, rounded down (micro): the mirror of the upper bound of the absent events. */
export function binomialLower(s: number, n: number, alpha: Fraction): bigint {
  return MICRO - binomialUpper(n - s, n, alpha);
}

/** n choose k over integers; 0 outside 0 <= k <= n. */
export function choose(n: bigint, k: bigint): bigint {
  if (k < 0n || k > n) return 0n;
  const few = k * 2n > n ? n - k : k;
  let result = 1n;
  for (let i = 0n; i < few; i += 1n) result = (result * (n - i)) / (i + 1n);
  return result;
}

// P(X <= s | K of N show the event, n drawn) <= alpha, over integers; the two factors of a term are carried
// along.
function poolTailIsSmall(s: number, n: number, pool: number, showing: bigint, alpha: Fraction): boolean {
  const draws = BigInt(n);
  const size = BigInt(pool);
  const last = BigInt(s);
  const absent = size - showing;
  let i = draws > absent ? draws - absent : 0n;
  let shown = choose(showing, i);
  let other = choose(absent, draws - i);
  let sum = 0n;
  for (; i <= last && shown > 0n && other > 0n; i += 1n) {
    sum += shown * other;
    shown = (shown * (showing - i)) / (i + 1n);
    other = (other * (draws - i)) / (absent - draws + i + 1n);
  }
  return sum * alpha.bottom <= alpha.top * choose(size, draws);
}

/** Upper bound of the share K/N of a finite pool, from s events in n draws without replacement (micro, up). */
export function poolUpper(s: number, n: number, pool: number, alpha: Fraction): bigint {
  requireLevel(alpha);
  const most = BigInt(pool - (n - s));
  const excluded = smallest(BigInt(s), most + 1n, (k) => k > most || poolTailIsSmall(s, n, pool, k, alpha));
  return new Fraction((excluded - 1n) * MICRO, BigInt(pool)).ceiling();
}

/** Lower bound of the share of a finite pool (micro, down). */
export function poolLower(s: number, n: number, pool: number, alpha: Fraction): bigint {
  return MICRO - poolUpper(n - s, n, pool, alpha);
}
