// From evidence lines to counts.
//
// 1. Answers are counted in the plan's committed order; what is counted is always a prefix of it.
// 2. An answer that is missing, or that the detector could not score, stays in the denominator as missing.
// 3. Repeated epochs collapse to the item (any or all, as the plan says) before counting.
// 4. A family counts when all of its planned answers are in; its answers are never counted as independent items.
// 5. An answer is withheld whole or not at all, and never one of a suite's first five.
import { quote, sealError } from "../errors.ts";
import { compareByCodePoints, digestOfBytes, encodeText } from "../records/bytes.ts";
import {
  type Card,
  type MeasuredErrors,
  type MeasurePlan,
  type Plan,
  type SampleEntry,
  type Stream,
  type Tally,
  unitOf,
} from "../records/documents.ts";
import { EVIDENCE, OPEN_ANSWERS } from "./layout.ts";
import type { AttemptLine, EvidenceLine, ScoreLine } from "./lines.ts";
import { orderIds } from "./order.ts";
import { contradictionOf } from "./sealed.ts";

/** Failures that say something of the sample and nothing of the model's being there. */
const FINAL_KINDS = new Set(["filtered", "missing", "empty", "too_large"]);

/** What a detector found of an answer; undefined where the answer is missing. */
export type Value = boolean | undefined;

/** One counted answer, with the numbers of its lines in the evidence (from 0). */
export interface Answer {
  sample: string;
  epoch: number;
  firstLine: number;
  endLine: number;
  isWithheld: boolean;
  findings: ReadonlyMap<string, Value>;
}

const increase = (counts: Map<string, number>, key: string): void => {
  counts.set(key, (counts.get(key) ?? 0) + 1);
};

function collapse(findings: readonly Value[], how: "any" | "all"): Value {
  const decisive = how === "any";
  if (findings.includes(decisive)) return decisive;
  return findings.includes(undefined) ? undefined : !decisive;
}

/** The counts of every measurement in one language added up; null where there is none. */
function poolErrors(card: Card, language: string | undefined): MeasuredErrors | null {
  const mine = card.errors.filter((errors) => (errors.language ?? "en") === (language ?? "en"));
  const [first] = mine;
  if (first === undefined) return null;
  if (mine.length === 1) return first;
  const sum = (name: "true_positives" | "positives" | "true_negatives" | "negatives"): number =>
    mine.reduce((total, errors) => total + errors[name], 0);
  const digests = mine.map((errors) => errors.dataset_sha256).sort(compareByCodePoints);
  return {
    true_positives: sum("true_positives"),
    positives: sum("positives"),
    true_negatives: sum("true_negatives"),
    negatives: sum("negatives"),
    dataset: mine.map((errors) => errors.dataset).join(" + "),
    dataset_sha256: digestOfBytes(encodeText(digests.join(""))),
    language,
    method: "pooled",
  };
}

function errorsAsCounted(card: Card, measure: MeasurePlan): MeasuredErrors | null {
  const errors = poolErrors(card, measure.language);
  if (errors === null || !measure.negate) return errors;
  return {
    ...errors,
    true_positives: errors.true_negatives,
    positives: errors.negatives,
    true_negatives: errors.true_positives,
    negatives: errors.positives,
  };
}

/** Counts one measure, answer by answer, in the committed order. */
export class MeasureCounter {
  private readonly counted: ReadonlySet<string>;
  private readonly familySizes = new Map<string, number>();
  private readonly open = new Map<string, Value[]>();
  private readonly clusters = new Map<string, [number, number, number, number]>();
  private readonly planned: number;
  private readonly pool: number | null;
  private readonly errors: MeasuredErrors | null;
  private epochFindings: Value[] = [];
  private n = 0;
  private events = 0;
  private missing = 0;

  constructor(
    readonly measure: MeasurePlan,
    private readonly stream: Stream,
    order: readonly string[],
    index: ReadonlyMap<string, SampleEntry>,
    private readonly card: Card,
    isFixed: boolean,
  ) {
    const matches = (entry: SampleEntry): boolean =>
      [...measure.where].every(([tag, values]) => values.includes(entry.tags.get(tag) as string));
    this.counted = new Set([...index.values()].filter(matches).map((entry) => entry.id));
    const planned = order.slice(0, stream.limit).filter((id) => this.counted.has(id));
    this.planned = this.countPlanned(planned, order, index);
    const isPooled = isFixed && measure.population === "items_fixed" && measure.unit === "item";
    this.pool = isPooled ? this.counted.size : null;
    this.errors = errorsAsCounted(card, measure);
  }

  private countPlanned(planned: readonly string[], order: readonly string[], index: ReadonlyMap<string, SampleEntry>): number {
    if (this.measure.unit === "trial") return planned.length * this.stream.epochs;
    if (this.measure.unit === "item") return planned.length;
    const started = new Map<string, number>();
    const familyOf = (id: string): string => unitOf(index.get(id) as SampleEntry);
    for (const id of order) if (this.counted.has(id)) increase(this.familySizes, familyOf(id));
    for (const id of planned) increase(started, familyOf(id));
    return [...started].reduce((sum, [unit, size]) => sum + (size === this.familySizes.get(unit) ? size : 0), 0);
  }

  counts(sample: string): boolean {
    return this.counted.has(sample);
  }

  /** The value as the measure counts it: the event, or its absence. */
  eventOf(value: Value): Value {
    return value === undefined ? undefined : value !== this.measure.negate;
  }

  add(entry: SampleEntry, value: Value): void {
    const event = this.eventOf(value);
    if (this.measure.unit === "trial") {
      this.count(event);
      return;
    }
    let item = event;
    if (this.stream.epochs > 1) {
      this.epochFindings.push(event);
      if (this.epochFindings.length < this.stream.epochs) return;
      item = collapse(this.epochFindings, this.measure.collapse);
      this.epochFindings = [];
    }
    if (this.measure.unit === "item") this.count(item);
    else this.addMember(unitOf(entry), item);
  }

  private count(event: Value): void {
    this.n += 1;
    if (event === undefined) this.missing += 1;
    else if (event) this.events += 1;
  }

  private addMember(unit: string, item: Value): void {
    const members = this.open.get(unit) ?? [];
    members.push(item);
    this.open.set(unit, members);
    if (members.length !== this.familySizes.get(unit)) return;
    this.open.delete(unit);
    const key = [members.filter((m) => m === true).length, members.filter((m) => m === undefined).length, members.length];
    const cluster = this.clusters.get(key.join()) ?? ([...key, 0] as [number, number, number, number]);
    cluster[3] += 1;
    this.clusters.set(key.join(), cluster);
    for (const member of members) this.count(member);
  }

  tally(): Tally {
    const clusters = [...this.clusters.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
    return {
      measure: this.measure.id,
      n: this.n,
      events: this.events,
      missing: this.missing,
      unit: this.measure.unit,
      population: this.measure.population,
      clusters,
      pool: this.pool,
      exact: this.card.exact,
      errors: this.errors,
      complement: this.measure.negate,
      n_planned: this.planned,
    };
  }
}

/** One stream's committed order, how far it has been consumed, and the measures that count it. */
export class StreamCounter {
  readonly index: ReadonlyMap<string, SampleEntry>;
  readonly order: readonly string[];
  readonly measures: readonly MeasureCounter[];
  readonly events: ReadonlyMap<string, string>;
  /** Answers that the plan allows. */
  readonly length: number;
  readonly answers: Answer[] = [];

  constructor(
    plan: Plan,
    readonly stream: Stream,
    entries: readonly SampleEntry[],
  ) {
    const cardOf = (name: string): Card => plan.detectors.find((card) => `${card.id}@${card.version}` === name) as Card;
    this.events = new Map(stream.detectors.map((name) => [name, cardOf(name).event]));
    this.index = new Map(entries.map((entry) => [entry.id, entry]));
    this.order = orderIds(plan.seed, stream.suite, entries, stream.strata);
    this.measures = plan.measures
      .filter((measure) => measure.suite === stream.suite)
      .map((m) => new MeasureCounter(m, stream, this.order, this.index, cardOf(m.detector), plan.fixed_outcomes));
    this.length = Math.min(stream.limit, this.order.length) * stream.epochs;
  }

  get consumed(): number {
    return this.answers.length;
  }

  /** Sample id and epoch of the next answer in the committed order; undefined where the plan allows no more. */
  expected(): { sample: string; epoch: number } | undefined {
    if (this.consumed >= this.length) return undefined;
    const epochs = this.stream.epochs;
    return {
      sample: this.order[Math.floor(this.consumed / epochs)] as string,
      epoch: (this.consumed % epochs) + 1,
    };
  }

  consume(answer: Answer): void {
    this.answers.push(answer);
    const entry = this.index.get(answer.sample) as SampleEntry;
    for (const measure of this.measures) {
      if (measure.counts(answer.sample)) measure.add(entry, answer.findings.get(measure.measure.detector));
    }
  }
}

/** A walk over evidence: it must be the plan's committed prefix in order, and is counted as it goes. */
export class Recount {
  readonly streams: readonly StreamCounter[];
  readonly commitments: string[] = [];
  readonly served = new Map<string, { model: string; fingerprint: string; answers: number }>();
  readonly failures = new Map<string, number>();
  requests = 0;
  judgeRequests = 0;
  inputTokens = 0n;
  outputTokens = 0n;
  setAside = 0;
  judgedAgain = 0;
  withheld = 0;
  private readonly exact: ReadonlySet<string>;
  private at = 0;
  private answerIsWithheld = false;

  constructor(
    plan: Plan,
    indexes: ReadonlyMap<string, readonly SampleEntry[]>,
    private readonly lines: readonly EvidenceLine[],
  ) {
    this.streams = plan.streams.map((s) => new StreamCounter(plan, s, indexes.get(s.suite) as SampleEntry[]));
    this.exact = new Set(plan.detectors.filter((card) => card.exact).map((card) => `${card.id}@${card.version}`));
  }

  /** Count every line. Throws a SealError naming the line where the evidence leaves the plan. */
  walk(): void {
    this.noteCommitment();
    for (const stream of this.streams) while (this.line?.suite === stream.stream.suite) this.consumeAnswer(stream);
    if (this.line !== undefined) {
      throw sealError(`a record of suite ${quote(this.line.suite)} stands where the plan's order has none`, this.where);
    }
  }

  tallies(): Map<string, Tally> {
    return new Map(this.streams.flatMap((s) => s.measures.map((m) => [m.measure.id, m.tally()] as const)));
  }

  private get line(): EvidenceLine | undefined {
    return this.lines[this.at];
  }

  private get where(): string {
    return `${EVIDENCE}:${this.at + 1}`;
  }

  private get isWithheld(): boolean {
    return this.line?.kind === "sealed";
  }

  private advance(): void {
    this.at += 1;
    this.noteCommitment();
  }

  private noteCommitment(): void {
    const line = this.line;
    if (line?.kind !== "sealed") return;
    const contradiction = contradictionOf(line);
    if (contradiction !== undefined) throw sealError(`a commitment contradicts itself: ${contradiction}`, this.where);
    this.commitments.push(line.commitment as string);
  }

  private consumeAnswer(stream: StreamCounter): void {
    const expected = stream.expected();
    const line = this.line as EvidenceLine;
    if (expected === undefined) throw sealError(`more answers of ${stream.stream.suite} than the plan allows`, this.where);
    const { sample, epoch } = expected;
    if (line.sample !== sample || line.epoch !== epoch) {
      throw sealError(
        `the committed order has sample ${quote(sample)} epoch ${epoch} here, the evidence has ${quote(line.sample)}`,
        this.where,
      );
    }
    const firstLine = this.at;
    this.noteWithheld(stream, sample);
    const last = this.consumeAttempts(line, undefined);
    if (last === undefined) throw sealError(`sample ${quote(sample)} has a score and no attempt`, this.where);
    const findings = new Map<string, Value>();
    if (last.isAnswered) {
      for (const detector of stream.stream.detectors) {
        findings.set(detector, this.consumeScore(line, detector, stream.events.get(detector) as string));
      }
    }
    stream.consume({ sample, epoch, firstLine, endLine: this.at, isWithheld: this.answerIsWithheld, findings });
  }

  private noteWithheld(stream: StreamCounter, sample: string): void {
    this.answerIsWithheld = this.isWithheld;
    if (!this.isWithheld) return;
    this.withheld += 1;
    if (stream.consumed < OPEN_ANSWERS) {
      throw sealError(
        `sample ${quote(sample)} is withheld, one of the first ${OPEN_ANSWERS} of its suite, which stay open`,
        this.where,
      );
    }
  }

  // The attempts at one answer, or a judge's questions about it; the last of them.
  private consumeAttempts(key: EvidenceLine, judge: string | undefined): AttemptLine | undefined {
    let last: AttemptLine | undefined;
    for (;;) {
      const line = this.line;
      if (line === undefined || line.kind === "score" || line.judge !== judge || !isSameAnswer(line, key)) return last;
      if (line.attempt !== (last === undefined ? 1 : Number(last.attempt) + 1)) {
        throw sealError(`attempt ${line.attempt} of sample ${quote(line.sample)} is out of order`, this.where);
      }
      if (last !== undefined) this.noteRepetition(last, judge);
      if (line.isAnswered === (line.failure !== undefined)) {
        throw sealError("an attempt has either an output or a failure", this.where);
      }
      if (this.isWithheld !== this.answerIsWithheld) {
        throw sealError(`the answer to sample ${quote(line.sample)} is withheld in part`, this.where);
      }
      this.noteAttempt(line);
      last = line;
      this.advance();
    }
  }

  private noteRepetition(last: AttemptLine, judge: string | undefined): void {
    if (judge === undefined) {
      const sample = quote(last.sample);
      if (last.isAnswered) throw sealError(`sample ${sample} was asked again after it was answered`, this.where);
      if (last.failure && FINAL_KINDS.has(last.failure.kind) && !last.failure.isRetryable) {
        throw sealError(`sample ${sample} was asked again after a final failure`, this.where);
      }
    }
    if (last.isAnswered) this.judgedAgain += 1;
    if (last.failure !== undefined && last.isOk && last.hasResponse) this.setAside += 1;
  }

  private noteAttempt(line: AttemptLine): void {
    if (line.judge !== undefined) this.judgeRequests += 1;
    else {
      this.requests += 1;
      if (line.isAnswered) {
        const key = JSON.stringify([line.served, line.fingerprint]);
        const known = this.served.get(key) ?? { model: line.served, fingerprint: line.fingerprint, answers: 0 };
        known.answers += 1;
        this.served.set(key, known);
      }
    }
    if (line.inputTokens !== 0) this.inputTokens += BigInt(line.inputTokens);
    if (line.outputTokens !== 0) this.outputTokens += BigInt(line.outputTokens);
    if (line.failure !== undefined) increase(this.failures, line.failure.kind);
  }

  private consumeScore(key: EvidenceLine, detector: string, event: string): Value {
    const asked = this.consumeAttempts(key, detector);
    if (asked !== undefined && this.exact.has(detector)) {
      throw sealError(`${detector} is called exact, and a judge was asked for it`, this.where);
    }
    const line = this.line;
    const isMeant = line?.kind === "score" && isSameAnswer(line, key) && line.detector === detector && line.event === event;
    if (!isMeant) throw sealError(`sample ${quote(key.sample)} has no score of ${detector} for ${event} here`, this.where);
    if (this.answerIsWithheld && (line as ScoreLine).tells) {
      throw sealError(`a finding tells of the withheld answer to sample ${quote(key.sample)}`, this.where);
    }
    this.advance();
    return (line as ScoreLine).value;
  }
}

const isSameAnswer = (a: EvidenceLine, b: EvidenceLine): boolean =>
  a.suite === b.suite && a.sample === b.sample && a.epoch === b.epoch;
