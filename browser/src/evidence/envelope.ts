// Signed envelopes: DSSE v1 over Ed25519, in the one form in which no byte can be changed unnoticed.
import { Failure, quote, sealError } from "../errors.ts";
import { areEqual, encodeText, joinBytes, readBase64 } from "../records/bytes.ts";
import { canonicalText, isObject, type Json, type JsonObject, parseJson } from "../records/json.ts";
import { type PublicKey, verifySignature } from "./keys.ts";

const IN_TOTO = "application/vnd.in-toto+json";
export const MAX_ENVELOPE_BYTES = 8 * 2 ** 20;
const MAX_SIGNATURES = 16;

/** The bytes that are signed: the Pre-Authentication Encoding of DSSE v1. */
function preAuthenticationEncoding(type: string, payload: Uint8Array): Uint8Array {
  const kind = encodeText(type);
  return joinBytes(encodeText(`DSSEv1 ${kind.length} `), kind, encodeText(` ${payload.length} `), payload);
}

function requireFields(value: Json | undefined, fields: Record<string, "string" | "list">, where: string): JsonObject {
  const names = Object.keys(fields);
  if (!isObject(value) || value.size !== names.length || !names.every((name) => value.has(name))) {
    throw sealError(`not an object with exactly ${names.join(", ")}`, where);
  }
  for (const name of names) {
    const item = value.get(name);
    const fits = fields[name] === "list" ? Array.isArray(item) : typeof item === "string";
    if (!fits) throw sealError("a value of the wrong type", `${where}.${name}`);
  }
  return value;
}

function parseEnvelope(data: Uint8Array, where: string): JsonObject {
  const limits = { maxBytes: MAX_ENVELOPE_BYTES, maxDepth: 4 };
  const parsed = parseJson(data, where, limits);
  const document = requireFields(parsed, { payload: "string", payloadType: "string", signatures: "list" }, `${where}: $`);
  const signatures = document.get("signatures") as Json[];
  if (signatures.length < 1 || signatures.length > MAX_SIGNATURES) {
    throw sealError(`the envelope has ${signatures.length} signatures`, `${where}: $.signatures`);
  }
  signatures.forEach((item, i) => requireFields(item, { keyid: "string", sig: "string" }, `${where}: $.signatures[${i}]`));
  if (!areEqual(encodeText(`${canonicalText(document)}\n`), data)) {
    throw sealError("the envelope is not in its canonical form", where);
  }
  return document;
}

async function verifyAll(signatures: Json[], message: Uint8Array, keys: readonly PublicKey[], where: string): Promise<void> {
  const known = new Map(keys.map((key) => [key.keyid, key]));
  for (const [index, item] of signatures.entries()) {
    const place = `${where}: $.signatures[${index}]`;
    const keyid = (item as JsonObject).get("keyid") as string;
    const key = known.get(keyid);
    if (key === undefined) {
      throw sealError(`signed by a key that was not given, or twice by one: ${quote(keyid.slice(0, 80))}`, place);
    }
    known.delete(keyid);
    const signature = readBase64((item as JsonObject).get("sig") as string, "the signature", `${place}.sig`);
    await verifySignature(key, signature, message, place);
  }
}

/** Verify an envelope and only then give out its payload, unparsed. Every signature must hold. */
export async function openEnvelope(data: Uint8Array, keys: readonly PublicKey[], where: string): Promise<Uint8Array> {
  try {
    const document = parseEnvelope(data, where);
    if (document.get("payloadType") !== IN_TOTO) {
      throw sealError("the envelope holds another type of payload", `${where}: $.payloadType`);
    }
    const payload = readBase64(document.get("payload") as string, "the payload", `${where}: $.payload`);
    const message = preAuthenticationEncoding(IN_TOTO, payload);
    await verifyAll(document.get("signatures") as Json[], message, keys, where);
    return payload;
  } catch (error) {
    if (error instanceof Failure && error.kind !== "SealError") throw sealError(error.message, error.where, error.hint);
    throw error;
  }
}
