// Moments as the documents write them, RFC 3339 in UTC with whole seconds, and days in words.
import { malformed } from "../errors.ts";

export const DAY_MS = 86_400_000;
const FORM = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;
const MONTHS = [
  "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
];

/** A moment in milliseconds since 1970. Refuses every other spelling. */
export function parseTime(text: string, where: string): number {
  const moment = FORM.test(text) ? Date.parse(text) : Number.NaN;
  const isMoment = !Number.isNaN(moment) && new Date(moment).toISOString() === text.replace("Z", ".000Z");
  if (!isMoment || text.startsWith("0000")) throw malformed("not a time in UTC such as 2026-11-22T13:00:00Z", where);
  return moment;
}

/** `22 November 2026`. */
export function writeDay(moment: number): string {
  const date = new Date(moment);
  return `${String(date.getUTCDate()).padStart(2, "0")} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
}
