// The label of a rubric and counts (label semantics 1 to 9).
import type { Context, Counted, Criterion, Design, Level, Levels, Measure, Node, Rubric, Status, Test } from "./claims.ts";
import { Fraction } from "./exact.ts";
import { decideRow, type Row } from "./leaf.ts";
import { Refusal } from "./refusal.ts";
import { readRubric } from "./rubric.ts";
import { readTallies } from "./tallies.ts";

const SAFE_SIDE = { lower_is_safer: "<", higher_is_safer: ">", higher_is_more_capable: "<" };

/** A node of a level's tree: a row by its index, or at least `need` of the children. */
export type Tree = { node: "row"; row: number } | { node: "branch"; need: number; status: Status; children: Tree[] };

interface Evaluated {
  status: Status;
  tree: Tree;
}

export interface LevelResult {
  level: string;
  name: string;
  test: Test;
  status: Status;
  rows: Row[];
  tree: Tree;
}

/** A label document as it is hashed; the pair stands under the words of its kind. */
export interface LabelDocument {
  format: "verilabel/label/v1";
  rubric: Rubric["reference"];
  kind: Rubric["kind"];
  design: Design;
  levels: LevelResult[];
  scale: string[];
  flags?: string[];
  [half: string]: unknown;
}

/** What is decided: counts of the system and of the reference system, the design, the attestations that are given. */
export interface Given {
  tallies?: Record<string, Partial<Counted>>;
  references?: Record<string, Partial<Counted>>;
  design?: Design;
  attested?: readonly string[];
}

function withoutDefaults(row: Row): Row {
  const isDefault = (value: unknown): boolean =>
    value === undefined || value === 0 || (Array.isArray(value) && value.length === 0);
  return Object.fromEntries(Object.entries(row).filter(([, value]) => !isDefault(value))) as Row;
}

/** Node value from its children's (label semantics 2). */
function statusOfGroup(need: number, statuses: readonly Status[]): Status {
  const count = (status: Status): number => statuses.filter((other) => other === status).length;
  if (count("met") >= need) return "met";
  if (statuses.length - count("not_met") < need) return "not_met";
  return count("met") + count("undetermined") < need ? "not_assessed" : "undetermined";
}

function splitLevels(alphas: Levels, need: number, size: number): Levels {
  return {
    met: alphas.met.over(new Fraction(BigInt(size - need + 1))),
    not_met: alphas.not_met.over(new Fraction(BigInt(need))),
  };
}

class RuleEvaluation {
  readonly rows: Row[] = [];

  constructor(private readonly context: Context) {}

  private addRow(row: Row): Evaluated {
    this.rows.push(withoutDefaults(row));
    return { status: row.status, tree: { node: "row", row: this.rows.length - 1 } };
  }

  evaluate(node: Node, alphas: Levels): Evaluated {
    if ("attested" in node) {
      const status = this.context.attested.has(node.attested) ? "met" : "not_assessed";
      return this.addRow({ attested: node.attested, status });
    }
    if ("children" in node) {
      return this.evaluateGroup(node.need, node.children, alphas, (child, shared) => this.evaluate(child, shared));
    }
    return this.evaluateMeasure(node, alphas);
  }

  private evaluateGroup<T>(
    need: number,
    children: readonly T[],
    alphas: Levels,
    evaluateChild: (child: T, shared: Levels) => Evaluated,
  ): Evaluated {
    const shared = splitLevels(alphas, need, children.length);
    const results = children.map((child) => evaluateChild(child, shared));
    const status = statusOfGroup(
      need,
      results.map((result) => result.status),
    );
    return { status, tree: { node: "branch", need, status, children: results.map((result) => result.tree) } };
  }

  // Label semantics 8: the safe side must hold for every setting, the other side for any of them, which pays.
  private evaluateMeasure(node: Criterion, alphas: Levels): Evaluated {
    const { id, settings, direction } = node.measure;
    const rowOf = (name: string, levels: Levels): Evaluated =>
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
function rulesInOrder(levels: readonly Level[]): { level: Level; test: Test; node: Node }[] {
  const rules = levels.flatMap((level) => level.rules.map((rule) => ({ level, ...rule })));
  const upwards = rules.filter((rule) => rule.test !== "rule_out");
  const downwards = rules.filter((rule) => rule.test === "rule_out").reverse();
  return [...upwards, ...downwards];
}

function evaluateRules(rubric: Rubric, context: Context): LevelResult[] {
  const alphas = { met: rubric.statistics.alpha, not_met: rubric.statistics.alpha };
  return rulesInOrder(rubric.levels).map(({ level, test, node }) => {
    const rule = new RuleEvaluation(context);
    const { status, tree } = rule.evaluate(node, alphas);
    return { level: level.id, name: level.name, test, status, rows: rule.rows, tree };
  });
}

/** Indexes of the pair (label semantics 3). */
function pairOf(rubric: Rubric, results: readonly LevelResult[]): [number, number] {
  const statusOf = (index: number, test: Test): Status | undefined =>
    results.find((r) => r.level === rubric.levels[index]?.id && r.test === test)?.status;
  const last = rubric.levels.length - 1;
  let low = 0;
  if (rubric.kind === "assurance") {
    while (low < last && statusOf(low + 1, "when") === "met") low += 1;
    let high = low;
    while (high < last && statusOf(high + 1, "when") !== "not_met") high += 1;
    return [low, high];
  }
  while (low < last && statusOf(low + 1, "rule_in") === "met") low += 1;
  let high = last;
  while (high > 0 && statusOf(high, "rule_out") === "met") high -= 1;
  return [low, high];
}

function isUnlisted(name: string, measures: ReadonlyMap<string, Measure>): boolean {
  const [id = "", ...rest] = name.split("@");
  const settings = measures.get(id)?.settings ?? [];
  return rest.length === 0 ? settings.length > 0 : !settings.includes(rest.join("@"));
}

function flagsOf(rubric: Rubric, context: Context, results: readonly LevelResult[], isContradicted: boolean): string[] {
  const rows = results.flatMap((result) => result.rows);
  const hasFlag = (row: Row): boolean => Array.isArray(row.flags) && row.flags.includes("judge_uncertified");
  const applies: Record<string, boolean> = {
    judge_uncertified: rows.some(hasFlag),
    unlisted_settings: [...context.tallies.keys()].some((name) => isUnlisted(name, rubric.measures)),
    contradictory_rows: isContradicted,
  };
  return Object.keys(applies).filter((flag) => applies[flag]);
}

/** The words for the two halves of a label's pair. */
export const PAIR_WORDS = {
  assurance: ["granted", "cannot_exclude_up_to"],
  hazard: ["established", "not_ruled_out"],
} as const;

function contextOf(rubric: Rubric, given: Given): Context {
  const design = given.design ?? "fixed";
  if (!rubric.statistics.designs.includes(design)) {
    throw new Refusal(`design ${design} is not allowed`, "$.statistics.design");
  }
  const attested = new Set(given.attested ?? []);
  for (const id of attested) {
    if (!rubric.attestations.has(id)) throw new Refusal(`unknown attestation ${id}`, "attested");
  }
  const tallies = readTallies(given.tallies, rubric, "tallies");
  const references = readTallies(given.references, rubric, "references");
  return { statistics: rubric.statistics, design, attested, tallies, references };
}

/** The label document that a rubric gives to counts. Throws a Refusal where the counts cannot be. */
export function decide(rubric: Rubric, given: Given): LabelDocument {
  const context = contextOf(rubric, given);
  const levels = evaluateRules(rubric, context);
  const [lowest, highest] = pairOf(rubric, levels);
  const low = rubric.levels[lowest] as Level;
  const high = rubric.levels[Math.max(lowest, highest)] as Level;
  const flags = flagsOf(rubric, context, levels, lowest > highest);
  const [lowWord, highWord] = PAIR_WORDS[rubric.kind];
  const document: LabelDocument = {
    format: "verilabel/label/v1",
    rubric: rubric.reference,
    kind: rubric.kind,
    design: context.design,
    levels,
    scale: rubric.levels.map((level) => level.id),
    [lowWord]: { id: low.id, name: low.name },
    [highWord]: { id: high.id, name: high.name },
  };
  return flags.length > 0 ? { ...document, flags } : document;
}

/** The label document of a conformance case. Throws where the case must be refused. */
export const decideCase = (given: Given & { rubric: string }): LabelDocument =>
  decide(readRubric(given.rubric), given);

/** The pair in words. */
export function sentenceOf(label: LabelDocument): string {
  const [lowWord, highWord] = PAIR_WORDS[label.kind];
  const half = (word: string): string => {
    const { id, name } = label[word] as { id: string; name: string };
    return `${id} ${name}`;
  };
  return label.kind === "assurance"
    ? `${half(lowWord)} granted, cannot exclude up to ${half(highWord)}`
    : `${half(lowWord)} established, ${half(highWord)} not ruled out`;
}
