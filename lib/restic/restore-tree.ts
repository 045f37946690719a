/** `restic restore` and its result, counted alike for every version of restic. */

import { lstatSync } from "node:fs";
import { ConfigError, EXIT } from "../errors.ts";
import { type TreeEntry, visitTree } from "../files/tree.ts";
import { isVacant } from "../paths.ts";
import type { Run } from "../run/run.ts";
import type { Message, StatusMessage } from "./messages.ts";
import { isSince, resticVersion } from "./open.ts";
import { Progress } from "./progress.ts";
import type { Restic } from "./restic.ts";

export interface RestoreWords {
  /** The full id. */
  readonly snapshot: string;
  readonly target: string;
  /** The path by which restic reaches the target, where that is another one. */
  readonly at?: string;
  /** Patterns; none means the whole snapshot. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** The paths below which everything is written when the target is /, for an older restic, which does not count. */
  readonly within?: readonly string[];
  /** Since 0.17. */
  readonly dryRun?: boolean;
  readonly verify?: boolean;
  readonly verbose?: boolean;
}

export interface RestoreEnd {
  readonly exitCode: number;
  /** Files and folders, including those above an included one: as restic counts them since 0.17. */
  readonly files: number;
  readonly bytes: number;
  /** Files that were already in the target, unchanged. Reported since 0.17. */
  readonly skipped: number;
}

/** The first version with `restore --dry-run`. */
const DRY_RUN_SINCE = "0.17.0";

/** The first version that replaces symbolic links and special files; 0.14 fails at them. */
const OVERWRITING_SINCE = "0.17.0";

/** Why this restic cannot rehearse a restore, as a sentence; undefined when it can. Throws CannotStart. */
export async function noDryRun(run: Run): Promise<string | undefined> {
  const version = await resticVersion(run);
  if (version === undefined || isSince(version, DRY_RUN_SINCE)) return undefined;
  return `A restore can be rehearsed only by restic ${DRY_RUN_SINCE} or later; this is restic ${version}.`;
}

/** Throws a ConfigError when this restic cannot rehearse a restore. */
export async function needDryRun(run: Run): Promise<void> {
  const why = await noDryRun(run);
  if (why !== undefined) throw new ConfigError(`${why} Leave out --dry-run, or update restic.`);
}

/** Throws a ConfigError when this restic cannot restore over what is there. */
export async function needOverwriting(run: Run): Promise<void> {
  const version = await resticVersion(run);
  if (version === undefined || isSince(version, OVERWRITING_SINCE)) return;
  throw new ConfigError(
    `--in-place needs restic ${OVERWRITING_SINCE} or later, since restic ${version} replaces no symbolic links. ` +
      "Restore with --target and copy the files, or update restic.",
  );
}

/** The arguments of `restic restore`. Pure. */
export function restoreArgs(words: RestoreWords): string[] {
  const { snapshot, target, at = target, include, exclude, dryRun, verify, verbose } = words;
  // restic takes either --include or --exclude. Since 0.13, an include that begins with ! removes what those before
  // it let in.
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
    `--target=${at}`,
    snapshot,
  ];
}

/** What is restored, as part of a sentence: `only /data/photos, *.txt, without *.tmp`. Pure. */
export function patternText({ include, exclude }: Pick<RestoreWords, "include" | "exclude">): string {
  const only = include.length === 0 ? "everything" : `only ${include.join(", ")}`;
  return exclude.length === 0 ? only : `${only}, without ${exclude.join(", ")}`;
}

/** The pattern that matches this path and, unless it contains bytes that are not UTF-8, nothing else. Pure. */
export const literal = (path: string): string => path.replace(/[\\*?[]/g, "\\$&").replaceAll("\ufffd", "?");

const negated = (pattern: string) => (pattern.startsWith("!") ? pattern.slice(1) : `!${pattern}`);

/** As restic prints it since 0.16; absent numbers are 0. */
interface RestoreSummary {
  readonly files_restored?: number;
  readonly bytes_restored?: number;
  readonly files_skipped?: number;
}

interface RestoreStatus extends StatusMessage {
  readonly files_restored?: number;
  readonly bytes_restored?: number;
}

/** Runs `restic restore` until it exits. Throws CannotStart. */
export async function restoreTree(run: Run, restic: Restic, words: RestoreWords): Promise<RestoreEnd> {
  const wasVacant = isVacant(words.at ?? words.target);
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
  return { exitCode, ...(await countRestored(run, words, wasVacant ? 0 : startedMs)) };
}

/** The clock by which the kernel stamps files may be a tick or two behind ours. */
const COARSE_MS = 50;

/** Counts what an older restic, which does not report it, has written: everything, or what changed since `sinceMs`. */
async function countRestored(run: Run, words: RestoreWords, sinceMs: number) {
  const { at: target = words.target, within } = words;
  const count = { files: 0, bytes: 0, skipped: 0 };
  if (isVacant(target)) return count;
  const inodes = new Set<string>();
  const visit = ({ stat }: TreeEntry) => {
    if (stat.ctimeMs < sinceMs - COARSE_MS) return;
    count.files++;
    // The bytes of a file with several names count once.
    const inode = `${stat.dev}:${stat.ino}`;
    if (!stat.isFile() || inodes.has(inode)) return;
    if (stat.nlink > 1) inodes.add(inode);
    count.bytes += stat.size;
  };
  for (const root of within ?? [target]) {
    const stat = lstatSync(root, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    if (within !== undefined) visit({ path: Buffer.from(root), stat });
    if (stat.isDirectory()) await visitTree(root, visit, () => run.stopping);
  }
  // The restore itself is done.
  run.throwIfStopping(EXIT.ok);
  return count;
}

/** A restore's status has other field names than a backup's. */
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
