/**
 * What a sync may delete. It makes the destination equal to the source, so an empty source, or one that has lost most
 * of its files (a volume that is not mounted), costs the destination all of them.
 */

import { EXIT } from "../errors.ts";
import { plural } from "../text.ts";
import { ALLOW_EMPTY_SOURCE, sizeArgs, valueOfFlag, withoutOurs } from "./args.ts";
import type { Past } from "./past.ts";
import { exitText, explainWords, type Rclone, type RcloneEnd } from "./rclone.ts";
import type { JobRow } from "./rows.ts";

/** A sync that must not start. */
export interface Refusal {
  readonly exitCode: number;
  /** A sentence with the remedy. */
  readonly error: string;
}

export interface Bound {
  /** Added to rclone's words. */
  readonly words: readonly string[];
  /** Files that the source has, and that the destination will have. */
  readonly files: number;
}

const NO_FOLDER = 3;

/** The most deletions allowed for this number of files: half of it, rounded up. */
export const halfOf = (files: number): number => Math.ceil(files / 2);

/** Why REPLICATE_JOB_ARGS are refused, in a sentence: --allow-empty-source would hold for every row. */
export function jobArgsProblem(args: readonly string[]): string | undefined {
  if (withoutOurs(args).words.length === args.length) return undefined;
  return `--${ALLOW_EMPTY_SOURCE} would hold for every row. Write it into EXTRA of the row whose source may be empty.`;
}

/** Looks at the source, and at the destination where no record tells what is there. Throws CannotStart and Stopped. */
export async function boundSync(
  rclone: Rclone,
  { source, destination }: Pick<JobRow, "source" | "destination">,
  words: readonly string[],
  {
    isAllowed,
    past,
    env,
  }: { isAllowed: boolean; past: Past; env: Readonly<Record<string, string | undefined>> },
): Promise<Bound | Refusal> {
  const here = await count(rclone, source, words);
  if (here.files === undefined) {
    return {
      exitCode: here.exitCode || EXIT.failed,
      error:
        `The source cannot be listed ${exitText(here.exitCode)}, so what sync would delete is unknown: ` +
        "it was not started. Mount the source, or correct the row.",
    };
  }
  const isBounded = valueOfFlag(words, "max-delete") !== undefined || !!env.RCLONE_MAX_DELETE;
  const { files } = here;
  if (files === 0) {
    const there = await count(rclone, destination, words);
    if (isAllowed || there.files === 0 || there.exitCode === NO_FOLDER) return { words: [], files };
    return emptyRefusal(there.files);
  }
  if (isBounded) return { words: [], files };

  const known = past.files !== undefined && past.files > 0 ? past.files : undefined;
  const there = known ?? (await countDestination(rclone, destination, words));
  if (typeof there !== "number") return there;
  // With nothing there nothing can be deleted.
  if (there === 0) return { words: [], files };
  const most = Math.max(0, halfOf(there) - past.deletedSince);
  if (there - past.deletedSince - files > most) {
    return {
      exitCode: EXIT.failed,
      error:
        `The source has ${plural(files, "file")}, and the destination had ${there} after the last good run or has ` +
        `them now: sync would delete more than half of them, so it was not started. ${remedy(there)}`,
    };
  }
  return { words: ["--max-delete", String(most)], files };
}

const remedy = (there: number): string =>
  `If the source is incomplete, mount it; if it is meant, write --max-delete ${there} into EXTRA of this row ` +
  "(-1: no bound).";

/** What to say when rclone has stopped at the bound. */
export const boundText = (most: string): string =>
  `sync stopped at --max-delete ${most}: more deletions than half of what was at the destination. If the source is ` +
  "incomplete, mount it; if it is meant, write a --max-delete of your own into EXTRA of this row (-1: no bound).";

function emptyRefusal(there: number | undefined): Refusal {
  const what =
    there === undefined ? "the destination cannot be listed" : `the destination has ${plural(there, "file")}`;
  return {
    exitCode: EXIT.failed,
    error:
      `The source is empty, and ${what}: sync would delete everything there, so it was not started. Mount the ` +
      `source; if it is meant to be empty, write --${ALLOW_EMPTY_SOURCE} into EXTRA of this row.`,
  };
}

async function countDestination(
  rclone: Rclone,
  destination: string,
  words: readonly string[],
): Promise<number | Refusal> {
  const { files, exitCode, said } = await count(rclone, destination, words);
  if (files !== undefined) return files;
  if (exitCode === NO_FOLDER) return 0;
  return {
    exitCode: exitCode || EXIT.failed,
    error:
      `The destination cannot be listed ${exitText(exitCode)}, so how much sync may delete is unknown: ` +
      "it was not started. Correct the row, or write --max-delete N into its EXTRA." +
      after(explainWords(said)),
  };
}

const after = (sentence: string): string => (sentence === "" ? "" : ` ${sentence}`);

/** How many files `rclone size` finds; undefined where it fails. */
async function count(
  rclone: Rclone,
  endpoint: string,
  words: readonly string[],
): Promise<Pick<RcloneEnd, "exitCode" | "said"> & { readonly files: number | undefined }> {
  let files: number | undefined;
  const ended = await rclone.call(sizeArgs(endpoint, words), {
    onStdout: (line) => {
      const found = /^\{"count":(\d+),/.exec(line)?.[1];
      if (found !== undefined) files = Number(found);
    },
    isQuestion: true,
  });
  return { ...ended, files: ended.exitCode === EXIT.ok ? files : undefined };
}
