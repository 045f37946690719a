/** A snapshot's files and folders, as `restic ls --json` lists them. Checked with 0.14, 0.18 and 0.19. */

import { EXIT, Failure } from "../errors.ts";
import type { Restic } from "./restic.ts";

export interface Node {
  readonly path: string;
  /** `file`, `dir`, `symlink`, `fifo`, `dev`, `chardev`, `socket`. */
  readonly type: string;
  /** Go's FileMode: see permissionsOf. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Files only. */
  readonly size?: number;
  /** RFC 3339 with up to nine decimals. */
  readonly mtime: string;
}

/** Go keeps setuid, setgid and sticky in other bits (io/fs, FileMode). */
const GO_BITS = [
  [1 << 23, 0o4000],
  [1 << 22, 0o2000],
  [1 << 20, 0o1000],
] as const;

/** The permission bits as chmod(2) has them. */
export function permissionsOf({ mode }: Node): number {
  return GO_BITS.reduce((bits, [go, unix]) => ((mode & go) === 0 ? bits : bits | unix), mode & 0o777);
}

/**
 * Calls `visit` for the nodes at `paths` and for the direct children of the folders among them; with no paths, for
 * everything; with `deep`, for everything below them too. Throws a Failure with restic's exit code.
 */
export async function visitNodes(
  restic: Restic,
  snapshot: string,
  paths: readonly string[],
  visit: (node: Node) => void,
  deep = false,
): Promise<void> {
  const onLine = (line: string) => {
    const node = parseNode(line);
    if (node !== undefined) visit(node);
  };
  const words = ["ls", "--json", ...(deep ? ["--recursive"] : []), snapshot, ...paths];
  const { exitCode } = await restic.call(words, { onLine });
  if (exitCode !== EXIT.ok) {
    throw new Failure(`restic could not list snapshot ${snapshot.slice(0, 8)} (exit ${exitCode}).`, exitCode);
  }
}

/**
 * Which of the paths that a snapshot records it does not hold: restic records absolute paths even of relative ones, whose
 * files it keeps from the top (`/photos`, recorded as /data/photos). Throws a Failure with restic's exit code.
 */
export async function pathsNotKept(
  restic: Restic,
  snapshot: string,
  paths: readonly string[],
): Promise<string[]> {
  const kept = new Set<string>();
  await visitNodes(restic, snapshot, paths, ({ path }) => kept.add(path));
  return paths.filter((path) => path !== "/" && !kept.has(path));
}

/** The node on a line; undefined for the snapshot itself, which comes first. */
export function parseNode(line: string): Node | undefined {
  try {
    const value = JSON.parse(line) as { struct_type?: unknown; path?: unknown };
    return value.struct_type === "node" && typeof value.path === "string"
      ? (value as unknown as Node)
      : undefined;
  } catch {
    // Plain text: not a node.
    return undefined;
  }
}
