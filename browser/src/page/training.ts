// The section on what the system was trained on, as far as somebody audited it: figures are their signer's.
import { type Child, make, makeSection, makeTable } from "./drawing.ts";
import type { AuditView, BenchmarkView, Report } from "./protocol.ts";
import {
  auditColumns,
  auditFact,
  benchmarkWord,
  countsWord,
  relationWord,
  sayLookedAt,
  sayNumber,
  sayReadFigures,
  sayUnknown,
  statementWord,
  trainingLimits,
  trainingSay,
} from "./words.ts";

const MOST_ROWS = 100;

/** A bound with as many places as tell something; rounded up. */
export function sayBound(perMillion: string): string {
  const [whole = "", places] = perMillion.split(".");
  if (places === undefined) return sayNumber(Number(whole));
  return whole.length > 1 ? sayNumber(Number(whole) + 1) : perMillion;
}

function sayBenchmark({ items, matched, unchecked, samples }: BenchmarkView): string {
  const found = matched > 0 ? "found" : "none";
  const more = unchecked > 0 ? benchmarkWord("unchecked", { unchecked: sayNumber(unchecked) }) : "";
  if (samples === undefined) return benchmarkWord(found) + more;
  if (items === 0) return benchmarkWord("own_missing");
  return benchmarkWord(items === samples ? `own_${found}` : "own_part", { samples: sayNumber(samples) }) + more;
}

function drawGrid(name: "benchmarks" | "bounds" | "canaries", numeric: readonly number[], rows: readonly Child[][]): Child[] {
  if (rows.length === 0) return [];
  const heading = auditFact(name);
  const columns = auditColumns(name).map((text, i) => ({ heading: text, isNumber: numeric.includes(i) }));
  const left = rows.length - MOST_ROWS;
  return [
    make("h4", {}, heading),
    makeTable(heading, columns, rows.slice(0, MOST_ROWS)),
    left > 0 && make("p", {}, `${sayNumber(left)} more are not listed.`),
  ];
}

function drawFacts({ audit: { audit, checks, valid_until: until }, signer }: AuditView): HTMLElement {
  const read = sayReadFigures({
    read: sayNumber(audit.documents_read),
    documents: sayNumber(audit.documents),
    bytes: sayNumber(audit.bytes_text),
    shards: sayNumber(audit.shards),
    unread: sayNumber(audit.documents_unread),
  });
  const listed = checks.slice(0, MOST_ROWS).map(({ name, version }) => `${name} ${version}`);
  const facts: [Parameters<typeof auditFact>[0], string][] = [
    ["read", audit.unknown > 0 ? read + sayUnknown(sayNumber(audit.unknown)) : read],
    ["audited", `${audit.started.slice(0, 10)} – ${audit.ended.slice(0, 10)}`],
    ["signer", signer],
    ["valid_until", until.slice(0, 10)],
    ["checks", listed.join(", ")],
    ["confidence", audit.confidence],
    ["dataset_root", audit.dataset_root],
    ["manifest", audit.manifest_sha256],
  ];
  const pairs = facts.flatMap(([name, value]) => [make("dt", {}, auditFact(name)), make("dd", {}, value)]);
  return make("dl", { class: "pairs" }, ...pairs);
}

function drawFigures(view: AuditView): Child[] {
  const { audit, benchmarks } = view;
  const found = benchmarks.map((benchmark): Child[] => {
    const counts = [benchmark.items, benchmark.matched, benchmark.documents];
    return [
      benchmark.benchmark,
      sayBenchmark(benchmark),
      ...counts.map((count) => (benchmark.items > 0 ? sayNumber(count) : "–")),
    ];
  });
  const bounds = audit.statements.map((statement): Child[] => [
    statement.kind,
    sayNumber(statement.found_documents),
    sayBound(statement.bound_per_million),
    sayLookedAt(statement.basis, sayNumber(statement.sample || audit.audit.documents_read)),
    statement.method,
  ]);
  const canaries = audit.canaries.slice(0, MOST_ROWS);
  return [
    drawFacts(view),
    ...drawGrid("benchmarks", [2, 3, 4], found),
    ...drawGrid("bounds", [1, 2], bounds),
    ...drawGrid(
      "canaries",
      [1, 2],
      canaries.map(({ kind, planted, found: count }) => [kind, sayNumber(count), sayNumber(planted)]),
    ),
  ];
}

function drawAudit(view: AuditView): HTMLElement {
  const { audit, counts, why } = view;
  const said = `${counts ? "✓" : "–"} ${countsWord(counts)}`;
  const figures = drawFigures(view);
  return make(
    "article",
    { class: `statement ${counts ? "counted" : "uncounted"}` },
    make("h3", {}, `${statementWord("audit")}: ${relationWord(audit.relation)}`),
    make("p", {}, make("span", { class: counts ? "state counts" : "state not_assessed" }, said), why !== "" && `: ${why}`),
    ...(counts ? figures : [make("details", {}, make("summary", {}, auditFact("figures")), ...figures)]),
  );
}

/** Every audit that was signed about the system, and what audits leave open. */
export function drawTraining({ audits }: Report): HTMLElement | undefined {
  if (audits.length === 0) return undefined;
  const limits = make("ul", { class: "limits" }, ...trainingLimits.map((limit) => make("li", {}, limit)));
  const lead = make("p", { class: "lead" }, trainingSay);
  return makeSection("training-data", "Training data", lead, ...audits.map(drawAudit), limits);
}
