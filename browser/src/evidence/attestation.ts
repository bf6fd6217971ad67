// What parties sign besides labels: replications, disputes, withdrawals, findings about a system, and audits of data.
import { malformed, quote, sealError } from "../errors.ts";
import { areEqual, digestOfBytes, encodeText } from "../records/bytes.ts";
import { ISSUER, STATEMENT_TYPE, SUBJECT, TOOL } from "../records/documents.ts";
import {
  anyObject,
  convert,
  type Form,
  integer,
  list,
  oneOf,
  onlyOne,
  optional,
  orNull,
  type Read,
  required,
  struct,
  text,
} from "../records/forms.ts";
import { canonicalBytes, canonicalText, isObject, type Json, parseJson } from "../records/json.ts";
import { AUDIT, type Audit, checkAudit } from "./audit.ts";
import { openEnvelope } from "./envelope.ts";
import { ED25519, parsePublic, parsePublicFile, type PublicKey } from "./keys.ts";
import { leafHash } from "./merkle.ts";
import { parseTime } from "./moments.ts";
import { openProof, parseProof, type OpenedProof } from "./note.ts";
import type { TrustPolicy } from "./trust.ts";
import { LEVEL, requireDigest, requireWordList, requireWords } from "./wordforms.ts";

const BASE = "https://verilabel.example/attestation/";
const MAX_ATTESTATION_BYTES = 2 ** 20;
const MAX_SIGNED_BYTES = 3 * MAX_ATTESTATION_BYTES;
const MAX_NAME = 100;
const NAME = /^[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*$/;
const SIX_PLACES = /^-?[01]\.[0-9]{6}$/;
const GROUNDS = ["evidence", "scoring", "method", "scope", "conduct", "other"] as const;
const noText = (): string => "";
const verdict = oneOf("replicated", "not_replicated", "underpowered");
const SIGNED_BY = { issuer: required(ISSUER), issued: required(text), tool: required(TOOL) };
const EVIDENCE = struct({ name: required(text), sha256: required(text) });

const BUNDLE = struct({
  statement_sha256: required(text),
  manifest_sha256: required(text),
  evidence_root: required(text),
  system_sha256: required(text),
  keyid: required(text),
  label: required(text),
});

const COMPARED = struct({
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
  difference: optional(text, noText),
  lower: optional(text, noText),
  upper: optional(text, noText),
  p_value: optional(text, noText),
  needed: optional(integer, () => 0),
});

const REPLICATION = struct({
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
      measures: required(list(COMPARED)),
    }),
  ),
  ...SIGNED_BY,
});
export type Replication = Read<typeof REPLICATION>;

const DISPUTE = struct({
  grounds: required(list(oneOf(...GROUNDS))),
  text: required(text),
  rows: required(list(text)),
  evidence: required(list(EVIDENCE)),
  ...SIGNED_BY,
});

const WITHDRAWAL = struct({ reason: required(text), superseded_by: required(orNull(text)), ...SIGNED_BY });

const FINDING = struct({
  name: required(text),
  role: required(text),
  text: required(text),
  evidence: required(list(EVIDENCE)),
  valid_until: required(text),
  ...SIGNED_BY,
});
export type Finding = Read<typeof FINDING>;

export type Predicate =
  | { kind: "replication"; value: Replication }
  | { kind: "dispute"; value: Read<typeof DISPUTE> }
  | { kind: "withdrawal"; value: Read<typeof WITHDRAWAL> }
  | { kind: "finding"; value: Finding }
  | { kind: "audit"; value: Audit };

const FORMS: Record<Predicate["kind"], Form<unknown>> = {
  replication: REPLICATION,
  dispute: DISPUTE,
  withdrawal: WITHDRAWAL,
  finding: FINDING,
  audit: AUDIT,
};
const typeOf = (kind: string): string => `${BASE}${kind === "audit" ? "training-data-audit" : kind}/v1`;

/** A parsed attestation. `about` is the digest of the statement, the system or the data set that it is about. */
export interface Attestation {
  predicate: Predicate;
  /** What the subject is called. */
  name: string;
  about: string;
  digest: string;
  issued: number;
}

/** A statement whose signature was verified. */
export interface Signed {
  attestation: Attestation;
  signer: PublicKey;
  proof: Uint8Array | undefined;
  logKey: PublicKey | undefined;
  /** The name under which it lies in a bundle. */
  fileName: string;
}

function checkReplication(found: Replication, about: string, where: string): void {
  requireWords(found.independence, `${where}.independence`);
  for (const name of ["original", "replica"] as const) {
    for (const part of ["statement_sha256", "manifest_sha256", "evidence_root", "system_sha256", "keyid"] as const) {
      requireDigest(found[name][part], `${where}.${name}.${part}`);
    }
  }
  for (const name of ["original", "replica"] as const) requireWords(found[name].label, `${where}.${name}.label`);
  if (about !== found.original.statement_sha256) {
    throw malformed("the subject is not the original's statement", `${where}.original`);
  }
  checkComparison(found.comparison, `${where}.comparison`);
}

function checkComparison(comparison: Replication["comparison"], where: string): void {
  for (const name of ["alpha", "margin"] as const) {
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
    `${where}.measures`,
  );
  comparison.measures.forEach((measure, i) => checkCompared(measure, `${where}.measures[${i}]`));
}

function checkCompared(measure: Read<typeof COMPARED>, where: string): void {
  for (const [name, value] of Object.entries(measure)) {
    if (typeof value === "number" && value < 0) throw malformed("a negative count", `${where}.${name}`);
  }
  for (const name of ["difference", "lower", "upper", "p_value"] as const) {
    if (measure[name] !== "" && !SIX_PLACES.test(measure[name])) {
      throw malformed("not a decimal of 6 places", `${where}.${name}`);
    }
  }
  if (Math.max(measure.agreeing, measure.identical, measure.missing) > measure.items) {
    throw malformed("more items of a kind than items", where);
  }
}

function checkForms({ predicate, name, about, issued }: Attestation, where: string): void {
  const place = `${where}.predicate`;
  const requireEvidence = (evidence: readonly { name: string; sha256: string }[]): void => {
    requireWordList(
      evidence.map(({ name }) => name),
      `${place}.evidence`,
    );
    evidence.forEach(({ sha256 }, i) => requireDigest(sha256, `${place}.evidence[${i}].sha256`));
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
          `${place}.name`,
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

function kindOf(type: Json | undefined, where: string): Predicate["kind"] {
  const kind = (Object.keys(FORMS) as Predicate["kind"][]).find((name) => type === typeOf(name));
  if (kind !== undefined) return kind;
  const shown = quote(String(type).slice(0, 100));
  throw malformed(
    `a statement of a kind that is not known here: ${shown}`,
    `${where}: $.predicateType`,
    `known are ${Object.keys(FORMS).join(", ")}`,
  );
}

/** Read an attestation from the payload of a verified envelope: strict, bounded, canonical. */
function parseAttestation(payload: Uint8Array, where: string): Attestation {
  const document = parseJson(payload, where, { maxBytes: MAX_ATTESTATION_BYTES });
  const names = ["_type", "subject", "predicateType", "predicate"];
  if (!isObject(document) || document.size !== names.length || !names.every((name) => document.has(name))) {
    throw malformed("not an in-toto statement", where);
  }
  if (document.get("_type") !== STATEMENT_TYPE) throw malformed("not an in-toto Statement v1", `${where}: $._type`);
  const kind = kindOf(document.get("predicateType"), where);
  const { value: subject } = convert(onlyOne(SUBJECT), document.get("subject") as Json, `${where}: $.subject`);
  const { value, isCanonical } = convert(FORMS[kind], document.get("predicate") as Json, `${where}: $.predicate`);
  const predicate = { kind, value } as Predicate;
  const about = `sha256:${subject.digest.sha256}`;
  requireDigest(about, `${where}: $.subject[0].digest`);
  requireDigest(predicate.value.issuer.keyid, `${where}: $.predicate.issuer.keyid`);
  const issued = parseTime(predicate.value.issued, `${where}: $.predicate.issued`);
  const attestation = { predicate, name: subject.name, about, digest: digestOfBytes(payload), issued };
  checkForms(attestation, `${where}: $`);
  if (!isCanonical || !areEqual(canonicalBytes(document), payload)) throw malformed("not in canonical form", where);
  return attestation;
}

const FILE = struct({
  format: required(oneOf("verilabel/signed/v1")),
  envelope: required(anyObject),
  signer: required(text),
  log: optional(orNull(text), () => null),
  proof: optional(orNull(text), () => null),
});

/**
 * Verify and read a signed statement: 1 form and canonical bytes, 2 the signer's key, 3 the signature, before the
 * payload is parsed, 4 the payload, which names the key that signed, 5 the log's proof where there is one.
 */
export async function parseSigned(data: Uint8Array, where: string): Promise<Signed> {
  const document = parseJson(data, where, { maxBytes: MAX_SIGNED_BYTES }); // 1
  const { value: file, isCanonical } = convert(FILE, document, where, "not a signed statement: ");
  const isWritten = areEqual(encodeText(`${canonicalText(document)}\n`), data);
  if (!isCanonical || !isWritten || (file.log === null) !== (file.proof === null)) {
    throw malformed("a signed statement that is not in its canonical form", where);
  }
  const signer = parsePublic(file.signer, `${where}: $.signer`); // 2
  if (signer.type !== ED25519) throw malformed("a witness's key does not sign statements", `${where}: $.signer`);
  const envelope = encodeText(`${canonicalText(file.envelope)}\n`);
  const payload = await openEnvelope(envelope, [signer], `${where}: $.envelope`); // 3
  const attestation = parseAttestation(payload, where); // 4
  const { issuer } = attestation.predicate.value;
  if (issuer.keyid !== signer.keyid || issuer.name !== signer.name) {
    throw sealError("the statement names another key than the one that signed it", where);
  }
  const fileName = `${attestation.digest.slice(7, 23)}.json`;
  const signed: Signed = { attestation, signer, proof: undefined, logKey: undefined, fileName };
  if (file.log === null || file.proof === null) return signed;
  signed.proof = encodeText(file.proof);
  signed.logKey = parsePublicFile(encodeText(`${file.log}\n`), `${where}: $.log`);
  await openStatementProof(signed, undefined, where); // 5
  return signed;
}

/** The leaf of an entry of a log: a digest and its kind, as canonical JSON. */
export const leafOfEntry = (kind: string, digest: string): Uint8Array => leafHash(canonicalBytes({ digest, kind }));

/** The verified proof of a logged statement; undefined where it was not logged. */
export async function openStatementProof(
  signed: Signed,
  trust: TrustPolicy | undefined,
  where: string,
): Promise<OpenedProof | undefined> {
  if (signed.proof === undefined || signed.logKey === undefined) return undefined;
  if (parseProof(signed.proof, where).hasExtra) {
    throw sealError("the proof carries data that nothing authenticates", where);
  }
  const leaf = leafOfEntry("verilabel.statement/v1", signed.attestation.digest);
  return openProof(signed.proof, leaf, signed.logKey, trust?.keys("witness") ?? [], trust?.quorum ?? 0, where);
}
