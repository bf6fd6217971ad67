// The vectors of step 11: what others signed about one label, and which of it counts under which trust policy.
import { Failure, parseSigned, parseTrust, verifyBundle } from "./built.mjs";

const bytes = (text) => new TextEncoder().encode(text);
const spelled = (value) => JSON.stringify(value);

function entryOf([path, text]) {
  const data = bytes(text);
  return { path, source: { size: data.length, read: async (start, end) => data.subarray(start, end) } };
}

/** A finding in the fields that the vectors have. */
function findingOf({ level, flags, lackingForV4, steps, failure, statements }) {
  return {
    level,
    flags,
    lacking_for_v4: lackingForV4,
    failed_step: steps.find(({ outcome }) => outcome === "failed")?.number ?? null,
    error: failure?.kind ?? null,
    statements: statements.map(({ kind, digest, signer, counts, why, logged }) => ({
      kind,
      digest,
      signer,
      counts,
      why,
      logged,
    })),
  };
}

async function* readingDisagreements(given, { bundle, policies, statements }) {
  const enclosed = Object.entries(given.enclosed).map(([path, name]) => [path, statements[name]]);
  const beside = given.beside.map((name) => parseSigned(bytes(statements[name]), name));
  const opening = { name: "bundle", folder: [...Object.entries(bundle), ...enclosed].map(entryOf) };
  const { verification } = await verifyBundle(opening, {
    now: Date.parse(given.now),
    trust: given.policy === null ? undefined : parseTrust(bytes(policies[given.policy]), given.policy),
    beside: await Promise.all(beside),
  });
  const found = findingOf(verification);
  for (const [what, expected] of Object.entries(given.found)) {
    if (spelled(expected) !== spelled(found[what])) {
      yield `${what}: the vector says ${spelled(expected)}, this gives ${spelled(found[what])}`;
    }
  }
}

async function* refusedDisagreements({ file, error }, read) {
  let given = null;
  try {
    await read(bytes(file), "file");
  } catch (refusal) {
    if (!(refusal instanceof Failure)) throw refusal;
    given = refusal.kind;
  }
  if (given !== error) yield `error: the vector says ${spelled(error)}, this gives ${spelled(given)}`;
}

const CHECKS = {
  reading: readingDisagreements,
  "refused-statement": (given) => refusedDisagreements(given, parseSigned),
  "refused-policy": (given) => refusedDisagreements(given, parseTrust),
};

export async function* statementDisagreements(given, document) {
  const check = CHECKS[given.kind];
  if (check) yield* check(given, document);
  else yield `a case of an unknown kind: ${given.kind}`;
}
