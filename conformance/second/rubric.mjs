// A rubric read from its text: the form by rubric.schema.json, then the rules that a schema cannot say.
import { readFileSync } from "node:fs";
import { digestOf } from "./canonical.mjs";
import { Fraction, fractionOfDecimal, MICRO, ONE, writeDecimal, ZERO } from "./exact.mjs";
import { Refusal } from "./refusal.mjs";
import { requireSchema } from "./schema.mjs";
import { readYaml } from "./yaml.mjs";

const SCHEMA_FILE = new URL("../../src/verilabel/rubric/data/rubric.schema.json", import.meta.url);
const SCHEMA = JSON.parse(readFileSync(SCHEMA_FILE, "utf8"));
const LARGEST_FACTOR = new Fraction(1000n);
const RULES = { assurance: ["when"], hazard: ["rule_in", "rule_out"] };
const DESIGNS = ["fixed", "anytime"];

const refuse = (message, where) => {
  throw new Refusal(message, `rubric ${where}`);
};

function requireSixPlaces(numeral, where) {
  if (MICRO % numeral.fraction.bottom !== 0n) refuse("more than 6 decimals", where);
}

function readStatistics(map) {
  const numberAt = (key, otherwise) => map.get(key)?.fraction ?? fractionOfDecimal(otherwise);
  const judge = map.get("judge") ?? new Map();
  if (map.has("margin")) requireSixPlaces(map.get("margin"), "$.statistics.margin");
  const allowed = map.get("design") ?? DESIGNS;
  const designs =
    map.get("interval") === "confidence-sequence" ? allowed.filter((d) => d === "anytime") : allowed;
  if (designs.length === 0) refuse("no design is left", "$.statistics.design");
  return {
    alpha: numberAt("alpha"),
    maxMissing: numberAt("max_missing", "0.01"),
    margin: numberAt("margin", "0"),
    isJudgeAdjusted: (judge.get("adjust") ?? "rogan-gladen-bound") !== "none",
    minCalibration: Number(judge.get("min_calibration_n")?.text ?? 0),
    designs,
  };
}

function readMeasure(id, map) {
  const where = `$.measures.${id}`;
  if ((map.get("estimand") === "pass_at_k") !== map.has("k"))
    refuse("k goes with pass_at_k, and only with it", `${where}.k`);
  if (map.get("estimand") === "ratio_to_reference" && !map.has("reference")) {
    refuse("a ratio needs a reference", `${where}.reference`);
  }
  const settings = map.get("elicitation") ?? [];
  if (new Set(settings).size !== settings.length) refuse("a setting stands twice", `${where}.elicitation`);
  return {
    id,
    direction: map.get("direction"),
    unit: map.get("unit") ?? "item",
    population: map.get("population") ?? "items_sampled",
    isNegated: map.get("negate") ?? false,
    hasReference: map.has("reference"),
    minN: Number(map.get("min_n")?.text ?? 1),
    settings,
  };
}

function readThreshold(value, measure, op, statistics, where) {
  if (value instanceof Map) {
    const factor = value.get("times_reference");
    const place = `${where}.times_reference`;
    if (!measure.hasReference) refuse("the measure has no reference", place);
    if (factor.fraction.compare(ZERO) <= 0 || factor.fraction.compare(LARGEST_FACTOR) > 0) {
      refuse("a factor lies above 0 and up to 1000", place);
    }
    return { factor: factor.fraction, text: `${writeDecimal(factor.fraction)} x reference` };
  }
  requireSixPlaces(value, where);
  const rate = value.fraction;
  const margin = statistics.margin;
  const tested = op.startsWith("<") ? rate.minus(margin) : rate.plus(margin);
  for (const limit of [rate, tested]) {
    if (limit.compare(ZERO) <= 0 || limit.compare(ONE) >= 0) refuse("not between 0 and 1", where);
  }
  return { rate, text: writeDecimal(rate) };
}

function readGroup(map, context, where) {
  const key = ["all", "any", "of"].find((name) => map.has(name));
  const children = map.get(key).map((child, index) => readNode(child, context, `${where}.${key}[${index}]`));
  const need = { all: children.length, any: 1, of: Number(map.get("at_least")?.text) }[key];
  if (need > children.length) refuse("more are needed than there are", `${where}.at_least`);
  return { need, children };
}

function readNode(map, context, where) {
  if (map.has("attested")) {
    const id = map.get("attested");
    if (!context.attestations.has(id)) refuse(`unknown attestation ${id}`, `${where}.attested`);
    return { attested: id };
  }
  if (!map.has("measure")) return readGroup(map, context, where);
  const measure = context.measures.get(map.get("measure"));
  if (!measure) refuse(`unknown measure ${map.get("measure")}`, `${where}.measure`);
  const op = map.get("op");
  const threshold = readThreshold(map.get("value"), measure, op, context.statistics, `${where}.value`);
  return { measure, op, threshold };
}

function readLevel(map, index, kind, context) {
  const where = `$.scale.levels[${index}]`;
  const rules = [];
  for (const test of ["when", "rule_in", "rule_out"]) {
    if (!map.has(test)) continue;
    if (index === 0 || !RULES[kind].includes(test))
      refuse("a rule that has no place here", `${where}.${test}`);
    rules.push({ test, node: readNode(map.get(test), context, `${where}.${test}`) });
  }
  for (const needed of index > 0 ? RULES[kind] : []) {
    if (!rules.some((rule) => rule.test === needed)) refuse(`${needed} is missing`, where);
  }
  return { id: map.get("id"), name: map.get("name"), rules };
}

function requireDistinct(ids, path) {
  ids.forEach((id, index) => {
    if (ids.indexOf(id) !== index) refuse(`${id} stands twice`, path(index));
  });
}

/** The rubric of a text. Throws Refusal where the text is not one. */
export function readRubric(text) {
  const map = readYaml(text, "rubric");
  requireSchema(SCHEMA, map, "rubric $");
  const statistics = readStatistics(map.get("statistics"));
  const measures = new Map([...map.get("measures")].map(([id, measure]) => [id, readMeasure(id, measure)]));
  const attestations = new Set((map.get("attestations") ?? new Map()).keys());
  const context = { statistics, measures, attestations };
  const scale = map.get("scale");
  const kind = scale.get("kind");
  const levels = scale.get("levels").map((level, index) => readLevel(level, index, kind, context));
  requireDistinct(
    levels.map((level) => level.id),
    (index) => `$.scale.levels[${index}].id`,
  );
  const reference = { id: map.get("id"), version: map.get("version"), sha256: digestOf(text) };
  return { reference, statistics, measures, attestations, kind, levels };
}
