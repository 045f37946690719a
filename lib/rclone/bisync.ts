/**
 * Keeps one pair of folders in sync with `rclone bisync`, which works from the listings of its last success: its first
 * run needs --resync, and so does one whose listings are lost or broken. Every other failure is one: rclone has stopped
 * for a reason, and nothing is copied.
 *
 * A resync alone may undo work (before 1.66, the source's files win even over newer ones), so copying makes both sides
 * equal before it, and it has nothing left to decide. In the first run of a pair the newer file wins. In a recovery the
 * source does: a newer file at the destination may be the half of an upload that was broken off. What is replaced is
 * kept aside, and named.
 */

import { existsSync, readFileSync } from "node:fs";
import type { ChildEnvironment } from "../environment.ts";
import { EXIT } from "../errors.ts";
import type { Run } from "../run/run.ts";
import { plural } from "../text.ts";
import { compact, localZone } from "../time/zone.ts";
import { isOn, listArgs, type ResyncWords, resyncWords, valueOfFlag, withoutBisync } from "./args.ts";
import { type Aside, asideOf } from "./aside.ts";
import type { Past } from "./past.ts";
import { exitText, explainWords, type Rclone, type RcloneEnd } from "./rclone.ts";

export interface Pair extends ResyncWords {
  readonly source: string;
  readonly destination: string;
  readonly past: Past;
}

export interface PairEnd {
  readonly exitCode: number;
  /** Its listings were lost or broken, and it was recovered by copying both ways and a resync. */
  readonly recovered: boolean;
  /** Files that were replaced and are kept under these names; may hold credentials. */
  readonly kept: readonly string[];
  /** Files on both sides, where they had to be listed. */
  readonly files?: number;
  /** Why it was refused, in a sentence, where rclone's exit code does not say it. */
  readonly error?: string;
  /** Its line that names the cause of its failure. */
  readonly said?: string;
}

/** Throws CannotStart. */
export async function bisync(run: Run, rclone: Rclone, pair: Pair): Promise<PairEnd> {
  const { log } = run;
  const tried = await rclone.transfer("bisync", pair.source, pair.destination, pair.words, {
    env: afterUnfinished(run, pair),
  });
  if (tried.exitCode === EXIT.ok) return { exitCode: EXIT.ok, recovered: false, kept: [] };
  const isLost = tried.noListings === true || tried.badListings === true;
  const refusal = explainRefusal(tried, pair);
  if (refusal !== undefined || !isLost) return refused(run, tried, refusal);

  const sides = await survey(rclone, pair);
  const problem = unfitFor(sides, tried, pair);
  if (problem !== undefined) return refused(run, tried, problem);
  const isNew = tried.badListings !== true && !pair.past.isKnown && !hasBroken(tried);
  const half = isNew ? halves(sides) : [];
  const isFirst = isNew && half.length === 0;
  if (isFirst) {
    log.info(
      "This is the first bisync of this pair: rclone has no listings of it. Copying newer files both ways, then " +
        "starting with --resync.",
    );
  } else {
    log.warn(
      `${explainResync(tried, half)} Copying what the other side lacks, both ways, the source's version winning; then ` +
        "starting over with --resync. Files that were deleted on only one side may come back.",
    );
  }
  const kept: string[] = [];
  const files = new Set(sides.flatMap((side) => [...side.files.keys()])).size;
  const isEqual = await makeEqual(run, rclone, pair, isFirst, kept);
  return {
    exitCode: isEqual ? EXIT.ok : tried.exitCode,
    recovered: isEqual && !isFirst,
    kept,
    files,
    ...(tried.said === undefined ? {} : { said: tried.said }),
  };
}

/**
 * After a run that was killed rclone may have its listings still, and finds what that run uploaded half changed on both
 * sides. By its default it would give both versions another name; as a variable, which 1.60 does not know, this lets
 * the source's keep its own.
 */
function afterUnfinished({ settings }: Run, { past }: Pair): ChildEnvironment {
  return past.isUnfinished
    ? { RCLONE_CONFLICT_RESOLVE: settings.env.RCLONE_CONFLICT_RESOLVE || "path1" }
    : {};
}

function refused({ log }: Run, { exitCode, noTimes, said }: RcloneEnd, error: string | undefined): PairEnd {
  const words = said === undefined ? {} : { said };
  if (error === undefined) return { exitCode, recovered: false, kept: [], ...words };
  log.error(error);
  // A pair that this rclone cannot keep in sync is a mistake in the job file.
  return { exitCode: noTimes === undefined ? exitCode : EXIT.usage, recovered: false, kept: [], error };
}

/** Why rclone itself has stopped, with the remedy; undefined where its own words must do. Pure. */
export function explainRefusal(ended: RcloneEnd, { words }: Pick<Pair, "words">): string | undefined {
  if (ended.noAccess) return noAccessText(words);
  if (ended.lockFile !== undefined) {
    return (
      `Another bisync of this pair is running, or was killed: its lock is ${ended.lockFile}. Nothing was changed. ` +
      "If no rclone is running, delete that file."
    );
  }
  if (ended.noTimes !== undefined) {
    const side = ended.noTimes.toLowerCase() === "path1" ? "source" : "destination";
    return (
      `The ${side} keeps no modification times, and bisync of this rclone cannot do without them. Nothing was ` +
      "changed. Make it a row of copy or sync, or use rclone 1.66 or newer."
    );
  }
  if (ended.tooMany) {
    return (
      "bisync was not continued, because on one side too many files were deleted or changed since the last run. " +
      "Nothing was changed. If that side is incomplete, mount it or put its files back; if it is meant, write " +
      "--force into EXTRA of this row for one run."
    );
  }
  if (ended.emptySide !== undefined) return emptyText(ended.emptySide === "Path1" ? "source" : "destination");
  return undefined;
}

const noAccessText = (words: readonly string[]): string =>
  `The access check failed: ${markerOf(words)} is not on both sides. Nothing was changed, because one side may not ` +
  "be mounted. Mount it; for a new pair, create an empty file of that name on both sides.";

const emptyText = (side: string): string =>
  `The ${side} is empty, and it was not after the last good run. Nothing was changed, because it may not be mounted. ` +
  "Mount it. If it is meant to be empty, delete the other side's files too; to have it filled again, put one file " +
  "into it.";

/** The file that --check-access looks for; rclone's default unless given. */
const markerOf = (words: readonly string[]): string => valueOfFlag(words, "check-filename") ?? "RCLONE_TEST";

interface SeenFile {
  readonly size: number;
  /** `2026-12-01 00:45:17`, to be compared only with others. */
  readonly time: string;
}

/** What stands on one side. */
interface Side extends Pick<RcloneEnd, "said"> {
  readonly name: "source" | "destination";
  readonly exitCode: number;
  readonly files: ReadonlyMap<string, SeenFile>;
}

async function survey(rclone: Rclone, { source, destination, words }: Pair): Promise<readonly Side[]> {
  const sides: Side[] = [];
  for (const [name, endpoint] of [
    ["source", source],
    ["destination", destination],
  ] as const) {
    const files = new Map<string, SeenFile>();
    const { exitCode, said } = await rclone.call(
      listArgs(endpoint, words, ["--format", "stp", "--separator", ";"]),
      {
        onStdout: (line) => {
          const [, size, time = "", path = ""] = /^(-?\d+);([^;]*);(.*)$/s.exec(line) ?? [];
          if (size !== undefined) files.set(path, { size: Number(size), time });
        },
        isQuestion: true,
      },
    );
    sides.push({ name, exitCode, files, ...(said === undefined ? {} : { said }) });
  }
  return sides;
}

/** rclone's exit code for a folder that is not there. */
const NO_FOLDER = 3;

/**
 * Why these sides must not be made equal; undefined where they may. rclone itself looks for the marker of
 * --check-access only after it has found its listings, and before 1.66 not at all in a resync; copying first would
 * create it.
 */
function unfitFor(sides: readonly Side[], tried: RcloneEnd, { words, past }: Pair): string | undefined {
  for (const { name, exitCode, said } of sides) {
    if (exitCode === EXIT.ok || (exitCode === NO_FOLDER && name === "destination")) continue;
    return `The ${name} cannot be listed ${exitText(exitCode)}. Nothing was changed. ${explainWords(said)}`.trimEnd();
  }
  const marker = markerOf(words);
  const hasMarker = ({ files }: Side) =>
    [...files.keys()].some((path) => path === marker || path.endsWith(`/${marker}`));
  if (isOn(words, "check-access") && !sides.every(hasMarker)) return noAccessText(words);
  if (sides.every(({ files }) => files.size === 0)) return undefined;
  const empty = sides.find(({ name, files }) => files.size === 0 && (past.hadFiles || hadFiles(name, tried)));
  return empty && emptyText(empty.name);
}

/** Has a failed bisync left its listings where rclone says that it looked for them? */
const hasBroken = ({ listing }: RcloneEnd): boolean =>
  listing !== undefined && (existsSync(`${listing}-err`) || existsSync(errOfOther(listing)));

const errOfOther = (listing: string): string => `${listing.replace(/\.path1\.lst$/, ".path2.lst")}-err`;

/** Does the listing that a failed bisync has left name a file of this side? */
function hadFiles(side: Side["name"], { listing }: RcloneEnd): boolean {
  if (listing === undefined) return false;
  const path = side === "source" ? `${listing}-err` : errOfOther(listing);
  try {
    return /^- /m.test(readFileSync(path, "utf8"));
  } catch {
    // There is none: nothing is known of the side.
    return false;
  }
}

/** Files of the destination that are smaller than the source's and not older: what a broken upload leaves. */
function halves([source, destination]: readonly Side[]): string[] {
  return [...(destination?.files ?? [])]
    .filter(([path, there]) => {
      const here = source?.files.get(path);
      return here !== undefined && there.size < here.size && there.time >= here.time;
    })
    .map(([path]) => path);
}

function explainResync({ exitCode, badListings }: RcloneEnd, half: readonly string[]): string {
  if (half.length > 0) {
    const most = half.slice(0, 3).join(", ");
    return (
      `rclone has no listings of this pair, and the destination has ${plural(half.length, "file")} that may be the ` +
      `rest of an upload that was broken off (${most}${half.length > 3 ? " …" : ""}).`
    );
  }
  return badListings
    ? `bisync failed ${exitText(exitCode)}: its listings of this pair are broken.`
    : `bisync failed ${exitText(exitCode)}: its listings of this pair are lost, or its last run failed.`;
}

/** Copies both ways, then resyncs. Returns whether all steps succeeded. Adds what it keeps aside to `kept`. */
async function makeEqual(
  run: Run,
  rclone: Rclone,
  pair: Pair,
  isFirst: boolean,
  kept: string[],
): Promise<boolean> {
  const { source, destination } = pair;
  const words = withoutBisync(pair.words);
  const stamp = compact(Date.now(), localZone());
  const copy = async (from: string, to: string, how: readonly string[], isReplacing: boolean) => {
    const aside = isReplacing ? asideOf(to, stamp, words) : undefined;
    try {
      return (await rclone.transfer("copy", from, to, [...how, ...(aside?.words ?? []), ...words])).exitCode;
    } finally {
      // After a stop nothing can be asked any more.
      if (aside !== undefined && run.stopping) run.log.warn(`What was replaced ${whereText(aside)}.`);
      else if (aside !== undefined) kept.push(...(await listKept(rclone, aside, words)));
    }
  };
  const update = isFirst ? ["--update"] : [];
  const steps = [
    ["copy to the destination", () => copy(source, destination, update, true)],
    [
      "copy to the source",
      () => copy(destination, source, isFirst ? update : ["--ignore-existing"], isFirst),
    ],
    ["resync", async () => (await resync(run, rclone, pair, isFirst)).exitCode],
  ] as const;
  for (const [name, step] of steps) {
    const exitCode = await step();
    if (exitCode === EXIT.ok) continue;
    run.log.error(
      `The ${name} failed too ${exitText(exitCode)}; the pair is left as it is. What a copy replaces is kept aside, ` +
        "which a remote without server-side move or copy cannot do: there, make both sides equal by hand.",
    );
    return false;
  }
  return true;
}

const whereText = ({ folder, suffix }: Aside): string =>
  suffix === "" ? `is kept in ${folder}` : `is kept beside it, with the suffix ${suffix}`;

/** The names of what is kept there; none where nothing was replaced. */
async function listKept(rclone: Rclone, aside: Aside, words: readonly string[]): Promise<string[]> {
  const { folder, suffix } = aside;
  if (suffix === "" && !existsSync(folder)) return [];
  const names: string[] = [];
  await rclone.call(listArgs(folder, suffix === "" ? [] : words), {
    onStdout: (line) => {
      if (line.endsWith(suffix)) names.push(`${folder.replace(/([^:/])\/*$/, "$1/")}${line}`);
    },
    isQuestion: true,
  });
  return names;
}

function resync(run: Run, rclone: Rclone, pair: Pair, isFirst: boolean): Promise<RcloneEnd> {
  const { words, mode } = pair;
  const given = isFirst ? { words, mode } : { words, mode: undefined };
  return rclone.transfer("bisync", pair.source, pair.destination, resyncWords(given), {
    // As a variable, because rclone before 1.66, which does not know it, then ignores it.
    env: { RCLONE_RESYNC_MODE: isFirst ? run.settings.env.RCLONE_RESYNC_MODE || "newer" : "path1" },
  });
}
