/** Picks random files of a snapshot, and compares them once restored with their sources. */

import { promises } from "node:fs";
import { errnoOf, reasonOf } from "../errors.ts";
import { sha256Of } from "../files/files.ts";
import { SILENCE } from "../files/mounts.ts";
import { answered, isSilent } from "../files/within.ts";
import { type Node, visitNodes } from "../restic/nodes.ts";
import type { Restic } from "../restic/restic.ts";
import { plural } from "../text.ts";

/** Keeps `size` of the items offered, each with the same probability, in constant memory: Vitter's algorithm R. */
export class Reservoir<T> {
  readonly kept: T[] = [];
  private offered = 0;

  /** `random` returns numbers from 0 up to, not including, 1. */
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

/** A picked file, as the snapshot lists it. */
export type Picked = Pick<Node, "path" | "size">;

/** `count` random files of the snapshot, below `paths` when there are any. Throws a Failure with restic's exit code. */
export async function pickSample(
  restic: Restic,
  snapshot: string,
  count: number,
  paths: readonly string[],
): Promise<Picked[]> {
  const reservoir = new Reservoir<Picked>(count);
  const visit = ({ path, type, size = 0 }: Node) => {
    // restic's JSON has U+FFFD for bytes that are not UTF-8: such a file cannot be named to restic.
    if (type === "file" && !path.includes("\ufffd")) reservoir.offer({ path, size });
  };
  await visitNodes(restic, snapshot, paths, visit, true);
  return reservoir.kept;
}

/** Bytes of patterns on one command line: well below Linux's limit of 2 MiB, which includes the environment. */
const CALL_MOST = 256 * 1024;

/** Splits patterns into portions that each fit on a command line. Pure. */
export function portions(patterns: readonly string[], most = CALL_MOST): string[][] {
  const all: string[][] = [];
  let left = 0;
  for (const pattern of patterns) {
    // `--include=` and its pointer in argv count too.
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
  /** A clause of a sentence. */
  readonly message: string;
}

/** Compares a restored file with its source, if that still has the size and the time that were saved. */
export async function compare(
  root: string,
  { path, size }: Picked,
  enough: () => boolean,
): Promise<Comparison> {
  const say = (status: Comparison["status"], message: string): Comparison => ({ path, status, message });
  const restored = `${root}${path}`;
  try {
    if (await isSilent(path)) throw new Error(SILENCE);
    const saved = await inspectFile(restored);
    if (saved === undefined) return say("missing", "it was not restored");
    if (saved.size !== BigInt(size ?? 0)) {
      return say(
        "differing",
        `it was restored with ${plural(Number(saved.size), "byte")} instead of ${size}`,
      );
    }
    const before = await inspectFile(path);
    if (before === undefined) return say("changed", "its source is gone");
    if (!isAlike(saved, before)) return say("changed", "its source has changed since");
    const [ours, theirs] = [await sha256Of(restored, enough), await sha256Of(path, enough)];
    const after = await inspectFile(path);
    if (after === undefined || !isAlike(before, after) || after.ctimeNs !== before.ctimeNs) {
      return say("changed", "its source was changing while it was read");
    }
    if (ours === undefined || theirs === undefined)
      return say("changed", "the run was stopped before it was compared");
    return ours === theirs
      ? say("matched", "it is identical to its source")
      : say("differing", "its source has the same size and time, but different content");
  } catch (error) {
    return say("changed", `it cannot be compared: ${reasonOf(error)}`);
  }
}

const isAlike = (a: Inspected, b: Inspected) => a.size === b.size && a.mtimeNs === b.mtimeNs && b.isFile;

interface Inspected {
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly isFile: boolean;
}

/** undefined when there is no such file. */
async function inspectFile(path: string): Promise<Inspected | undefined> {
  try {
    const stat = await answered(promises.lstat(path, { bigint: true }));
    if (stat === undefined) throw new Error(SILENCE);
    return { size: stat.size, mtimeNs: stat.mtimeNs, ctimeNs: stat.ctimeNs, isFile: stat.isFile() };
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
}
