/**
 * Validates against the JSON Schemas of lib/schema: as much of draft 2020-12 as they use. An unknown keyword is
 * an error, so that no part of a schema goes unchecked.
 */

type Json = unknown;
type Schema = Readonly<Record<string, Json>>;

const SILENT = ["$schema", "$id", "$defs", "title", "description"];

/** The faults of `value`, one line each with the path to it; empty when it is valid. */
export function violations(root: Schema, value: Json, schema: Schema = root, path = "$"): string[] {
  return Object.entries(schema).flatMap(([keyword, rule]) => {
    if (SILENT.includes(keyword)) return [];
    const check = KEYWORDS[keyword];
    if (check === undefined)
      throw new Error(`The keyword ${keyword} at ${path} is not known to this validator.`);
    return check({ root, schema, rule, value, path });
  });
}

interface Context {
  readonly root: Schema;
  readonly schema: Schema;
  readonly rule: Json;
  readonly value: Json;
  readonly path: string;
}

type Check = (context: Context) => string[];

const isObject = (value: Json): value is Record<string, Json> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const typeOf = (value: Json): string =>
  value === null ? "null" : Array.isArray(value) ? "array" : typeof value;

const fits = (type: Json, value: Json): boolean =>
  type === "integer" ? Number.isInteger(value) : type === typeOf(value);

const wrong = (path: string, isRight: boolean, words: string): string[] =>
  isRight ? [] : [`${path} ${words}`];

const holds = (root: Schema, rule: Json, value: Json): boolean =>
  violations(root, value, rule as Schema).length === 0;

const KEYWORDS: Readonly<Record<string, Check>> = {
  type: ({ rule, value, path }) =>
    wrong(
      path,
      [rule].flat().some((type) => fits(type, value)),
      `is ${typeOf(value)}, not ${rule}`,
    ),
  const: ({ rule, value, path }) => wrong(path, value === rule, `is ${JSON.stringify(value)}, not ${rule}`),
  enum: ({ rule, value, path }) =>
    wrong(path, (rule as Json[]).includes(value), `is ${JSON.stringify(value)}, none of ${rule}`),
  minimum: ({ rule, value, path }) =>
    wrong(path, typeof value !== "number" || value >= Number(rule), `is ${value}, less than ${rule}`),
  maximum: ({ rule, value, path }) =>
    wrong(path, typeof value !== "number" || value <= Number(rule), `is ${value}, more than ${rule}`),
  minLength: ({ rule, value, path }) =>
    wrong(path, typeof value !== "string" || value.length >= Number(rule), "is too short"),
  pattern: ({ rule, value, path }) =>
    wrong(
      path,
      typeof value !== "string" || new RegExp(String(rule), "u").test(value),
      `does not match ${rule}`,
    ),
  required: ({ rule, value, path }) =>
    isObject(value)
      ? (rule as string[]).filter((name) => !(name in value)).map((name) => `${path} lacks ${name}`)
      : [],
  properties: ({ root, rule, value, path }) =>
    Object.entries(rule as Record<string, Schema>).flatMap(([name, each]) =>
      isObject(value) && name in value ? violations(root, value[name], each, `${path}.${name}`) : [],
    ),
  additionalProperties: ({ root, schema, rule, value, path }) => {
    const known = Object.keys((schema.properties as Schema | undefined) ?? {});
    const others = isObject(value) ? Object.entries(value).filter(([name]) => !known.includes(name)) : [];
    if (rule === false) return others.map(([name]) => `${path} has ${name}, which is not declared`);
    return others.flatMap(([name, each]) => violations(root, each, rule as Schema, `${path}.${name}`));
  },
  items: ({ root, rule, value, path }) =>
    Array.isArray(value)
      ? value.flatMap((each, at) => violations(root, each, rule as Schema, `${path}[${at}]`))
      : [],
  anyOf: ({ root, rule, value, path }) =>
    wrong(
      path,
      (rule as Schema[]).some((each) => holds(root, each, value)),
      "fits none of anyOf",
    ),
  allOf: ({ root, rule, value, path }) =>
    (rule as Schema[]).flatMap((each) => violations(root, value, each, path)),
  if: ({ root, schema, rule, value, path }) => {
    const branch = holds(root, rule, value) ? schema.then : schema.else;
    return branch === undefined ? [] : violations(root, value, branch as Schema, path);
  },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema; this object is never awaited
  then: () => [],
  else: () => [],
  $ref: ({ root, rule, value, path }) => violations(root, value, definition(root, String(rule)), path),
};

function definition(root: Schema, reference: string): Schema {
  const found = (root.$defs as Record<string, Schema> | undefined)?.[reference.replace("#/$defs/", "")];
  if (found === undefined) throw new Error(`There is no ${reference}.`);
  return found;
}
