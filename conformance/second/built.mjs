// <define:BUNDLED_RUBRICS>
var define_BUNDLED_RUBRICS_default = { "verilabel/agent-hazards@0.1.0": "sha256:dad45a4c28a5cf33c0539a7ebf8ae8630a9eaa6bee5077b753215f36bddf6d13", "verilabel/ailuminate-hazards@0.1.0": "sha256:a9b5a5868e458daa1a732dd7ed452fa289ac15f73bdc65770abd0b26299a4c1a", "verilabel/cais-risk-index@0.1.0": "sha256:7205d8355b6acfa2e038cfb96b049c75395bc00d1c121ce9ee6baa551d251ff9", "verilabel/capability-factors@0.2.0": "sha256:72aeffb32e4d96e1ec749529542f1e39dda63579e8323bca9bf2c73a57434745", "verilabel/capability-ladder@0.1.0": "sha256:8ea3a1740900b746606a48160121f0b9caf1f2c1f52501bdded2cb8d0f9e9d5b", "verilabel/coding-agent@0.1.0": "sha256:ebf1177847bc3192386f8ebebfeed66fd25d3a8ccd93f9626976a6b6ce5c98a6", "verilabel/compl-ai@0.1.0": "sha256:fd69e2033a4168e11c2843ed2d5a30ab19603f2274f82a79d709794be9c20e38", "verilabel/core@0.1.0": "sha256:961184611b91427da898fc527bf7d81e7e5334c8be9e0d6e8f85064f99aa9083", "verilabel/creative-writing@0.1.0": "sha256:497c44d7ba3bff0ee58b332c16d5d91a6eca713ad6537a782c77331cdb7fefb1", "verilabel/customer-support@0.1.0": "sha256:b7d921123c7f78c8074f93549dd3c624b171e90dfe376f3f94a824ba21e6d781", "verilabel/financial-services@0.1.0": "sha256:a18efd249284dd7e785fbad6efea2fdaa2ea5532d09df50786c4b86b613ad309", "verilabel/frontier-safety-3@0.1.0": "sha256:27996f128fecb34b9c703869b22814ebf62db3733e5e4aeef30d8a3a4b1299d9", "verilabel/gpai-systemic-risk@0.1.0": "sha256:946583f55e0dd46fce5ead5fdad9055a42948f296e81275908c135d6c6907e0b", "verilabel/grade-vs-reference@0.1.0": "sha256:e3fd5473863b67cd349a775c44535ed697e0074a7ecdab4e42e7a1bd3dad8f71", "verilabel/helm-safety@0.1.0": "sha256:14d15b5bb0eed4551a35180129bf9b59d32c3d5c8e418ff1c5ab43360fcf5c9c", "verilabel/medical-information@0.1.0": "sha256:cacbbc193304593d24613e4cf1ce99989c082df0f49fee0496bdf7a91afe1c65", "verilabel/meta-frontier@0.1.0": "sha256:d53c15fc558a226ea4efd52d8ad43edb43f38715079d985f2696e96901dfb65a", "verilabel/open-label@0.1.0": "sha256:aecd049ab6032b491357203011745535cba4475c77672d4ef8713291d1597161", "verilabel/preparedness-v2@0.1.0": "sha256:76cee770848c48c490884285a1dbdb82b263844f62fbbd12b45fd9ece80f1905", "verilabel/rsp-2.2@0.1.0": "sha256:d946fe05891934c4c2c75205e9f761a783ba26d1ea89424aa28ce2b10d3e9d8e", "verilabel/rsp-3@0.1.0": "sha256:477d542c2eb71ef42efe19b639c4b928bf18b889eada359c161e9b426f944552", "verilabel/xstest-refusal@0.1.0": "sha256:a8af91513c59e6b37ab9729dd949d0ef9ea9ef6dc2cdca1274a35ff5019040d9" };

// src/decision/exact.ts
var MICRO = 1000000n;
var magnitude = (n) => n < 0n ? -n : n;
function commonDivisor(a, b) {
  let x = magnitude(a);
  let y = magnitude(b);
  while (y) [x, y] = [y, x % y];
  return x;
}
var Fraction = class _Fraction {
  top;
  bottom;
  constructor(top, bottom = 1n) {
    if (bottom === 0n) throw new RangeError("a fraction over zero");
    const sign = bottom < 0n ? -1n : 1n;
    const shared = commonDivisor(top, bottom) || 1n;
    this.top = sign * top / shared;
    this.bottom = sign * bottom / shared;
  }
  plus(other) {
    return new _Fraction(this.top * other.bottom + other.top * this.bottom, this.bottom * other.bottom);
  }
  minus(other) {
    return this.plus(new _Fraction(-other.top, other.bottom));
  }
  times(other) {
    return new _Fraction(this.top * other.top, this.bottom * other.bottom);
  }
  over(other) {
    return new _Fraction(this.top * other.bottom, this.bottom * other.top);
  }
  /** Negative, zero or positive as this is below, equal to or above the other. */
  compare(other) {
    const difference = this.top * other.bottom - other.top * this.bottom;
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  }
  floor() {
    const whole = this.top / this.bottom;
    return this.top % this.bottom < 0n ? whole - 1n : whole;
  }
  ceiling() {
    return -new _Fraction(-this.top, this.bottom).floor();
  }
  /** The nearest whole number, ties to the even one. */
  nearest() {
    const below = this.floor();
    const side = this.minus(new _Fraction(below)).compare(new _Fraction(1n, 2n));
    if (side === 0) return below % 2n === 0n ? below : below + 1n;
    return side < 0 ? below : below + 1n;
  }
  /** The nearest double or its neighbour. */
  number() {
    const bits = Math.max(magnitude(this.top).toString(2).length, this.bottom.toString(2).length);
    const excess = BigInt(Math.max(0, bits - 1e3));
    return Number(this.top >> excess) / Number(this.bottom >> excess);
  }
  toString() {
    return this.bottom === 1n ? String(this.top) : `${this.top}/${this.bottom}`;
  }
};
var ZERO = new Fraction(0n);
var ONE = new Fraction(1n);
function fractionOfDecimal(text2) {
  const match = /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d{1,4}))?$/.exec(text2);
  if (!match || match[2] === "" && match[3] === "") throw new RangeError(`not a decimal: ${text2}`);
  const [, sign = "", whole = "", part = "", exponent] = match;
  const power = BigInt(exponent ?? 0) - BigInt(part.length);
  const digits = BigInt(sign + "0") + BigInt(whole + part) * (sign === "-" ? -1n : 1n);
  return power < 0n ? new Fraction(digits, 10n ** -power) : new Fraction(digits * 10n ** power);
}
function writeDecimal(fraction) {
  let shifted = fraction;
  let places = 0;
  for (; shifted.bottom !== 1n; places += 1) shifted = shifted.times(new Fraction(10n));
  const digits = String(magnitude(shifted.top)).padStart(places + 1, "0");
  const [whole, part] = [digits.slice(0, digits.length - places), digits.slice(digits.length - places)];
  return `${shifted.top < 0n ? "-" : ""}${whole}${part && `.${part}`}`;
}
var scaled = (fraction) => fraction.times(new Fraction(MICRO));
var microDown = (fraction) => scaled(fraction).floor();
var microUp = (fraction) => scaled(fraction).ceiling();
var microNearest = (fraction) => scaled(fraction).nearest();
var fractionOfMicro = (micro) => new Fraction(micro, MICRO);
function writeMicro(micro) {
  const size = magnitude(micro);
  const text2 = `${size / MICRO}.${String(size % MICRO).padStart(6, "0")}`;
  return micro < 0n ? `-${text2}` : text2;
}

// src/decision/bounds.ts
var CLOSE = 1e-9;
var EXACT_UP_TO = 2e4;
var HALF = new Fraction(1n, 2n);
var arithmetic = { always: false, comparisons: 0, arbitrated: 0, nearTheGrid: 0 };
function stirlingError(n) {
  if (n > 15) {
    const q = n * n;
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / q) / q) / q) / q) / n;
  }
  let logFactorial = 0;
  for (let i = 2; i <= n; i += 1) logFactorial += Math.log(i);
  return n === 0 ? 0 : logFactorial - (0.5 * Math.log(2 * Math.PI * n) + n * Math.log(n) - n);
}
function deviance(x, m) {
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
function logBinomialTerm(s, n, p) {
  if (s === 0) return n * Math.log1p(-p);
  const error = stirlingError(n) - stirlingError(s) - stirlingError(n - s);
  const shape = deviance(s, n * p) + deviance(n - s, n * (1 - p));
  return error - shape - 0.5 * Math.log(2 * Math.PI * s * (n - s) / n);
}
function logLowerTail(s, n, p) {
  let term = 1;
  let sum = 1;
  for (let k = s; k > 0 && term > 1e-18 * sum; k -= 1) {
    term *= k / (n - k + 1) * (1 - p) / p;
    sum += term;
  }
  return logBinomialTerm(s, n, p) + Math.log(sum);
}
function tailIsSmallExactly(s, n, j, alpha) {
  arithmetic.arbitrated += 1;
  const rest = MICRO - j;
  const size = BigInt(n);
  const last = BigInt(s);
  let coefficient = 1n;
  let upward = 1n;
  let sum = 0n;
  for (let k = 0n; k <= last; k += 1n) {
    sum = sum * rest + coefficient * upward;
    coefficient = coefficient * (size - k) / (k + 1n);
    upward *= j;
  }
  return sum * rest ** (size - last) * alpha.bottom <= alpha.top * MICRO ** size;
}
function tailIsSmall(s, n, j, alpha) {
  arithmetic.comparisons += 1;
  if (j === 0n) return false;
  if (arithmetic.always) return tailIsSmallExactly(s, n, j, alpha);
  const p = Number(j) / Number(MICRO);
  if (s >= n * p * (1 + 1e-12)) return false;
  if (j === MICRO) return true;
  const distance = logLowerTail(s, n, p) - Math.log(alpha.number());
  if (Math.abs(distance) > CLOSE) return distance < 0;
  return n <= EXACT_UP_TO && tailIsSmallExactly(s, n, j, alpha);
}
function smallest(low, high, holds) {
  let below = low;
  let at = high;
  while (at - below > 1n) {
    const middle = (below + at) / 2n;
    if (holds(middle)) at = middle;
    else below = middle;
  }
  return at;
}
function requireLevel(alpha) {
  if (alpha.top <= 0n || alpha.compare(HALF) >= 0) throw new RangeError(`a level of ${alpha}`);
}
function binomialUpper(s, n, alpha) {
  requireLevel(alpha);
  if (s >= n) return MICRO;
  return smallest(0n, MICRO, (j) => tailIsSmall(s, n, j, alpha));
}
function binomialLower(s, n, alpha) {
  return MICRO - binomialUpper(n - s, n, alpha);
}
function choose(n, k) {
  if (k < 0n || k > n) return 0n;
  const few = k * 2n > n ? n - k : k;
  let result = 1n;
  for (let i = 0n; i < few; i += 1n) result = result * (n - i) / (i + 1n);
  return result;
}
function poolTailIsSmall(s, n, pool, showing, alpha) {
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
    shown = shown * (showing - i) / (i + 1n);
    other = other * (draws - i) / (absent - draws + i + 1n);
  }
  return sum * alpha.bottom <= alpha.top * choose(size, draws);
}
function poolUpper(s, n, pool, alpha) {
  requireLevel(alpha);
  const most = BigInt(pool - (n - s));
  const excluded = smallest(BigInt(s), most + 1n, (k) => k > most || poolTailIsSmall(s, n, pool, k, alpha));
  return new Fraction((excluded - 1n) * MICRO, BigInt(pool)).ceiling();
}
function poolLower(s, n, pool, alpha) {
  return MICRO - poolUpper(n - s, n, pool, alpha);
}

// src/decision/betting.ts
var WEIGHTS = [4n, 3n, 3n].map((w) => new Fraction(w, 10n));
var BETS = {
  met: [new Fraction(1n, 50n), new Fraction(1n, 5n), new Fraction(1n, 2n)],
  not_met: [new Fraction(17n, 10n), new Fraction(4n), new Fraction(20n)]
};
function logOfMixture(logs) {
  const top = Math.max(...logs);
  const shares = logs.map((value, index) => WEIGHTS[index].number() * Math.exp(value - top));
  return top + Math.log(shares.reduce((sum, share) => sum + share, 0));
}
function logBets(side, groups, tau) {
  const threshold = tau.number();
  const units = groups.reduce((sum, group) => sum + group.count, 0);
  const logs = BETS[side].map((ratio) => {
    const gap = 1 - ratio.number();
    const gain = groups.reduce((sum, { share, count }) => sum + count * Math.log1p(-share.number() * gap), 0);
    return gain - units * Math.log1p(-threshold * gap);
  });
  return logOfMixture(logs);
}
var CLOSE2 = 1e-9;
var logNeeded = (alpha) => BigInt(Math.ceil(-Math.log(alpha.number()) * Number(MICRO)));
function isEnough(log, needed) {
  if (Math.abs(log - needed) < CLOSE2) arithmetic.nearTheGrid += 1;
  return log >= needed;
}
var neededAt = (alpha) => Number(logNeeded(alpha)) / Number(MICRO);
function betsUpper(groups, alpha) {
  const needed = neededAt(alpha);
  return smallest(0n, MICRO, (j) => isEnough(logBets("met", groups, fractionOfMicro(j)), needed));
}
function betsLower(groups, alpha) {
  const needed = neededAt(alpha);
  return smallest(0n, MICRO + 1n, (j) => !isEnough(logBets("not_met", groups, fractionOfMicro(j)), needed)) - 1n;
}
function logOfInteger(big) {
  const bits = big.toString(2).length;
  const shift = Math.max(0, bits - 64);
  return Math.log(Number(big >> BigInt(shift))) + shift * Math.LN2;
}
function betOnPool(side, ratio, tau, pool, atNull) {
  const odds = tau.times(ratio);
  const alternative = odds.over(odds.plus(new Fraction(1n)).minus(tau)).times(new Fraction(pool)).nearest();
  if (side === "met") return alternative < atNull ? alternative : atNull - 1n;
  if (alternative > atNull) return alternative;
  return atNull < pool ? atNull + 1n : pool;
}
function logPoolBets(side, s, n, pool, tau, atNull) {
  const seen = BigInt(s);
  const draws = BigInt(n);
  const size = BigInt(pool);
  const left = size - draws;
  const ways = choose(left, atNull - seen);
  if (ways === 0n) return side === "met" === seen < atNull ? Infinity : -Infinity;
  let top = 0n;
  let bottom = 1n;
  BETS[side].forEach((ratio, index) => {
    const showing = betOnPool(side, ratio, tau, size, atNull);
    if (showing < 0n || showing > size) return;
    const weight = WEIGHTS[index];
    const share = weight.top * choose(left, showing - seen) * choose(size, atNull);
    const over = weight.bottom * choose(size, showing) * ways;
    [top, bottom] = [top * over + share * bottom, bottom * over];
  });
  return top === 0n ? -Infinity : logOfInteger(top) - logOfInteger(bottom);
}
function poolBetsUpper(s, n, pool, alpha) {
  const needed = neededAt(alpha);
  let showing = pool - (n - s);
  while (showing > s) {
    const tau = new Fraction(BigInt(showing), BigInt(pool));
    if (tau.compare(new Fraction(1n)) >= 0 || !isEnough(logPoolBets("met", s, n, pool, tau, BigInt(showing)), needed))
      break;
    showing -= 1;
  }
  return new Fraction(BigInt(showing) * MICRO, BigInt(pool)).ceiling();
}
function poolBetsLower(s, n, pool, alpha) {
  const needed = neededAt(alpha);
  let showing = s;
  while (showing < pool - (n - s)) {
    const tau = new Fraction(BigInt(showing), BigInt(pool));
    if (!isEnough(logPoolBets("not_met", s, n, pool, tau, BigInt(showing)), needed)) break;
    showing += 1;
  }
  return new Fraction(BigInt(showing) * MICRO, BigInt(pool)).floor();
}

// src/decision/view.ts
function unitsOf(tally) {
  return tally.unit === "family" ? tally.clusters.reduce((sum, cluster) => sum + cluster[3], 0) : tally.n;
}
var isClustered = (tally) => tally.clusters.some(([, , size]) => size > 1);
function viewClusters(tally, isUpward) {
  return tally.clusters.map(([events, missing, size, count]) => {
    const least = isUpward ? size - events - missing : events;
    return { worst: least + missing, least, size, count };
  });
}
function isDecidedByBets(tally, design2, pool) {
  if (isClustered(tally)) return true;
  return design2 === "anytime" && pool !== tally.n;
}
function viewTally(tally, design2, isUpward) {
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
    byBets: isDecidedByBets(tally, design2, pool),
    sensitivity: isUpward ? cleared : found,
    specificity: isUpward ? found : cleared
  };
}
function rightAtLeast({ right, of }, alpha) {
  return of === 0 ? ZERO : fractionOfMicro(binomialLower(right, of, alpha));
}
function groupByShare(clusters, part) {
  const groups = /* @__PURE__ */ new Map();
  for (const cluster of clusters) {
    const share = new Fraction(BigInt(cluster[part]), BigInt(cluster.size));
    const known = groups.get(String(share))?.count ?? 0;
    groups.set(String(share), { share, count: known + cluster.count });
  }
  return [...groups.values()];
}
function groupsOf(view, part) {
  if (view.clusters) return groupByShare(view.clusters, part);
  return [
    { share: ONE, count: view[part] },
    { share: ZERO, count: view.n - view[part] }
  ];
}
function upperOf(view, alpha) {
  if (view.pool !== null)
    return (view.byBets ? poolBetsUpper : poolUpper)(view.worst, view.n, view.pool, alpha);
  return view.byBets ? betsUpper(groupsOf(view, "worst"), alpha) : binomialUpper(view.worst, view.n, alpha);
}
function lowerOf(view, alpha) {
  if (view.pool !== null)
    return (view.byBets ? poolBetsLower : poolLower)(view.least, view.n, view.pool, alpha);
  return view.byBets ? betsLower(groupsOf(view, "least"), alpha) : binomialLower(view.least, view.n, alpha);
}
function nullOfPool(side, tau, pool) {
  const share = tau.times(new Fraction(BigInt(pool)));
  return side === "met" ? share.ceiling() : share.floor();
}
var isBetOn = (view, limit) => view.byBets && limit >= 0n && limit <= MICRO;
function logEvidence(side, view, limit) {
  const tau = fractionOfMicro(limit);
  const part = side === "met" ? "worst" : "least";
  if (view.pool === null) return logBets(side, groupsOf(view, part), tau);
  return logPoolBets(side, view[part], view.n, view.pool, tau, nullOfPool(side, tau, view.pool));
}

// src/decision/limits.ts
var CLAIM_SHARE = new Fraction(4n, 5n);
var JUDGE_SHARE = new Fraction(1n, 5n);
var HALF2 = new Fraction(1n, 2n);
var scaledLevels = (levels, factor) => ({
  met: levels.met.times(factor),
  not_met: levels.not_met.times(factor)
});
function referenceLower(view, alpha, isJudged2) {
  if (!isJudged2) return fractionOfMicro(lowerOf(view, alpha));
  const flagged = fractionOfMicro(lowerOf(view, alpha.times(CLAIM_SHARE)));
  const cleared = rightAtLeast(view.specificity, alpha.times(JUDGE_SHARE));
  const truly = flagged.minus(ONE.minus(cleared));
  return truly.compare(ZERO) <= 0 ? ZERO : truly.over(cleared);
}
function referenceUpper(view, alpha, isJudged2) {
  if (!isJudged2) return fractionOfMicro(upperOf(view, alpha));
  const flagged = fractionOfMicro(upperOf(view, alpha.times(CLAIM_SHARE)));
  const found = rightAtLeast(view.sensitivity, alpha.times(JUDGE_SHARE));
  return found.compare(flagged) <= 0 ? ONE : flagged.over(found);
}
function referenceLimits(reference, factor, levels, context, isUpward) {
  const view = viewTally(reference, context.design, false);
  const isJudged2 = context.statistics.isJudgeAdjusted && !reference.exact;
  const forMet = isUpward ? referenceUpper : referenceLower;
  const forNotMet = isUpward ? referenceLower : referenceUpper;
  return {
    met: factor.times(forMet(view, levels.met, isJudged2)),
    not_met: factor.times(forNotMet(view, levels.not_met, isJudged2))
  };
}
function judgedLimits(limits, view, levels) {
  const sensitivity = rightAtLeast(view.sensitivity, levels.met.times(JUDGE_SHARE));
  const cleared = rightAtLeast(view.specificity, levels.not_met.times(JUDGE_SHARE));
  return {
    met: limits.met.times(sensitivity),
    not_met: limits.not_met.times(cleared).plus(ONE.minus(cleared))
  };
}
function prepareComparison(node2, view, reference, alphas, context, isJudged2, isUpward) {
  const { rate, factor } = node2.threshold;
  const levels = factor ? scaledLevels(alphas, HALF2) : alphas;
  const stated = factor ? referenceLimits(reference, factor, levels, context, isUpward) : { met: rate, not_met: rate };
  const met = isUpward ? ONE.minus(stated.met) : stated.met;
  const not_met = isUpward ? ONE.minus(stated.not_met) : stated.not_met;
  const plain2 = { met: met.minus(context.statistics.margin), not_met };
  const limits = isJudged2 ? judgedLimits(plain2, view, levels) : plain2;
  return {
    limits: { met: microDown(limits.met), not_met: microUp(limits.not_met) },
    levels: isJudged2 ? scaledLevels(levels, CLAIM_SHARE) : levels
  };
}

// src/decision/leaf.ts
var CERTIFIED_FROM = 100;
var NEAR_THE_GRID = 1e-3;
var isWithin = (micro, limit, isStrict) => isStrict ? micro < limit : micro <= limit;
function microOfLog(value) {
  if (!Number.isFinite(value)) return value;
  const scaled2 = value * Number(MICRO);
  if (Math.abs(scaled2 - Math.round(scaled2)) < NEAR_THE_GRID) arithmetic.nearTheGrid += 1;
  return BigInt(Math.floor(scaled2));
}
var writeLog = (value) => typeof value === "bigint" ? writeMicro(value) : String(value);
function decideClaim(side, view, { lower, upper }, levels, limits, isStrict) {
  const limit = limits[side];
  if (!isBetOn(view, limit)) {
    const holds = side === "met" ? isWithin(upper, limit, isStrict) : !isWithin(lower, limit, isStrict);
    return { holds };
  }
  const log = microOfLog(logEvidence(side, view, limit));
  const needed = logNeeded(levels[side]);
  return { holds: log >= needed, log: writeLog(log), needed: writeLog(needed) };
}
function objection(tally, measure, context) {
  const { statistics, design: design2 } = context;
  const { n, missing, n_planned: planned } = tally;
  const units = unitsOf(tally);
  const noun = tally.unit === "family" ? "families" : "answers";
  if (units < measure.minN) return `${units} ${noun}, at least ${measure.minN} are required`;
  if (new Fraction(BigInt(missing), BigInt(n)).compare(statistics.maxMissing) > 0) {
    return `${missing} of ${n} answers are missing, a share above ${writeDecimal(statistics.maxMissing)}`;
  }
  if (design2 === "fixed" && n < planned) {
    return `${n} of ${planned} planned answers: a fixed design is read at its end`;
  }
  if (isJudgedWith(tally, statistics) && !tally.errors) return "the judge's error was never measured";
  return void 0;
}
var isJudgedWith = (tally, statistics) => statistics.isJudgeAdjusted && !tally.exact;
function reasonAgainst(tally, reference, measure, context) {
  const own = objection(tally, measure, context);
  if (own || !reference) return own;
  const other = objection(reference, measure, context);
  return other && `reference: ${other}`;
}
function isCertified({ sensitivity, specificity }, statistics) {
  const labelled = sensitivity.of + specificity.of;
  return sensitivity.of >= CERTIFIED_FROM && labelled >= statistics.minCalibration;
}
function flagsOf(tally, view, node2, statistics) {
  const applies = {
    judge_uncertified: !tally.exact && !isCertified(view, statistics),
    judge_adjusted: isJudgedWith(tally, statistics),
    finite_pool: view.pool !== null,
    clustered: view.clusters !== null,
    reference: Boolean(node2.threshold.factor)
  };
  return Object.keys(applies).filter((flag) => applies[flag]);
}
var mirrored = (micro, isUpward) => writeMicro(isUpward ? MICRO - micro : micro);
function describeCounts(tally) {
  const { n, events, missing } = tally;
  return { n, events, missing, rate: writeMicro(microNearest(new Fraction(BigInt(events), BigInt(n)))) };
}
function assessRow(tally, reference, node2, alphas, context) {
  const { statistics, design: design2 } = context;
  const isUpward = node2.op.startsWith(">");
  const isStrict = !node2.op.endsWith("=");
  const view = viewTally(tally, design2, isUpward);
  const isJudged2 = isJudgedWith(tally, statistics);
  const { limits, levels } = prepareComparison(node2, view, reference, alphas, context, isJudged2, isUpward);
  const bounds = { lower: lowerOf(view, levels.not_met), upper: upperOf(view, levels.met) };
  const met = decideClaim("met", view, bounds, levels, limits, isStrict);
  const notMet = decideClaim("not_met", view, bounds, levels, limits, isStrict);
  const reason = reasonAgainst(tally, reference, node2.measure, context);
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
    flags: flagsOf(tally, view, node2, statistics)
  };
}
function decideRow(name, tally, node2, alphas, context) {
  const { op, threshold } = node2;
  const levels = { alpha_met: String(alphas.met), alpha_not_met: String(alphas.not_met) };
  const row = { measure: name, op, threshold: threshold.text, ...levels };
  if (!tally || tally.n === 0) return { ...row, status: "not_assessed", reason: "no answers" };
  const reference = threshold.factor ? context.references.get(name) : void 0;
  if (threshold.factor && !reference?.n) {
    return { ...row, status: "not_assessed", reason: "no answers of the reference system" };
  }
  return { ...row, ...assessRow(tally, reference, node2, alphas, context) };
}

// src/decision/refusal.ts
var Refusal = class extends Error {
  where;
  constructor(message, where) {
    super(`${message} @ ${where}`);
    this.name = "Refusal";
    this.where = where;
  }
};

// ../src/verilabel/rubric/data/rubric.schema.json
var rubric_schema_default = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  $id: "https://verilabel.example/schema/rubric/v1.json",
  type: "object",
  additionalProperties: false,
  required: [
    "verilabel",
    "id",
    "version",
    "title",
    "license",
    "stewards",
    "statistics",
    "validity",
    "scope",
    "measures",
    "scale"
  ],
  properties: {
    verilabel: {
      const: "rubric/v1"
    },
    id: {
      type: "string",
      pattern: "^[a-z0-9]+([./-][a-z0-9]+)*$",
      maxLength: 200
    },
    version: {
      type: "string",
      pattern: "^[0-9]+\\.[0-9]+\\.[0-9]+$",
      maxLength: 40
    },
    title: {
      type: "string",
      minLength: 1
    },
    summary: {
      type: "string"
    },
    license: {
      type: "string",
      minLength: 1
    },
    supersedes: {
      type: "array",
      items: {
        type: "string"
      }
    },
    stewards: {
      type: "array",
      minItems: 1,
      items: {
        type: "object",
        additionalProperties: false,
        required: [
          "name"
        ],
        properties: {
          name: {
            type: "string",
            minLength: 1
          },
          uri: {
            type: "string"
          },
          keyid: {
            type: "string"
          }
        }
      }
    },
    sources: {
      type: "array",
      items: {
        type: "object",
        additionalProperties: false,
        required: [
          "id",
          "uri"
        ],
        properties: {
          id: {
            type: "string",
            minLength: 1
          },
          uri: {
            type: "string",
            minLength: 1
          },
          title: {
            type: "string"
          },
          version: {
            type: "string"
          },
          locator: {
            type: "string"
          },
          sha256: {
            type: "string",
            pattern: "^(sha256:)?[0-9a-f]{64}$"
          },
          relation: {
            enum: [
              "equal",
              "subset_of",
              "superset_of",
              "intersects_with",
              "supports",
              "interpretation"
            ]
          }
        }
      }
    },
    statistics: {
      type: "object",
      additionalProperties: false,
      required: [
        "alpha",
        "missing"
      ],
      properties: {
        alpha: {
          type: "number",
          minimum: 1e-6,
          maximum: 0.1,
          description: "one-sided error of every granted claim"
        },
        interval: {
          enum: [
            "clopper-pearson",
            "confidence-sequence"
          ],
          default: "clopper-pearson",
          description: "confidence-sequence allows the anytime design alone"
        },
        missing: {
          enum: [
            "worst_case",
            "fail_run"
          ]
        },
        max_missing: {
          type: "number",
          minimum: 0,
          maximum: 0.2,
          default: 0.01
        },
        judge: {
          type: "object",
          additionalProperties: false,
          properties: {
            adjust: {
              enum: [
                "none",
                "rogan-gladen-bound"
              ],
              default: "rogan-gladen-bound"
            },
            min_calibration_n: {
              type: "integer",
              minimum: 0,
              default: 0
            }
          }
        },
        preregistration: {
          enum: [
            "required",
            "optional"
          ],
          default: "required"
        },
        margin: {
          type: "number",
          minimum: 0,
          maximum: 0.5,
          default: 0,
          description: "distance a bound must keep from the threshold for a row to be met"
        },
        design: {
          type: "array",
          minItems: 1,
          items: {
            enum: [
              "fixed",
              "anytime"
            ]
          },
          default: [
            "fixed",
            "anytime"
          ],
          description: "designs the rubric may be decided with"
        }
      }
    },
    validity: {
      type: "object",
      additionalProperties: false,
      required: [
        "max_age"
      ],
      properties: {
        max_age: {
          type: "string",
          pattern: "^P[0-9]+D$",
          maxLength: 12
        },
        sunset: {
          type: "string",
          pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
        },
        void_on: {
          type: "array",
          items: {
            enum: [
              "subject_changed",
              "system_prompt_changed",
              "tools_changed",
              "guardrail_changed",
              "provider_params_changed",
              "drift_alarm",
              "incident",
              "rubric_revoked",
              "judge_changed"
            ]
          }
        }
      }
    },
    scope: {
      type: "object",
      additionalProperties: false,
      required: [
        "subject",
        "bind"
      ],
      properties: {
        subject: {
          enum: [
            "model",
            "system"
          ]
        },
        bind: {
          type: "array",
          minItems: 1,
          items: {
            enum: [
              "weights",
              "provider_model",
              "params",
              "system_prompt",
              "tools",
              "guardrails",
              "use_case",
              "locale",
              "modality"
            ]
          }
        },
        use_cases: {
          type: "array",
          items: {
            type: "string",
            minLength: 1
          }
        }
      }
    },
    measures: {
      type: "object",
      minProperties: 1,
      additionalProperties: {
        $ref: "#/$defs/measure"
      },
      propertyNames: {
        type: "string",
        pattern: "^[A-Za-z0-9]+([._+-][A-Za-z0-9]+)*$",
        maxLength: 100
      }
    },
    attestations: {
      type: "object",
      additionalProperties: {
        type: "object",
        additionalProperties: false,
        required: [
          "statement",
          "role"
        ],
        properties: {
          statement: {
            type: "string",
            minLength: 1
          },
          role: {
            type: "string",
            minLength: 1
          },
          evidence: {
            type: "array",
            items: {
              type: "string"
            }
          },
          max_age: {
            type: "string",
            pattern: "^P[0-9]+D$",
            maxLength: 12
          }
        }
      },
      propertyNames: {
        type: "string",
        pattern: "^[A-Za-z0-9]+([._+-][A-Za-z0-9]+)*$",
        maxLength: 100
      }
    },
    scale: {
      type: "object",
      additionalProperties: false,
      required: [
        "kind",
        "levels"
      ],
      properties: {
        kind: {
          enum: [
            "assurance",
            "hazard"
          ],
          description: "assurance: level granted only when proven. hazard: level assigned unless ruled out."
        },
        levels: {
          type: "array",
          minItems: 2,
          items: {
            type: "object",
            additionalProperties: false,
            required: [
              "id",
              "name"
            ],
            properties: {
              id: {
                type: "string",
                pattern: "^[A-Za-z0-9]+([._+-][A-Za-z0-9]+)*$",
                maxLength: 100
              },
              name: {
                type: "string",
                minLength: 1
              },
              meaning: {
                type: "string"
              },
              when: {
                $ref: "#/$defs/node"
              },
              rule_out: {
                $ref: "#/$defs/node"
              },
              rule_in: {
                $ref: "#/$defs/node"
              },
              requires: {
                type: "array",
                items: {
                  type: "string"
                }
              },
              safeguards: {
                $ref: "#/$defs/node",
                description: "of a hazard level: checked beside the label, never part of it"
              }
            }
          }
        }
      }
    }
  },
  $defs: {
    measure: {
      type: "object",
      additionalProperties: false,
      required: [
        "suite",
        "estimand",
        "event",
        "direction"
      ],
      properties: {
        title: {
          type: "string"
        },
        suite: {
          type: "string",
          pattern: "^[A-Za-z0-9]+([./_-][A-Za-z0-9]+)*(@[A-Za-z0-9._-]+)?$",
          maxLength: 200,
          description: "id@major"
        },
        suite_sha256: {
          type: "string",
          pattern: "^(sha256:)?[0-9a-f]{64}$"
        },
        filter: {
          type: "object",
          additionalProperties: {
            oneOf: [
              {
                type: "string"
              },
              {
                type: "array",
                minItems: 1,
                items: {
                  type: "string"
                }
              }
            ]
          },
          description: "tag to the value or values that are counted"
        },
        estimand: {
          enum: [
            "proportion",
            "pass_at_k",
            "ratio_to_reference"
          ]
        },
        k: {
          type: "integer",
          minimum: 1
        },
        unit: {
          enum: [
            "item",
            "family",
            "trial"
          ],
          description: "unit of independence",
          default: "item"
        },
        population: {
          enum: [
            "items_sampled",
            "items_fixed"
          ],
          default: "items_sampled"
        },
        event: {
          type: "string",
          pattern: "^[A-Za-z0-9]+([._+-][A-Za-z0-9]+)*$",
          maxLength: 100
        },
        direction: {
          enum: [
            "lower_is_safer",
            "higher_is_safer",
            "higher_is_more_capable"
          ]
        },
        scorer: {
          type: "string",
          minLength: 1
        },
        reference: {
          type: "string",
          minLength: 1
        },
        min_n: {
          type: "integer",
          minimum: 1,
          default: 1
        },
        elicitation: {
          type: "array",
          items: {
            type: "string",
            pattern: "^[A-Za-z0-9]+([._+-][A-Za-z0-9]+)*$",
            maxLength: 100
          }
        },
        negate: {
          type: "boolean",
          default: false,
          description: "count the absence of the event"
        }
      }
    },
    node: {
      oneOf: [
        {
          type: "object",
          additionalProperties: false,
          required: [
            "all"
          ],
          properties: {
            all: {
              type: "array",
              minItems: 1,
              items: {
                $ref: "#/$defs/node"
              }
            }
          }
        },
        {
          type: "object",
          additionalProperties: false,
          required: [
            "any"
          ],
          properties: {
            any: {
              type: "array",
              minItems: 1,
              items: {
                $ref: "#/$defs/node"
              }
            }
          }
        },
        {
          type: "object",
          additionalProperties: false,
          required: [
            "at_least",
            "of"
          ],
          properties: {
            at_least: {
              type: "integer",
              minimum: 1
            },
            of: {
              type: "array",
              minItems: 1,
              items: {
                $ref: "#/$defs/node"
              }
            }
          }
        },
        {
          type: "object",
          additionalProperties: false,
          required: [
            "measure",
            "op",
            "value"
          ],
          properties: {
            measure: {
              type: "string"
            },
            op: {
              enum: [
                "<=",
                "<",
                ">=",
                ">"
              ]
            },
            value: {
              oneOf: [
                {
                  type: "number"
                },
                {
                  type: "object",
                  additionalProperties: false,
                  required: [
                    "times_reference"
                  ],
                  properties: {
                    times_reference: {
                      type: "number"
                    }
                  }
                }
              ]
            },
            note: {
              type: "string"
            }
          }
        },
        {
          type: "object",
          additionalProperties: false,
          required: [
            "attested"
          ],
          properties: {
            attested: {
              type: "string"
            }
          }
        }
      ]
    }
  },
  title: "Verilabel rubric, format rubric/v1",
  description: "The form of a rubric file. Extensions of label semantics, each with its reason: statistics.margin (the rule of section 1 has a margin), statistics.design (a rubric may refuse a design it was not made for), measure.negate (the absence of an event needs no second detector); event is required. Names that must exist, thresholds that can be shown and whole scales are checked beyond this schema."
};

// src/errors.ts
var Failure = class extends Error {
  kind;
  where;
  hint;
  constructor(kind, message, where, hint) {
    super(message);
    this.name = kind;
    this.kind = kind;
    this.where = where;
    this.hint = hint;
  }
  /** The message with its place and its hint, as the command line prints it. */
  toString() {
    const text2 = this.where === void 0 ? this.message : `${this.message} @ ${this.where}`;
    return this.hint === void 0 ? text2 : `${text2}
  hint: ${this.hint}`;
  }
};
var Skipped = class extends Error {
};
var checkFailed = (message, where, hint) => new Failure("CheckFailed", message, where, hint);
var malformed = (message, where, hint) => new Failure("MalformedInput", message, where, hint);
var limitExceeded = (message, where, hint) => new Failure("LimitExceeded", message, where, hint);
var sealError = (message, where, hint) => new Failure("SealError", message, where, hint);
var ESCAPES = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "	": "\\t" };
function escapeUnseen(character) {
  const code = character.codePointAt(0);
  if (code < 256) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code < 65536) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\U${code.toString(16).padStart(8, "0")}`;
}
function quote(text2) {
  const mark = text2.includes("'") && !text2.includes('"') ? '"' : "'";
  const inner = text2.replace(/[\\\n\r\t]/gu, (found) => ESCAPES[found]).replace(/(?! )[\p{C}\p{Z}]/gu, escapeUnseen);
  return mark + (mark === "'" ? inner.replaceAll("'", "\\'") : inner) + mark;
}

// node_modules/@noble/hashes/_u64.js
var fromNumH = (n) => n / 2 ** 32 | 0;
var fromNumL = (n) => n >>> 0;
function setU64FromNum(view, byteOffset, n, isLE) {
  const h = fromNumH(n);
  const l = fromNumL(n);
  view.setUint32(byteOffset, isLE ? l : h, isLE);
  view.setUint32(byteOffset + 4, isLE ? h : l, isLE);
}

// node_modules/@noble/hashes/utils.js
function isBytes(a) {
  return a instanceof Uint8Array || ArrayBuffer.isView(a) && a.constructor.name === "Uint8Array" && "BYTES_PER_ELEMENT" in a && a.BYTES_PER_ELEMENT === 1;
}
var atitle = (title) => title ? `"${title}" ` : "";
function anumber(n, title = "") {
  if (typeof n !== "number")
    throw new TypeError(atitle(title) + "expected number, got " + typeof n);
  if (!Number.isSafeInteger(n) || n < 0)
    throw new RangeError(atitle(title) + "expected integer >= 0, got " + n);
  return n;
}
function abytes(value, length, title = "") {
  if (isBytes(value) && (length === void 0 || value.length === length))
    return value;
  if (length !== void 0)
    anumber(length, "length");
  const bytes = isBytes(value);
  const ofLen = length !== void 0 ? ` of length ${length}` : "";
  const got = bytes ? `length=${value.length}` : `type=${typeof value}`;
  const message = atitle(title) + "expected Uint8Array" + ofLen + ", got " + got;
  if (!bytes)
    throw new TypeError(message);
  throw new RangeError(message);
}
var aobject = (value, label) => {
  if (value === null || typeof value !== "object" || Array.isArray(value))
    throw new TypeError((label === "object" ? "" : `"${label}" `) + "expected object, got type=" + typeof value);
};
var aopts = (value, label) => {
  aobject(value, label);
  const proto = Object.getPrototypeOf(value);
  if (proto !== Object.prototype && proto !== null)
    throw new TypeError(`"${label}" expected plain object`);
  if (Object.hasOwn(value, "__proto__"))
    throw new TypeError(`"${label}.__proto__" is not allowed`);
};
function aexists(instance, checkFinished = true) {
  if (instance.destroyed)
    throw new Error("hash was destroyed");
  if (checkFinished && instance.finished)
    throw new Error("digest() was already called");
}
function aoutput(out, instance) {
  abytes(out, void 0, "output");
  const min = instance.outputLen;
  if (!(out.length >= min)) {
    throw new RangeError('"output" expected length >= ' + min);
  }
}
function clean(...arrays) {
  for (let i = 0; i < arrays.length; i++) {
    arrays[i].fill(0);
  }
}
function createView(arr) {
  return new DataView(arr.buffer, arr.byteOffset, arr.byteLength);
}
function rotr(word2, shift) {
  return word2 << 32 - shift | word2 >>> shift;
}
function checkOpts(defaults, opts, title = "opts") {
  aopts(defaults, "defaults");
  if (opts !== void 0)
    aopts(opts, title);
  const merged = Object.assign(/* @__PURE__ */ Object.create(null), defaults, opts);
  return merged;
}
function createHasher(hashCons, info = {}) {
  if (typeof hashCons !== "function")
    throw new TypeError('"hashCons" expected function, got type=' + typeof hashCons);
  info = checkOpts({}, info, "info");
  const hashC = (msg, opts) => hashCons(opts).update(msg).digest();
  const tmp = hashCons(void 0);
  hashC.outputLen = tmp.outputLen;
  hashC.blockLen = tmp.blockLen;
  hashC.canXOF = tmp.canXOF;
  hashC.create = (opts) => hashCons(opts);
  Object.assign(hashC, info);
  return Object.freeze(hashC);
}
var oidNist = (suffix) => ({
  // Current NIST hashAlgs suffixes used here fit in one DER subidentifier octet.
  // Larger suffix values would need base-128 OID encoding and a different length byte.
  oid: Uint8Array.from([6, 9, 96, 134, 72, 1, 101, 3, 4, 2, suffix])
});

// node_modules/@noble/hashes/_md.js
function Chi(a, b, c) {
  return a & b ^ ~a & c;
}
function Maj(a, b, c) {
  return a & b ^ a & c ^ b & c;
}
var HashMD = class {
  blockLen;
  outputLen;
  canXOF = false;
  padOffset;
  isLE;
  // For partial updates less than block size
  buffer;
  view;
  finished = false;
  length = 0;
  pos = 0;
  destroyed = false;
  constructor(blockLen, outputLen, padOffset, isLE) {
    this.blockLen = blockLen;
    this.outputLen = outputLen;
    this.padOffset = padOffset;
    this.isLE = isLE;
    this.buffer = new Uint8Array(blockLen);
    this.view = createView(this.buffer);
  }
  update(data) {
    aexists(this);
    abytes(data);
    const { view, buffer, blockLen } = this;
    const len = data.length;
    let processed = false;
    for (let pos = 0; pos < len; ) {
      const take = Math.min(blockLen - this.pos, len - pos);
      if (take === blockLen) {
        const dataView = createView(data);
        for (; blockLen <= len - pos; pos += blockLen)
          this.process(dataView, pos);
        processed = true;
        continue;
      }
      buffer.set(pos === 0 && take === len ? data : data.subarray(pos, pos + take), this.pos);
      this.pos += take;
      pos += take;
      if (this.pos === blockLen) {
        this.process(view, 0);
        this.pos = 0;
        processed = true;
      }
    }
    this.length += data.length;
    if (processed)
      this.roundClean();
    return this;
  }
  digestInto(out) {
    aexists(this);
    aoutput(out, this);
    this.finished = true;
    const { buffer, view, blockLen, isLE } = this;
    let { pos } = this;
    buffer[pos++] = 128;
    buffer.fill(0, pos);
    if (this.padOffset > blockLen - pos) {
      this.process(view, 0);
      buffer.fill(0);
    }
    setU64FromNum(view, blockLen - 8, this.length * 8, isLE);
    this.process(view, 0);
    this.roundClean();
    const oview = out === buffer ? view : createView(out);
    const len = this.outputLen;
    const outLen = len / 4;
    const state = this.get();
    if (len % 4 || outLen > state.length)
      throw new Error("invalid outputLen");
    for (let i = 0; i < outLen; i++)
      oview.setUint32(4 * i, state[i], isLE);
  }
  digest() {
    const { buffer, outputLen } = this;
    this.digestInto(buffer);
    const res = buffer.slice(0, outputLen);
    this.destroy();
    return res;
  }
  _cloneIntoMeta(to) {
    const { buffer, length, finished, destroyed, pos } = this;
    to.destroyed = destroyed;
    to.finished = finished;
    to.length = length;
    to.pos = pos;
    if (pos)
      to.buffer.set(buffer);
    return to;
  }
  clone() {
    return this._cloneInto();
  }
};
var SHA256_IV = /* @__PURE__ */ Uint32Array.from([
  1779033703,
  3144134277,
  1013904242,
  2773480762,
  1359893119,
  2600822924,
  528734635,
  1541459225
]);

// node_modules/@noble/hashes/sha2.js
var SHA256_K = /* @__PURE__ */ Uint32Array.from([
  1116352408,
  1899447441,
  3049323471,
  3921009573,
  961987163,
  1508970993,
  2453635748,
  2870763221,
  3624381080,
  310598401,
  607225278,
  1426881987,
  1925078388,
  2162078206,
  2614888103,
  3248222580,
  3835390401,
  4022224774,
  264347078,
  604807628,
  770255983,
  1249150122,
  1555081692,
  1996064986,
  2554220882,
  2821834349,
  2952996808,
  3210313671,
  3336571891,
  3584528711,
  113926993,
  338241895,
  666307205,
  773529912,
  1294757372,
  1396182291,
  1695183700,
  1986661051,
  2177026350,
  2456956037,
  2730485921,
  2820302411,
  3259730800,
  3345764771,
  3516065817,
  3600352804,
  4094571909,
  275423344,
  430227734,
  506948616,
  659060556,
  883997877,
  958139571,
  1322822218,
  1537002063,
  1747873779,
  1955562222,
  2024104815,
  2227730452,
  2361852424,
  2428436474,
  2756734187,
  3204031479,
  3329325298
]);
var SHA256_W = /* @__PURE__ */ new Uint32Array(64);
var SHA2_32B = class extends HashMD {
  // We cannot use array here since array allows indexing by variable
  // which means optimizer/compiler cannot use registers.
  // Numeric initializers matter: starting the fields as `undefined` changes
  // V8's field representation and makes sha256 3x slower (measured).
  A = 0;
  B = 0;
  C = 0;
  D = 0;
  E = 0;
  F = 0;
  G = 0;
  H = 0;
  constructor(outputLen, IV) {
    super(64, outputLen, 8, false);
    this.A = IV[0] | 0;
    this.B = IV[1] | 0;
    this.C = IV[2] | 0;
    this.D = IV[3] | 0;
    this.E = IV[4] | 0;
    this.F = IV[5] | 0;
    this.G = IV[6] | 0;
    this.H = IV[7] | 0;
  }
  get() {
    const { A, B, C, D, E, F, G, H } = this;
    return [A, B, C, D, E, F, G, H];
  }
  // prettier-ignore
  set(A, B, C, D, E, F, G, H) {
    this.A = A | 0;
    this.B = B | 0;
    this.C = C | 0;
    this.D = D | 0;
    this.E = E | 0;
    this.F = F | 0;
    this.G = G | 0;
    this.H = H | 0;
  }
  _cloneInto(to) {
    (to ||= new this.constructor()).set(...this.get());
    return this._cloneIntoMeta(to);
  }
  process(view, offset) {
    for (let i = 0; i < 16; i++, offset += 4)
      SHA256_W[i] = view.getUint32(offset, false);
    for (let i = 16; i < 64; i++) {
      const W15 = SHA256_W[i - 15];
      const W2 = SHA256_W[i - 2];
      const s0 = rotr(W15, 7) ^ rotr(W15, 18) ^ W15 >>> 3;
      const s1 = rotr(W2, 17) ^ rotr(W2, 19) ^ W2 >>> 10;
      SHA256_W[i] = s1 + SHA256_W[i - 7] + s0 + SHA256_W[i - 16] | 0;
    }
    let { A, B, C, D, E, F, G, H } = this;
    for (let i = 0; i < 64; i++) {
      const sigma1 = rotr(E, 6) ^ rotr(E, 11) ^ rotr(E, 25);
      const T1 = H + sigma1 + Chi(E, F, G) + SHA256_K[i] + SHA256_W[i] | 0;
      const sigma0 = rotr(A, 2) ^ rotr(A, 13) ^ rotr(A, 22);
      const T2 = sigma0 + Maj(A, B, C) | 0;
      H = G;
      G = F;
      F = E;
      E = D + T1 | 0;
      D = C;
      C = B;
      B = A;
      A = T1 + T2 | 0;
    }
    A = A + this.A | 0;
    B = B + this.B | 0;
    C = C + this.C | 0;
    D = D + this.D | 0;
    E = E + this.E | 0;
    F = F + this.F | 0;
    G = G + this.G | 0;
    H = H + this.H | 0;
    this.set(A, B, C, D, E, F, G, H);
  }
  roundClean() {
    clean(SHA256_W);
  }
  destroy() {
    this.destroyed = true;
    this.set(0, 0, 0, 0, 0, 0, 0, 0);
    clean(this.buffer);
  }
};
var _SHA256 = class extends SHA2_32B {
  constructor() {
    super(32, SHA256_IV);
  }
};
var sha256 = /* @__PURE__ */ createHasher(
  () => new _SHA256(),
  /* @__PURE__ */ oidNist(1)
);

// src/records/bytes.ts
var encoder = new TextEncoder();
var strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
var DIGEST_PREFIX = "sha256:";
var HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
var encodeText = (text2) => encoder.encode(text2);
function decodeText(data) {
  try {
    return strictDecoder.decode(data);
  } catch {
    return void 0;
  }
}
function requireText(data, where) {
  const text2 = decodeText(data);
  if (text2 === void 0) throw malformed("not UTF-8", where);
  return text2;
}
function hexOf(data) {
  let text2 = "";
  for (const byte of data) text2 += HEX[byte];
  return text2;
}
var digestOfBytes = (data) => DIGEST_PREFIX + hexOf(sha256(data));
var isDigest = (text2) => /^sha256:[0-9a-f]{64}$/.test(text2) && text2.length === 71;
function areEqual(a, b) {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
function joinBytes(...parts) {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
function writeBase64(data) {
  let binary = "";
  for (let at = 0; at < data.length; at += 8192) {
    binary += String.fromCharCode(...data.subarray(at, at + 8192));
  }
  return btoa(binary);
}
function readBase64(text2, what, where) {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text2) || text2.length % 4 !== 0 || text2.endsWith("\n")) {
    throw malformed(`${what} is not base64`, where);
  }
  const data = Uint8Array.from(atob(text2), (character) => character.charCodeAt(0));
  if (writeBase64(data) !== text2) throw malformed(`${what} is base64 in a form that is not canonical`, where);
  return data;
}
function compareByCodePoints(a, b) {
  const left = [...a];
  const right = [...b];
  for (let i = 0; i < Math.min(left.length, right.length); i += 1) {
    const difference = left[i]?.codePointAt(0) - right[i]?.codePointAt(0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

// src/records/json.ts
var LARGEST = 2 ** 53;
var NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
var TEXT = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
var BLANK = /[ \t\n\r]*/y;
var isObject = (value) => value instanceof Map;
var Reader = class {
  constructor(text2, where, maxDepth, keepsLargeIntegers) {
    this.text = text2;
    this.where = where;
    this.maxDepth = maxDepth;
    this.keepsLargeIntegers = keepsLargeIntegers;
  }
  text;
  where;
  maxDepth;
  keepsLargeIntegers;
  at = 0;
  depth = 0;
  read() {
    const value = this.readValue();
    this.skipBlanks();
    if (this.at < this.text.length) throw this.odd("extra data");
    return value;
  }
  odd(what) {
    const before = this.text.slice(0, this.at).split("\n");
    const column = before.at(-1).length + 1;
    return malformed(`not JSON: ${what} at line ${before.length} column ${column}`, this.where);
  }
  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== void 0) this.at += found.length;
    return found;
  }
  skipBlanks() {
    this.match(BLANK);
  }
  takes(character) {
    this.skipBlanks();
    if (this.text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }
  readValue() {
    this.skipBlanks();
    const first = this.text[this.at];
    if (first === "{") return this.nested(() => this.readObject());
    if (first === "[") return this.nested(() => this.readList());
    if (first === '"') return this.readText();
    for (const [word2, value] of [
      ["true", true],
      ["false", false],
      ["null", null]
    ]) {
      if (!this.text.startsWith(word2, this.at)) continue;
      this.at += word2.length;
      return value;
    }
    return this.readNumber();
  }
  nested(read) {
    this.depth += 1;
    if (this.depth > this.maxDepth) {
      throw limitExceeded(`JSON nested ${this.depth} deep, the limit is ${this.maxDepth}`, this.where);
    }
    this.at += 1;
    const value = read();
    this.depth -= 1;
    return value;
  }
  readObject() {
    const result = /* @__PURE__ */ new Map();
    if (this.takes("}")) return result;
    do {
      this.skipBlanks();
      const key = this.readText();
      if (!this.takes(":")) throw this.odd("a colon was expected");
      const value = this.readValue();
      if (result.has(key)) throw malformed(`key ${quote(key)} stands twice in one object`, this.where);
      result.set(key, value);
    } while (this.takes(","));
    if (!this.takes("}")) throw this.odd("a comma or } was expected");
    return result;
  }
  readList() {
    const result = [];
    if (this.takes("]")) return result;
    do
      result.push(this.readValue());
    while (this.takes(","));
    if (!this.takes("]")) throw this.odd("a comma or ] was expected");
    return result;
  }
  readText() {
    const found = this.match(TEXT);
    if (found === void 0) throw this.odd("a text was expected");
    return JSON.parse(found);
  }
  readNumber() {
    const found = this.match(NUMBER);
    if (found === void 0) throw this.odd("a value was expected");
    if (!/^-?\d+$/.test(found)) {
      throw malformed(`number ${found.slice(0, 40)} is not an integer`, this.where, "write decimals as strings");
    }
    const isLarge = found.length > 17 || Math.abs(Number(found)) > LARGEST || BigInt(found) > BigInt(LARGEST);
    if (!isLarge) return Number(found);
    if (this.keepsLargeIntegers && found.length <= 20) return BigInt(found);
    throw limitExceeded(`integer ${found.slice(0, 40)} is beyond 2^53`, this.where);
  }
};
function parseJson(data, where, limits = {}) {
  const maxBytes = limits.maxBytes ?? 16 * 2 ** 20;
  if (data.length > maxBytes) {
    throw limitExceeded(`${data.length} bytes of JSON, the limit is ${maxBytes}`, where);
  }
  const text2 = decodeText(data);
  if (text2 === void 0) throw malformed("not UTF-8", where);
  return new Reader(text2, where, limits.maxDepth ?? 64, limits.keepsLargeIntegers ?? false).read();
}
function writeText(text2) {
  if (!text2.isWellFormed()) throw malformed("text with a lone surrogate has no canonical form");
  return JSON.stringify(text2);
}
function writeNumber(value) {
  if (typeof value === "number" && !Number.isInteger(value)) throw malformed("a float has no canonical form", "$");
  if (value > LARGEST || value < -LARGEST) {
    throw malformed(`integer ${value} is beyond 2^53 and has no canonical form`, "$");
  }
  return String(value === 0 ? 0 : value);
}
function canonicalText(value) {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return writeText(value);
  if (typeof value === "number" || typeof value === "bigint") return writeNumber(value);
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  const parts = entries.filter(([, item]) => item !== void 0).sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0).map(([key, item]) => `${writeText(key)}:${canonicalText(item)}`);
  return `{${parts.join(",")}}`;
}
var canonicalBytes = (value) => encodeText(canonicalText(value));
var digestOf = (text2) => digestOfBytes(encodeText(text2));

// src/records/folding.ts
var ESCAPES2 = {
  "0": "\0",
  a: "\x07",
  b: "\b",
  t: "	",
  "	": "	",
  n: "\n",
  v: "\v",
  f: "\f",
  r: "\r",
  e: "\x1B",
  " ": " ",
  '"': '"',
  "\\": "\\",
  "/": "/",
  N: "",
  _: " ",
  L: "\u2028",
  P: "\u2029"
};
function joinBlock(lines, isFolded, chomping) {
  const last = lines.findLastIndex((line) => line !== "");
  const content = lines.slice(0, last + 1);
  let text2 = "";
  let breaks = 0;
  let before;
  for (const line of content) {
    if (line === "") {
      breaks += 1;
      continue;
    }
    if (before === void 0) text2 += "\n".repeat(breaks);
    else {
      const folds = isFolded && !/^[ \t]/.test(before) && !/^[ \t]/.test(line);
      text2 += folds ? breaks === 0 ? " " : "\n".repeat(breaks) : "\n".repeat(breaks + 1);
    }
    text2 += line;
    [before, breaks] = [line, 0];
  }
  if (chomping === "-") return text2;
  const end = before === void 0 ? "" : "\n";
  return chomping === "+" ? text2 + end + "\n".repeat(lines.length - last - 1) : text2 + end;
}

// src/records/numeral.ts
var INTEGER = /^[-+]?(?:0|[1-9][0-9]*)$/;
var Numeral = class {
  text;
  fraction;
  constructor(text2) {
    this.text = text2;
    this.fraction = fractionOfDecimal(text2);
  }
  get isInteger() {
    return INTEGER.test(this.text);
  }
  /** The text that an exact decimal is written with: as it stands, or with an exponent where it is small or had one. */
  get plain() {
    if (this.isInteger) return String(BigInt(this.text.replace("+", "")));
    const match = /^([-+]?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(this.text);
    const part = match[3] ?? "";
    const sign = match[1] === "-" ? "-" : "";
    const digits = (match[2] + part).replace(/^0+(?=\d)/, "");
    const exponent = Number(match[4] ?? 0) - part.length;
    const adjusted = exponent + digits.length - 1;
    if (exponent <= 0 && adjusted >= -6) {
      const padded = digits.padStart(1 - exponent, "0");
      const whole = padded.slice(0, padded.length + exponent);
      return sign + (exponent === 0 ? padded : `${whole}.${padded.slice(padded.length + exponent)}`);
    }
    const mantissa = digits.length > 1 ? `${digits[0]}.${digits.slice(1)}` : digits;
    return `${sign}${mantissa}E${adjusted < 0 ? "-" : "+"}${Math.abs(adjusted)}`;
  }
};

// src/records/yaml.ts
var LARGEST_INTEGER = 2n ** 53n - 1n;
var LONGEST_NUMBER = 40;
var LARGEST_EXPONENT = 30;
var NULLS = /* @__PURE__ */ new Set(["", "~", "null", "Null", "NULL"]);
var BOOLEANS = /* @__PURE__ */ new Map([
  ["true", true],
  ["True", true],
  ["TRUE", true],
  ["false", false],
  ["False", false],
  ["FALSE", false]
]);
var DECIMAL = /^[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$/;
var NOT_FINITE = /^[-+]?\.(?:inf|nan)$/i;
var AMBIGUOUS_NUMBER = /^[-+]?(?:0[xob][0-9a-f_]+|[0-9][0-9_]*(?:\.[0-9_]*)?(?:e[-+]?[0-9_]*)?|\.[0-9][0-9_]*(?:e[-+]?[0-9]+)?|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?)$/i;
var AMBIGUOUS_WORD = /^(?:yes|no|on|off|y|n)$/i;
var FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029\ufffe\uffff]|\r(?!\n)/;
var INDICATOR = /^(?:[&*!|>%@`,[\]{}#"']|[?:-](?: |$))/;
var isMap = (value) => value instanceof Map;
var Reader2 = class {
  constructor(text2, name, maxDepth) {
    this.name = name;
    this.maxDepth = maxDepth;
    const found = FORBIDDEN.exec(text2);
    if (found) {
      const before = text2.slice(0, found.index).split("\n");
      const place = `${name}:${before.length}:${before.at(-1).length + 1}`;
      throw malformed(`the character U+${hex(found[0])} cannot stand in YAML`, place);
    }
    this.lines = text2.replace(/^\ufeff/, "").replaceAll("\r\n", "\n").split("\n");
  }
  name;
  maxDepth;
  lines;
  row = 0;
  column = 0;
  depth = 0;
  readDocument() {
    this.skipToContent();
    if (this.line.startsWith("%")) throw this.odd("directives (%YAML, %TAG) are not read");
    if (this.atMarker("---")) {
      this.column = 3;
      this.skipSpaces();
      if (this.rest !== "" && !this.rest.startsWith("#")) throw this.odd("not YAML: text beside ---");
      this.nextLine();
    }
    if (this.ended) throw malformed("the file holds no document", this.name);
    const value = this.readBlock(-1);
    if (this.atMarker("...")) this.nextLine();
    if (!this.ended) throw this.odd(this.atMarker("---") ? "a second document begins here" : "not YAML: text after the document");
    return value;
  }
  odd(message, hint) {
    return malformed(message, `${this.name}:${this.row + 1}:${this.column + 1}`, hint);
  }
  get line() {
    return this.lines[this.row] ?? "";
  }
  get rest() {
    return this.line.slice(this.column);
  }
  get ended() {
    return this.row >= this.lines.length;
  }
  peek() {
    return this.line[this.column] ?? "";
  }
  atMarker(marker) {
    return !this.ended && this.column === 0 && (this.line === marker || this.line.startsWith(`${marker} `));
  }
  nextLine() {
    this.row += 1;
    this.skipToContent();
  }
  skipToContent() {
    for (; !this.ended; this.row += 1) {
      this.column = /^ */.exec(this.line)[0].length;
      if (this.peek() === "	") throw this.odd("not YAML: a tab as indentation");
      if (this.rest !== "" && this.peek() !== "#") return;
    }
    this.column = 0;
  }
  skipSpaces() {
    while (this.peek() === " ") this.column += 1;
  }
  finishLine() {
    const before = this.column;
    this.skipSpaces();
    if (this.rest !== "" && !(this.peek() === "#" && this.column > before)) {
      throw this.odd(`not YAML: text after a value: ${quote(this.rest.slice(0, 40))}`);
    }
    this.nextLine();
  }
  nested(read) {
    if (this.depth >= this.maxDepth) {
      throw limitExceeded(`nested deeper than ${this.maxDepth} levels`, `${this.name}:${this.row + 1}:${this.column + 1}`);
    }
    this.depth += 1;
    const value = read();
    this.depth -= 1;
    return value;
  }
  // -- block collections ---------------------------------------------------------------------------
  /** A value that begins here; `indent` is the column of the collection that it stands in. */
  readBlock(indent) {
    const at = this.column;
    if (/^-(?: |$)/.test(this.rest)) return this.nested(() => this.readBlockSequence(at));
    if (/^\?(?: |$)/.test(this.rest)) throw this.odd("a key must be text");
    if (this.startsKey()) return this.nested(() => this.readBlockMapping(at));
    return this.readInline(indent);
  }
  readInline(indent) {
    const first = this.peek();
    if (first === "|" || first === ">") return this.readBlockScalar(indent);
    if (first === "{" || first === "[") {
      const value = this.readFlow();
      this.finishLine();
      return value;
    }
    if (first === '"' || first === "'") {
      const text2 = this.readQuoted(indent);
      this.finishLine();
      return text2;
    }
    return this.resolve(this.readPlainLines(indent));
  }
  startsKey() {
    const first = this.peek();
    if (first === '"' || first === "'") {
      const pattern = first === '"' ? /^"(?:[^"\\]|\\.)*" *:(?: |$)/ : /^'(?:[^']|'')*' *:(?: |$)/;
      return pattern.test(this.rest);
    }
    if (first === "{" || first === "[" || INDICATOR.test(this.rest)) return false;
    return /:(?: |$)/.test(this.rest.replace(/ #.*$/, ""));
  }
  readBlockSequence(indent) {
    const items = [];
    while (!this.ended && this.column === indent && /^-(?: |$)/.test(this.rest)) {
      this.column += 1;
      items.push(this.readBlockItem(indent));
    }
    this.requireDedent(indent);
    return items;
  }
  readBlockItem(indent) {
    this.skipSpaces();
    if (this.rest !== "" && this.peek() !== "#") return this.readBlock(indent);
    this.nextLine();
    return this.ended || this.column <= indent ? null : this.readBlock(indent);
  }
  readBlockMapping(indent) {
    const result = /* @__PURE__ */ new Map();
    while (!this.ended && this.column === indent && !this.atMarker("---") && !this.atMarker("...")) {
      if (!this.startsKey()) throw this.odd("not YAML: a key was expected");
      const key = this.readKey(result, false);
      result.set(key, this.readBlockValue(indent));
    }
    this.requireDedent(indent);
    return result;
  }
  requireDedent(indent) {
    if (!this.ended && this.column > indent) throw this.odd("not YAML: indentation that fits nothing");
  }
  readKey(known, isInside) {
    const at = this.column;
    const key = this.readScalarOfLine(isInside);
    if (!key.isQuoted) this.requirePlainKey(key.text);
    if (known.has(key.text)) {
      this.column = at;
      throw this.odd(`the key ${quote(key.text)} is given twice`);
    }
    this.skipSpaces();
    if (this.peek() !== ":") throw this.odd("not YAML: a colon was expected");
    this.column += 1;
    return key.text;
  }
  requirePlainKey(text2) {
    if (text2 === "<<") throw this.odd("merge keys (<<) are not read", "write the keys out");
    if (NULLS.has(text2) || BOOLEANS.has(text2)) throw this.odd(`${quote(text2)} cannot be a key`, "put it in quotes");
    if (!INTEGER.test(text2)) this.refuseAmbiguity(text2);
  }
  readBlockValue(indent) {
    this.skipSpaces();
    if (this.rest !== "" && this.peek() !== "#") {
      if (/^-(?: |$)/.test(this.rest)) throw this.odd("not YAML: a list begins on a line of its own");
      if (!/^[|>]/.test(this.rest) && this.startsKey()) throw this.odd("not YAML: two keys on one line");
      return this.readInline(indent);
    }
    this.nextLine();
    const isSequence = /^-(?: |$)/.test(this.rest);
    if (this.ended || this.column < indent || this.column === indent && !isSequence) return null;
    return this.readBlock(indent);
  }
  // -- flow collections ----------------------------------------------------------------------------
  readFlow() {
    const first = this.peek();
    if (first === "{") return this.nested(() => this.readFlowMapping());
    if (first === "[") return this.nested(() => this.readFlowSequence());
    const scalar2 = this.readScalarOfLine(true);
    return scalar2.isQuoted ? scalar2.text : this.resolve(scalar2.text);
  }
  skipInFlow() {
    for (; ; ) {
      this.skipSpaces();
      if (this.peek() !== "" && this.peek() !== "#") return;
      if (this.ended) throw this.odd("not YAML: the text ends inside brackets");
      this.row += 1;
      this.column = 0;
    }
  }
  readFlowItems(close, readItem) {
    this.column += 1;
    this.skipInFlow();
    while (this.peek() !== close) {
      readItem();
      this.skipInFlow();
      if (this.peek() === ",") {
        this.column += 1;
        this.skipInFlow();
      } else if (this.peek() !== close) throw this.odd(`not YAML: a comma or ${close} was expected`);
    }
    this.column += 1;
  }
  readFlowMapping() {
    const result = /* @__PURE__ */ new Map();
    this.readFlowItems("}", () => {
      const key = this.readKey(result, true);
      this.skipInFlow();
      const isEmpty = this.peek() === "," || this.peek() === "}";
      result.set(key, isEmpty ? null : this.readFlow());
    });
    return result;
  }
  readFlowSequence() {
    const items = [];
    this.readFlowItems("]", () => items.push(this.readFlow()));
    return items;
  }
  // -- scalars -------------------------------------------------------------------------------------
  readScalarOfLine(isInside) {
    const first = this.peek();
    if (first === '"' || first === "'") return { text: this.readQuoted(-1), isQuoted: true };
    return { text: this.readPlainText(isInside), isQuoted: false };
  }
  readPlainText(isInside) {
    if (this.rest.startsWith("&")) throw this.odd(`anchors (${word(this.rest)}) are not read`, "remove it");
    if (this.rest.startsWith("*")) throw this.odd(`aliases (${word(this.rest)}) are not read`, "write it out");
    if (this.rest.startsWith("!")) throw this.odd(`tags (${word(this.rest)}) are not read`, "remove it");
    if (INDICATOR.test(this.rest) || isInside && /^[?:-][,[\]{}]/.test(this.rest)) {
      throw this.odd(`not YAML: a value cannot begin with ${quote(this.peek())}`);
    }
    const stop = isInside ? /[,[\]{}]|:(?= |$|[,[\]{}])| #/ : /:(?= |$)| #/;
    const end = this.rest.search(stop);
    const text2 = (end < 0 ? this.rest : this.rest.slice(0, end)).replace(/ +$/, "");
    if (text2 === "") throw this.odd("not YAML: a value was expected");
    if (/\t/.test(text2)) throw this.odd("a tab in plain text is read differently: put it in quotes");
    this.column += text2.length;
    return text2;
  }
  /** Plain text that may go on over further lines, each deeper than `indent`. */
  readPlainLines(indent) {
    let text2 = this.readPlainText(false);
    for (; ; ) {
      if (/^ *:(?: |$)/.test(this.rest)) throw this.odd("not YAML: a colon where no key can stand");
      const hasComment = this.rest.trim() !== "";
      const from = this.row;
      this.finishLine();
      const goesOn = !this.ended && this.column > indent && !this.atMarker("---") && !this.atMarker("...");
      if (!goesOn) return text2;
      const between = this.lines.slice(from + 1, this.row);
      if (hasComment || between.some((line) => line.trim() !== "")) throw this.odd("not YAML: text goes on after a comment");
      text2 += between.length === 0 ? " " : "\n".repeat(between.length);
      const stop = /:(?= |$)| #/.exec(this.rest);
      if (stop?.[0] === ":") throw this.odd("not YAML: a key where text goes on");
      const more = (stop ? this.rest.slice(0, stop.index) : this.rest).replace(/ +$/, "");
      if (/\t/.test(more)) throw this.odd("a tab in plain text is read differently: put it in quotes");
      this.column += more.length;
      text2 += more;
    }
  }
  readQuoted(indent) {
    const mark = this.peek();
    this.column += 1;
    let text2 = "";
    let solid = 0;
    for (; ; ) {
      const character = this.peek();
      if (character === "") text2 = this.foldQuoted(text2.slice(0, solid), indent, " ");
      else if (this.rest === "\\" && mark === '"') text2 = this.foldQuoted(text2, indent, "");
      else if (character === mark && (mark === '"' || this.line[this.column + 1] !== "'")) break;
      else if (character === "\\" && mark === '"') text2 += this.readEscape();
      else {
        text2 += character;
        this.column += character === mark ? 2 : 1;
        if (character === " " || character === "	") continue;
      }
      solid = text2.length;
    }
    this.column += 1;
    if (!text2.isWellFormed()) throw this.odd("half a surrogate pair is not a character");
    return text2;
  }
  // A line break inside quotes is a space, or nothing where it is escaped; each empty line after it is a line break.
  foldQuoted(before, indent, glue) {
    let empty = 0;
    for (; ; ) {
      this.row += 1;
      if (this.ended) throw this.odd("not YAML: a quoted text that does not end");
      if (/^(?:---|\.\.\.)(?: |$)/.test(this.line)) throw this.odd("not YAML: a document ends inside quotes");
      this.column = /^[ \t]*/.exec(this.line)[0].length;
      if (this.rest !== "") break;
      empty += 1;
    }
    if (this.column <= indent) throw this.odd("not YAML: quoted text that is not indented");
    return before + (empty === 0 ? glue : "\n".repeat(empty));
  }
  readEscape() {
    const letter = this.line[this.column + 1] ?? "";
    const length = { x: 2, u: 4, U: 8 }[letter];
    if (length !== void 0) {
      const digits = this.line.slice(this.column + 2, this.column + 2 + length);
      const code = /^[0-9a-fA-F]+$/.test(digits) && digits.length === length ? Number.parseInt(digits, 16) : NaN;
      if (!(code <= 1114111)) throw this.odd("not YAML: an unknown escape");
      if (code >= 55296 && code < 57344) throw this.odd("half a surrogate pair is not a character");
      this.column += 2 + length;
      return String.fromCodePoint(code);
    }
    const plain2 = ESCAPES2[letter];
    if (letter === "" || plain2 === void 0) throw this.odd("not YAML: an escape that is not read here");
    this.column += 2;
    return plain2;
  }
  readBlockScalar(indent) {
    const header = /^([|>])(?:([+-])?([1-9])?|([1-9])([+-]))(?: +#.*| *)$/.exec(this.rest);
    if (!header) throw this.odd("not YAML: the head of a block of text");
    const isFolded = header[1] === ">";
    const chomping = header[2] ?? header[5] ?? "";
    const explicit = header[3] ?? header[4];
    this.row += 1;
    const least = Math.max(indent + 1, 1);
    const width = explicit === void 0 ? this.findBlockIndent(least) : least + Number(explicit) - 1;
    const lines = this.takeBlockLines(width);
    this.skipToContent();
    return joinBlock(lines, isFolded, chomping);
  }
  findBlockIndent(least) {
    for (let row = this.row; row < this.lines.length; row += 1) {
      const line = this.lines[row];
      const spaces = /^ */.exec(line)[0].length;
      if (spaces < line.length) return Math.max(least, spaces);
      if (spaces > least) throw this.odd("not YAML: empty lines that are deeper than the text after them");
    }
    return least;
  }
  takeBlockLines(width) {
    const lines = [];
    for (; !this.ended; this.row += 1) {
      const isEmpty = /^ *$/.test(this.line) && this.line.length <= width;
      if (!isEmpty && !this.line.startsWith(" ".repeat(width))) break;
      if (this.row === this.lines.length - 1 && this.line === "") {
        this.row += 1;
        break;
      }
      lines.push(isEmpty ? "" : this.line.slice(width));
    }
    return lines;
  }
  // -- what plain text means -----------------------------------------------------------------------
  resolve(text2) {
    if (NULLS.has(text2)) return null;
    const truth2 = BOOLEANS.get(text2);
    if (truth2 !== void 0) return truth2;
    if (DECIMAL.test(text2)) return this.resolveNumber(text2);
    this.refuseAmbiguity(text2);
    if (!text2.isWellFormed()) throw this.odd("half a surrogate pair is not a character");
    return text2;
  }
  resolveNumber(text2) {
    const place = `${this.name}:${this.row + 1}:${this.column + 1}`;
    if (text2.length > LONGEST_NUMBER) {
      throw limitExceeded(`a number of ${text2.length} characters, at most ${LONGEST_NUMBER} are read`, place);
    }
    if (INTEGER.test(text2)) {
      const value = BigInt(text2.replace("+", ""));
      if (value > LARGEST_INTEGER || value < -LARGEST_INTEGER) {
        throw limitExceeded(`${text2} is beyond 2^53 - 1, where readers differ`, place, "put it in quotes");
      }
      return new Numeral(text2);
    }
    const [, whole = "", part = "", exponent = "0"] = /(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?/.exec(text2) ?? [];
    const digits = (whole + part).replace(/^0+/, "");
    const adjusted = Number(exponent) - part.length + digits.length - 1;
    if (digits !== "" && Math.abs(adjusted) > LARGEST_EXPONENT) {
      throw limitExceeded(`${text2} is not between 1e-30 and 1e30`, place);
    }
    if (Math.abs(Number(exponent)) > 999) throw limitExceeded(`${text2} is not between 1e-30 and 1e30`, place);
    return new Numeral(text2);
  }
  refuseAmbiguity(text2) {
    if (AMBIGUOUS_WORD.test(text2)) {
      throw this.odd(`bare ${quote(text2)} is a truth value to some readers and text to others`, `write true, false or "${text2}"`);
    }
    if (NOT_FINITE.test(text2)) throw this.odd(`${text2} is not a number that can be compared`);
    if (AMBIGUOUS_NUMBER.test(text2)) {
      throw this.odd(`readers of YAML differ about ${text2}`, `write a plain decimal number such as 10 or 0.5, or text: "${text2}"`);
    }
  }
};
var hex = (character) => character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
var word = (text2) => /^\S+/.exec(text2)[0].slice(0, 60);
function readYaml(text2, name, maxDepth = 32) {
  return new Reader2(text2, name, maxDepth).readDocument();
}
function parseYaml(data, name, maxBytes = 2 ** 20) {
  if (data.length > maxBytes) {
    throw limitExceeded(`the file has ${data.length} bytes, at most ${maxBytes} are read`, name);
  }
  const text2 = decodeText(data);
  if (text2 === void 0) throw malformed("the file is not UTF-8", name);
  return readYaml(text2, name);
}

// src/decision/schema.ts
var isObject2 = (value) => value instanceof Map;
var isWhole = (value) => value instanceof Numeral && value.isInteger;
var TYPES = {
  object: isObject2,
  array: Array.isArray,
  string: (value) => typeof value === "string",
  boolean: (value) => typeof value === "boolean",
  number: (value) => value instanceof Numeral,
  integer: isWhole
};
var NOTES = /* @__PURE__ */ new Set(["description", "default", "title", "$schema", "$id", "$defs"]);
var asFraction = (number) => {
  const text2 = String(number);
  return new Numeral(text2).fraction;
};
function requireThat(holds, message, where) {
  if (!holds) throw new Refusal(message, where);
}
var KEYWORDS = {
  type: (name, value, where) => requireThat(TYPES[name]?.(value) ?? false, `not of type ${name}`, where),
  const: (wanted, value, where) => requireThat(value === wanted, `not ${wanted}`, where),
  enum: (wanted, value, where) => requireThat(wanted.includes(value), `not one of ${wanted.join(", ")}`, where),
  pattern: (pattern, value, where) => requireThat(
    typeof value !== "string" || new RegExp(pattern, "u").test(value),
    `not of the form ${pattern}`,
    where
  ),
  minLength: (least, value, where) => requireThat(typeof value !== "string" || [...value].length >= least, `shorter than ${least}`, where),
  maxLength: (most, value, where) => requireThat(typeof value !== "string" || [...value].length <= most, `longer than ${most}`, where),
  minimum: (least, value, where) => requireThat(
    !(value instanceof Numeral) || value.fraction.compare(asFraction(least)) >= 0,
    `below ${least}`,
    where
  ),
  maximum: (most, value, where) => requireThat(
    !(value instanceof Numeral) || value.fraction.compare(asFraction(most)) <= 0,
    `above ${most}`,
    where
  ),
  minItems: (least, value, where) => requireThat(!Array.isArray(value) || value.length >= least, `fewer than ${least} items`, where),
  minProperties: (least, value, where) => requireThat(!isObject2(value) || value.size >= least, `fewer than ${least} keys`, where),
  required: (names, value, where) => {
    for (const name of names) requireThat(!isObject2(value) || value.has(name), `${name} is missing`, where);
  },
  items: (schema, value, where, root) => {
    if (Array.isArray(value))
      value.forEach((item, index) => requireSchema(schema, item, `${where}[${index}]`, root));
  },
  properties: (schemas, value, where, root) => {
    if (!isObject2(value)) return;
    for (const [name, schema] of Object.entries(schemas)) {
      if (value.has(name)) requireSchema(schema, value.get(name), `${where}.${name}`, root);
    }
  },
  propertyNames: (schema, value, where, root) => {
    if (isObject2(value))
      for (const name of value.keys()) requireSchema(schema, name, `${where}.${name}`, root);
  },
  additionalProperties: (schema, value, where, root, parent) => {
    if (!isObject2(value)) return;
    for (const [name, item] of value) {
      if (Object.hasOwn(parent.properties ?? {}, name)) continue;
      requireThat(schema !== false, `unknown key ${name}`, `${where}.${name}`);
      requireSchema(schema, item, `${where}.${name}`, root);
    }
  },
  oneOf: (schemas, value, where, root) => {
    const fitting = schemas.filter((schema) => isSchemaMet(schema, value, root));
    requireThat(fitting.length === 1, `fits ${fitting.length} of the ${schemas.length} allowed forms`, where);
  },
  $ref: (pointer, value, where, root) => {
    const schema = pointer.slice(2).split("/").reduce((node2, key) => node2[key], root);
    requireSchema(schema, value, where, root);
  }
};
function isSchemaMet(schema, value, root) {
  try {
    requireSchema(schema, value, "$", root);
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}
function requireSchema(schema, value, where, root = schema) {
  for (const [keyword, argument] of Object.entries(schema)) {
    if (NOTES.has(keyword)) continue;
    const check = KEYWORDS[keyword];
    if (!check) throw new Error(`the schema uses ${keyword}, which is not known here`);
    check(argument, value, where, root, schema);
  }
}

// src/decision/rubric.ts
var LARGEST_FACTOR = new Fraction(1000n);
var MOST_ROWS = 1e3;
var MOST_BYTES = 2 ** 18;
var RULES = { assurance: ["when"], hazard: ["rule_in", "rule_out"] };
var DESIGNS = ["fixed", "anytime"];
var EVENT_NAMES = { violation: "harmful", refusal: "refused" };
function refuse(message, where) {
  throw new Refusal(message, `rubric ${where}`);
}
var textAt = (map, key) => map.get(key);
var optionalTextAt = (map, key) => map.get(key);
var mapAt = (map, key) => map.get(key) ?? /* @__PURE__ */ new Map();
var textsAt = (map, key) => map.get(key) ?? [];
var numberAt = (map, key, otherwise) => Number(map.get(key)?.text ?? otherwise);
function requireSixPlaces(numeral, where) {
  if (MICRO % numeral.fraction.bottom !== 0n) refuse("more than 6 decimals", where);
}
function readStatistics(map) {
  const fractionAt = (key, otherwise) => map.get(key)?.fraction ?? fractionOfDecimal(otherwise);
  const judge = mapAt(map, "judge");
  if (map.has("margin")) requireSixPlaces(map.get("margin"), "$.statistics.margin");
  const allowed = map.get("design") ?? DESIGNS;
  const designs = map.get("interval") === "confidence-sequence" ? allowed.filter((d) => d === "anytime") : allowed;
  if (designs.length === 0) refuse("no design is left", "$.statistics.design");
  return {
    alpha: fractionAt("alpha", "0"),
    maxMissing: fractionAt("max_missing", "0.01"),
    margin: fractionAt("margin", "0"),
    isJudgeAdjusted: (judge.get("adjust") ?? "rogan-gladen-bound") !== "none",
    minCalibration: numberAt(judge, "min_calibration_n", 0),
    designs
  };
}
function readFilter(map) {
  const given = [...map];
  return new Map(given.map(([tag, values]) => [tag, typeof values === "string" ? [values] : values]));
}
function readMeasure(id, map) {
  const where = `$.measures.${id}`;
  const estimand = textAt(map, "estimand");
  if (estimand === "pass_at_k" !== map.has("k")) {
    refuse("k goes with pass_at_k, and only with it", `${where}.k`);
  }
  if (estimand === "ratio_to_reference" && !map.has("reference")) {
    refuse("a ratio needs a reference", `${where}.reference`);
  }
  const settings = textsAt(map, "elicitation");
  if (new Set(settings).size !== settings.length) refuse("a setting stands twice", `${where}.elicitation`);
  const direction = textAt(map, "direction");
  const event = textAt(map, "event");
  return {
    id,
    title: optionalTextAt(map, "title"),
    direction,
    unit: map.get("unit") ?? "item",
    population: map.get("population") ?? "items_sampled",
    isNegated: map.get("negate") ?? false,
    hasReference: map.has("reference"),
    minN: numberAt(map, "min_n", 1),
    settings,
    suite: textAt(map, "suite"),
    suiteDigest: optionalTextAt(map, "suite_sha256"),
    event: Object.hasOwn(EVENT_NAMES, event) ? EVENT_NAMES[event] : event,
    filter: readFilter(mapAt(map, "filter")),
    k: map.has("k") ? numberAt(map, "k", 0) : void 0,
    collapse: direction === "higher_is_safer" && estimand !== "pass_at_k" ? "all" : "any"
  };
}
function readThreshold(value, measure, op, statistics, where) {
  if (value instanceof Map) {
    const factor = value.get("times_reference").fraction;
    const place = `${where}.times_reference`;
    if (!measure.hasReference) refuse("the measure has no reference", place);
    if (factor.compare(ZERO) <= 0 || factor.compare(LARGEST_FACTOR) > 0) {
      refuse("a factor lies above 0 and up to 1000", place);
    }
    return { factor, text: `${writeDecimal(factor)} x reference` };
  }
  requireSixPlaces(value, where);
  const rate = value.fraction;
  const tested = op.startsWith("<") ? rate.minus(statistics.margin) : rate.plus(statistics.margin);
  for (const limit of [rate, tested]) {
    if (limit.compare(ZERO) <= 0 || limit.compare(ONE) >= 0) refuse("not between 0 and 1", where);
  }
  return { rate, text: writeDecimal(rate) };
}
function readGroup(map, context, where) {
  const key = ["all", "any", "of"].find((name) => map.has(name));
  const children = map.get(key).map(
    (child, index) => readNode(child, context, `${where}.${key}[${index}]`)
  );
  const need = key === "all" ? children.length : key === "any" ? 1 : numberAt(map, "at_least", 0);
  if (need > children.length) refuse("more are needed than there are", `${where}.at_least`);
  return { need, children };
}
function readCriterion(map, context, where) {
  const measure = context.measures.get(textAt(map, "measure"));
  if (!measure) return refuse(`unknown measure ${map.get("measure")}`, `${where}.measure`);
  const op = textAt(map, "op");
  const threshold = readThreshold(map.get("value"), measure, op, context.statistics, `${where}.value`);
  return { measure, op, threshold };
}
function readNode(map, context, where) {
  if (!map.has("attested") && !map.has("measure")) return readGroup(map, context, where);
  context.rows += 1;
  if (context.rows > MOST_ROWS) refuse(`more than ${MOST_ROWS} rows`, "$.scale");
  if (map.has("measure")) return readCriterion(map, context, where);
  const id = textAt(map, "attested");
  if (!context.attestations.has(id)) refuse(`unknown attestation ${id}`, `${where}.attested`);
  return { attested: id };
}
function readLevel(map, index, kind, context) {
  const where = `$.scale.levels[${index}]`;
  const expected2 = index > 0 ? RULES[kind] ?? [] : [];
  const rules = [];
  for (const test of ["when", "rule_in", "rule_out"]) {
    if (!map.has(test)) continue;
    if (!expected2.includes(test)) refuse("a rule that has no place here", `${where}.${test}`);
    rules.push({ test, node: readNode(mapAt(map, test), context, `${where}.${test}`) });
  }
  for (const needed of expected2) {
    if (!rules.some((rule) => rule.test === needed)) refuse(`${needed} is missing`, where);
  }
  if (map.has("safeguards")) {
    if (index === 0 || kind !== "hazard") refuse("safeguards have no place here", `${where}.safeguards`);
    readNode(mapAt(map, "safeguards"), context, `${where}.safeguards`);
  }
  return { id: textAt(map, "id"), name: textAt(map, "name"), meaning: optionalTextAt(map, "meaning"), rules };
}
function requireDistinct(ids, path) {
  ids.forEach((id, index) => {
    if (ids.indexOf(id) !== index) refuse(`${id} stands twice`, path(index));
  });
}
function readDays(text2, where) {
  if (!/^P[0-9]{1,5}D$/.test(text2)) refuse("not a number of days such as P90D", where);
  return Number(text2.slice(1, -1));
}
function readSunset(validity) {
  const sunset = optionalTextAt(validity, "sunset");
  const moment = sunset === void 0 ? 0 : Date.parse(`${sunset}T00:00:00Z`);
  const isDay = sunset === void 0 || !Number.isNaN(moment) && new Date(moment).toISOString().startsWith(sunset);
  if (!isDay || sunset?.startsWith("0000")) refuse(`${sunset} is no day of the calendar`, "$.validity.sunset");
  return sunset;
}
function readAttestations(map) {
  return new Map(
    [...map].map(([id, given]) => {
      const age = optionalTextAt(given, "max_age");
      const maxAgeDays = age === void 0 ? void 0 : readDays(age, `$.attestations.${id}.max_age`);
      return [id, { role: textAt(given, "role"), maxAgeDays }];
    })
  );
}
function readRubric(text2) {
  if (new TextEncoder().encode(text2).length > MOST_BYTES) refuse(`more than ${MOST_BYTES} bytes`, "$");
  const map = readYaml(text2, "rubric");
  requireSchema(rubric_schema_default, map, "rubric $");
  const statistics = readStatistics(mapAt(map, "statistics"));
  const listed = [...mapAt(map, "measures")];
  const measures = new Map(listed.map(([id, measure]) => [id, readMeasure(id, measure)]));
  const attestations = readAttestations(mapAt(map, "attestations"));
  const context = { statistics, measures, attestations, rows: 0 };
  const scale = mapAt(map, "scale");
  const kind = textAt(scale, "kind");
  const levels = scale.get("levels").map((level, index) => readLevel(level, index, kind, context));
  requireDistinct(
    levels.map((level) => level.id),
    (index) => `$.scale.levels[${index}].id`
  );
  const validity = mapAt(map, "validity");
  return {
    reference: { id: textAt(map, "id"), version: textAt(map, "version"), sha256: digestOf(text2) },
    title: textAt(map, "title"),
    statistics,
    measures,
    attestations,
    kind,
    levels,
    validityDays: readDays(textAt(validity, "max_age"), "$.validity.max_age"),
    sunset: readSunset(validity),
    useCases: textsAt(mapAt(map, "scope"), "use_cases"),
    scope: textsAt(mapAt(map, "scope"), "bind")
  };
}

// src/decision/tallies.ts
var DEFAULTS = {
  missing: 0,
  unit: "item",
  population: "items_sampled",
  clusters: [],
  pool: null,
  errors: null,
  exact: false,
  complement: false,
  n_planned: 0
};
function requireThat2(holds, message, where) {
  if (!holds) throw new Refusal(message, where);
}
var isCount = (value) => Number.isSafeInteger(value) && value >= 0;
function requireClusters(tally, where) {
  if (tally.unit !== "family") {
    requireThat2(tally.clusters.length === 0, "families in a count that has none", where);
    return;
  }
  const sums = [0, 0, 0];
  for (const [events, missing, size, count] of tally.clusters) {
    const isPossible = [events, missing, size, count].every(isCount) && size > 0 && events + missing <= size;
    requireThat2(isPossible, "an impossible family", where);
    sums[0] += events * count;
    sums[1] += missing * count;
    sums[2] += size * count;
  }
  const isEqual = sums[0] === tally.events && sums[1] === tally.missing && sums[2] === tally.n;
  requireThat2(isEqual, "the families do not add up to the counts", where);
}
function requireErrors(errors, where) {
  const { true_positives: found, positives, true_negatives: cleared, negatives } = errors;
  requireThat2([found, positives, cleared, negatives].every(isCount), "an impossible judge", where);
  requireThat2(found <= positives && cleared <= negatives, "an impossible judge", where);
}
function requirePossible(tally, where) {
  const { n, events, missing, n_planned: planned, pool } = tally;
  requireThat2([n, events, missing, planned].every(isCount), "a count that is none", where);
  requireThat2(events + missing <= n, "more events and missing answers than answers", where);
  requireThat2(planned === 0 || n <= planned, "more answers than the plan allows", where);
  requireThat2(pool === null || isCount(pool) && pool >= n, "more draws than the pool holds", where);
  requireClusters(tally, where);
  if (tally.errors) requireErrors(tally.errors, where);
}
function requireFits(tally, measure, where) {
  if (measure === void 0) throw new Refusal("no such measure in the rubric", where);
  for (const key of ["unit", "population"]) {
    requireThat2(
      tally[key] === measure[key],
      `${key} ${tally[key]}, the rubric says ${measure[key]}`,
      `${where}.${key}`
    );
  }
  requireThat2(tally.complement === measure.isNegated, "event and absence mixed up", `${where}.complement`);
}
function readTallies(document, rubric, name) {
  const result = /* @__PURE__ */ new Map();
  for (const [key, given] of Object.entries(document ?? {})) {
    const where = `${name}.${key}`;
    const tally = { ...DEFAULTS, ...given };
    requireThat2(tally.measure === key, "stands under another name", where);
    requireFits(tally, rubric.measures.get(key.split("@")[0]), where);
    requirePossible(tally, where);
    result.set(key, tally);
  }
  return result;
}

// src/decision/decide.ts
var SAFE_SIDE = { lower_is_safer: "<", higher_is_safer: ">", higher_is_more_capable: "<" };
function withoutDefaults(row) {
  const isDefault2 = (value) => value === void 0 || value === 0 || Array.isArray(value) && value.length === 0;
  return Object.fromEntries(Object.entries(row).filter(([, value]) => !isDefault2(value)));
}
function statusOfGroup(need, statuses) {
  const count = (status2) => statuses.filter((other) => other === status2).length;
  if (count("met") >= need) return "met";
  if (statuses.length - count("not_met") < need) return "not_met";
  return count("met") + count("undetermined") < need ? "not_assessed" : "undetermined";
}
function splitLevels(alphas, need, size) {
  return {
    met: alphas.met.over(new Fraction(BigInt(size - need + 1))),
    not_met: alphas.not_met.over(new Fraction(BigInt(need)))
  };
}
var RuleEvaluation = class {
  constructor(context) {
    this.context = context;
  }
  context;
  rows = [];
  addRow(row) {
    this.rows.push(withoutDefaults(row));
    return { status: row.status, tree: { node: "row", row: this.rows.length - 1 } };
  }
  evaluate(node2, alphas) {
    if ("attested" in node2) {
      const status2 = this.context.attested.has(node2.attested) ? "met" : "not_assessed";
      return this.addRow({ attested: node2.attested, status: status2 });
    }
    if ("children" in node2) {
      return this.evaluateGroup(node2.need, node2.children, alphas, (child, shared) => this.evaluate(child, shared));
    }
    return this.evaluateMeasure(node2, alphas);
  }
  evaluateGroup(need, children, alphas, evaluateChild) {
    const shared = splitLevels(alphas, need, children.length);
    const results = children.map((child) => evaluateChild(child, shared));
    const status2 = statusOfGroup(
      need,
      results.map((result) => result.status)
    );
    return { status: status2, tree: { node: "branch", need, status: status2, children: results.map((result) => result.tree) } };
  }
  // Label semantics 8: the safe side must hold for every setting, the other side for any of them, which pays.
  evaluateMeasure(node2, alphas) {
    const { id, settings, direction } = node2.measure;
    const rowOf = (name, levels) => this.addRow(decideRow(name, this.context.tallies.get(name), node2, levels, this.context));
    if (settings.length === 0) return rowOf(id, alphas);
    const need = node2.op.startsWith(SAFE_SIDE[direction]) ? settings.length : 1;
    return this.evaluateGroup(
      need,
      settings.map((setting) => `${id}@${setting}`),
      alphas,
      rowOf
    );
  }
};
function rulesInOrder(levels) {
  const rules = levels.flatMap((level) => level.rules.map((rule) => ({ level, ...rule })));
  const upwards = rules.filter((rule) => rule.test !== "rule_out");
  const downwards = rules.filter((rule) => rule.test === "rule_out").reverse();
  return [...upwards, ...downwards];
}
function evaluateRules(rubric, context) {
  const alphas = { met: rubric.statistics.alpha, not_met: rubric.statistics.alpha };
  return rulesInOrder(rubric.levels).map(({ level, test, node: node2 }) => {
    const rule = new RuleEvaluation(context);
    const { status: status2, tree } = rule.evaluate(node2, alphas);
    return { level: level.id, name: level.name, test, status: status2, rows: rule.rows, tree };
  });
}
function pairOf(rubric, results) {
  const statusOf = (index, test) => results.find((r) => r.level === rubric.levels[index]?.id && r.test === test)?.status;
  const last = rubric.levels.length - 1;
  let low = 0;
  if (rubric.kind === "assurance") {
    while (low < last && statusOf(low + 1, "when") === "met") low += 1;
    let high2 = low;
    while (high2 < last && statusOf(high2 + 1, "when") !== "not_met") high2 += 1;
    return [low, high2];
  }
  while (low < last && statusOf(low + 1, "rule_in") === "met") low += 1;
  let high = last;
  while (high > 0 && statusOf(high, "rule_out") === "met") high -= 1;
  return [low, high];
}
function isUnlisted(name, measures) {
  const [id = "", ...rest] = name.split("@");
  const settings = measures.get(id)?.settings ?? [];
  return rest.length === 0 ? settings.length > 0 : !settings.includes(rest.join("@"));
}
function flagsOf2(rubric, context, results, isContradicted) {
  const rows = results.flatMap((result) => result.rows);
  const hasFlag = (row) => Array.isArray(row.flags) && row.flags.includes("judge_uncertified");
  const applies = {
    judge_uncertified: rows.some(hasFlag),
    unlisted_settings: [...context.tallies.keys()].some((name) => isUnlisted(name, rubric.measures)),
    contradictory_rows: isContradicted
  };
  return Object.keys(applies).filter((flag) => applies[flag]);
}
var PAIR_WORDS = {
  assurance: ["granted", "cannot_exclude_up_to"],
  hazard: ["established", "not_ruled_out"]
};
function contextOf(rubric, given) {
  const design2 = given.design ?? "fixed";
  if (!rubric.statistics.designs.includes(design2)) {
    throw new Refusal(`design ${design2} is not allowed`, "$.statistics.design");
  }
  const attested = new Set(given.attested ?? []);
  for (const id of attested) {
    if (!rubric.attestations.has(id)) throw new Refusal(`unknown attestation ${id}`, "attested");
  }
  const tallies = readTallies(given.tallies, rubric, "tallies");
  const references = readTallies(given.references, rubric, "references");
  return { statistics: rubric.statistics, design: design2, attested, tallies, references };
}
function decide(rubric, given) {
  const context = contextOf(rubric, given);
  const levels = evaluateRules(rubric, context);
  const [lowest, highest] = pairOf(rubric, levels);
  const low = rubric.levels[lowest];
  const high = rubric.levels[Math.max(lowest, highest)];
  const flags = flagsOf2(rubric, context, levels, lowest > highest);
  const [lowWord, highWord] = PAIR_WORDS[rubric.kind];
  const document = {
    format: "verilabel/label/v1",
    rubric: rubric.reference,
    kind: rubric.kind,
    design: context.design,
    levels,
    scale: rubric.levels.map((level) => level.id),
    [lowWord]: { id: low.id, name: low.name },
    [highWord]: { id: high.id, name: high.name }
  };
  return flags.length > 0 ? { ...document, flags } : document;
}
var decideCase = (given) => decide(readRubric(given.rubric), given);
function sentenceOf(label) {
  const [lowWord, highWord] = PAIR_WORDS[label.kind];
  const half = (word2) => {
    const { id, name } = label[word2];
    return `${id} ${name}`;
  };
  return label.kind === "assurance" ? `${half(lowWord)} granted, cannot exclude up to ${half(highWord)}` : `${half(lowWord)} established, ${half(highWord)} not ruled out`;
}

// src/records/forms.ts
var Misfit = class extends Error {
};
function misfit(message, path) {
  return new Misfit(path === "$" ? message : `${message} - at \`${path}\``);
}
function kindOf(value) {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (isObject(value)) return "object";
  return { boolean: "bool", string: "str", number: "int", bigint: "int" }[typeof value];
}
var expected = (what, value, path) => misfit(`Expected \`${what}\`, got \`${kindOf(value)}\``, path);
var text = {
  read(value, path) {
    if (typeof value !== "string") throw expected("str", value, path);
    return value;
  }
};
var integer = {
  read(value, path) {
    if (typeof value !== "number") throw expected("int", value, path);
    return value;
  }
};
var truth = {
  read(value, path) {
    if (typeof value !== "boolean") throw expected("bool", value, path);
    return value;
  }
};
var scalar = {
  read(value, path) {
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
    throw expected("bool | int | str", value, path);
  }
};
var anyObject = {
  read(value, path) {
    if (!isObject(value)) throw expected("object", value, path);
    return value;
  }
};
function oneOf(...values) {
  return {
    read(value, path) {
      if (typeof value !== "string") throw expected("str", value, path);
      if (!values.includes(value)) throw misfit(`Invalid enum value ${quote(value)}`, path);
      return value;
    }
  };
}
function orNull(form) {
  return { read: (value, path, notes) => value === null ? null : form.read(value, path, notes) };
}
function list(form) {
  return {
    read(value, path, notes) {
      if (!Array.isArray(value)) throw expected("array", value, path);
      return value.map((item, index) => form.read(item, `${path}[${index}]`, notes));
    }
  };
}
function onlyOne(form) {
  return {
    read(value, path, notes) {
      if (!Array.isArray(value)) throw expected("array", value, path);
      if (value.length !== 1) throw misfit(`Expected \`array\` of length 1, got ${value.length}`, path);
      return form.read(value[0], `${path}[0]`, notes);
    }
  };
}
var fourIntegers = {
  read(value, path, notes) {
    if (!Array.isArray(value)) throw expected("array", value, path);
    const bound = value.length < 4 ? "least" : "most";
    if (value.length !== 4) throw misfit(`Expected \`array\` of at ${bound} length 4, got ${value.length}`, path);
    return value.map((item, i) => integer.read(item, `${path}[${i}]`, notes));
  }
};
function dict(form) {
  return {
    read(value, path, notes) {
      if (!isObject(value)) throw expected("object", value, path);
      return new Map([...value].map(([key, item]) => [key, form.read(item, `${path}[...]`, notes)]));
    }
  };
}
var required = (form) => ({ form, isRequired: true, keepsDefault: false });
var optional = (form, otherwise) => ({
  form,
  isRequired: false,
  otherwise,
  keepsDefault: false
});
var spoken = (form, otherwise) => ({
  form,
  isRequired: false,
  otherwise,
  keepsDefault: true
});
function isDefault(value, otherwise) {
  if (Array.isArray(value) && Array.isArray(otherwise)) return value.length === otherwise.length;
  if (value instanceof Map && otherwise instanceof Map) return value.size === otherwise.size;
  return value === otherwise;
}
function struct(fields) {
  const names = Object.keys(fields);
  return {
    read(value, path, notes) {
      if (!isObject(value)) throw expected("object", value, path);
      const result = {};
      for (const [key, item] of value) {
        if (!Object.hasOwn(fields, key)) throw misfit(`Object contains unknown field \`${key}\``, path);
        const field = fields[key];
        result[key] = field.form.read(item, `${path}.${key}`, notes);
        if (!field.isRequired && !field.keepsDefault && isDefault(result[key], field.otherwise?.())) {
          notes.hasSecondSpelling = true;
        }
      }
      for (const name of names) {
        if (Object.hasOwn(result, name)) continue;
        const field = fields[name];
        if (field.isRequired) throw misfit(`Object missing required field \`${name}\``, path);
        result[name] = field.otherwise?.();
      }
      return result;
    }
  };
}
function refusal(error, where, prefix) {
  return error instanceof Misfit ? malformed(prefix + error.message, where) : error;
}
function convert(form, value, where, prefix = "") {
  const notes = { hasSecondSpelling: false };
  try {
    const read = form.read(value, "$", notes);
    return { value: read, isCanonical: !notes.hasSecondSpelling };
  } catch (error) {
    throw refusal(error, where, prefix);
  }
}
function convertCanonical(form, document, data, where, said = {}) {
  const { value, isCanonical } = convert(form, document, where, said.prefix);
  if (!isCanonical || !areEqual(canonicalBytes(document), data)) {
    throw malformed(said.message ?? "not in canonical form", where);
  }
  return value;
}

// src/records/documents.ts
var none = () => null;
var noText = () => "";
var zero = () => 0;
var no = () => false;
var noTexts = () => /* @__PURE__ */ new Map();
var identity = oneOf("weights", "provider_asserted", "fingerprinted", "recorded", "simulated");
var collapse = oneOf("any", "all");
var language = text;
var unsaid = () => void 0;
var design = oneOf("fixed", "anytime");
var unit = oneOf("item", "family", "trial");
var population = oneOf("items_sampled", "items_fixed");
var SYSTEM_FORM = struct({
  name: required(text),
  provider_model: required(text),
  identity: required(identity),
  format: required(oneOf("verilabel/system/v1")),
  weights: optional(orNull(text), none),
  params: optional(dict(scalar), () => /* @__PURE__ */ new Map()),
  system_prompt: optional(orNull(text), none),
  tools: optional(dict(text), noTexts),
  guardrails: optional(dict(text), noTexts),
  use_case: spoken(text, () => "general-chat"),
  locale: spoken(text, () => "en-US"),
  modality: spoken(text, () => "text"),
  base_url: optional(orNull(text), none)
});
var RUBRIC_REFERENCE = struct({ id: required(text), version: required(text), sha256: required(text) });
var ERRORS = struct({
  true_positives: required(integer),
  positives: required(integer),
  true_negatives: required(integer),
  negatives: required(integer),
  dataset: required(text),
  dataset_sha256: required(text),
  language: spoken(language, unsaid),
  method: optional(text, noText)
});
var CARD = struct({
  id: required(text),
  version: required(text),
  event: required(text),
  sha256: required(text),
  exact: optional(truth, no),
  errors: optional(list(ERRORS), () => []),
  setting: optional(text, noText)
});
var TALLY = struct({
  measure: required(text),
  n: required(integer),
  events: required(integer),
  missing: optional(integer, zero),
  unit: optional(unit, () => "item"),
  population: optional(population, () => "items_sampled"),
  clusters: optional(list(fourIntegers), () => []),
  pool: optional(orNull(integer), none),
  exact: optional(truth, no),
  errors: optional(orNull(ERRORS), none),
  complement: optional(truth, no),
  n_planned: optional(integer, zero)
});
var STREAM = struct({
  suite: required(text),
  suite_sha256: required(text),
  index_sha256: required(text),
  samples: required(integer),
  limit: required(integer),
  detectors: required(list(text)),
  epochs: optional(integer, () => 1),
  strata: optional(dict(text), noTexts)
});
var MEASURE = struct({
  id: required(text),
  suite: required(text),
  event: required(text),
  detector: required(text),
  unit: required(unit),
  population: required(population),
  where: optional(dict(list(text)), () => /* @__PURE__ */ new Map()),
  collapse: optional(collapse, () => "any"),
  negate: optional(truth, no),
  samples: optional(integer, zero),
  language: spoken(language, unsaid)
});
var REFERENCE = struct({
  tally: required(TALLY),
  system_sha256: required(text),
  manifest_sha256: required(text),
  evidence_root: required(text)
});
var BUDGET = struct({
  requests: optional(orNull(integer), none),
  tokens: optional(orNull(integer), none),
  usd: optional(orNull(text), none)
});
var IMPORTED = struct({
  tool: required(text),
  tool_version: required(text),
  files: required(dict(text)),
  task: optional(text, noText),
  created: optional(text, noText)
});
var PLAN_FORM = struct({
  system_sha256: required(text),
  rubric: required(RUBRIC_REFERENCE),
  design: required(design),
  seed: required(text),
  streams: required(list(STREAM)),
  measures: required(list(MEASURE)),
  detectors: required(list(CARD)),
  format: required(oneOf("verilabel/plan/v1")),
  order: required(oneOf("sha256-sort/v1")),
  fixed_outcomes: optional(truth, no),
  max_attempts: optional(integer, () => 5),
  budget: spoken(BUDGET, () => ({ requests: null, tokens: null, usd: null })),
  references: optional(list(REFERENCE), () => []),
  created: optional(text, noText),
  imported: optional(orNull(IMPORTED), none)
});
var MANIFEST_FORM = struct({
  format: required(text),
  entries: required(
    list(
      struct({
        path: required(text),
        size: required(integer),
        sha256: required(text),
        role: required(text),
        visibility: required(oneOf("public", "gated", "sealed"))
      })
    )
  )
});
var SUBJECT = struct({
  name: required(text),
  digest: required(struct({ sha256: required(text) }))
});
var ISSUER = struct({ name: required(text), keyid: required(text) });
var TOOL = struct({ name: required(text), version: required(text) });
var STATEMENT_TYPE = "https://in-toto.io/Statement/v1";
var STATEMENT_FORM = struct({
  _type: required(oneOf(STATEMENT_TYPE)),
  predicateType: required(oneOf("https://verilabel.example/attestation/label/v1")),
  subject: required(onlyOne(SUBJECT)),
  predicate: required(
    struct({
      label: required(anyObject),
      label_sha256: required(text),
      rubric: required(RUBRIC_REFERENCE),
      plan: required(struct({ sha256: required(text), log_index: required(orNull(integer)) })),
      evidence: required(
        struct({ root: required(text), leaves: required(integer), algorithm: required(oneOf("rfc6962-sha256")) })
      ),
      manifest_sha256: required(text),
      design: required(design),
      identity: required(identity),
      issued: required(text),
      valid_until: required(text),
      issuer: required(ISSUER),
      tool: required(TOOL)
    })
  )
});
var ENTRY_FIELDS = {
  id: required(text),
  sha256: required(text),
  family: optional(text, noText),
  stratum: optional(text, noText),
  tags: optional(dict(text), noTexts)
};
var ENTRY_ORDER = Object.keys(ENTRY_FIELDS);
var ENTRY_FORM = struct(ENTRY_FIELDS);
var unitOf = (entry) => entry.family || entry.id;
var status = oneOf("met", "not_met", "undetermined", "not_assessed");
var ROW = struct({
  status: required(status),
  measure: optional(orNull(text), none),
  attested: optional(orNull(text), none),
  op: optional(orNull(text), none),
  threshold: optional(orNull(text), none),
  n: optional(integer, zero),
  events: optional(integer, zero),
  missing: optional(integer, zero),
  rate: optional(orNull(text), none),
  lower: optional(orNull(text), none),
  upper: optional(orNull(text), none),
  alpha_met: optional(orNull(text), none),
  alpha_not_met: optional(orNull(text), none),
  tested_met: optional(orNull(text), none),
  tested_not_met: optional(orNull(text), none),
  log_e_met: optional(orNull(text), none),
  log_e_not_met: optional(orNull(text), none),
  log_needed: optional(orNull(text), none),
  reason: optional(orNull(text), none),
  flags: optional(list(text), () => [])
});
var NODE = {
  read: (value, path, notes) => (isObject(value) && value.get("node") === "row" ? LEAF : BRANCH).read(value, path, notes)
};
var LEAF = struct({ node: required(oneOf("row")), row: required(integer) });
var BRANCH = struct({
  node: required(oneOf("branch")),
  status: required(status),
  need: required(integer),
  children: required(list(NODE))
});
var HALF3 = struct({ id: required(text), name: required(text) });
var LABEL_FORM = struct({
  format: required(oneOf("verilabel/label/v1")),
  rubric: required(RUBRIC_REFERENCE),
  kind: required(oneOf("assurance", "hazard")),
  design: required(design),
  levels: required(
    list(
      struct({
        level: required(text),
        name: required(text),
        test: required(oneOf("when", "rule_in", "rule_out")),
        status: required(status),
        rows: required(list(ROW)),
        tree: optional(orNull(NODE), none)
      })
    )
  ),
  scale: required(list(text)),
  flags: optional(list(text), () => []),
  granted: optional(orNull(HALF3), none),
  cannot_exclude_up_to: optional(orNull(HALF3), none),
  established: optional(orNull(HALF3), none),
  not_ruled_out: optional(orNull(HALF3), none)
});

// src/evidence/moments.ts
var DAY_MS = 864e5;
var FORM = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;
var MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December"
];
function parseTime(text2, where) {
  const moment = FORM.test(text2) ? Date.parse(text2) : Number.NaN;
  const isMoment = !Number.isNaN(moment) && new Date(moment).toISOString() === text2.replace("Z", ".000Z");
  if (!isMoment || text2.startsWith("0000")) throw malformed("not a time in UTC such as 2026-11-22T13:00:00Z", where);
  return moment;
}
function writeDay(moment) {
  const date = new Date(moment);
  return `${String(date.getUTCDate()).padStart(2, "0")} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
}

// src/records/wording.ts
var SPACING = /[\p{White_Space}\u001c-\u001f]+/u;
var isBlank = (text2) => text2.split(SPACING).every((word2) => word2 === "");
var foldCharacter = (character) => character === "ı" ? character : character.toLowerCase().toUpperCase().toLowerCase();
var foldName = (name) => [...name].map(foldCharacter).join("").split(SPACING).filter(Boolean).join(" ");

// src/evidence/wordforms.ts
var MAX_TEXT = 1e4;
var MAX_WORD = 200;
var MAX_LISTED = 1e3;
var LEVEL = /^0\.[0-9]{0,5}[1-9]$/;
var requireDigest = (value, where) => {
  if (!isDigest(value)) throw malformed("not a SHA-256 digest", where);
};
function requireWords(value, where) {
  if (isBlank(value) || [...value].length > MAX_TEXT) {
    throw malformed(`not a text of 1 to ${MAX_TEXT} characters`, where);
  }
}
function requireWordList(words, where) {
  if (words.length > MAX_LISTED || new Set(words).size !== words.length) {
    throw malformed(`more than ${MAX_LISTED}, or one twice`, where);
  }
  if (!words.every((word2) => !isBlank(word2) && [...word2].length <= MAX_WORD)) {
    throw malformed(`not a text of 1 to ${MAX_WORD} characters`, where);
  }
}

// src/evidence/audit.ts
var DATASET = "dataset";
var MILLION = 1e6;
var PER_MILLION = /^(?:0|[1-9][0-9]{0,6})(?:\.[0-9]{0,5}[1-9])?$/;
var AUDIT_LIMIT = "an audit's root proves what was audited, not what the model was trained on";
var REFERENCE2 = struct({
  manifest_sha256: required(text),
  dataset_root: required(text),
  shards: required(integer),
  documents: required(integer),
  documents_read: required(integer),
  documents_unread: required(integer),
  bytes_text: required(integer),
  confidence: required(text),
  started: required(text),
  ended: required(text),
  unknown: optional(integer, () => 0)
});
var CHECK = struct({ name: required(text), version: required(text), data_sha256: required(text) });
var BOUNDED = struct({
  kind: required(text),
  found_documents: required(integer),
  bound_per_million: required(text),
  method: required(text),
  basis: required(oneOf("census", "sampled")),
  sample: optional(integer, () => 0)
});
var MATCHES = struct({
  benchmark: required(text),
  benchmark_sha256: required(text),
  items: required(integer),
  items_matched: required(integer),
  documents: required(integer),
  unchecked: optional(integer, () => 0)
});
var CANARY = struct({ kind: required(text), planted: required(integer), found: required(integer) });
var AUDIT = struct({
  audit: required(REFERENCE2),
  checks: required(list(CHECK)),
  statements: required(list(BOUNDED)),
  contamination: required(list(MATCHES)),
  canaries: required(list(CANARY)),
  relation: required(oneOf("audited", "declared-training-data", "declared-fine-tuning-data")),
  text: required(text),
  valid_until: required(text),
  issuer: required(ISSUER),
  issued: required(text),
  tool: required(TOOL)
});
var isDeclaration = ({ relation }) => relation !== "audited";
function requireCounts(form, where) {
  for (const [name, value] of Object.entries(form)) {
    if (typeof value === "number" && value < 0) throw malformed("a negative count", `${where}.${name}`);
  }
}
function requirePart(part, whole, where) {
  if (part > whole) throw malformed("more than what it is a part of", where);
}
function requireListed(keys, where) {
  if (keys.length > MAX_LISTED || new Set(keys).size !== keys.length) {
    throw malformed(`more than ${MAX_LISTED}, or one twice`, where);
  }
}
function checkReference(audit, issued, where) {
  requireDigest(audit.manifest_sha256, `${where}.manifest_sha256`);
  requireDigest(audit.dataset_root, `${where}.dataset_root`);
  requireCounts(audit, where);
  if (audit.documents !== audit.documents_read + audit.documents_unread) {
    throw malformed("the documents are not those that were read and those that were not", where);
  }
  if (audit.shards === 0 || audit.documents_read === 0) throw malformed("an audit that read nothing", where);
  if (!LEVEL.test(audit.confidence)) {
    throw malformed("not a decimal between 0 and 1 of at most 6 places", `${where}.confidence`);
  }
  const started = parseTime(audit.started, `${where}.started`);
  const ended = parseTime(audit.ended, `${where}.ended`);
  if (!(started <= ended && ended <= issued)) {
    throw malformed("it did not begin, end and get signed in this order", `${where}.ended`);
  }
}
function checkChecks(checks, where) {
  if (checks.length === 0) throw malformed("an audit that looked for nothing", where);
  requireWordList(
    checks.map(({ name }) => name),
    where
  );
  checks.forEach(({ version, data_sha256 }, i) => {
    requireWordList([version], `${where}[${i}].version`);
    requireDigest(data_sha256, `${where}[${i}].data_sha256`);
  });
}
function checkBounded(statement, read, where) {
  requireWordList([statement.kind], `${where}.kind`);
  requireWordList([statement.method], `${where}.method`);
  requireCounts(statement, where);
  if (statement.basis === "sampled" !== statement.sample > 0) {
    throw malformed("a sample has a size, a census has none", `${where}.sample`);
  }
  requirePart(statement.sample, read, `${where}.sample`);
  requirePart(statement.found_documents, statement.sample || read, `${where}.found_documents`);
  const bound = statement.bound_per_million;
  if (!PER_MILLION.test(bound) || Number(bound) > MILLION) {
    throw malformed("not a decimal from 0 to 1000000 of at most 6 places", `${where}.bound_per_million`);
  }
  if (statement.found_documents > 0 && bound === "0") {
    throw malformed("some were found, and the bound says none", `${where}.bound_per_million`);
  }
}
function checkMatches(matches2, read, where) {
  requireWordList([matches2.benchmark], `${where}.benchmark`);
  requireDigest(matches2.benchmark_sha256, `${where}.benchmark_sha256`);
  requireCounts(matches2, where);
  if (matches2.items === 0) throw malformed("a benchmark of which nothing was looked for", `${where}.items`);
  requirePart(matches2.unchecked, matches2.items, `${where}.unchecked`);
  requirePart(matches2.items_matched, matches2.items - matches2.unchecked, `${where}.items_matched`);
  requirePart(matches2.documents, read, `${where}.documents`);
  if (matches2.items_matched > 0 !== matches2.documents > 0) {
    throw malformed("items are found in documents, and documents hold items", `${where}.documents`);
  }
}
function checkSubject(audit, name, about, where) {
  const isDataset = about === audit.audit.dataset_root;
  if (!isDeclaration(audit) && !(isDataset && name === DATASET)) {
    throw malformed("the subject is not the data set that was audited", `${where}.audit.dataset_root`);
  }
  if (isDeclaration(audit) && isDataset) throw malformed("a data set is not its own training data", `${where}.relation`);
}
var pairOf2 = (a, b) => JSON.stringify([a, b]);
function checkAudit(audit, name, about, issued, where) {
  checkReference(audit.audit, issued, `${where}.audit`);
  const read = audit.audit.documents_read;
  checkChecks(audit.checks, `${where}.checks`);
  requireListed(
    audit.statements.map(({ kind, basis }) => pairOf2(kind, basis)),
    `${where}.statements`
  );
  audit.statements.forEach((statement, i) => checkBounded(statement, read, `${where}.statements[${i}]`));
  requireListed(
    audit.contamination.map(({ benchmark, benchmark_sha256 }) => pairOf2(benchmark, benchmark_sha256)),
    `${where}.contamination`
  );
  audit.contamination.forEach((matches2, i) => checkMatches(matches2, read, `${where}.contamination[${i}]`));
  requireWordList(
    audit.canaries.map(({ kind }) => kind),
    `${where}.canaries`
  );
  audit.canaries.forEach((canary, i) => {
    requireCounts(canary, `${where}.canaries[${i}]`);
    requirePart(canary.found, canary.planted, `${where}.canaries[${i}].found`);
  });
  requireWords(audit.text, `${where}.text`);
  if (parseTime(audit.valid_until, `${where}.valid_until`) <= issued) {
    throw malformed("it ends before it is issued", `${where}.valid_until`);
  }
  checkSubject(audit, name, about, where);
}

// src/evidence/keys.ts
var MAX_PUBLIC_LINE = 1024;
var SPKI_PREFIX = Uint8Array.from([48, 42, 48, 5, 6, 3, 43, 101, 112, 3, 33, 0]);
var FIELD = 2n ** 255n - 19n;
var SMALL_ORDER_Y = /* @__PURE__ */ new Set([
  0n,
  1n,
  FIELD - 1n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd83d3d706a17c7n
]);
var ED25519 = 1;
var COSIGNATURE = 4;
function checkKeyName(name, where) {
  if (name === "" || /[\p{White_Space}\u0000-\u001f\u007f+\u001c-\u001f]/u.test(name)) {
    throw malformed(`${quote(name)} cannot name a key`, where, "a word or an address such as labels.example.org");
  }
  if (!name.isWellFormed()) throw malformed("a key's name is not valid Unicode", where);
}
function checkPoint(raw, where) {
  if (raw.length !== 32) throw malformed(`an Ed25519 public key has 32 bytes, this one ${raw.length}`, where);
  const y = BigInt(`0x${hexOf(raw.slice().reverse())}`) & 2n ** 255n - 1n;
  if (y >= FIELD || SMALL_ORDER_Y.has(y)) {
    throw malformed("the public key is one that accepts signatures from anyone, or is written irregularly", where);
  }
}
function makeKey(name, raw, type, where) {
  checkKeyName(name, where);
  checkPoint(raw, where);
  const material = joinBytes(Uint8Array.of(type), raw);
  const noteHash = hexOf(sha256(joinBytes(encodeText(`${name}
`), material)).subarray(0, 4));
  const line = `${name}+${noteHash}+${writeBase64(material)}`;
  return { name, raw, type, noteHash, line, keyid: digestOfBytes(joinBytes(SPKI_PREFIX, raw)) };
}
var ofType = (key, type) => makeKey(key.name, key.raw, type);
function parsePublic(line, where) {
  const [name, , ...rest] = line.split("+");
  if (line.length > MAX_PUBLIC_LINE || name === void 0 || rest.length === 0) {
    throw malformed("not a public key line", where, "NAME+HASH+BASE64, as `keys export` prints it");
  }
  checkKeyName(name, where);
  const material = readBase64(rest.join("+"), "the public key", where);
  const type = material[0] ?? 0;
  if (type !== ED25519 && type !== COSIGNATURE) {
    const code = `0x${type.toString(16).padStart(2, "0")}`;
    throw malformed(`keys of type ${code} are not supported`, where, "Ed25519: types 0x01 and 0x04");
  }
  const key = makeKey(name, material.slice(1), type, where);
  if (key.line !== line) throw malformed("the public key line does not match its own hash", where);
  return key;
}
function parsePublicFile(data, where) {
  if (data.length > MAX_PUBLIC_LINE + 1 || data.at(-1) !== 10) {
    throw malformed("a public key file is one line that ends in a newline", where);
  }
  const line = decodeText(data.subarray(0, -1));
  if (line === void 0) throw malformed("not UTF-8", where);
  return parsePublic(line, where);
}
async function verifySignature(key, signature, message, where) {
  const bytes = (data) => data;
  let holds = false;
  try {
    const imported = await crypto.subtle.importKey("raw", bytes(key.raw), { name: "Ed25519" }, false, ["verify"]);
    holds = await crypto.subtle.verify({ name: "Ed25519" }, imported, bytes(signature), bytes(message));
  } catch (error) {
    if (error.name === "NotSupportedError") throw new Error("this browser cannot check Ed25519 signatures");
  }
  if (!holds) throw sealError(`the signature does not verify with the key ${key.name} (${key.keyid})`, where);
}

// src/evidence/envelope.ts
var IN_TOTO = "application/vnd.in-toto+json";
var MAX_ENVELOPE_BYTES = 8 * 2 ** 20;
var MAX_SIGNATURES = 16;
function preAuthenticationEncoding(type, payload) {
  const kind = encodeText(type);
  return joinBytes(encodeText(`DSSEv1 ${kind.length} `), kind, encodeText(` ${payload.length} `), payload);
}
function requireFields(value, fields, where) {
  const names = Object.keys(fields);
  if (!isObject(value) || value.size !== names.length || !names.every((name) => value.has(name))) {
    throw sealError(`not an object with exactly ${names.join(", ")}`, where);
  }
  for (const name of names) {
    const item = value.get(name);
    const fits = fields[name] === "list" ? Array.isArray(item) : typeof item === "string";
    if (!fits) throw sealError("a value of the wrong type", `${where}.${name}`);
  }
  return value;
}
function parseEnvelope(data, where) {
  const limits = { maxBytes: MAX_ENVELOPE_BYTES, maxDepth: 4 };
  const parsed = parseJson(data, where, limits);
  const document = requireFields(parsed, { payload: "string", payloadType: "string", signatures: "list" }, `${where}: $`);
  const signatures = document.get("signatures");
  if (signatures.length < 1 || signatures.length > MAX_SIGNATURES) {
    throw sealError(`the envelope has ${signatures.length} signatures`, `${where}: $.signatures`);
  }
  signatures.forEach((item, i) => requireFields(item, { keyid: "string", sig: "string" }, `${where}: $.signatures[${i}]`));
  if (!areEqual(encodeText(`${canonicalText(document)}
`), data)) {
    throw sealError("the envelope is not in its canonical form", where);
  }
  return document;
}
async function verifyAll(signatures, message, keys, where) {
  const known = new Map(keys.map((key) => [key.keyid, key]));
  for (const [index, item] of signatures.entries()) {
    const place = `${where}: $.signatures[${index}]`;
    const keyid = item.get("keyid");
    const key = known.get(keyid);
    if (key === void 0) {
      throw sealError(`signed by a key that was not given, or twice by one: ${quote(keyid.slice(0, 80))}`, place);
    }
    known.delete(keyid);
    const signature = readBase64(item.get("sig"), "the signature", `${place}.sig`);
    await verifySignature(key, signature, message, place);
  }
}
async function openEnvelope(data, keys, where) {
  try {
    const document = parseEnvelope(data, where);
    if (document.get("payloadType") !== IN_TOTO) {
      throw sealError("the envelope holds another type of payload", `${where}: $.payloadType`);
    }
    const payload = readBase64(document.get("payload"), "the payload", `${where}: $.payload`);
    const message = preAuthenticationEncoding(IN_TOTO, payload);
    await verifyAll(document.get("signatures"), message, keys, where);
    return payload;
  } catch (error) {
    if (error instanceof Failure && error.kind !== "SealError") throw sealError(error.message, error.where, error.hint);
    throw error;
  }
}

// src/evidence/merkle.ts
var HASH_BYTES = 32;
var MAX_LEAVES = 2n ** 63n - 1n;
var MAX_PROOF_HASHES = 64;
var node = new Uint8Array(65);
node[0] = 1;
function nodeHash(left, right) {
  node.set(left, 1);
  node.set(right, 33);
  return sha256(node);
}
function leafHash(line) {
  return sha256.create().update(Uint8Array.of(0)).update(line).digest();
}
var Frontier = class {
  subtrees = [];
  size = 0;
  add(leaf) {
    let hash = leaf;
    for (let carried = this.size; carried % 2 === 1; carried = Math.floor(carried / 2)) {
      hash = nodeHash(this.subtrees.pop(), hash);
    }
    this.subtrees.push(hash);
    this.size += 1;
  }
  root() {
    const [last, ...others] = this.subtrees.toReversed();
    if (last === void 0) return sha256(new Uint8Array());
    return others.reduce((root, subtree) => nodeHash(subtree, root), last);
  }
};
function checkShape(size, proof, ...hashes) {
  if (size < 0n || size > MAX_LEAVES) throw sealError(`no tree has ${size} leaves`);
  if (proof.length > MAX_PROOF_HASHES) {
    throw sealError(`the proof has ${proof.length} hashes, no tree needs more than ${MAX_PROOF_HASHES}`);
  }
  if ([...proof, ...hashes].some((item) => item.length !== HASH_BYTES)) {
    throw sealError(`a hash is not ${HASH_BYTES} bytes long`);
  }
}
function skipToLeftSibling(position, last) {
  let [at, end] = [position, last];
  while (at !== 0n && (at & 1n) === 0n) [at, end] = [at >> 1n, end >> 1n];
  return [at, end];
}
function verifyInclusion(leaf, index, size, proof, root) {
  checkShape(size, proof, leaf, root);
  if (index < 0n || index >= size) throw sealError(`the proof is for entry ${index}, the tree has ${size}`);
  let [position, last] = [index, size - 1n];
  let computed = leaf;
  for (const sibling of proof) {
    if (last === 0n) throw sealError("the inclusion proof has too many hashes");
    if ((position & 1n) === 1n || position === last) {
      computed = nodeHash(sibling, computed);
      [position, last] = skipToLeftSibling(position, last);
    } else computed = nodeHash(computed, sibling);
    [position, last] = [position >> 1n, last >> 1n];
  }
  if (last !== 0n) throw sealError("the inclusion proof has too few hashes");
  if (!areEqual(computed, root)) throw sealError("the inclusion proof leads to another root");
}
function verifyConsistency(oldSize, newSize, proof, oldRoot, newRoot) {
  checkShape(newSize, proof, oldRoot, newRoot);
  if (oldSize < 0n || oldSize > newSize) throw sealError(`the tree has shrunk from ${oldSize} to ${newSize}`);
  const inconsistent = sealError("the trees are not consistent");
  if (oldSize === 0n || oldSize === newSize) {
    const empty = sha256(new Uint8Array());
    const expected2 = oldSize === 0n ? empty : newRoot;
    const isEmptyRight = newSize !== 0n || areEqual(newRoot, empty);
    if (proof.length > 0 || !areEqual(oldRoot, expected2) || !isEmptyRight) throw inconsistent;
    return;
  }
  const [old, now] = rootsByConsistency(oldSize, newSize, proof, oldRoot);
  if (!areEqual(old, oldRoot) || !areEqual(now, newRoot)) throw inconsistent;
}
function rootsByConsistency(oldSize, newSize, proof, oldRoot) {
  if (proof.length === 0) throw sealError("the consistency proof has too few hashes");
  const [first, ...path] = (oldSize & oldSize - 1n) === 0n ? [oldRoot, ...proof] : proof;
  let [position, last] = [oldSize - 1n, newSize - 1n];
  while ((position & 1n) === 1n) [position, last] = [position >> 1n, last >> 1n];
  let old = first;
  let now = old;
  for (const sibling of path) {
    if (last === 0n) throw sealError("the consistency proof has too many hashes");
    if ((position & 1n) === 1n || position === last) {
      [old, now] = [nodeHash(sibling, old), nodeHash(sibling, now)];
      [position, last] = skipToLeftSibling(position, last);
    } else now = nodeHash(now, sibling);
    [position, last] = [position >> 1n, last >> 1n];
  }
  if (last !== 0n) throw sealError("the consistency proof has too few hashes");
  return [old, now];
}

// src/evidence/note.ts
var MAX_NOTE_BYTES = 256 * 1024;
var MAX_NOTE_SIGNATURES = 64;
var MAX_EXTRA_BYTES = 64 * 1024;
var MAX_TIME = 2n ** 63n - 1n;
var PROOF_HEADER = "c2sp.org/tlog-proof@v1";
var DASH = "— ";
function requireNoteText(data, where) {
  const text2 = requireText(data, where);
  if (/[\u0000-\u0009\u000b-\u001f]/.test(text2)) throw malformed("a control character in a note", where);
  return text2;
}
function parseSignature(line, where) {
  const parts = line.slice(DASH.length).split(" ");
  if (!line.startsWith(DASH) || parts.length !== 2) {
    throw malformed("not a signature line: a dash, a key name, base64", where);
  }
  const [name = "", encoded = ""] = parts;
  checkKeyName(name, where);
  const data = readBase64(encoded, "the signature", where);
  if (data.length <= 4) throw malformed("a signature without bytes", where);
  return { name, noteHash: hexOf(data.subarray(0, 4)), signature: data.slice(4) };
}
function parseNote(data, where) {
  if (data.length > MAX_NOTE_BYTES) {
    throw malformed(`a note of ${data.length} bytes, the limit is ${MAX_NOTE_BYTES}`, where);
  }
  const whole = requireNoteText(data, where);
  const split = whole.lastIndexOf("\n\n");
  if (split < 0 || !whole.endsWith("\n")) {
    throw malformed("not a signed note: text, an empty line, signature lines", where);
  }
  const lines = whole.slice(split + 2).split("\n").slice(0, -1);
  if (lines.length < 1 || lines.length > MAX_NOTE_SIGNATURES) {
    throw malformed(`a note with ${lines.length} signature lines`, where);
  }
  const signatures = lines.map((line, i) => parseSignature(line, `${where}: signature ${i + 1}`));
  if (new Set(signatures.map((s) => `${s.name} ${s.noteHash}`)).size !== signatures.length) {
    throw malformed("two signatures of the same key", where);
  }
  return { text: whole.slice(0, split + 1), signatures };
}
async function verifyCosignature(text2, { signature }, key, where) {
  if (signature.length !== 8 + 64) throw sealError(`the cosignature of ${key.name} has the wrong length`, where);
  const time = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0);
  if (time > MAX_TIME) throw sealError(`the cosignature of ${key.name} has an impossible time`, where);
  await verifySignature(key, signature.slice(8), encodeText(`cosignature/v1
time ${time}
${text2}`), where);
  return { key, time };
}
async function openNote(data, keys, where) {
  const note = parseNote(data, where);
  const known = new Map(keys.map((key) => [`${key.name} ${key.noteHash}`, key]));
  const opened = { text: note.text, signers: [], cosignatures: [], unknown: 0 };
  for (const signature of note.signatures) {
    const key = known.get(`${signature.name} ${signature.noteHash}`);
    if (key === void 0) opened.unknown += 1;
    else if (key.type === COSIGNATURE) {
      opened.cosignatures.push(await verifyCosignature(note.text, signature, key, where));
    } else {
      await verifySignature(key, signature.signature, encodeText(note.text), where);
      opened.signers.push(key);
    }
  }
  if (opened.signers.length + opened.cosignatures.length === 0) {
    const by = note.signatures.slice(0, 4).map((s) => `${s.name}+${s.noteHash}`);
    throw sealError("no known key signed this note", where, `signed by ${by.join(", ")}`);
  }
  return opened;
}
function parseDecimal(text2, where) {
  const isNumber = /^(?:0|[1-9][0-9]{0,18})$/.test(text2);
  if (!isNumber || BigInt(text2) > MAX_LEAVES) {
    throw malformed(`${quote(text2.slice(0, 40))} is not a number in plain decimal digits`, where);
  }
  return BigInt(text2);
}
function parseCheckpoint(text2, where) {
  const lines = text2.split("\n");
  const content = lines.slice(0, -1);
  if (lines.length < 4 || lines.at(-1) !== "" || content.includes("")) {
    throw malformed("a checkpoint has three lines or more: origin, size, root", where);
  }
  const [origin = "", size = "", encoded = ""] = content;
  const root = readBase64(encoded, "the root", where);
  if (root.length !== HASH_BYTES) throw malformed(`the root has ${root.length} bytes, not ${HASH_BYTES}`, where);
  return { origin, size: parseDecimal(size, where), root };
}
function findBlankLine(data) {
  for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, at + 1)) if (data[at + 1] === 10) return at;
  return -1;
}
function parseProof(data, where) {
  if (data.length > MAX_NOTE_BYTES + 2 * MAX_EXTRA_BYTES) throw malformed(`a proof of ${data.length} bytes`, where);
  const end = findBlankLine(data);
  const [header, ...rest] = requireNoteText(end < 0 ? data : data.subarray(0, end), where).split("\n");
  if (end < 0 || header !== PROOF_HEADER) throw malformed(`not a proof: its first line is not ${PROOF_HEADER}`, where);
  const hasExtra = rest[0]?.startsWith("extra ") ?? false;
  if (hasExtra) readBase64(rest.shift().slice("extra ".length), "the extra data", where);
  const first = rest.shift();
  if (!first?.startsWith("index ")) throw malformed("a proof without an index", where);
  const index = parseDecimal(first.slice("index ".length), where);
  const path = rest.map((line) => readBase64(line, "a hash of the proof", where));
  if (path.length > MAX_PROOF_HASHES || path.some((item) => item.length !== HASH_BYTES)) {
    throw malformed("an inclusion proof is at most 64 hashes of 32 bytes", where);
  }
  const checkpointNote = data.slice(end + 2);
  parseNote(checkpointNote, where);
  return { index, path, checkpointNote, hasExtra };
}
function countWitnesses(cosignatures, logKey, quorum, where) {
  const independent = new Set(cosignatures.map(({ key }) => hexOf(key.raw)));
  independent.delete(hexOf(logKey.raw));
  if (independent.size < quorum) {
    throw sealError(`${independent.size} known witnesses cosigned, ${quorum} are asked for`, where);
  }
}
async function openProof(data, leaf, logKey, witnesses, quorum, where) {
  const proof = parseProof(data, where);
  const keys = [logKey, ...witnesses].filter((key) => key !== logKey || key.type === ED25519);
  const opened = await openNote(proof.checkpointNote, keys, where);
  const checkpoint = parseCheckpoint(opened.text, where);
  const signer = opened.signers.find((key) => key.name === checkpoint.origin);
  if (signer === void 0) throw sealError(`the log ${checkpoint.origin} did not sign this checkpoint itself`, where);
  countWitnesses(opened.cosignatures, signer, quorum, where);
  try {
    verifyInclusion(leaf, proof.index, checkpoint.size, proof.path, checkpoint.root);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw sealError(error.message, where, "the log does not hold what this proof is for");
  }
  return { index: proof.index, checkpoint, logKey: signer, cosignatures: opened.cosignatures, unknown: opened.unknown };
}
function checkConsistency(data, old, now, where) {
  const document = parseJson(data, where);
  const names = ["from", "to", "proof"];
  const isForm = isObject(document) && document.size === 3 && names.every((name) => document.has(name));
  if (!isForm || !areEqual(canonicalBytes(document), data)) {
    throw malformed("not a consistency proof in canonical form", where);
  }
  const [from, to, hashes] = names.map((name) => document.get(name));
  if (typeof from !== "number" || typeof to !== "number") throw malformed("a size is not a number", where);
  if (BigInt(from) !== old.size || BigInt(to) !== now.size || old.origin !== now.origin) {
    throw sealError("the proof is not between the two checkpoints", where);
  }
  if (!Array.isArray(hashes) || !hashes.every((item) => typeof item === "string")) {
    throw malformed("the proof is not a list of hashes", where);
  }
  const path = hashes.map((item) => readBase64(item, "a hash", where));
  try {
    verifyConsistency(old.size, now.size, path, old.root, now.root);
  } catch (error) {
    throw error instanceof Failure ? sealError(error.message, where) : error;
  }
}

// src/evidence/attestation.ts
var BASE = "https://verilabel.example/attestation/";
var MAX_ATTESTATION_BYTES = 2 ** 20;
var MAX_SIGNED_BYTES = 3 * MAX_ATTESTATION_BYTES;
var MAX_NAME = 100;
var NAME = /^[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*$/;
var SIX_PLACES = /^-?[01]\.[0-9]{6}$/;
var GROUNDS = ["evidence", "scoring", "method", "scope", "conduct", "other"];
var noText2 = () => "";
var verdict = oneOf("replicated", "not_replicated", "underpowered");
var SIGNED_BY = { issuer: required(ISSUER), issued: required(text), tool: required(TOOL) };
var EVIDENCE = struct({ name: required(text), sha256: required(text) });
var BUNDLE = struct({
  statement_sha256: required(text),
  manifest_sha256: required(text),
  evidence_root: required(text),
  system_sha256: required(text),
  keyid: required(text),
  label: required(text)
});
var COMPARED = struct({
  measure: required(text),
  verdict: required(verdict),
  items: required(integer),
  n_original: required(integer),
  events_original: required(integer),
  n_replica: required(integer),
  events_replica: required(integer),
  agreeing: required(integer),
  identical: required(integer),
  missing: optional(integer, () => 0),
  difference: optional(text, noText2),
  lower: optional(text, noText2),
  upper: optional(text, noText2),
  p_value: optional(text, noText2),
  needed: optional(integer, () => 0)
});
var REPLICATION = struct({
  original: required(BUNDLE),
  replica: required(BUNDLE),
  independence: required(text),
  comparison: required(
    struct({
      verdict: required(verdict),
      alpha: required(text),
      margin: required(text),
      scope: required(list(text)),
      differing: required(list(text)),
      label: required(oneOf("confirmed", "contradicted", "undetermined")),
      measures: required(list(COMPARED))
    })
  ),
  ...SIGNED_BY
});
var DISPUTE = struct({
  grounds: required(list(oneOf(...GROUNDS))),
  text: required(text),
  rows: required(list(text)),
  evidence: required(list(EVIDENCE)),
  ...SIGNED_BY
});
var WITHDRAWAL = struct({ reason: required(text), superseded_by: required(orNull(text)), ...SIGNED_BY });
var FINDING = struct({
  name: required(text),
  role: required(text),
  text: required(text),
  evidence: required(list(EVIDENCE)),
  valid_until: required(text),
  ...SIGNED_BY
});
var FORMS = {
  replication: REPLICATION,
  dispute: DISPUTE,
  withdrawal: WITHDRAWAL,
  finding: FINDING,
  audit: AUDIT
};
var typeOf = (kind) => `${BASE}${kind === "audit" ? "training-data-audit" : kind}/v1`;
function checkReplication(found, about, where) {
  requireWords(found.independence, `${where}.independence`);
  for (const name of ["original", "replica"]) {
    for (const part of ["statement_sha256", "manifest_sha256", "evidence_root", "system_sha256", "keyid"]) {
      requireDigest(found[name][part], `${where}.${name}.${part}`);
    }
  }
  for (const name of ["original", "replica"]) requireWords(found[name].label, `${where}.${name}.label`);
  if (about !== found.original.statement_sha256) {
    throw malformed("the subject is not the original's statement", `${where}.original`);
  }
  checkComparison(found.comparison, `${where}.comparison`);
}
function checkComparison(comparison, where) {
  for (const name of ["alpha", "margin"]) {
    if (!LEVEL.test(comparison[name])) {
      throw malformed("not a decimal between 0 and 1 of at most 6 places", `${where}.${name}`);
    }
  }
  if (Number(comparison.alpha) > 0.1) throw malformed("an error level above 0.1", `${where}.alpha`);
  requireWordList(comparison.scope, `${where}.scope`);
  requireWordList(comparison.differing, `${where}.differing`);
  if (!comparison.differing.every((key) => comparison.scope.includes(key))) {
    throw malformed("a key that is not of the scope", `${where}.differing`);
  }
  requireWordList(
    comparison.measures.map(({ measure }) => measure),
    `${where}.measures`
  );
  comparison.measures.forEach((measure, i) => checkCompared(measure, `${where}.measures[${i}]`));
}
function checkCompared(measure, where) {
  for (const [name, value] of Object.entries(measure)) {
    if (typeof value === "number" && value < 0) throw malformed("a negative count", `${where}.${name}`);
  }
  for (const name of ["difference", "lower", "upper", "p_value"]) {
    if (measure[name] !== "" && !SIX_PLACES.test(measure[name])) {
      throw malformed("not a decimal of 6 places", `${where}.${name}`);
    }
  }
  if (Math.max(measure.agreeing, measure.identical, measure.missing) > measure.items) {
    throw malformed("more items of a kind than items", where);
  }
}
function checkForms({ predicate, name, about, issued }, where) {
  const place = `${where}.predicate`;
  const requireEvidence = (evidence) => {
    requireWordList(
      evidence.map(({ name: name2 }) => name2),
      `${place}.evidence`
    );
    evidence.forEach(({ sha256: sha2562 }, i) => requireDigest(sha2562, `${place}.evidence[${i}].sha256`));
  };
  switch (predicate.kind) {
    case "replication":
      return checkReplication(predicate.value, about, place);
    case "dispute":
      requireWords(predicate.value.text, `${place}.text`);
      if (new Set(predicate.value.grounds).size !== (predicate.value.grounds.length || -1)) {
        throw malformed("no grounds, or one of them twice", `${place}.grounds`, GROUNDS.join(", "));
      }
      requireWordList(predicate.value.rows, `${place}.rows`);
      return requireEvidence(predicate.value.evidence);
    case "withdrawal":
      requireWords(predicate.value.reason, `${place}.reason`);
      if (predicate.value.superseded_by !== null) requireDigest(predicate.value.superseded_by, `${place}.superseded_by`);
      return;
    case "finding":
      requireWords(predicate.value.text, `${place}.text`);
      if (predicate.value.name.length > MAX_NAME || !NAME.test(predicate.value.name)) {
        throw malformed(
          "not a name: letters and digits, joined by single dots, dashes, underscores or plus signs",
          `${place}.name`
        );
      }
      requireWordList([predicate.value.role], `${place}.role`);
      if (parseTime(predicate.value.valid_until, `${place}.valid_until`) <= issued) {
        throw malformed("it ends before it is issued", `${place}.valid_until`);
      }
      return requireEvidence(predicate.value.evidence);
    case "audit":
      checkAudit(predicate.value, name, about, issued, place);
  }
}
function kindOf2(type, where) {
  const kind = Object.keys(FORMS).find((name) => type === typeOf(name));
  if (kind !== void 0) return kind;
  const shown = quote(String(type).slice(0, 100));
  throw malformed(
    `a statement of a kind that is not known here: ${shown}`,
    `${where}: $.predicateType`,
    `known are ${Object.keys(FORMS).join(", ")}`
  );
}
function parseAttestation(payload, where) {
  const document = parseJson(payload, where, { maxBytes: MAX_ATTESTATION_BYTES });
  const names = ["_type", "subject", "predicateType", "predicate"];
  if (!isObject(document) || document.size !== names.length || !names.every((name) => document.has(name))) {
    throw malformed("not an in-toto statement", where);
  }
  if (document.get("_type") !== STATEMENT_TYPE) throw malformed("not an in-toto Statement v1", `${where}: $._type`);
  const kind = kindOf2(document.get("predicateType"), where);
  const { value: subject } = convert(onlyOne(SUBJECT), document.get("subject"), `${where}: $.subject`);
  const { value, isCanonical } = convert(FORMS[kind], document.get("predicate"), `${where}: $.predicate`);
  const predicate = { kind, value };
  const about = `sha256:${subject.digest.sha256}`;
  requireDigest(about, `${where}: $.subject[0].digest`);
  requireDigest(predicate.value.issuer.keyid, `${where}: $.predicate.issuer.keyid`);
  const issued = parseTime(predicate.value.issued, `${where}: $.predicate.issued`);
  const attestation = { predicate, name: subject.name, about, digest: digestOfBytes(payload), issued };
  checkForms(attestation, `${where}: $`);
  if (!isCanonical || !areEqual(canonicalBytes(document), payload)) throw malformed("not in canonical form", where);
  return attestation;
}
var FILE = struct({
  format: required(oneOf("verilabel/signed/v1")),
  envelope: required(anyObject),
  signer: required(text),
  log: optional(orNull(text), () => null),
  proof: optional(orNull(text), () => null)
});
async function parseSigned(data, where) {
  const document = parseJson(data, where, { maxBytes: MAX_SIGNED_BYTES });
  const { value: file, isCanonical } = convert(FILE, document, where, "not a signed statement: ");
  const isWritten = areEqual(encodeText(`${canonicalText(document)}
`), data);
  if (!isCanonical || !isWritten || file.log === null !== (file.proof === null)) {
    throw malformed("a signed statement that is not in its canonical form", where);
  }
  const signer = parsePublic(file.signer, `${where}: $.signer`);
  if (signer.type !== ED25519) throw malformed("a witness's key does not sign statements", `${where}: $.signer`);
  const envelope = encodeText(`${canonicalText(file.envelope)}
`);
  const payload = await openEnvelope(envelope, [signer], `${where}: $.envelope`);
  const attestation = parseAttestation(payload, where);
  const { issuer } = attestation.predicate.value;
  if (issuer.keyid !== signer.keyid || issuer.name !== signer.name) {
    throw sealError("the statement names another key than the one that signed it", where);
  }
  const fileName = `${attestation.digest.slice(7, 23)}.json`;
  const signed = { attestation, signer, proof: void 0, logKey: void 0, fileName };
  if (file.log === null || file.proof === null) return signed;
  signed.proof = encodeText(file.proof);
  signed.logKey = parsePublicFile(encodeText(`${file.log}
`), `${where}: $.log`);
  await openStatementProof(signed, void 0, where);
  return signed;
}
var leafOfEntry = (kind, digest) => leafHash(canonicalBytes({ digest, kind }));
async function openStatementProof(signed, trust, where) {
  if (signed.proof === void 0 || signed.logKey === void 0) return void 0;
  if (parseProof(signed.proof, where).hasExtra) {
    throw sealError("the proof carries data that nothing authenticates", where);
  }
  const leaf = leafOfEntry("verilabel.statement/v1", signed.attestation.digest);
  return openProof(signed.proof, leaf, signed.logKey, trust?.keys("witness") ?? [], trust?.quorum ?? 0, where);
}

// src/evidence/patterns.ts
function readSet(inner) {
  const characters = [...inner];
  const ranges = [];
  for (let i = 0; i < characters.length; i += 1) {
    const first = characters[i];
    const last = characters[i + 1] === "-" ? characters[i + 2] : void 0;
    ranges.push([first, last ?? first]);
    if (last !== void 0) i += 2;
  }
  return ranges;
}
var pointOf = (character) => character.codePointAt(0);
function setOf(inner) {
  const isNegated = inner.startsWith("!");
  const ranges = readSet(isNegated ? inner.slice(1) : inner);
  return (character) => {
    const point = pointOf(character);
    return ranges.some(([first, last]) => pointOf(first) <= point && point <= pointOf(last)) !== isNegated;
  };
}
function readPattern(pattern) {
  const pieces = [];
  const characters = [...pattern];
  for (let i = 0; i < characters.length; i += 1) {
    const character = characters[i];
    const close = character === "[" ? characters.indexOf("]", i + (characters[i + 1] === "!" ? 3 : 2)) : -1;
    if (close > 0) {
      pieces.push(setOf(characters.slice(i + 1, close).join("")));
      i = close;
    } else if (character === "*") {
      if (pieces.at(-1) !== "*") pieces.push("*");
    } else pieces.push(character === "?" ? "?" : (other) => other === character);
  }
  return pieces;
}
function matches(name, pattern) {
  const pieces = readPattern(pattern);
  const characters = [...name];
  let [at, piece, starAt, starPiece] = [0, 0, -1, -1];
  while (at < characters.length) {
    const wanted = pieces[piece];
    if (wanted === "*") {
      [starAt, starPiece] = [at, piece];
      piece += 1;
    } else if (wanted !== void 0 && (wanted === "?" || wanted(characters[at]))) {
      at += 1;
      piece += 1;
    } else if (starPiece >= 0) {
      starAt += 1;
      [at, piece] = [starAt, starPiece + 1];
    } else return false;
  }
  return pieces.slice(piece).every((rest) => rest === "*");
}

// src/evidence/trust.ts
var TRUST_FORMAT = "verilabel/trust/v1";
var MAX_TRUST_BYTES = 2 ** 20;
var MAX_RULES = 1e4;
var MAX_QUORUM = 64;
var MAX_IDENTITY = 2048;
var ANCHORS = ["sigstore_trusted_root", "timestamp_authorities"];
var RULES2 = "any, all, key, sigstore, within or unsafe_accept_any_key";
var ROLES = ["labels", "log", "witness", "replications", "disputes", "attestations", "audits"];
var SCOPED = /* @__PURE__ */ new Set(["labels", "replications", "disputes", "attestations", "audits"]);
var accepted = (name, isNamed = true, holders = [foldName(name)]) => ({
  isAccepted: true,
  name,
  isNamed,
  holders: new Set(holders)
});
var refused = (reason) => ({ isAccepted: false, reason });
function refusalOf(scope, question) {
  if (scope.roles !== void 0 && !scope.roles.has(question.role)) return `not for the role ${question.role}`;
  if (!SCOPED.has(question.role)) return void 0;
  for (const [what, patterns, value] of [
    ["rubric", scope.rubrics, question.rubric],
    ["system", scope.systems, question.system]
  ]) {
    if (patterns === void 0) continue;
    if (value === void 0 || !patterns.some((pattern) => matches(value, pattern))) {
      return `not for the ${what} ${value ?? "None"}`;
    }
  }
  return void 0;
}
function decideAny(rules, question) {
  const decisions = rules.map((rule) => decideRule(rule, question));
  const taken = decisions.filter((decision) => decision.isAccepted);
  const first = taken.find(({ isNamed }) => isNamed) ?? taken[0];
  if (first !== void 0) return first;
  const refusals = decisions;
  const telling = refusals.find((decision) => !decision.isAccepted && decision.reason.includes("counts, but"));
  return telling ?? refusals[0] ?? refused("no rule");
}
function decideAll(rules, question) {
  const every = [];
  for (const rule of rules) {
    const decision = decideRule(rule, question);
    if (!decision.isAccepted) return decision;
    every.push(decision);
  }
  if (every.length === 0) return refused("no rule");
  const named = every.filter(({ isNamed }) => isNamed);
  const holders = (named.length > 0 ? named : every).flatMap((decision) => [...decision.holders]);
  return accepted([...new Set(every.map(({ name }) => name))].join(", "), named.length > 0, holders);
}
function decideRule(rule, question) {
  switch (rule.kind) {
    case "anyone":
      return accepted(`anyone (unsafe): ${question.key.name}`, false);
    case "any":
      return decideAny(rule.rules, question);
    case "all":
      return decideAll(rule.rules, question);
    case "identity":
      return refused("not a key of this policy");
    case "key": {
      if (hexOf(rule.key.raw) !== hexOf(question.key.raw)) return refused("not a key of this policy");
      const outside = refusalOf(rule.scope, question);
      return outside === void 0 ? accepted(rule.name) : refused(`${rule.name} counts, but ${outside}`);
    }
    case "within": {
      const decision = decideRule(rule.rule, question);
      const outside = refusalOf(rule.scope, question);
      if (outside === void 0 || !decision.isAccepted) return decision;
      return refused(`${decision.name} counts, but ${outside}`);
    }
  }
}
function* partsOf(rule) {
  yield rule;
  if (rule.kind === "within") yield* partsOf(rule.rule);
  if (rule.kind === "any" || rule.kind === "all") for (const part of rule.rules) yield* partsOf(part);
}
function fieldsOf(value, where, required2, optional2) {
  if (!isMap(value)) throw malformed("not a mapping", where);
  const missing = required2.filter((name) => !value.has(name)).sort();
  const unknown = [...value.keys()].filter((name) => !required2.includes(name) && !optional2.includes(name)).sort();
  if (missing[0] !== void 0) throw malformed(`${quote(missing[0])} is missing`, where);
  if (unknown[0] !== void 0) {
    throw malformed(`no field ${quote(unknown[0])}`, where, [...required2, ...optional2].sort().join(", "));
  }
  return value;
}
function textOf(fields, name, where) {
  const value = fields.get(name);
  if (typeof value !== "string" || isBlank(value) || [...value].length > MAX_IDENTITY) {
    throw malformed("not a text", `${where}.${name}`);
  }
  return value;
}
function textsOf(value, where) {
  if (!Array.isArray(value) || value.length === 0 || !value.every((item) => typeof item === "string" && item !== "")) {
    throw malformed("not a list of at least one text", where);
  }
  return value;
}
function parseScope(fields, where) {
  const patterns = (name) => fields.has(name) ? textsOf(fields.get(name), `${where}.${name}`) : void 0;
  let roles;
  const given = patterns("roles");
  if (given !== void 0) {
    roles = new Set(ROLES.filter((role) => given.includes(role)));
    if (roles.size !== given.length) throw malformed("an unknown role, or one twice", `${where}.roles`, ROLES.join(", "));
  }
  return { roles, rubrics: patterns("rubrics"), systems: patterns("systems") };
}
function parseLimitedScope(fields, where) {
  const scope = parseScope(fields, where);
  const isLimited = scope.rubrics !== void 0 || scope.systems !== void 0;
  if (isLimited && ![...scope.roles ?? []].some((role) => SCOPED.has(role))) {
    throw malformed(`rubrics and systems limit the roles ${[...SCOPED].join(", ")}`, where);
  }
  return scope;
}
function parseKeyRule(value, where) {
  const fields = fieldsOf(value, where, ["key", "name", "roles"], ["rubrics", "systems"]);
  const key = parsePublic(textOf(fields, "key", where), `${where}.key`);
  const name = textOf(fields, "name", where);
  const scope = parseLimitedScope(fields, where);
  if (key.type === COSIGNATURE && !(scope.roles?.size === 1 && scope.roles.has("witness"))) {
    throw malformed("a witness's key counts for the role witness alone", `${where}.roles`);
  }
  return { kind: "key", key, name, scope };
}
function parseIdentityRule(value, where) {
  const fields = fieldsOf(value, where, ["sigstore", "name", "roles"], ["rubrics", "systems"]);
  const place = `${where}.sigstore`;
  const named = fieldsOf(fields.get("sigstore"), place, ["identity", "issuer"], []);
  textOf(named, "identity", place);
  if (!textOf(named, "issuer", place).startsWith("https://")) {
    throw malformed("not the address of an OpenID provider", `${place}.issuer`, "https://...");
  }
  const name = textOf(fields, "name", where);
  const scope = parseLimitedScope(fields, where);
  if (![...scope.roles ?? []].every((role) => SCOPED.has(role))) {
    throw malformed("logs and witnesses sign with keys, not with Sigstore identities", `${where}.roles`);
  }
  return { kind: "identity", name, scope };
}
function parseRules(value, where) {
  if (!Array.isArray(value) || value.length === 0) throw malformed("not a list of at least one rule", where);
  return value.map((item, index) => parseRule(item, `${where}[${index}]`));
}
function parseRule(value, where) {
  if (!isMap(value)) throw malformed("not a rule", where, RULES2);
  if (value.has("key")) return parseKeyRule(value, where);
  if (value.has("sigstore")) return parseIdentityRule(value, where);
  if (value.size !== 1) throw malformed(`a rule is one of ${RULES2}`, where);
  const [kind, content] = [...value][0];
  const place = `${where}.${kind}`;
  if (kind === "any" || kind === "all") return { kind, rules: parseRules(content, place) };
  if (kind === "within") {
    const fields = fieldsOf(content, place, ["accept"], ["roles", "rubrics", "systems"]);
    return { kind, scope: parseScope(fields, place), rule: parseRule(fields.get("accept"), `${place}.accept`) };
  }
  if (kind !== "unsafe_accept_any_key") throw malformed(`no rule ${quote(kind)}`, where, RULES2);
  if (content !== true) throw malformed("this rule is written with the value true, or left out", place);
  return { kind: "anyone" };
}
function keysOf(whole, role) {
  const type = role === "witness" ? COSIGNATURE : ED25519;
  const named = /* @__PURE__ */ new Map();
  for (const rule of partsOf(whole)) {
    if (rule.kind !== "key" || rule.scope.roles !== void 0 && !rule.scope.roles.has(role)) continue;
    if (!SCOPED.has(role) && !decideRule(whole, { key: rule.key, role }).isAccepted) continue;
    const key = ofType(rule.key, type);
    named.set(`${key.name} ${hexOf(key.raw)}`, key);
  }
  return [...named.values()];
}
function parseTrust(data, where) {
  const root = `${where}: $`;
  const fields = fieldsOf(parseYaml(data, where, MAX_TRUST_BYTES), root, ["format", "accept"], ["witness_quorum", ...ANCHORS]);
  if (fields.get("format") !== TRUST_FORMAT) throw malformed(`not the format ${TRUST_FORMAT}`, `${root}.format`);
  const given = fields.get("witness_quorum");
  const quorum = given === void 0 ? 0 : given instanceof Numeral && given.isInteger ? Number(given.text) : -1;
  if (quorum < 0 || quorum > MAX_QUORUM) throw malformed(`not a number from 0 to ${MAX_QUORUM}`, `${root}.witness_quorum`);
  const rule = parseRule(fields.get("accept"), `${root}.accept`);
  const parts = [...partsOf(rule)];
  if (parts.length > MAX_RULES) throw malformed(`more than ${MAX_RULES} rules`, where);
  const acceptsAnyKey = parts.some((part) => part.kind === "anyone");
  const witnesses = new Set(keysOf(rule, "witness").map((key) => hexOf(key.raw)));
  if (keysOf(rule, "log").some((key) => witnesses.has(hexOf(key.raw)))) {
    throw malformed("a key that is both a log's and a witness's: a log cannot be its own witness", `${root}.accept`);
  }
  if (quorum > witnesses.size && !acceptsAnyKey) {
    throw malformed(`${quorum} witnesses are asked for, ${witnesses.size} are named`, `${root}.witness_quorum`);
  }
  const namesIdentities = parts.some(
    (part) => part.kind === "identity" && (part.scope.roles === void 0 || part.scope.roles.has("labels"))
  );
  const named = /* @__PURE__ */ new Map();
  const keys = (role) => {
    const found = named.get(role) ?? keysOf(rule, role);
    named.set(role, found);
    return found;
  };
  return { quorum, acceptsAnyKey, namesIdentities, accepts: (question) => decideRule(rule, question), keys };
}

// src/evidence/layout.ts
var BUNDLE_FORMAT = "verilabel/bundle/v1";
var MANIFEST = "bundle.json";
var SYSTEM = "subject/system.json";
var SYSTEM_PROMPT = "subject/system-prompt.txt";
var CONTAINMENT = "subject/containment.json";
var RUBRIC = "rubric/rubric.yaml";
var RUBRIC_CANONICAL = "rubric/rubric.jcs.json";
var PLAN = "plan/plan.json";
var SUITES = "suites/";
var EVIDENCE2 = "records/evidence.jsonl";
var OBSERVATIONS = "records/observations.jsonl";
var SURPLUS = "records/surplus.jsonl";
var MEASURES = "results/measures.json";
var LABEL = "results/label.json";
var ATTESTATION = "attestations/label.intoto.json";
var SIGNER_KEY = "attestations/signer.pub";
var PLAN_PROOF = "log/plan.tlog-proof";
var LABEL_PROOF = "log/label.tlog-proof";
var CONSISTENCY = "log/consistency.json";
var LOG_KEY = "log/log.vkey";
var KEYLESS = "attestations/label.sigstore.json";
var TIMESTAMP = "log/label.tsr";
var GIVEN = "attestations/given/";
var STATEMENTS = "statements/";
var UNLISTED = /* @__PURE__ */ new Set([
  MANIFEST,
  ATTESTATION,
  SIGNER_KEY,
  PLAN_PROOF,
  LABEL_PROOF,
  CONSISTENCY,
  LOG_KEY,
  KEYLESS,
  TIMESTAMP
]);
var ROLES2 = /* @__PURE__ */ new Map([
  [SYSTEM, "subject"],
  [SYSTEM_PROMPT, "subject"],
  [CONTAINMENT, "subject"],
  [RUBRIC, "rubric"],
  [RUBRIC_CANONICAL, "rubric"],
  [PLAN, "plan"],
  [EVIDENCE2, "evidence"],
  [OBSERVATIONS, "observations"],
  [SURPLUS, "surplus"],
  [MEASURES, "results"],
  [LABEL, "results"]
]);
var REQUIRED = [SYSTEM, RUBRIC, RUBRIC_CANONICAL, PLAN, EVIDENCE2, OBSERVATIONS, SURPLUS, MEASURES, LABEL];
var MAX_FILES = 1e3;
var MAX_STATEMENTS = 64;
var MAX_GIVEN = 64;
var OPEN_ANSWERS = 5;
var MAX_PATH = 200;
var MAX_DOCUMENT_BYTES = 64 * 2 ** 20;
var MAX_JSON_BYTES = 8 * 2 ** 20;
var MAX_SUITE_FILE_BYTES = 2 ** 20;
var MAX_SUITE_FILES_BYTES = 2 * 2 ** 20;
var MAX_LINE_BYTES = 32 * 2 ** 20;
var MAX_BUNDLE_BYTES = 64 * 2 ** 30;
var PATH = /^[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*(?:\/[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*){0,3}$/;
function checkPath(path) {
  if (path.length > MAX_PATH || !PATH.test(path)) {
    throw malformed(`path ${quote(path.slice(0, 80))} may not stand in a bundle`, MANIFEST);
  }
  return path;
}
function suiteFiles(suite) {
  const slug = suite.replaceAll("/", "__");
  return { manifest: `${SUITES}${slug}.suite.yaml`, index: `${SUITES}${slug}.index.jsonl` };
}
var isUnlisted2 = (path) => UNLISTED.has(path) || path.startsWith(STATEMENTS) && path.endsWith(".json");
function roleOf(path) {
  const role = ROLES2.get(path);
  if (role !== void 0) return role;
  if (path.startsWith(SUITES) && (path.endsWith(".suite.yaml") || path.endsWith(".index.jsonl"))) return "suite";
  if (path.startsWith(GIVEN) && path.endsWith(".json")) return "attestation";
  throw malformed(`${quote(path)} has no role in a bundle of format ${BUNDLE_FORMAT}`, MANIFEST);
}

// src/evidence/container.ts
var CENTRAL_SIZE = 46;
var END_SIZE = 22;
var DOS_DATE = 33;
var VERSION = 20;
var UTF8_FLAG = 2048;
var BLOCK = 2 ** 20;
var byPath = ([a], [b]) => a < b ? -1 : a > b ? 1 : 0;
var CRC_TABLES = makeCrcTables();
function makeCrcTables() {
  const first = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte += 1) {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? value >>> 1 ^ 3988292384 : value >>> 1;
    first[byte] = value >>> 0;
  }
  const tables = [first];
  for (let k = 1; k < 4; k += 1) {
    const before = tables[k - 1];
    tables.push(first.map((_, byte) => before[byte] >>> 8 ^ first[before[byte] & 255]));
  }
  return tables;
}
function extendCrc(crc, data) {
  const [t0, t1, t2, t3] = CRC_TABLES;
  let value = ~crc;
  let at = 0;
  for (; at + 4 <= data.length; at += 4) {
    value ^= data[at] | data[at + 1] << 8 | data[at + 2] << 16 | data[at + 3] << 24;
    value = t3[value & 255] ^ t2[value >>> 8 & 255] ^ t1[value >>> 16 & 255] ^ t0[value >>> 24];
  }
  for (; at < data.length; at += 1) value = value >>> 8 ^ t0[(value ^ data[at]) & 255];
  return ~value >>> 0;
}
function pack(fields) {
  const data = new Uint8Array(fields.reduce((sum, [width]) => sum + width, 0));
  const view = new DataView(data.buffer);
  let at = 0;
  for (const [width, value] of fields) {
    if (width === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += width;
  }
  return data;
}
function localHeader(name, size, crc) {
  const raw = encodeText(name);
  const head = pack([[4, 67324752], [2, VERSION], [2, UTF8_FLAG], [2, 0], [2, 0], [2, DOS_DATE], [4, crc], [4, size], [4, size], [2, raw.length], [2, 0]]);
  return joinBytes(head, raw);
}
function centralHeader(name, size, crc, offset) {
  const raw = encodeText(name);
  const head = pack([
    [4, 33639248],
    [2, VERSION],
    [2, VERSION],
    [2, UTF8_FLAG],
    [2, 0],
    [2, 0],
    [2, DOS_DATE],
    [4, crc],
    [4, size],
    [4, size],
    [2, raw.length],
    [2, 0],
    [2, 0],
    [2, 0],
    [2, 0],
    [4, 0],
    [4, offset]
  ]);
  return joinBytes(head, raw);
}
var endRecord = (count, size, offset) => pack([[4, 101010256], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, offset], [2, 0]]);
var Part = class {
  constructor(whole, start, size) {
    this.whole = whole;
    this.start = start;
    this.size = size;
  }
  whole;
  start;
  size;
  read(start, end) {
    return this.whole.read(this.start + start, this.start + Math.min(end, this.size));
  }
};
var ZipReader = class {
  constructor(source, name) {
    this.source = source;
    this.name = name;
  }
  source;
  name;
  async read() {
    const size = this.source.size;
    if (size < END_SIZE) throw this.odd("too short to be a zip");
    const end = new DataView((await this.bytes(size - END_SIZE, END_SIZE)).slice().buffer);
    const count = end.getUint16(10, true);
    const directorySize = end.getUint32(12, true);
    const directoryAt = end.getUint32(16, true);
    const isOdd = end.getUint32(0, true) !== 101010256 || end.getUint16(20, true) !== 0 || count > MAX_FILES;
    if (isOdd || directoryAt + directorySize !== size - END_SIZE) {
      throw this.odd("not a zip in the bundle's canonical form (is it compressed, or was it repacked?)");
    }
    if (directorySize > count * (CENTRAL_SIZE + MAX_PATH)) throw this.odd("its directory is larger than its paths need");
    const directory = await this.bytes(directoryAt, directorySize);
    return this.checkCanonical(this.readDirectory(directory, count), directory, directoryAt);
  }
  readDirectory(directory, count) {
    const entries = /* @__PURE__ */ new Map();
    const view = new DataView(directory.buffer, directory.byteOffset, directory.length);
    let at = 0;
    for (let i = 0; i < count; i += 1) {
      if (at + CENTRAL_SIZE > directory.length) throw this.odd("its directory is cut");
      const length = view.getUint16(at + 28, true);
      const raw = directory.subarray(at + CENTRAL_SIZE, at + CENTRAL_SIZE + length);
      if (raw.some((byte) => byte > 127)) throw this.odd("a path is not ASCII");
      const name = checkPath(String.fromCharCode(...raw));
      if (entries.has(name)) throw this.odd(`${name} stands twice`);
      entries.set(name, { size: view.getUint32(at + 24, true), crc: view.getUint32(at + 16, true) });
      at += CENTRAL_SIZE + length;
    }
    return entries;
  }
  async checkCanonical(entries, directory, directoryAt) {
    const names = [...entries.keys()];
    if (names.some((name, i) => i > 0 && name < names[i - 1])) throw this.odd("its paths are not in order");
    const expected2 = [];
    const offsets = /* @__PURE__ */ new Map();
    let offset = 0;
    for (const [name, { size, crc }] of entries) {
      const local = localHeader(name, size, crc);
      if (!areEqual(await this.bytes(offset, local.length), local)) throw this.odd(`the header of ${name} is not canonical`);
      expected2.push(centralHeader(name, size, crc, offset));
      offsets.set(name, offset + local.length);
      offset += local.length + size;
    }
    const whole = joinBytes(...expected2);
    const trailer = await this.bytes(directoryAt + whole.length, END_SIZE);
    const isCanonical = offset === directoryAt && areEqual(whole, directory);
    if (!isCanonical || !areEqual(trailer, endRecord(entries.size, whole.length, offset))) {
      throw this.odd("its directory is not canonical");
    }
    for (const [name, { size, crc }] of entries) {
      if (await this.checksum(offsets.get(name), size) !== crc) {
        throw sealError(`${name} does not have its checksum`, this.name);
      }
    }
    const sizes = new Map([...entries].map(([name, { size }]) => [name, size]));
    return { sizes, open: (path) => new Part(this.source, offsets.get(path), sizes.get(path)) };
  }
  async checksum(offset, size) {
    let crc = 0;
    for (let at = 0; at < size; at += BLOCK * 8) {
      crc = extendCrc(crc, await this.bytes(offset + at, Math.min(size - at, BLOCK * 8)));
    }
    return crc;
  }
  async bytes(offset, size) {
    const data = await this.source.read(offset, offset + size);
    if (data.length !== size) throw this.odd("it is cut short");
    return data;
  }
  odd(what) {
    return sealError(`not a bundle: ${what}`, this.name);
  }
};
function readFolder(entries, name) {
  const files = /* @__PURE__ */ new Map();
  for (const { path, source, oddity } of entries) {
    checkPath(path);
    if (oddity !== void 0 || source === void 0) throw malformed(`${path} ${oddity ?? "cannot be read"}`, name);
    files.set(path, source);
    if (files.size > MAX_FILES) throw limitExceeded(`more than ${MAX_FILES} files`, name);
  }
  const sizes = new Map([...files].map(([path, source]) => [path, source.size]).sort(byPath));
  return { sizes, open: (path) => files.get(path) };
}
async function openContainer(opening) {
  const container = "zip" in opening ? await new ZipReader(opening.zip, opening.name).read() : readFolder(opening.folder, opening.name);
  const total = [...container.sizes.values()].reduce((sum, size) => sum + size, 0);
  if (total > MAX_BUNDLE_BYTES) throw limitExceeded(`larger than ${MAX_BUNDLE_BYTES} bytes`, opening.name);
  return container;
}
async function readDocument(container, path) {
  const size = container.sizes.get(path);
  if (size === void 0) throw malformed("the file is missing", path);
  if (size > MAX_DOCUMENT_BYTES) throw limitExceeded(`over ${MAX_DOCUMENT_BYTES} bytes`, path);
  const data = await container.open(path).read(0, size);
  if (data.length !== size) throw malformed("it became shorter while it was read", path);
  return data;
}

// src/evidence/checks.ts
var MAX_EPOCHS = 1e4;
var MAX_STRATA = 1e3;
var MAX_DETECTORS = 1e3;
var MAX_CLUSTERS = 1e3;
var WEIGHT = /^[0-9]{1,12}(?:\.[0-9]{1,24})?(?:[eE]-?[0-9]{1,2})?$/;
var JUDGED_EVENTS = /* @__PURE__ */ new Set(["harmful", "refused"]);
var nameOf = (card) => `${card.id}@${card.version}`;
var rubricName = (rubric) => `${rubric.reference.id}@${rubric.reference.version}`;
function checkStream(stream, where) {
  if (!(stream.limit >= 1 && stream.limit <= stream.samples)) {
    throw sealError(`${stream.limit} of ${stream.samples} samples cannot be asked`, where);
  }
  if (!(stream.epochs >= 1 && stream.epochs <= MAX_EPOCHS)) {
    throw sealError(`${stream.epochs} epochs cannot be asked`, where);
  }
  if (new Set(stream.detectors).size !== stream.detectors.length) throw sealError("one detector is applied twice", where);
  if (stream.strata.size > MAX_STRATA) throw sealError(`more than ${MAX_STRATA} strata`, where);
  for (const [stratum, weight] of stream.strata) {
    if (!WEIGHT.test(weight) || fractionOfDecimal(weight).top === 0n) {
      throw sealError(`stratum ${quote(stratum)} has a weight that is no positive decimal`, where);
    }
  }
}
var isZero = (value) => /^[+.-]*0[0.+-]*$/.test(String(value));
function checkClaims(plan, rubric, system) {
  if (rubric.useCases.length > 0 && !rubric.useCases.includes(system.use_case)) {
    throw sealError(`${rubricName(rubric)} is not for the use case ${quote(system.use_case)}`, `${PLAN} $.system_sha256`);
  }
  if (!plan.fixed_outcomes || system.identity === "recorded") return;
  const place = `${PLAN} $.fixed_outcomes`;
  if (system.identity !== "weights" || !isZero(system.params.get("temperature") ?? "0")) {
    throw sealError("outcomes are fixed only where answers are recorded or decoded greedily", place);
  }
  if (plan.streams.some((stream) => stream.epochs > 1)) {
    throw sealError("outcomes are fixed, so repeating a question adds no evidence", place);
  }
}
function checkCard(card, where) {
  if (card.exact && JUDGED_EVENTS.has(card.event)) {
    throw sealError(`${nameOf(card)} calls itself exact, and whether an answer is ${card.event} is a judgement`, where);
  }
  for (const errors of card.errors) {
    const fits = errors.true_positives >= 0 && errors.true_positives <= errors.positives && errors.true_negatives >= 0 && errors.true_negatives <= errors.negatives;
    if (!fits) throw sealError(`the measured errors of ${nameOf(card)} cannot be`, where);
  }
}
function checkCards(plan) {
  const where = `${PLAN} $.detectors`;
  const names = new Set(plan.detectors.map(nameOf));
  if (plan.detectors.length > MAX_DETECTORS) throw sealError(`more than ${MAX_DETECTORS} detectors`, where);
  if (names.size !== plan.detectors.length) throw sealError("two detectors have one name", where);
  plan.detectors.forEach((card, index) => checkCard(card, `${where}[${index}]`));
  const unknown = plan.streams.flatMap((s) => s.detectors).filter((name) => !names.has(name));
  const first = unknown.sort(compareByCodePoints)[0];
  if (first !== void 0) throw sealError(`no card says what ${quote(first.slice(0, 80))} finds`, where);
}
function checkReferences(plan) {
  const where = `${PLAN} $.references`;
  if (new Set(plan.references.map(({ tally }) => tally.measure)).size !== plan.references.length) {
    throw sealError("a measure has two references", where);
  }
  for (const { tally } of plan.references) {
    if (tally.clusters.length > MAX_CLUSTERS) {
      throw sealError(`the reference counts of ${tally.measure} are beyond what is compared`, where);
    }
  }
}
function checkDetector(planned, stream, plan, where) {
  const card = plan.detectors.find((other) => nameOf(other) === planned.detector);
  if (card === void 0 || !stream.detectors.includes(planned.detector)) {
    throw sealError(`${planned.id} needs ${planned.detector}, which the plan does not apply`, where);
  }
  if (card.event !== planned.event) {
    throw sealError(`${planned.detector} finds ${quote(card.event)}, not ${quote(planned.event)}`, where);
  }
}
function isMeant(reference, name) {
  const split = (text2) => {
    const at = text2.indexOf("@");
    return at < 0 ? [text2, ""] : [text2.slice(0, at), text2.slice(at + 1)];
  };
  const [id, version] = split(reference);
  const [ownId, own] = split(name);
  return id === ownId && (version === "" || own === version || own.split(".")[0] === version);
}
var isSameFilter = (a, b) => a.size === b.size && [...a].every(([tag, values]) => {
  const other = b.get(tag);
  return other?.length === values.length && values.every((value, i) => value === other[i]);
});
function findDeparture(planned, measure) {
  if (planned.event !== measure.event) return "event";
  if (!isSameFilter(planned.where, measure.filter)) return "where";
  if (planned.unit !== measure.unit) return "unit";
  if (planned.population !== measure.population) return "population";
  if (planned.collapse !== measure.collapse) return "collapse";
  return planned.negate === measure.isNegated ? void 0 : "negate";
}
function checkMeasure(planned, stream, rubric, where) {
  const measure = rubric.measures.get(planned.id);
  if (measure === void 0) throw sealError(`the rubric has no measure ${quote(planned.id)}`, where);
  if (!isMeant(measure.suite, planned.suite)) {
    throw sealError(`the rubric measures ${planned.id} on ${measure.suite}, not on ${planned.suite}`, where);
  }
  const bare = (digest) => digest.replace(/^sha256:/, "");
  if (measure.suiteDigest !== void 0 && bare(measure.suiteDigest) !== bare(stream.suite_sha256)) {
    throw sealError(`the rubric pins ${planned.suite} to another digest`, where);
  }
  if (measure.k !== void 0 && measure.k !== stream.epochs) {
    throw sealError(`${planned.id} counts the best of ${measure.k} answers, the plan asks ${stream.epochs}`, where);
  }
  const departure = findDeparture(planned, measure);
  if (departure !== void 0) throw sealError(`${planned.id}: ${departure} is not the rubric's`, `${where}.${departure}`);
}
function checkPlanAgainstRubric(plan, rubric, system) {
  if (!rubric.statistics.designs.includes(plan.design)) {
    throw sealError(`${rubricName(rubric)} is not decided with the ${plan.design} design`, `${PLAN} $.design`);
  }
  const streams = new Map(plan.streams.map((stream) => [stream.suite, stream]));
  if (streams.size !== plan.streams.length) throw sealError("a suite has two streams", `${PLAN} $.streams`);
  plan.streams.forEach((stream, index) => checkStream(stream, `${PLAN} $.streams[${index}]`));
  parseTime(plan.created, `${PLAN} $.created`);
  checkClaims(plan, rubric, system);
  checkCards(plan);
  checkReferences(plan);
  if (new Set(plan.measures.map(({ id }) => id)).size !== plan.measures.length) {
    throw sealError("a measure is planned twice", `${PLAN} $.measures`);
  }
  plan.measures.forEach((planned, index) => {
    const where = `${PLAN} $.measures[${index}]`;
    const stream = streams.get(planned.suite);
    if (stream === void 0) throw sealError(`${planned.id} is measured on a suite that is not asked`, where);
    checkDetector(planned, stream, plan, where);
    checkMeasure(planned, stream, rubric, where);
  });
}
function mappingOf(value, where) {
  if (!isMap(value)) throw malformed("not a suite file: keys and values are missing here", where);
  return value;
}
function wordOf(value) {
  if (value instanceof Numeral) return value.plain;
  if (value === null || value === void 0) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  return typeof value === "string" ? value : "a list or a mapping";
}
function readFacts(document, where) {
  const root = mappingOf(document, `${where} $`);
  const fields = mappingOf(root.get("fields"), `${where} $.fields`);
  const strata = mappingOf(root.get("strata") === void 0 ? /* @__PURE__ */ new Map() : root.get("strata"), `${where} $.strata`);
  const tags = fields.get("tags") === void 0 ? /* @__PURE__ */ new Map() : fields.get("tags");
  return {
    name: `${wordOf(root.get("id"))}@${wordOf(root.get("version"))}`,
    language: root.has("language") ? wordOf(root.get("language")) : "en",
    strata: new Map([...strata].map(([name, weight]) => [name, wordOf(weight)])),
    hasFamilies: (fields.get("family") ?? null) !== null,
    hasStrata: (fields.get("stratum") ?? null) !== null,
    tags: new Set(mappingOf(tags, `${where} $.fields.tags`).keys())
  };
}
var areSameTexts = (a, b) => a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
async function readSuiteFiles(container, plan) {
  const paths = new Map(plan.streams.map((stream) => [stream.suite, suiteFiles(stream.suite).manifest]));
  const total = [...paths.values()].reduce((sum, path) => sum + (container.sizes.get(path) ?? 0), 0);
  if (total > MAX_SUITE_FILES_BYTES) {
    throw limitExceeded(`suite files of more than ${MAX_SUITE_FILES_BYTES} bytes together`, SUITES);
  }
  const suites = /* @__PURE__ */ new Map();
  for (const [number, stream] of plan.streams.entries()) {
    const path = paths.get(stream.suite);
    const facts = readFacts(parseYaml(await readDocument(container, path), path, MAX_SUITE_FILE_BYTES), path);
    suites.set(stream.suite, facts);
    const where = `${PLAN} $.streams[${number}]`;
    if (facts.name !== stream.suite) throw sealError(`the plan calls ${facts.name} ${stream.suite}`, where);
    if (!areSameTexts(facts.strata, stream.strata)) {
      throw sealError(`the plan weighs the strata of ${stream.suite} otherwise than it does`, where);
    }
  }
  plan.measures.forEach((measure, number) => {
    const spoken2 = suites.get(measure.suite).language;
    const planned = measure.language ?? "en";
    if (planned !== spoken2) {
      throw sealError(
        `${measure.id}: ${measure.suite} is in ${quote(spoken2)}, not in ${quote(planned)}`,
        `${PLAN} $.measures[${number}].language`
      );
    }
  });
  return suites;
}
function findInvented(entry, suite) {
  if (entry.family !== "" && !suite.hasFamilies) return "a family";
  if (entry.stratum !== "" && !suite.hasStrata) return "a stratum";
  const tag = [...entry.tags.keys()].find((name) => !suite.tags.has(name));
  return tag === void 0 ? void 0 : `a tag ${quote([...tag].slice(0, 60).join(""))}`;
}
function checkIndex(stream, entries, suite) {
  const path = suiteFiles(stream.suite).index;
  if (entries.length !== stream.samples) {
    throw sealError(`the index of ${stream.suite} does not have the planned samples`, path);
  }
  for (const entry of stream.strata.size > 0 ? entries : []) {
    if (!stream.strata.has(entry.stratum)) {
      throw malformed(`sample ${quote(entry.id)} is of a stratum without a weight`, path);
    }
  }
  entries.forEach((entry, index) => {
    const invented = findInvented(entry, suite);
    if (invented === void 0) return;
    const id = quote([...entry.id].slice(0, 60).join(""));
    throw sealError(`sample ${id} has ${invented}, which its suite does not read`, `${path}:${index + 1}`);
  });
}
function objectionToFinding(signed, rubric, system, moment) {
  const { predicate, about, issued } = signed.attestation;
  if (predicate.kind !== "finding") throw malformed(`a ${predicate.kind} where a finding belongs`, signed.fileName);
  const finding = predicate.value;
  const asked = rubric.attestations.get(finding.name);
  if (asked === void 0) return `the rubric ${rubricName(rubric)} does not ask for ${quote(finding.name)}`;
  if (finding.role !== asked.role) {
    return `it is signed as ${quote(finding.role)}, the rubric asks for ${quote(asked.role)}`;
  }
  if (about !== system) return "it is about another system";
  if (moment < issued) return `it is signed only on ${writeDay(issued)}`;
  let until = parseTime(finding.valid_until, signed.fileName);
  if (asked.maxAgeDays !== void 0) until = Math.min(until, issued + asked.maxAgeDays * DAY_MS);
  return moment >= until ? `it expired on ${writeDay(until)}` : void 0;
}
function objectionToAudit(signed, audit, system, moment) {
  if (!isDeclaration(audit)) return "it is about a data set, and does not say that the system was trained on it";
  if (signed.attestation.about !== system) return "it is about another system";
  return objectionToTerm(signed, audit.valid_until, moment);
}
function objectionToTerm({ attestation, fileName }, validUntil, moment) {
  if (moment < attestation.issued) return `it is signed only on ${writeDay(attestation.issued)}`;
  const until = parseTime(validUntil, fileName);
  return moment >= until ? `it expired on ${writeDay(until)}` : void 0;
}
var errorOf = (objection2) => checkFailed(`the label is not in force: ${objection2.why}`, objection2.where, objection2.hint);
function findInPlan(issued, plan, days) {
  const where = `${PLAN} $.created`;
  const planned = parseTime(plan.created, where);
  if (planned > issued) {
    return { why: `it was signed on ${writeDay(issued)}, before its plan was made`, hint: "check the clock", where };
  }
  if (issued - planned > days * DAY_MS) {
    const why = `its plan was older than the ${days} days of its rubric when it was signed`;
    return { why, hint: "evaluate again: `verilabel label`", where };
  }
  return void 0;
}
function findObjection(predicate, plan, rubric, now) {
  const where = ATTESTATION;
  const issued = parseTime(predicate.issued, where);
  const until = parseTime(predicate.valid_until, where);
  const days = rubric.validityDays;
  if (until - issued > days * DAY_MS) return { why: `it is signed for longer than the ${days} days of its rubric`, where };
  if (rubric.sunset !== void 0 && until > Date.parse(`${rubric.sunset}T00:00:00Z`)) {
    return { why: `it is signed beyond ${rubric.sunset}, when its rubric goes out of use`, where };
  }
  if (now >= until) {
    const hint = "evaluate again: `verilabel label`";
    return { why: `it expired on ${writeDay(until)}`, flag: "expired", hint, where };
  }
  if (now < issued) {
    const why = `it is valid only from ${writeDay(issued)}`;
    return { why, flag: "not_yet_valid", hint: "check this machine's clock", where };
  }
  return findInPlan(issued, plan, days);
}

// src/evidence/order.ts
var SEPARATOR = "";
var keyOf = (seed, suite, group, name) => hexOf(sha256(encodeText([seed, suite, group, name].join(SEPARATOR))));
var byKey = (a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
function sortMembers(seed, suite, family, ids) {
  if (ids.length === 1) return [...ids];
  return ids.map((id) => ({ id, key: keyOf(seed, suite, family, id) })).sort(byKey).map(({ id }) => id);
}
function groupByStratum(entries, hasStrata) {
  const strata = /* @__PURE__ */ new Map();
  for (const entry of entries) {
    const stratum = hasStrata ? entry.stratum : "";
    const families = strata.get(stratum) ?? /* @__PURE__ */ new Map();
    strata.set(stratum, families);
    const unit2 = unitOf(entry);
    const ids = families.get(unit2);
    if (ids) ids.push(entry.id);
    else families.set(unit2, [entry.id]);
  }
  return strata;
}
function orderIds(seed, suite, entries, strata) {
  const queues = /* @__PURE__ */ new Map();
  for (const [stratum, families] of groupByStratum(entries, strata.size > 0)) {
    const queue = [...families].map(([family, ids]) => ({
      key: keyOf(seed, suite, stratum, family),
      ids: sortMembers(seed, suite, family, ids)
    }));
    queues.set(stratum, queue.sort(byKey));
  }
  const [first, ...others] = queues.values();
  if (first !== void 0 && others.length === 0) return first.flatMap(({ ids }) => ids);
  return interleave(queues, strata);
}
var isBefore = (a, b) => {
  const order = a.due.compare(b.due);
  return order < 0 || order === 0 && compareByCodePoints(a.stratum, b.stratum) < 0;
};
function sinkFirst(heap) {
  for (let at = 0; ; ) {
    let least = at;
    for (const child of [2 * at + 1, 2 * at + 2]) {
      if (child < heap.length && isBefore(heap[child], heap[least])) least = child;
    }
    if (least === at) return;
    [heap[at], heap[least]] = [heap[least], heap[at]];
    at = least;
  }
}
function interleave(queues, strata) {
  const heap = [...queues.keys()].map((stratum) => {
    const weight = fractionOfDecimal(strata.get(stratum));
    return { stratum, weight, due: new Fraction(1n).over(weight), taken: 0n, next: 0 };
  });
  heap.sort((a, b) => isBefore(a, b) ? -1 : 1);
  const result = [];
  for (; ; ) {
    const first = heap[0];
    const queue = queues.get(first.stratum);
    const { ids } = queue[first.next];
    first.next += 1;
    first.taken += BigInt(ids.length);
    for (const id of ids) result.push(id);
    if (first.next === queue.length) return result;
    first.due = new Fraction(first.taken + 1n).over(first.weight);
    sinkFirst(heap);
  }
}

// src/evidence/sealed.ts
var KEPT = ["judge", "answered", "said", "status", "finish", "served_model", "fingerprint", "usage", "failure"];
var bytesOfHex = (text2) => Uint8Array.from(text2.match(/../g) ?? [], (pair2) => Number.parseInt(pair2, 16));
function commitmentOf(line, salt) {
  return DIGEST_PREFIX + hexOf(sha256(joinBytes(Uint8Array.of(0), bytesOfHex(salt), encodeText(line))));
}
function withholdAttempt(record, commitment) {
  const { suite, sample, epoch, attempt, failure } = record;
  const failed = failure;
  const hasResponse = Boolean(record.response) || Boolean(record.response_base64);
  const open = {
    ...record,
    answered: record.output === void 0 ? void 0 : true,
    said: failed && hasResponse ? true : void 0,
    failure: failed && { kind: failed.kind, retryable: failed.retryable, fatal: failed.fatal }
  };
  const kept = Object.fromEntries(KEPT.map((name) => [name, open[name]]));
  return JSON.stringify({ kind: "sealed", suite, sample, epoch, attempt, commitment, ...kept });
}
function contradictionOf(line) {
  if (line.isAnswered && line.failure !== void 0) return "it is answered and it failed";
  if (!line.isAnswered && line.failure === void 0) return "it is neither answered nor failed";
  return line.isAnswered && line.hasResponse ? "an answered attempt is said to have a failed one's response" : void 0;
}
function bigEndian(number) {
  const data = new Uint8Array(8);
  new DataView(data.buffer).setBigUint64(0, BigInt(number));
  return data;
}
function nonceBytes(nonce) {
  if (nonce.get("kind") === "text") return encodeText(nonce.get("text"));
  const note = nonce.get("checkpoint");
  return encodeText(note.slice(0, note.lastIndexOf("\n\n") + 1));
}
function chooseAnswers(challenge, withheld) {
  const document = parseJson(encodeText(challenge), "challenge");
  const nonce = isObject(document) ? document.get("nonce") : void 0;
  if (!isObject(document) || !isObject(nonce)) throw malformed("not a challenge", "challenge");
  const digest = sha256(nonceBytes(nonce));
  const root = bytesOfHex(document.get("root").slice(DIGEST_PREFIX.length));
  const ranked = Array.from({ length: withheld }, (_, number) => ({
    number,
    rank: hexOf(sha256(joinBytes(digest, root, bigEndian(number))))
  }));
  ranked.sort((a, b) => a.rank < b.rank ? -1 : 1);
  const chosen = ranked.slice(0, document.get("k")).map(({ number }) => number);
  return { nonce: hexOf(digest), chosen: chosen.sort((a, b) => a - b) };
}

// src/evidence/counting.ts
var FINAL_KINDS = /* @__PURE__ */ new Set(["filtered", "missing", "empty", "too_large"]);
var increase = (counts, key) => {
  counts.set(key, (counts.get(key) ?? 0) + 1);
};
function collapse2(findings, how) {
  const decisive = how === "any";
  if (findings.includes(decisive)) return decisive;
  return findings.includes(void 0) ? void 0 : !decisive;
}
function poolErrors(card, language2) {
  const mine = card.errors.filter((errors) => (errors.language ?? "en") === (language2 ?? "en"));
  const [first] = mine;
  if (first === void 0) return null;
  if (mine.length === 1) return first;
  const sum = (name) => mine.reduce((total, errors) => total + errors[name], 0);
  const digests = mine.map((errors) => errors.dataset_sha256).sort(compareByCodePoints);
  return {
    true_positives: sum("true_positives"),
    positives: sum("positives"),
    true_negatives: sum("true_negatives"),
    negatives: sum("negatives"),
    dataset: mine.map((errors) => errors.dataset).join(" + "),
    dataset_sha256: digestOfBytes(encodeText(digests.join(""))),
    language: language2,
    method: "pooled"
  };
}
function errorsAsCounted(card, measure) {
  const errors = poolErrors(card, measure.language);
  if (errors === null || !measure.negate) return errors;
  return {
    ...errors,
    true_positives: errors.true_negatives,
    positives: errors.negatives,
    true_negatives: errors.true_positives,
    negatives: errors.positives
  };
}
var MeasureCounter = class {
  constructor(measure, stream, order, index, card, isFixed) {
    this.measure = measure;
    this.stream = stream;
    this.card = card;
    const matches2 = (entry) => [...measure.where].every(([tag, values]) => values.includes(entry.tags.get(tag)));
    this.counted = new Set([...index.values()].filter(matches2).map((entry) => entry.id));
    const planned = order.slice(0, stream.limit).filter((id) => this.counted.has(id));
    this.planned = this.countPlanned(planned, order, index);
    const isPooled = isFixed && measure.population === "items_fixed" && measure.unit === "item";
    this.pool = isPooled ? this.counted.size : null;
    this.errors = errorsAsCounted(card, measure);
  }
  measure;
  stream;
  card;
  counted;
  familySizes = /* @__PURE__ */ new Map();
  open = /* @__PURE__ */ new Map();
  clusters = /* @__PURE__ */ new Map();
  planned;
  pool;
  errors;
  epochFindings = [];
  n = 0;
  events = 0;
  missing = 0;
  countPlanned(planned, order, index) {
    if (this.measure.unit === "trial") return planned.length * this.stream.epochs;
    if (this.measure.unit === "item") return planned.length;
    const started = /* @__PURE__ */ new Map();
    const familyOf = (id) => unitOf(index.get(id));
    for (const id of order) if (this.counted.has(id)) increase(this.familySizes, familyOf(id));
    for (const id of planned) increase(started, familyOf(id));
    return [...started].reduce((sum, [unit2, size]) => sum + (size === this.familySizes.get(unit2) ? size : 0), 0);
  }
  counts(sample) {
    return this.counted.has(sample);
  }
  /** The value as the measure counts it: the event, or its absence. */
  eventOf(value) {
    return value === void 0 ? void 0 : value !== this.measure.negate;
  }
  add(entry, value) {
    const event = this.eventOf(value);
    if (this.measure.unit === "trial") {
      this.count(event);
      return;
    }
    let item = event;
    if (this.stream.epochs > 1) {
      this.epochFindings.push(event);
      if (this.epochFindings.length < this.stream.epochs) return;
      item = collapse2(this.epochFindings, this.measure.collapse);
      this.epochFindings = [];
    }
    if (this.measure.unit === "item") this.count(item);
    else this.addMember(unitOf(entry), item);
  }
  count(event) {
    this.n += 1;
    if (event === void 0) this.missing += 1;
    else if (event) this.events += 1;
  }
  addMember(unit2, item) {
    const members = this.open.get(unit2) ?? [];
    members.push(item);
    this.open.set(unit2, members);
    if (members.length !== this.familySizes.get(unit2)) return;
    this.open.delete(unit2);
    const key = [members.filter((m) => m === true).length, members.filter((m) => m === void 0).length, members.length];
    const cluster = this.clusters.get(key.join()) ?? [...key, 0];
    cluster[3] += 1;
    this.clusters.set(key.join(), cluster);
    for (const member of members) this.count(member);
  }
  tally() {
    const clusters = [...this.clusters.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
    return {
      measure: this.measure.id,
      n: this.n,
      events: this.events,
      missing: this.missing,
      unit: this.measure.unit,
      population: this.measure.population,
      clusters,
      pool: this.pool,
      exact: this.card.exact,
      errors: this.errors,
      complement: this.measure.negate,
      n_planned: this.planned
    };
  }
};
var StreamCounter = class {
  constructor(plan, stream, entries) {
    this.stream = stream;
    const cardOf = (name) => plan.detectors.find((card) => `${card.id}@${card.version}` === name);
    this.events = new Map(stream.detectors.map((name) => [name, cardOf(name).event]));
    this.index = new Map(entries.map((entry) => [entry.id, entry]));
    this.order = orderIds(plan.seed, stream.suite, entries, stream.strata);
    this.measures = plan.measures.filter((measure) => measure.suite === stream.suite).map((m) => new MeasureCounter(m, stream, this.order, this.index, cardOf(m.detector), plan.fixed_outcomes));
    this.length = Math.min(stream.limit, this.order.length) * stream.epochs;
  }
  stream;
  index;
  order;
  measures;
  events;
  /** Answers that the plan allows. */
  length;
  answers = [];
  get consumed() {
    return this.answers.length;
  }
  /** Sample id and epoch of the next answer in the committed order; undefined where the plan allows no more. */
  expected() {
    if (this.consumed >= this.length) return void 0;
    const epochs = this.stream.epochs;
    return {
      sample: this.order[Math.floor(this.consumed / epochs)],
      epoch: this.consumed % epochs + 1
    };
  }
  consume(answer) {
    this.answers.push(answer);
    const entry = this.index.get(answer.sample);
    for (const measure of this.measures) {
      if (measure.counts(answer.sample)) measure.add(entry, answer.findings.get(measure.measure.detector));
    }
  }
};
var Recount = class {
  constructor(plan, indexes, lines) {
    this.lines = lines;
    this.streams = plan.streams.map((s) => new StreamCounter(plan, s, indexes.get(s.suite)));
    this.exact = new Set(plan.detectors.filter((card) => card.exact).map((card) => `${card.id}@${card.version}`));
  }
  lines;
  streams;
  commitments = [];
  served = /* @__PURE__ */ new Map();
  failures = /* @__PURE__ */ new Map();
  requests = 0;
  judgeRequests = 0;
  inputTokens = 0n;
  outputTokens = 0n;
  setAside = 0;
  judgedAgain = 0;
  withheld = 0;
  exact;
  at = 0;
  answerIsWithheld = false;
  /** Count every line. Throws a SealError naming the line where the evidence leaves the plan. */
  walk() {
    this.noteCommitment();
    for (const stream of this.streams) while (this.line?.suite === stream.stream.suite) this.consumeAnswer(stream);
    if (this.line !== void 0) {
      throw sealError(`a record of suite ${quote(this.line.suite)} stands where the plan's order has none`, this.where);
    }
  }
  tallies() {
    return new Map(this.streams.flatMap((s) => s.measures.map((m) => [m.measure.id, m.tally()])));
  }
  get line() {
    return this.lines[this.at];
  }
  get where() {
    return `${EVIDENCE2}:${this.at + 1}`;
  }
  get isWithheld() {
    return this.line?.kind === "sealed";
  }
  advance() {
    this.at += 1;
    this.noteCommitment();
  }
  noteCommitment() {
    const line = this.line;
    if (line?.kind !== "sealed") return;
    const contradiction = contradictionOf(line);
    if (contradiction !== void 0) throw sealError(`a commitment contradicts itself: ${contradiction}`, this.where);
    this.commitments.push(line.commitment);
  }
  consumeAnswer(stream) {
    const expected2 = stream.expected();
    const line = this.line;
    if (expected2 === void 0) throw sealError(`more answers of ${stream.stream.suite} than the plan allows`, this.where);
    const { sample, epoch } = expected2;
    if (line.sample !== sample || line.epoch !== epoch) {
      throw sealError(
        `the committed order has sample ${quote(sample)} epoch ${epoch} here, the evidence has ${quote(line.sample)}`,
        this.where
      );
    }
    const firstLine = this.at;
    this.noteWithheld(stream, sample);
    const last = this.consumeAttempts(line, void 0);
    if (last === void 0) throw sealError(`sample ${quote(sample)} has a score and no attempt`, this.where);
    const findings = /* @__PURE__ */ new Map();
    if (last.isAnswered) {
      for (const detector of stream.stream.detectors) {
        findings.set(detector, this.consumeScore(line, detector, stream.events.get(detector)));
      }
    }
    stream.consume({ sample, epoch, firstLine, endLine: this.at, isWithheld: this.answerIsWithheld, findings });
  }
  noteWithheld(stream, sample) {
    this.answerIsWithheld = this.isWithheld;
    if (!this.isWithheld) return;
    this.withheld += 1;
    if (stream.consumed < OPEN_ANSWERS) {
      throw sealError(
        `sample ${quote(sample)} is withheld, one of the first ${OPEN_ANSWERS} of its suite, which stay open`,
        this.where
      );
    }
  }
  // The attempts at one answer, or a judge's questions about it; the last of them.
  consumeAttempts(key, judge) {
    let last;
    for (; ; ) {
      const line = this.line;
      if (line === void 0 || line.kind === "score" || line.judge !== judge || !isSameAnswer(line, key)) return last;
      if (line.attempt !== (last === void 0 ? 1 : Number(last.attempt) + 1)) {
        throw sealError(`attempt ${line.attempt} of sample ${quote(line.sample)} is out of order`, this.where);
      }
      if (last !== void 0) this.noteRepetition(last, judge);
      if (line.isAnswered === (line.failure !== void 0)) {
        throw sealError("an attempt has either an output or a failure", this.where);
      }
      if (this.isWithheld !== this.answerIsWithheld) {
        throw sealError(`the answer to sample ${quote(line.sample)} is withheld in part`, this.where);
      }
      this.noteAttempt(line);
      last = line;
      this.advance();
    }
  }
  noteRepetition(last, judge) {
    if (judge === void 0) {
      const sample = quote(last.sample);
      if (last.isAnswered) throw sealError(`sample ${sample} was asked again after it was answered`, this.where);
      if (last.failure && FINAL_KINDS.has(last.failure.kind) && !last.failure.isRetryable) {
        throw sealError(`sample ${sample} was asked again after a final failure`, this.where);
      }
    }
    if (last.isAnswered) this.judgedAgain += 1;
    if (last.failure !== void 0 && last.isOk && last.hasResponse) this.setAside += 1;
  }
  noteAttempt(line) {
    if (line.judge !== void 0) this.judgeRequests += 1;
    else {
      this.requests += 1;
      if (line.isAnswered) {
        const key = JSON.stringify([line.served, line.fingerprint]);
        const known = this.served.get(key) ?? { model: line.served, fingerprint: line.fingerprint, answers: 0 };
        known.answers += 1;
        this.served.set(key, known);
      }
    }
    if (line.inputTokens !== 0) this.inputTokens += BigInt(line.inputTokens);
    if (line.outputTokens !== 0) this.outputTokens += BigInt(line.outputTokens);
    if (line.failure !== void 0) increase(this.failures, line.failure.kind);
  }
  consumeScore(key, detector, event) {
    const asked = this.consumeAttempts(key, detector);
    if (asked !== void 0 && this.exact.has(detector)) {
      throw sealError(`${detector} is called exact, and a judge was asked for it`, this.where);
    }
    const line = this.line;
    const isMeant2 = line?.kind === "score" && isSameAnswer(line, key) && line.detector === detector && line.event === event;
    if (!isMeant2) throw sealError(`sample ${quote(key.sample)} has no score of ${detector} for ${event} here`, this.where);
    if (this.answerIsWithheld && line.tells) {
      throw sealError(`a finding tells of the withheld answer to sample ${quote(key.sample)}`, this.where);
    }
    this.advance();
    return line.value;
  }
};
var isSameAnswer = (a, b) => a.suite === b.suite && a.sample === b.sample && a.epoch === b.epoch;

// src/evidence/lines.ts
var BLOCK_BYTES = 4 * 2 ** 20;
var isText = (value) => typeof value === "string";
var isTruth = (value) => typeof value === "boolean";
var isInteger = (value) => typeof value === "bigint" || Number.isInteger(value) && Math.abs(value) <= LARGEST;
var isTrue = (value) => value === true;
var isPositive = (value) => isInteger(value) && value !== 0;
var needs = (name, check) => [name, check, true];
var may = (name, check) => [name, check, false];
var recordOf = (fields) => (value) => typeof value === "object" && value !== null && !Array.isArray(value) && hasFields(value, fields);
var isUsage = recordOf([may("input_tokens", isPositive), may("output_tokens", isPositive)]);
var isFailure = recordOf([
  needs("kind", isText),
  needs("message", isText),
  may("retryable", isTrue),
  may("fatal", isTrue)
]);
var isSealedFailure = recordOf([needs("kind", isText), may("retryable", isTrue), may("fatal", isTrue)]);
var isHeaders = (value) => typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0 && Object.values(value).every(isText);
var ANSWER = [needs("kind", isText), needs("suite", isText), needs("sample", isText), needs("epoch", isInteger)];
var SEEN = [
  may("finish", isText),
  may("served_model", isText),
  may("fingerprint", isText),
  may("usage", isUsage)
];
var FIELDS = /* @__PURE__ */ new Map([
  [
    "attempt",
    [
      ...ANSWER,
      needs("attempt", isInteger),
      needs("request", isText),
      may("judge", isText),
      may("status", isInteger),
      may("response", isText),
      may("response_base64", isText),
      may("output", isText),
      ...SEEN,
      may("failure", isFailure)
    ]
  ],
  [
    "sealed",
    [
      ...ANSWER,
      needs("attempt", isInteger),
      needs("commitment", (value) => isText(value) && isDigest(value)),
      may("judge", isText),
      may("answered", isTrue),
      may("said", isTrue),
      may("status", isInteger),
      ...SEEN,
      may("failure", isSealedFailure)
    ]
  ],
  ["score", [...ANSWER, needs("detector", isText), needs("event", isText), needs("value", isTruth), may("detail", isText)]],
  ["unscored", [...ANSWER, needs("detector", isText), needs("event", isText), needs("reason", isText)]],
  [
    "observation",
    [
      ...ANSWER,
      needs("attempt", isInteger),
      needs("started_us", isInteger),
      needs("elapsed_us", isInteger),
      may("judge", isText),
      may("headers", isHeaders)
    ]
  ]
]);
function hasFields(record, fields) {
  let at = 0;
  for (const key of Object.keys(record)) {
    while (at < fields.length && fields[at][0] !== key) {
      if (fields[at][2]) return false;
      at += 1;
    }
    const field = fields[at];
    if (field === void 0 || !field[1](record[key])) return false;
    at += 1;
  }
  for (; at < fields.length; at += 1) if (fields[at][2]) return false;
  return true;
}
function readFast(text2) {
  let record;
  try {
    record = JSON.parse(text2);
  } catch {
    return void 0;
  }
  const fields = FIELDS.get(record?.kind);
  if (fields === void 0 || !hasFields(record, fields) || JSON.stringify(record) !== text2) return void 0;
  return text2.includes("\\ud") && !isWellFormed(record) ? void 0 : record;
}
function isWellFormed(value) {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value !== "object" || value === null) return true;
  return Object.entries(value).every(([key, item]) => key.isWellFormed() && isWellFormed(item));
}
function readSlowly(text2, where) {
  let document;
  try {
    document = parseJson(encodeText(text2), where, { keepsLargeIntegers: true, maxBytes: MAX_LINE_BYTES + BLOCK_BYTES });
  } catch (error) {
    throw error instanceof Failure ? malformed(`not a record: ${error.message}`, where) : error;
  }
  const record = isObject(document) ? plain(document) : {};
  const fields = FIELDS.get(record.kind);
  if (fields === void 0 || !hasFields(record, fields)) throw malformed("not a record of a known form", where);
  if (writeInOrder(document) !== text2) throw malformed("the line is not in canonical form", where);
  return record;
}
function plain(value) {
  if (!isObject(value)) return value;
  const record = /* @__PURE__ */ Object.create(null);
  for (const [key, item] of value) record[key] = plain(item);
  return record;
}
function writeInOrder(value) {
  if (!isObject(value)) {
    if (typeof value === "string" && !value.isWellFormed()) return "";
    return typeof value === "bigint" || Object.is(value, -0) ? String(value) : JSON.stringify(value);
  }
  return `{${[...value].map(([key, item]) => `${JSON.stringify(key)}:${writeInOrder(item)}`).join(",")}}`;
}
var textOf2 = (value) => value ?? "";
function attemptOf(record) {
  const isSealed = record.kind === "sealed";
  const failure = record.failure;
  const usage = record.usage;
  const said = textOf2(record.response) !== "" || textOf2(record.response_base64) !== "";
  return {
    kind: isSealed ? "sealed" : "attempt",
    suite: record.suite,
    sample: record.sample,
    epoch: record.epoch,
    attempt: record.attempt,
    judge: record.judge,
    isAnswered: isSealed ? record.answered === true : record.output !== void 0,
    failure: failure && { kind: failure.kind, isRetryable: failure.retryable === true },
    isOk: record.status === 200,
    hasResponse: isSealed ? record.said === true : said,
    served: textOf2(record.served_model),
    fingerprint: textOf2(record.fingerprint),
    inputTokens: usage?.input_tokens ?? 0,
    outputTokens: usage?.output_tokens ?? 0,
    commitment: record.commitment
  };
}
function lineOf(record) {
  if (record.kind === "observation") return { kind: "observation" };
  if (record.kind === "attempt" || record.kind === "sealed") return attemptOf(record);
  return {
    kind: "score",
    suite: record.suite,
    sample: record.sample,
    epoch: record.epoch,
    detector: record.detector,
    event: record.event,
    value: record.kind === "score" ? record.value : void 0,
    tells: record.kind === "score" ? record.detail !== void 0 : record.reason !== "withheld"
  };
}
var readRecord = (text2, where) => readFast(text2) ?? readSlowly(text2, where);
var LineWalk = class {
  constructor(path, listener) {
    this.path = path;
    this.listener = listener;
  }
  path;
  listener;
  walked = { lines: [], starts: [], size: 0 };
  where(extra = 1) {
    return `${this.path}:${this.walked.lines.length + extra}`;
  }
  /** Whole lines, after one zero byte that makes the first line's leaf. */
  take(buffer, offset) {
    const text2 = decodeText(buffer.subarray(1));
    const texts = text2?.split("\n");
    let start = 1;
    for (let index = 0; start < buffer.length; index += 1) {
      const end = buffer.indexOf(10, start);
      const line = texts ? texts[index] : this.requireText(buffer.subarray(start, end));
      this.walked.lines.push(lineOf(readRecord(line, this.where())));
      this.walked.starts.push(offset + start - 1);
      if (this.listener.onLeaf) {
        buffer[start - 1] = 0;
        this.listener.onLeaf(sha256(buffer.subarray(start - 1, end)));
      }
      start = end + 1;
    }
  }
  requireText(line) {
    const text2 = decodeText(line);
    if (text2 === void 0) throw malformed("not a record: not UTF-8", this.where());
    return text2;
  }
  requireShort(rest) {
    if (rest > MAX_LINE_BYTES) throw limitExceeded("a line over the limit", this.where());
  }
  finish(rest, size) {
    if (rest > 0) throw limitExceeded("the last line is cut short", this.where());
    this.walked.size = size;
    return this.walked;
  }
};
async function walkLines(container, path, listener = {}) {
  const source = container.open(path);
  const walk = new LineWalk(path, listener);
  let rest = [];
  let held = 0;
  for (let at = 0; at < source.size; at += BLOCK_BYTES) {
    const data = await source.read(at, Math.min(at + BLOCK_BYTES, source.size));
    const end = data.lastIndexOf(10) + 1;
    if (end === 0) {
      rest.push(data);
      held += data.length;
      walk.requireShort(held);
      continue;
    }
    const buffer = new Uint8Array(1 + held + end);
    let filled = 1;
    for (const part of [...rest, data.subarray(0, end)]) {
      buffer.set(part, filled);
      filled += part.length;
    }
    walk.take(buffer, at - held);
    rest = [data.slice(end)];
    held = data.length - end;
    listener.onProgress?.((at + data.length) / source.size);
  }
  return walk.finish(held, source.size);
}

// src/evidence/results.ts
function tallyDocument(tally) {
  const { measure, n, events, errors } = tally;
  const kept = (value, otherwise) => value === otherwise ? void 0 : value;
  return {
    measure,
    n,
    events,
    missing: kept(tally.missing, 0),
    unit: kept(tally.unit, "item"),
    population: kept(tally.population, "items_sampled"),
    clusters: tally.clusters.length > 0 ? tally.clusters : void 0,
    pool: kept(tally.pool, null),
    exact: kept(tally.exact, false),
    errors: errors === null ? void 0 : errorsDocument(errors),
    complement: kept(tally.complement, false),
    n_planned: kept(tally.n_planned, 0)
  };
}
function errorsDocument(errors) {
  return { ...errors, method: errors.method === "" ? void 0 : errors.method };
}
function measuresBytes(recount) {
  const served = [...recount.served.values()].sort((a, b) => compareByCodePoints(a.model, b.model) || compareByCodePoints(a.fingerprint, b.fingerprint)).map(({ model, fingerprint, answers }) => ({ served_model: model, fingerprint, answers }));
  return canonicalBytes({
    format: "verilabel/measures/v1",
    measures: new Map([...recount.tallies()].map(([name, tally]) => [name, tallyDocument(tally)])),
    streams: recount.streams.map((s) => ({ suite: s.stream.suite, answers: s.consumed, planned: s.length })),
    totals: {
      requests: recount.requests,
      judge_requests: recount.judgeRequests,
      input_tokens: recount.inputTokens,
      output_tokens: recount.outputTokens
    },
    failures: recount.failures,
    served
  });
}

// src/evidence/suite_index.ts
function parseIndex(data, where) {
  const text2 = decodeText(data);
  if (text2 === void 0) throw malformed("not a suite index: not UTF-8", where);
  const lines = text2.split("\n");
  if (lines.length < 2 || lines.pop() !== "") {
    throw malformed("the index is empty, cut short, or not in canonical form", where);
  }
  const entries = lines.map((line) => readEntry(line, where));
  const seen = /* @__PURE__ */ new Set();
  for (const { id } of entries) {
    if (seen.has(id)) throw malformed(`sample id ${quote(id)} stands twice`, where);
    seen.add(id);
  }
  return entries;
}
var isWord = (value) => typeof value === "string" && value !== "" && value.isWellFormed();
function readEntryFast(line) {
  let record;
  try {
    record = JSON.parse(line);
  } catch {
    return void 0;
  }
  if (JSON.stringify(record) !== line) return void 0;
  const { id, sha256: sha2562, family, stratum, tags, ...rest } = record;
  const kept = { id, sha256: sha2562, family, stratum, tags };
  const isOrdered = JSON.stringify(kept) === line && Object.keys(rest).length === 0;
  const given = [id, sha2562, family, stratum].filter((value, i) => i < 2 || value !== void 0);
  const isTable = typeof tags === "object" && tags !== null && !Array.isArray(tags);
  const tagged = isTable ? Object.entries(tags) : [];
  const hasTags = tagged.length > 0 && tagged.every(([key, value]) => isWord(key) && isWord(value));
  if (!isOrdered || !given.every(isWord) || tags !== void 0 && !hasTags) return void 0;
  return {
    id,
    sha256: sha2562,
    family: family ?? "",
    stratum: stratum ?? "",
    tags: new Map(tagged)
  };
}
function readEntry(line, where) {
  const fast = readEntryFast(line);
  if (fast !== void 0) return fast;
  let document;
  try {
    document = parseJson(encodeText(line), where);
  } catch (error) {
    throw error instanceof Failure ? malformed(`not a suite index: ${error.message}`, where) : error;
  }
  const { value, isCanonical } = convert(ENTRY_FORM, document, where, "not a suite index: ");
  if (!isCanonical || writeEntry(document) !== line) {
    throw malformed("the index is empty, cut short, or not in canonical form", where);
  }
  return value;
}
function writeEntry(document) {
  if (!isObject(document)) return "";
  const keys = [...document.keys()];
  if (keys.some((key, i) => i > 0 && ENTRY_ORDER.indexOf(key) < ENTRY_ORDER.indexOf(keys[i - 1]))) return "";
  const write = (value) => isObject(value) ? `{${[...value].map(([key, item]) => `${write(key)}:${write(item)}`).join(",")}}` : value.isWellFormed() ? JSON.stringify(value) : "";
  return write(document);
}

// src/verifier/state.ts
function established(value) {
  if (value === void 0) throw new Error("a step ran before the one that it needs");
  return value;
}
function doesNotFollow(state, message, where) {
  state.shortOf.set("V2", message);
  throw checkFailed(message, where);
}

// src/verifier/derivation.ts
async function checkPlan(state) {
  const plan = established(state.plan).value;
  const system = established(state.system);
  const rubric = established(state.rubric);
  if (plan.system_sha256 !== system.digest) throw sealError("the plan is for another system", PLAN);
  if (canonicalText(plan.rubric) !== canonicalText(rubric.reference)) {
    throw sealError("the plan is for another rubric", PLAN);
  }
  checkPlanAgainstRubric(plan, rubric, system.value);
  for (const stream of plan.streams) {
    const { manifest, index } = suiteFiles(stream.suite);
    if (digestOfBytes(await readDocument(state.container, manifest)) !== stream.suite_sha256) {
      throw sealError(`suite ${stream.suite} is not the planned one`, manifest);
    }
    if (digestOfBytes(await readDocument(state.container, index)) !== stream.index_sha256) {
      throw sealError(`the index of ${stream.suite} is not the planned one`, index);
    }
  }
  state.suites = await readSuiteFiles(state.container, plan);
  return `${plan.design} design, ${plan.streams.length} suites, ${plan.measures.length} measures`;
}
async function readIndexes(state, plan) {
  const indexes = /* @__PURE__ */ new Map();
  for (const { suite } of plan.streams) {
    const path = suiteFiles(suite).index;
    indexes.set(suite, parseIndex(await readDocument(state.container, path), path));
  }
  for (const stream of plan.streams) {
    const facts = established(established(state.suites).get(stream.suite));
    checkIndex(stream, indexes.get(stream.suite), facts);
  }
  return indexes;
}
async function walkEvidence(state) {
  const frontier = new Frontier();
  const walked = await walkLines(state.container, EVIDENCE2, {
    onLeaf: (hash) => frontier.add(hash),
    onProgress: (share) => state.progress(7, share)
  });
  const odd = walked.lines.findIndex((line) => line.kind === "observation");
  if (odd >= 0) throw malformed("an observation among the evidence", `${EVIDENCE2}:${odd + 1}`);
  state.evidence = walked;
  state.leaves = frontier.size;
  state.root = `sha256:${hexOf(frontier.root())}`;
  return walked.lines;
}
async function checkEvidence(state) {
  const plan = established(state.plan).value;
  const manifest = established(state.manifest);
  const indexes = await readIndexes(state, plan);
  state.indexes = indexes;
  const lines = await walkEvidence(state);
  const recounted = new Recount(plan, indexes, lines);
  try {
    recounted.walk();
    state.recounted = recounted;
  } catch (error) {
    if (!(error instanceof Failure && error.kind === "SealError")) throw error;
    state.departure = error;
  }
  const listed = manifest.entries.find(({ path }) => path === EVIDENCE2)?.sha256;
  if (await state.evidenceDigest !== listed) {
    throw sealError("the file was changed: it does not have its digest", EVIDENCE2);
  }
  const signed = state.statement?.predicate.evidence;
  if (signed !== void 0 && (signed.root !== state.root || signed.leaves !== state.leaves)) {
    throw sealError("the evidence does not hash to the signed Merkle root", EVIDENCE2);
  }
  const withheld = state.recounted === void 0 ? "" : await checkSurplusAndCommitments(state, state.recounted);
  return `${state.leaves} records under ${established(state.root).slice(0, 19)}...${withheld}`;
}
async function walkSurplus(state, recounted) {
  if (state.container.sizes.get(SURPLUS) === 0) return [];
  const { lines } = await walkLines(state.container, SURPLUS);
  const places = new Map(
    recounted.streams.map((s) => [s.stream.suite, { s, at: new Map(s.order.map((id, i) => [id, i])) }])
  );
  const isCounted = (line) => {
    const place = places.get(line.suite);
    if (place === void 0) return false;
    const item = place.at.get(line.sample) ?? place.s.length;
    return BigInt(item) * BigInt(place.s.stream.epochs) + BigInt(line.epoch) - 1n < BigInt(place.s.consumed);
  };
  const commitments = [];
  for (const [index, line] of lines.entries()) {
    if (line.kind !== "attempt" && line.kind !== "sealed") continue;
    if (line.commitment !== void 0) commitments.push(line.commitment);
    if (state.hidden === void 0 && isCounted(line)) state.hidden = `${SURPLUS}:${index + 1}`;
  }
  return commitments;
}
async function checkSurplusAndCommitments(state, recounted) {
  const surplus = await walkSurplus(state, recounted);
  const counts = /* @__PURE__ */ new Map([
    [EVIDENCE2, recounted.commitments.length],
    [SURPLUS, surplus.length]
  ]);
  for (const entry of established(state.manifest).entries) {
    const count2 = counts.get(entry.path) ?? 0;
    if (entry.visibility !== (count2 > 0 ? "sealed" : "public")) {
      throw sealError(`the manifest calls it ${entry.visibility}, and it has ${count2} commitments`, entry.path);
    }
  }
  const total = recounted.commitments.length + surplus.length;
  if (total === 0) return "";
  if ((/* @__PURE__ */ new Set([...recounted.commitments, ...surplus])).size !== total) {
    throw sealError("a commitment stands twice", EVIDENCE2);
  }
  state.flags.push("sealed_records");
  const count = recounted.commitments.length;
  if (count === 0) return "";
  state.shortOf.set("V2s", `${count} records are withheld: only their openings show what they hold`);
  return `, ${count} of them withheld`;
}
async function checkRecount(state) {
  if (state.departure !== void 0) {
    const where = state.departure.where ?? EVIDENCE2;
    doesNotFollow(state, `the evidence does not follow the plan: ${state.departure.message}`, where);
  }
  const recounted = established(state.recounted);
  if (state.hidden !== void 0) {
    doesNotFollow(state, "an attempt at a counted answer was kept out of the count", state.hidden);
  }
  if (!areEqual(measuresBytes(recounted), await readDocument(state.container, MEASURES))) {
    doesNotFollow(state, "the bundle's counts are not those of its evidence", MEASURES);
  }
  for (const stream of established(state.plan).value.design === "fixed" ? recounted.streams : []) {
    if (stream.consumed === stream.length) continue;
    const stopped = `stopped ${stream.stream.suite} after ${stream.consumed} of ${stream.length} answers`;
    doesNotFollow(state, `a fixed plan ${stopped}`, EVIDENCE2);
  }
  if (recounted.served.size > 1) state.flags.push("served_model_varied");
  if (recounted.setAside > 0) state.flags.push("responses_set_aside");
  if (recounted.judgedAgain > 0) state.flags.push("judge_asked_again");
  const answers = recounted.streams.reduce((sum, stream) => sum + stream.consumed, 0);
  return `${answers} answers counted again in the committed order`;
}
var asRecord = (tallies) => {
  const record = /* @__PURE__ */ Object.create(null);
  for (const [name, tally] of tallies) record[name] = tally;
  return record;
};
function deriveLabel(state, attested) {
  const plan = established(state.plan).value;
  const references = new Map(plan.references.map(({ tally }) => [tally.measure, tally]));
  try {
    return decide(established(state.rubric), {
      tallies: asRecord(established(state.recounted).tallies()),
      references: asRecord(references),
      design: plan.design,
      attested
    });
  } catch (error) {
    throw error instanceof Refusal ? malformed(error.message, MEASURES) : error;
  }
}
async function checkLabel(state) {
  const derived = deriveLabel(state, await countGiven(state));
  const sentence = sentenceOf(derived);
  if (!areEqual(canonicalBytes(derived), established(state.label).bytes)) {
    doesNotFollow(state, `the label does not follow from the evidence, which gives: ${sentence}`, LABEL);
  }
  state.flags.push(...derived.flags ?? []);
  checkReferences2(state, established(state.plan).value);
  return sentence;
}
async function readGiven(state) {
  const paths = [...state.container.sizes.keys()].filter((path) => path.startsWith(GIVEN));
  if (paths.length > MAX_GIVEN) throw limitExceeded(`more than ${MAX_GIVEN} findings`, GIVEN);
  const given = /* @__PURE__ */ new Map();
  const audits = [];
  for (const path of paths) {
    const signed = await parseSigned(await readDocument(state.container, path), path);
    const { predicate } = signed.attestation;
    if (predicate.kind !== "finding" && predicate.kind !== "audit") {
      throw malformed(`a ${predicate.kind} where a finding belongs`, signed.fileName);
    }
    const name = predicate.kind === "audit" ? `audit-${signed.fileName}` : `${predicate.value.name}.json`;
    if (path !== GIVEN + name) throw malformed("a finding lies under its own name", path, GIVEN + name);
    if (predicate.kind === "audit") audits.push(signed);
    else given.set(predicate.value.name, signed);
  }
  return [given, audits];
}
async function countGiven(state) {
  [state.given, state.givenAudits] = await readGiven(state);
  const rubric = established(state.rubric);
  const system = established(state.system);
  const issued = state.statement?.predicate.issued;
  const moment = issued === void 0 ? state.now : parseTime(issued, ATTESTATION);
  for (const [name, signed] of state.given) {
    const why = objectionToFinding(signed, rubric, system.digest, moment);
    if (why !== void 0) {
      doesNotFollow(state, `the finding ${quote(name)} did not count when the label was made: ${why}`, GIVEN);
    }
    if (signed.signer.keyid === state.signerKey?.keyid) state.flags.push("self_attested");
    if (state.trust === void 0) {
      state.flags.push("attestor_unpinned");
      continue;
    }
    const asked = { rubric: rubric.reference.id, system: system.value.name };
    const verdict2 = state.trust.accepts({ key: signed.signer, role: "attestations", ...asked });
    if (!verdict2.isAccepted) {
      const message = `the finding ${quote(name)} is signed by a key that does not count: ${verdict2.reason}`;
      doesNotFollow(state, message, GIVEN);
    }
  }
  return [...state.given.keys()].sort();
}
function howCounted(plan, measure) {
  const planned = plan.measures.find(({ id }) => id === measure);
  return planned && [planned, plan.streams.find(({ suite }) => suite === planned.suite)?.suite_sha256];
}
function findDisagreement(planned, plan, found) {
  const { measure } = planned.tally;
  if (found.level === "V0" || found.level === "V1" || found.plan === void 0) {
    return `the reference bundle for ${measure} does not verify to V2: ${found.reason}`;
  }
  if (found.systemDigest !== planned.system_sha256 || found.root !== planned.evidence_root) {
    return `the reference bundle for ${measure} is of another system or of other evidence`;
  }
  const spelled = (value) => canonicalText(plainOf(value));
  if (spelled(howCounted(found.plan, measure)) !== spelled(howCounted(plan, measure))) {
    return `the reference bundle counts ${measure} otherwise (suite, filter, detector or unit)`;
  }
  const theirs = found.tallies.get(measure);
  if (theirs === void 0 || spelled(theirs) !== spelled(planned.tally)) {
    return `the reference bundle gives other counts for ${measure}`;
  }
  return void 0;
}
function plainOf(value) {
  if (Array.isArray(value)) return value.map(plainOf);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, plainOf(item)]));
  if (typeof value !== "object" || value === null) return value ?? null;
  const entries = Object.entries(value).map(([key, item]) => [key, plainOf(key === "language" ? item ?? "en" : item)]);
  return Object.fromEntries(entries);
}
function checkReferences2(state, plan) {
  for (const planned of plan.references) {
    const { measure } = planned.tally;
    const reference = state.references.find(({ manifestDigest }) => manifestDigest === planned.manifest_sha256);
    if (reference === void 0) {
      state.flags.push("reference_not_recomputed");
      const why = `the counts of the reference system for ${measure} are in another bundle; pass it too`;
      state.shortOf.set("V2", why);
      continue;
    }
    const disagreement = findDisagreement(planned, plan, reference);
    if (disagreement !== void 0) doesNotFollow(state, disagreement, PLAN);
  }
}
async function checkValidity(state) {
  const plan = established(state.plan).value;
  const system = established(state.system);
  const rubric = established(state.rubric);
  state.flags.push(`identity:${system.value.identity}`);
  if (plan.imported !== null) state.flags.push("imported");
  if (state.statement === void 0) throw new Skipped("unsigned labels have no validity");
  const { predicate } = state.statement;
  const objection2 = findObjection(predicate, plan, rubric, state.now);
  if (objection2 !== void 0) {
    state.shortOf.set("V1", objection2.why);
    if (objection2.flag !== void 0) state.flags.push(objection2.flag);
    throw errorOf(objection2);
  }
  for (const [name, signed] of state.given) {
    const found = objectionToFinding(signed, rubric, system.digest, state.now);
    if (found === void 0) continue;
    const why = `the finding ${quote(name)} that it leans on does not count any more: ${found}`;
    state.shortOf.set("V1", why);
    throw checkFailed(`the label is not in force: ${why}`, GIVEN);
  }
  state.flags.push("current");
  return `in force until ${writeDay(parseTime(predicate.valid_until, ATTESTATION))}`;
}

// src/evidence/digests.ts
var AT_ONCE = 256 * 2 ** 20;
var BLOCK2 = 8 * 2 ** 20;
async function digestOfSource(source) {
  if (source.size <= AT_ONCE) {
    const data = await source.read(0, source.size);
    const hash2 = await crypto.subtle.digest("SHA-256", data);
    return DIGEST_PREFIX + hexOf(new Uint8Array(hash2));
  }
  const hash = sha256.create();
  for (let at = 0; at < source.size; at += BLOCK2) hash.update(await source.read(at, Math.min(at + BLOCK2, source.size)));
  return DIGEST_PREFIX + hexOf(hash.digest());
}

// src/evidence/manifest.ts
var show = (value) => typeof value === "string" ? quote(value) : value === void 0 || value === null ? "None" : String(value);
function parseManifest(data) {
  const document = parseJson(data, MANIFEST);
  const found = isObject(document) ? document.get("format") : void 0;
  if (found !== BUNDLE_FORMAT) {
    throw malformed(`format ${show(found)} is not known to this version`, `${MANIFEST} $.format`, `it reads ${BUNDLE_FORMAT}`);
  }
  const { value: manifest } = convert(MANIFEST_FORM, document, MANIFEST);
  manifest.entries.forEach((entry, index) => {
    const where = `${MANIFEST} $.entries[${index}]`;
    checkPath(entry.path);
    if (isUnlisted2(entry.path) || entry.role !== roleOf(entry.path)) {
      throw malformed(`${entry.path} may not be listed with the role ${quote(entry.role)}`, where);
    }
    if (!isDigest(entry.sha256) || entry.size < 0) throw malformed(`${entry.path} has no proper digest or size`, where);
  });
  const paths = manifest.entries.map((entry) => entry.path);
  if (paths.some((path, i) => i > 0 && path <= paths[i - 1])) {
    throw malformed("the entries are not in path order, or one stands twice", MANIFEST);
  }
  const missing = REQUIRED.find((path) => !paths.includes(path));
  if (missing !== void 0) throw malformed(`a bundle needs ${missing}`, MANIFEST);
  convertCanonical(MANIFEST_FORM, document, data, MANIFEST);
  return { ...manifest, digest: digestOfBytes(data) };
}
function checkPresence(manifest, sizes) {
  const listed = new Map(manifest.entries.map((entry) => [entry.path, entry.size]));
  for (const [path, size] of listed) {
    const found = sizes.get(path);
    if (found === void 0) throw malformed(`${path} is listed and not there`, MANIFEST);
    if (found !== size) throw malformed(`${path} has ${found} bytes, the manifest says ${size}`, MANIFEST);
  }
  for (const path of sizes.keys()) {
    if (!listed.has(path) && !isUnlisted2(path)) throw malformed(`${path} is there and not listed`, MANIFEST);
  }
}

// src/evidence/statement.ts
var MAX_STATEMENT_BYTES = 4 * 2 ** 20;
function checkForms2(statement, where) {
  const { predicate } = statement;
  const digests = [
    ["subject[0].digest.sha256", statement.systemDigest],
    ["predicate.label_sha256", predicate.label_sha256],
    ["predicate.rubric.sha256", predicate.rubric.sha256],
    ["predicate.plan.sha256", predicate.plan.sha256],
    ["predicate.evidence.root", predicate.evidence.root],
    ["predicate.manifest_sha256", predicate.manifest_sha256],
    ["predicate.issuer.keyid", predicate.issuer.keyid]
  ];
  for (const [path, value] of digests) {
    if (!isDigest(value)) throw malformed("not a SHA-256 digest", `${where}: $.${path}`);
  }
  if ((predicate.plan.log_index ?? 0) < 0 || predicate.evidence.leaves < 0) {
    throw malformed("a negative count", `${where}: $.predicate`);
  }
  const issued = parseTime(predicate.issued, `${where}: $.predicate.issued`);
  if (parseTime(predicate.valid_until, `${where}: $.predicate.valid_until`) <= issued) {
    throw malformed("the label is never valid: it ends before it is issued", `${where}: $.predicate`);
  }
}
function checkAgreement({ predicate }, where) {
  const label = predicate.label;
  if (digestOf(canonicalText(label)) !== predicate.label_sha256) {
    throw sealError("the label is not the one of its digest", `${where}: $.predicate.label_sha256`);
  }
  const rubric = label.get("rubric");
  if (rubric === void 0 || canonicalText(rubric) !== canonicalText(predicate.rubric)) {
    throw sealError("the label is of another rubric", `${where}: $.predicate.rubric`);
  }
  if (label.get("design") !== predicate.design) {
    throw sealError("the label is of another design", `${where}: $.predicate.design`);
  }
}
function parseStatement(data, where) {
  const document = parseJson(data, where, { maxBytes: MAX_STATEMENT_BYTES });
  const read = convertCanonical(STATEMENT_FORM, document, data, where, {
    prefix: "not a label statement: ",
    message: "the statement is not in its canonical form"
  });
  const systemDigest = `sha256:${read.subject.digest.sha256}`;
  const statement = { ...read, digest: digestOfBytes(data), systemDigest };
  checkForms2(statement, where);
  checkAgreement(statement, where);
  return statement;
}

// src/verifier/seals.ts
async function checkManifest(state) {
  const manifest = parseManifest(await readDocument(state.container, MANIFEST));
  state.manifest = manifest;
  checkPresence(manifest, state.container.sizes);
  for (const entry of manifest.entries) {
    const digest = digestOfSource(state.container.open(entry.path));
    if (entry.path === EVIDENCE2) {
      state.evidenceDigest = digest;
      digest.catch(() => void 0);
    } else if (await digest !== entry.sha256) {
      throw sealError("the file was changed: it does not have its digest", entry.path);
    }
  }
  return `${manifest.entries.length} files have their digests`;
}
async function checkSignature(state) {
  const { container, trust } = state;
  if (!container.sizes.has(ATTESTATION) && !container.sizes.has(SIGNER_KEY)) {
    state.shortOf.set("V1", "it is not signed");
    throw new Skipped("no signature");
  }
  const key = parsePublicFile(await readDocument(container, SIGNER_KEY), SIGNER_KEY);
  if (key.type !== ED25519) throw sealError("a witness's key does not sign labels", SIGNER_KEY);
  const envelope = await readDocument(container, ATTESTATION);
  const payload = await openEnvelope(envelope, [key], ATTESTATION);
  state.statement = parseStatement(payload, ATTESTATION);
  state.signerKey = key;
  state.signer = `${key.name} (${key.keyid.slice(0, 19)})`;
  if (trust === void 0) {
    state.flags.push("signer_unpinned");
    if (container.sizes.has(KEYLESS)) state.flags.push("keyless_unchecked");
    return `signed by ${state.signer}; no trust policy says whose key that is`;
  }
  if (trust.acceptsAnyKey) state.flags.push("trust_accepts_any_key");
  const accepted2 = acceptSigner(state, trust, key);
  state.signer = accepted2.name;
  state.signerHolders = accepted2.holders;
  return `signed by ${state.signer}`;
}
function acceptSigner(state, trust, key) {
  const statement = established(state.statement);
  const asked = { rubric: statement.predicate.rubric.id, system: statement.subject.name };
  const verdict2 = trust.accepts({ key, role: "labels", ...asked });
  const isKeyless = state.container.sizes.has(KEYLESS);
  if (isKeyless && trust.namesIdentities && !verdict2.isAccepted) {
    throw sealError(
      "this page checks keys, and no Sigstore identities",
      KEYLESS,
      "check it with `verilabel verify` and the extra sigstore"
    );
  }
  if (isKeyless) state.flags.push("keyless_unchecked");
  if (verdict2.isAccepted) return verdict2;
  throw sealError(
    `the signer's key ${key.keyid.slice(0, 19)}... is not one the trust policy accepts: ${verdict2.reason}`,
    ATTESTATION,
    "check the key's id with its owner by another way, then add it to the trust policy"
  );
}
async function readCanonical(state, form, path) {
  const data = await readDocument(state.container, path);
  const document = parseJson(data, path, { maxBytes: MAX_JSON_BYTES });
  return { value: convertCanonical(form, document, data, path), digest: digestOfBytes(data) };
}
async function readLabel(state) {
  const bytes = await readDocument(state.container, LABEL);
  const document = parseJson(bytes, LABEL, { maxBytes: MAX_JSON_BYTES });
  const { value, isCanonical } = convert(LABEL_FORM, document, LABEL, "not a label: ");
  const halves = { assurance: ["granted", "cannot_exclude_up_to"], hazard: ["established", "not_ruled_out"] };
  for (const [kind, words] of Object.entries(halves)) {
    for (const word2 of words) {
      if (value[word2] !== null !== (value.kind === kind)) {
        throw malformed(`not a label: ${value.kind === kind ? word2 : `unexpected ${word2}`}`, LABEL);
      }
    }
  }
  if (!isCanonical || !areEqual(canonicalBytes(document), bytes)) throw malformed("not in canonical form", LABEL);
  return { value, bytes, digest: digestOfBytes(bytes) };
}
async function readCheckedRubric(state) {
  const data = await readDocument(state.container, RUBRIC);
  const document = parseYaml(data, RUBRIC, 2 ** 18);
  let rubric;
  try {
    rubric = readRubric(requireText(data, RUBRIC));
  } catch (error) {
    throw error instanceof Refusal ? malformed(error.message, RUBRIC) : error;
  }
  if (!areEqual(canonicalBytes(asJson(document)), await readDocument(state.container, RUBRIC_CANONICAL))) {
    throw sealError("the rubric's two forms differ", RUBRIC_CANONICAL);
  }
  const name = rubricName(rubric);
  const own = Object.hasOwn(state.bundledRubrics, name) ? state.bundledRubrics[name] : void 0;
  if (own !== void 0 && own !== rubric.reference.sha256) {
    throw sealError(`this is not the ${name} that comes with this program`, RUBRIC);
  }
  return rubric;
}
function asJson(value) {
  if (value instanceof Numeral) return value.isInteger ? Number(value.text) : value.plain;
  if (Array.isArray(value)) return value.map(asJson);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, asJson(item)]));
  return value;
}
async function checkStatement(state) {
  const system = await readCanonical(state, SYSTEM_FORM, SYSTEM);
  state.system = system;
  const plan = await readCanonical(state, PLAN_FORM, PLAN);
  state.plan = plan;
  const rubric = await readCheckedRubric(state);
  state.rubric = rubric;
  const label = await readLabel(state);
  state.label = label;
  await checkSystemPrompt(state, system.value);
  if (state.statement === void 0) throw new Skipped("no statement");
  const { predicate, subject, systemDigest } = state.statement;
  const key = established(state.signerKey);
  const claims = [
    ["the manifest", predicate.manifest_sha256, established(state.manifest).digest],
    ["the system", systemDigest, system.digest],
    ["the system's name", subject.name, system.value.name],
    ["the system's identity", predicate.identity, system.value.identity],
    ["the plan", predicate.plan.sha256, plan.digest],
    ["the rubric", predicate.rubric.sha256, rubric.reference.sha256],
    ["the label", predicate.label_sha256, label.digest],
    ["the signer's key", predicate.issuer.keyid, key.keyid],
    ["the signer's name", predicate.issuer.name, key.name]
  ];
  for (const [what, signed, found] of claims) {
    if (signed !== found) throw sealError(`${what} is not the one that was signed`, ATTESTATION);
  }
  return `about system ${system.digest.slice(7, 15)}, rubric ${rubricName(rubric)}`;
}
async function checkSystemPrompt(state, system) {
  if (!state.container.sizes.has(SYSTEM_PROMPT)) return;
  const digest = digestOfBytes(await readDocument(state.container, SYSTEM_PROMPT));
  if (digest !== system.system_prompt) throw sealError("the system prompt is not the system's", SYSTEM_PROMPT);
}
async function checkLog(state) {
  const { container, statement, trust } = state;
  const paths = [PLAN_PROOF, LABEL_PROOF, LOG_KEY, CONSISTENCY, TIMESTAMP];
  const present = paths.find((path) => container.sizes.has(path));
  if (statement === void 0 || present === void 0) {
    if (present !== void 0) throw sealError("log proofs without a signed statement", present);
    if (!state.shortOf.has("V1")) {
      state.shortOf.set("V1", "it is not in a log, so nothing shows that the plan came before the run");
    }
    throw new Skipped("no log entry");
  }
  const key = parsePublicFile(await readDocument(container, LOG_KEY), LOG_KEY);
  const planLeaf = leafOfEntry("verilabel.plan/v1", established(state.plan).digest);
  const planned = await openLogProof(state, PLAN_PROOF, planLeaf, key);
  const labelled = await openLogProof(state, LABEL_PROOF, leafOfEntry("verilabel.label/v1", statement.digest), key);
  const logIndex = statement.predicate.plan.log_index;
  if (logIndex === null || planned.index !== BigInt(logIndex) || planned.index >= labelled.index) {
    throw sealError("the plan was not logged before the label", PLAN_PROOF);
  }
  const consistency = await readDocument(container, CONSISTENCY);
  checkConsistency(consistency, planned.checkpoint, labelled.checkpoint, CONSISTENCY);
  if (labelled.cosignatures.length === 0) state.flags.push("unwitnessed");
  if (trust === void 0 || !trust.accepts({ key, role: "log" }).isAccepted) state.flags.push("log_unpinned");
  if (container.sizes.has(TIMESTAMP)) state.flags.push("timestamp_unchecked");
  return `plan is entry ${planned.index}, label entry ${labelled.index} of ${key.name}`;
}
async function openLogProof(state, path, leaf, key) {
  const data = await readDocument(state.container, path);
  if (parseProof(data, path).hasExtra) throw sealError("the proof carries data that nothing authenticates", path);
  const { trust } = state;
  const opened = await openProof(data, leaf, key, trust?.keys("witness") ?? [], trust?.quorum ?? 0, path);
  if (opened.unknown > 0 && !state.flags.includes("unknown_cosignatures")) state.flags.push("unknown_cosignatures");
  return opened;
}

// src/verifier/audited.ts
var JUDGE_CALIBRATION = "judge-calibration";
var FINDINGS = /* @__PURE__ */ new Map([
  [JUDGE_CALIBRATION, "judge calibration"],
  ["elicitation", "elicitation"],
  ["governance", "governance"]
]);
var MAX_NAMED = 5;
function countedMeasures(plan, label) {
  const rows = label.levels.flatMap((level) => level.rows);
  const counted = new Set(rows.flatMap(({ measure, n }) => measure !== null && n > 0 ? [measure] : []));
  return plan.measures.filter(({ id }) => counted.has(id) || counted.has(id.split("@")[0]));
}
function countedSuites(plan, label) {
  const suites = new Set(countedMeasures(plan, label).map(({ suite }) => suite));
  return plan.streams.filter(({ suite }) => suites.has(suite));
}
function isJudged(plan, label, judgeRequests) {
  if (judgeRequests > 0) return true;
  const names = new Set(countedMeasures(plan, label).map(({ detector }) => detector));
  return plan.detectors.filter(({ id, version, exact }) => names.has(`${id}@${version}`) && !exact).some(({ id, setting }) => plan.imported !== null || setting !== "" || id.includes(":"));
}
function matchesOf({ suite, suite_sha256 }, { contamination }) {
  return contamination.find((row) => row.benchmark === suite && row.benchmark_sha256 === suite_sha256);
}
function* lackingAudits({ audits, refused: refused2 }) {
  if (audits.length === 0) yield refused2.get("audit") ?? "no statement on training data";
  else if (audits.every(({ relation }) => relation !== "declared-training-data")) {
    yield "no statement on training data other than that of fine-tuning";
  }
}
function* uncovered(suites, audits) {
  const ofSet = /* @__PURE__ */ new Map();
  for (const audit of audits) {
    const root = audit.audit.dataset_root;
    ofSet.set(root, [...ofSet.get(root) ?? [], audit]);
  }
  for (const [root, together] of ofSet) {
    for (const stream of suites) {
      const found = together.flatMap((audit) => matchesOf(stream, audit) ?? []);
      const place = `in the data set ${root.slice(0, 19)}`;
      if (found.length === 0) yield `no statement on ${stream.suite} ${place}`;
      else if (found.every(({ items, unchecked }) => items !== stream.samples || unchecked === items)) {
        yield `no statement on all ${stream.samples} samples of ${stream.suite} ${place}`;
      }
    }
  }
}
function findLacking(plan, label, judgeRequests, standing, isDisputed) {
  const lacking = [...lackingAudits(standing), ...uncovered(countedSuites(plan, label), standing.audits)];
  for (const [name, topic] of FINDINGS) {
    if (name === JUDGE_CALIBRATION && !isJudged(plan, label, judgeRequests)) continue;
    if (!standing.findings.has(name)) lacking.push(standing.refused.get(name) ?? `no statement on ${topic}`);
  }
  return isDisputed ? [...lacking, "it is disputed"] : lacking;
}
function isContaminated(plan, label, audits) {
  const suites = countedSuites(plan, label);
  return audits.some((audit) => suites.some((stream) => (matchesOf(stream, audit)?.items_matched ?? 0) > 0));
}
function sayLacking(lacking) {
  const more = lacking.length > MAX_NAMED ? [`and ${lacking.length - MAX_NAMED} more`] : [];
  return `${[...lacking.slice(0, MAX_NAMED), ...more].join("; ")} (V4)`;
}

// src/verifier/statements.ts
var ROLE_OF = {
  replication: "replications",
  dispute: "disputes",
  finding: "attestations",
  audit: "audits"
};
async function checkStatements(state) {
  const enclosed = await readEnclosed(state);
  if (state.statement === void 0) {
    if (enclosed.length > 0) throw sealError("statements about a label that nobody signed", STATEMENTS);
    throw new Skipped("no statements");
  }
  const signed = /* @__PURE__ */ new Map();
  for (const item of [...enclosed, ...state.givenAudits, ...state.beside]) {
    const known2 = signed.get(item.attestation.digest);
    const isBetter = known2 === void 0 || item.proof !== void 0 && !await isLogged(known2, state.trust);
    if (isBetter) signed.set(item.attestation.digest, item);
  }
  const leanedOn = [...state.given.values()].map(({ attestation }) => attestation.digest);
  const replicas = replicaLabels(signed.values()).map(([digest]) => digest);
  const known = /* @__PURE__ */ new Set([state.statement.digest, ...signed.keys(), ...leanedOn, ...replicas]);
  for (const { attestation, fileName } of enclosed) {
    if (!known.has(attestation.about) && !isAboutSystem(attestation, state)) {
      throw sealError("a statement about another label", STATEMENTS + fileName);
    }
  }
  return judgeAll(state, state.statement, signed);
}
function isAboutSystem({ predicate, about }, state) {
  const isOfSystems = predicate.kind === "finding" || predicate.kind === "audit";
  return isOfSystems && about === established(state.system).digest;
}
function noteV4(state, standing, isDisputed) {
  const [plan, label] = [established(state.plan).value, established(state.label).value];
  const lacking = findLacking(plan, label, state.recounted?.judgeRequests ?? 0, standing, isDisputed);
  state.lackingForV4 = lacking;
  if (lacking.length > 0 && !state.shortOf.has("V4")) state.shortOf.set("V4", sayLacking(lacking));
  if (isContaminated(plan, label, standing.audits)) state.flags.push("contaminated");
}
async function judgeAll(state, label, signed) {
  const judge = new Judge(state, label, signed);
  const findings = [];
  for (const digest of [...signed.keys()].sort()) findings.push(await judge.find(signed.get(digest)));
  state.statements = findings;
  state.flags.push(...["superseded", "revoked", "disputed", "self_audited"].filter((flag) => judge.flags.has(flag)));
  if (!judge.isReplicated && !state.shortOf.has("V3")) state.shortOf.set("V3", judge.shortOfReplicated);
  noteV4(state, judge.standing, judge.flags.has("disputed"));
  const why = judge.withdrawn ?? judge.findWithdrawnFinding();
  if (why !== void 0) {
    state.shortOf.set("V1", why);
    state.flags = state.flags.filter((flag) => flag !== "current");
    throw checkFailed(`the label is not in force: ${why}`, STATEMENTS);
  }
  if (signed.size === 0) throw new Skipped("nothing that others signed is enclosed");
  return `${signed.size} genuine, ${findings.filter((finding) => finding.counts).length} count`;
}
async function readEnclosed(state) {
  const paths = [...state.container.sizes.keys()].filter((path) => path.startsWith(STATEMENTS));
  if (paths.length > MAX_STATEMENTS) {
    throw limitExceeded(`more than ${MAX_STATEMENTS} statements`, STATEMENTS);
  }
  const enclosed = [];
  for (const path of paths) {
    const signed = await parseSigned(await readDocument(state.container, path), path);
    const { predicate } = signed.attestation;
    if (predicate.kind === "finding" && !FINDINGS.has(predicate.value.name)) {
      throw malformed("a finding about a system is no statement about its label", path);
    }
    if (path !== STATEMENTS + signed.fileName) {
      throw malformed("a statement lies under its own name", path, signed.fileName);
    }
    enclosed.push(signed);
  }
  return enclosed;
}
function replicaLabels(statements) {
  const labels = [];
  for (const { attestation, signer } of statements) {
    const { predicate } = attestation;
    if (predicate.kind !== "replication" || predicate.value.replica.keyid !== signer.keyid) continue;
    labels.push([predicate.value.replica.statement_sha256, signer.keyid]);
  }
  return labels;
}
var pair = (digest, keyid) => `${digest} ${keyid}`;
async function isLogged(signed, trust) {
  if (trust && signed.logKey && !trust.accepts({ key: signed.logKey, role: "log" }).isAccepted) return false;
  try {
    return await openStatementProof(signed, trust, "statement") !== void 0;
  } catch (error) {
    if (error instanceof Failure && error.kind === "SealError") return false;
    throw error;
  }
}
function takenBack(signed, given, now) {
  const isWithdrawal = ({ attestation }) => attestation.predicate.kind === "withdrawal";
  const owned = /* @__PURE__ */ new Set([
    ...[...signed.values(), ...given].filter((item) => !isWithdrawal(item)).map(({ attestation, signer }) => pair(attestation.digest, signer.keyid)),
    ...replicaLabels(signed.values()).map(([digest, keyid]) => pair(digest, keyid))
  ]);
  const wanted = [...signed.values()].filter((item) => isWithdrawal(item) && item.attestation.issued <= now).map(({ attestation, signer }) => pair(attestation.about, signer.keyid));
  return new Set(wanted.filter((item) => owned.has(item)));
}
function wordsOf({ attestation: { predicate } }) {
  switch (predicate.kind) {
    case "replication":
      return `${predicate.value.comparison.verdict}; label ${predicate.value.comparison.label}`;
    case "dispute":
      return predicate.value.grounds.join(", ");
    case "withdrawal":
      return predicate.value.superseded_by ? "superseded" : "withdrawn";
    case "finding":
      return predicate.value.name;
    case "audit": {
      const { documents_read: read, documents } = predicate.value.audit;
      return `${predicate.value.relation}; ${read} of ${documents} documents read`;
    }
  }
}
function objectionToComparison({ comparison }) {
  if (comparison.differing.length > 0) return `the systems differ in ${comparison.differing.join(", ")}`;
  const verdicts = [comparison.verdict, ...comparison.measures.map(({ verdict: verdict2 }) => verdict2)];
  if (verdicts.includes("not_replicated")) return "the results differ: not replicated";
  if (comparison.label !== "confirmed") return `its own label leaves the granted level ${comparison.label}`;
  return void 0;
}
var areSame = (a, b) => a.length === b.length && a.every((item, i) => item === b[i]);
var Judge = class {
  constructor(state, label, signed) {
    this.state = state;
    this.label = label;
    this.taken = takenBack(signed, state.given.values(), state.now);
    const given = state.trust === void 0 ? [] : [...state.given.keys()].filter((name) => FINDINGS.has(name));
    this.standing = { audits: [], findings: new Set(given), refused: /* @__PURE__ */ new Map() };
  }
  state;
  label;
  flags = /* @__PURE__ */ new Set();
  isReplicated = false;
  shortOfReplicated = "no independent replication is enclosed (V3)";
  withdrawn;
  standing;
  taken;
  async find(signed) {
    const { attestation, signer } = signed;
    const { kind, value } = attestation.predicate;
    const { name, objection: objection2, holders } = this.decide(signed);
    if (objection2 === void 0) this.note(signed, name, holders);
    else this.noteRefused(signed, `of ${name} does not count: ${objection2}`);
    return {
      kind,
      digest: attestation.digest,
      signer: name,
      keyid: signer.keyid,
      issued: value.issued,
      counts: objection2 === void 0,
      says: wordsOf(signed),
      why: objection2 ?? "",
      logged: await isLogged(signed, this.state.trust)
    };
  }
  decide(signed) {
    const { signer } = signed;
    const { kind } = signed.attestation.predicate;
    const own = `${signer.name} (${signer.keyid.slice(0, 19)})`;
    const objection2 = this.objectionTo(signed);
    const role = ROLE_OF[kind];
    const nobody = /* @__PURE__ */ new Set();
    if (role === void 0 || this.state.trust === void 0) return { name: own, objection: objection2, holders: nobody };
    const asked = { rubric: this.label.predicate.rubric.id, system: this.label.subject.name };
    const decision = this.state.trust.accepts({ key: signer, role, ...asked });
    if (!decision.isAccepted) {
      return { name: own, objection: objection2 ?? `the trust policy: ${decision.reason}`, holders: nobody };
    }
    const other = kind === "replication" ? this.objectionToHolder(decision) : void 0;
    return { name: decision.name, objection: objection2 ?? other, holders: decision.holders };
  }
  // Whom the policy accepts as a replicator must be shown to be another party than the label's signer.
  objectionToHolder({ isNamed, holders }) {
    if (!isNamed) return "the trust policy takes any key and does not say whose this one is";
    return this.isSigner(holders) ? "the trust policy calls its signer and the label's by one name" : void 0;
  }
  // True where the policy gives a holder a name that it also gives the label's signer.
  isSigner(holders) {
    const own = this.state.signerHolders ?? /* @__PURE__ */ new Set();
    return [...holders].some((holder) => own.has(holder));
  }
  /** Why the label is not in force where a finding that it leans on was withdrawn. */
  findWithdrawnFinding() {
    for (const [name, { attestation, signer }] of this.state.given) {
      if (this.taken.has(pair(attestation.digest, signer.keyid))) {
        return `the finding ${quote(name)} that it leans on was withdrawn by its signer`;
      }
    }
    return void 0;
  }
  objectionTo(signed) {
    const { attestation } = signed;
    if (attestation.issued > this.state.now) return "it is dated in the future";
    const { predicate } = attestation;
    if (predicate.kind === "withdrawal") return this.objectionToWithdrawal(signed);
    if (this.taken.has(pair(attestation.digest, signed.signer.keyid))) return "its signer withdrew it";
    if (predicate.kind === "replication") return this.objectionToReplication(signed, predicate.value);
    if (predicate.kind === "finding" || predicate.kind === "audit") return this.objectionToStanding(signed, predicate);
    return attestation.about === this.label.digest ? void 0 : "it is about another label";
  }
  // Why a finding or an audit says nothing of the label's system now.
  objectionToStanding(signed, predicate) {
    const { digest } = established(this.state.system);
    const { now, trust } = this.state;
    let why;
    if (predicate.kind === "audit") why = objectionToAudit(signed, predicate.value, digest, now);
    else if (!FINDINGS.has(predicate.value.name)) return "no level asks for a finding of this name";
    else if (signed.attestation.about !== digest) why = "it is about another system";
    else why = objectionToTerm(signed, predicate.value.valid_until, now);
    return why ?? (trust === void 0 ? "no trust policy says whose key that is" : void 0);
  }
  objectionToWithdrawal({ attestation, signer }) {
    if (attestation.about === this.label.digest) {
      const isOwn = signer.keyid === this.label.predicate.issuer.keyid;
      return isOwn ? void 0 : "it is not signed with the key of the label";
    }
    const isTaken = this.taken.has(pair(attestation.about, signer.keyid));
    return isTaken ? void 0 : "it is about another statement, or of another signer";
  }
  objectionToReplication({ attestation, signer }, found) {
    const label = this.label.predicate;
    if (attestation.about !== this.label.digest) return "it is about another label";
    const { original } = found;
    const isOriginal = original.manifest_sha256 === label.manifest_sha256 && original.evidence_root === label.evidence.root && original.keyid === label.issuer.keyid;
    if (!isOriginal) return "it names other evidence than the label's";
    if (signer.keyid === label.issuer.keyid) return "the label's own issuer signed it";
    if (attestation.issued < parseTime(label.issued, ATTESTATION)) return "it is older than the label";
    const why = this.objectionToReplica(found, signer.keyid);
    if (why !== void 0) return why;
    if (this.state.trust === void 0) return "no trust policy says whose key that is";
    return this.objectionToCoverage(found) ?? objectionToComparison(found);
  }
  objectionToReplica({ replica }, keyid) {
    if (replica.keyid !== keyid) return "it speaks of a bundle that its signer did not sign";
    if (this.taken.has(pair(replica.statement_sha256, keyid))) return "its signer withdrew the label of the replica";
    if (replica.evidence_root === this.label.predicate.evidence.root) {
      return "its records are the label's own, byte for byte: nothing shows that anybody asked again";
    }
    return void 0;
  }
  objectionToCoverage({ comparison }) {
    if (!areSame(comparison.scope, established(this.state.rubric).scope)) {
      return "it compares another scope than the rubric's";
    }
    const measures = established(this.state.plan).value.measures.map(({ id }) => id);
    const compared = comparison.measures.map(({ measure }) => measure);
    return areSame(compared, measures) ? this.objectionToCounts(comparison) : "it compares other measures than the label's";
  }
  // The comparison must be of the label's own counts, and have pairs of every measure that the label counts.
  objectionToCounts({ measures }) {
    const tallies = this.state.recounted?.tallies() ?? /* @__PURE__ */ new Map();
    for (const { measure, n_original, events_original, items, n_replica } of measures) {
      const tally = tallies.get(measure);
      if (tally !== void 0 && (n_original !== tally.n || events_original !== tally.events)) {
        return `its counts of ${measure} are not those of the label's evidence`;
      }
      if (n_original > 0 && (items === 0 || n_replica === 0)) return `it has nothing to compare of ${measure}`;
    }
    return void 0;
  }
  noteRefused({ attestation: { predicate } }, why) {
    if (predicate.kind === "replication") this.shortOfReplicated = `the replication ${why}`;
    if (predicate.kind === "audit") this.standing.refused.set("audit", `the audit ${why}`);
    if (predicate.kind === "finding") {
      const { name } = predicate.value;
      this.standing.refused.set(name, `the finding ${quote(name)} ${why}`);
    }
  }
  note({ attestation, signer }, name, holders) {
    const { predicate } = attestation;
    if (predicate.kind === "audit") this.standing.audits.push(predicate.value);
    if (predicate.kind === "finding") this.standing.findings.add(predicate.value.name);
    if (predicate.kind === "audit" || predicate.kind === "finding") {
      const isOwn = signer.keyid === this.label.predicate.issuer.keyid || this.isSigner(holders);
      if (isOwn) this.flags.add("self_audited");
    }
    if (predicate.kind === "replication") this.isReplicated = true;
    if (predicate.kind === "dispute") this.flags.add("disputed");
    if (predicate.kind === "withdrawal" && attestation.about === this.label.digest) {
      this.withdrawn = `its issuer withdrew it: ${[...predicate.value.reason].slice(0, 200).join("")} (${name})`;
      this.flags.add(predicate.value.superseded_by === null ? "revoked" : "superseded");
    }
  }
};

// src/verifier/verification.ts
var LEVEL_NAMES = {
  V0: "claimed",
  V1: "signed",
  V2s: "recomputed, records sealed",
  V2: "recomputed",
  V3: "replicated",
  V4: "audited"
};
function levelOf(steps, shortOf, failure) {
  const failed = steps.find((step) => step.outcome === "failed")?.number;
  const short = (level) => shortOf.get(level);
  if (failed !== void 0 && failed <= 7) return ["V0", failure ?? ""];
  if (short("V1") !== void 0) return ["V0", short("V1")];
  if (failed !== void 0) return ["V1", short("V2") ?? failure ?? ""];
  if (short("V2") !== void 0) return ["V1", short("V2")];
  if (short("V2s") !== void 0) return ["V2s", short("V2s")];
  if (short("V3") !== void 0) return ["V2", short("V3")];
  if (short("V4") !== void 0) return ["V3", short("V4")];
  return ["V4", AUDIT_LIMIT];
}
function writeSentence(found) {
  const parts = [found.label ? sentenceOf(found.label) : "no label", found.levelName];
  if (found.validUntil && found.flags.includes("current")) parts.push(`current until ${found.validUntil.slice(0, 10)}`);
  else if (found.validUntil && found.flags.includes("expired")) {
    parts.push(`expired on ${found.validUntil.slice(0, 10)}`);
  }
  parts.push(...["revoked", "superseded", "disputed"].filter((word2) => found.flags.includes(word2)));
  if (found.system && found.systemDigest) {
    const { use_case, locale } = found.system;
    parts.push(`for system ${found.systemDigest.slice(7, 15)} (${use_case}, ${locale})`);
  }
  return `${parts.join("; ")}.`;
}

// src/verifier/verifier.ts
var STEPS = [
  "container",
  "manifest",
  "signature",
  "statement",
  "log",
  "plan",
  "evidence",
  "recount",
  "label",
  "validity",
  "statements"
];
var CHECKS = [
  checkManifest,
  checkSignature,
  checkStatement,
  checkLog,
  checkPlan,
  checkEvidence,
  checkRecount,
  checkLabel,
  checkValidity,
  checkStatements
];
var Run = class {
  constructor(onStep) {
    this.onStep = onStep;
  }
  onStep;
  steps = [];
  failure;
  note(number, outcome, detail = "") {
    const step = { number, name: STEPS[number - 1], outcome, detail };
    this.steps.push(step);
    this.onStep?.(step);
  }
  fail(number, error) {
    if (!(error instanceof Failure)) throw error;
    this.note(number, "failed", error.message);
    const message = `step ${number} (${STEPS[number - 1]}): ${error.message}`;
    this.failure = new Failure(error.kind, message, error.where, error.hint);
  }
  finish() {
    for (let number = this.steps.length + 1; number <= STEPS.length; number += 1) this.note(number, "not_reached");
  }
};
async function runSteps(state, run) {
  for (const [index, check] of CHECKS.entries()) {
    const number = index + 2;
    state.progress(number);
    try {
      run.note(number, "passed", await check(state));
    } catch (error) {
      if (error instanceof Skipped) {
        run.note(number, "skipped", error.message);
        continue;
      }
      run.fail(number, error);
      await noteStanding(state, number);
      return;
    }
  }
}
async function noteStanding(state, failed) {
  const checks = failed < 8 ? [] : failed < 10 ? [checkValidity, checkStatements] : failed === 10 ? [checkStatements] : [];
  for (const check of checks) {
    try {
      await check(state);
    } catch (error) {
      if (!(error instanceof Failure || error instanceof Skipped)) throw error;
    }
  }
}
function newState(container, options) {
  return {
    container,
    trust: options.trust,
    now: options.now,
    references: options.references ?? [],
    beside: options.beside ?? [],
    bundledRubrics: define_BUNDLED_RUBRICS_default,
    progress: options.progress ?? (() => void 0),
    flags: [],
    shortOf: /* @__PURE__ */ new Map(),
    leaves: 0,
    given: /* @__PURE__ */ new Map(),
    givenAudits: [],
    statements: [],
    lackingForV4: []
  };
}
function conclude(state, run) {
  const failure = run.failure;
  const [level, reason] = state ? levelOf(run.steps, state.shortOf, failure?.toString()) : ["V0", String(failure)];
  const predicate = state?.statement?.predicate;
  const found = {
    level,
    levelName: `${level} ${LEVEL_NAMES[level]}`,
    reason,
    steps: run.steps,
    flags: [...new Set(state?.flags ?? [])],
    label: state?.label?.value,
    system: state?.system?.value,
    systemDigest: state?.system?.digest,
    plan: state?.plan?.value,
    signer: state?.signer,
    keyid: state?.signerKey?.keyid,
    issued: predicate?.issued,
    validUntil: predicate?.valid_until,
    root: state?.root,
    leaves: state?.leaves ?? 0,
    tallies: state?.recounted?.tallies() ?? /* @__PURE__ */ new Map(),
    manifestDigest: state?.manifest?.digest,
    statementDigest: state?.statement?.digest,
    statements: state?.statements ?? [],
    lackingForV4: state?.lackingForV4 ?? [],
    failure: failure && { kind: failure.kind, message: failure.message, where: failure.where, hint: failure.hint }
  };
  return { ...found, sentence: writeSentence(found) };
}
async function verifyBundle(opening, options) {
  const run = new Run(options.onStep);
  let state;
  try {
    options.progress?.(1);
    const container = await openContainer(opening);
    state = newState(container, options);
    run.note(1, "passed", `${container.sizes.size} files`);
  } catch (error) {
    run.fail(1, error);
  }
  if (state !== void 0) await runSteps(state, run);
  run.finish();
  return { verification: conclude(state, run), state };
}
export {
  Failure,
  Frontier,
  Numeral,
  Refusal,
  arithmetic,
  attemptOf,
  canonicalText,
  chooseAnswers,
  commitmentOf,
  contradictionOf,
  decideCase,
  digestOf,
  foldName,
  hexOf,
  leafHash,
  matches,
  parseIndex,
  parseJson,
  parsePublic,
  parseSigned,
  parseTrust,
  readRecord,
  readYaml,
  verifyBundle,
  withholdAttempt
};
