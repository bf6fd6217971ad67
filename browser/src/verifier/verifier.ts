// Checks a bundle as if it were hostile, in numbered steps; the level is what the steps allow.
//
//  1. container   plain files under plain names, nothing else; a zip in its one canonical form
//  2. manifest    exactly the listed files, each in its size and digest
//  3. signature   a DSSE envelope, verified before it is parsed, by a key that the trust policy accepts
//  4. statement   it speaks of this system, plan, rubric and manifest, and names the key that signed
//  5. log         plan and statement are in one log, the plan first, under checkpoints that are consistent
//  6. plan        it is for this system and this rubric, on these suites, in one order that its seed fixes
//  7. evidence    every line is canonical, and the lines hash to the signed Merkle root
//  8. recount     the lines are the plan's committed prefix, and counting them gives the bundle's counts
//  9. label       the rubric applied to those counts gives the bundle's label, byte for byte
// 10. validity    the label is in force at the time of reading
// 11. statements  what others signed about it is genuine; what counts of it is named
//
// The catalogue of suites and detectors that comes with the program is not here: the flags suite_unknown,
// detector_unknown and errors_stated are for the command line.
import { Failure, Skipped } from "../errors.ts";
import type { Signed } from "../evidence/attestation.ts";
import { type Container, type Opening, openContainer } from "../evidence/container.ts";
import type { TrustPolicy } from "../evidence/trust.ts";
import { checkEvidence, checkLabel, checkPlan, checkRecount, checkValidity } from "./derivation.ts";
import { checkLog, checkManifest, checkSignature, checkStatement } from "./seals.ts";
import type { Progress, State } from "./state.ts";
import { checkStatements } from "./statements.ts";
import { LEVEL_NAMES, levelOf, type Step, type Verification, writeSentence } from "./verification.ts";

export const STEPS = [
  "container",
  "manifest",
  "signature",
  "statement",
  "log",
  "plan",
  "evidence",
  "recount",
  "label",
  "validity",
  "statements",
] as const;

const CHECKS = [
  checkManifest,
  checkSignature,
  checkStatement,
  checkLog,
  checkPlan,
  checkEvidence,
  checkRecount,
  checkLabel,
  checkValidity,
  checkStatements,
];

declare const BUNDLED_RUBRICS: Readonly<Record<string, string>>;

/** What a reader brings to a verification beside the bundle. */
export interface Options {
  /** The moment of reading, in milliseconds since 1970. */
  now: number;
  trust?: TrustPolicy | undefined;
  references?: readonly Verification[];
  beside?: readonly Signed[];
  progress?: Progress;
  onStep?: (step: Step) => void;
}

/** A finished verification, and the state that the records behind a row are read from. */
export interface Verified {
  verification: Verification;
  state: State | undefined;
}

class Run {
  readonly steps: Step[] = [];
  failure: Failure | undefined;

  constructor(private readonly onStep: ((step: Step) => void) | undefined) {}

  note(number: number, outcome: Step["outcome"], detail = ""): void {
    const step = { number, name: STEPS[number - 1] as string, outcome, detail };
    this.steps.push(step);
    this.onStep?.(step);
  }

  fail(number: number, error: unknown): void {
    if (!(error instanceof Failure)) throw error;
    this.note(number, "failed", error.message);
    const message = `step ${number} (${STEPS[number - 1]}): ${error.message}`;
    this.failure = new Failure(error.kind, message, error.where, error.hint);
  }

  finish(): void {
    for (let number = this.steps.length + 1; number <= STEPS.length; number += 1) this.note(number, "not_reached");
  }
}

async function runSteps(state: State, run: Run): Promise<void> {
  for (const [index, check] of CHECKS.entries()) {
    const number = index + 2;
    state.progress(number);
    try {
      run.note(number, "passed", await check(state));
    } catch (error) {
      if (error instanceof Skipped) {
        run.note(number, "skipped", error.message);
        continue;
      }
      run.fail(number, error);
      await noteStanding(state, number);
      return;
    }
  }
}

// What the last steps say where an earlier one of the label failed; each on its own, and none is passed by that. V1 needs
// them too: a label that does not follow and has expired or was withdrawn is V0.
async function noteStanding(state: State, failed: number): Promise<void> {
  const checks = failed < 8 ? [] : failed < 10 ? [checkValidity, checkStatements] : failed === 10 ? [checkStatements] : [];
  for (const check of checks) {
    try {
      await check(state);
    } catch (error) {
      if (!(error instanceof Failure || error instanceof Skipped)) throw error;
    }
  }
}

function newState(container: Container, options: Options): State {
  return {
    container,
    trust: options.trust,
    now: options.now,
    references: options.references ?? [],
    beside: options.beside ?? [],
    bundledRubrics: BUNDLED_RUBRICS,
    progress: options.progress ?? (() => undefined),
    flags: [],
    shortOf: new Map(),
    leaves: 0,
    given: new Map(),
    givenAudits: [],
    statements: [],
    lackingForV4: [],
  };
}

function conclude(state: State | undefined, run: Run): Verification {
  const failure = run.failure;
  const [level, reason] = state ? levelOf(run.steps, state.shortOf, failure?.toString()) : ["V0" as const, String(failure)];
  const predicate = state?.statement?.predicate;
  const found = {
    level,
    levelName: `${level} ${LEVEL_NAMES[level]}`,
    reason,
    steps: run.steps,
    flags: [...new Set(state?.flags ?? [])],
    label: state?.label?.value,
    system: state?.system?.value,
    systemDigest: state?.system?.digest,
    plan: state?.plan?.value,
    signer: state?.signer,
    keyid: state?.signerKey?.keyid,
    issued: predicate?.issued,
    validUntil: predicate?.valid_until,
    root: state?.root,
    leaves: state?.leaves ?? 0,
    tallies: state?.recounted?.tallies() ?? new Map(),
    manifestDigest: state?.manifest?.digest,
    statementDigest: state?.statement?.digest,
    statements: state?.statements ?? [],
    lackingForV4: state?.lackingForV4 ?? [],
    failure: failure && { kind: failure.kind, message: failure.message, where: failure.where, hint: failure.hint },
  };
  return { ...found, sentence: writeSentence(found) };
}

/** Verify a bundle: a finding, never an exception for what is wrong inside it. */
export async function verifyBundle(opening: Opening, options: Options): Promise<Verified> {
  const run = new Run(options.onStep);
  let state: State | undefined;
  try {
    options.progress?.(1);
    const container = await openContainer(opening);
    state = newState(container, options);
    run.note(1, "passed", `${container.sizes.size} files`);
  } catch (error) {
    run.fail(1, error);
  }
  if (state !== undefined) await runSteps(state, run);
  run.finish();
  return { verification: conclude(state, run), state };
}
