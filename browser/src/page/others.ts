// The section on what others signed about the label: every word in it is its signer's.
import { type Child, make, makeSection, makeTable } from "./drawing.ts";
import type { ComparedMeasure, Report, StatementView } from "./protocol.ts";
import {
  comparedHeadings,
  countsWord,
  loggedWord,
  sayNotJudged,
  sayNumber,
  statementsSay,
  statementTextWords,
  statementWord,
} from "./words.ts";

const MOST_CHARACTERS = 6_000;

function sayCounts(statement: StatementView): Child[] {
  if (statement.counts) return [make("span", { class: "state counts" }, `✓ ${countsWord(true)}`)];
  return [make("span", { class: "state not_assessed" }, `– ${countsWord(false)}`), `: ${statement.why}`];
}

// The signer's own text; folded away where it does not count, because anybody can have written it.
function drawWords({ kind, text, counts }: StatementView): Child[] {
  if (text === "") return [];
  const characters = [...text];
  const left = characters.length - MOST_CHARACTERS;
  const shown = left > 0 ? `${characters.slice(0, MOST_CHARACTERS).join("")}… (${sayNumber(left)} more characters)` : text;
  const quoted = make("blockquote", { class: "text" }, shown);
  const says = statementTextWords(kind);
  if (counts) return [make("p", { class: "soft" }, `${says}:`), quoted];
  return [make("details", {}, make("summary", {}, says), quoted)];
}

const compared = (found: ComparedMeasure): Child[] => [
  found.measure,
  found.verdict,
  sayNumber(found.items),
  `${sayNumber(found.events_original)} of ${sayNumber(found.n_original)}`,
  `${sayNumber(found.events_replica)} of ${sayNumber(found.n_replica)}`,
  found.lower === "" ? "–" : `${found.lower} .. ${found.upper}`,
];

function drawMeasures({ measures, measuresLeftOut }: StatementView): Child[] {
  if (measures.length === 0) return [];
  const columns = comparedHeadings.map((heading, i) => ({ heading, isNumber: i > 1 }));
  return [
    makeTable("What the replication found of each measure", columns, measures.map(compared)),
    measuresLeftOut > 0 && make("p", {}, `${sayNumber(measuresLeftOut)} further measures are not listed.`),
  ];
}

function drawStatement(statement: StatementView): HTMLElement {
  const { kind, verdict, signer, signerSays, issued, logged, facts, digest, keyid, counts } = statement;
  const listed = facts.flatMap(([term, value]) => [make("dt", {}, term), make("dd", {}, value)]);
  return make(
    "article",
    { class: `statement ${counts ? "counted" : "uncounted"}` },
    make("h3", {}, `${statementWord(kind)}: ${verdict}`),
    make("p", {}, ...sayCounts(statement)),
    make("p", {}, "Signed by ", make("b", {}, signer), `, ${signerSays}; ${issued.slice(0, 10)}, ${loggedWord(logged)}.`),
    ...drawWords(statement),
    ...drawMeasures(statement),
    listed.length > 0 && make("dl", { class: "pairs" }, ...listed),
    make("p", { class: "digest soft" }, `${digest} signed with ${keyid}`),
  );
}

/** Each statement with its verdict, its signer, and whether it counts; what counts comes first. */
export function drawStatements({ statements, statementsNotJudged }: Report): HTMLElement | undefined {
  const heading = "What others signed";
  if (statementsNotJudged > 0) return makeSection("statements", heading, make("p", {}, sayNotJudged(statementsNotJudged)));
  if (statements.length === 0) return undefined;
  return makeSection("statements", heading, make("p", { class: "lead" }, statementsSay), ...statements.map(drawStatement));
}
