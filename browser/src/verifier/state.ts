// What the steps of a verification share: what has been established so far, and how a step ends.
import type { Rubric } from "../decision/claims.ts";
import { checkFailed } from "../errors.ts";
import type { SealedManifest } from "../evidence/manifest.ts";
import type { SuiteFacts } from "../evidence/checks.ts";
import type { Container } from "../evidence/container.ts";
import type { Recount } from "../evidence/counting.ts";
import type { PublicKey } from "../evidence/keys.ts";
import type { Walked } from "../evidence/lines.ts";
import type { Signed } from "../evidence/attestation.ts";
import type { Statement } from "../evidence/statement.ts";
import type { TrustPolicy } from "../evidence/trust.ts";
import type { Failure } from "../errors.ts";
import type { Label, Plan, SampleEntry, System } from "../records/documents.ts";
import type { StatementFinding, Verification } from "./verification.ts";

/** Reports on the way: the number of the step, and how much of it is done where that is known. */
export type Progress = (step: number, share?: number) => void;

/** A document of a bundle that was read, with the digest of its bytes. */
export interface Read<T> {
  value: T;
  digest: string;
}

/** What the steps have established so far. */
export interface State {
  readonly container: Container;
  readonly trust: TrustPolicy | undefined;
  readonly now: number;
  readonly references: readonly Verification[];
  /** Statements of others that the reader has beside the bundle. */
  readonly beside: readonly Signed[];
  /** `id@version` to digest of the rubrics that come with the program. */
  readonly bundledRubrics: Readonly<Record<string, string>>;
  readonly progress: Progress;
  flags: string[];
  /** Level to why it is not reached. */
  readonly shortOf: Map<string, string>;
  manifest?: SealedManifest;
  signer?: string;
  /** Every name that the trust policy gives the signer. */
  signerHolders?: ReadonlySet<string>;
  signerKey?: PublicKey;
  statement?: Statement;
  system?: Read<System>;
  plan?: Read<Plan>;
  rubric?: Rubric;
  label?: Read<Label> & { bytes: Uint8Array };
  suites?: ReadonlyMap<string, SuiteFacts>;
  indexes?: ReadonlyMap<string, readonly SampleEntry[]>;
  evidence?: Walked;
  evidenceDigest?: Promise<string>;
  root?: string;
  leaves: number;
  recounted?: Recount;
  /** Where the evidence leaves the plan's committed order. */
  departure?: Failure;
  /** Where the surplus holds an attempt at a counted answer. */
  hidden?: string;
  given: ReadonlyMap<string, Signed>;
  /** Audits of training data that were enclosed when the label was made. */
  givenAudits: readonly Signed[];
  statements: readonly StatementFinding[];
  lackingForV4: readonly string[];
}

/** What an earlier step has established. */
export function established<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("a step ran before the one that it needs");
  return value;
}

/** End a step: the label does not follow from the evidence, which keeps it below V2. */
export function doesNotFollow(state: State, message: string, where: string): never {
  state.shortOf.set("V2", message);
  throw checkFailed(message, where);
}
