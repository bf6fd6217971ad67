// How a label stands: what a failed step means, whether it is in force, and what the card says beside the level.
import type { Badge, Report, StatementView } from "./protocol.ts";
import { badgeWords, fillIn, sayList, validityWords, warningWords } from "./words.ts";

type Standing = Pick<Report, "steps" | "failure" | "flags" | "validUntil" | "issued" | "statementDigest">;

// Of these steps, a failure says nothing against the evidence.
const STANDING_STEPS = new Set(["validity", "statements"]);

/** What a failed step means for a reader, and whether the figures still follow from sealed evidence. */
export function judgeFailure({ steps, failure }: Standing): { warning: string | undefined; isGenuine: boolean } {
  const failed = steps.find(({ outcome }) => outcome === "failed");
  if (failed === undefined) return { warning: undefined, isGenuine: true };
  const saysNo = failure?.kind === "CheckFailed";
  if (STANDING_STEPS.has(failed.name)) {
    return { warning: warningWords(saysNo ? "not_in_force" : "statement"), isGenuine: true };
  }
  return { warning: warningWords(saysNo ? "not_derived" : "changed"), isGenuine: false };
}

/** Whether the label is in force, in a few words. */
export function sayValidity({ flags, validUntil, issued }: Standing): string {
  const has = (flag: string): boolean => flags.includes(flag);
  const values = { until: validUntil?.slice(0, 10) ?? "", issued: issued?.slice(0, 10) ?? "" };
  if (validUntil === undefined) return validityWords("unsigned", values);
  if (has("expired")) return validityWords("expired", values);
  if (has("revoked") || has("superseded")) return validityWords("withdrawn", values);
  if (has("not_yet_valid")) return validityWords("not_yet_valid", values);
  return validityWords(has("current") ? "current" : "unchecked", values);
}

// True if the statement is one of those for which the verifier raised the flag.
function raises(flag: string, statement: StatementView, label: string | undefined): boolean {
  if (!statement.counts || statement.about !== label) return false;
  if (flag === "disputed") return statement.kind === "dispute";
  if (statement.kind !== "withdrawal") return false;
  return (flag === "revoked" && statement.says === "withdrawn") || (flag === "superseded" && statement.says === "superseded");
}

/** What stands beside the level, with who and when from the statements that count. */
export function listBadges(found: Standing, statements: readonly StatementView[]): Badge[] {
  return Object.entries(badgeWords)
    .filter(([flag]) => found.flags.includes(flag))
    .map(([flag, { word, sign, tone, says }]) => {
      const raisedBy = statements.filter((statement) => raises(flag, statement, found.statementDigest));
      const signers = sayList(raisedBy.map(({ signer }) => signer));
      const dates = sayList(raisedBy.map(({ issued }) => issued.slice(0, 10)));
      return { flag, word, sign, tone, says: fillIn(says, { signers, dates }) };
    });
}
