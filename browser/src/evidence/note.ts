// Signed notes of C2SP: checkpoints of logs, cosignatures of witnesses, portable log proofs, and consistency proofs.
import { Failure, malformed, quote, sealError } from "../errors.ts";
import { areEqual, encodeText, hexOf, readBase64, requireText } from "../records/bytes.ts";
import { canonicalBytes, isObject, parseJson } from "../records/json.ts";
import { checkKeyName, COSIGNATURE, ED25519, type PublicKey, verifySignature } from "./keys.ts";
import { HASH_BYTES, MAX_LEAVES, MAX_PROOF_HASHES, verifyConsistency, verifyInclusion } from "./merkle.ts";

const MAX_NOTE_BYTES = 256 * 1024;
const MAX_NOTE_SIGNATURES = 64;
const MAX_EXTRA_BYTES = 64 * 1024;
const MAX_TIME = 2n ** 63n - 1n;
const PROOF_HEADER = "c2sp.org/tlog-proof@v1";
const DASH = "— ";

interface NoteSignature {
  name: string;
  noteHash: string;
  signature: Uint8Array;
}

interface Note {
  text: string;
  signatures: NoteSignature[];
}

export interface Cosignature {
  key: PublicKey;
  time: bigint;
}

export interface Checkpoint {
  origin: string;
  size: bigint;
  root: Uint8Array;
}

export interface OpenedProof {
  index: bigint;
  checkpoint: Checkpoint;
  logKey: PublicKey;
  cosignatures: Cosignature[];
  unknown: number;
}

function requireNoteText(data: Uint8Array, where: string): string {
  const text = requireText(data, where);
  if (/[\u0000-\u0009\u000b-\u001f]/.test(text)) throw malformed("a control character in a note", where);
  return text;
}

function parseSignature(line: string, where: string): NoteSignature {
  const parts = line.slice(DASH.length).split(" ");
  if (!line.startsWith(DASH) || parts.length !== 2) {
    throw malformed("not a signature line: a dash, a key name, base64", where);
  }
  const [name = "", encoded = ""] = parts;
  checkKeyName(name, where);
  const data = readBase64(encoded, "the signature", where);
  if (data.length <= 4) throw malformed("a signature without bytes", where);
  return { name, noteHash: hexOf(data.subarray(0, 4)), signature: data.slice(4) };
}

/** Take a note apart without verifying it (C2SP signed-note, Format). */
function parseNote(data: Uint8Array, where: string): Note {
  if (data.length > MAX_NOTE_BYTES) {
    throw malformed(`a note of ${data.length} bytes, the limit is ${MAX_NOTE_BYTES}`, where);
  }
  const whole = requireNoteText(data, where);
  const split = whole.lastIndexOf("\n\n");
  if (split < 0 || !whole.endsWith("\n")) {
    throw malformed("not a signed note: text, an empty line, signature lines", where);
  }
  const lines = whole.slice(split + 2).split("\n").slice(0, -1);
  if (lines.length < 1 || lines.length > MAX_NOTE_SIGNATURES) {
    throw malformed(`a note with ${lines.length} signature lines`, where);
  }
  const signatures = lines.map((line, i) => parseSignature(line, `${where}: signature ${i + 1}`));
  if (new Set(signatures.map((s) => `${s.name} ${s.noteHash}`)).size !== signatures.length) {
    throw malformed("two signatures of the same key", where);
  }
  return { text: whole.slice(0, split + 1), signatures };
}

async function verifyCosignature(text: string, { signature }: NoteSignature, key: PublicKey, where: string): Promise<Cosignature> {
  if (signature.length !== 8 + 64) throw sealError(`the cosignature of ${key.name} has the wrong length`, where);
  const time = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0);
  if (time > MAX_TIME) throw sealError(`the cosignature of ${key.name} has an impossible time`, where);
  await verifySignature(key, signature.slice(8), encodeText(`cosignature/v1\ntime ${time}\n${text}`), where);
  return { key, time };
}

interface OpenedNote {
  text: string;
  signers: PublicKey[];
  cosignatures: Cosignature[];
  unknown: number;
}

/** Verify a note with the keys one knows; a key is known by its name and key id together. */
async function openNote(data: Uint8Array, keys: readonly PublicKey[], where: string): Promise<OpenedNote> {
  const note = parseNote(data, where);
  const known = new Map(keys.map((key) => [`${key.name} ${key.noteHash}`, key]));
  const opened: OpenedNote = { text: note.text, signers: [], cosignatures: [], unknown: 0 };
  for (const signature of note.signatures) {
    const key = known.get(`${signature.name} ${signature.noteHash}`);
    if (key === undefined) opened.unknown += 1;
    else if (key.type === COSIGNATURE) {
      opened.cosignatures.push(await verifyCosignature(note.text, signature, key, where));
    } else {
      await verifySignature(key, signature.signature, encodeText(note.text), where);
      opened.signers.push(key);
    }
  }
  if (opened.signers.length + opened.cosignatures.length === 0) {
    const by = note.signatures.slice(0, 4).map((s) => `${s.name}+${s.noteHash}`);
    throw sealError("no known key signed this note", where, `signed by ${by.join(", ")}`);
  }
  return opened;
}

function parseDecimal(text: string, where: string): bigint {
  const isNumber = /^(?:0|[1-9][0-9]{0,18})$/.test(text);
  if (!isNumber || BigInt(text) > MAX_LEAVES) {
    throw malformed(`${quote(text.slice(0, 40))} is not a number in plain decimal digits`, where);
  }
  return BigInt(text);
}

/** The text of a checkpoint note: origin, size, root, further lines that mean nothing here. */
function parseCheckpoint(text: string, where: string): Checkpoint {
  const lines = text.split("\n");
  const content = lines.slice(0, -1);
  if (lines.length < 4 || lines.at(-1) !== "" || content.includes("")) {
    throw malformed("a checkpoint has three lines or more: origin, size, root", where);
  }
  const [origin = "", size = "", encoded = ""] = content;
  const root = readBase64(encoded, "the root", where);
  if (root.length !== HASH_BYTES) throw malformed(`the root has ${root.length} bytes, not ${HASH_BYTES}`, where);
  return { origin, size: parseDecimal(size, where), root };
}

interface Proof {
  index: bigint;
  path: Uint8Array[];
  checkpointNote: Uint8Array;
  hasExtra: boolean;
}

function findBlankLine(data: Uint8Array): number {
  for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, at + 1)) if (data[at + 1] === 10) return at;
  return -1;
}

/** Take a proof apart without verifying it (C2SP tlog-proof). */
export function parseProof(data: Uint8Array, where: string): Proof {
  if (data.length > MAX_NOTE_BYTES + 2 * MAX_EXTRA_BYTES) throw malformed(`a proof of ${data.length} bytes`, where);
  const end = findBlankLine(data);
  const [header, ...rest] = requireNoteText(end < 0 ? data : data.subarray(0, end), where).split("\n");
  if (end < 0 || header !== PROOF_HEADER) throw malformed(`not a proof: its first line is not ${PROOF_HEADER}`, where);
  const hasExtra = rest[0]?.startsWith("extra ") ?? false;
  if (hasExtra) readBase64((rest.shift() as string).slice("extra ".length), "the extra data", where);
  const first = rest.shift();
  if (!first?.startsWith("index ")) throw malformed("a proof without an index", where);
  const index = parseDecimal(first.slice("index ".length), where);
  const path = rest.map((line) => readBase64(line, "a hash of the proof", where));
  if (path.length > MAX_PROOF_HASHES || path.some((item) => item.length !== HASH_BYTES)) {
    throw malformed("an inclusion proof is at most 64 hashes of 32 bytes", where);
  }
  const checkpointNote = data.slice(end + 2);
  parseNote(checkpointNote, where);
  return { index, path, checkpointNote, hasExtra };
}

function countWitnesses(cosignatures: readonly Cosignature[], logKey: PublicKey, quorum: number, where: string): void {
  const independent = new Set(cosignatures.map(({ key }) => hexOf(key.raw)));
  independent.delete(hexOf(logKey.raw));
  if (independent.size < quorum) {
    throw sealError(`${independent.size} known witnesses cosigned, ${quorum} are asked for`, where);
  }
}

/**
 * Verify offline that a leaf is in a log whose key one knows: 1 the form, 2 the log's signature and every known
 * cosignature, 3 as many different witnesses as asked for, 4 the inclusion proof.
 */
export async function openProof(
  data: Uint8Array,
  leaf: Uint8Array,
  logKey: PublicKey,
  witnesses: readonly PublicKey[],
  quorum: number,
  where: string,
): Promise<OpenedProof> {
  const proof = parseProof(data, where); // 1
  const keys = [logKey, ...witnesses].filter((key) => key !== logKey || key.type === ED25519);
  const opened = await openNote(proof.checkpointNote, keys, where); // 2
  const checkpoint = parseCheckpoint(opened.text, where);
  const signer = opened.signers.find((key) => key.name === checkpoint.origin);
  if (signer === undefined) throw sealError(`the log ${checkpoint.origin} did not sign this checkpoint itself`, where);
  countWitnesses(opened.cosignatures, signer, quorum, where); // 3
  try {
    verifyInclusion(leaf, proof.index, checkpoint.size, proof.path, checkpoint.root); // 4
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw sealError(error.message, where, "the log does not hold what this proof is for");
  }
  return { index: proof.index, checkpoint, logKey: signer, cosignatures: opened.cosignatures, unknown: opened.unknown };
}

/** Check the file of a consistency proof against two checkpoints whose signatures were verified. */
export function checkConsistency(data: Uint8Array, old: Checkpoint, now: Checkpoint, where: string): void {
  const document = parseJson(data, where);
  const names = ["from", "to", "proof"];
  const isForm = isObject(document) && document.size === 3 && names.every((name) => document.has(name));
  if (!isForm || !areEqual(canonicalBytes(document), data)) {
    throw malformed("not a consistency proof in canonical form", where);
  }
  const [from, to, hashes] = names.map((name) => document.get(name));
  if (typeof from !== "number" || typeof to !== "number") throw malformed("a size is not a number", where);
  if (BigInt(from) !== old.size || BigInt(to) !== now.size || old.origin !== now.origin) {
    throw sealError("the proof is not between the two checkpoints", where);
  }
  if (!Array.isArray(hashes) || !hashes.every((item) => typeof item === "string")) {
    throw malformed("the proof is not a list of hashes", where);
  }
  const path = hashes.map((item) => readBase64(item, "a hash", where));
  try {
    verifyConsistency(old.size, now.size, path, old.root, now.root);
  } catch (error) {
    throw error instanceof Failure ? sealError(error.message, where) : error;
  }
}
