// Steps 6 to 10: plan, evidence, counts and label follow from each other, and the label is in force.
import type { Counted } from "../decision/claims.ts";
import { decide, type LabelDocument, sentenceOf } from "../decision/decide.ts";
import { Refusal } from "../decision/refusal.ts";
import { checkFailed, Failure, limitExceeded, malformed, quote, sealError, Skipped } from "../errors.ts";
import { parseSigned, type Signed } from "../evidence/attestation.ts";
import {
  checkIndex,
  checkPlanAgainstRubric,
  errorOf,
  findObjection,
  objectionToFinding,
  readSuiteFiles,
} from "../evidence/checks.ts";
import { readDocument } from "../evidence/container.ts";
import { Recount } from "../evidence/counting.ts";
import * as layout from "../evidence/layout.ts";
import { type AttemptLine, type EvidenceLine, walkLines } from "../evidence/lines.ts";
import { Frontier } from "../evidence/merkle.ts";
import { parseTime, writeDay } from "../evidence/moments.ts";
import { measuresBytes } from "../evidence/results.ts";
import { parseIndex } from "../evidence/suite_index.ts";
import { areEqual, digestOfBytes, hexOf } from "../records/bytes.ts";
import type { MeasurePlan, Plan, PlannedReference, SampleEntry, Tally } from "../records/documents.ts";
import { canonicalBytes, canonicalText } from "../records/json.ts";
import { doesNotFollow, established, type State } from "./state.ts";
import type { Verification } from "./verification.ts";

// -- 6 --------------------------------------------------------------------------------------------------

export async function checkPlan(state: State): Promise<string> {
  const plan = established(state.plan).value;
  const system = established(state.system);
  const rubric = established(state.rubric);
  if (plan.system_sha256 !== system.digest) throw sealError("the plan is for another system", layout.PLAN);
  if (canonicalText(plan.rubric) !== canonicalText(rubric.reference)) {
    throw sealError("the plan is for another rubric", layout.PLAN);
  }
  checkPlanAgainstRubric(plan, rubric, system.value);
  for (const stream of plan.streams) {
    const { manifest, index } = layout.suiteFiles(stream.suite);
    if (digestOfBytes(await readDocument(state.container, manifest)) !== stream.suite_sha256) {
      throw sealError(`suite ${stream.suite} is not the planned one`, manifest);
    }
    if (digestOfBytes(await readDocument(state.container, index)) !== stream.index_sha256) {
      throw sealError(`the index of ${stream.suite} is not the planned one`, index);
    }
  }
  state.suites = await readSuiteFiles(state.container, plan);
  return `${plan.design} design, ${plan.streams.length} suites, ${plan.measures.length} measures`;
}

// -- 7 --------------------------------------------------------------------------------------------------

async function readIndexes(state: State, plan: Plan): Promise<Map<string, SampleEntry[]>> {
  const indexes = new Map<string, SampleEntry[]>();
  for (const { suite } of plan.streams) {
    const path = layout.suiteFiles(suite).index;
    indexes.set(suite, parseIndex(await readDocument(state.container, path), path));
  }
  for (const stream of plan.streams) {
    const facts = established(established(state.suites).get(stream.suite));
    checkIndex(stream, indexes.get(stream.suite) as SampleEntry[], facts);
  }
  return indexes;
}

async function walkEvidence(state: State): Promise<EvidenceLine[]> {
  const frontier = new Frontier();
  const walked = await walkLines(state.container, layout.EVIDENCE, {
    onLeaf: (hash) => frontier.add(hash),
    onProgress: (share) => state.progress(7, share),
  });
  const odd = walked.lines.findIndex((line) => line.kind === "observation");
  if (odd >= 0) throw malformed("an observation among the evidence", `${layout.EVIDENCE}:${odd + 1}`);
  state.evidence = walked;
  state.leaves = frontier.size;
  state.root = `sha256:${hexOf(frontier.root())}`;
  return walked.lines as EvidenceLine[];
}

export async function checkEvidence(state: State): Promise<string> {
  const plan = established(state.plan).value;
  const manifest = established(state.manifest);
  const indexes = await readIndexes(state, plan);
  state.indexes = indexes;
  const lines = await walkEvidence(state);
  const recounted = new Recount(plan, indexes, lines);
  try {
    recounted.walk();
    state.recounted = recounted;
  } catch (error) {
    // step 8's finding; first it must be known whether the lines are the signed ones
    if (!(error instanceof Failure && error.kind === "SealError")) throw error;
    state.departure = error;
  }
  const listed = manifest.entries.find(({ path }) => path === layout.EVIDENCE)?.sha256;
  if ((await state.evidenceDigest) !== listed) {
    throw sealError("the file was changed: it does not have its digest", layout.EVIDENCE);
  }
  const signed = state.statement?.predicate.evidence;
  if (signed !== undefined && (signed.root !== state.root || signed.leaves !== state.leaves)) {
    throw sealError("the evidence does not hash to the signed Merkle root", layout.EVIDENCE);
  }
  const withheld = state.recounted === undefined ? "" : await checkSurplusAndCommitments(state, state.recounted);
  return `${state.leaves} records under ${established(state.root).slice(0, 19)}...${withheld}`;
}

/** The place of the first surplus attempt whose sample and epoch are counted, and the surplus's commitments. */
async function walkSurplus(state: State, recounted: Recount): Promise<string[]> {
  if (state.container.sizes.get(layout.SURPLUS) === 0) return [];
  const { lines } = await walkLines(state.container, layout.SURPLUS);
  const places = new Map(
    recounted.streams.map((s) => [s.stream.suite, { s, at: new Map(s.order.map((id, i) => [id, i])) }]),
  );
  const isCounted = (line: AttemptLine): boolean => {
    const place = places.get(line.suite);
    if (place === undefined) return false;
    const item = place.at.get(line.sample) ?? place.s.length;
    return BigInt(item) * BigInt(place.s.stream.epochs) + BigInt(line.epoch) - 1n < BigInt(place.s.consumed);
  };
  const commitments: string[] = [];
  for (const [index, line] of lines.entries()) {
    if (line.kind !== "attempt" && line.kind !== "sealed") continue;
    if (line.commitment !== undefined) commitments.push(line.commitment);
    if (state.hidden === undefined && isCounted(line)) state.hidden = `${layout.SURPLUS}:${index + 1}`;
  }
  return commitments;
}

// Commitments stand where the manifest says so, each once; in words, how many there are in the evidence.
async function checkSurplusAndCommitments(state: State, recounted: Recount): Promise<string> {
  const surplus = await walkSurplus(state, recounted);
  const counts = new Map([
    [layout.EVIDENCE, recounted.commitments.length],
    [layout.SURPLUS, surplus.length],
  ]);
  for (const entry of established(state.manifest).entries) {
    const count = counts.get(entry.path) ?? 0;
    if (entry.visibility !== (count > 0 ? "sealed" : "public")) {
      throw sealError(`the manifest calls it ${entry.visibility}, and it has ${count} commitments`, entry.path);
    }
  }
  const total = recounted.commitments.length + surplus.length;
  if (total === 0) return "";
  if (new Set([...recounted.commitments, ...surplus]).size !== total) {
    throw sealError("a commitment stands twice", layout.EVIDENCE);
  }
  state.flags.push("sealed_records");
  const count = recounted.commitments.length;
  if (count === 0) return "";
  state.shortOf.set("V2s", `${count} records are withheld: only their openings show what they hold`);
  return `, ${count} of them withheld`;
}

// -- 8 --------------------------------------------------------------------------------------------------

export async function checkRecount(state: State): Promise<string> {
  if (state.departure !== undefined) {
    const where = state.departure.where ?? layout.EVIDENCE;
    doesNotFollow(state, `the evidence does not follow the plan: ${state.departure.message}`, where);
  }
  const recounted = established(state.recounted);
  if (state.hidden !== undefined) {
    doesNotFollow(state, "an attempt at a counted answer was kept out of the count", state.hidden);
  }
  if (!areEqual(measuresBytes(recounted), await readDocument(state.container, layout.MEASURES))) {
    doesNotFollow(state, "the bundle's counts are not those of its evidence", layout.MEASURES);
  }
  for (const stream of established(state.plan).value.design === "fixed" ? recounted.streams : []) {
    if (stream.consumed === stream.length) continue;
    const stopped = `stopped ${stream.stream.suite} after ${stream.consumed} of ${stream.length} answers`;
    doesNotFollow(state, `a fixed plan ${stopped}`, layout.EVIDENCE);
  }
  if (recounted.served.size > 1) state.flags.push("served_model_varied");
  if (recounted.setAside > 0) state.flags.push("responses_set_aside");
  if (recounted.judgedAgain > 0) state.flags.push("judge_asked_again");
  const answers = recounted.streams.reduce((sum, stream) => sum + stream.consumed, 0);
  return `${answers} answers counted again in the committed order`;
}

// -- 9 --------------------------------------------------------------------------------------------------

const asRecord = (tallies: ReadonlyMap<string, Tally>): Record<string, Counted> => {
  const record = Object.create(null) as Record<string, Counted>;
  for (const [name, tally] of tallies) record[name] = tally;
  return record;
};

function deriveLabel(state: State, attested: readonly string[]): LabelDocument {
  const plan = established(state.plan).value;
  const references = new Map(plan.references.map(({ tally }) => [tally.measure, tally as Tally]));
  try {
    return decide(established(state.rubric), {
      tallies: asRecord(established(state.recounted).tallies()),
      references: asRecord(references),
      design: plan.design,
      attested,
    });
  } catch (error) {
    throw error instanceof Refusal ? malformed(error.message, layout.MEASURES) : error;
  }
}

export async function checkLabel(state: State): Promise<string> {
  const derived = deriveLabel(state, await countGiven(state));
  const sentence = sentenceOf(derived);
  if (!areEqual(canonicalBytes(derived), established(state.label).bytes)) {
    doesNotFollow(state, `the label does not follow from the evidence, which gives: ${sentence}`, layout.LABEL);
  }
  state.flags.push(...(derived.flags ?? []));
  checkReferences(state, established(state.plan).value);
  return sentence;
}

async function readGiven(state: State): Promise<[Map<string, Signed>, Signed[]]> {
  const paths = [...state.container.sizes.keys()].filter((path) => path.startsWith(layout.GIVEN));
  if (paths.length > layout.MAX_GIVEN) throw limitExceeded(`more than ${layout.MAX_GIVEN} findings`, layout.GIVEN);
  const given = new Map<string, Signed>();
  const audits: Signed[] = [];
  for (const path of paths) {
    const signed = await parseSigned(await readDocument(state.container, path), path);
    const { predicate } = signed.attestation;
    if (predicate.kind !== "finding" && predicate.kind !== "audit") {
      throw malformed(`a ${predicate.kind} where a finding belongs`, signed.fileName);
    }
    const name = predicate.kind === "audit" ? `audit-${signed.fileName}` : `${predicate.value.name}.json`;
    if (path !== layout.GIVEN + name) throw malformed("a finding lies under its own name", path, layout.GIVEN + name);
    if (predicate.kind === "audit") audits.push(signed);
    else given.set(predicate.value.name, signed);
  }
  return [given, audits];
}

/** Names of the findings that the label may lean on: about this system, as the rubric asks, by keys that count. */
async function countGiven(state: State): Promise<string[]> {
  [state.given, state.givenAudits] = await readGiven(state);
  const rubric = established(state.rubric);
  const system = established(state.system);
  const issued = state.statement?.predicate.issued;
  const moment = issued === undefined ? state.now : parseTime(issued, layout.ATTESTATION);
  for (const [name, signed] of state.given) {
    const why = objectionToFinding(signed, rubric, system.digest, moment);
    if (why !== undefined) {
      doesNotFollow(state, `the finding ${quote(name)} did not count when the label was made: ${why}`, layout.GIVEN);
    }
    if (signed.signer.keyid === state.signerKey?.keyid) state.flags.push("self_attested");
    if (state.trust === undefined) {
      state.flags.push("attestor_unpinned");
      continue;
    }
    const asked = { rubric: rubric.reference.id, system: system.value.name };
    const verdict = state.trust.accepts({ key: signed.signer, role: "attestations", ...asked });
    if (!verdict.isAccepted) {
      const message = `the finding ${quote(name)} is signed by a key that does not count: ${verdict.reason}`;
      doesNotFollow(state, message, layout.GIVEN);
    }
  }
  return [...state.given.keys()].sort();
}

function howCounted(plan: Plan, measure: string): [MeasurePlan, string | undefined] | undefined {
  const planned = plan.measures.find(({ id }) => id === measure);
  return planned && [planned, plan.streams.find(({ suite }) => suite === planned.suite)?.suite_sha256];
}

/** Why a verified bundle does not bear out a planned reference; undefined where it does. */
function findDisagreement(planned: PlannedReference, plan: Plan, found: Verification): string | undefined {
  const { measure } = planned.tally;
  if (found.level === "V0" || found.level === "V1" || found.plan === undefined) {
    return `the reference bundle for ${measure} does not verify to V2: ${found.reason}`;
  }
  if (found.systemDigest !== planned.system_sha256 || found.root !== planned.evidence_root) {
    return `the reference bundle for ${measure} is of another system or of other evidence`;
  }
  const spelled = (value: unknown): string => canonicalText(plainOf(value));
  if (spelled(howCounted(found.plan, measure)) !== spelled(howCounted(plan, measure))) {
    return `the reference bundle counts ${measure} otherwise (suite, filter, detector or unit)`;
  }
  const theirs = found.tallies.get(measure);
  if (theirs === undefined || spelled(theirs) !== spelled(planned.tally)) {
    return `the reference bundle gives other counts for ${measure}`;
  }
  return undefined;
}

// Values as they compare: a language that is left out is "en".
function plainOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainOf);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, plainOf(item)]));
  if (typeof value !== "object" || value === null) return value ?? null;
  const entries = Object.entries(value).map(([key, item]) => [key, plainOf(key === "language" ? (item ?? "en") : item)]);
  return Object.fromEntries(entries);
}

function checkReferences(state: State, plan: Plan): void {
  for (const planned of plan.references) {
    const { measure } = planned.tally;
    const reference = state.references.find(({ manifestDigest }) => manifestDigest === planned.manifest_sha256);
    if (reference === undefined) {
      state.flags.push("reference_not_recomputed");
      const why = `the counts of the reference system for ${measure} are in another bundle; pass it too`;
      state.shortOf.set("V2", why);
      continue;
    }
    const disagreement = findDisagreement(planned, plan, reference);
    if (disagreement !== undefined) doesNotFollow(state, disagreement, layout.PLAN);
  }
}

// -- 10 -------------------------------------------------------------------------------------------------

export async function checkValidity(state: State): Promise<string> {
  const plan = established(state.plan).value;
  const system = established(state.system);
  const rubric = established(state.rubric);
  state.flags.push(`identity:${system.value.identity}`);
  if (plan.imported !== null) state.flags.push("imported");
  if (state.statement === undefined) throw new Skipped("unsigned labels have no validity");
  const { predicate } = state.statement;
  const objection = findObjection(predicate, plan, rubric, state.now);
  if (objection !== undefined) {
    state.shortOf.set("V1", objection.why);
    if (objection.flag !== undefined) state.flags.push(objection.flag);
    throw errorOf(objection);
  }
  for (const [name, signed] of state.given) {
    const found = objectionToFinding(signed, rubric, system.digest, state.now);
    if (found === undefined) continue;
    const why = `the finding ${quote(name)} that it leans on does not count any more: ${found}`;
    state.shortOf.set("V1", why);
    throw checkFailed(`the label is not in force: ${why}`, layout.GIVEN);
  }
  state.flags.push("current");
  return `in force until ${writeDay(parseTime(predicate.valid_until, layout.ATTESTATION))}`;
}
