/** Walks a tree of files, removes one, gives one away. Names are bytes: on Linux they need not be UTF-8. */

import { constants, existsSync, lstatSync, promises, readdirSync, type Stats } from "node:fs";
import { errnoOf } from "../errors.ts";
import { readMounts } from "./mounts.ts";

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

/** Of Linux; node:fs does not name it. A descriptor that only says which file is meant, however its rights are. */
const O_PATH = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW } = constants;

/** A folder that is held by a descriptor: whatever is put in the place of its path meanwhile, it is this one. */
export type HeldFolder = Awaited<ReturnType<typeof promises.open>>;

/** Holds the folder at `path`, where a link is refused unless `follow`. Close it. Throws the error of open(2). */
export const holdFolder = (path: string | Buffer, follow = false): Promise<HeldFolder> =>
  promises.open(path, O_PATH | O_DIRECTORY | (follow ? 0 : O_NOFOLLOW));

/** The path of a held folder in /proc, by which we and our children reach it. A folder for lstat(2), too. */
export const heldPath = ({ fd }: HeldFolder): string => `/proc/${process.pid}/fd/${fd}/.`;

const PROC = "/proc/self/fd";
/** The path in /proc that leads to what a descriptor holds. */
const linkOf = ({ fd }: HeldFolder): string => `${PROC}/${fd}`;

const entryOf = (folder: HeldFolder, name: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${linkOf(folder)}/`), name]);

const namesIn = (folder: HeldFolder): Promise<Buffer[]> =>
  promises.readdir(`${linkOf(folder)}/`, { encoding: "buffer" });

/** Entries of a folder that are handled at once. */
const AT_ONCE = 64;

async function forEach(names: readonly Buffer[], handle: (name: Buffer) => Promise<void>): Promise<void> {
  for (let at = 0; at < names.length; at += AT_ONCE)
    await Promise.all(names.slice(at, at + AT_ONCE).map(handle));
}

/**
 * Removes what is at `path`, if anything: a file, or a folder and everything in it. Follows no link, whatever is swapped meanwhile, goes into no file
 * system that is mounted there, and opens folders that deny access, but none outside. Throws when something cannot be
 * removed.
 */
export async function removeTree(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isDirectory()) return promises.unlink(path);
  // Without /proc no descriptor leads to what is in a folder.
  if (!existsSync(PROC)) return promises.rm(path, { recursive: true });
  const folder = await holdFolder(path);
  try {
    const real = await promises.readlink(linkOf(folder));
    const mount = readMounts().find(({ at }) => at === real || at.startsWith(`${real}/`));
    if (mount !== undefined) throw new Error(`a file system is mounted on ${mount.at}; unmount it`);
    await empty(folder, (await folder.stat()).dev);
  } finally {
    await folder.close();
  }
  await promises.rmdir(path);
}

async function empty(folder: HeldFolder, device: number): Promise<void> {
  const { mode } = await folder.stat();
  if ((mode & 0o700) !== 0o700) await promises.chmod(linkOf(folder), 0o700);
  const folders: Buffer[] = [];
  await forEach(await namesIn(folder), async (name) => {
    try {
      await promises.unlink(entryOf(folder, name));
    } catch (error) {
      // What unlink(2) says of a folder, and of nothing else.
      if (errnoOf(error) !== "EISDIR") throw error;
      folders.push(name);
    }
  });
  for (const name of folders) {
    const inner = await holdFolder(entryOf(folder, name));
    try {
      if ((await inner.stat()).dev !== device) throw new Error("another file system is mounted in it");
      await empty(inner, device);
    } finally {
      await inner.close();
    }
    await promises.rmdir(entryOf(folder, name));
  }
}

export interface Given {
  /** Entries that could not be given. */
  readonly failed: number;
  /** Why the first of them could not. */
  readonly reason: unknown;
}

/**
 * Gives a held folder and everything below it to an owner; of a symbolic link the link itself. A folder is given after
 * what is in it, so that its new owner can swap nothing before. Stops early when `enough` returns true.
 */
export async function giveTree(
  folder: HeldFolder,
  uid: number,
  gid: number,
  enough: () => boolean,
): Promise<Given> {
  let failed = 0;
  let reason: unknown;
  const attempt = async (action: () => Promise<void>) => {
    try {
      await action();
    } catch (error) {
      failed++;
      reason ??= error;
    }
  };
  const give = async (outer: HeldFolder) => {
    const folders: Buffer[] = [];
    await forEach(await namesIn(outer), (name) =>
      attempt(async () => {
        if (enough()) return;
        const path = entryOf(outer, name);
        if ((await promises.lstat(path)).isDirectory()) folders.push(name);
        else await promises.lchown(path, uid, gid);
      }),
    );
    for (const name of folders) {
      if (enough()) return;
      await attempt(async () => {
        const inner = await holdFolder(entryOf(outer, name));
        try {
          await give(inner);
          await promises.chown(linkOf(inner), uid, gid);
        } finally {
          await inner.close();
        }
      });
    }
  };
  await attempt(() => give(folder));
  if (!enough()) await attempt(() => promises.chown(linkOf(folder), uid, gid));
  return { failed, reason };
}
