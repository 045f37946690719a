/** What killed processes have left of files that they were preparing (see temporaryOf). */

import { readdirSync } from "node:fs";
import { discard } from "../files.ts";
import { isAlive } from "./family.ts";

/** Removes what was to become the file at `path`, and whose process is gone. */
export function sweep(path: string): void {
  const cut = path.lastIndexOf("/") + 1;
  const folder = path.slice(0, cut);
  const start = `${path.slice(cut)}.`;
  try {
    for (const name of readdirSync(folder)) {
      if (!name.startsWith(start) || !name.endsWith(".tmp")) continue;
      if (!isAlive(Number.parseInt(name.slice(start.length), 10))) discard(folder + name);
    }
  } catch {
    // The folder is gone, or not ours to read: who writes into it finds that out too.
  }
}
