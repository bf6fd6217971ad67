// Bytes, text and digests. SHA-256 of small pieces is computed here and now; whole files go to WebCrypto.
import { sha256 } from "@noble/hashes/sha2.js";
import { malformed } from "../errors.ts";

export { sha256 };

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
export const DIGEST_PREFIX = "sha256:";
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export const encodeText = (text: string): Uint8Array => encoder.encode(text);

/** The text of UTF-8 bytes; undefined where they are not UTF-8. A byte-order mark is a character. */
export function decodeText(data: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(data);
  } catch {
    return undefined;
  }
}

/** The text of UTF-8 bytes. Refuses others as malformed. */
export function requireText(data: Uint8Array, where: string): string {
  const text = decodeText(data);
  if (text === undefined) throw malformed("not UTF-8", where);
  return text;
}

export function hexOf(data: Uint8Array): string {
  let text = "";
  for (const byte of data) text += HEX[byte];
  return text;
}

/** `sha256:` and 64 hexadecimal digits. */
export const digestOfBytes = (data: Uint8Array): string => DIGEST_PREFIX + hexOf(sha256(data));

export const isDigest = (text: string): boolean => /^sha256:[0-9a-f]{64}$/.test(text) && text.length === 71;

export function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

export function joinBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Standard base64 with padding. */
export function writeBase64(data: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < data.length; at += 8192) {
    binary += String.fromCharCode(...data.subarray(at, at + 8192));
  }
  return btoa(binary);
}

/** Bytes of standard base64, padded, in the one form that `writeBase64` gives. */
export function readBase64(text: string, what: string, where?: string): Uint8Array {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0 || text.endsWith("\n")) {
    throw malformed(`${what} is not base64`, where);
  }
  const data = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  if (writeBase64(data) !== text) throw malformed(`${what} is base64 in a form that is not canonical`, where);
  return data;
}

/** Order of two texts by their code points, which for some pairs is not that of their UTF-16 units. */
export function compareByCodePoints(a: string, b: string): number {
  const left = [...a];
  const right = [...b];
  for (let i = 0; i < Math.min(left.length, right.length); i += 1) {
    const difference = (left[i]?.codePointAt(0) as number) - (right[i]?.codePointAt(0) as number);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
