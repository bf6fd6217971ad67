// What the level V4 asks for beside a replication, and what of it is there.
import type { Audit, Matches } from "../evidence/audit.ts";
import type { Label, MeasurePlan, Plan, Stream } from "../records/documents.ts";

const JUDGE_CALIBRATION = "judge-calibration";
/** Names of the findings that V4 asks for, and what each is on. */
export const FINDINGS: ReadonlyMap<string, string> = new Map([
  [JUDGE_CALIBRATION, "judge calibration"],
  ["elicitation", "elicitation"],
  ["governance", "governance"],
]);
const MAX_NAMED = 5;

/** What counts towards V4 of the statements that a reader has, and why others do not. */
export interface Standing {
  readonly audits: Audit[];
  /** Names of the findings that count. */
  readonly findings: Set<string>;
  /** `audit`, or the name of a finding, to why one does not count. */
  readonly refused: Map<string, string>;
}

/** The plan's measures that rows of the label decide on with at least one answer. */
function countedMeasures(plan: Plan, label: Label): MeasurePlan[] {
  const rows = label.levels.flatMap((level) => level.rows);
  const counted = new Set(rows.flatMap(({ measure, n }) => (measure !== null && n > 0 ? [measure] : [])));
  return plan.measures.filter(({ id }) => counted.has(id) || counted.has(id.split("@")[0] as string));
}

/** The suites that those measures are counted on, in the plan's order. */
export function countedSuites(plan: Plan, label: Label): Stream[] {
  const suites = new Set(countedMeasures(plan, label).map(({ suite }) => suite));
  return plan.streams.filter(({ suite }) => suites.has(suite));
}

// Scores come from a judge model, or nobody can tell that they do not.
function isJudged(plan: Plan, label: Label, judgeRequests: number): boolean {
  if (judgeRequests > 0) return true;
  const names = new Set(countedMeasures(plan, label).map(({ detector }) => detector));
  return plan.detectors
    .filter(({ id, version, exact }) => names.has(`${id}@${version}`) && !exact)
    .some(({ id, setting }) => plan.imported !== null || setting !== "" || id.includes(":"));
}

/** What an audit found of a suite, by its name and digest; undefined where it did not look for it. */
export function matchesOf({ suite, suite_sha256 }: Stream, { contamination }: Audit): Matches | undefined {
  return contamination.find((row) => row.benchmark === suite && row.benchmark_sha256 === suite_sha256);
}

function* lackingAudits({ audits, refused }: Standing): Generator<string> {
  if (audits.length === 0) yield refused.get("audit") ?? "no statement on training data";
  else if (audits.every(({ relation }) => relation !== "declared-training-data")) {
    yield "no statement on training data other than that of fine-tuning";
  }
}

// Suites of which nobody says whether a data set holds them, data set by data set: another one tells nothing.
function* uncovered(suites: readonly Stream[], audits: readonly Audit[]): Generator<string> {
  const ofSet = new Map<string, Audit[]>();
  for (const audit of audits) {
    const root = audit.audit.dataset_root;
    ofSet.set(root, [...(ofSet.get(root) ?? []), audit]);
  }
  for (const [root, together] of ofSet) {
    for (const stream of suites) {
      const found = together.flatMap((audit) => matchesOf(stream, audit) ?? []);
      const place = `in the data set ${root.slice(0, 19)}`;
      if (found.length === 0) yield `no statement on ${stream.suite} ${place}`;
      else if (found.every(({ items, unchecked }) => items !== stream.samples || unchecked === items)) {
        yield `no statement on all ${stream.samples} samples of ${stream.suite} ${place}`;
      }
    }
  }
}

/** Everything that keeps a label from V4, beside what keeps it from V3; empty where nothing does. */
export function findLacking(
  plan: Plan,
  label: Label,
  judgeRequests: number,
  standing: Standing,
  isDisputed: boolean,
): string[] {
  const lacking = [...lackingAudits(standing), ...uncovered(countedSuites(plan, label), standing.audits)];
  for (const [name, topic] of FINDINGS) {
    if (name === JUDGE_CALIBRATION && !isJudged(plan, label, judgeRequests)) continue;
    if (!standing.findings.has(name)) lacking.push(standing.refused.get(name) ?? `no statement on ${topic}`);
  }
  return isDisputed ? [...lacking, "it is disputed"] : lacking;
}

/** True if an audit found an item of a suite that the label counts. */
export function isContaminated(plan: Plan, label: Label, audits: readonly Audit[]): boolean {
  const suites = countedSuites(plan, label);
  return audits.some((audit) => suites.some((stream) => (matchesOf(stream, audit)?.items_matched ?? 0) > 0));
}

/** What is lacking, in one sentence. */
export function sayLacking(lacking: readonly string[]): string {
  const more = lacking.length > MAX_NAMED ? [`and ${lacking.length - MAX_NAMED} more`] : [];
  return `${[...lacking.slice(0, MAX_NAMED), ...more].join("; ")} (V4)`;
}
