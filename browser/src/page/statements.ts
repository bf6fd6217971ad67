// What others signed about a label, for people: the verifier's findings with the statements' own words.
import type { Attestation, Signed } from "../evidence/attestation.ts";
import type { Audit } from "../evidence/audit.ts";
import type { Stream } from "../records/documents.ts";
import { matchesOf } from "../verifier/audited.ts";
import type { StatementFinding, Verification } from "../verifier/verification.ts";
import type { AuditView, BenchmarkView, StatementView } from "./protocol.ts";
import {
  auditFact,
  confirmationWord,
  factWord,
  groundWord,
  relationWord,
  sayFinding,
  sayList,
  sayMargin,
  signerWords,
  verdictWord,
  withdrawalWord,
} from "./words.ts";

const MOST_MEASURES = 50;
const MOST_LISTED = 20;
const ORDER = ["withdrawal", "dispute", "replication", "audit", "finding"];

type Judged = Pick<Verification, "statements" | "signer" | "keyid" | "statementDigest">;
type Words = Pick<StatementView, "verdict" | "text" | "facts">;

// How a trust policy that takes any key calls a holder.
const ANYONE = "anyone (unsafe): ";

// The verifier writes the key's own name with the first digits of its id where no policy names it.
const isNamed = (signer: string, keyid: string): boolean =>
  !signer.endsWith(`(${keyid.slice(0, 19)})`) && !signer.startsWith(ANYONE);

function namesOf({ statements, signer, keyid }: Judged): Map<string, string> {
  const names = new Map<string, string>();
  for (const found of statements) if (isNamed(found.signer, found.keyid)) names.set(found.keyid, found.signer);
  if (keyid !== undefined && signer !== undefined && isNamed(signer, keyid)) names.set(keyid, signer);
  return names;
}

function whoseName({ signer, keyid }: StatementFinding, names: ReadonlyMap<string, string>, labelKey: string | undefined) {
  if (keyid === labelKey) return "own";
  if (names.has(keyid)) return "named";
  return signer.startsWith(ANYONE) ? "anyone" : "unnamed";
}

function some(items: readonly string[]): string {
  const more = items.length > MOST_LISTED ? ` and ${items.length - MOST_LISTED} more` : "";
  return items.slice(0, MOST_LISTED).join(", ") + more;
}

/** What a statement says in a few words, its signer's text, and what else stands in it. */
function readWords({ predicate, about }: Attestation, isOfLabel: boolean): Words {
  switch (predicate.kind) {
    case "replication": {
      const { comparison, replica, independence } = predicate.value;
      const facts: [string, string][] = [
        [factWord("replica_label"), replica.label],
        [factWord("replica_statement"), replica.statement_sha256],
        [factWord("margin"), sayMargin(comparison.margin, comparison.alpha)],
      ];
      if (comparison.differing.length > 0) facts.push([factWord("differing"), some(comparison.differing)]);
      const verdict = `${verdictWord(comparison.verdict)}; ${confirmationWord(comparison.label)}`;
      return { verdict, text: independence, facts };
    }
    case "dispute": {
      const { grounds, rows, evidence, text } = predicate.value;
      const facts: [string, string][] = [[factWord("rows"), rows.length > 0 ? some(rows) : "all"]];
      if (evidence.length > 0) {
        facts.push([factWord("evidence"), some(evidence.map(({ name, sha256 }) => `${name} (${sha256})`))]);
      }
      return { verdict: sayList(grounds.map(groundWord)), text, facts };
    }
    case "withdrawal": {
      const { reason, superseded_by: successor } = predicate.value;
      const facts: [string, string][] = isOfLabel ? [] : [[factWord("about"), about]];
      if (successor !== null) facts.push([factWord("superseded_by"), successor]);
      const what = !isOfLabel ? "statement" : successor === null ? "label" : "replaced";
      return { verdict: withdrawalWord(what), text: reason, facts };
    }
    case "finding": {
      const { name, role, text, valid_until: until } = predicate.value;
      return { verdict: sayFinding(name, role), text, facts: [[factWord("valid_until"), until]] };
    }
    case "audit": {
      const { relation, text, valid_until: until, audit } = predicate.value;
      const facts: [string, string][] = [
        [factWord("valid_until"), until],
        [auditFact("dataset_root"), audit.dataset_root],
      ];
      return { verdict: relationWord(relation), text, facts };
    }
  }
}

function view(found: StatementFinding, signed: Signed, names: ReadonlyMap<string, string>, judged: Judged): StatementView {
  const { attestation } = signed;
  const { predicate, about } = attestation;
  const measures = predicate.kind === "replication" ? predicate.value.comparison.measures : [];
  return {
    ...found,
    about,
    signer: names.get(found.keyid) ?? found.signer,
    signerSays: signerWords(whoseName(found, names, judged.keyid)),
    ...readWords(attestation, about === judged.statementDigest),
    measures: measures.slice(0, MOST_MEASURES).map((measure) => ({ ...measure, verdict: verdictWord(measure.verdict) })),
    measuresLeftOut: Math.max(0, measures.length - MOST_MEASURES),
  };
}

/** The verifier's findings with the statements' words: what counts first, withdrawals before disputes. */
export function viewStatements(judged: Judged, given: Iterable<Signed>): StatementView[] {
  const signed = new Map([...given].map((item) => [item.attestation.digest, item]));
  const names = namesOf(judged);
  const views = judged.statements.flatMap((found) => {
    const item = signed.get(found.digest);
    return item === undefined ? [] : [view(found, item, names, judged)];
  });
  const place = ({ counts, kind }: StatementView): number => (counts ? 0 : ORDER.length) + ORDER.indexOf(kind);
  return views.sort((a, b) => place(a) - place(b) || (a.issued < b.issued ? -1 : a.issued > b.issued ? 1 : 0));
}

// The suites that the label counts stand first, also those that nobody looked for.
function viewBenchmarks(audit: Audit, suites: readonly Stream[]): BenchmarkView[] {
  const own = suites.map((stream) => ({ stream, found: matchesOf(stream, audit) }));
  const taken = new Set(own.map(({ found }) => found));
  const ofSuites = own.map(({ stream, found }) => ({
    benchmark: stream.suite,
    items: found?.items ?? 0,
    matched: found?.items_matched ?? 0,
    documents: found?.documents ?? 0,
    unchecked: found?.unchecked ?? 0,
    samples: stream.samples,
  }));
  const others = audit.contamination.filter((row) => !taken.has(row));
  return [
    ...ofSuites,
    ...others.map(({ benchmark, items, items_matched: matched, documents, unchecked }) => {
      return { benchmark, items, matched, documents, unchecked, samples: undefined };
    }),
  ];
}

/** The audits among a verifier's findings, those that count first. */
export function viewAudits(judged: Judged, given: Iterable<Signed>, suites: readonly Stream[]): AuditView[] {
  const signed = new Map([...given].map((item) => [item.attestation.digest, item]));
  const names = namesOf(judged);
  const views = judged.statements.flatMap(({ digest, keyid, signer, counts, why }): AuditView[] => {
    const predicate = signed.get(digest)?.attestation.predicate;
    if (predicate?.kind !== "audit") return [];
    const benchmarks = viewBenchmarks(predicate.value, suites);
    return [{ audit: predicate.value, signer: names.get(keyid) ?? signer, counts, why, benchmarks }];
  });
  return views.sort((a, b) => Number(b.counts) - Number(a.counts));
}
