/** The files and folders of all snapshots that match a pattern, by `restic find`. Checked with 0.14, 0.18 and 0.19. */

import type { Restic } from "./restic.ts";
import { epochOf, type Filter, isListOf, listSnapshots } from "./snapshots.ts";

export interface FindPlan {
  readonly pattern: string;
  /** The beginning of a snapshot's id; undefined for all that match the filter. */
  readonly id: string | undefined;
  readonly filter: Filter;
  readonly ignoreCase: boolean;
}

/** A file or folder in a snapshot. */
export interface Found {
  /** The snapshot's whole id. */
  readonly snapshot: string;
  /** Epoch milliseconds of the snapshot; undefined for one that was made while we looked. */
  readonly madeAt: number | undefined;
  readonly path: string;
  /** As in Node: `file`, `dir`. */
  readonly type: string;
  /** Bytes; files only. */
  readonly size: number | undefined;
  /** Epoch milliseconds of its last change; NaN where restic gave none. */
  readonly changedAt: number;
}

/** A snapshot's matches, as `restic find --json` prints them. */
interface Hits {
  readonly snapshot: string;
  readonly matches?: readonly Match[] | null;
}

interface Match {
  readonly path: string;
  readonly type?: string;
  readonly size?: number;
  readonly mtime?: string;
}

/** The arguments of `restic find`. Pure. */
export function findArgs({ pattern, id, filter, ignoreCase }: FindPlan): string[] {
  return [
    "find",
    "--json",
    ...(ignoreCase ? ["--ignore-case"] : []),
    ...(id === undefined ? [] : [`--snapshot=${id}`]),
    ...(filter.host === "" ? [] : [`--host=${filter.host}`]),
    ...(filter.tag === "" ? [] : [`--tag=${filter.tag}`]),
    "--",
    pattern,
  ];
}

/** What matches, that of the newest snapshot first. Throws a Failure with restic's exit code. */
export async function findFiles(restic: Restic, plan: FindPlan): Promise<Found[]> {
  const made = new Map((await listSnapshots(restic)).map((each) => [each.id, epochOf(each)]));
  // The filter is said in full: restic must not add a host of its own.
  const env = { RESTIC_HOST: undefined };
  const hits = await restic.ask(findArgs(plan), "which snapshots hold it", isHits, env);
  const found = hits.flatMap(({ snapshot, matches }) =>
    (matches ?? []).map(({ path, type = "", size, mtime = "" }) => ({
      snapshot,
      madeAt: made.get(snapshot),
      path,
      type,
      size,
      changedAt: Date.parse(mtime),
    })),
  );
  const newest = Number.POSITIVE_INFINITY;
  return found.sort((a, b) => (b.madeAt ?? newest) - (a.madeAt ?? newest) || (a.path < b.path ? -1 : 1));
}

function isHits(value: unknown): value is Hits {
  const { snapshot, matches } = (value ?? {}) as Partial<Record<keyof Hits, unknown>>;
  const isMatch = (each: unknown) => typeof (each as Partial<Match> | null)?.path === "string";
  return typeof snapshot === "string" && isListOf(matches, isMatch);
}
