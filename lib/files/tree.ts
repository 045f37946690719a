/** Walks a tree of files. Names are bytes: on Linux they need not be UTF-8. */

import { chmodSync, lstatSync, readdirSync, rmSync, type Stats } from "node:fs";
import { errnoOf } from "../errors.ts";

export interface TreeEntry {
  readonly path: Buffer;
  readonly stat: Stats;
}

const SLASH = Buffer.from("/");

/** Everything below `root`, without `root` itself, never through a symbolic link. Throws when something is unreadable. */
export function* walk(root: string): Generator<TreeEntry> {
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

/** Entries after which a walk yields to the event loop: a few milliseconds. */
const TURN = 1000;

/** Calls `visit` for everything below `root`, handling signals in between. Stops early when `enough` returns true. */
export async function visitTree(
  root: string,
  visit: (entry: TreeEntry) => void,
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

/** Opens every folder from `root` down to its owner: a restored folder may deny access even to the owner. */
export function openFolders(root: string): void {
  chmodSync(root, 0o700);
  const folders = [Buffer.from(root)];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const name of readdirSync(folder, { encoding: "buffer" })) {
      const path = Buffer.concat([folder, SLASH, name]);
      if (!lstatSync(path).isDirectory()) continue;
      chmodSync(path, 0o700);
      folders.push(path);
    }
  }
}

/** Removes a file, or a folder and everything in it. Throws when something cannot be removed. */
export function removeTree(path: string): void {
  try {
    rmSync(path, { recursive: true });
  } catch (error) {
    if (errnoOf(error) !== "EACCES" && errnoOf(error) !== "EPERM") throw error;
    openFolders(path);
    rmSync(path, { recursive: true });
  }
}
