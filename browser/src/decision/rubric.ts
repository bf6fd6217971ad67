// A rubric read from its text: the form by rubric.schema.json, then the rules that a schema cannot say.
import SCHEMA from "../../../src/verilabel/rubric/data/rubric.schema.json";
import { digestOf } from "../records/json.ts";
import { Numeral, readYaml, type Yaml, type YamlMap } from "../records/yaml.ts";
import type { Attested, Criterion, Level, Measure, Node, Rubric, Statistics, Test, Threshold } from "./claims.ts";
import { Fraction, fractionOfDecimal, MICRO, ONE, writeDecimal, ZERO } from "./exact.ts";
import { Refusal } from "./refusal.ts";
import { requireSchema, type Schema } from "./schema.ts";

const LARGEST_FACTOR = new Fraction(1000n);
const MOST_ROWS = 1000;
const MOST_BYTES = 2 ** 18;
const RULES: Record<string, readonly Test[]> = { assurance: ["when"], hazard: ["rule_in", "rule_out"] };
const DESIGNS = ["fixed", "anytime"];
/** Event words of rubrics to the event names that detectors use. */
const EVENT_NAMES: Record<string, string> = { violation: "harmful", refusal: "refused" };

interface Reading {
  statistics: Statistics;
  measures: ReadonlyMap<string, Measure>;
  attestations: ReadonlyMap<string, Attested>;
  rows: number;
}

function refuse(message: string, where: string): never {
  throw new Refusal(message, `rubric ${where}`);
}

// The schema has said what the values are before anything below reads them.
const textAt = (map: YamlMap, key: string): string => map.get(key) as string;
const optionalTextAt = (map: YamlMap, key: string): string | undefined => map.get(key) as string | undefined;
const mapAt = (map: YamlMap, key: string): YamlMap => (map.get(key) as YamlMap | undefined) ?? new Map();
const textsAt = (map: YamlMap, key: string): string[] => (map.get(key) as string[] | undefined) ?? [];
const numberAt = (map: YamlMap, key: string, otherwise: number): number =>
  Number((map.get(key) as Numeral | undefined)?.text ?? otherwise);

function requireSixPlaces(numeral: Numeral, where: string): void {
  if (MICRO % numeral.fraction.bottom !== 0n) refuse("more than 6 decimals", where);
}

function readStatistics(map: YamlMap): Statistics {
  const fractionAt = (key: string, otherwise: string): Fraction =>
    (map.get(key) as Numeral | undefined)?.fraction ?? fractionOfDecimal(otherwise);
  const judge = mapAt(map, "judge");
  if (map.has("margin")) requireSixPlaces(map.get("margin") as Numeral, "$.statistics.margin");
  const allowed = (map.get("design") as string[] | undefined) ?? DESIGNS;
  const designs =
    map.get("interval") === "confidence-sequence" ? allowed.filter((d) => d === "anytime") : allowed;
  if (designs.length === 0) refuse("no design is left", "$.statistics.design");
  return {
    alpha: fractionAt("alpha", "0"),
    maxMissing: fractionAt("max_missing", "0.01"),
    margin: fractionAt("margin", "0"),
    isJudgeAdjusted: (judge.get("adjust") ?? "rogan-gladen-bound") !== "none",
    minCalibration: numberAt(judge, "min_calibration_n", 0),
    designs,
  };
}

function readFilter(map: YamlMap): Map<string, readonly string[]> {
  const given = [...(map as Map<string, string | string[]>)];
  return new Map(given.map(([tag, values]) => [tag, typeof values === "string" ? [values] : values]));
}

function readMeasure(id: string, map: YamlMap): Measure {
  const where = `$.measures.${id}`;
  const estimand = textAt(map, "estimand");
  if ((estimand === "pass_at_k") !== map.has("k")) {
    refuse("k goes with pass_at_k, and only with it", `${where}.k`);
  }
  if (estimand === "ratio_to_reference" && !map.has("reference")) {
    refuse("a ratio needs a reference", `${where}.reference`);
  }
  const settings = textsAt(map, "elicitation");
  if (new Set(settings).size !== settings.length) refuse("a setting stands twice", `${where}.elicitation`);
  const direction = textAt(map, "direction") as Measure["direction"];
  const event = textAt(map, "event");
  return {
    id,
    title: optionalTextAt(map, "title"),
    direction,
    unit: (map.get("unit") ?? "item") as Measure["unit"],
    population: (map.get("population") ?? "items_sampled") as Measure["population"],
    isNegated: (map.get("negate") ?? false) as boolean,
    hasReference: map.has("reference"),
    minN: numberAt(map, "min_n", 1),
    settings,
    suite: textAt(map, "suite"),
    suiteDigest: optionalTextAt(map, "suite_sha256"),
    event: Object.hasOwn(EVENT_NAMES, event) ? (EVENT_NAMES[event] as string) : event,
    filter: readFilter(mapAt(map, "filter")),
    k: map.has("k") ? numberAt(map, "k", 0) : undefined,
    collapse: direction === "higher_is_safer" && estimand !== "pass_at_k" ? "all" : "any",
  };
}

function readThreshold(value: Yaml, measure: Measure, op: string, statistics: Statistics, where: string): Threshold {
  if (value instanceof Map) {
    const factor = (value.get("times_reference") as Numeral).fraction;
    const place = `${where}.times_reference`;
    if (!measure.hasReference) refuse("the measure has no reference", place);
    if (factor.compare(ZERO) <= 0 || factor.compare(LARGEST_FACTOR) > 0) {
      refuse("a factor lies above 0 and up to 1000", place);
    }
    return { factor, text: `${writeDecimal(factor)} x reference` };
  }
  requireSixPlaces(value as Numeral, where);
  const rate = (value as Numeral).fraction;
  const tested = op.startsWith("<") ? rate.minus(statistics.margin) : rate.plus(statistics.margin);
  for (const limit of [rate, tested]) {
    if (limit.compare(ZERO) <= 0 || limit.compare(ONE) >= 0) refuse("not between 0 and 1", where);
  }
  return { rate, text: writeDecimal(rate) };
}

function readGroup(map: YamlMap, context: Reading, where: string): Node {
  const key = ["all", "any", "of"].find((name) => map.has(name)) as string;
  const children = (map.get(key) as YamlMap[]).map((child, index) =>
    readNode(child, context, `${where}.${key}[${index}]`),
  );
  const need = key === "all" ? children.length : key === "any" ? 1 : numberAt(map, "at_least", 0);
  if (need > children.length) refuse("more are needed than there are", `${where}.at_least`);
  return { need, children };
}

function readCriterion(map: YamlMap, context: Reading, where: string): Criterion {
  const measure = context.measures.get(textAt(map, "measure"));
  if (!measure) return refuse(`unknown measure ${map.get("measure")}`, `${where}.measure`);
  const op = textAt(map, "op") as Criterion["op"];
  const threshold = readThreshold(map.get("value") as Yaml, measure, op, context.statistics, `${where}.value`);
  return { measure, op, threshold };
}

function readNode(map: YamlMap, context: Reading, where: string): Node {
  if (!map.has("attested") && !map.has("measure")) return readGroup(map, context, where);
  context.rows += 1;
  if (context.rows > MOST_ROWS) refuse(`more than ${MOST_ROWS} rows`, "$.scale");
  if (map.has("measure")) return readCriterion(map, context, where);
  const id = textAt(map, "attested");
  if (!context.attestations.has(id)) refuse(`unknown attestation ${id}`, `${where}.attested`);
  return { attested: id };
}

function readLevel(map: YamlMap, index: number, kind: string, context: Reading): Level {
  const where = `$.scale.levels[${index}]`;
  const expected = index > 0 ? (RULES[kind] ?? []) : [];
  const rules: { test: Test; node: Node }[] = [];
  for (const test of ["when", "rule_in", "rule_out"] as const) {
    if (!map.has(test)) continue;
    if (!expected.includes(test)) refuse("a rule that has no place here", `${where}.${test}`);
    rules.push({ test, node: readNode(mapAt(map, test), context, `${where}.${test}`) });
  }
  for (const needed of expected) {
    if (!rules.some((rule) => rule.test === needed)) refuse(`${needed} is missing`, where);
  }
  if (map.has("safeguards")) {
    if (index === 0 || kind !== "hazard") refuse("safeguards have no place here", `${where}.safeguards`);
    readNode(mapAt(map, "safeguards"), context, `${where}.safeguards`); // checked; the label does not follow from it
  }
  return { id: textAt(map, "id"), name: textAt(map, "name"), meaning: optionalTextAt(map, "meaning"), rules };
}

function requireDistinct(ids: readonly string[], path: (index: number) => string): void {
  ids.forEach((id, index) => {
    if (ids.indexOf(id) !== index) refuse(`${id} stands twice`, path(index));
  });
}

function readDays(text: string, where: string): number {
  if (!/^P[0-9]{1,5}D$/.test(text)) refuse("not a number of days such as P90D", where);
  return Number(text.slice(1, -1));
}

function readSunset(validity: YamlMap): string | undefined {
  const sunset = optionalTextAt(validity, "sunset");
  const moment = sunset === undefined ? 0 : Date.parse(`${sunset}T00:00:00Z`);
  const isDay = sunset === undefined || (!Number.isNaN(moment) && new Date(moment).toISOString().startsWith(sunset));
  if (!isDay || sunset?.startsWith("0000")) refuse(`${sunset} is no day of the calendar`, "$.validity.sunset");
  return sunset;
}

function readAttestations(map: YamlMap): Map<string, Attested> {
  return new Map(
    [...(map as Map<string, YamlMap>)].map(([id, given]) => {
      const age = optionalTextAt(given, "max_age");
      const maxAgeDays = age === undefined ? undefined : readDays(age, `$.attestations.${id}.max_age`);
      return [id, { role: textAt(given, "role"), maxAgeDays }];
    }),
  );
}

/** The rubric of a text. Throws a Refusal, or a Failure of the YAML reader, where the text is not one. */
export function readRubric(text: string): Rubric {
  if (new TextEncoder().encode(text).length > MOST_BYTES) refuse(`more than ${MOST_BYTES} bytes`, "$");
  const map = readYaml(text, "rubric") as YamlMap;
  requireSchema(SCHEMA as Schema, map, "rubric $");
  const statistics = readStatistics(mapAt(map, "statistics"));
  const listed = [...(mapAt(map, "measures") as Map<string, YamlMap>)];
  const measures = new Map(listed.map(([id, measure]) => [id, readMeasure(id, measure)]));
  const attestations = readAttestations(mapAt(map, "attestations"));
  const context: Reading = { statistics, measures, attestations, rows: 0 };
  const scale = mapAt(map, "scale");
  const kind = textAt(scale, "kind") as Rubric["kind"];
  const levels = (scale.get("levels") as YamlMap[]).map((level, index) => readLevel(level, index, kind, context));
  requireDistinct(
    levels.map((level) => level.id),
    (index) => `$.scale.levels[${index}].id`,
  );
  const validity = mapAt(map, "validity");
  return {
    reference: { id: textAt(map, "id"), version: textAt(map, "version"), sha256: digestOf(text) },
    title: textAt(map, "title"),
    statistics,
    measures,
    attestations,
    kind,
    levels,
    validityDays: readDays(textAt(validity, "max_age"), "$.validity.max_age"),
    sunset: readSunset(validity),
    useCases: textsAt(mapAt(map, "scope"), "use_cases"),
    scope: textsAt(mapAt(map, "scope"), "bind"),
  };
}
