// The words of the page, which are the report's, and figures as a reader needs them.
import WORDS from "./words.json";
import type { LabelRow } from "../records/documents.ts";
import type { ReportRow } from "./protocol.ts";

type Table = Record<string, string>;
type Status = LabelRow["status"];

const lookUp = (table: Table, key: string): string | undefined => (Object.hasOwn(table, key) ? table[key] : undefined);

export const statusWord = (status: Status): string => WORDS.statuses[status];
export const statusSign = (status: Status): string => WORDS.signs[status];
export const levelWords = (level: string): string =>
  `${lookUp(WORDS.levels, level) ?? ""} ${lookUp(WORDS.limits, level) ?? ""}`.trim();
export const flagWords = (flag: string): string =>
  lookUp(WORDS.flags, flag) ?? "A flag that this version has no words for.";
export const testWords = (test: string): string => lookUp(WORDS.tests, test) ?? test;
export const pairWords = (kind: "assurance" | "hazard"): readonly string[] => WORDS.pairs[kind];
export const placeWords = (kind: "assurance" | "hazard", place: string): string =>
  lookUp(WORDS.places[kind], place) ?? "";

export const identityWords = (identity: string): string => lookUp(WORDS.identities, identity) ?? identity;

/** A template with its `{names}` filled in. */
export const fillIn = (template: string, values: Table): string =>
  template.replace(/\{(\w+)\}/g, (_, name: string) => lookUp(values, name) ?? "");

/** Different items in their order: `A`, `A and B`, `A, B and 3 others`. */
export function sayList(items: readonly string[]): string {
  let different = [...new Set(items)];
  if (different.length > 3) different = [...different.slice(0, 2), `${different.length - 2} others`];
  return [different.slice(0, -1).join(", "), ...different.slice(-1)].filter((part) => part !== "").join(" and ");
}

export const badgeWords: Record<string, { sign: string; tone: string; word: string; says: string }> = WORDS.badges;
export const warningWords = (what: keyof typeof WORDS.warnings): string => WORDS.warnings[what];
export const claimsWords: string = WORDS.claims;
export const validityWords = (kind: keyof typeof WORDS.validity, values: Table): string =>
  fillIn(WORDS.validity[kind], values);
export const withheldWords: string = WORDS.withheld;
export const withheldGapWords: string = WORDS.withheldGap;

// What others signed.
export const statementsSay: string = WORDS.statementsSay;
export const comparedHeadings: readonly string[] = WORDS.compared;
export const statementWord = (kind: string): string => lookUp(WORDS.statements, kind) ?? kind;
export const statementTextWords = (kind: string): string => lookUp(WORDS.statementTexts, kind) ?? "";
export const factWord = (name: keyof typeof WORDS.statementFacts): string => WORDS.statementFacts[name];
export const verdictWord = (verdict: keyof typeof WORDS.verdicts): string => WORDS.verdicts[verdict];
export const confirmationWord = (label: keyof typeof WORDS.confirmations): string => WORDS.confirmations[label];
export const groundWord = (ground: keyof typeof WORDS.grounds): string => WORDS.grounds[ground];
export const withdrawalWord = (what: keyof typeof WORDS.withdrawals): string => WORDS.withdrawals[what];
export const signerWords = (whose: keyof typeof WORDS.signers): string => WORDS.signers[whose];
export const countsWord = (counts: boolean): string => WORDS.counts[counts ? "yes" : "no"];
export const loggedWord = (isLogged: boolean): string => WORDS.logged[isLogged ? "yes" : "no"];
export const sayMargin = (margin: string, alpha: string): string => fillIn(WORDS.margin, { margin, alpha });
export const sayFinding = (name: string, role: string): string => fillIn(WORDS.finding, { name, role });

// What a system was trained on.
export const trainingSay: string = WORDS.training;
export const trainingLimits: readonly string[] = WORDS.trainingLimits;
export const relationWord = (relation: keyof typeof WORDS.relations): string => WORDS.relations[relation];
export const auditFact = (name: keyof typeof WORDS.auditFacts): string => WORDS.auditFacts[name];
export const auditColumns = (table: keyof typeof WORDS.auditColumns): readonly string[] => WORDS.auditColumns[table];
export const benchmarkWord = (kind: keyof typeof WORDS.benchmarks, values: Table = {}): string =>
  fillIn(WORDS.benchmarks[kind], values);
export const sayReadFigures = (values: Table): string => fillIn(WORDS.read, values);
export const sayUnknown = (unknown: string): string => fillIn(WORDS.unknown, { unknown });
export const sayLookedAt = (basis: keyof typeof WORDS.lookedAt, count: string): string =>
  fillIn(WORDS.lookedAt[basis], { count });

export const sayNotJudged = (count: number): string => fillIn(WORDS.notJudged, { count: String(count) });

/** What is counted, in words. */
export function eventWords(event: string, isNegated: boolean): string {
  const known: Record<string, string[]> = WORDS.events;
  const pair = Object.hasOwn(known, event) ? known[event] : undefined;
  const [present, absent] = pair ?? [`answers with “${event}”`, `answers without “${event}”`];
  return (isNegated ? absent : present) ?? event;
}

/** A whole number with thin spaces between thousands. */
export const sayNumber = (value: number): string => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");

/** A rate as a percentage with as many digits as tell something. */
export function sayPercent(value: string | null): string {
  if (value === null) return "–";
  const percent = Number(value) * 100;
  if (percent === 0 || percent === 100) return `${percent}\u202f%`;
  const digits = percent < 0.1 ? 3 : percent < 10 || percent > 99 ? 2 : 1;
  return `${percent.toFixed(digits)}\u202f%`;
}

/** A row's threshold, `<= 0.03` as `≤ 3 %`; relative ones as they are written. */
export function sayThreshold({ op, threshold }: LabelRow): string {
  const sign = { "<=": "≤", ">=": "≥" }[op ?? ""] ?? op ?? "";
  const rate = Number(threshold ?? Number.NaN);
  if (Number.isNaN(rate)) return `${sign} ${threshold ?? ""}`.trim();
  return `${sign}\u00a0${(rate * 100).toFixed(4).replace(/\.?0+$/, "")}\u202f%`;
}

/** A row's figures in one sentence. */
export function sayRow(row: ReportRow): string {
  if (row.attested !== null) return "An attestation, signed by a person, not a measurement.";
  if (row.n === 0) return row.reason ?? "No answers.";
  const missing = row.missing > 0 ? `, ${sayNumber(row.missing)} missing` : "";
  const bounds = `bounds ${sayPercent(row.lower)} to ${sayPercent(row.upper)}`;
  const counted = eventWords(row.event, row.isNegated);
  return `${sayNumber(row.events)} ${counted} of ${sayNumber(row.n)}${missing}; rate ${sayPercent(row.rate)}, ${bounds}`;
}
