// The forms of records: exactly these fields, each of its type, and one canonical spelling.
//
// A form reads a JSON value into a typed one. A field that is written although it has its default is a second spelling
// of the same record: it is noted, and whoever requires the canonical form refuses the document.
import { type Failure, malformed, quote } from "../errors.ts";
import { areEqual } from "./bytes.ts";
import { canonicalBytes, isObject, type Json, type JsonObject } from "./json.ts";

interface Notes {
  hasSecondSpelling: boolean;
}

export interface Form<T> {
  read(value: Json, path: string, notes: Notes): T;
}

export type Read<F> = F extends Form<infer T> ? T : never;

interface Field<T> {
  form: Form<T>;
  isRequired: boolean;
  otherwise?: () => T;
  /** True where writing the default out is the record's own choice, and not a second spelling. */
  keepsDefault: boolean;
}

class Misfit extends Error {}

function misfit(message: string, path: string): Misfit {
  return new Misfit(path === "$" ? message : `${message} - at \`${path}\``);
}

function kindOf(value: Json): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (isObject(value)) return "object";
  return { boolean: "bool", string: "str", number: "int", bigint: "int" }[typeof value as string] as string;
}

const expected = (what: string, value: Json, path: string): Misfit =>
  misfit(`Expected \`${what}\`, got \`${kindOf(value)}\``, path);

export const text: Form<string> = {
  read(value, path) {
    if (typeof value !== "string") throw expected("str", value, path);
    return value;
  },
};

export const integer: Form<number> = {
  read(value, path) {
    if (typeof value !== "number") throw expected("int", value, path);
    return value;
  },
};

export const truth: Form<boolean> = {
  read(value, path) {
    if (typeof value !== "boolean") throw expected("bool", value, path);
    return value;
  },
};

export const scalar: Form<string | number | boolean> = {
  read(value, path) {
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
    throw expected("bool | int | str", value, path);
  },
};

/** Any object, kept as it is. */
export const anyObject: Form<JsonObject> = {
  read(value, path) {
    if (!isObject(value)) throw expected("object", value, path);
    return value;
  },
};

export function oneOf<const T extends string>(...values: readonly T[]): Form<T> {
  return {
    read(value, path) {
      if (typeof value !== "string") throw expected("str", value, path);
      if (!(values as readonly string[]).includes(value)) throw misfit(`Invalid enum value ${quote(value)}`, path);
      return value as T;
    },
  };
}

export function orNull<T>(form: Form<T>): Form<T | null> {
  return { read: (value, path, notes) => (value === null ? null : form.read(value, path, notes)) };
}

export function list<T>(form: Form<T>): Form<T[]> {
  return {
    read(value, path, notes) {
      if (!Array.isArray(value)) throw expected("array", value, path);
      return value.map((item, index) => form.read(item, `${path}[${index}]`, notes));
    },
  };
}

export function onlyOne<T>(form: Form<T>): Form<T> {
  return {
    read(value, path, notes) {
      if (!Array.isArray(value)) throw expected("array", value, path);
      if (value.length !== 1) throw misfit(`Expected \`array\` of length 1, got ${value.length}`, path);
      return form.read(value[0] as Json, `${path}[0]`, notes);
    },
  };
}

export const fourIntegers: Form<[number, number, number, number]> = {
  read(value, path, notes) {
    if (!Array.isArray(value)) throw expected("array", value, path);
    const bound = value.length < 4 ? "least" : "most";
    if (value.length !== 4) throw misfit(`Expected \`array\` of at ${bound} length 4, got ${value.length}`, path);
    return value.map((item, i) => integer.read(item, `${path}[${i}]`, notes)) as [number, number, number, number];
  },
};

export function dict<T>(form: Form<T>): Form<Map<string, T>> {
  return {
    read(value, path, notes) {
      if (!isObject(value)) throw expected("object", value, path);
      return new Map([...value].map(([key, item]) => [key, form.read(item, `${path}[...]`, notes)]));
    },
  };
}

export const required = <T>(form: Form<T>): Field<T> => ({ form, isRequired: true, keepsDefault: false });

/** A field that is left out where it has its default. */
export const optional = <T>(form: Form<T>, otherwise: () => T): Field<T> => ({
  form,
  isRequired: false,
  otherwise,
  keepsDefault: false,
});

/** A field whose default may be written or left out. */
export const spoken = <T>(form: Form<T>, otherwise: () => T): Field<T> => ({
  form,
  isRequired: false,
  otherwise,
  keepsDefault: true,
});

function isDefault(value: unknown, otherwise: unknown): boolean {
  if (Array.isArray(value) && Array.isArray(otherwise)) return value.length === otherwise.length;
  if (value instanceof Map && otherwise instanceof Map) return value.size === otherwise.size;
  return value === otherwise;
}

type Fields = Record<string, Field<never>>;
type Struct<F> = { [K in keyof F]: F[K] extends Field<infer T> ? T : never };

export function struct<F extends { [name: string]: Field<any> }>(fields: F): Form<Struct<F>> {
  const names = Object.keys(fields);
  return {
    read(value, path, notes) {
      if (!isObject(value)) throw expected("object", value, path);
      const result: Record<string, unknown> = {};
      for (const [key, item] of value) {
        if (!Object.hasOwn(fields, key)) throw misfit(`Object contains unknown field \`${key}\``, path);
        const field = (fields as unknown as Fields)[key] as Field<unknown>;
        result[key] = field.form.read(item, `${path}.${key}`, notes);
        if (!field.isRequired && !field.keepsDefault && isDefault(result[key], field.otherwise?.())) {
          notes.hasSecondSpelling = true;
        }
      }
      for (const name of names) {
        if (Object.hasOwn(result, name)) continue;
        const field = (fields as unknown as Fields)[name] as Field<unknown>;
        if (field.isRequired) throw misfit(`Object missing required field \`${name}\``, path);
        result[name] = field.otherwise?.();
      }
      return result as Struct<F>;
    },
  };
}

function refusal(error: unknown, where: string, prefix: string): Failure | unknown {
  return error instanceof Misfit ? malformed(prefix + error.message, where) : error;
}

/** A value in a form, and whether it has a second spelling. Refuses what does not fit. */
export function convert<T>(form: Form<T>, value: Json, where: string, prefix = ""): { value: T; isCanonical: boolean } {
  const notes = { hasSecondSpelling: false };
  try {
    const read = form.read(value, "$", notes);
    return { value: read, isCanonical: !notes.hasSecondSpelling };
  } catch (error) {
    throw refusal(error, where, prefix);
  }
}

/** A document in a form, in its canonical bytes alone. */
export function convertCanonical<T>(
  form: Form<T>,
  document: Json,
  data: Uint8Array,
  where: string,
  said: { prefix?: string; message?: string } = {},
): T {
  const { value, isCanonical } = convert(form, document, where, said.prefix);
  if (!isCanonical || !areEqual(canonicalBytes(document), data)) {
    throw malformed(said.message ?? "not in canonical form", where);
  }
  return value;
}
