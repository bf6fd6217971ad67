// The label of a rubric and counts (label semantics 1 to 9). As a program: cases as JSON lines on stdin, one
// answer a line on stdout: {"label": ..., "label_sha256": ...} or {"refused": ..., "where": ...}.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { canonicalText, digestOf } from "./canonical.mjs";
import { Fraction } from "./exact.mjs";
import { decideRow } from "./leaf.mjs";
import { Refusal } from "./refusal.mjs";
import { readRubric } from "./rubric.mjs";
import { readTallies } from "./tallies.mjs";

const SAFE_SIDE = { lower_is_safer: "<", higher_is_safer: ">", higher_is_more_capable: "<" };

function withoutDefaults(row) {
  const isDefault = (value) =>
    value === undefined || value === 0 || (Array.isArray(value) && value.length === 0);
  return Object.fromEntries(Object.entries(row).filter(([, value]) => !isDefault(value)));
}

/** Node value from its children's (label semantics 2). */
function statusOfGroup(need, statuses) {
  const count = (status) => statuses.filter((other) => other === status).length;
  if (count("met") >= need) return "met";
  if (statuses.length - count("not_met") < need) return "not_met";
  return count("met") + count("undetermined") < need ? "not_assessed" : "undetermined";
}

function splitLevels(alphas, need, size) {
  return {
    met: alphas.met.over(new Fraction(BigInt(size - need + 1))),
    not_met: alphas.not_met.over(new Fraction(BigInt(need))),
  };
}

class Rule {
  constructor(context) {
    this.context = context;
    this.rows = [];
  }

  addRow(row) {
    this.rows.push(withoutDefaults(row));
    return { status: row.status, tree: { node: "row", row: this.rows.length - 1 } };
  }

  evaluate(node, alphas) {
    if (node.attested !== undefined) {
      const status = this.context.attested.has(node.attested) ? "met" : "not_assessed";
      return this.addRow({ attested: node.attested, status });
    }
    if (node.children)
      return this.evaluateGroup(node.need, node.children, alphas, (child, shared) =>
        this.evaluate(child, shared),
      );
    return this.evaluateMeasure(node, alphas);
  }

  evaluateGroup(need, children, alphas, evaluateChild) {
    const shared = splitLevels(alphas, need, children.length);
    const results = children.map((child) => evaluateChild(child, shared));
    const status = statusOfGroup(
      need,
      results.map((result) => result.status),
    );
    return { status, tree: { node: "branch", need, status, children: results.map((result) => result.tree) } };
  }

  // Label semantics 8: the safe side must hold for every setting, the other side for any of them, which pays.
  evaluateMeasure(node, alphas) {
    const { id, settings, direction } = node.measure;
    const rowOf = (name, levels) =>
      this.addRow(decideRow(name, this.context.tallies.get(name), node, levels, this.context));
    if (settings.length === 0) return rowOf(id, alphas);
    const need = node.op.startsWith(SAFE_SIDE[direction]) ? settings.length : 1;
    return this.evaluateGroup(
      need,
      settings.map((setting) => `${id}@${setting}`),
      alphas,
      rowOf,
    );
  }
}

// The order of testing (label semantics 3): granted or established upwards, then ruled out downwards.
function rulesInOrder(levels) {
  const rules = levels.flatMap((level) => level.rules.map((rule) => ({ level, ...rule })));
  const upwards = rules.filter((rule) => rule.test !== "rule_out");
  const downwards = rules.filter((rule) => rule.test === "rule_out").reverse();
  return [...upwards, ...downwards];
}

function evaluateRules(rubric, context) {
  const alphas = { met: rubric.statistics.alpha, not_met: rubric.statistics.alpha };
  return rulesInOrder(rubric.levels).map(({ level, test, node }) => {
    const rule = new Rule(context);
    const { status, tree } = rule.evaluate(node, alphas);
    return { level: level.id, name: level.name, test, status, rows: rule.rows, tree };
  });
}

/** Indexes of the pair (label semantics 3). */
function pairOf(rubric, results) {
  const statusOf = (level, test) => results.find((r) => r.level === level.id && r.test === test)?.status;
  const last = rubric.levels.length - 1;
  let [low, high] = [0, 0];
  if (rubric.kind === "assurance") {
    while (low < last && statusOf(rubric.levels[low + 1], "when") === "met") low += 1;
    high = low;
    while (high < last && statusOf(rubric.levels[high + 1], "when") !== "not_met") high += 1;
    return [low, high];
  }
  while (low < last && statusOf(rubric.levels[low + 1], "rule_in") === "met") low += 1;
  high = last;
  while (high > 0 && statusOf(rubric.levels[high], "rule_out") === "met") high -= 1;
  return [low, high];
}

const isUnlisted = (name, measures) => {
  const [id, ...rest] = name.split("@");
  const { settings } = measures.get(id);
  return rest.length === 0 ? settings.length > 0 : !settings.includes(rest.join("@"));
};

function flagsOf(rubric, context, results, isContradicted) {
  const rows = results.flatMap((result) => result.rows);
  const applies = {
    judge_uncertified: rows.some((row) => row.flags?.includes("judge_uncertified")),
    unlisted_settings: [...context.tallies.keys()].some((name) => isUnlisted(name, rubric.measures)),
    contradictory_rows: isContradicted,
  };
  return Object.keys(applies).filter((flag) => applies[flag]);
}

const PAIR_WORDS = {
  assurance: ["granted", "cannot_exclude_up_to"],
  hazard: ["established", "not_ruled_out"],
};

/** The label document of a case. Throws Refusal where the case must be refused. */
export function decideCase(given) {
  const rubric = readRubric(given.rubric);
  const design = given.design ?? "fixed";
  if (!rubric.statistics.designs.includes(design))
    throw new Refusal(`design ${design} is not allowed`, "$.statistics.design");
  const attested = new Set(given.attested ?? []);
  for (const id of attested)
    if (!rubric.attestations.has(id)) throw new Refusal(`unknown attestation ${id}`, "attested");
  const tallies = readTallies(given.tallies, rubric, "tallies");
  const references = readTallies(given.references, rubric, "references");
  const context = { statistics: rubric.statistics, design, attested, tallies, references };
  const levels = evaluateRules(rubric, context);
  const [lowest, highest] = pairOf(rubric, levels);
  const [low, high] = [rubric.levels[lowest], rubric.levels[Math.max(lowest, highest)]];
  const flags = flagsOf(rubric, context, levels, lowest > highest);
  const [lowWord, highWord] = PAIR_WORDS[rubric.kind];
  const document = {
    format: "verilabel/label/v1",
    rubric: rubric.reference,
    kind: rubric.kind,
    design,
    levels,
    scale: rubric.levels.map((level) => level.id),
    [lowWord]: { id: low.id, name: low.name },
    [highWord]: { id: high.id, name: high.name },
  };
  return flags.length > 0 ? { ...document, flags } : document;
}

function answer(line) {
  try {
    const label = decideCase(JSON.parse(line));
    return { label, label_sha256: digestOf(canonicalText(label)) };
  } catch (error) {
    if (error instanceof Refusal) return { refused: error.message, where: error.where };
    throw error;
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim()) process.stdout.write(`${JSON.stringify(answer(line))}\n`);
  }
}
