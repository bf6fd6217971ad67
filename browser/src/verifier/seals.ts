// Steps 2 to 5: the bundle is whole, signed, speaks of its own parts, and stands in a log.
import type { Rubric } from "../decision/claims.ts";
import { Refusal } from "../decision/refusal.ts";
import { readRubric } from "../decision/rubric.ts";
import { malformed, sealError, Skipped } from "../errors.ts";
import { leafOfEntry } from "../evidence/attestation.ts";
import { rubricName } from "../evidence/checks.ts";
import { readDocument } from "../evidence/container.ts";
import { digestOfSource } from "../evidence/digests.ts";
import { openEnvelope } from "../evidence/envelope.ts";
import { ED25519, parsePublicFile, type PublicKey } from "../evidence/keys.ts";
import * as layout from "../evidence/layout.ts";
import { checkPresence, parseManifest } from "../evidence/manifest.ts";
import { checkConsistency, openProof, parseProof, type OpenedProof } from "../evidence/note.ts";
import { parseStatement } from "../evidence/statement.ts";
import type { Accepted, TrustPolicy } from "../evidence/trust.ts";
import { areEqual, digestOfBytes, requireText } from "../records/bytes.ts";
import { LABEL_FORM, PLAN_FORM, SYSTEM_FORM, type System } from "../records/documents.ts";
import { convert, convertCanonical, type Form } from "../records/forms.ts";
import { canonicalBytes, parseJson } from "../records/json.ts";
import { Numeral, parseYaml, type Yaml } from "../records/yaml.ts";
import { established, type Read, type State } from "./state.ts";

// -- 2 --------------------------------------------------------------------------------------------------

export async function checkManifest(state: State): Promise<string> {
  const manifest = parseManifest(await readDocument(state.container, layout.MANIFEST));
  state.manifest = manifest;
  checkPresence(manifest, state.container.sizes);
  for (const entry of manifest.entries) {
    const digest = digestOfSource(state.container.open(entry.path));
    if (entry.path === layout.EVIDENCE) {
      state.evidenceDigest = digest; // awaited in step 7, which reads the same bytes
      digest.catch(() => undefined);
    } else if ((await digest) !== entry.sha256) {
      throw sealError("the file was changed: it does not have its digest", entry.path);
    }
  }
  return `${manifest.entries.length} files have their digests`;
}

// -- 3 --------------------------------------------------------------------------------------------------

export async function checkSignature(state: State): Promise<string> {
  const { container, trust } = state;
  if (!container.sizes.has(layout.ATTESTATION) && !container.sizes.has(layout.SIGNER_KEY)) {
    state.shortOf.set("V1", "it is not signed");
    throw new Skipped("no signature");
  }
  const key = parsePublicFile(await readDocument(container, layout.SIGNER_KEY), layout.SIGNER_KEY);
  if (key.type !== ED25519) throw sealError("a witness's key does not sign labels", layout.SIGNER_KEY);
  const envelope = await readDocument(container, layout.ATTESTATION);
  const payload = await openEnvelope(envelope, [key], layout.ATTESTATION);
  state.statement = parseStatement(payload, layout.ATTESTATION);
  state.signerKey = key;
  state.signer = `${key.name} (${key.keyid.slice(0, 19)})`;
  if (trust === undefined) {
    state.flags.push("signer_unpinned");
    if (container.sizes.has(layout.KEYLESS)) state.flags.push("keyless_unchecked");
    return `signed by ${state.signer}; no trust policy says whose key that is`;
  }
  if (trust.acceptsAnyKey) state.flags.push("trust_accepts_any_key");
  const accepted = acceptSigner(state, trust, key);
  state.signer = accepted.name;
  state.signerHolders = accepted.holders;
  return `signed by ${state.signer}`;
}

// This page cannot check a Sigstore signature: it counts the key alone, and says so.
function acceptSigner(state: State, trust: TrustPolicy, key: PublicKey): Accepted {
  const statement = established(state.statement);
  const asked = { rubric: statement.predicate.rubric.id, system: statement.subject.name };
  const verdict = trust.accepts({ key, role: "labels", ...asked });
  const isKeyless = state.container.sizes.has(layout.KEYLESS);
  if (isKeyless && trust.namesIdentities && !verdict.isAccepted) {
    throw sealError(
      "this page checks keys, and no Sigstore identities",
      layout.KEYLESS,
      "check it with `verilabel verify` and the extra sigstore",
    );
  }
  if (isKeyless) state.flags.push("keyless_unchecked");
  if (verdict.isAccepted) return verdict;
  throw sealError(
    `the signer's key ${key.keyid.slice(0, 19)}... is not one the trust policy accepts: ${verdict.reason}`,
    layout.ATTESTATION,
    "check the key's id with its owner by another way, then add it to the trust policy",
  );
}

// -- 4 --------------------------------------------------------------------------------------------------

async function readCanonical<T>(state: State, form: Form<T>, path: string): Promise<Read<T>> {
  const data = await readDocument(state.container, path);
  const document = parseJson(data, path, { maxBytes: layout.MAX_JSON_BYTES });
  return { value: convertCanonical(form, document, data, path), digest: digestOfBytes(data) };
}

async function readLabel(state: State): Promise<NonNullable<State["label"]>> {
  const bytes = await readDocument(state.container, layout.LABEL);
  const document = parseJson(bytes, layout.LABEL, { maxBytes: layout.MAX_JSON_BYTES });
  const { value, isCanonical } = convert(LABEL_FORM, document, layout.LABEL, "not a label: ");
  const halves = { assurance: ["granted", "cannot_exclude_up_to"], hazard: ["established", "not_ruled_out"] } as const;
  for (const [kind, words] of Object.entries(halves)) {
    for (const word of words) {
      if ((value[word as (typeof halves)["hazard"][number]] !== null) !== (value.kind === kind)) {
        throw malformed(`not a label: ${value.kind === kind ? word : `unexpected ${word}`}`, layout.LABEL);
      }
    }
  }
  if (!isCanonical || !areEqual(canonicalBytes(document), bytes)) throw malformed("not in canonical form", layout.LABEL);
  return { value, bytes, digest: digestOfBytes(bytes) };
}

async function readCheckedRubric(state: State): Promise<Rubric> {
  const data = await readDocument(state.container, layout.RUBRIC);
  const document = parseYaml(data, layout.RUBRIC, 2 ** 18);
  let rubric: Rubric;
  try {
    rubric = readRubric(requireText(data, layout.RUBRIC));
  } catch (error) {
    throw error instanceof Refusal ? malformed(error.message, layout.RUBRIC) : error;
  }
  if (!areEqual(canonicalBytes(asJson(document)), await readDocument(state.container, layout.RUBRIC_CANONICAL))) {
    throw sealError("the rubric's two forms differ", layout.RUBRIC_CANONICAL);
  }
  const name = rubricName(rubric);
  const own = Object.hasOwn(state.bundledRubrics, name) ? state.bundledRubrics[name] : undefined;
  if (own !== undefined && own !== rubric.reference.sha256) {
    throw sealError(`this is not the ${name} that comes with this program`, layout.RUBRIC);
  }
  return rubric;
}

// YAML as JSON, with decimals as text.
function asJson(value: Yaml): unknown {
  if (value instanceof Numeral) return value.isInteger ? Number(value.text) : value.plain;
  if (Array.isArray(value)) return value.map(asJson);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, asJson(item)]));
  return value;
}

export async function checkStatement(state: State): Promise<string> {
  const system = await readCanonical(state, SYSTEM_FORM, layout.SYSTEM);
  state.system = system;
  const plan = await readCanonical(state, PLAN_FORM, layout.PLAN);
  state.plan = plan;
  const rubric = await readCheckedRubric(state);
  state.rubric = rubric;
  const label = await readLabel(state);
  state.label = label;
  await checkSystemPrompt(state, system.value);
  if (state.statement === undefined) throw new Skipped("no statement");
  const { predicate, subject, systemDigest } = state.statement;
  const key = established(state.signerKey);
  const claims: [string, string, string][] = [
    ["the manifest", predicate.manifest_sha256, established(state.manifest).digest],
    ["the system", systemDigest, system.digest],
    ["the system's name", subject.name, system.value.name],
    ["the system's identity", predicate.identity, system.value.identity],
    ["the plan", predicate.plan.sha256, plan.digest],
    ["the rubric", predicate.rubric.sha256, rubric.reference.sha256],
    ["the label", predicate.label_sha256, label.digest],
    ["the signer's key", predicate.issuer.keyid, key.keyid],
    ["the signer's name", predicate.issuer.name, key.name],
  ];
  for (const [what, signed, found] of claims) {
    if (signed !== found) throw sealError(`${what} is not the one that was signed`, layout.ATTESTATION);
  }
  return `about system ${system.digest.slice(7, 15)}, rubric ${rubricName(rubric)}`;
}

async function checkSystemPrompt(state: State, system: System): Promise<void> {
  if (!state.container.sizes.has(layout.SYSTEM_PROMPT)) return; // it may be kept private: its digest is bound
  const digest = digestOfBytes(await readDocument(state.container, layout.SYSTEM_PROMPT));
  if (digest !== system.system_prompt) throw sealError("the system prompt is not the system's", layout.SYSTEM_PROMPT);
}

// -- 5 --------------------------------------------------------------------------------------------------

export async function checkLog(state: State): Promise<string> {
  const { container, statement, trust } = state;
  const paths = [layout.PLAN_PROOF, layout.LABEL_PROOF, layout.LOG_KEY, layout.CONSISTENCY, layout.TIMESTAMP];
  const present = paths.find((path) => container.sizes.has(path));
  if (statement === undefined || present === undefined) {
    if (present !== undefined) throw sealError("log proofs without a signed statement", present);
    if (!state.shortOf.has("V1")) {
      state.shortOf.set("V1", "it is not in a log, so nothing shows that the plan came before the run");
    }
    throw new Skipped("no log entry");
  }
  const key = parsePublicFile(await readDocument(container, layout.LOG_KEY), layout.LOG_KEY);
  const planLeaf = leafOfEntry("verilabel.plan/v1", established(state.plan).digest);
  const planned = await openLogProof(state, layout.PLAN_PROOF, planLeaf, key);
  const labelled = await openLogProof(state, layout.LABEL_PROOF, leafOfEntry("verilabel.label/v1", statement.digest), key);
  const logIndex = statement.predicate.plan.log_index;
  if (logIndex === null || planned.index !== BigInt(logIndex) || planned.index >= labelled.index) {
    throw sealError("the plan was not logged before the label", layout.PLAN_PROOF);
  }
  const consistency = await readDocument(container, layout.CONSISTENCY);
  checkConsistency(consistency, planned.checkpoint, labelled.checkpoint, layout.CONSISTENCY);
  if (labelled.cosignatures.length === 0) state.flags.push("unwitnessed");
  if (trust === undefined || !trust.accepts({ key, role: "log" }).isAccepted) state.flags.push("log_unpinned");
  if (container.sizes.has(layout.TIMESTAMP)) state.flags.push("timestamp_unchecked"); // not checked by this page
  return `plan is entry ${planned.index}, label entry ${labelled.index} of ${key.name}`;
}

async function openLogProof(state: State, path: string, leaf: Uint8Array, key: PublicKey): Promise<OpenedProof> {
  const data = await readDocument(state.container, path);
  if (parseProof(data, path).hasExtra) throw sealError("the proof carries data that nothing authenticates", path);
  const { trust } = state;
  const opened = await openProof(data, leaf, key, trust?.keys("witness") ?? [], trust?.quorum ?? 0, path);
  if (opened.unknown > 0 && !state.flags.includes("unknown_cosignatures")) state.flags.push("unknown_cosignatures");
  return opened;
}
