/** What a hostile hook is. */

import type { World } from "../../support/world.ts";

export interface HostileHook {
  readonly name: string;
  /** Of /bin/sh, unless it begins with `#!`; or what puts the file, or something else, at a path. */
  readonly script: string | ((world: World, path: string) => void);
  /** The hook's own exit code; undefined when it cannot run. Default: 0. */
  readonly exit?: number | undefined;
  /** The signal that ends it. */
  readonly signal?: string;
  /** It takes longer than HOOK_TIMEOUT. */
  readonly hangs?: true;
  /** What it leaves running, which its author may have wanted. */
  readonly leaves?: true;
  /** Runs in this phase alone. */
  readonly only?: "pre-backup" | "post-backup";
  /** The exit code of the run. Default: 0, restic's own. */
  readonly run?: number;
  /** A line of stdout. */
  readonly says?: RegExp;
  /** A root hook can destroy anything; this is what it has destroyed, and what the program promises all the same. */
  readonly destroys?: string;
  /** What the operator does before the next run. */
  readonly mend?: (world: World) => void;
}

/** A file of exactly this content. */
export const raw = (content: string | Uint8Array, mode = 0o755): HostileHook["script"] => {
  return (world, path) => void world.file(path, content, mode);
};
export const shell = (...argv: string[]) => Bun.spawnSync(argv);
/** It cannot run, and this says why. */
export const refused = (says: RegExp) => ({ exit: undefined, says });
