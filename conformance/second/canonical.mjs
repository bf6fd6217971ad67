// Canonical bytes (RFC 8785) and their digest, over JSON without fractions.
import { createHash } from "node:crypto";
import { Refusal } from "./refusal.mjs";

const LARGEST = 2 ** 53;

// JSON.stringify writes strings as RFC 8785 section 3.2.2.2 asks, but passes lone surrogates as \uXXXX
// escapes.
function writeString(text) {
  if (!text.isWellFormed()) throw new Refusal("text with a lone surrogate has no canonical form", "$");
  return JSON.stringify(text);
}

function writeNumber(number) {
  if (!Number.isInteger(number) || Math.abs(number) > LARGEST) {
    throw new Refusal(`number ${number} has no canonical form`, "$");
  }
  return String(number);
}

/** RFC 8785 text of a JSON value; keys in the order of their UTF-16 code units (section 3.2.3). */
export function canonicalText(value) {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return writeString(value);
  if (typeof value === "number") return writeNumber(value);
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  const keys = Object.keys(value).sort();
  return `{${keys.map((key) => `${writeString(key)}:${canonicalText(value[key])}`).join(",")}}`;
}

/** `sha256:` and 64 hexadecimal digits of a text's UTF-8 bytes. */
export function digestOf(text) {
  return `sha256:${createHash("sha256").update(text, "utf8").digest("hex")}`;
}
