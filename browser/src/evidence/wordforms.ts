// Forms that fields of statements share: digests, texts, lists of words; each bounded, each with its place.
import { malformed } from "../errors.ts";
import { isDigest } from "../records/bytes.ts";
import { isBlank } from "../records/wording.ts";

const MAX_TEXT = 10_000;
const MAX_WORD = 200;
export const MAX_LISTED = 1_000;
/** A decimal between 0 and 1 in its one spelling. */
export const LEVEL = /^0\.[0-9]{0,5}[1-9]$/;

export const requireDigest = (value: string, where: string): void => {
  if (!isDigest(value)) throw malformed("not a SHA-256 digest", where);
};

/** A text for people: not blank, and bounded. */
export function requireWords(value: string, where: string): void {
  if (isBlank(value) || [...value].length > MAX_TEXT) {
    throw malformed(`not a text of 1 to ${MAX_TEXT} characters`, where);
  }
}

/** Short texts, none empty, none twice in one list, and not too many of them. */
export function requireWordList(words: readonly string[], where: string): void {
  if (words.length > MAX_LISTED || new Set(words).size !== words.length) {
    throw malformed(`more than ${MAX_LISTED}, or one twice`, where);
  }
  if (!words.every((word) => !isBlank(word) && [...word].length <= MAX_WORD)) {
    throw malformed(`not a text of 1 to ${MAX_WORD} characters`, where);
  }
}
