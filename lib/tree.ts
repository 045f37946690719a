/** Walks a tree of files. Names are bytes: on Linux they need not be UTF-8. */

import { lstatSync, readdirSync, type Stats } from "node:fs";

export interface Entry {
  readonly path: Buffer;
  readonly stat: Stats;
}

const SLASH = Buffer.from("/");

/** Everything below `root`, itself not, never through a symbolic link. Throws what cannot be read. */
export function* walk(root: string): Generator<Entry> {
  const folders = [Buffer.from(root)];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    // withFileTypes would save the lstat(2), but with names as bytes Bun 1.4 gives no types.
    for (const name of readdirSync(folder, { encoding: "buffer" })) {
      const path = Buffer.concat([folder, SLASH, name]);
      const stat = lstatSync(path);
      if (stat.isDirectory()) folders.push(path);
      yield { path, stat };
    }
  }
}

/** Entries after which a walk lets others have their turn: some milliseconds. */
const TURN = 1000;

/** Calls `visit` for everything below `root`, and lets signals in between. Stops early when `enough` says so. */
export async function visitTree(
  root: string,
  visit: (entry: Entry) => void,
  enough: () => boolean,
): Promise<void> {
  let visited = 0;
  for (const entry of walk(root)) {
    visit(entry);
    if (++visited % TURN !== 0) continue;
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (enough()) return;
  }
}
