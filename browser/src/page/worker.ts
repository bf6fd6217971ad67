// The page's second thread: verifies what it is given, then answers questions about the records behind a row.
import type { Rubric } from "../decision/claims.ts";
import { Failure } from "../errors.ts";
import { parseSigned, type Signed } from "../evidence/attestation.ts";
import { rubricName } from "../evidence/checks.ts";
import { type Opening, readDocument, type Source } from "../evidence/container.ts";
import type { Answer, MeasureCounter, Recount, StreamCounter } from "../evidence/counting.ts";
import { EVIDENCE, STATEMENTS } from "../evidence/layout.ts";
import { readRecord } from "../evidence/lines.ts";
import { parseTrust } from "../evidence/trust.ts";
import { requireText } from "../records/bytes.ts";
import type { Label, LabelRow } from "../records/documents.ts";
import { countedSuites } from "../verifier/audited.ts";
import type { State } from "../verifier/state.ts";
import { established } from "../verifier/state.ts";
import { verifyBundle, type Verified } from "../verifier/verifier.ts";
import type {
  ChosenBundle,
  ExchangeRecord,
  FromWorker,
  RecordFilter,
  RecordItem,
  Report,
  ReportLevel,
  ReportRow,
  ToWorker,
  Withheld,
} from "./protocol.ts";
import { listBadges } from "./standing.ts";
import { viewAudits, viewStatements } from "./statements.ts";

const MAX_POLICY_BYTES = 2 ** 20;
const MAX_STATEMENT_BYTES = 4 * 2 ** 20;
const MOST_PROGRESS_REPORTS = 200;
const post = (message: FromWorker): void => postMessage(message);

class BlobSource implements Source {
  readonly size: number;

  constructor(private readonly blob: Blob) {
    this.size = blob.size;
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    return new Uint8Array(await this.blob.slice(start, end).arrayBuffer());
  }
}

function openingOf(bundle: ChosenBundle): Opening {
  if ("file" in bundle) return { name: bundle.name, zip: new BlobSource(bundle.file) };
  const folder = bundle.entries.map(({ path, file, oddity }) => ({
    path,
    source: file && new BlobSource(file),
    ...(oddity === undefined ? {} : { oddity }),
  }));
  return { name: bundle.name, folder };
}

async function readSmall(file: Blob, limit: number): Promise<Uint8Array> {
  return new Uint8Array(await file.slice(0, limit + 1).arrayBuffer());
}

// -- the report ---------------------------------------------------------------------------------------

function meaningOf(rubric: Rubric | undefined, id: string): string | undefined {
  return rubric?.levels.find((level) => level.id === id)?.meaning;
}

const halvesOf = (label: Label): [{ id: string; name: string }, { id: string; name: string }] =>
  label.kind === "assurance"
    ? [established(label.granted ?? undefined), established(label.cannot_exclude_up_to ?? undefined)]
    : [established(label.established ?? undefined), established(label.not_ruled_out ?? undefined)];

function findMeasure(recounted: Recount | undefined, id: string): [StreamCounter, MeasureCounter] | undefined {
  for (const stream of recounted?.streams ?? []) {
    const found = stream.measures.find(({ measure }) => measure.id === id);
    if (found) return [stream, found];
  }
  return undefined;
}

function describeRow(row: LabelRow, rubric: Rubric | undefined, recounted: Recount | undefined): ReportRow {
  const measure = rubric?.measures.get((row.measure ?? "").split("@")[0] as string);
  return {
    ...row,
    title: measure?.title ?? row.measure ?? row.attested ?? "",
    event: measure?.event ?? "",
    isNegated: measure?.isNegated ?? false,
    hasRecords: row.measure !== null && findMeasure(recounted, row.measure) !== undefined,
  };
}

function describeLabel(state: State, label: Label): Pick<Report, "kind" | "design" | "scale" | "low" | "high" | "levels"> {
  const { rubric } = state;
  const [low, high] = halvesOf(label);
  const [lowest, highest] = [label.scale.indexOf(low.id), label.scale.indexOf(high.id)];
  const nameOf = (id: string): string => rubric?.levels.find((level) => level.id === id)?.name ?? "";
  const levels: ReportLevel[] = label.levels.map(({ level, name, test, status, rows }) => ({
    level,
    name,
    test,
    status,
    meaning: meaningOf(rubric, level),
    rows: rows.map((row) => describeRow(row, rubric, state.recounted)),
  }));
  return {
    kind: label.kind,
    design: label.design,
    scale: label.scale.map((id, i) => ({
      id,
      name: nameOf(id),
      place: i <= lowest ? "held" : i <= highest ? "open" : "beyond",
    })),
    low: { ...low, meaning: meaningOf(rubric, low.id) },
    high: { ...high, meaning: meaningOf(rubric, high.id) },
    levels,
  };
}

const enclosedIn = (state: State | undefined): string[] =>
  [...(state?.container.sizes.keys() ?? [])].filter((path) => path.startsWith(STATEMENTS));

async function describeStatements(verified: Verified): Promise<Pick<Report, "statements" | "audits">> {
  const { verification: found, state } = verified;
  if (found.statements.length === 0 || state === undefined) return { statements: [], audits: [] };
  const signed: Signed[] = [];
  for (const path of enclosedIn(state)) signed.push(await parseSigned(await readDocument(state.container, path), path));
  const all = [...signed, ...state.givenAudits, ...state.beside];
  const { plan, label } = found;
  const audits = plan && label ? viewAudits(found, all, countedSuites(plan, label)) : [];
  return { statements: viewStatements(found, all), audits };
}

function countWithheld(recounted: Recount | undefined): Withheld[] {
  return (recounted?.streams ?? [])
    .map(({ stream, answers }) => {
      const count = answers.filter(({ isWithheld }) => isWithheld).length;
      return { suite: stream.suite, count, answers: answers.length };
    })
    .filter(({ count }) => count > 0);
}

async function describe(verified: Verified, bundle: string, now: number, seconds: number): Promise<Report> {
  const { verification: found, state } = verified;
  const { rubric, system } = state ?? {};
  const { statements, audits } = await describeStatements(verified);
  const empty = { kind: undefined, design: undefined, scale: [], low: undefined, high: undefined, levels: [] };
  return {
    bundle,
    readAt: now,
    seconds,
    level: found.level,
    levelName: found.levelName,
    reason: found.reason,
    sentence: found.sentence,
    failure: found.failure,
    steps: found.steps,
    flags: found.flags,
    badges: listBadges(found, statements),
    statements,
    audits,
    statementsNotJudged: found.statements.length > 0 ? 0 : enclosedIn(state).length,
    withheld: countWithheld(state?.recounted),
    signer: found.signer,
    keyid: found.keyid,
    issued: found.issued,
    validUntil: found.validUntil,
    root: found.root,
    records: found.leaves,
    statementDigest: found.statementDigest,
    system: system && {
      name: system.value.name,
      model: system.value.provider_model,
      identity: system.value.identity,
      digest: system.digest,
    },
    rubric: rubric && { name: rubricName(rubric), title: rubric.title },
    ...(state && found.label ? describeLabel(state, found.label) : empty),
  };
}

// -- the verification ---------------------------------------------------------------------------------

let current: State | undefined;

async function verify(asked: Extract<ToWorker, { kind: "verify" }>): Promise<void> {
  const trust = asked.trust && parseTrust(await readSmall(asked.trust.file, MAX_POLICY_BYTES), asked.trust.name);
  const beside: Signed[] = [];
  for (const { name, file } of asked.statements) {
    beside.push(await parseSigned(await readSmall(file, MAX_STATEMENT_BYTES), name));
  }
  const references = [];
  for (const reference of asked.references) {
    const { verification } = await verifyBundle(openingOf(reference), { now: asked.now, trust });
    if (verification.failure) throw new Error(`the reference bundle ${reference.name}: ${verification.failure.message}`);
    references.push(verification);
  }
  const started = performance.now();
  let reported = 0;
  const progress = (step: number, share?: number): void => {
    if (share !== undefined && share - reported < 1 / MOST_PROGRESS_REPORTS) return;
    reported = share ?? 0;
    post({ kind: "progress", step, share });
  };
  const onStep = (step: Report["steps"][number]): void => post({ kind: "step", step });
  const verified = await verifyBundle(openingOf(asked.bundle), { now: asked.now, trust, references, beside, progress, onStep });
  current = verified.state;
  const seconds = (performance.now() - started) / 1000;
  post({ kind: "done", report: await describe(verified, asked.bundle.name, asked.now, seconds) });
}

// -- the records behind a row -------------------------------------------------------------------------

const lists = new Map<string, RecordItem[]>();

function findingOf(measure: MeasureCounter, answer: Answer): RecordItem["finding"] {
  const event = measure.eventOf(answer.findings.get(measure.measure.detector));
  return event === undefined ? "missing" : event ? "event" : "no_event";
}

function listRecords(id: string, filter: RecordFilter): RecordItem[] {
  const key = JSON.stringify([id, filter]);
  const known = lists.get(key);
  if (known !== undefined) return known;
  const found = findMeasure(current?.recounted, id);
  if (found === undefined) return [];
  const [stream, measure] = found;
  const items: RecordItem[] = [];
  stream.answers.forEach((answer, position) => {
    if (!measure.counts(answer.sample)) return;
    const finding = findingOf(measure, answer);
    if (filter !== "all" && filter !== finding) return;
    const { sample, epoch, isWithheld } = answer;
    items.push({ suite: stream.stream.suite, position, sample, epoch, finding, isWithheld });
  });
  lists.set(key, items);
  return items;
}

const TEXTS = ["request", "response", "response_base64", "output", "detail", "reason"];

function describeRecord(record: Record<string, unknown>, line: number): ExchangeRecord {
  const facts: [string, string][] = [];
  const texts: [string, string][] = [];
  for (const [name, value] of Object.entries(record)) {
    if (name === "kind" || name === "suite" || name === "sample") continue;
    if (TEXTS.includes(name)) texts.push([name, String(value)]);
    else if (name === "failure") {
      const failure = value as { kind: string; message?: string };
      facts.push(["failure", failure.kind]);
      if (failure.message) texts.push(["failure", failure.message]);
    } else facts.push([name, typeof value === "object" ? JSON.stringify(value) : String(value)]);
  }
  return { line, kind: String(record.kind), facts, texts };
}

async function readExchange(suite: string, position: number): Promise<ExchangeRecord[]> {
  const state = established(current);
  const answer = state.recounted?.streams.find(({ stream }) => stream.suite === suite)?.answers[position];
  if (answer === undefined) return [];
  const { starts, size } = established(state.evidence);
  const [start, end] = [starts[answer.firstLine] as number, starts[answer.endLine] ?? size];
  const text = requireText(await state.container.open(EVIDENCE).read(start, end), EVIDENCE);
  return text
    .split("\n")
    .slice(0, -1)
    .map((line, i) => describeRecord(readRecord(line, `${EVIDENCE}:${answer.firstLine + i + 1}`), answer.firstLine + i + 1));
}

async function answer(asked: ToWorker): Promise<void> {
  if (asked.kind === "verify") return verify(asked);
  if (asked.kind === "exchange") {
    const records = await readExchange(asked.suite, asked.position);
    return post({ kind: "exchange", id: asked.id, records });
  }
  const items = listRecords(asked.measure, asked.filter);
  return post({ kind: "records", id: asked.id, total: items.length, items: items.slice(asked.from, asked.from + asked.count) });
}

/** Listen for the page. */
export function startWorker(): void {
  addEventListener("message", (event: MessageEvent<ToWorker>) => {
    answer(event.data).catch((error: unknown) => {
      const message = error instanceof Failure ? error.toString() : (error as Error).message;
      post({ kind: "stopped", message });
    });
  });
}
