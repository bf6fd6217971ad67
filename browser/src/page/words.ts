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
