// What the built modules give: every conformance vector, and every stored bundle at its step.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { canonicalText, decideCase, digestOf, Failure, Refusal } from "../../conformance/second/built.mjs";

const CONFORMANCE = new URL("../../conformance/", import.meta.url);
const BUNDLES = new URL("../../tests/bundles/", import.meta.url);
const readJson = (url) => JSON.parse(readFileSync(url, "utf8"));

function outcomeOf(given) {
  try {
    return digestOf(canonicalText(decideCase(given)));
  } catch (error) {
    if (error instanceof Refusal || error instanceof Failure) return "refused";
    throw error;
  }
}

const vectors = readdirSync(CONFORMANCE).filter((name) => name.endsWith(".json"));
for (const name of vectors) {
  const { format, cases } = readJson(new URL(name, CONFORMANCE));
  if (format !== "verilabel/conformance/v1") continue;
  test(`every vector of ${name} gives its bytes or is refused`, () => {
    assert.ok(cases.length > 0);
    for (const given of cases) {
      assert.equal(outcomeOf(given), given.error ? "refused" : given.label_sha256, given.name);
    }
  });
}

test("every stored bundle has its level, or fails at its step with its error", () => {
  const expected = readJson(new URL("expected.json", BUNDLES));
  const names = Object.keys(expected);
  const paths = names.map((name) => {
    const folder = fileURLToPath(new URL(name, BUNDLES));
    return existsSync(folder) ? folder : `${folder}.zip`;
  });
  const script = fileURLToPath(new URL("second/verify.mjs", CONFORMANCE));
  const said = execFileSync("node", [script, "--now", "2026-11-22T12:00:00Z", ...paths], { encoding: "utf8" });
  const findings = said.trim().split("\n").map((line) => JSON.parse(line));
  assert.equal(findings.length, names.length);
  findings.forEach((found, i) => {
    const { level, step, error } = expected[names[i]];
    if (level !== undefined) assert.equal(found.level, level, names[i]);
    else {
      const failed = found.steps.find(({ outcome }) => outcome === "failed");
      assert.deepEqual([failed?.number, found.failure?.kind], [step, error], names[i]);
    }
  });
});
