// The vectors of sealed evidence: commitments, what stays open of an attempt, leaves, and what a challenge chooses.
import {
  attemptOf,
  chooseAnswers,
  commitmentOf,
  contradictionOf,
  Failure,
  Frontier,
  hexOf,
  leafHash,
  readRecord,
  withholdAttempt,
} from "./built.mjs";


const bytes = (text) => new TextEncoder().encode(text);
const spelled = (value) => JSON.stringify(value);

/** What keeps a line from standing for a withheld attempt: MalformedInput, SealError or nothing. */
function refusalOf(line) {
  try {
    const record = readRecord(line, "line");
    return record.kind === "sealed" && contradictionOf(attemptOf(record)) ? "SealError" : undefined;
  } catch (error) {
    if (error instanceof Failure) return error.kind;
    throw error;
  }
}

function checkEvidence(given) {
  const frontier = new Frontier();
  const leaves = given.lines.map((line) => {
    const leaf = leafHash(bytes(line));
    frontier.add(leaf);
    return hexOf(leaf);
  });
  const sealed = given.lines.map((line) => readRecord(line, "line")).filter(({ kind }) => kind === "sealed");
  const opened = given.openings.map(({ line, salt }) => commitmentOf(line, salt));
  const withheld = new Map();
  sealed.forEach(({ sample }, index) => withheld.set(sample, [...(withheld.get(sample) ?? []), index]));
  return [
    ["leaves", given.leaves, leaves],
    ["root", given.root, `sha256:${hexOf(frontier.root())}`],
    ["openings", sealed.map(({ commitment }) => commitment), opened],
    ["withheld", given.withheld, [...withheld]],
  ];
}

const CHECKS = {
  commitment: ({ line, salt, commitment }) => [["commitment", commitment, commitmentOf(line, salt)]],
  stub: ({ line, salt, sealed }) => [
    ["sealed", sealed, withholdAttempt(readRecord(line, "line"), commitmentOf(line, salt))],
    ["reading", undefined, refusalOf(sealed)],
  ],
  refused: ({ line, error }) => [["error", error, refusalOf(line)]],
  evidence: checkEvidence,
  choice: ({ challenge, withheld, nonce_sha256, chosen }) => {
    const found = chooseAnswers(challenge, withheld);
    return [
      ["nonce_sha256", nonce_sha256, found.nonce],
      ["chosen", chosen, found.chosen],
    ];
  },
};

export function* sealedDisagreements(given) {
  const check = CHECKS[given.kind];
  if (!check) {
    yield `a case of an unknown kind: ${given.kind}`;
    return;
  }
  for (const [what, expected, actual] of check(given)) {
    if (spelled(expected) !== spelled(actual)) {
      yield `${what}: the vector says ${spelled(expected)}, this gives ${spelled(actual)}`;
    }
  }
}
