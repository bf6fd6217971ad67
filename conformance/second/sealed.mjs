// Sealed evidence in a second implementation: commitments, what stays open of an attempt, leaves and choices.
// Only what docs/formats.md says under "A sealed bundle" is used, and Node's own SHA-256.
import { createHash } from "node:crypto";

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();
const hex = (text) => Buffer.from(text, "hex");
const rootBytes = (digest) => hex(digest.slice("sha256:".length));
const ZERO = Buffer.from([0]);
const ONE = Buffer.from([1]);

const commitmentOf = (line, salt) => `sha256:${sha256(ZERO, hex(salt), line).toString("hex")}`;

/** The public line of a withheld attempt: fields in the format's order, those with default values left out. */
function stubOf(line, commitment) {
  const attempt = JSON.parse(line);
  const failure = attempt.failure;
  const said = failure !== undefined && Boolean(attempt.response || attempt.response_base64);
  const stub = { kind: "sealed" };
  const put = (key, value) => {
    if (value !== undefined && value !== false) stub[key] = value;
  };
  for (const key of ["suite", "sample", "epoch", "attempt"]) stub[key] = attempt[key];
  stub.commitment = commitment;
  put("judge", attempt.judge);
  put("answered", attempt.output !== undefined);
  put("said", said);
  for (const key of ["status", "finish", "served_model", "fingerprint", "usage"]) put(key, attempt[key]);
  if (failure !== undefined) {
    stub.failure = { kind: failure.kind };
    if (failure.retryable) stub.failure.retryable = true;
    if (failure.fatal) stub.failure.fatal = true;
  }
  return JSON.stringify(stub);
}

const FIELDS = {
  kind: (v) => v === "sealed",
  suite: isText,
  sample: isText,
  epoch: Number.isSafeInteger,
  attempt: Number.isSafeInteger,
  commitment: (v) => isText(v) && /^sha256:[0-9a-f]{64}$/.test(v),
  judge: isText,
  answered: (v) => v === true,
  said: (v) => v === true,
  status: Number.isSafeInteger,
  finish: isText,
  served_model: isText,
  fingerprint: isText,
  usage: (v) => hasOnly(v, { input_tokens: isCount, output_tokens: isCount }),
  failure: (v) => hasOnly(v, { kind: isText, retryable: (x) => x === true, fatal: (x) => x === true }) && isText(v.kind),
};
const NEEDED = ["kind", "suite", "sample", "epoch", "attempt", "commitment"];

function isText(value) {
  return typeof value === "string";
}

function isCount(value) {
  return Number.isSafeInteger(value) && value !== 0;
}

function hasOnly(value, fields) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const order = Object.keys(fields);
  const places = Object.keys(value).map((key) => order.indexOf(key));
  if (places.some((place, index) => place < 0 || (index > 0 && place <= places[index - 1]))) return false;
  return Object.entries(value).every(([key, item]) => fields[key](item));
}

/** The kind of refusal of a sealed line, or null where it stands. */
function refusalOf(line) {
  let record;
  try {
    record = JSON.parse(line);
  } catch {
    return "MalformedInput";
  }
  if (!hasOnly(record, FIELDS) || NEEDED.some((key) => !(key in record))) return "MalformedInput";
  if (JSON.stringify(record) !== line) return "MalformedInput";
  const contradicts = Boolean(record.answered) === Boolean(record.failure) || (record.answered && record.said);
  return contradicts ? "SealError" : null;
}

function rootOf(leaves) {
  let level = leaves;
  while (level.length > 1) {
    const above = [];
    for (let i = 0; i + 1 < level.length; i += 2) above.push(sha256(ONE, level[i], level[i + 1]));
    if (level.length % 2) above.push(level[level.length - 1]);
    level = above;
  }
  return `sha256:${level[0].toString("hex")}`;
}

function nonceBytes(nonce) {
  if (nonce.kind === "text") return Buffer.from(nonce.text, "utf8");
  const note = nonce.checkpoint;
  return Buffer.from(note.slice(0, note.lastIndexOf("\n\n") + 1), "utf8");
}

function chosenBy(challenge, withheld) {
  const seed = Buffer.concat([sha256(nonceBytes(challenge.nonce)), rootBytes(challenge.root)]);
  const ranked = [];
  for (let number = 0; number < withheld; number += 1) {
    const place = Buffer.alloc(8);
    place.writeBigUInt64BE(BigInt(number));
    ranked.push([sha256(seed, place), number]);
  }
  ranked.sort((a, b) => Buffer.compare(a[0], b[0]));
  return ranked
    .slice(0, challenge.k)
    .map(([, number]) => number)
    .sort((a, b) => a - b);
}

function withheldAnswers(lines) {
  const answers = [];
  let count = 0;
  for (const line of lines) {
    const record = JSON.parse(line);
    if (record.kind !== "sealed") continue;
    if (answers.length === 0 || answers[answers.length - 1][0] !== record.sample) answers.push([record.sample, []]);
    answers[answers.length - 1][1].push(count);
    count += 1;
  }
  return answers;
}

function* evidenceFacts(given) {
  const leaves = given.lines.map((line) => sha256(ZERO, line));
  yield ["leaves", given.leaves, leaves.map((leaf) => leaf.toString("hex"))];
  yield ["root", given.root, rootOf(leaves)];
  yield ["withheld", given.withheld, withheldAnswers(given.lines)];
  const sealed = given.lines.filter((line) => JSON.parse(line).kind === "sealed");
  const derived = given.openings.map(({ line, salt }) => stubOf(line, commitmentOf(line, salt)));
  yield ["openings", sealed, derived];
}

function* facts(given) {
  if (given.kind === "commitment") yield ["commitment", given.commitment, commitmentOf(given.line, given.salt)];
  else if (given.kind === "stub") {
    yield ["sealed", given.sealed, stubOf(given.line, commitmentOf(given.line, given.salt))];
    yield ["sealed", null, refusalOf(given.sealed)];
  } else if (given.kind === "refused") yield ["error", given.error, refusalOf(given.line)];
  else if (given.kind === "evidence") yield* evidenceFacts(given);
  else if (given.kind === "choice") {
    const challenge = JSON.parse(given.challenge);
    yield ["nonce_sha256", given.nonce_sha256, sha256(nonceBytes(challenge.nonce)).toString("hex")];
    yield ["chosen", given.chosen, chosenBy(challenge, given.withheld)];
  } else yield ["kind", "a known kind", given.kind];
}

/** What this implementation says otherwise than a case of `sealed.json`, in words. */
export function* sealedDisagreements(given) {
  for (const [path, expected, actual] of facts(given)) {
    const [said, found] = [JSON.stringify(expected), JSON.stringify(actual)];
    if (said !== found) yield `${path}: the vector says ${said}, this gives ${found}`;
  }
}
