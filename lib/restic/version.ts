/** Which restic it is. */

import type { Run } from "../run/run.ts";

/** The version of the restic on PATH, such as `0.18.0`; undefined when it tells none. Throws CannotStart. */
export async function resticVersion(run: Run): Promise<string | undefined> {
  let version: string | undefined;
  await run.child(["restic", "version"], {
    onStdout: (line) => {
      version ??= /^restic v?(\d+\.\d+(?:\.\d+)?)/.exec(line)?.[1];
    },
  });
  return version;
}

/** Is `version` the version `wanted` or a later one? Both are numbers with dots between them. */
export function isSince(version: string, wanted: string): boolean {
  const [have, need] = [version, wanted].map((each) => each.split(".").map(Number));
  for (const [at, number] of (need ?? []).entries()) {
    const other = have?.[at] ?? 0;
    if (other !== number) return other > number;
  }
  return true;
}
