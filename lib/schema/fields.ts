/**
 * The fields that a worker adds to the record of its runs. Each worker declares its own once, in its own file, and the
 * type of `run.facts`, the properties of the schema `run`, and the help of its metrics follow from that. The worker
 * needs the types alone, which cost a tick nothing; what makes a schema of them is loaded with the schemas.
 */

interface Described {
  /** What the field means, in a line without a full stop: for the schema, and for the metric of a number. */
  readonly help: string;
  /** null says that it was looked for and not found; a field that is not there was not looked for. */
  readonly nullable?: true;
}

export type Field = Described &
  (
    | { readonly type: "string" | "strings" | "switch" | "boolean" | "exit code" }
    /** Bytes with their unit, as formatBytes() writes them. */
    | { readonly type: "size" }
    /** A whole number, 0 or more. */
    | { readonly type: "count" }
    /** A whole number, `minimum` or more. */
    | { readonly type: "integer"; readonly minimum: number }
    | { readonly type: "choice"; readonly options: readonly string[] }
    | { readonly type: "object" | "rows"; readonly fields: Fields }
  );

/** Declared by name. Numbers become metrics, so that renaming one is a breaking change (records.md). */
export type Fields = Readonly<Record<string, Field>>;

interface Plain {
  readonly string: string;
  readonly size: string;
  readonly strings: readonly string[];
  readonly switch: "ON" | "OFF";
  readonly boolean: boolean;
  readonly "exit code": number;
  readonly count: number;
  readonly integer: number;
}

type Value<F extends Field> = F extends { readonly type: "choice"; readonly options: readonly (infer O)[] }
  ? O
  : F extends { readonly type: "object"; readonly fields: infer C extends Fields }
    ? FactsOf<C>
    : F extends { readonly type: "rows"; readonly fields: infer C extends Fields }
      ? readonly FactsOf<C>[]
      : F["type"] extends keyof Plain
        ? Plain[F["type"]]
        : never;

/** The facts of a run, as its worker declares them. Any of them may be missing: a run may end before it knows. */
export type FactsOf<D extends Fields> = {
  -readonly [N in keyof D]?: Value<D[N]> | (D[N] extends { readonly nullable: true } ? null : never);
};

export type Schema = Readonly<Record<string, unknown>>;

/**
 * The properties of all workers' fields. Two workers may have a field of one name; where they differ in its type,
 * either type will do.
 */
export function propertiesOf(workers: ReadonlyMap<string, Fields>): Record<string, Schema> {
  const found = new Map<string, { worker: string; field: Field }[]>();
  for (const [worker, fields] of workers) {
    for (const [name, field] of Object.entries(fields)) {
      found.set(name, [...(found.get(name) ?? []), { worker, field }]);
    }
  }
  return Object.fromEntries([...found].map(([name, declared]) => [name, propertyOf(declared)]));
}

function propertyOf(declared: readonly { worker: string; field: Field }[]): Schema {
  const schemas = new Map(declared.map(({ field }) => [JSON.stringify(schemaOf(field)), schemaOf(field)]));
  const [first = {}, ...others] = schemas.values();
  const helps = Map.groupBy(declared, ({ field }) => field.help);
  const description = [...helps].map(
    ([help, said]) => `${said.map(({ worker }) => worker).join(", ")}: ${help}.`,
  );
  return {
    ...(others.length === 0 ? first : { anyOf: [first, ...others] }),
    description: description.join(" "),
  };
}

/** The schema of a field, without its description. Refers to the $defs of run.json. */
function schemaOf(field: Field): Schema {
  const schema = schemaOfType(field);
  return field.nullable ? { anyOf: [schema, { type: "null" }] } : schema;
}

function schemaOfType(field: Field): Schema {
  switch (field.type) {
    case "string":
    case "boolean":
      return { type: field.type };
    case "size":
      return { type: "string", pattern: "^[0-9.]+ ([KMGT]i)?B$" };
    case "strings":
      return { type: "array", items: { type: "string" } };
    case "count":
    case "switch":
      return { $ref: `#/$defs/${field.type}` };
    case "exit code":
      return { type: "integer", minimum: 0, maximum: 255 };
    case "integer":
      return { type: "integer", minimum: field.minimum };
    case "choice":
      return { enum: field.options };
    case "object":
      return objectOf(field.fields);
    case "rows":
      return { type: "array", items: objectOf(field.fields) };
  }
}

const objectOf = (fields: Fields): Schema => ({
  type: "object",
  properties: Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [
      name,
      { ...schemaOf(field), description: `${field.help}.` },
    ]),
  ),
});
