/**
 * The program as it was before a change: `make bench OLD=FILE` measures it beside the new one, each in its turn of the
 * same run, and fails when the new one is worse in any row by more than the noise of such a run.
 */

import { copyFileSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { binary } from "../support/world.ts";
import { readInOrder } from "./page-cache.ts";

/** A copy of the program of before; undefined when none was named. Its file lies in memory as that of ours does. */
export const oldProgram = process.env.RBH_OLD_BINARY ? prepared(process.env.RBH_OLD_BINARY) : undefined;

function prepared(path: string): string {
  const folder = mkdtempSync(join(tmpdir(), "rbh-old-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const copy = join(folder, "restic-backup-helper");
  copyFileSync(path, copy);
  Bun.spawnSync(["sync", copy, binary]);
  for (const program of [copy, binary]) readInOrder(program);
  return copy;
}

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
