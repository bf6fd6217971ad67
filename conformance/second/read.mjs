// The strict readers alone: {"reader", "text"} a line on stdin, {"value"} or {"refused"} a line on stdout.
// Readers are record (a line of records), index (a suite's index), json (a document) and yaml.
import { createInterface } from "node:readline";
import { canonicalText, Failure, Numeral, parseIndex, parseJson, readRecord, readYaml } from "./built.mjs";

function plain(value) {
  if (value instanceof Numeral) return value.isInteger ? Number(value.text) : { decimal: value.plain };
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, plain(item)]));
  return value;
}

const bytes = (text) => new TextEncoder().encode(text);
const READERS = {
  record: (text) => readRecord(text, "line").kind,
  index: (text) => parseIndex(bytes(text), "index").length,
  json: (text) => canonicalText(parseJson(bytes(text), "json")),
  yaml: (text) => canonicalText(plain(readYaml(text, "yaml"))),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { reader, text } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ value: READERS[reader](text) }));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    console.log(JSON.stringify({ refused: error.message }));
  }
}
