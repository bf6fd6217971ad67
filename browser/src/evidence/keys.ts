// Ed25519 public keys as one canonical line (a verifier key of C2SP signed-note), and signatures by them.
import { malformed, quote, sealError } from "../errors.ts";
import { decodeText, digestOfBytes, encodeText, hexOf, joinBytes, readBase64, sha256, writeBase64 } from "../records/bytes.ts";

const MAX_PUBLIC_LINE = 1024;
const SPKI_PREFIX = Uint8Array.from([0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]);
const FIELD = 2n ** 255n - 19n;
/** y of the eight points whose order divides 8: anyone can make signatures that such a "key" accepts. */
const SMALL_ORDER_Y = new Set([
  0n,
  1n,
  FIELD - 1n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd83d3d706a17c7n,
]);

/** 1: a note's text, and every envelope. 4: a witness's cosignature of a checkpoint. */
export type KeyType = 1 | 4;
export const ED25519: KeyType = 1;
export const COSIGNATURE: KeyType = 4;

/** A public key with its name; `keyid` is the same under every name and type. */
export interface PublicKey {
  readonly name: string;
  readonly raw: Uint8Array;
  readonly type: KeyType;
  readonly keyid: string;
  readonly noteHash: string;
  readonly line: string;
}

/** Check a key's name as C2SP signed-note asks: not empty; no space, plus or control character. */
export function checkKeyName(name: string, where?: string): void {
  if (name === "" || /[\p{White_Space}\u0000-\u001f\u007f+\u001c-\u001f]/u.test(name)) {
    throw malformed(`${quote(name)} cannot name a key`, where, "a word or an address such as labels.example.org");
  }
  if (!name.isWellFormed()) throw malformed("a key's name is not valid Unicode", where);
}

function checkPoint(raw: Uint8Array, where?: string): void {
  if (raw.length !== 32) throw malformed(`an Ed25519 public key has 32 bytes, this one ${raw.length}`, where);
  const y = BigInt(`0x${hexOf(raw.slice().reverse())}`) & (2n ** 255n - 1n);
  if (y >= FIELD || SMALL_ORDER_Y.has(y)) {
    throw malformed("the public key is one that accepts signatures from anyone, or is written irregularly", where);
  }
}

/** A key from its parts. Refuses names and points that cannot be. */
export function makeKey(name: string, raw: Uint8Array, type: KeyType, where?: string): PublicKey {
  checkKeyName(name, where);
  checkPoint(raw, where);
  const material = joinBytes(Uint8Array.of(type), raw);
  const noteHash = hexOf(sha256(joinBytes(encodeText(`${name}\n`), material)).subarray(0, 4));
  const line = `${name}+${noteHash}+${writeBase64(material)}`;
  return { name, raw, type, noteHash, line, keyid: digestOfBytes(joinBytes(SPKI_PREFIX, raw)) };
}

/** The same key for the other kind of note signature. */
export const ofType = (key: PublicKey, type: KeyType): PublicKey => makeKey(key.name, key.raw, type);

/** A public line (without newline) in exactly the form that it is written in. */
export function parsePublic(line: string, where?: string): PublicKey {
  const [name, , ...rest] = line.split("+");
  if (line.length > MAX_PUBLIC_LINE || name === undefined || rest.length === 0) {
    throw malformed("not a public key line", where, "NAME+HASH+BASE64, as `keys export` prints it");
  }
  checkKeyName(name, where);
  const material = readBase64(rest.join("+"), "the public key", where);
  const type = material[0] ?? 0;
  if (type !== ED25519 && type !== COSIGNATURE) {
    const code = `0x${type.toString(16).padStart(2, "0")}`;
    throw malformed(`keys of type ${code} are not supported`, where, "Ed25519: types 0x01 and 0x04");
  }
  const key = makeKey(name, material.slice(1), type, where);
  if (key.line !== line) throw malformed("the public key line does not match its own hash", where);
  return key;
}

/** The exact bytes of a public key file. */
export function parsePublicFile(data: Uint8Array, where: string): PublicKey {
  if (data.length > MAX_PUBLIC_LINE + 1 || data.at(-1) !== 10) {
    throw malformed("a public key file is one line that ends in a newline", where);
  }
  const line = decodeText(data.subarray(0, -1));
  if (line === undefined) throw malformed("not UTF-8", where);
  return parsePublic(line, where);
}

/** Check an Ed25519 signature (RFC 8032). Refuses one that does not hold. */
export async function verifySignature(
  key: PublicKey,
  signature: Uint8Array,
  message: Uint8Array,
  where: string,
): Promise<void> {
  const bytes = (data: Uint8Array): Uint8Array<ArrayBuffer> => data as Uint8Array<ArrayBuffer>;
  let holds = false;
  try {
    const imported = await crypto.subtle.importKey("raw", bytes(key.raw), { name: "Ed25519" }, false, ["verify"]);
    holds = await crypto.subtle.verify({ name: "Ed25519" }, imported, bytes(signature), bytes(message));
  } catch (error) {
    if ((error as Error).name === "NotSupportedError") throw new Error("this browser cannot check Ed25519 signatures");
  }
  if (!holds) throw sealError(`the signature does not verify with the key ${key.name} (${key.keyid})`, where);
}
