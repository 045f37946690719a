/**
 * make bench: every figure as a ratio against a floor that is measured in the same run. Exits with 1 when a
 * ratio is above its limit. `bun test/bench/main.ts tick` runs one of them.
 */

import { cpus } from "node:os";
import { added } from "./added.ts";
import { exported } from "./export.ts";
import { idle } from "./idle.ts";
import { exceeds, type Row, tableOf } from "./report.ts";
import { sources } from "./sources.ts";
import { status } from "./status.ts";
import { tick } from "./tick.ts";

const benches: Readonly<Record<string, () => Promise<Row[]>>> = {
  tick,
  added,
  status,
  idle,
  sources,
  export: exported,
};

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !(name in benches));
if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(", ")}; there are ${Object.keys(benches).join(", ")}.`);
  process.exit(2);
}
const rows: Row[] = [];
for (const [name, bench] of Object.entries(benches)) {
  if (chosen.length === 0 || chosen.includes(name)) rows.push(...(await bench()));
}
const [cpu] = cpus();
console.log(
  `${cpus().length} × ${cpu?.model ?? "unknown processor"}, Bun ${Bun.version}; medians of runs taken in turn\n`,
);
console.log(tableOf(rows));
process.exit(rows.some(exceeds) ? 1 : 0);
