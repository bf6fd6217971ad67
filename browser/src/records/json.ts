// JSON read strictly and written canonically (RFC 8785): no duplicate keys, no fractions, bounded depth and size.
//
// Objects are Maps, so that no key is special and the order of keys is kept.
import { limitExceeded, malformed, quote } from "../errors.ts";
import { decodeText, digestOfBytes, encodeText } from "./bytes.ts";

export type Json = null | boolean | string | number | bigint | Json[] | JsonObject;
export type JsonObject = Map<string, Json>;

export const LARGEST = 2 ** 53;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const TEXT = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const BLANK = /[ \t\n\r]*/y;

export const isObject = (value: Json | undefined): value is JsonObject => value instanceof Map;

/** How a number beyond 2^53 is taken: refused in documents, kept whole in records. */
export interface Limits {
  maxBytes?: number;
  maxDepth?: number;
  keepsLargeIntegers?: boolean;
}

class Reader {
  private at = 0;
  private depth = 0;

  constructor(
    private readonly text: string,
    private readonly where: string,
    private readonly maxDepth: number,
    private readonly keepsLargeIntegers: boolean,
  ) {}

  read(): Json {
    const value = this.readValue();
    this.skipBlanks();
    if (this.at < this.text.length) throw this.odd("extra data");
    return value;
  }

  private odd(what: string): Error {
    const before = this.text.slice(0, this.at).split("\n");
    const column = (before.at(-1) as string).length + 1;
    return malformed(`not JSON: ${what} at line ${before.length} column ${column}`, this.where);
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.at += found.length;
    return found;
  }

  private skipBlanks(): void {
    this.match(BLANK);
  }

  private takes(character: string): boolean {
    this.skipBlanks();
    if (this.text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  private readValue(): Json {
    this.skipBlanks();
    const first = this.text[this.at];
    if (first === "{") return this.nested(() => this.readObject());
    if (first === "[") return this.nested(() => this.readList());
    if (first === '"') return this.readText();
    for (const [word, value] of [
      ["true", true],
      ["false", false],
      ["null", null],
    ] as const) {
      if (!this.text.startsWith(word, this.at)) continue;
      this.at += word.length;
      return value;
    }
    return this.readNumber();
  }

  private nested(read: () => Json): Json {
    this.depth += 1;
    if (this.depth > this.maxDepth) {
      throw limitExceeded(`JSON nested ${this.depth} deep, the limit is ${this.maxDepth}`, this.where);
    }
    this.at += 1;
    const value = read();
    this.depth -= 1;
    return value;
  }

  private readObject(): JsonObject {
    const result: JsonObject = new Map();
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

  private readList(): Json[] {
    const result: Json[] = [];
    if (this.takes("]")) return result;
    do result.push(this.readValue());
    while (this.takes(","));
    if (!this.takes("]")) throw this.odd("a comma or ] was expected");
    return result;
  }

  private readText(): string {
    const found = this.match(TEXT);
    if (found === undefined) throw this.odd("a text was expected");
    return JSON.parse(found) as string;
  }

  private readNumber(): number | bigint {
    const found = this.match(NUMBER);
    if (found === undefined) throw this.odd("a value was expected");
    if (!/^-?\d+$/.test(found)) {
      throw malformed(`number ${found.slice(0, 40)} is not an integer`, this.where, "write decimals as strings");
    }
    const isLarge = found.length > 17 || Math.abs(Number(found)) > LARGEST || BigInt(found) > BigInt(LARGEST);
    if (!isLarge) return Number(found);
    if (this.keepsLargeIntegers && found.length <= 20) return BigInt(found);
    throw limitExceeded(`integer ${found.slice(0, 40)} is beyond 2^53`, this.where);
  }
}

/** The value of small, possibly hostile JSON. Refuses what two readers could read differently. */
export function parseJson(data: Uint8Array, where: string, limits: Limits = {}): Json {
  const maxBytes = limits.maxBytes ?? 16 * 2 ** 20;
  if (data.length > maxBytes) {
    throw limitExceeded(`${data.length} bytes of JSON, the limit is ${maxBytes}`, where);
  }
  const text = decodeText(data);
  if (text === undefined) throw malformed("not UTF-8", where);
  return new Reader(text, where, limits.maxDepth ?? 64, limits.keepsLargeIntegers ?? false).read();
}

// JSON.stringify writes strings as RFC 8785 section 3.2.2.2 asks, but passes lone surrogates as escapes.
function writeText(text: string): string {
  if (!text.isWellFormed()) throw malformed("text with a lone surrogate has no canonical form");
  return JSON.stringify(text);
}

function writeNumber(value: number | bigint): string {
  if (typeof value === "number" && !Number.isInteger(value)) throw malformed("a float has no canonical form", "$");
  if (value > LARGEST || value < -LARGEST) {
    throw malformed(`integer ${value} is beyond 2^53 and has no canonical form`, "$");
  }
  return String(value === 0 ? 0 : value);
}

/** What canonical JSON can be written from: JSON values, and plain objects and lists of them. */
export type Writable = Json | undefined | readonly Writable[] | { readonly [key: string]: unknown };

/** RFC 8785 text of a value; keys in the order of their UTF-16 code units. Keys without a value are left out. */
export function canonicalText(value: unknown): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return writeText(value);
  if (typeof value === "number" || typeof value === "bigint") return writeNumber(value);
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  const entries: [string, unknown][] = value instanceof Map ? [...value] : Object.entries(value as object);
  const parts = entries
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, item]) => `${writeText(key)}:${canonicalText(item)}`);
  return `{${parts.join(",")}}`;
}

/** Canonical UTF-8 bytes (RFC 8785). */
export const canonicalBytes = (value: unknown): Uint8Array => encodeText(canonicalText(value));

/** The digest of a text's UTF-8 bytes. */
export const digestOf = (text: string): string => digestOfBytes(encodeText(text));
