// Runs every conformance vector through this implementation and prints the disagreements field by field.
//
//     node conformance/second/check.mjs [--exact] [file.json ...]
//
// --exact makes every comparison behind a binomial bound over integers. Ends with 1 where anything disagrees.
import { readdirSync, readFileSync } from "node:fs";
import { arithmetic, canonicalText, decideCase, digestOf, Failure, Refusal } from "./built.mjs";
import { sealedDisagreements } from "./sealed.mjs";
import { statementDisagreements } from "./statements.mjs";

const FOLDER = new URL("../", import.meta.url);
const isObject = (value) => typeof value === "object" && value !== null;

/** [path, expected, actual] of every leaf in which two JSON values differ. */
function* differences(expected, actual, path = "$") {
  if (!isObject(expected) || !isObject(actual)) {
    if (expected !== actual) yield [path, expected, actual];
    return;
  }
  for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
    yield* differences(
      expected[key],
      actual[key],
      Array.isArray(expected) ? `${path}[${key}]` : `${path}.${key}`,
    );
  }
}

function* disagreements(given) {
  let label;
  try {
    label = decideCase(given);
  } catch (error) {
    if (!(error instanceof Refusal || error instanceof Failure)) throw error;
    if (!given.error) yield `refused: ${error.message}`;
    return;
  }
  if (given.error) {
    yield `decided, but must be refused @ ${given.where}`;
    return;
  }
  for (const [path, expected, actual] of differences(given.label, label)) {
    yield `${path}: the vector says ${JSON.stringify(expected)}, this gives ${JSON.stringify(actual)}`;
  }
  if (digestOf(canonicalText(given.label)) !== given.label_sha256)
    yield "label_sha256 is not the digest of the vector's own label";
  if (digestOf(canonicalText(label)) !== given.label_sha256) yield "the digests differ";
}

const CHECKS = {
  "verilabel/conformance/v1": disagreements,
  "verilabel/conformance-sealed/v1": sealedDisagreements,
  "verilabel/conformance-statements/v1": statementDisagreements,
};

async function checkFile(name) {
  const document = JSON.parse(readFileSync(new URL(name, FOLDER), "utf8"));
  const { format, cases } = document;
  const check = CHECKS[format];
  if (!check) throw new Error(`${name}: unknown format ${format}`);
  let agreed = 0;
  for (const given of cases) {
    const found = [];
    for await (const line of check(given, document)) found.push(line);
    if (found.length === 0) agreed += 1;
    else console.log(`${name} ${given.name}\n${found.map((line) => `    ${line}`).join("\n")}`);
  }
  console.log(`${name}: ${agreed} of ${cases.length} agree`);
  return { agreed, total: cases.length };
}

const arguments_ = process.argv.slice(2);
arithmetic.always = arguments_.includes("--exact");
const named = arguments_.filter((argument) => argument !== "--exact");
const files =
  named.length > 0
    ? named
    : readdirSync(FOLDER)
        .filter((name) => name.endsWith(".json"))
        .sort();
const started = performance.now();
const results = [];
for (const name of files) results.push(await checkFile(name));
const agreed = results.reduce((sum, result) => sum + result.agreed, 0);
const total = results.reduce((sum, result) => sum + result.total, 0);
console.log(
  `${agreed} of ${total} vectors agree (${Math.round(performance.now() - started)} ms; ` +
    `${arithmetic.comparisons} comparisons, ${arithmetic.arbitrated} over integers, ${arithmetic.nearTheGrid} logarithms within 1e-9 of the next decimal)`,
);
process.exitCode = total > 0 && agreed === total ? 0 : 1;
