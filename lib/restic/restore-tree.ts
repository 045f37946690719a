/** `restic restore`, and what came of it, the same for every version of restic. */

import { ConfigError } from "../errors.ts";
import { type Entry, visitTree } from "../files/tree.ts";
import { isVacant } from "../paths.ts";
import type { Run } from "../run/run.ts";
import type { Message, StatusMessage } from "./messages.ts";
import { isSince, resticVersion } from "./open.ts";
import { Progress } from "./progress.ts";
import type { Restic } from "./restic.ts";

export interface RestoreWords {
  /** The whole id. */
  readonly snapshot: string;
  readonly target: string;
  /** Patterns; all of the snapshot when there are none. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Since 0.17. */
  readonly dryRun?: boolean;
  readonly verify?: boolean;
  readonly verbose?: boolean;
}

export interface Restored {
  readonly exitCode: number;
  /** Files and folders, those above an included one too: as restic counts them since 0.17. */
  readonly files: number;
  readonly bytes: number;
  /** Files that were in the target already, unchanged. Known since 0.17. */
  readonly skipped: number;
}

/** restic's `restore --dry-run` came with it. */
const DRY_RUN_SINCE = "0.17.0";

/** Why this restic cannot rehearse a restore, as a sentence; undefined when it can. Throws CannotStart. */
export async function noDryRun(run: Run): Promise<string | undefined> {
  const version = await resticVersion(run);
  if (version === undefined || isSince(version, DRY_RUN_SINCE)) return undefined;
  return `A restore can be rehearsed with restic ${DRY_RUN_SINCE} or later; this is restic ${version}.`;
}

/** Throws a ConfigError when this restic cannot rehearse a restore. */
export async function needDryRun(run: Run): Promise<void> {
  const why = await noDryRun(run);
  if (why !== undefined) throw new ConfigError(`${why} Leave out --dry-run, or update restic.`);
}

/** The words of restic's command line. Pure. */
export function restoreArgs(words: RestoreWords): string[] {
  const { snapshot, target, include, exclude, dryRun, verify, verbose } = words;
  // restic takes either --include or --exclude. An include that begins with ! takes out what those before it
  // let in, since 0.13.
  const patterns =
    include.length > 0
      ? [...include, ...exclude.map(negated)].map((pattern) => `--include=${pattern}`)
      : exclude.map((pattern) => `--exclude=${pattern}`);
  return [
    "restore",
    "--json",
    ...(dryRun ? ["--dry-run"] : []),
    ...(verify ? ["--verify"] : []),
    ...(verbose ? ["--verbose=2"] : []),
    ...patterns,
    `--target=${target}`,
    snapshot,
  ];
}

/** What is restored, for use in a sentence: `only /data/photos, *.txt, without *.tmp`. Pure. */
export function patternText({ include, exclude }: Pick<RestoreWords, "include" | "exclude">): string {
  const only = include.length === 0 ? "everything" : `only ${include.join(", ")}`;
  return exclude.length === 0 ? only : `${only}, without ${exclude.join(", ")}`;
}

const negated = (pattern: string) => (pattern.startsWith("!") ? pattern.slice(1) : `!${pattern}`);

/** As restic has it since 0.16; absent numbers are 0. */
interface RestoreSummary {
  readonly files_restored?: number;
  readonly bytes_restored?: number;
  readonly files_skipped?: number;
}

interface RestoreStatus extends StatusMessage {
  readonly files_restored?: number;
  readonly bytes_restored?: number;
}

/** Runs it to its end. Throws CannotStart. */
export async function restoreTree(run: Run, restic: Restic, words: RestoreWords): Promise<Restored> {
  const wasVacant = isVacant(words.target);
  const startedMs = Date.now();
  const progress = new Progress(run);
  let summary: RestoreSummary | undefined;
  const onMessage = (message: Message): boolean => {
    if (message.message_type === "summary") summary = message as RestoreSummary;
    if (message.message_type === "status") progress.show(asStatus(message));
    return message.message_type === "summary" || message.message_type === "status";
  };
  const { exitCode } = await restic.call(restoreArgs(words), { onMessage });
  if (summary !== undefined) {
    const { files_restored = 0, bytes_restored = 0, files_skipped = 0 } = summary;
    return { exitCode, files: files_restored, bytes: bytes_restored, skipped: files_skipped };
  }
  if (exitCode !== 0 || words.dryRun) return { exitCode, files: 0, bytes: 0, skipped: 0 };
  return { exitCode, ...(await countRestored(run, words.target, wasVacant ? 0 : startedMs)) };
}

/** The clock that the kernel stamps files with may be behind ours by a tick or two. */
const COARSE_MS = 50;

/** What an older restic, which does not tell, has written: all of it, or what has changed since `sinceMs`. */
async function countRestored(run: Run, target: string, sinceMs: number) {
  const count = { files: 0, bytes: 0, skipped: 0 };
  if (isVacant(target)) return count;
  const inodes = new Set<string>();
  const visit = ({ stat }: Entry) => {
    if (stat.ctimeMs < sinceMs - COARSE_MS) return;
    count.files++;
    // A file with several names has its bytes once.
    const inode = `${stat.dev}:${stat.ino}`;
    if (!stat.isFile() || inodes.has(inode)) return;
    if (stat.nlink > 1) inodes.add(inode);
    count.bytes += stat.size;
  };
  await visitTree(target, visit, () => run.ending);
  return count;
}

/** A restore has other names for what a backup's status says. */
function asStatus(status: RestoreStatus): StatusMessage {
  const { seconds_elapsed = 0, percent_done = 0 } = status;
  return {
    ...status,
    files_done: status.files_restored ?? 0,
    bytes_done: status.bytes_restored ?? 0,
    ...(percent_done > 0 && seconds_elapsed > 0
      ? { seconds_remaining: Math.round((seconds_elapsed * (1 - percent_done)) / percent_done) }
      : {}),
  };
}
