// The finding as a page: the label card, the steps, the rows, the flags and what others signed.
import { type Child, type Column, make, makeSection, makeTable } from "./drawing.ts";
import { drawInterval } from "./plot.ts";
import type { Report, ReportLevel, ReportRow } from "./protocol.ts";
import { drawStatements } from "./others.ts";
import { drawTraining } from "./training.ts";
import { offerRecords, type RecordSource } from "./records.ts";
import { judgeFailure, sayValidity } from "./standing.ts";
import {
  claimsWords,
  flagWords,
  identityWords,
  levelWords,
  pairWords,
  placeWords,
  sayNumber,
  sayRow,
  sayThreshold,
  statusSign,
  statusWord,
  testWords,
  withheldGapWords,
} from "./words.ts";

const OUTCOMES: Record<string, string> = {
  passed: "✓ passed",
  failed: "✕ failed",
  skipped: "– skipped",
  not_reached: "not reached",
};

const state = (row: { status: ReportRow["status"] }): HTMLElement =>
  make(
    "span",
    { class: `state ${row.status}` },
    make("span", { "aria-hidden": "true" }, statusSign(row.status)),
    ` ${statusWord(row.status)}`,
  );

// -- the card -----------------------------------------------------------------------------------------

function half(word: string, grade: Report["low"], place: string): HTMLElement {
  return make(
    "div",
    { class: `half ${place}` },
    make("p", { class: "word" }, word),
    make("p", { class: "grade" }, `${grade?.id ?? ""} ${grade?.name ?? ""}`),
    grade?.meaning !== undefined && make("p", { class: "meaning" }, grade.meaning),
  );
}

function drawPair(report: Report): Child[] {
  const { kind } = report;
  if (kind === undefined) return [];
  const { isGenuine } = judgeFailure(report);
  const [lowWord = "", highWord = ""] = pairWords(kind).map((word) => (isGenuine ? word : `${word} (claimed)`));
  const levels = report.scale.map(({ id, name, place }) =>
    make(
      "li",
      { class: place },
      make("span", { class: "mark", "aria-hidden": "true" }),
      make("b", {}, `${id} ${name}`),
      make("span", { class: "says" }, placeWords(kind, place)),
    ),
  );
  return [
    make("div", { class: "pair" }, half(lowWord, report.low, "held"), half(highWord, report.high, "open")),
    make("ol", { class: "scale", "aria-label": "The scale, lowest level first" }, ...levels),
  ];
}

function fact(term: string, value: string, more?: string): HTMLElement {
  return make("div", {}, make("dt", {}, term), make("dd", {}, value, more !== undefined && make("span", {}, more)));
}

function facts(report: Report): HTMLElement[] {
  return [
    fact("Verification", report.levelName, levelWords(report.level)),
    ...(report.failure === undefined ? [fact(report.level === "V4" ? "What it leaves open" : "Why not higher", report.reason)] : []),
    fact("Validity", sayValidity(report), `read at ${new Date(report.readAt).toISOString().slice(0, 19)}Z`),
    fact("Records", sayNumber(report.records), `checked in ${report.seconds.toFixed(1)} s`),
    fact("Rubric", report.rubric?.name ?? "–", report.rubric?.title),
    fact("Signed by", report.signer ?? (report.failure ? "nobody, as far as was checked" : "nobody"), report.keyid),
  ];
}

function alertOf(report: Report): HTMLElement | undefined {
  if (report.failure === undefined) return undefined;
  const { message, where, hint } = report.failure;
  const { warning, isGenuine } = judgeFailure(report);
  return make(
    "div",
    { class: "alert", role: "alert" },
    make("p", {}, make("strong", {}, `${warning} `), message),
    where !== undefined && make("p", { class: "digest" }, where),
    hint !== undefined && make("p", { class: "soft" }, hint),
    report.kind !== undefined && !isGenuine && make("p", {}, claimsWords),
  );
}

// The level, and beside it what a reader must not miss: a word with a sign and a colour.
function drawStanding({ levelName, badges }: Report): HTMLElement {
  const level = make("li", { class: "badge level-badge" }, make("b", {}, levelName), make("span", {}, "level of verification"));
  const others = badges.map(({ flag, word, sign, tone, says }) =>
    make(
      "li",
      { class: `badge tone-${tone}`, "data-flag": flag },
      make("b", {}, make("span", { "aria-hidden": "true" }, sign), ` ${word}`),
      make("span", {}, says),
    ),
  );
  return make("ul", { class: "badges", "aria-label": "How it stands" }, level, ...others);
}

function drawCard(report: Report): HTMLElement {
  const system = report.system;
  return make(
    "section",
    { class: "card", "aria-labelledby": "label" },
    make("h2", { id: "label", tabindex: -1 }, system?.name ?? report.bundle),
    system && make("p", { class: "subject" }, `${system.model}, ${identityWords(system.identity)}`),
    alertOf(report),
    drawStanding(report),
    ...drawPair(report),
    make("dl", { class: "facts" }, ...facts(report)),
    make("p", { class: "sentence", id: "sentence" }, report.sentence),
  );
}

// -- the sections -------------------------------------------------------------------------------------

function drawSteps(report: Report): HTMLElement {
  const items = report.steps.map(({ number, name, outcome, detail }) =>
    make(
      "li",
      { "data-step": number, "data-outcome": outcome },
      make("span", { class: "soft" }, String(number)),
      make("b", {}, name),
      make("span", { class: outcome }, OUTCOMES[outcome] ?? outcome),
      make("span", { class: "detail" }, detail),
    ),
  );
  return makeSection("steps", "What was checked", make("ol", { class: "steps" }, ...items));
}

function drawRow(row: ReportRow, source: RecordSource): HTMLElement {
  const flags = row.flags.map((flag) => make("li", { title: flagWords(flag) }, flag.replaceAll("_", " ")));
  return make(
    "div",
    { class: "row-block" },
    make(
      "div",
      { class: "row" },
      make(
        "div",
        {},
        make("h4", {}, `${row.title} `, sayThreshold(row)),
        make("p", {}, state(row)),
        make("p", {}, sayRow(row)),
        row.reason !== null && row.n > 0 && make("p", { class: "bare" }, row.reason),
        flags.length > 0 && make("ul", { class: "chips" }, ...flags),
      ),
      make("div", {}, drawInterval(row) ?? make("p", { class: "bare" }, "No interval to draw.")),
    ),
    row.hasRecords && offerRecords(row, source),
  );
}

function drawLevel(level: ReportLevel, source: RecordSource): HTMLElement {
  return make(
    "div",
    { class: "level" },
    make(
      "div",
      { class: "level-head" },
      make("h3", {}, `${level.level} ${level.name}`),
      state(level),
      make("p", {}, testWords(level.test)),
    ),
    level.meaning !== undefined && make("p", { class: "soft" }, level.meaning),
    ...level.rows.map((row) => drawRow(row, source)),
  );
}

const FIGURES: Column[] = [
  { heading: "Row" },
  { heading: "Status" },
  ...["Answers", "Events", "Missing", "Rate", "Lower", "Upper", "Threshold", "Tested at", "Alpha"].map((heading) => ({
    heading,
    isNumber: true,
  })),
];

function drawRows(report: Report, source: RecordSource): HTMLElement | undefined {
  if (report.levels.length === 0) return undefined;
  const figures = report.levels.flatMap(({ level, rows }) =>
    rows.map((row): Child[] => [
      `${level} ${row.measure ?? row.attested ?? ""}`,
      state(row),
      ...[row.n, row.events, row.missing].map(sayNumber),
      ...[row.rate, row.lower, row.upper].map((figure) => figure ?? "–"),
      `${row.op ?? ""} ${row.threshold ?? "–"}`.trim(),
      row.tested_met ?? "–",
      row.alpha_met ?? "–",
    ]),
  );
  return makeSection(
    "rows",
    "What was decided",
    make(
      "p",
      { class: "lead" },
      "A row is met when the whole interval lies on the shaded side of its threshold, not met when all of it lies on the other side, and undetermined when it reaches across.",
    ),
    ...report.levels.map((level) => drawLevel(level, source)),
    make("h3", { class: "block" }, "All figures"),
    makeTable("All rows with their figures", FIGURES, figures),
  );
}

function drawFlags(report: Report): HTMLElement | undefined {
  if (report.flags.length === 0) return undefined;
  const rows = report.flags.map((flag): Child[] => [flag.replaceAll("_", " "), flagWords(flag)]);
  const columns = [{ heading: "Flag" }, { heading: "What it means" }];
  return makeSection("flags", "Flags", makeTable("Flags and what they mean", columns, rows));
}

function drawWithheld({ withheld }: Report): HTMLElement | undefined {
  if (withheld.length === 0) return undefined;
  const items = withheld.map(({ suite, count, answers }) =>
    make("li", {}, make("b", {}, "Withheld: "), `${suite}: ${sayNumber(count)} of ${sayNumber(answers)} answers are withheld`),
  );
  return makeSection("withheld", "What is withheld", make("p", { class: "lead" }, withheldGapWords), make("ul", { class: "gaps" }, ...items));
}

function drawProvenance(report: Report): HTMLElement {
  const pairs: [string, string | undefined][] = [
    ["System", report.system?.digest],
    ["Signer's key", report.keyid],
    ["Issued", report.issued],
    ["Valid until", report.validUntil],
    ["Merkle root of the evidence", report.root],
    ["Label's statement", report.statementDigest],
    ["Design", report.design],
  ];
  const listed = pairs
    .filter(([, value]) => value !== undefined)
    .flatMap(([term, value]) => [make("dt", {}, term), make("dd", { class: "digest" }, value)]);
  return makeSection("provenance", "Where it comes from", make("dl", { class: "pairs" }, ...listed));
}

/** The whole finding. */
export function drawResult(report: Report, source: RecordSource): HTMLElement {
  const { isGenuine } = judgeFailure(report);
  return make(
    "div",
    { class: isGenuine ? "holds" : "claimed", "data-level": report.level },
    drawCard(report),
    drawStatements(report),
    drawTraining(report),
    drawSteps(report),
    drawRows(report, source),
    drawWithheld(report),
    drawFlags(report),
    drawProvenance(report),
  );
}
