// The signed statement of a label: an in-toto Statement v1 about a system descriptor, as JCS bytes.
import { malformed, sealError } from "../errors.ts";
import { digestOfBytes, isDigest } from "../records/bytes.ts";
import { STATEMENT_FORM, type StatementDocument } from "../records/documents.ts";
import { convertCanonical } from "../records/forms.ts";
import { canonicalText, digestOf, type Json, parseJson } from "../records/json.ts";
import { parseTime } from "./moments.ts";

const MAX_STATEMENT_BYTES = 4 * 2 ** 20;

export interface Statement extends StatementDocument {
  /** What is logged for the label. */
  digest: string;
  /** Of the system descriptor that the label is for. */
  systemDigest: string;
}

function checkForms(statement: Statement, where: string): void {
  const { predicate } = statement;
  const digests: [string, string][] = [
    ["subject[0].digest.sha256", statement.systemDigest],
    ["predicate.label_sha256", predicate.label_sha256],
    ["predicate.rubric.sha256", predicate.rubric.sha256],
    ["predicate.plan.sha256", predicate.plan.sha256],
    ["predicate.evidence.root", predicate.evidence.root],
    ["predicate.manifest_sha256", predicate.manifest_sha256],
    ["predicate.issuer.keyid", predicate.issuer.keyid],
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

function checkAgreement({ predicate }: Statement, where: string): void {
  const label = predicate.label;
  if (digestOf(canonicalText(label)) !== predicate.label_sha256) {
    throw sealError("the label is not the one of its digest", `${where}: $.predicate.label_sha256`);
  }
  const rubric = label.get("rubric");
  if (rubric === undefined || canonicalText(rubric as Json) !== canonicalText(predicate.rubric)) {
    throw sealError("the label is of another rubric", `${where}: $.predicate.rubric`);
  }
  if (label.get("design") !== predicate.design) {
    throw sealError("the label is of another design", `${where}: $.predicate.design`);
  }
}

/** Read a statement from the payload of a verified envelope. */
export function parseStatement(data: Uint8Array, where: string): Statement {
  const document = parseJson(data, where, { maxBytes: MAX_STATEMENT_BYTES });
  const read = convertCanonical(STATEMENT_FORM, document, data, where, {
    prefix: "not a label statement: ",
    message: "the statement is not in its canonical form",
  });
  const systemDigest = `sha256:${read.subject.digest.sha256}`;
  const statement = { ...read, digest: digestOfBytes(data), systemDigest };
  checkForms(statement, where);
  checkAgreement(statement, where);
  return statement;
}
