/**
 * The program as it was before a change: `make bench OLD=FILE` measures it beside the new one, each in its turn of the
 * same run, and fails when the new one is worse in any row by more than the noise of such a run.
 */

import { existsSync, mkdirSync, realpathSync, symlinkSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { binary } from "../support/world.ts";

/** The program of before; undefined when none was named. */
export const oldProgram: string | undefined = process.env.RBH_OLD_BINARY
  ? resolve(process.env.RBH_OLD_BINARY)
  : undefined;

/**
 * The same command as the program of before runs it: each word that is a link to ours becomes a link to that, which
 * lies beside. Undefined where there is no such program, or no such word.
 */
export function before(command: readonly string[]): string[] | undefined {
  if (oldProgram === undefined || !command.some(isOurs)) return undefined;
  return command.map((word) => (isOurs(word) ? linkBeside(word, oldProgram) : word));
}

const isOurs = (word: string): boolean =>
  word.startsWith("/") && existsSync(word) && realpathSync(word) === realpathSync(binary);

/** `…/bin/backup` → `…/bin/old/backup`. */
function linkBeside(link: string, program: string): string {
  const path = join(dirname(link), "old", basename(link));
  mkdirSync(dirname(path), { recursive: true });
  if (!existsSync(path)) symlinkSync(program, path);
  return path;
}
