/**
 * Appends lines to a history as a run does, and records each one that was written: to be started many times at once,
 * and killed. Arguments: the folder, the writer's name, how many lines, HISTORY_MAX_RUNS, the file of what was written.
 */

import { appendFileSync } from "node:fs";
import { appendHistory, trimHistory } from "../../lib/state/history.ts";

const [folder = "", name = "", count = "0", most = "0", notes = ""] = process.argv.slice(2);
for (let n = 0; n < Number(count); n++) {
  const id = `${name}-${n}`;
  await appendHistory(
    folder,
    { id, pad: "x".repeat(200 + ((n * 977) % 6000)), end: { of: id } },
    process.env,
  );
  appendFileSync(notes, `${id}\n`);
  await trimHistory(folder, Number(most), process.env);
}
