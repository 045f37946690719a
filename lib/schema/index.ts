/** JSON Schemas (2020-12) of what this program writes for programs to read. They lie in the binary. */

const LOAD = {
  run: () => require("./run.json"),
  status: () => require("./status.json"),
  doctor: () => require("./doctor.json"),
  "config-check": () => require("./config-check.json"),
} as const satisfies Record<string, () => object>;

export type SchemaName = keyof typeof LOAD;

export const SCHEMAS = Object.keys(LOAD) as SchemaName[];

/** The schema as it is printed. */
export const schemaText = (name: SchemaName): string => `${JSON.stringify(LOAD[name](), null, 2)}\n`;
