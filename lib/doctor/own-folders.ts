/**
 * Folders that this program and restic write to: do they lie in what is backed up, can restic make its cache, has
 * restore-test a place for what it restores, and can a repository of this file system be written?
 */

import type { Settings } from "../config/settings.ts";
import type { Context } from "../context.ts";
import { ConfigError } from "../errors.ts";
import { accessWithin } from "../files/within.ts";
import { absolute } from "../paths.ts";
import { readFlags } from "../restic/backup-args.ts";
import { localFolder, sourceAround } from "../restic/inside.ts";
import { askVersion, isSince } from "../restic/open.ts";
import { memoryAt, restoreRefusal, scratchFolder } from "../run/target.ts";
import { type Scheduled, scheduleFor } from "../state/schedules.ts";
import { quoteWord } from "../words.ts";
import { type Check, fail, ok, warn } from "./checks.ts";

/** What changes with every run and lies in a source makes each backup a new one. `cache` is restic's. */
export async function checkOwnInSources(
  { settings }: Context,
  sources: readonly string[],
  jobArgs: readonly string[],
): Promise<Check[]> {
  const own = (["LOG_DIR", "LOCK_DIR", "METRICS_DIR"] as const)
    .filter((name) => settings.text(name) !== "")
    .map((name) => ({ name, path: settings.folder(name) }));
  const cache = cacheFolder(settings);
  const folders = [
    ...own,
    ...(cache === undefined ? [] : [{ name: cache.name, path: cache.path, isCache: true }]),
  ];
  const found = await Promise.all(
    folders.map(async (folder) => ({ ...folder, source: await sourceAround(folder.path, sources, jobArgs) })),
  );
  return found.flatMap((folder) => {
    if (folder.source === undefined) return [];
    const remedy = "isCache" in folder ? "--exclude-caches" : `--exclude ${quoteWord(folder.path)}`;
    const what =
      "isCache" in folder && folder.name !== "RESTIC_CACHE_DIR"
        ? `restic's cache ${folder.path}`
        : folder.path;
    return [
      warn(
        folder.name,
        `${what} lies in the source ${folder.source}, and each backup saves it too. Move it, or leave it out with ` +
          `${remedy} in RESTIC_JOB_ARGS.`,
      ),
    ];
  });
}

interface CacheFolder {
  /** What names it. */
  readonly name: "RESTIC_OPTIONS" | "RESTIC_CACHE_DIR" | "XDG_CACHE_HOME" | "HOME";
  readonly path: string;
}

/** Where restic puts its cache (its doc/manual, "Caching"); undefined where none of what it asks is set. */
function cacheFolder({ env }: Settings, words: readonly string[] = []): CacheFolder | undefined {
  const option = readFlags(words).findLast(({ flag }) => flag === "--cache-dir")?.value;
  if (option) return { name: "RESTIC_OPTIONS", path: option };
  if (env.RESTIC_CACHE_DIR) return { name: "RESTIC_CACHE_DIR", path: env.RESTIC_CACHE_DIR };
  if (env.XDG_CACHE_HOME) return { name: "XDG_CACHE_HOME", path: `${env.XDG_CACHE_HOME}/restic` };
  return env.HOME ? { name: "HOME", path: `${env.HOME}/.cache/restic` } : undefined;
}

/** Since this version restic ends with exit 1 where it cannot make its cache; older ones go on without (tried with 0.14, 0.18). */
const CACHE_NEEDED_SINCE = "0.19";

/** Can restic make its cache? Nothing is written. */
export async function checkCache(context: Context): Promise<Check[]> {
  const words = optionsOrNone(context.settings);
  const isOff = readFlags(words).findLast(({ flag }) => flag === "--no-cache");
  if (isOff !== undefined && !/^(0|f|false)$/i.test(isOff.value ?? "")) return [];
  const cache = cacheFolder(context.settings, words);
  const problem =
    cache === undefined
      ? "neither RESTIC_CACHE_DIR, XDG_CACHE_HOME nor HOME is set"
      : await cacheProblem(cache.path);
  if (problem === undefined) return [];
  const key = cache?.name ?? "RESTIC_CACHE_DIR";
  const what =
    cache === undefined
      ? "restic has no place for its cache"
      : `${cache.path}, restic's cache, cannot be made`;
  const remedy =
    "Set RESTIC_CACHE_DIR to a folder that the running user can write, or RESTIC_OPTIONS to --no-cache.";
  const version = await askVersion(context.env);
  return version !== undefined && isSince(version, CACHE_NEEDED_SINCE)
    ? [fail(key, `${what}: ${problem}. restic ${version} ends with exit 1 then. ${remedy}`)]
    : [warn(key, `${what}: ${problem}. restic works without a cache, but is slower. ${remedy}`)];
}

/** restic makes the missing folders of the path. */
async function cacheProblem(path: string): Promise<string | undefined> {
  for (let at = path; ; at = parentOf(at)) {
    const { stat, problem, isMissing } = await accessWithin(at, "write");
    if (isMissing && at !== "/" && at !== ".") continue;
    const where = at === path ? "it" : at;
    if (problem !== undefined) return at === path ? problem : `${at}: ${problem}`;
    return stat.isDirectory() ? undefined : `${where} is not a directory`;
  }
}

function parentOf(path: string): string {
  const bare = path.replace(/\/+$/, "");
  const cut = bare.lastIndexOf("/");
  return cut < 0 ? "." : bare.slice(0, cut) || "/";
}

function optionsOrNone(settings: Settings): readonly string[] {
  try {
    return settings.words("RESTIC_OPTIONS");
  } catch (error) {
    // An unbalanced quote has a check of its own.
    if (error instanceof ConfigError) return [];
    throw error;
  }
}

/** The folder that restore-test would use, where it is scheduled: refused where the run would refuse it. */
export function checkScratch({ settings, schedules }: Scheduled): Check[] {
  if (scheduleFor(schedules, "restore-test") === undefined || settings.flag("RESTORE_TEST_DRY_RUN"))
    return [];
  const isForced = settings.flag("RESTORE_TEST_FORCE");
  if (settings.text("RESTORE_TEST_TARGET") !== "") {
    const key = "RESTORE_TEST_TARGET";
    const target = absolute(settings.text(key));
    const refused = restoreRefusal(target, settings.lines("BACKUP_ROOT_DIR"), isForced);
    if (refused !== undefined) {
      // What lies in it may be of a restore-test that is at work.
      const say = refused.grave ? fail : warn;
      return [
        say(
          key,
          `${target} is refused: ${refused.why}. restore-test would exit 2 each time. Choose another.`,
        ),
      ];
    }
    const memory = memoryAt(target);
    return memory === undefined ? [] : [warn(key, `${target} is no good place for a restore: ${memory}.`)];
  }
  const { folder, memory } = scratchFolder(settings);
  if (memory === undefined) return [];
  const text = `${folder} is not a place for a restore: ${memory}`;
  return isForced
    ? [warn("TMPDIR", `${text}. restore-test uses it all the same (RESTORE_TEST_FORCE).`)]
    : [
        fail(
          "TMPDIR",
          `${text}: restore-test would exit 2 each time. Mount a folder of a disk on /restore, or name one in ` +
            "RESTORE_TEST_TARGET.",
        ),
      ];
}

/** Can a repository of this file system be written? Of any other it is not known without writing to it. */
export async function checkRepositoryWritable(repository: string): Promise<Check[]> {
  const folder = localFolder(repository);
  if (folder === undefined || !folder.startsWith("/")) return [];
  // restic writes into each of them; without locks/ not even a backup can begin.
  for (const part of ["", "/data", "/index", "/keys", "/locks", "/snapshots"]) {
    const { problem, isMissing } = await accessWithin(`${folder}${part}`, "write");
    // A repository that is not there yet is the probe's to judge.
    if (isMissing) return [];
    if (problem === undefined) continue;
    return [
      fail(
        "RESTIC_REPOSITORY",
        `${folder}${part} cannot be written: ${problem}. No backup can be made. Mount it for writing, and let the running ` +
          "user own it.",
      ),
    ];
  }
  return [ok("RESTIC_REPOSITORY", `${folder} can be written`)];
}
