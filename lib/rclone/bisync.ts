/**
 * Keeps one pair of folders in sync with `rclone bisync`, which works from the listings of its last success: its first
 * run needs --resync, and so does the run after a failure.
 *
 * A resync alone may undo work: before 1.66, rclone lets the source's files win even over newer ones, and the same
 * would happen to a pair whose listings were lost (a container without a volume for them). So before every resync that
 * cannot be told to keep the newer files, `copy --update` makes both sides equal, the newer file winning, and the
 * resync has nothing left to decide.
 */

import { existsSync } from "node:fs";
import { EXIT } from "../errors.ts";
import type { Run } from "../run/run.ts";
import { isOn, listArgs, type ResyncWords, resyncWords, valueOfFlag, withoutBisync } from "./args.ts";
import { exitText, type Rclone, type RcloneEnd } from "./rclone.ts";

export interface Pair extends ResyncWords {
  readonly source: string;
  readonly destination: string;
}

export interface PairEnd {
  readonly exitCode: number;
  /** It failed, and was recovered by copying both ways and a resync. */
  readonly recovered: boolean;
}

/** Throws CannotStart. */
export async function bisync(run: Run, rclone: Rclone, pair: Pair): Promise<PairEnd> {
  const { log } = run;
  const first = await callBisync(rclone, pair);
  const failed = { exitCode: first.exitCode, recovered: false };
  if (first.exitCode === EXIT.ok || isBarred(run, first, pair)) return failed;
  if (first.noListings) {
    if (isSurelyFirst(first)) {
      log.info(
        "This is the first bisync of this pair: rclone has no listings of it. Starting with --resync.",
      );
      const begun = await callResync(run, rclone, pair);
      if (begun.exitCode === EXIT.ok || isBarred(run, begun, pair)) {
        return { exitCode: begun.exitCode, recovered: false };
      }
    } else {
      log.info(
        "rclone has no listings: this is the first bisync of this pair, or the previous one failed. " +
          "Copying newer files both ways, then starting with --resync.",
      );
    }
  } else {
    log.warn(
      `bisync failed ${exitText(first.exitCode)}. Copying newer files both ways, then starting over with ` +
        "--resync. Files that were deleted on only one side may come back.",
    );
  }
  const recovered = (await isAccessible(run, rclone, pair)) && (await recover(run, rclone, pair));
  if (!recovered) return failed;
  return { exitCode: EXIT.ok, recovered: !(first.noListings && first.listing === undefined) };
}

function callBisync(rclone: Rclone, { source, destination, words }: Pair): Promise<RcloneEnd> {
  return rclone.transfer("bisync", source, destination, words);
}

function callResync(run: Run, rclone: Rclone, pair: Pair): Promise<RcloneEnd> {
  return rclone.transfer("bisync", pair.source, pair.destination, resyncWords(pair), {
    // As a variable, because rclone before 1.66, which does not know it, then ignores it.
    env: { RCLONE_RESYNC_MODE: run.settings.env.RCLONE_RESYNC_MODE || "newer" },
  });
}

/** Did rclone say where it looked for listings, and did no failed bisync leave one there? */
function isSurelyFirst({ listing }: RcloneEnd): boolean {
  return listing !== undefined && !existsSync(`${listing}-err`);
}

/** Is it a failure after which nothing must be copied? If so, logs why. */
function isBarred({ log }: Run, { noAccess, lockFile }: RcloneEnd, { words }: Pair): boolean {
  if (noAccess) {
    log.error(
      `The access check failed: ${markerOf(words)} is not on both sides. Nothing was changed, because one side may not ` +
        "be mounted. Mount it; for a new pair, create an empty file of that name on both sides.",
    );
  } else if (lockFile !== undefined) {
    log.error(
      `Another bisync of this pair is running, or was killed: its lock is ${lockFile}. Nothing was changed. ` +
        "If no rclone is running, delete that file.",
    );
  }
  return noAccess === true || lockFile !== undefined;
}

/** The file that --check-access looks for; rclone's default unless given. */
const markerOf = (words: readonly string[]): string => valueOfFlag(words, "check-filename") ?? "RCLONE_TEST";

/**
 * Is the marker on both sides, if --check-access asks for it? rclone itself checks only after it has found its
 * listings, and before 1.66 not at all in a resync; copying first would create the marker.
 */
async function isAccessible(run: Run, rclone: Rclone, pair: Pair): Promise<boolean> {
  if (!isOn(pair.words, "check-access")) return true;
  const marker = markerOf(pair.words);
  for (const side of [pair.source, pair.destination]) {
    let found = false;
    await rclone.call(listArgs(side, pair.words), {
      onStdout: (line) => {
        found ||= line === marker || line.endsWith(`/${marker}`);
      },
    });
    if (!found) {
      isBarred(run, { exitCode: EXIT.failed, noAccess: true }, pair);
      return false;
    }
  }
  return true;
}

/** Copies newer files both ways, then resyncs. Returns whether all three steps succeeded. */
async function recover(run: Run, rclone: Rclone, pair: Pair): Promise<boolean> {
  const { source, destination } = pair;
  const words = ["--update", ...withoutBisync(pair.words)];
  const steps = [
    ["copy to the destination", () => rclone.transfer("copy", source, destination, words)],
    ["copy to the source", () => rclone.transfer("copy", destination, source, words)],
    ["resync", () => callResync(run, rclone, pair)],
  ] as const;
  for (const [name, step] of steps) {
    const { exitCode } = await step();
    if (exitCode !== EXIT.ok) {
      run.log.error(`The ${name} failed too ${exitText(exitCode)}; the pair is left as it is.`);
      return false;
    }
  }
  return true;
}
