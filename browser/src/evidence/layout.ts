// Where things lie in a bundle, and how large they may be.
import { malformed, quote } from "../errors.ts";

export const BUNDLE_FORMAT = "verilabel/bundle/v1";
export const MANIFEST = "bundle.json";
export const SYSTEM = "subject/system.json";
export const SYSTEM_PROMPT = "subject/system-prompt.txt";
export const CONTAINMENT = "subject/containment.json";
export const RUBRIC = "rubric/rubric.yaml";
export const RUBRIC_CANONICAL = "rubric/rubric.jcs.json";
export const PLAN = "plan/plan.json";
export const SUITES = "suites/";
export const EVIDENCE = "records/evidence.jsonl";
export const OBSERVATIONS = "records/observations.jsonl";
export const SURPLUS = "records/surplus.jsonl";
export const MEASURES = "results/measures.json";
export const LABEL = "results/label.json";
export const ATTESTATION = "attestations/label.intoto.json";
export const SIGNER_KEY = "attestations/signer.pub";
export const PLAN_PROOF = "log/plan.tlog-proof";
export const LABEL_PROOF = "log/label.tlog-proof";
export const CONSISTENCY = "log/consistency.json";
export const LOG_KEY = "log/log.vkey";
export const KEYLESS = "attestations/label.sigstore.json";
export const TIMESTAMP = "log/label.tsr";
export const GIVEN = "attestations/given/";
export const STATEMENTS = "statements/";

const UNLISTED = new Set([
  MANIFEST,
  ATTESTATION,
  SIGNER_KEY,
  PLAN_PROOF,
  LABEL_PROOF,
  CONSISTENCY,
  LOG_KEY,
  KEYLESS,
  TIMESTAMP,
]);
const ROLES = new Map([
  [SYSTEM, "subject"],
  [SYSTEM_PROMPT, "subject"],
  [CONTAINMENT, "subject"],
  [RUBRIC, "rubric"],
  [RUBRIC_CANONICAL, "rubric"],
  [PLAN, "plan"],
  [EVIDENCE, "evidence"],
  [OBSERVATIONS, "observations"],
  [SURPLUS, "surplus"],
  [MEASURES, "results"],
  [LABEL, "results"],
]);
export const REQUIRED = [SYSTEM, RUBRIC, RUBRIC_CANONICAL, PLAN, EVIDENCE, OBSERVATIONS, SURPLUS, MEASURES, LABEL];

export const MAX_FILES = 1_000;
export const MAX_STATEMENTS = 64;
export const MAX_GIVEN = 64;
/** How many answers of each suite, the first of the committed order, are never withheld. */
export const OPEN_ANSWERS = 5;
export const MAX_PATH = 200;
export const MAX_DOCUMENT_BYTES = 64 * 2 ** 20;
export const MAX_JSON_BYTES = 8 * 2 ** 20;
export const MAX_SUITE_FILE_BYTES = 2 ** 20;
export const MAX_SUITE_FILES_BYTES = 2 * 2 ** 20;
export const MAX_LINE_BYTES = 32 * 2 ** 20;
export const MAX_BUNDLE_BYTES = 64 * 2 ** 30;

const PATH = /^[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*(?:\/[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*){0,3}$/;

/** A bundle path, checked: relative, plain characters, no dot-files, no parent references, at most four parts. */
export function checkPath(path: string): string {
  if (path.length > MAX_PATH || !PATH.test(path)) {
    throw malformed(`path ${quote(path.slice(0, 80))} may not stand in a bundle`, MANIFEST);
  }
  return path;
}

/** Paths of a suite's manifest and of its sample index, for a suite named `id@version`. */
export function suiteFiles(suite: string): { manifest: string; index: string } {
  const slug = suite.replaceAll("/", "__");
  return { manifest: `${SUITES}${slug}.suite.yaml`, index: `${SUITES}${slug}.index.jsonl` };
}

/** True for a file that the manifest cannot list, because it is made from it or after it. */
export const isUnlisted = (path: string): boolean =>
  UNLISTED.has(path) || (path.startsWith(STATEMENTS) && path.endsWith(".json"));

/** The role of a listed file. Refuses a path that has none in this format. */
export function roleOf(path: string): string {
  const role = ROLES.get(path);
  if (role !== undefined) return role;
  if (path.startsWith(SUITES) && (path.endsWith(".suite.yaml") || path.endsWith(".index.jsonl"))) return "suite";
  if (path.startsWith(GIVEN) && path.endsWith(".json")) return "attestation";
  throw malformed(`${quote(path)} has no role in a bundle of format ${BUNDLE_FORMAT}`, MANIFEST);
}
