// Verifies bundles with the implementation of the page, outside a browser: one finding a line, as JSON.
//
//     node conformance/second/verify.mjs [--now TIME] [--trust FILE] [--statement FILE] [--reference BUNDLE] BUNDLE ...
//     node conformance/second/verify.mjs --cases < cases.jsonl
//
// A case is {"bundle", "now", "trust", "statements", "references"}: paths, a time, and cases for the references; all but
// the bundle may be left out. Ends with 0 whatever is found; a finding's own outcome is in its lines.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { parseSigned, parseTrust, verifyBundle } from "./built.mjs";
import { openingOf } from "./opening.mjs";

async function verifyCase({ bundle, now, trust, statements = [], references = [] }) {
  const found = [];
  for (const reference of references) found.push(await verifyCase(reference));
  const { verification } = await verifyBundle(openingOf(bundle), {
    now: now ? Date.parse(now) : Date.now(),
    trust: trust ? parseTrust(readFileSync(trust), trust) : undefined,
    beside: await Promise.all(statements.map((path) => parseSigned(readFileSync(path), path))),
    references: found,
  });
  return verification;
}

function print(verification, started) {
  const { label, system, plan, tallies, ...rest } = verification;
  const milliseconds = Math.round(performance.now() - started);
  console.log(JSON.stringify({ ...rest, tallies: Object.fromEntries(tallies), milliseconds }));
}

async function* givenCases() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      now: { type: "string" },
      trust: { type: "string" },
      statement: { type: "string", multiple: true, default: [] },
      reference: { type: "string", multiple: true, default: [] },
      cases: { type: "boolean", default: false },
    },
  });
  if (values.cases) for await (const line of createInterface({ input: process.stdin })) yield JSON.parse(line);
  const shared = { now: values.now, trust: values.trust, statements: values.statement };
  const references = values.reference.map((bundle) => ({ ...shared, bundle }));
  for (const bundle of positionals) yield { ...shared, bundle, references };
}

for await (const given of givenCases()) {
  const started = performance.now();
  print(await verifyCase(given), started);
}
