// The shapes that the decision works on: counts, what a claim sees of them, levels of error, limits, rules.
import type { Fraction } from "./exact.ts";

export type Side = "met" | "not_met";
export type Status = Side | "undetermined" | "not_assessed";
export type Design = "fixed" | "anytime";
export type Operator = "<=" | "<" | ">=" | ">";

/** A detector's measured errors: right ones of those labelled with the event, and of those without it. */
export interface Errors {
  true_positives: number;
  positives: number;
  true_negatives: number;
  negatives: number;
}

/** Counts of one measure, with defaults filled in. A cluster is [events, missing, size, count]. */
export interface Counted {
  measure: string;
  n: number;
  events: number;
  missing: number;
  unit: "item" | "family" | "trial";
  population: "items_sampled" | "items_fixed";
  clusters: readonly (readonly [number, number, number, number])[];
  pool: number | null;
  errors: Errors | null;
  exact: boolean;
  complement: boolean;
  n_planned: number;
}

/** Counts as a claim `rate <= threshold` sees them. */
export interface View {
  n: number;
  worst: number;
  least: number;
  pool: number | null;
  clusters: { worst: number; least: number; size: number; count: number }[] | null;
  byBets: boolean;
  sensitivity: { right: number; of: number };
  specificity: { right: number; of: number };
}

/** A one-sided error for each of a row's two claims. */
export interface Levels {
  met: Fraction;
  not_met: Fraction;
}

/** What a row's two claims are compared with, in millionths. */
export interface Limits {
  met: bigint;
  not_met: bigint;
}

export interface Statistics {
  alpha: Fraction;
  maxMissing: Fraction;
  margin: Fraction;
  isJudgeAdjusted: boolean;
  minCalibration: number;
  designs: readonly string[];
}

/** What the decision needs of a measure of a rubric, and what a plan must agree with. */
export interface Measure {
  id: string;
  title: string | undefined;
  direction: "lower_is_safer" | "higher_is_safer" | "higher_is_more_capable";
  unit: Counted["unit"];
  population: Counted["population"];
  isNegated: boolean;
  hasReference: boolean;
  minN: number;
  settings: readonly string[];
  suite: string;
  suiteDigest: string | undefined;
  event: string;
  filter: ReadonlyMap<string, readonly string[]>;
  k: number | undefined;
  collapse: "any" | "all";
}

export type Threshold =
  | { rate: Fraction; factor?: undefined; text: string }
  | { rate?: undefined; factor: Fraction; text: string };

export interface Criterion {
  measure: Measure;
  op: Operator;
  threshold: Threshold;
}

export type Node = Criterion | { attested: string } | { need: number; children: readonly Node[] };

export type Test = "when" | "rule_in" | "rule_out";

export interface Level {
  id: string;
  name: string;
  meaning: string | undefined;
  rules: readonly { test: Test; node: Node }[];
}

export interface Attested {
  role: string;
  maxAgeDays: number | undefined;
}

export interface Rubric {
  reference: { id: string; version: string; sha256: string };
  title: string;
  statistics: Statistics;
  measures: ReadonlyMap<string, Measure>;
  attestations: ReadonlyMap<string, Attested>;
  kind: "assurance" | "hazard";
  levels: readonly Level[];
  validityDays: number;
  sunset: string | undefined;
  useCases: readonly string[];
  /** The keys of a system that a label is bound to. */
  scope: readonly string[];
}

/** What a row is decided from, beside its own counts. */
export interface Context {
  statistics: Statistics;
  design: Design;
  attested: ReadonlySet<string>;
  tallies: ReadonlyMap<string, Counted>;
  references: ReadonlyMap<string, Counted>;
}
