/** JSON Schemas (2020-12) of what this program writes for programs to read. They lie in the binary. */

const LOAD = {
  run: () => import("./run.json", { with: { type: "json" } }),
  status: () => import("./status.json", { with: { type: "json" } }),
  doctor: () => import("./doctor.json", { with: { type: "json" } }),
  "config-check": () => import("./config-check.json", { with: { type: "json" } }),
} as const satisfies Record<string, () => Promise<{ default: object }>>;

export type SchemaName = keyof typeof LOAD;

export const SCHEMAS = Object.keys(LOAD) as SchemaName[];

/** The schema as it is printed. */
export const schemaText = async (name: SchemaName): Promise<string> =>
  `${JSON.stringify((await LOAD[name]()).default, null, 2)}\n`;
