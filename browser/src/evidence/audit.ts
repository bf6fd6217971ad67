// The predicate of a training-data audit: what of a data set was read, what was looked for, and what was found.
import { malformed } from "../errors.ts";
import { ISSUER, TOOL } from "../records/documents.ts";
import { integer, list, oneOf, optional, type Read, required, struct, text } from "../records/forms.ts";
import { parseTime } from "./moments.ts";
import { LEVEL, MAX_LISTED, requireDigest, requireWordList, requireWords } from "./wordforms.ts";

const DATASET = "dataset";
const MILLION = 1_000_000;
const PER_MILLION = /^(?:0|[1-9][0-9]{0,6})(?:\.[0-9]{0,5}[1-9])?$/;
/** What stands beside every level that rests on an audit. */
export const AUDIT_LIMIT = "an audit's root proves what was audited, not what the model was trained on";

const REFERENCE = struct({
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
  unknown: optional(integer, () => 0),
});

const CHECK = struct({ name: required(text), version: required(text), data_sha256: required(text) });

const BOUNDED = struct({
  kind: required(text),
  found_documents: required(integer),
  bound_per_million: required(text),
  method: required(text),
  basis: required(oneOf("census", "sampled")),
  sample: optional(integer, () => 0),
});

const MATCHES = struct({
  benchmark: required(text),
  benchmark_sha256: required(text),
  items: required(integer),
  items_matched: required(integer),
  documents: required(integer),
  unchecked: optional(integer, () => 0),
});
export type Matches = Read<typeof MATCHES>;

const CANARY = struct({ kind: required(text), planted: required(integer), found: required(integer) });

export const AUDIT = struct({
  audit: required(REFERENCE),
  checks: required(list(CHECK)),
  statements: required(list(BOUNDED)),
  contamination: required(list(MATCHES)),
  canaries: required(list(CANARY)),
  relation: required(oneOf("audited", "declared-training-data", "declared-fine-tuning-data")),
  text: required(text),
  valid_until: required(text),
  issuer: required(ISSUER),
  issued: required(text),
  tool: required(TOOL),
});
export type Audit = Read<typeof AUDIT>;

export const isDeclaration = ({ relation }: Audit): boolean => relation !== "audited";

function requireCounts(form: Record<string, unknown>, where: string): void {
  for (const [name, value] of Object.entries(form)) {
    if (typeof value === "number" && value < 0) throw malformed("a negative count", `${where}.${name}`);
  }
}

function requirePart(part: number, whole: number, where: string): void {
  if (part > whole) throw malformed("more than what it is a part of", where);
}

function requireListed(keys: readonly string[], where: string): void {
  if (keys.length > MAX_LISTED || new Set(keys).size !== keys.length) {
    throw malformed(`more than ${MAX_LISTED}, or one twice`, where);
  }
}

function checkReference(audit: Audit["audit"], issued: number, where: string): void {
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

function checkChecks(checks: Audit["checks"], where: string): void {
  if (checks.length === 0) throw malformed("an audit that looked for nothing", where);
  requireWordList(
    checks.map(({ name }) => name),
    where,
  );
  checks.forEach(({ version, data_sha256 }, i) => {
    requireWordList([version], `${where}[${i}].version`);
    requireDigest(data_sha256, `${where}[${i}].data_sha256`);
  });
}

function checkBounded(statement: Audit["statements"][number], read: number, where: string): void {
  requireWordList([statement.kind], `${where}.kind`);
  requireWordList([statement.method], `${where}.method`);
  requireCounts(statement, where);
  if ((statement.basis === "sampled") !== statement.sample > 0) {
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

function checkMatches(matches: Matches, read: number, where: string): void {
  requireWordList([matches.benchmark], `${where}.benchmark`);
  requireDigest(matches.benchmark_sha256, `${where}.benchmark_sha256`);
  requireCounts(matches, where);
  if (matches.items === 0) throw malformed("a benchmark of which nothing was looked for", `${where}.items`);
  requirePart(matches.unchecked, matches.items, `${where}.unchecked`);
  requirePart(matches.items_matched, matches.items - matches.unchecked, `${where}.items_matched`);
  requirePart(matches.documents, read, `${where}.documents`);
  if (matches.items_matched > 0 !== matches.documents > 0) {
    throw malformed("items are found in documents, and documents hold items", `${where}.documents`);
  }
}

function checkSubject(audit: Audit, name: string, about: string, where: string): void {
  const isDataset = about === audit.audit.dataset_root;
  if (!isDeclaration(audit) && !(isDataset && name === DATASET)) {
    throw malformed("the subject is not the data set that was audited", `${where}.audit.dataset_root`);
  }
  if (isDeclaration(audit) && isDataset) throw malformed("a data set is not its own training data", `${where}.relation`);
}

const pairOf = (a: string, b: string): string => JSON.stringify([a, b]);

/** Check an audit against itself and its subject; every refusal names the field that cannot be. */
export function checkAudit(audit: Audit, name: string, about: string, issued: number, where: string): void {
  checkReference(audit.audit, issued, `${where}.audit`);
  const read = audit.audit.documents_read;
  checkChecks(audit.checks, `${where}.checks`);
  requireListed(
    audit.statements.map(({ kind, basis }) => pairOf(kind, basis)),
    `${where}.statements`,
  );
  audit.statements.forEach((statement, i) => checkBounded(statement, read, `${where}.statements[${i}]`));
  requireListed(
    audit.contamination.map(({ benchmark, benchmark_sha256 }) => pairOf(benchmark, benchmark_sha256)),
    `${where}.contamination`,
  );
  audit.contamination.forEach((matches, i) => checkMatches(matches, read, `${where}.contamination[${i}]`));
  requireWordList(
    audit.canaries.map(({ kind }) => kind),
    `${where}.canaries`,
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
