// What a verifier found: every step with its outcome, and the level that follows from them.
import type { Kind } from "../errors.ts";
import { sentenceOf, type LabelDocument } from "../decision/decide.ts";
import { AUDIT_LIMIT } from "../evidence/audit.ts";
import type { Label, Plan, System, Tally } from "../records/documents.ts";

export type LevelName = "V0" | "V1" | "V2s" | "V2" | "V3" | "V4";
export const LEVEL_NAMES: Record<LevelName, string> = {
  V0: "claimed",
  V1: "signed",
  V2s: "recomputed, records sealed",
  V2: "recomputed",
  V3: "replicated",
  V4: "audited",
};

export interface Step {
  number: number;
  name: string;
  outcome: "passed" | "failed" | "skipped" | "not_reached";
  detail: string;
}

/** One statement that somebody signed about the label, and what it counts for. */
export interface StatementFinding {
  kind: string;
  digest: string;
  signer: string;
  keyid: string;
  issued: string;
  counts: boolean;
  says: string;
  why: string;
  logged: boolean;
}

export interface FoundFailure {
  kind: Kind;
  message: string;
  where: string | undefined;
  hint: string | undefined;
}

/** The whole finding. `failure` is set where a step says that the bundle is not genuine, or the label does not hold. */
export interface Verification {
  level: LevelName;
  levelName: string;
  /** Why the level is not higher; of V4, what it leaves open. */
  reason: string;
  sentence: string;
  steps: Step[];
  flags: string[];
  label: Label | undefined;
  system: System | undefined;
  systemDigest: string | undefined;
  plan: Plan | undefined;
  signer: string | undefined;
  keyid: string | undefined;
  issued: string | undefined;
  validUntil: string | undefined;
  root: string | undefined;
  leaves: number;
  tallies: Map<string, Tally>;
  manifestDigest: string | undefined;
  statementDigest: string | undefined;
  statements: readonly StatementFinding[];
  /** What keeps the label from V4 beside what keeps it from V3. */
  lackingForV4: readonly string[];
  failure: FoundFailure | undefined;
}

/** The level that the steps allow, and why it is not higher; of V4, which is the highest, what it leaves open. */
export function levelOf(
  steps: readonly Step[],
  shortOf: ReadonlyMap<string, string>,
  failure: string | undefined,
): [LevelName, string] {
  const failed = steps.find((step) => step.outcome === "failed")?.number;
  const short = (level: string): string | undefined => shortOf.get(level);
  if (failed !== undefined && failed <= 7) return ["V0", failure ?? ""];
  if (short("V1") !== undefined) return ["V0", short("V1") as string];
  if (failed !== undefined) return ["V1", short("V2") ?? failure ?? ""];
  if (short("V2") !== undefined) return ["V1", short("V2") as string];
  if (short("V2s") !== undefined) return ["V2s", short("V2s") as string];
  if (short("V3") !== undefined) return ["V2", short("V3") as string];
  if (short("V4") !== undefined) return ["V3", short("V4") as string];
  return ["V4", AUDIT_LIMIT];
}

/** The sentence that every page prints: the pair, the level, the validity and the system. */
export function writeSentence(found: Omit<Verification, "sentence">): string {
  const parts = [found.label ? sentenceOf(found.label as unknown as LabelDocument) : "no label", found.levelName];
  if (found.validUntil && found.flags.includes("current")) parts.push(`current until ${found.validUntil.slice(0, 10)}`);
  else if (found.validUntil && found.flags.includes("expired")) {
    parts.push(`expired on ${found.validUntil.slice(0, 10)}`);
  }
  parts.push(...["revoked", "superseded", "disputed"].filter((word) => found.flags.includes(word)));
  if (found.system && found.systemDigest) {
    const { use_case, locale } = found.system;
    parts.push(`for system ${found.systemDigest.slice(7, 15)} (${use_case}, ${locale})`);
  }
  return `${parts.join("; ")}.`;
}
