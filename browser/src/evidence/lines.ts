// Lines of records: the strict reader of each kind, and a walk over a file that hashes every line as it goes.
//
// A line is canonical when writing what was read gives the same bytes again: no duplicate keys, no spare spaces, no
// second spelling of a number or an escape can hide in it. Of each line only what is counted is kept in memory, with
// its place in the file.
import { Failure, limitExceeded, malformed } from "../errors.ts";
import { decodeText, encodeText, isDigest, sha256 } from "../records/bytes.ts";
import { isObject, type Json, LARGEST, parseJson } from "../records/json.ts";
import type { Container } from "./container.ts";
import { MAX_LINE_BYTES } from "./layout.ts";

const BLOCK_BYTES = 4 * 2 ** 20;

export type Integer = number | bigint;

/** One attempt, or the commitment to one that is withheld. */
export interface AttemptLine {
  kind: "attempt" | "sealed";
  suite: string;
  sample: string;
  epoch: Integer;
  attempt: Integer;
  judge: string | undefined;
  isAnswered: boolean;
  failure: { kind: string; isRetryable: boolean } | undefined;
  isOk: boolean;
  /** True where a failed attempt had a response. */
  hasResponse: boolean;
  served: string;
  fingerprint: string;
  inputTokens: Integer;
  outputTokens: Integer;
  /** What a withheld attempt is committed to by. */
  commitment: string | undefined;
}

/** A detector's finding; `value` is undefined where it could not tell. */
export interface ScoreLine {
  kind: "score";
  suite: string;
  sample: string;
  epoch: Integer;
  detector: string;
  event: string;
  value: boolean | undefined;
  /** True where it has words of its own about the answer. */
  tells: boolean;
}

export type EvidenceLine = AttemptLine | ScoreLine;

interface ObservationLine {
  kind: "observation";
}

type Raw = { [field: string]: unknown };
type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string";
const isTruth: Check = (value) => typeof value === "boolean";
const isInteger: Check = (value) =>
  typeof value === "bigint" || (Number.isInteger(value) && Math.abs(value as number) <= LARGEST);
const isTrue: Check = (value) => value === true;
const isPositive: Check = (value) => isInteger(value) && value !== 0;

// [name, check, whether it is required]; the order is that of a canonical line.
type Field = readonly [string, Check, boolean];
const needs = (name: string, check: Check): Field => [name, check, true];
const may = (name: string, check: Check): Field => [name, check, false];

const recordOf =
  (fields: readonly Field[]): Check =>
  (value) =>
    typeof value === "object" && value !== null && !Array.isArray(value) && hasFields(value as Raw, fields);

const isUsage = recordOf([may("input_tokens", isPositive), may("output_tokens", isPositive)]);
const isFailure = recordOf([
  needs("kind", isText),
  needs("message", isText),
  may("retryable", isTrue),
  may("fatal", isTrue),
]);
const isSealedFailure = recordOf([needs("kind", isText), may("retryable", isTrue), may("fatal", isTrue)]);
const isHeaders: Check = (value) =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  Object.keys(value).length > 0 &&
  Object.values(value).every(isText);

const ANSWER = [needs("kind", isText), needs("suite", isText), needs("sample", isText), needs("epoch", isInteger)];
const SEEN = [
  may("finish", isText),
  may("served_model", isText),
  may("fingerprint", isText),
  may("usage", isUsage),
];
const FIELDS: ReadonlyMap<unknown, readonly Field[]> = new Map<unknown, readonly Field[]>([
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
      may("failure", isFailure),
    ],
  ],
  [
    "sealed",
    [
      ...ANSWER,
      needs("attempt", isInteger),
      needs("commitment", (value) => isText(value) && isDigest(value as string)),
      may("judge", isText),
      may("answered", isTrue),
      may("said", isTrue),
      may("status", isInteger),
      ...SEEN,
      may("failure", isSealedFailure),
    ],
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
      may("headers", isHeaders),
    ],
  ],
]);

/** True where an object has these fields alone, each of its type, in this order, and no required one is missing. */
function hasFields(record: Raw, fields: readonly Field[]): boolean {
  let at = 0;
  for (const key of Object.keys(record)) {
    while (at < fields.length && (fields[at] as Field)[0] !== key) {
      if ((fields[at] as Field)[2]) return false;
      at += 1;
    }
    const field = fields[at];
    if (field === undefined || !field[1](record[key])) return false;
    at += 1;
  }
  for (; at < fields.length; at += 1) if ((fields[at] as Field)[2]) return false;
  return true;
}

// The common case: JSON.parse and JSON.stringify agree with the line, whose keys come in the order of its kind.
function readFast(text: string): Raw | undefined {
  let record: Raw;
  try {
    record = JSON.parse(text) as Raw;
  } catch {
    return undefined;
  }
  const fields = FIELDS.get(record?.kind);
  if (fields === undefined || !hasFields(record, fields) || JSON.stringify(record) !== text) return undefined;
  // A lone surrogate is written as an escape by JSON.stringify, so that it would agree with itself.
  return text.includes("\\ud") && !isWellFormed(record) ? undefined : record;
}

function isWellFormed(value: unknown): boolean {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value !== "object" || value === null) return true;
  return Object.entries(value).every(([key, item]) => key.isWellFormed() && isWellFormed(item));
}

// The rest: integers beyond 2^53, and headers whose names are numbers, which JavaScript would put first.
function readSlowly(text: string, where: string): Raw {
  let document: Json;
  try {
    document = parseJson(encodeText(text), where, { keepsLargeIntegers: true, maxBytes: MAX_LINE_BYTES + BLOCK_BYTES });
  } catch (error) {
    throw error instanceof Failure ? malformed(`not a record: ${error.message}`, where) : error;
  }
  const record = isObject(document) ? plain(document) : {};
  const fields = FIELDS.get((record as Raw).kind);
  if (fields === undefined || !hasFields(record as Raw, fields)) throw malformed("not a record of a known form", where);
  if (writeInOrder(document) !== text) throw malformed("the line is not in canonical form", where);
  return record as Raw;
}

function plain(value: Json): unknown {
  if (!isObject(value)) return value;
  const record = Object.create(null) as Raw;
  for (const [key, item] of value) record[key] = plain(item);
  return record;
}

function writeInOrder(value: Json): string {
  if (!isObject(value)) {
    if (typeof value === "string" && !value.isWellFormed()) return "";
    return typeof value === "bigint" || Object.is(value, -0) ? String(value) : JSON.stringify(value);
  }
  return `{${[...value].map(([key, item]) => `${JSON.stringify(key)}:${writeInOrder(item)}`).join(",")}}`;
}

const textOf = (value: unknown): string => (value as string | undefined) ?? "";

/** What is counted of an attempt's record, or of a commitment's. */
export function attemptOf(record: Raw): AttemptLine {
  const isSealed = record.kind === "sealed";
  const failure = record.failure as { kind: string; retryable?: true } | undefined;
  const usage = record.usage as { input_tokens?: Integer; output_tokens?: Integer } | undefined;
  const said = textOf(record.response) !== "" || textOf(record.response_base64) !== "";
  return {
    kind: isSealed ? "sealed" : "attempt",
    suite: record.suite as string,
    sample: record.sample as string,
    epoch: record.epoch as Integer,
    attempt: record.attempt as Integer,
    judge: record.judge as string | undefined,
    isAnswered: isSealed ? record.answered === true : record.output !== undefined,
    failure: failure && { kind: failure.kind, isRetryable: failure.retryable === true },
    isOk: record.status === 200,
    hasResponse: isSealed ? record.said === true : said,
    served: textOf(record.served_model),
    fingerprint: textOf(record.fingerprint),
    inputTokens: usage?.input_tokens ?? 0,
    outputTokens: usage?.output_tokens ?? 0,
    commitment: record.commitment as string | undefined,
  };
}

function lineOf(record: Raw): EvidenceLine | ObservationLine {
  if (record.kind === "observation") return { kind: "observation" };
  if (record.kind === "attempt" || record.kind === "sealed") return attemptOf(record);
  return {
    kind: "score",
    suite: record.suite as string,
    sample: record.sample as string,
    epoch: record.epoch as Integer,
    detector: record.detector as string,
    event: record.event as string,
    value: record.kind === "score" ? (record.value as boolean) : undefined,
    tells: record.kind === "score" ? record.detail !== undefined : record.reason !== "withheld",
  };
}

/** The record of one line, as it stands. Refuses anything but a canonical line of a known kind. */
export const readRecord = (text: string, where: string): Raw => readFast(text) ?? readSlowly(text, where);

/** The lines of a file, without what is not counted; the line number `i + 1` begins at `starts[i]`. */
export interface Walked {
  lines: (EvidenceLine | ObservationLine)[];
  starts: number[];
  /** The bytes of the file. */
  size: number;
}

/** What a walk tells on its way. */
export interface Listener {
  onLeaf?: (hash: Uint8Array) => void;
  onProgress?: (share: number) => void;
}

class LineWalk {
  readonly walked: Walked = { lines: [], starts: [], size: 0 };

  constructor(
    private readonly path: string,
    private readonly listener: Listener,
  ) {}

  private where(extra = 1): string {
    return `${this.path}:${this.walked.lines.length + extra}`;
  }

  /** Whole lines, after one zero byte that makes the first line's leaf. */
  take(buffer: Uint8Array, offset: number): void {
    const text = decodeText(buffer.subarray(1));
    const texts = text?.split("\n");
    let start = 1;
    for (let index = 0; start < buffer.length; index += 1) {
      const end = buffer.indexOf(10, start);
      const line = texts ? (texts[index] as string) : this.requireText(buffer.subarray(start, end));
      this.walked.lines.push(lineOf(readRecord(line, this.where())));
      this.walked.starts.push(offset + start - 1);
      if (this.listener.onLeaf) {
        buffer[start - 1] = 0; // the newline before the line becomes the leaf's prefix
        this.listener.onLeaf(sha256(buffer.subarray(start - 1, end)));
      }
      start = end + 1;
    }
  }

  private requireText(line: Uint8Array): string {
    const text = decodeText(line);
    if (text === undefined) throw malformed("not a record: not UTF-8", this.where());
    return text;
  }

  requireShort(rest: number): void {
    if (rest > MAX_LINE_BYTES) throw limitExceeded("a line over the limit", this.where());
  }

  finish(rest: number, size: number): Walked {
    if (rest > 0) throw limitExceeded("the last line is cut short", this.where());
    this.walked.size = size;
    return this.walked;
  }
}

/** Walk over a file of records in blocks of whole lines. */
export async function walkLines(container: Container, path: string, listener: Listener = {}): Promise<Walked> {
  const source = container.open(path);
  const walk = new LineWalk(path, listener);
  let rest: Uint8Array[] = [];
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
