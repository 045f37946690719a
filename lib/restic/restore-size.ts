/** How many bytes a restore writes, as far as restic can tell beforehand. Checked with 0.14, 0.18 and 0.19. */

import { EXIT } from "../errors.ts";
import { type Node, visitNodes } from "./nodes.ts";
import type { Restic } from "./restic.ts";
import type { RestoreWords } from "./restore-tree.ts";
import type { Snapshot } from "./snapshots.ts";

export interface RestoreSize {
  readonly bytes: number;
  /** Patterns leave out nobody knows how much of it. */
  readonly isMost: boolean;
}

/**
 * The size of what is restored when it is more than `free` bytes; undefined when it is not, or when restic does not
 * tell. The summary in a snapshot answers at once, but counts a file under each of its names: only `restic stats`
 * convicts.
 */
export async function sizeBeyond(
  free: number,
  restic: Restic,
  snapshot: Snapshot,
  { include, exclude }: Pick<RestoreWords, "include" | "exclude">,
): Promise<RestoreSize | undefined> {
  const recorded = snapshot.summary?.total_bytes_processed;
  if (recorded !== undefined && recorded <= free) return undefined;
  const whole = await wholeSize(restic, snapshot);
  if (whole === undefined || whole <= free) return undefined;
  if (include.length === 0) return { bytes: whole, isMost: exclude.length > 0 };
  if (!include.every(isPlain)) return { bytes: whole, isMost: true };
  const bytes = await sizeBelow(restic, snapshot, include);
  return bytes <= free ? undefined : { bytes, isMost: exclude.length > 0 };
}

/** Does the pattern name one path and nothing else? Pure. */
const isPlain = (pattern: string): boolean => pattern.startsWith("/") && !/[*?[\]\\]/.test(pattern);

/** By `restic stats`, which counts a file with several names once; undefined when it fails. */
async function wholeSize(restic: Restic, snapshot: Snapshot): Promise<number | undefined> {
  let size: number | undefined;
  const onLine = (line: string) => {
    size ??= totalSize(line);
  };
  const words = ["stats", "--json", "--mode=restore-size", snapshot.id];
  const { exitCode } = await restic.call(words, { onLine });
  return exitCode === EXIT.ok ? size : undefined;
}

/** `total_size` in a line of `restic stats --json`; undefined for any other line. Pure. */
export function totalSize(line: string): number | undefined {
  try {
    const { total_size } = JSON.parse(line) as { total_size?: unknown };
    return typeof total_size === "number" ? total_size : undefined;
  } catch {
    // Plain text.
    return undefined;
  }
}

async function sizeBelow(restic: Restic, { id }: Snapshot, paths: readonly string[]): Promise<number> {
  const plain = [...new Set(paths.map((path) => `/${path.split("/").filter(Boolean).join("/")}`))];
  const outermost = plain.filter((path) => !plain.some((other) => path !== other && isBelow(path, other)));
  let bytes = 0;
  const visit = ({ size = 0 }: Node) => {
    bytes += size;
  };
  await visitNodes(restic, id, outermost, visit, true);
  return bytes;
}

const isBelow = (path: string, folder: string): boolean => folder === "/" || path.startsWith(`${folder}/`);
