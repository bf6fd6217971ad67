// The strict readers alone: {"reader", "text"} a line on stdin, {"value"} or {"refused"} a line on stdout.
// Readers are record (a line of records), index (a suite's index), json (a document), yaml, names (a list, folded as trust
// policies compare them), matches (a list of names and patterns), trust ("questions" beside: what a policy decides) and signed (a statement).
import { createInterface } from "node:readline";
import {
  canonicalText,
  Failure,
  foldName,
  matches,
  Numeral,
  parseIndex,
  parseJson,
  parsePublic,
  parseSigned,
  parseTrust,
  readRecord,
  readYaml,
} from "./built.mjs";

function plain(value) {
  if (value instanceof Numeral) return value.isInteger ? Number(value.text) : { decimal: value.plain };
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, plain(item)]));
  return value;
}

const bytes = (text) => new TextEncoder().encode(text);
const ROLES = ["labels", "log", "witness", "replications", "disputes", "attestations", "audits"];

/** What a policy decides on questions, and the keys that it names in each role. */
function trustOf(text, questions) {
  const trust = parseTrust(bytes(text), "trust");
  const decided = questions.map(({ key, ...asked }) => {
    const decision = trust.accepts({ key: parsePublic(key), ...asked });
    if (!decision.isAccepted) return [decision.reason];
    return [decision.name, decision.isNamed, [...decision.holders].sort()];
  });
  return { decided, keys: ROLES.map((role) => trust.keys(role).map(({ line }) => line)) };
}

const READERS = {
  names: (texts) => texts.map(foldName),
  matches: (pairs) => pairs.map(([name, pattern]) => matches(name, pattern)),
  trust: trustOf,
  signed: async (text) => (await parseSigned(bytes(text), "signed")).attestation.digest,
  record: (text) => readRecord(text, "line").kind,
  index: (text) => parseIndex(bytes(text), "index").length,
  json: (text) => canonicalText(parseJson(bytes(text), "json")),
  yaml: (text) => canonicalText(plain(readYaml(text, "yaml"))),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { reader, text, questions } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ value: await READERS[reader](text, questions) }));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    console.log(JSON.stringify({ refused: error.message, kind: error.kind }));
  }
}
