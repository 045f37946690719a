/** JSON Schemas (2020-12) of what this program writes for programs to read. They lie in the binary. */

import { type Fields, propertiesOf, type Schema } from "./fields.ts";

const LOAD = {
  run: () => import("./run.json", { with: { type: "json" } }),
  status: () => import("./status.json", { with: { type: "json" } }),
  doctor: () => import("./doctor.json", { with: { type: "json" } }),
  "config-check": () => import("./config-check.json", { with: { type: "json" } }),
} as const satisfies Record<string, () => Promise<{ default: Schema }>>;

export type SchemaName = keyof typeof LOAD;

export const SCHEMAS = Object.keys(LOAD) as SchemaName[];

/**
 * The schema as it is printed. run.json has the fields of every run; those of each worker, as it declares them in
 * `workers`, are added.
 */
export async function schemaText(name: SchemaName, workers: ReadonlyMap<string, Fields>): Promise<string> {
  const schema: Schema & { properties: Schema } = (await LOAD[name]()).default;
  const properties = name === "run" ? { ...propertiesOf(workers), ...schema.properties } : schema.properties;
  return `${JSON.stringify({ ...schema, properties }, null, 2)}\n`;
}
