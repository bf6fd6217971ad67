// A suite's index: one canonical line a sample, with all that counting needs and a digest instead of the text.
import { Failure, malformed, quote } from "../errors.ts";
import { decodeText, encodeText } from "../records/bytes.ts";
import { ENTRY_FORM, ENTRY_ORDER, type SampleEntry } from "../records/documents.ts";
import { convert } from "../records/forms.ts";
import { isObject, type Json, parseJson } from "../records/json.ts";

/** The entries of a suite index file: canonical lines, every id once. */
export function parseIndex(data: Uint8Array, where: string): SampleEntry[] {
  const text = decodeText(data);
  if (text === undefined) throw malformed("not a suite index: not UTF-8", where);
  const lines = text.split("\n");
  if (lines.length < 2 || lines.pop() !== "") {
    throw malformed("the index is empty, cut short, or not in canonical form", where);
  }
  const entries = lines.map((line) => readEntry(line, where));
  const seen = new Set<string>();
  for (const { id } of entries) {
    if (seen.has(id)) throw malformed(`sample id ${quote(id)} stands twice`, where);
    seen.add(id);
  }
  return entries;
}

const isWord = (value: unknown): value is string => typeof value === "string" && value !== "" && value.isWellFormed();

// The common case, as for lines of records: JSON.parse and JSON.stringify agree with the line, key by key.
function readEntryFast(line: string): SampleEntry | undefined {
  let record: Record<string, unknown>;
  try {
    record = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  if (JSON.stringify(record) !== line) return undefined;
  const { id, sha256, family, stratum, tags, ...rest } = record;
  const kept = { id, sha256, family, stratum, tags };
  const isOrdered = JSON.stringify(kept) === line && Object.keys(rest).length === 0;
  const given = [id, sha256, family, stratum].filter((value, i) => i < 2 || value !== undefined);
  const isTable = typeof tags === "object" && tags !== null && !Array.isArray(tags);
  const tagged = isTable ? Object.entries(tags) : [];
  const hasTags = tagged.length > 0 && tagged.every(([key, value]) => isWord(key) && isWord(value));
  if (!isOrdered || !given.every(isWord) || (tags !== undefined && !hasTags)) return undefined;
  return {
    id: id as string,
    sha256: sha256 as string,
    family: (family as string | undefined) ?? "",
    stratum: (stratum as string | undefined) ?? "",
    tags: new Map(tagged as [string, string][]),
  };
}

function readEntry(line: string, where: string): SampleEntry {
  const fast = readEntryFast(line);
  if (fast !== undefined) return fast;
  let document: Json;
  try {
    document = parseJson(encodeText(line), where);
  } catch (error) {
    throw error instanceof Failure ? malformed(`not a suite index: ${error.message}`, where) : error;
  }
  const { value, isCanonical } = convert(ENTRY_FORM, document, where, "not a suite index: ");
  if (!isCanonical || writeEntry(document) !== line) {
    throw malformed("the index is empty, cut short, or not in canonical form", where);
  }
  return value;
}

// The fields in their order; tags in the order in which the line has them.
function writeEntry(document: Json): string {
  if (!isObject(document)) return "";
  const keys = [...document.keys()];
  if (keys.some((key, i) => i > 0 && ENTRY_ORDER.indexOf(key) < ENTRY_ORDER.indexOf(keys[i - 1] as string))) return "";
  const write = (value: Json): string =>
    isObject(value)
      ? `{${[...value].map(([key, item]) => `${write(key)}:${write(item)}`).join(",")}}`
      : (value as string).isWellFormed()
        ? JSON.stringify(value)
        : "";
  return write(document);
}
