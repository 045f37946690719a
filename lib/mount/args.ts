/** The words of `restic mount`. Pure. */

import type { Filter } from "../restic/snapshots.ts";

export interface MountWords {
  readonly target: string;
  readonly filter: Filter;
  readonly paths: readonly string[];
  readonly allowOther: boolean;
}

export function mountArgs({ target, filter, paths, allowOther }: MountWords): string[] {
  return [
    "mount",
    ...(allowOther ? ["--allow-other"] : []),
    ...(filter.host === "" ? [] : ["--host", filter.host]),
    ...(filter.tag === "" ? [] : ["--tag", filter.tag]),
    ...paths.flatMap((path) => ["--path", path]),
    "--",
    target,
  ];
}
