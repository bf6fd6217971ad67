// The label of rubrics and counts: cases as JSON lines on stdin, one answer a line on stdout,
// {"label": ..., "label_sha256": ...} or {"refused": ..., "where": ...}.
import { createInterface } from "node:readline";
import { canonicalText, decideCase, digestOf, Failure, Refusal } from "./built.mjs";

function answer(line) {
  try {
    const label = decideCase(JSON.parse(line));
    return { label, label_sha256: digestOf(canonicalText(label)) };
  } catch (error) {
    if (error instanceof Refusal || error instanceof Failure) {
      return { refused: error.message, where: error.where };
    }
    throw error;
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim()) process.stdout.write(`${JSON.stringify(answer(line))}\n`);
}
