// Step 11: what others signed about a label is genuine; which of it counts, and what it changes.
import { checkFailed, Failure, limitExceeded, malformed, quote, sealError, Skipped } from "../errors.ts";
import {
  type Attestation,
  openStatementProof,
  parseSigned,
  type Predicate,
  type Replication,
  type Signed,
} from "../evidence/attestation.ts";
import { objectionToAudit, objectionToTerm } from "../evidence/checks.ts";
import { readDocument } from "../evidence/container.ts";
import * as layout from "../evidence/layout.ts";
import { parseTime } from "../evidence/moments.ts";
import type { Statement } from "../evidence/statement.ts";
import type { Accepted, Role, TrustPolicy } from "../evidence/trust.ts";
import type { Tally } from "../records/documents.ts";
import { FINDINGS, findLacking, isContaminated, sayLacking, type Standing } from "./audited.ts";
import { established, type State } from "./state.ts";
import type { StatementFinding } from "./verification.ts";

const ROLE_OF: Record<string, Role> = {
  replication: "replications",
  dispute: "disputes",
  finding: "attestations",
  audit: "audits",
};

type StandingPredicate = Extract<Predicate, { kind: "finding" | "audit" }>;

export async function checkStatements(state: State): Promise<string> {
  const enclosed = await readEnclosed(state);
  if (state.statement === undefined) {
    if (enclosed.length > 0) throw sealError("statements about a label that nobody signed", layout.STATEMENTS);
    throw new Skipped("no statements");
  }
  const signed = new Map<string, Signed>();
  for (const item of [...enclosed, ...state.givenAudits, ...state.beside]) {
    const known = signed.get(item.attestation.digest);
    const isBetter = known === undefined || (item.proof !== undefined && !(await isLogged(known, state.trust)));
    if (isBetter) signed.set(item.attestation.digest, item);
  }
  const leanedOn = [...state.given.values()].map(({ attestation }) => attestation.digest);
  const replicas = replicaLabels(signed.values()).map(([digest]) => digest);
  const known = new Set([state.statement.digest, ...signed.keys(), ...leanedOn, ...replicas]);
  for (const { attestation, fileName } of enclosed) {
    if (!known.has(attestation.about) && !isAboutSystem(attestation, state)) {
      throw sealError("a statement about another label", layout.STATEMENTS + fileName);
    }
  }
  return judgeAll(state, state.statement, signed);
}

// True for a finding or an audit of the label's own system: the only statements that are not about statements.
function isAboutSystem({ predicate, about }: Attestation, state: State): boolean {
  const isOfSystems = predicate.kind === "finding" || predicate.kind === "audit";
  return isOfSystems && about === established(state.system).digest;
}

// What V4 lacks, and whether an audit found the label's own suites in the training data.
function noteV4(state: State, standing: Standing, isDisputed: boolean): void {
  const [plan, label] = [established(state.plan).value, established(state.label).value];
  const lacking = findLacking(plan, label, state.recounted?.judgeRequests ?? 0, standing, isDisputed);
  state.lackingForV4 = lacking;
  if (lacking.length > 0 && !state.shortOf.has("V4")) state.shortOf.set("V4", sayLacking(lacking));
  if (isContaminated(plan, label, standing.audits)) state.flags.push("contaminated");
}

async function judgeAll(state: State, label: Statement, signed: ReadonlyMap<string, Signed>): Promise<string> {
  const judge = new Judge(state, label, signed);
  const findings: StatementFinding[] = [];
  for (const digest of [...signed.keys()].sort()) findings.push(await judge.find(signed.get(digest) as Signed));
  state.statements = findings;
  state.flags.push(...["superseded", "revoked", "disputed", "self_audited"].filter((flag) => judge.flags.has(flag)));
  if (!judge.isReplicated && !state.shortOf.has("V3")) state.shortOf.set("V3", judge.shortOfReplicated);
  noteV4(state, judge.standing, judge.flags.has("disputed"));
  const why = judge.withdrawn ?? judge.findWithdrawnFinding();
  if (why !== undefined) {
    state.shortOf.set("V1", why);
    state.flags = state.flags.filter((flag) => flag !== "current");
    throw checkFailed(`the label is not in force: ${why}`, layout.STATEMENTS);
  }
  if (signed.size === 0) throw new Skipped("nothing that others signed is enclosed");
  return `${signed.size} genuine, ${findings.filter((finding) => finding.counts).length} count`;
}

async function readEnclosed(state: State): Promise<Signed[]> {
  const paths = [...state.container.sizes.keys()].filter((path) => path.startsWith(layout.STATEMENTS));
  if (paths.length > layout.MAX_STATEMENTS) {
    throw limitExceeded(`more than ${layout.MAX_STATEMENTS} statements`, layout.STATEMENTS);
  }
  const enclosed: Signed[] = [];
  for (const path of paths) {
    const signed = await parseSigned(await readDocument(state.container, path), path);
    const { predicate } = signed.attestation;
    if (predicate.kind === "finding" && !FINDINGS.has(predicate.value.name)) {
      throw malformed("a finding about a system is no statement about its label", path);
    }
    if (path !== layout.STATEMENTS + signed.fileName) {
      throw malformed("a statement lies under its own name", path, signed.fileName);
    }
    enclosed.push(signed);
  }
  return enclosed;
}

/**
 * What replications call the replicas of their own signers: digests of label statements, with the signer's key.
 *
 * Anybody may call any label so. A pair is a claim about that key alone, and never says whose a label is.
 */
function replicaLabels(statements: Iterable<Signed>): [string, string][] {
  const labels: [string, string][] = [];
  for (const { attestation, signer } of statements) {
    const { predicate } = attestation;
    if (predicate.kind !== "replication" || predicate.value.replica.keyid !== signer.keyid) continue;
    labels.push([predicate.value.replica.statement_sha256, signer.keyid]);
  }
  return labels;
}

const pair = (digest: string, keyid: string): string => `${digest} ${keyid}`;

/** True if the statement stands in a log that counts, with the witnesses that the policy asks for. */
async function isLogged(signed: Signed, trust: TrustPolicy | undefined): Promise<boolean> {
  if (trust && signed.logKey && !trust.accepts({ key: signed.logKey, role: "log" }).isAccepted) return false;
  try {
    return (await openStatementProof(signed, trust, "statement")) !== undefined;
  } catch (error) {
    if (error instanceof Failure && error.kind === "SealError") return false; // the policy's witnesses are missing
    throw error;
  }
}

/** What was withdrawn by now, each as a digest and the key that both made it and withdrew it. */
function takenBack(signed: ReadonlyMap<string, Signed>, given: Iterable<Signed>, now: number): Set<string> {
  const isWithdrawal = ({ attestation }: Signed): boolean => attestation.predicate.kind === "withdrawal";
  const owned = new Set([
    ...[...signed.values(), ...given]
      .filter((item) => !isWithdrawal(item)) // a withdrawal cannot be withdrawn
      .map(({ attestation, signer }) => pair(attestation.digest, signer.keyid)),
    ...replicaLabels(signed.values()).map(([digest, keyid]) => pair(digest, keyid)),
  ]);
  const wanted = [...signed.values()]
    .filter((item) => isWithdrawal(item) && item.attestation.issued <= now)
    .map(({ attestation, signer }) => pair(attestation.about, signer.keyid));
  return new Set(wanted.filter((item) => owned.has(item)));
}

function wordsOf({ attestation: { predicate } }: Signed): string {
  switch (predicate.kind) {
    case "replication":
      return `${predicate.value.comparison.verdict}; label ${predicate.value.comparison.label}`;
    case "dispute":
      return predicate.value.grounds.join(", ");
    case "withdrawal":
      return predicate.value.superseded_by ? "superseded" : "withdrawn";
    case "finding":
      return predicate.value.name;
    case "audit": {
      const { documents_read: read, documents } = predicate.value.audit;
      return `${predicate.value.relation}; ${read} of ${documents} documents read`;
    }
  }
}

function objectionToComparison({ comparison }: Replication): string | undefined {
  if (comparison.differing.length > 0) return `the systems differ in ${comparison.differing.join(", ")}`;
  const verdicts = [comparison.verdict, ...comparison.measures.map(({ verdict }) => verdict)];
  if (verdicts.includes("not_replicated")) return "the results differ: not replicated";
  if (comparison.label !== "confirmed") return `its own label leaves the granted level ${comparison.label}`;
  return undefined;
}

const areSame = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((item, i) => item === b[i]);

/** Finds of each statement whether it counts, and gathers what those that do change. */
class Judge {
  readonly flags = new Set<string>();
  isReplicated = false;
  shortOfReplicated = "no independent replication is enclosed (V3)";
  withdrawn: string | undefined;
  readonly standing: Standing;
  private readonly taken: ReadonlySet<string>;

  constructor(
    private readonly state: State,
    private readonly label: Statement,
    signed: ReadonlyMap<string, Signed>,
  ) {
    this.taken = takenBack(signed, state.given.values(), state.now);
    // findings that the label leans on: the steps before this one found that they count
    const given = state.trust === undefined ? [] : [...state.given.keys()].filter((name) => FINDINGS.has(name));
    this.standing = { audits: [], findings: new Set(given), refused: new Map() };
  }

  async find(signed: Signed): Promise<StatementFinding> {
    const { attestation, signer } = signed;
    const { kind, value } = attestation.predicate;
    const { name, objection, holders } = this.decide(signed);
    if (objection === undefined) this.note(signed, name, holders);
    else this.noteRefused(signed, `of ${name} does not count: ${objection}`);
    return {
      kind,
      digest: attestation.digest,
      signer: name,
      keyid: signer.keyid,
      issued: value.issued,
      counts: objection === undefined,
      says: wordsOf(signed),
      why: objection ?? "",
      logged: await isLogged(signed, this.state.trust),
    };
  }

  private decide(signed: Signed): { name: string; objection: string | undefined; holders: ReadonlySet<string> } {
    const { signer } = signed;
    const { kind } = signed.attestation.predicate;
    const own = `${signer.name} (${signer.keyid.slice(0, 19)})`;
    const objection = this.objectionTo(signed);
    const role = ROLE_OF[kind];
    const nobody = new Set<string>();
    if (role === undefined || this.state.trust === undefined) return { name: own, objection, holders: nobody };
    const asked = { rubric: this.label.predicate.rubric.id, system: this.label.subject.name };
    const decision = this.state.trust.accepts({ key: signer, role, ...asked });
    if (!decision.isAccepted) {
      return { name: own, objection: objection ?? `the trust policy: ${decision.reason}`, holders: nobody };
    }
    const other = kind === "replication" ? this.objectionToHolder(decision) : undefined;
    return { name: decision.name, objection: objection ?? other, holders: decision.holders };
  }

  // Whom the policy accepts as a replicator must be shown to be another party than the label's signer.
  private objectionToHolder({ isNamed, holders }: Accepted): string | undefined {
    if (!isNamed) return "the trust policy takes any key and does not say whose this one is";
    return this.isSigner(holders) ? "the trust policy calls its signer and the label's by one name" : undefined;
  }

  // True where the policy gives a holder a name that it also gives the label's signer.
  private isSigner(holders: ReadonlySet<string>): boolean {
    const own = this.state.signerHolders ?? new Set<string>();
    return [...holders].some((holder) => own.has(holder));
  }

  /** Why the label is not in force where a finding that it leans on was withdrawn. */
  findWithdrawnFinding(): string | undefined {
    for (const [name, { attestation, signer }] of this.state.given) {
      if (this.taken.has(pair(attestation.digest, signer.keyid))) {
        return `the finding ${quote(name)} that it leans on was withdrawn by its signer`;
      }
    }
    return undefined;
  }

  private objectionTo(signed: Signed): string | undefined {
    const { attestation } = signed;
    if (attestation.issued > this.state.now) return "it is dated in the future";
    const { predicate } = attestation;
    if (predicate.kind === "withdrawal") return this.objectionToWithdrawal(signed); // it is final
    if (this.taken.has(pair(attestation.digest, signed.signer.keyid))) return "its signer withdrew it";
    if (predicate.kind === "replication") return this.objectionToReplication(signed, predicate.value);
    if (predicate.kind === "finding" || predicate.kind === "audit") return this.objectionToStanding(signed, predicate);
    return attestation.about === this.label.digest ? undefined : "it is about another label";
  }

  // Why a finding or an audit says nothing of the label's system now.
  private objectionToStanding(signed: Signed, predicate: StandingPredicate): string | undefined {
    const { digest } = established(this.state.system);
    const { now, trust } = this.state;
    let why: string | undefined;
    if (predicate.kind === "audit") why = objectionToAudit(signed, predicate.value, digest, now);
    else if (!FINDINGS.has(predicate.value.name)) return "no level asks for a finding of this name";
    else if (signed.attestation.about !== digest) why = "it is about another system";
    else why = objectionToTerm(signed, predicate.value.valid_until, now);
    return why ?? (trust === undefined ? "no trust policy says whose key that is" : undefined);
  }

  private objectionToWithdrawal({ attestation, signer }: Signed): string | undefined {
    if (attestation.about === this.label.digest) {
      // whose it is stands in it, whatever anybody else calls it
      const isOwn = signer.keyid === this.label.predicate.issuer.keyid;
      return isOwn ? undefined : "it is not signed with the key of the label";
    }
    const isTaken = this.taken.has(pair(attestation.about, signer.keyid));
    return isTaken ? undefined : "it is about another statement, or of another signer";
  }

  private objectionToReplication({ attestation, signer }: Signed, found: Replication): string | undefined {
    const label = this.label.predicate;
    if (attestation.about !== this.label.digest) return "it is about another label";
    const { original } = found;
    const isOriginal =
      original.manifest_sha256 === label.manifest_sha256 &&
      original.evidence_root === label.evidence.root &&
      original.keyid === label.issuer.keyid;
    if (!isOriginal) return "it names other evidence than the label's";
    if (signer.keyid === label.issuer.keyid) return "the label's own issuer signed it";
    if (attestation.issued < parseTime(label.issued, layout.ATTESTATION)) return "it is older than the label";
    const why = this.objectionToReplica(found, signer.keyid);
    if (why !== undefined) return why;
    if (this.state.trust === undefined) return "no trust policy says whose key that is";
    return this.objectionToCoverage(found) ?? objectionToComparison(found);
  }

  private objectionToReplica({ replica }: Replication, keyid: string): string | undefined {
    if (replica.keyid !== keyid) return "it speaks of a bundle that its signer did not sign";
    if (this.taken.has(pair(replica.statement_sha256, keyid))) return "its signer withdrew the label of the replica";
    if (replica.evidence_root === this.label.predicate.evidence.root) {
      return "its records are the label's own, byte for byte: nothing shows that anybody asked again";
    }
    return undefined;
  }

  private objectionToCoverage({ comparison }: Replication): string | undefined {
    if (!areSame(comparison.scope, established(this.state.rubric).scope)) {
      return "it compares another scope than the rubric's";
    }
    const measures = established(this.state.plan).value.measures.map(({ id }) => id);
    const compared = comparison.measures.map(({ measure }) => measure);
    return areSame(compared, measures) ? this.objectionToCounts(comparison) : "it compares other measures than the label's";
  }

  // The comparison must be of the label's own counts, and have pairs of every measure that the label counts.
  private objectionToCounts({ measures }: Replication["comparison"]): string | undefined {
    const tallies = this.state.recounted?.tallies() ?? new Map<string, Tally>();
    for (const { measure, n_original, events_original, items, n_replica } of measures) {
      const tally = tallies.get(measure);
      if (tally !== undefined && (n_original !== tally.n || events_original !== tally.events)) {
        return `its counts of ${measure} are not those of the label's evidence`;
      }
      if (n_original > 0 && (items === 0 || n_replica === 0)) return `it has nothing to compare of ${measure}`;
    }
    return undefined;
  }

  private noteRefused({ attestation: { predicate } }: Signed, why: string): void {
    if (predicate.kind === "replication") this.shortOfReplicated = `the replication ${why}`;
    if (predicate.kind === "audit") this.standing.refused.set("audit", `the audit ${why}`);
    if (predicate.kind === "finding") {
      const { name } = predicate.value;
      this.standing.refused.set(name, `the finding ${quote(name)} ${why}`);
    }
  }

  private note({ attestation, signer }: Signed, name: string, holders: ReadonlySet<string>): void {
    const { predicate } = attestation;
    if (predicate.kind === "audit") this.standing.audits.push(predicate.value);
    if (predicate.kind === "finding") this.standing.findings.add(predicate.value.name);
    if (predicate.kind === "audit" || predicate.kind === "finding") {
      const isOwn = signer.keyid === this.label.predicate.issuer.keyid || this.isSigner(holders);
      if (isOwn) this.flags.add("self_audited");
    }
    if (predicate.kind === "replication") this.isReplicated = true;
    if (predicate.kind === "dispute") this.flags.add("disputed");
    if (predicate.kind === "withdrawal" && attestation.about === this.label.digest) {
      this.withdrawn = `its issuer withdrew it: ${[...predicate.value.reason].slice(0, 200).join("")} (${name})`;
      this.flags.add(predicate.value.superseded_by === null ? "revoked" : "superseded");
    }
  }
}
