// The documents of a bundle: system, plan, manifest, statement, suite index.
import type { Counted, Design, Errors } from "../decision/claims.ts";
import {
  anyObject,
  dict,
  type Form,
  fourIntegers,
  integer,
  list,
  oneOf,
  onlyOne,
  optional,
  orNull,
  type Read,
  required,
  scalar,
  spoken,
  struct,
  text,
  truth,
} from "./forms.ts";
import { isObject } from "./json.ts";

const none = (): null => null;
const noText = (): string => "";
const zero = (): number => 0;
const no = (): boolean => false;
const noTexts = (): Map<string, string> => new Map();
const identity = oneOf("weights", "provider_asserted", "fingerprinted", "recorded", "simulated");
const collapse: Form<"any" | "all"> = oneOf("any", "all");
/** `en`, where it is left out; a document may also say so, and is then written with it again. */
const language: Form<string | undefined> = text;
const unsaid = (): undefined => undefined;
const design: Form<Design> = oneOf("fixed", "anytime");
const unit: Form<Counted["unit"]> = oneOf("item", "family", "trial");
const population: Form<Counted["population"]> = oneOf("items_sampled", "items_fixed");

export const SYSTEM_FORM = struct({
  name: required(text),
  provider_model: required(text),
  identity: required(identity),
  format: required(oneOf("verilabel/system/v1")),
  weights: optional(orNull(text), none),
  params: optional(dict(scalar), () => new Map()),
  system_prompt: optional(orNull(text), none),
  tools: optional(dict(text), noTexts),
  guardrails: optional(dict(text), noTexts),
  use_case: spoken(text, () => "general-chat"),
  locale: spoken(text, () => "en-US"),
  modality: spoken(text, () => "text"),
  base_url: optional(orNull(text), none),
});
export type System = Read<typeof SYSTEM_FORM>;

const RUBRIC_REFERENCE = struct({ id: required(text), version: required(text), sha256: required(text) });

const ERRORS = struct({
  true_positives: required(integer),
  positives: required(integer),
  true_negatives: required(integer),
  negatives: required(integer),
  dataset: required(text),
  dataset_sha256: required(text),
  language: spoken(language, unsaid),
  method: optional(text, noText),
});
export type MeasuredErrors = Read<typeof ERRORS>;

const CARD = struct({
  id: required(text),
  version: required(text),
  event: required(text),
  sha256: required(text),
  exact: optional(truth, no),
  errors: optional(list(ERRORS), () => []),
  setting: optional(text, noText),
});
export type Card = Read<typeof CARD>;

const TALLY = struct({
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
  n_planned: optional(integer, zero),
});
export type Tally = Omit<Counted, "errors"> & { errors: (Errors & MeasuredErrors) | null };

const STREAM = struct({
  suite: required(text),
  suite_sha256: required(text),
  index_sha256: required(text),
  samples: required(integer),
  limit: required(integer),
  detectors: required(list(text)),
  epochs: optional(integer, () => 1),
  strata: optional(dict(text), noTexts),
});
export type Stream = Read<typeof STREAM>;

const MEASURE = struct({
  id: required(text),
  suite: required(text),
  event: required(text),
  detector: required(text),
  unit: required(unit),
  population: required(population),
  where: optional(dict(list(text)), () => new Map()),
  collapse: optional<"any" | "all">(collapse, () => "any"),
  negate: optional(truth, no),
  samples: optional(integer, zero),
  language: spoken(language, unsaid),
});
export type MeasurePlan = Read<typeof MEASURE>;

const REFERENCE = struct({
  tally: required(TALLY),
  system_sha256: required(text),
  manifest_sha256: required(text),
  evidence_root: required(text),
});
export type PlannedReference = Read<typeof REFERENCE>;

const BUDGET = struct({
  requests: optional(orNull(integer), none),
  tokens: optional(orNull(integer), none),
  usd: optional(orNull(text), none),
});

const IMPORTED = struct({
  tool: required(text),
  tool_version: required(text),
  files: required(dict(text)),
  task: optional(text, noText),
  created: optional(text, noText),
});

export const PLAN_FORM = struct({
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
  imported: optional(orNull(IMPORTED), none),
});
export type Plan = Read<typeof PLAN_FORM>;

export const MANIFEST_FORM = struct({
  format: required(text),
  entries: required(
    list(
      struct({
        path: required(text),
        size: required(integer),
        sha256: required(text),
        role: required(text),
        visibility: required(oneOf("public", "gated", "sealed")),
      }),
    ),
  ),
});
export type Manifest = Read<typeof MANIFEST_FORM>;

export const SUBJECT = struct({
  name: required(text),
  digest: required(struct({ sha256: required(text) })),
});

export const ISSUER = struct({ name: required(text), keyid: required(text) });
export const TOOL = struct({ name: required(text), version: required(text) });
export const STATEMENT_TYPE = "https://in-toto.io/Statement/v1";

export const STATEMENT_FORM = struct({
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
        struct({ root: required(text), leaves: required(integer), algorithm: required(oneOf("rfc6962-sha256")) }),
      ),
      manifest_sha256: required(text),
      design: required(design),
      identity: required(identity),
      issued: required(text),
      valid_until: required(text),
      issuer: required(ISSUER),
      tool: required(TOOL),
    }),
  ),
});
export type StatementDocument = Read<typeof STATEMENT_FORM>;

const ENTRY_FIELDS = {
  id: required(text),
  sha256: required(text),
  family: optional(text, noText),
  stratum: optional(text, noText),
  tags: optional(dict(text), noTexts),
};
/** The fields of an index line, in the order in which a line has them. */
export const ENTRY_ORDER = Object.keys(ENTRY_FIELDS);
export const ENTRY_FORM = struct(ENTRY_FIELDS);
export type SampleEntry = Read<typeof ENTRY_FORM>;

/** The family of a sample, or the sample itself where it has none. */
export const unitOf = (entry: SampleEntry): string => entry.family || entry.id;

const status = oneOf("met", "not_met", "undetermined", "not_assessed");

const ROW = struct({
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
  flags: optional(list(text), () => []),
});
export type LabelRow = Read<typeof ROW>;

// A node of a level's tree: a row by its number, or a branch over further nodes.
const NODE: Form<unknown> = {
  read: (value, path, notes) => (isObject(value) && value.get("node") === "row" ? LEAF : BRANCH).read(value, path, notes),
};
const LEAF = struct({ node: required(oneOf("row")), row: required(integer) });
const BRANCH = struct({
  node: required(oneOf("branch")),
  status: required(status),
  need: required(integer),
  children: required(list(NODE)),
});

const HALF = struct({ id: required(text), name: required(text) });

export const LABEL_FORM = struct({
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
        tree: optional(orNull(NODE), none),
      }),
    ),
  ),
  scale: required(list(text)),
  flags: optional(list(text), () => []),
  granted: optional(orNull(HALF), none),
  cannot_exclude_up_to: optional(orNull(HALF), none),
  established: optional(orNull(HALF), none),
  not_ruled_out: optional(orNull(HALF), none),
});
export type Label = Read<typeof LABEL_FORM>;
