/** Random files of a snapshot, and whether they are still what the sources hold. */

import { lstatSync } from "node:fs";
import { errnoOf, reasonOf } from "../errors.ts";
import { sha256Of } from "../files/files.ts";
import { type Node, visitNodes } from "../restic/nodes.ts";
import type { Restic } from "../restic/restic.ts";
import { plural } from "../text.ts";

/** So many of what is offered, each with the same chance, without keeping the rest: Vitter's algorithm R. */
export class Reservoir<T> {
  readonly kept: T[] = [];
  private offered = 0;

  /** `random` gives numbers from 0 to below 1. */
  constructor(
    private readonly size: number,
    private readonly random: () => number = Math.random,
  ) {}

  offer(item: T): void {
    this.offered++;
    if (this.kept.length < this.size) this.kept.push(item);
    else {
      const at = Math.floor(this.random() * this.offered);
      if (at < this.size) this.kept[at] = item;
    }
  }
}

/** A picked file, as the snapshot tells of it. */
export type Picked = Pick<Node, "path" | "size">;

/** `count` random files of the snapshot, below `path` when that is given. Throws a Failure with restic's exit code. */
export async function pickSample(
  restic: Restic,
  snapshot: string,
  count: number,
  path: string | undefined,
): Promise<Picked[]> {
  const reservoir = new Reservoir<Picked>(count);
  const visit = ({ path, type, size = 0 }: Node) => {
    // restic's JSON has U+FFFD for what is no UTF-8: such a file cannot be named to it.
    if (type === "file" && !path.includes("\ufffd")) reservoir.offer({ path, size });
  };
  await visitNodes(restic, snapshot, path === undefined ? [] : [path], visit, true);
  return reservoir.kept;
}

/** The pattern that matches this path and, unless a byte of it is no UTF-8, nothing else. Pure. */
export const literal = (path: string): string => path.replace(/[\\*?[]/g, "\\$&").replaceAll("\ufffd", "?");

/** Bytes of patterns that one command line holds: well below the 2 MiB of Linux, environment and all. */
const CALL_MOST = 256 * 1024;

/** Patterns in portions that fit on a command line each. Pure. */
export function portions(patterns: readonly string[], most = CALL_MOST): string[][] {
  const all: string[][] = [];
  let left = 0;
  for (const pattern of patterns) {
    // `--include=` and the pointer to it count, too.
    const size = Buffer.byteLength(pattern) + 32;
    if (size > left) {
      all.push([]);
      left = most;
    }
    all.at(-1)?.push(pattern);
    left -= size;
  }
  return all;
}

export interface Comparison {
  readonly path: string;
  readonly status: "matched" | "changed" | "differing" | "missing";
  /** For use in a sentence. */
  readonly message: string;
}

/** Holds a restored file against its source, when that still has the size and the time that it was saved with. */
export async function compare(
  root: string,
  { path, size }: Picked,
  enough: () => boolean,
): Promise<Comparison> {
  const say = (status: Comparison["status"], message: string): Comparison => ({ path, status, message });
  const restored = `${root}${path}`;
  try {
    const saved = look(restored);
    if (saved === undefined) return say("missing", "it was not restored");
    if (saved.size !== BigInt(size ?? 0)) {
      return say("differing", `it came back with ${plural(Number(saved.size), "byte")} instead of ${size}`);
    }
    const before = look(path);
    if (before === undefined) return say("changed", "its source is gone");
    if (!isAlike(saved, before)) return say("changed", "its source has changed since");
    const [ours, theirs] = [await sha256Of(restored, enough), await sha256Of(path, enough)];
    const after = look(path);
    if (after === undefined || !isAlike(before, after) || after.ctimeNs !== before.ctimeNs) {
      return say("changed", "its source was changing while it was read");
    }
    if (ours === undefined || theirs === undefined) return say("changed", "the run was told to end");
    return ours === theirs
      ? say("matched", "it is what its source is")
      : say("differing", "its source has the same size and time, and another content");
  } catch (error) {
    return say("changed", `it cannot be compared: ${reasonOf(error)}`);
  }
}

const isAlike = (a: Looked, b: Looked) => a.size === b.size && a.mtimeNs === b.mtimeNs && b.isFile;

interface Looked {
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly isFile: boolean;
}

/** undefined for what is not there. */
function look(path: string): Looked | undefined {
  try {
    const stat = lstatSync(path, { bigint: true });
    return { size: stat.size, mtimeNs: stat.mtimeNs, ctimeNs: stat.ctimeNs, isFile: stat.isFile() };
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
}
