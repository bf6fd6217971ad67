// What a plan, suites, findings and the time must be before a label can follow: steps 6, 9 and 10 without their order.
import type { Measure, Rubric } from "../decision/claims.ts";
import { fractionOfDecimal } from "../decision/exact.ts";
import { type Failure, checkFailed, limitExceeded, malformed, quote, sealError } from "../errors.ts";
import { compareByCodePoints } from "../records/bytes.ts";
import type { Card, MeasurePlan, Plan, SampleEntry, StatementDocument, Stream, System } from "../records/documents.ts";
import { isMap, Numeral, parseYaml, type Yaml, type YamlMap } from "../records/yaml.ts";
import type { Signed } from "./attestation.ts";
import { type Audit, isDeclaration } from "./audit.ts";
import { type Container, readDocument } from "./container.ts";
import { ATTESTATION, MAX_SUITE_FILE_BYTES, MAX_SUITE_FILES_BYTES, PLAN, SUITES, suiteFiles } from "./layout.ts";
import { DAY_MS, parseTime, writeDay } from "./moments.ts";

const MAX_EPOCHS = 10_000;
const MAX_STRATA = 1_000;
const MAX_DETECTORS = 1_000;
const MAX_CLUSTERS = 1_000;
const WEIGHT = /^[0-9]{1,12}(?:\.[0-9]{1,24})?(?:[eE]-?[0-9]{1,2})?$/;
/** Events that are judgements: a detector of them is never exact. */
const JUDGED_EVENTS = new Set(["harmful", "refused"]);

const nameOf = (card: Card): string => `${card.id}@${card.version}`;
export const rubricName = (rubric: Rubric): string => `${rubric.reference.id}@${rubric.reference.version}`;

// -- the plan against itself, the rubric and the system ---------------------------------------------

function checkStream(stream: Stream, where: string): void {
  if (!(stream.limit >= 1 && stream.limit <= stream.samples)) {
    throw sealError(`${stream.limit} of ${stream.samples} samples cannot be asked`, where);
  }
  if (!(stream.epochs >= 1 && stream.epochs <= MAX_EPOCHS)) {
    throw sealError(`${stream.epochs} epochs cannot be asked`, where);
  }
  if (new Set(stream.detectors).size !== stream.detectors.length) throw sealError("one detector is applied twice", where);
  if (stream.strata.size > MAX_STRATA) throw sealError(`more than ${MAX_STRATA} strata`, where);
  for (const [stratum, weight] of stream.strata) {
    if (!WEIGHT.test(weight) || fractionOfDecimal(weight).top === 0n) {
      throw sealError(`stratum ${quote(stratum)} has a weight that is no positive decimal`, where);
    }
  }
}

const isZero = (value: unknown): boolean => /^[+.-]*0[0.+-]*$/.test(String(value));

function checkClaims(plan: Plan, rubric: Rubric, system: System): void {
  if (rubric.useCases.length > 0 && !rubric.useCases.includes(system.use_case)) {
    throw sealError(`${rubricName(rubric)} is not for the use case ${quote(system.use_case)}`, `${PLAN} $.system_sha256`);
  }
  if (!plan.fixed_outcomes || system.identity === "recorded") return;
  const place = `${PLAN} $.fixed_outcomes`;
  if (system.identity !== "weights" || !isZero(system.params.get("temperature") ?? "0")) {
    throw sealError("outcomes are fixed only where answers are recorded or decoded greedily", place);
  }
  if (plan.streams.some((stream) => stream.epochs > 1)) {
    throw sealError("outcomes are fixed, so repeating a question adds no evidence", place);
  }
}

function checkCard(card: Card, where: string): void {
  if (card.exact && JUDGED_EVENTS.has(card.event)) {
    throw sealError(`${nameOf(card)} calls itself exact, and whether an answer is ${card.event} is a judgement`, where);
  }
  for (const errors of card.errors) {
    const fits =
      errors.true_positives >= 0 &&
      errors.true_positives <= errors.positives &&
      errors.true_negatives >= 0 &&
      errors.true_negatives <= errors.negatives;
    if (!fits) throw sealError(`the measured errors of ${nameOf(card)} cannot be`, where);
  }
}

function checkCards(plan: Plan): void {
  const where = `${PLAN} $.detectors`;
  const names = new Set(plan.detectors.map(nameOf));
  if (plan.detectors.length > MAX_DETECTORS) throw sealError(`more than ${MAX_DETECTORS} detectors`, where);
  if (names.size !== plan.detectors.length) throw sealError("two detectors have one name", where);
  plan.detectors.forEach((card, index) => checkCard(card, `${where}[${index}]`));
  const unknown = plan.streams.flatMap((s) => s.detectors).filter((name) => !names.has(name));
  const first = unknown.sort(compareByCodePoints)[0];
  if (first !== undefined) throw sealError(`no card says what ${quote(first.slice(0, 80))} finds`, where);
}

function checkReferences(plan: Plan): void {
  const where = `${PLAN} $.references`;
  if (new Set(plan.references.map(({ tally }) => tally.measure)).size !== plan.references.length) {
    throw sealError("a measure has two references", where);
  }
  for (const { tally } of plan.references) {
    if (tally.clusters.length > MAX_CLUSTERS) {
      throw sealError(`the reference counts of ${tally.measure} are beyond what is compared`, where);
    }
  }
}

function checkDetector(planned: MeasurePlan, stream: Stream, plan: Plan, where: string): void {
  const card = plan.detectors.find((other) => nameOf(other) === planned.detector);
  if (card === undefined || !stream.detectors.includes(planned.detector)) {
    throw sealError(`${planned.id} needs ${planned.detector}, which the plan does not apply`, where);
  }
  if (card.event !== planned.event) {
    throw sealError(`${planned.detector} finds ${quote(card.event)}, not ${quote(planned.event)}`, where);
  }
}

/** True if a rubric's suite reference (`id`, `id@major` or `id@version`) means the suite named `id@version`. */
function isMeant(reference: string, name: string): boolean {
  const split = (text: string): [string, string] => {
    const at = text.indexOf("@");
    return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
  };
  const [id, version] = split(reference);
  const [ownId, own] = split(name);
  return id === ownId && (version === "" || own === version || own.split(".")[0] === version);
}

const isSameFilter = (a: ReadonlyMap<string, readonly string[]>, b: ReadonlyMap<string, readonly string[]>): boolean =>
  a.size === b.size &&
  [...a].every(([tag, values]) => {
    const other = b.get(tag);
    return other?.length === values.length && values.every((value, i) => value === other[i]);
  });

function findDeparture(planned: MeasurePlan, measure: Measure): string | undefined {
  if (planned.event !== measure.event) return "event";
  if (!isSameFilter(planned.where, measure.filter)) return "where";
  if (planned.unit !== measure.unit) return "unit";
  if (planned.population !== measure.population) return "population";
  if (planned.collapse !== measure.collapse) return "collapse";
  return planned.negate === measure.isNegated ? undefined : "negate";
}

function checkMeasure(planned: MeasurePlan, stream: Stream, rubric: Rubric, where: string): void {
  const measure = rubric.measures.get(planned.id);
  if (measure === undefined) throw sealError(`the rubric has no measure ${quote(planned.id)}`, where);
  if (!isMeant(measure.suite, planned.suite)) {
    throw sealError(`the rubric measures ${planned.id} on ${measure.suite}, not on ${planned.suite}`, where);
  }
  const bare = (digest: string): string => digest.replace(/^sha256:/, "");
  if (measure.suiteDigest !== undefined && bare(measure.suiteDigest) !== bare(stream.suite_sha256)) {
    throw sealError(`the rubric pins ${planned.suite} to another digest`, where);
  }
  if (measure.k !== undefined && measure.k !== stream.epochs) {
    throw sealError(`${planned.id} counts the best of ${measure.k} answers, the plan asks ${stream.epochs}`, where);
  }
  const departure = findDeparture(planned, measure);
  if (departure !== undefined) throw sealError(`${planned.id}: ${departure} is not the rubric's`, `${where}.${departure}`);
}

/** Check a plan against the rubric and the system it is for, and against itself. */
export function checkPlanAgainstRubric(plan: Plan, rubric: Rubric, system: System): void {
  if (!rubric.statistics.designs.includes(plan.design)) {
    throw sealError(`${rubricName(rubric)} is not decided with the ${plan.design} design`, `${PLAN} $.design`);
  }
  const streams = new Map(plan.streams.map((stream) => [stream.suite, stream]));
  if (streams.size !== plan.streams.length) throw sealError("a suite has two streams", `${PLAN} $.streams`);
  plan.streams.forEach((stream, index) => checkStream(stream, `${PLAN} $.streams[${index}]`));
  parseTime(plan.created, `${PLAN} $.created`);
  checkClaims(plan, rubric, system);
  checkCards(plan);
  checkReferences(plan);
  if (new Set(plan.measures.map(({ id }) => id)).size !== plan.measures.length) {
    throw sealError("a measure is planned twice", `${PLAN} $.measures`);
  }
  plan.measures.forEach((planned, index) => {
    const where = `${PLAN} $.measures[${index}]`;
    const stream = streams.get(planned.suite);
    if (stream === undefined) throw sealError(`${planned.id} is measured on a suite that is not asked`, where);
    checkDetector(planned, stream, plan, where);
    checkMeasure(planned, stream, rubric, where);
  });
}

// -- suites --------------------------------------------------------------------------------------------

/** What a suite file says that decides what is counted. */
export interface SuiteFacts {
  name: string;
  language: string;
  strata: ReadonlyMap<string, string>;
  hasFamilies: boolean;
  hasStrata: boolean;
  tags: ReadonlySet<string>;
}

function mappingOf(value: Yaml | undefined, where: string): YamlMap {
  if (!isMap(value)) throw malformed("not a suite file: keys and values are missing here", where);
  return value;
}

// A value inside a text: numbers as exact decimals are written, the rest by the words of the first implementation.
function wordOf(value: Yaml | undefined): string {
  if (value instanceof Numeral) return value.plain;
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  return typeof value === "string" ? value : "a list or a mapping";
}

function readFacts(document: Yaml, where: string): SuiteFacts {
  const root = mappingOf(document, `${where} $`);
  const fields = mappingOf(root.get("fields"), `${where} $.fields`);
  const strata = mappingOf(root.get("strata") === undefined ? new Map() : root.get("strata"), `${where} $.strata`);
  const tags = fields.get("tags") === undefined ? new Map() : fields.get("tags");
  return {
    name: `${wordOf(root.get("id"))}@${wordOf(root.get("version"))}`,
    language: root.has("language") ? wordOf(root.get("language")) : "en",
    strata: new Map([...strata].map(([name, weight]) => [name, wordOf(weight)])),
    hasFamilies: (fields.get("family") ?? null) !== null,
    hasStrata: (fields.get("stratum") ?? null) !== null,
    tags: new Set(mappingOf(tags, `${where} $.fields.tags`).keys()),
  };
}

const areSameTexts = (a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean =>
  a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);

/** The facts of every stream's suite file, once the plan is found to say nothing else. */
export async function readSuiteFiles(container: Container, plan: Plan): Promise<Map<string, SuiteFacts>> {
  const paths = new Map(plan.streams.map((stream) => [stream.suite, suiteFiles(stream.suite).manifest]));
  const total = [...paths.values()].reduce((sum, path) => sum + (container.sizes.get(path) ?? 0), 0);
  if (total > MAX_SUITE_FILES_BYTES) {
    throw limitExceeded(`suite files of more than ${MAX_SUITE_FILES_BYTES} bytes together`, SUITES);
  }
  const suites = new Map<string, SuiteFacts>();
  for (const [number, stream] of plan.streams.entries()) {
    const path = paths.get(stream.suite) as string;
    const facts = readFacts(parseYaml(await readDocument(container, path), path, MAX_SUITE_FILE_BYTES), path);
    suites.set(stream.suite, facts);
    const where = `${PLAN} $.streams[${number}]`;
    if (facts.name !== stream.suite) throw sealError(`the plan calls ${facts.name} ${stream.suite}`, where);
    if (!areSameTexts(facts.strata, stream.strata)) {
      throw sealError(`the plan weighs the strata of ${stream.suite} otherwise than it does`, where);
    }
  }
  plan.measures.forEach((measure, number) => {
    const spoken = (suites.get(measure.suite) as SuiteFacts).language;
    const planned = measure.language ?? "en";
    if (planned !== spoken) {
      throw sealError(
        `${measure.id}: ${measure.suite} is in ${quote(spoken)}, not in ${quote(planned)}`,
        `${PLAN} $.measures[${number}].language`,
      );
    }
  });
  return suites;
}

function findInvented(entry: SampleEntry, suite: SuiteFacts): string | undefined {
  if (entry.family !== "" && !suite.hasFamilies) return "a family";
  if (entry.stratum !== "" && !suite.hasStrata) return "a stratum";
  const tag = [...entry.tags.keys()].find((name) => !suite.tags.has(name));
  return tag === undefined ? undefined : `a tag ${quote([...tag].slice(0, 60).join(""))}`;
}

/** Check a suite's index against its stream, and that it states only facts that the suite reads from its data. */
export function checkIndex(stream: Stream, entries: readonly SampleEntry[], suite: SuiteFacts): void {
  const path = suiteFiles(stream.suite).index;
  if (entries.length !== stream.samples) {
    throw sealError(`the index of ${stream.suite} does not have the planned samples`, path);
  }
  for (const entry of stream.strata.size > 0 ? entries : []) {
    if (!stream.strata.has(entry.stratum)) {
      throw malformed(`sample ${quote(entry.id)} is of a stratum without a weight`, path);
    }
  }
  entries.forEach((entry, index) => {
    const invented = findInvented(entry, suite);
    if (invented === undefined) return;
    const id = quote([...entry.id].slice(0, 60).join(""));
    throw sealError(`sample ${id} has ${invented}, which its suite does not read`, `${path}:${index + 1}`);
  });
}

// -- findings and time ---------------------------------------------------------------------------------

/** Why a finding does not count for a rubric and a system at a moment, or undefined where it does. */
export function objectionToFinding(signed: Signed, rubric: Rubric, system: string, moment: number): string | undefined {
  const { predicate, about, issued } = signed.attestation;
  if (predicate.kind !== "finding") throw malformed(`a ${predicate.kind} where a finding belongs`, signed.fileName);
  const finding = predicate.value;
  const asked = rubric.attestations.get(finding.name);
  if (asked === undefined) return `the rubric ${rubricName(rubric)} does not ask for ${quote(finding.name)}`;
  if (finding.role !== asked.role) {
    return `it is signed as ${quote(finding.role)}, the rubric asks for ${quote(asked.role)}`;
  }
  if (about !== system) return "it is about another system";
  if (moment < issued) return `it is signed only on ${writeDay(issued)}`;
  let until = parseTime(finding.valid_until, signed.fileName);
  if (asked.maxAgeDays !== undefined) until = Math.min(until, issued + asked.maxAgeDays * DAY_MS);
  return moment >= until ? `it expired on ${writeDay(until)}` : undefined;
}

/** Why an audit says nothing of a system at a moment, or undefined where it does. */
export function objectionToAudit(signed: Signed, audit: Audit, system: string, moment: number): string | undefined {
  if (!isDeclaration(audit)) return "it is about a data set, and does not say that the system was trained on it";
  if (signed.attestation.about !== system) return "it is about another system";
  return objectionToTerm(signed, audit.valid_until, moment);
}

/** Why a statement that ends is not in force at a moment, or undefined where it is. */
export function objectionToTerm({ attestation, fileName }: Signed, validUntil: string, moment: number): string | undefined {
  if (moment < attestation.issued) return `it is signed only on ${writeDay(attestation.issued)}`;
  const until = parseTime(validUntil, fileName);
  return moment >= until ? `it expired on ${writeDay(until)}` : undefined;
}

/** Why a label is not in force; `flag` is the word for it, where it is a matter of the reader's time. */
export interface Objection {
  why: string;
  flag?: "expired" | "not_yet_valid";
  hint?: string;
  where: string;
}

export const errorOf = (objection: Objection): Failure =>
  checkFailed(`the label is not in force: ${objection.why}`, objection.where, objection.hint);

function findInPlan(issued: number, plan: Plan, days: number): Objection | undefined {
  const where = `${PLAN} $.created`;
  const planned = parseTime(plan.created, where);
  if (planned > issued) {
    return { why: `it was signed on ${writeDay(issued)}, before its plan was made`, hint: "check the clock", where };
  }
  if (issued - planned > days * DAY_MS) {
    const why = `its plan was older than the ${days} days of its rubric when it was signed`;
    return { why, hint: "evaluate again: `verilabel label`", where };
  }
  return undefined;
}

/** The first reason why a label does not count at a moment, or undefined. */
export function findObjection(
  predicate: StatementDocument["predicate"],
  plan: Plan,
  rubric: Rubric,
  now: number,
): Objection | undefined {
  const where = ATTESTATION;
  const issued = parseTime(predicate.issued, where);
  const until = parseTime(predicate.valid_until, where);
  const days = rubric.validityDays;
  if (until - issued > days * DAY_MS) return { why: `it is signed for longer than the ${days} days of its rubric`, where };
  if (rubric.sunset !== undefined && until > Date.parse(`${rubric.sunset}T00:00:00Z`)) {
    return { why: `it is signed beyond ${rubric.sunset}, when its rubric goes out of use`, where };
  }
  if (now >= until) {
    const hint = "evaluate again: `verilabel label`";
    return { why: `it expired on ${writeDay(until)}`, flag: "expired", hint, where };
  }
  if (now < issued) {
    const why = `it is valid only from ${writeDay(issued)}`;
    return { why, flag: "not_yet_valid", hint: "check this machine's clock", where };
  }
  return findInPlan(issued, plan, days);
}
