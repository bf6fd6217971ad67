// The keywords of JSON Schema 2020-12 that rubric.schema.json uses, over values read from YAML.
import type { Fraction } from "./exact.ts";
import { Refusal } from "./refusal.ts";
import { Numeral, type Yaml } from "../records/yaml.ts";

/** A schema as its JSON gives it. */
export type Schema = { readonly [keyword: string]: unknown };

const isObject = (value: Yaml): value is Map<string, Yaml> => value instanceof Map;
const isWhole = (value: Yaml): boolean => value instanceof Numeral && value.isInteger;
const TYPES: Record<string, (value: Yaml) => boolean> = {
  object: isObject,
  array: Array.isArray,
  string: (value) => typeof value === "string",
  boolean: (value) => typeof value === "boolean",
  number: (value) => value instanceof Numeral,
  integer: isWhole,
};
const NOTES = new Set(["description", "default", "title", "$schema", "$id", "$defs"]);

const asFraction = (number: unknown): Fraction => {
  const text = String(number);
  return new Numeral(text).fraction;
};

function requireThat(holds: boolean, message: string, where: string): void {
  if (!holds) throw new Refusal(message, where);
}

const KEYWORDS: Record<
  string,
  (argument: any, value: Yaml, where: string, root: Schema, parent: Schema) => void
> = {
  type: (name, value, where) => requireThat(TYPES[name]?.(value) ?? false, `not of type ${name}`, where),
  const: (wanted, value, where) => requireThat(value === wanted, `not ${wanted}`, where),
  enum: (wanted, value, where) =>
    requireThat(wanted.includes(value), `not one of ${wanted.join(", ")}`, where),
  pattern: (pattern, value, where) =>
    requireThat(
      typeof value !== "string" || new RegExp(pattern, "u").test(value),
      `not of the form ${pattern}`,
      where,
    ),
  minLength: (least, value, where) =>
    requireThat(typeof value !== "string" || [...value].length >= least, `shorter than ${least}`, where),
  maxLength: (most, value, where) =>
    requireThat(typeof value !== "string" || [...value].length <= most, `longer than ${most}`, where),
  minimum: (least, value, where) =>
    requireThat(
      !(value instanceof Numeral) || value.fraction.compare(asFraction(least)) >= 0,
      `below ${least}`,
      where,
    ),
  maximum: (most, value, where) =>
    requireThat(
      !(value instanceof Numeral) || value.fraction.compare(asFraction(most)) <= 0,
      `above ${most}`,
      where,
    ),
  minItems: (least, value, where) =>
    requireThat(!Array.isArray(value) || value.length >= least, `fewer than ${least} items`, where),
  minProperties: (least, value, where) =>
    requireThat(!isObject(value) || value.size >= least, `fewer than ${least} keys`, where),
  required: (names, value, where) => {
    for (const name of names) requireThat(!isObject(value) || value.has(name), `${name} is missing`, where);
  },
  items: (schema, value, where, root) => {
    if (Array.isArray(value))
      value.forEach((item, index) => requireSchema(schema, item, `${where}[${index}]`, root));
  },
  properties: (schemas, value, where, root) => {
    if (!isObject(value)) return;
    for (const [name, schema] of Object.entries(schemas as Record<string, Schema>)) {
      if (value.has(name)) requireSchema(schema, value.get(name) as Yaml, `${where}.${name}`, root);
    }
  },
  propertyNames: (schema, value, where, root) => {
    if (isObject(value))
      for (const name of value.keys()) requireSchema(schema, name, `${where}.${name}`, root);
  },
  additionalProperties: (schema, value, where, root, parent) => {
    if (!isObject(value)) return;
    for (const [name, item] of value) {
      if (Object.hasOwn((parent.properties as object | undefined) ?? {}, name)) continue;
      requireThat(schema !== false, `unknown key ${name}`, `${where}.${name}`);
      requireSchema(schema, item, `${where}.${name}`, root);
    }
  },
  oneOf: (schemas, value, where, root) => {
    const fitting = (schemas as Schema[]).filter((schema) => isSchemaMet(schema, value, root));
    requireThat(fitting.length === 1, `fits ${fitting.length} of the ${schemas.length} allowed forms`, where);
  },
  $ref: (pointer, value, where, root) => {
    const schema: Schema = pointer
      .slice(2)
      .split("/")
      .reduce((node: Schema, key: string) => node[key] as Schema, root);
    requireSchema(schema, value, where, root);
  },
};

function isSchemaMet(schema: Schema, value: Yaml, root: Schema): boolean {
  try {
    requireSchema(schema, value, "$", root);
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

/** Throws a Refusal with the place where the value does not fit the schema. */
export function requireSchema(schema: Schema, value: Yaml, where: string, root: Schema = schema): void {
  for (const [keyword, argument] of Object.entries(schema)) {
    if (NOTES.has(keyword)) continue;
    const check = KEYWORDS[keyword];
    if (!check) throw new Error(`the schema uses ${keyword}, which is not known here`);
    check(argument, value, where, root, schema);
  }
}
