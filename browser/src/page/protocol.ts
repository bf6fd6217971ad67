// What the page and its worker say to each other. Everything here is copied between them, never shared.
import type { Audit } from "../evidence/audit.ts";
import type { FolderEntry } from "../evidence/container.ts";
import type { Test } from "../decision/claims.ts";
import type { FoundFailure, StatementFinding, Step } from "../verifier/verification.ts";
import type { LabelRow } from "../records/documents.ts";

/** A bundle as the reader chose it. */
export type ChosenBundle =
  | { name: string; file: Blob }
  | { name: string; entries: { path: string; file: Blob | undefined; oddity?: FolderEntry["oddity"] }[] };

export interface ChosenFile {
  name: string;
  file: Blob;
}

export type ToWorker =
  | {
      kind: "verify";
      bundle: ChosenBundle;
      trust: ChosenFile | undefined;
      statements: ChosenFile[];
      references: ChosenBundle[];
      now: number;
    }
  | { kind: "records"; id: number; measure: string; filter: RecordFilter; from: number; count: number }
  | { kind: "exchange"; id: number; suite: string; position: number };

export type FromWorker =
  | { kind: "progress"; step: number; share: number | undefined }
  | { kind: "step"; step: Step }
  | { kind: "done"; report: Report }
  | { kind: "stopped"; message: string }
  | { kind: "records"; id: number; total: number; items: RecordItem[] }
  | { kind: "exchange"; id: number; records: ExchangeRecord[] };

export type RecordFilter = "all" | "event" | "no_event" | "missing";

/** One counted answer in a row's list. `position` is its place in the committed order of its suite. */
export interface RecordItem {
  suite: string;
  position: number;
  sample: string;
  epoch: number;
  finding: "event" | "no_event" | "missing";
  isWithheld: boolean;
}

/** A line of the evidence as it stands, for people. */
export interface ExchangeRecord {
  line: number;
  kind: string;
  facts: [string, string][];
  texts: [string, string][];
}

export interface ReportRow extends LabelRow {
  title: string;
  event: string;
  isNegated: boolean;
  /** True where the answers behind the row can be looked at. */
  hasRecords: boolean;
}

export interface ReportLevel {
  level: string;
  name: string;
  meaning: string | undefined;
  test: Test;
  status: LabelRow["status"];
  rows: ReportRow[];
}

/** What stands beside the level on the card. */
export interface Badge {
  flag: string;
  word: string;
  sign: string;
  tone: string;
  /** Who, when or what, in a few words. */
  says: string;
}

/** One measure as a replication found it in both bundles. */
export interface ComparedMeasure {
  measure: string;
  verdict: string;
  items: number;
  events_original: number;
  n_original: number;
  events_replica: number;
  n_replica: number;
  lower: string;
  upper: string;
}

/** What somebody signed about the label, in its signer's words. */
export interface StatementView extends StatementFinding {
  /** Digest of the statement that it is about. */
  about: string;
  /** Whose name the signer's is. */
  signerSays: string;
  verdict: string;
  text: string;
  facts: [string, string][];
  measures: ComparedMeasure[];
  measuresLeftOut: number;
}

/** What was found of one benchmark in the data; `samples` is set for a suite that the label counts. */
export interface BenchmarkView {
  benchmark: string;
  /** 0 where it was not looked for. */
  items: number;
  matched: number;
  documents: number;
  /** Items that cannot be told from chance. */
  unchecked: number;
  samples: number | undefined;
}

/** One audit of a data set that the system was trained on, as its signer declares. */
export interface AuditView {
  audit: Audit;
  signer: string;
  counts: boolean;
  why: string;
  benchmarks: BenchmarkView[];
}

/** Counted answers of a suite that the bundle only commits to. */
export interface Withheld {
  suite: string;
  count: number;
  answers: number;
}

/** A finding as the page draws it. */
export interface Report {
  bundle: string;
  readAt: number;
  seconds: number;
  level: string;
  levelName: string;
  reason: string;
  sentence: string;
  failure: FoundFailure | undefined;
  steps: Step[];
  flags: string[];
  badges: Badge[];
  statements: StatementView[];
  audits: AuditView[];
  /** Enclosed statements of others that the verifier did not come to. */
  statementsNotJudged: number;
  withheld: Withheld[];
  signer: string | undefined;
  keyid: string | undefined;
  issued: string | undefined;
  validUntil: string | undefined;
  root: string | undefined;
  records: number;
  statementDigest: string | undefined;
  system: { name: string; model: string; identity: string; digest: string } | undefined;
  rubric: { name: string; title: string } | undefined;
  design: string | undefined;
  kind: "assurance" | "hazard" | undefined;
  scale: { id: string; name: string; place: "held" | "open" | "beyond" }[];
  low: { id: string; name: string; meaning: string | undefined } | undefined;
  high: { id: string; name: string; meaning: string | undefined } | undefined;
  levels: ReportLevel[];
}
