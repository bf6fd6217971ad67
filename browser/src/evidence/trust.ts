// Trust policies: whose signature counts, for which role, within which scope. Nothing is trusted by default.
//
// Sigstore identities are read and never match here: this page verifies keys alone.
import { malformed, quote } from "../errors.ts";
import { hexOf } from "../records/bytes.ts";
import { foldName, isBlank } from "../records/wording.ts";
import { isMap, Numeral, parseYaml, type Yaml, type YamlMap } from "../records/yaml.ts";
import { COSIGNATURE, ED25519, ofType, parsePublic, type PublicKey } from "./keys.ts";
import { matches } from "./patterns.ts";

const TRUST_FORMAT = "verilabel/trust/v1";
const MAX_TRUST_BYTES = 2 ** 20;
const MAX_RULES = 10_000;
const MAX_QUORUM = 64;
const MAX_IDENTITY = 2048;
/** Roots of trust for Sigstore and for time stamps: read by the command line, not by this page. */
const ANCHORS = ["sigstore_trusted_root", "timestamp_authorities"];
const RULES = "any, all, key, sigstore, within or unsafe_accept_any_key";

export type Role = "labels" | "log" | "witness" | "replications" | "disputes" | "attestations" | "audits";
const ROLES: readonly Role[] = ["labels", "log", "witness", "replications", "disputes", "attestations", "audits"];
const SCOPED: ReadonlySet<Role> = new Set(["labels", "replications", "disputes", "attestations", "audits"]);

/** A key that counts: what the policy calls its holder, and every name that it gives them. */
export interface Accepted {
  isAccepted: true;
  name: string;
  /** False where nothing but a rule that takes any key accepts it: the policy then does not say whose it is. */
  isNamed: boolean;
  /** The names without differences of case and spacing. */
  holders: ReadonlySet<string>;
}

export type Decision = Accepted | { isAccepted: false; reason: string };

interface Scope {
  roles: ReadonlySet<Role> | undefined;
  rubrics: readonly string[] | undefined;
  systems: readonly string[] | undefined;
}

type Rule =
  | { kind: "key"; key: PublicKey; name: string; scope: Scope }
  | { kind: "identity"; name: string; scope: Scope }
  | { kind: "within"; scope: Scope; rule: Rule }
  | { kind: "any" | "all"; rules: readonly Rule[] }
  | { kind: "anyone" };

/** Does this key count in this role, for this rubric and this system? */
export interface Question {
  key: PublicKey;
  role: Role;
  rubric?: string;
  system?: string;
}

export interface TrustPolicy {
  quorum: number;
  acceptsAnyKey: boolean;
  /** True where a Sigstore identity is named for labels: this page cannot check one. */
  namesIdentities: boolean;
  accepts(question: Question): Decision;
  /** The keys that the policy names for a role, of the type in which that role signs notes. */
  keys(role: Role): PublicKey[];
}

const accepted = (name: string, isNamed = true, holders = [foldName(name)]): Accepted => ({
  isAccepted: true,
  name,
  isNamed,
  holders: new Set(holders),
});
const refused = (reason: string): Decision => ({ isAccepted: false, reason });

function refusalOf(scope: Scope, question: Question): string | undefined {
  if (scope.roles !== undefined && !scope.roles.has(question.role)) return `not for the role ${question.role}`;
  if (!SCOPED.has(question.role)) return undefined;
  for (const [what, patterns, value] of [
    ["rubric", scope.rubrics, question.rubric],
    ["system", scope.systems, question.system],
  ] as const) {
    if (patterns === undefined) continue;
    if (value === undefined || !patterns.some((pattern) => matches(value, pattern))) {
      return `not for the ${what} ${value ?? "None"}`;
    }
  }
  return undefined;
}

function decideAny(rules: readonly Rule[], question: Question): Decision {
  const decisions = rules.map((rule) => decideRule(rule, question));
  const taken = decisions.filter((decision) => decision.isAccepted);
  const first = taken.find(({ isNamed }) => isNamed) ?? taken[0];
  if (first !== undefined) return first;
  const refusals = decisions;
  const telling = refusals.find((decision) => !decision.isAccepted && decision.reason.includes("counts, but"));
  return telling ?? refusals[0] ?? refused("no rule");
}

function decideAll(rules: readonly Rule[], question: Question): Decision {
  const every: Accepted[] = [];
  for (const rule of rules) {
    const decision = decideRule(rule, question);
    if (!decision.isAccepted) return decision;
    every.push(decision);
  }
  if (every.length === 0) return refused("no rule");
  const named = every.filter(({ isNamed }) => isNamed);
  const holders = (named.length > 0 ? named : every).flatMap((decision) => [...decision.holders]);
  return accepted([...new Set(every.map(({ name }) => name))].join(", "), named.length > 0, holders);
}

function decideRule(rule: Rule, question: Question): Decision {
  switch (rule.kind) {
    case "anyone":
      return accepted(`anyone (unsafe): ${question.key.name}`, false);
    case "any":
      return decideAny(rule.rules, question);
    case "all":
      return decideAll(rule.rules, question);
    case "identity":
      return refused("not a key of this policy");
    case "key": {
      if (hexOf(rule.key.raw) !== hexOf(question.key.raw)) return refused("not a key of this policy");
      const outside = refusalOf(rule.scope, question);
      return outside === undefined ? accepted(rule.name) : refused(`${rule.name} counts, but ${outside}`);
    }
    case "within": {
      const decision = decideRule(rule.rule, question);
      const outside = refusalOf(rule.scope, question);
      if (outside === undefined || !decision.isAccepted) return decision;
      return refused(`${decision.name} counts, but ${outside}`);
    }
  }
}

function* partsOf(rule: Rule): Generator<Rule> {
  yield rule;
  if (rule.kind === "within") yield* partsOf(rule.rule);
  if (rule.kind === "any" || rule.kind === "all") for (const part of rule.rules) yield* partsOf(part);
}

function fieldsOf(value: Yaml | undefined, where: string, required: readonly string[], optional: readonly string[]): YamlMap {
  if (!isMap(value)) throw malformed("not a mapping", where);
  const missing = required.filter((name) => !value.has(name)).sort();
  const unknown = [...value.keys()].filter((name) => !required.includes(name) && !optional.includes(name)).sort();
  if (missing[0] !== undefined) throw malformed(`${quote(missing[0])} is missing`, where);
  if (unknown[0] !== undefined) {
    throw malformed(`no field ${quote(unknown[0])}`, where, [...required, ...optional].sort().join(", "));
  }
  return value;
}

function textOf(fields: YamlMap, name: string, where: string): string {
  const value = fields.get(name);
  if (typeof value !== "string" || isBlank(value) || [...value].length > MAX_IDENTITY) {
    throw malformed("not a text", `${where}.${name}`);
  }
  return value;
}

function textsOf(value: Yaml | undefined, where: string): string[] {
  if (!Array.isArray(value) || value.length === 0 || !value.every((item) => typeof item === "string" && item !== "")) {
    throw malformed("not a list of at least one text", where);
  }
  return value as string[];
}

function parseScope(fields: YamlMap, where: string): Scope {
  const patterns = (name: string): string[] | undefined =>
    fields.has(name) ? textsOf(fields.get(name), `${where}.${name}`) : undefined;
  let roles: Set<Role> | undefined;
  const given = patterns("roles");
  if (given !== undefined) {
    roles = new Set(ROLES.filter((role) => given.includes(role)));
    if (roles.size !== given.length) throw malformed("an unknown role, or one twice", `${where}.roles`, ROLES.join(", "));
  }
  return { roles, rubrics: patterns("rubrics"), systems: patterns("systems") };
}

function parseLimitedScope(fields: YamlMap, where: string): Scope {
  const scope = parseScope(fields, where);
  const isLimited = scope.rubrics !== undefined || scope.systems !== undefined;
  if (isLimited && ![...(scope.roles ?? [])].some((role) => SCOPED.has(role))) {
    throw malformed(`rubrics and systems limit the roles ${[...SCOPED].join(", ")}`, where);
  }
  return scope;
}

function parseKeyRule(value: YamlMap, where: string): Rule {
  const fields = fieldsOf(value, where, ["key", "name", "roles"], ["rubrics", "systems"]);
  const key = parsePublic(textOf(fields, "key", where), `${where}.key`);
  const name = textOf(fields, "name", where);
  const scope = parseLimitedScope(fields, where);
  if (key.type === COSIGNATURE && !(scope.roles?.size === 1 && scope.roles.has("witness"))) {
    throw malformed("a witness's key counts for the role witness alone", `${where}.roles`);
  }
  return { kind: "key", key, name, scope };
}

function parseIdentityRule(value: YamlMap, where: string): Rule {
  const fields = fieldsOf(value, where, ["sigstore", "name", "roles"], ["rubrics", "systems"]);
  const place = `${where}.sigstore`;
  const named = fieldsOf(fields.get("sigstore"), place, ["identity", "issuer"], []);
  textOf(named, "identity", place);
  if (!textOf(named, "issuer", place).startsWith("https://")) {
    throw malformed("not the address of an OpenID provider", `${place}.issuer`, "https://...");
  }
  const name = textOf(fields, "name", where);
  const scope = parseLimitedScope(fields, where);
  if (![...(scope.roles ?? [])].every((role) => SCOPED.has(role))) {
    throw malformed("logs and witnesses sign with keys, not with Sigstore identities", `${where}.roles`);
  }
  return { kind: "identity", name, scope };
}

function parseRules(value: Yaml | undefined, where: string): Rule[] {
  if (!Array.isArray(value) || value.length === 0) throw malformed("not a list of at least one rule", where);
  return value.map((item, index) => parseRule(item, `${where}[${index}]`));
}

function parseRule(value: Yaml | undefined, where: string): Rule {
  if (!isMap(value)) throw malformed("not a rule", where, RULES);
  if (value.has("key")) return parseKeyRule(value, where);
  if (value.has("sigstore")) return parseIdentityRule(value, where);
  if (value.size !== 1) throw malformed(`a rule is one of ${RULES}`, where);
  const [kind, content] = [...value][0] as [string, Yaml];
  const place = `${where}.${kind}`;
  if (kind === "any" || kind === "all") return { kind, rules: parseRules(content, place) };
  if (kind === "within") {
    const fields = fieldsOf(content, place, ["accept"], ["roles", "rubrics", "systems"]);
    return { kind, scope: parseScope(fields, place), rule: parseRule(fields.get("accept"), `${place}.accept`) };
  }
  if (kind !== "unsafe_accept_any_key") throw malformed(`no rule ${quote(kind)}`, where, RULES);
  if (content !== true) throw malformed("this rule is written with the value true, or left out", place);
  return { kind: "anyone" };
}

// In roles that no rubric and no system limit, those alone that the whole policy accepts: what `within` or `all` around
// a rule forbids is not named by it.
function keysOf(whole: Rule, role: Role): PublicKey[] {
  const type = role === "witness" ? COSIGNATURE : ED25519;
  const named = new Map<string, PublicKey>();
  for (const rule of partsOf(whole)) {
    if (rule.kind !== "key" || (rule.scope.roles !== undefined && !rule.scope.roles.has(role))) continue;
    if (!SCOPED.has(role) && !decideRule(whole, { key: rule.key, role }).isAccepted) continue;
    const key = ofType(rule.key, type);
    named.set(`${key.name} ${hexOf(key.raw)}`, key);
  }
  return [...named.values()];
}

/** A trust policy from the bytes of its file. */
export function parseTrust(data: Uint8Array, where: string): TrustPolicy {
  const root = `${where}: $`;
  const fields = fieldsOf(parseYaml(data, where, MAX_TRUST_BYTES), root, ["format", "accept"], ["witness_quorum", ...ANCHORS]);
  if (fields.get("format") !== TRUST_FORMAT) throw malformed(`not the format ${TRUST_FORMAT}`, `${root}.format`);
  const given = fields.get("witness_quorum");
  const quorum = given === undefined ? 0 : given instanceof Numeral && given.isInteger ? Number(given.text) : -1;
  if (quorum < 0 || quorum > MAX_QUORUM) throw malformed(`not a number from 0 to ${MAX_QUORUM}`, `${root}.witness_quorum`);
  const rule = parseRule(fields.get("accept"), `${root}.accept`);
  const parts = [...partsOf(rule)];
  if (parts.length > MAX_RULES) throw malformed(`more than ${MAX_RULES} rules`, where);
  const acceptsAnyKey = parts.some((part) => part.kind === "anyone");
  const witnesses = new Set(keysOf(rule, "witness").map((key) => hexOf(key.raw)));
  if (keysOf(rule, "log").some((key) => witnesses.has(hexOf(key.raw)))) {
    throw malformed("a key that is both a log's and a witness's: a log cannot be its own witness", `${root}.accept`);
  }
  if (quorum > witnesses.size && !acceptsAnyKey) {
    throw malformed(`${quorum} witnesses are asked for, ${witnesses.size} are named`, `${root}.witness_quorum`);
  }
  const namesIdentities = parts.some(
    (part) => part.kind === "identity" && (part.scope.roles === undefined || part.scope.roles.has("labels")),
  );
  const named = new Map<Role, PublicKey[]>();
  const keys = (role: Role): PublicKey[] => {
    const found = named.get(role) ?? keysOf(rule, role);
    named.set(role, found);
    return found;
  };
  return { quorum, acceptsAnyKey, namesIdentities, accepts: (question) => decideRule(rule, question), keys };
}
