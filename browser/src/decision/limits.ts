// What a row's bounds are compared with: the threshold after reference, margin and judge, as a claim `rate <=
// threshold` sees it (label semantics 1, 6 and 7), and the levels that remain for the comparison.
import type { Context, Counted, Criterion, Levels, Limits, View } from "./claims.ts";
import { Fraction, fractionOfMicro, microDown, microUp, ONE, ZERO } from "./exact.ts";
import { lowerOf, rightAtLeast, upperOf, viewTally } from "./view.ts";

const CLAIM_SHARE = new Fraction(4n, 5n);
const JUDGE_SHARE = new Fraction(1n, 5n);
const HALF = new Fraction(1n, 2n);

const scaledLevels = (levels: Levels, factor: Fraction): Levels => ({
  met: levels.met.times(factor),
  not_met: levels.not_met.times(factor),
});

// Bounds of the reference's true rate, each allowing for its own judge.
function referenceLower(view: View, alpha: Fraction, isJudged: boolean): Fraction {
  if (!isJudged) return fractionOfMicro(lowerOf(view, alpha));
  const flagged = fractionOfMicro(lowerOf(view, alpha.times(CLAIM_SHARE)));
  const cleared = rightAtLeast(view.specificity, alpha.times(JUDGE_SHARE));
  const truly = flagged.minus(ONE.minus(cleared));
  return truly.compare(ZERO) <= 0 ? ZERO : truly.over(cleared);
}

function referenceUpper(view: View, alpha: Fraction, isJudged: boolean): Fraction {
  if (!isJudged) return fractionOfMicro(upperOf(view, alpha));
  const flagged = fractionOfMicro(upperOf(view, alpha.times(CLAIM_SHARE)));
  const found = rightAtLeast(view.sensitivity, alpha.times(JUDGE_SHARE));
  return found.compare(flagged) <= 0 ? ONE : flagged.over(found);
}

function referenceLimits(
  reference: Counted,
  factor: Fraction,
  levels: Levels,
  context: Context,
  isUpward: boolean,
): Levels {
  const view = viewTally(reference, context.design, false);
  const isJudged = context.statistics.isJudgeAdjusted && !reference.exact;
  const forMet = isUpward ? referenceUpper : referenceLower;
  const forNotMet = isUpward ? referenceLower : referenceUpper;
  return {
    met: factor.times(forMet(view, levels.met, isJudged)),
    not_met: factor.times(forNotMet(view, levels.not_met, isJudged)),
  };
}

// The flagged rate's limits: p <= T follows from q <= T Se, p > T from q > T (1 - fpr) + fpr.
function judgedLimits(limits: Levels, view: View, levels: Levels): Levels {
  const sensitivity = rightAtLeast(view.sensitivity, levels.met.times(JUDGE_SHARE));
  const cleared = rightAtLeast(view.specificity, levels.not_met.times(JUDGE_SHARE));
  return {
    met: limits.met.times(sensitivity),
    not_met: limits.not_met.times(cleared).plus(ONE.minus(cleared)),
  };
}

/** `{limits, levels}`: limits in micro, rounded against the decision; levels for the comparison of the rate. */
export function prepareComparison(
  node: Criterion,
  view: View,
  reference: Counted | undefined,
  alphas: Levels,
  context: Context,
  isJudged: boolean,
  isUpward: boolean,
): { limits: Limits; levels: Levels } {
  const { rate, factor } = node.threshold;
  const levels = factor ? scaledLevels(alphas, HALF) : alphas;
  const stated = factor
    ? referenceLimits(reference as Counted, factor, levels, context, isUpward)
    : { met: rate, not_met: rate };
  const met = isUpward ? ONE.minus(stated.met) : stated.met;
  const not_met = isUpward ? ONE.minus(stated.not_met) : stated.not_met;
  const plain = { met: met.minus(context.statistics.margin), not_met };
  const limits = isJudged ? judgedLimits(plain, view, levels) : plain;
  return {
    limits: { met: microDown(limits.met), not_met: microUp(limits.not_met) },
    levels: isJudged ? scaledLevels(levels, CLAIM_SHARE) : levels,
  };
}
