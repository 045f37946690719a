/** Checks of what backup reads and how it forgets. */

import { opendirSync } from "node:fs";
import type { Settings } from "../config/settings.ts";
import { namedFiles } from "../restic/named-files.ts";
import { splitWords, UnbalancedQuote } from "../words.ts";
import type { Checks } from "./check.ts";
import { type Look, look } from "./look.ts";

export async function judgeSources(checks: Checks, settings: Settings): Promise<void> {
  if (settings.given("RESTIC_TAG") && (settings.env.RESTIC_TAG ?? "").trim() === "") {
    checks.fail("RESTIC_TAG is empty. Give it a tag, or unset it for the default, automated.");
  }
  const roots = settings.lines("BACKUP_ROOT_DIR");
  const words = wordsOf(settings.env.RESTIC_JOB_ARGS);
  if (roots.length === 0 && words?.length === 0) {
    checks.fail("There is nothing to back up. Set BACKUP_ROOT_DIR, or RESTIC_JOB_ARGS with --files-from.");
  }
  const seen = await Promise.all(roots.map(async (root) => [root, await look(root, "read")] as const));
  for (const [root, each] of seen) judgeRoot(checks, root, each);
  for (const { flag, path } of namedFiles(words ?? [])) {
    const { stat, problem } = await look(path, "read");
    if (problem !== undefined) checks.fail(`${flag} ${path} of RESTIC_JOB_ARGS cannot be read: ${problem}.`);
    else if (stat.isDirectory())
      checks.fail(`${flag} ${path} of RESTIC_JOB_ARGS is a directory, not a file.`);
    else checks.ok(`${flag} ${path} of RESTIC_JOB_ARGS can be read.`);
  }
  judgePolicy(checks, settings);
}

/** undefined for an unbalanced quote, of which the checks of values tell. */
function wordsOf(text = ""): string[] | undefined {
  try {
    return splitWords(text);
  } catch (error) {
    if (!(error instanceof UnbalancedQuote)) throw error;
    return undefined;
  }
}

function judgeRoot(checks: Checks, root: string, { stat, problem }: Look): void {
  if (problem !== undefined) {
    checks.fail(`BACKUP_ROOT_DIR: ${root} cannot be read: ${problem}. Mount it, or correct the path.`);
  } else if (stat.isDirectory() && isEmpty(root)) {
    checks.warn(`BACKUP_ROOT_DIR: ${root} is empty. Is its volume mounted?`);
  } else {
    checks.ok(`BACKUP_ROOT_DIR: ${root} can be read.`);
  }
}

/** One entry is enough to tell, of a folder that may hold millions. */
function isEmpty(folder: string): boolean {
  const entries = opendirSync(folder);
  try {
    return entries.readSync() === null;
  } finally {
    entries.closeSync();
  }
}

function judgePolicy(checks: Checks, settings: Settings): void {
  const isScheduled = settings.text("FORGET_CRON") !== "";
  if (wordsOf(settings.env.RESTIC_FORGET_ARGS)?.length !== 0) return;
  if (isScheduled) {
    checks.fail("FORGET_CRON is set, but RESTIC_FORGET_ARGS holds no policy: forget ends with exit 2.");
  } else {
    checks.info("RESTIC_FORGET_ARGS is not set: no snapshot is ever forgotten.");
  }
}
