// What programs outside the page use of this implementation: the decision, the strict readers, the verifier.
export { arithmetic } from "./decision/bounds.ts";
export { decideCase } from "./decision/decide.ts";
export { Refusal } from "./decision/refusal.ts";
export { Failure } from "./errors.ts";
export { canonicalText, digestOf } from "./records/json.ts";
export { parseSigned } from "./evidence/attestation.ts";
export { parseTrust } from "./evidence/trust.ts";
export { readYaml } from "./records/yaml.ts";
export { verifyBundle } from "./verifier/verifier.ts";
export { parseIndex } from "./evidence/suite_index.ts";
export { attemptOf, readRecord } from "./evidence/lines.ts";
export { Frontier, leafHash } from "./evidence/merkle.ts";
export { chooseAnswers, commitmentOf, contradictionOf, withholdAttempt } from "./evidence/sealed.ts";
export { hexOf } from "./records/bytes.ts";
export { Numeral } from "./records/yaml.ts";
export { parseJson } from "./records/json.ts";
