// Withheld attempts: what is committed to, what stays open of an attempt, and which ones a challenge asks to see.
import { malformed } from "../errors.ts";
import { DIGEST_PREFIX, encodeText, hexOf, joinBytes, sha256 } from "../records/bytes.ts";
import { isObject, parseJson } from "../records/json.ts";
import type { AttemptLine } from "./lines.ts";

const KEPT = ["judge", "answered", "said", "status", "finish", "served_model", "fingerprint", "usage", "failure"];

const bytesOfHex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

/** SHA-256(0x00 || salt || line) as a digest; the salt is 64 hexadecimal digits. */
export function commitmentOf(line: string, salt: string): string {
  return DIGEST_PREFIX + hexOf(sha256(joinBytes(Uint8Array.of(0), bytesOfHex(salt), encodeText(line))));
}

/** The line that stands for a withheld attempt's, under its commitment. */
export function withholdAttempt(record: Readonly<Record<string, unknown>>, commitment: string): string {
  const { suite, sample, epoch, attempt, failure } = record;
  const failed = failure as { kind: string; retryable?: true; fatal?: true } | undefined;
  const hasResponse = Boolean(record.response) || Boolean(record.response_base64);
  const open: Record<string, unknown> = {
    ...record,
    answered: record.output === undefined ? undefined : true,
    said: failed && hasResponse ? true : undefined,
    failure: failed && { kind: failed.kind, retryable: failed.retryable, fatal: failed.fatal },
  };
  const kept = Object.fromEntries(KEPT.map((name) => [name, open[name]]));
  return JSON.stringify({ kind: "sealed", suite, sample, epoch, attempt, commitment, ...kept });
}

/** What two fields of a commitment say against each other; undefined where they agree. */
export function contradictionOf(line: AttemptLine): string | undefined {
  if (line.isAnswered && line.failure !== undefined) return "it is answered and it failed";
  if (!line.isAnswered && line.failure === undefined) return "it is neither answered nor failed";
  return line.isAnswered && line.hasResponse
    ? "an answered attempt is said to have a failed one's response"
    : undefined;
}

function bigEndian(number: number): Uint8Array {
  const data = new Uint8Array(8);
  new DataView(data.buffer).setBigUint64(0, BigInt(number));
  return data;
}

/** A challenge's nonce as it is hashed: its text, or the signed lines of a checkpoint. */
function nonceBytes(nonce: ReadonlyMap<string, unknown>): Uint8Array {
  if (nonce.get("kind") === "text") return encodeText(nonce.get("text") as string);
  const note = nonce.get("checkpoint") as string;
  return encodeText(note.slice(0, note.lastIndexOf("\n\n") + 1));
}

/** The withheld answers, numbered from 0, that a challenge asks to open, in order. */
export function chooseAnswers(challenge: string, withheld: number): { nonce: string; chosen: number[] } {
  const document = parseJson(encodeText(challenge), "challenge");
  const nonce = isObject(document) ? document.get("nonce") : undefined;
  if (!isObject(document) || !isObject(nonce)) throw malformed("not a challenge", "challenge");
  const digest = sha256(nonceBytes(nonce));
  const root = bytesOfHex((document.get("root") as string).slice(DIGEST_PREFIX.length));
  const ranked = Array.from({ length: withheld }, (_, number) => ({
    number,
    rank: hexOf(sha256(joinBytes(digest, root, bigEndian(number)))),
  }));
  ranked.sort((a, b) => (a.rank < b.rank ? -1 : 1));
  const chosen = ranked.slice(0, document.get("k") as number).map(({ number }) => number);
  return { nonce: hexOf(digest), chosen: chosen.sort((a, b) => a - b) };
}
