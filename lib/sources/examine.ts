/**
 * Examines every source and every list, and judges which sources hold so little that something is probably missing: most
 * often a volume that is not mounted.
 */

import { lstatSync, type Stats } from "node:fs";
import { errnoOf, reasonOf } from "../errors.ts";
import { readMounts } from "../files/mounts.ts";
import { accessWithin, silentAmong } from "../files/within.ts";
import { absolute } from "../paths.ts";
import { readExcludeFile, readFileList } from "../restic/lists.ts";
import type { Run } from "../run/run.ts";
import { formatBytes, plural } from "../text.ts";
import { addTo, type Level, Tally } from "./count.ts";
import type { Named, SourcesPlan } from "./sources-plan.ts";
import { Walk } from "./walk.ts";

export interface Source extends Named {
  readonly type: "directory" | "file" | "symlink" | "special" | "missing" | "unknown";
  readonly readable: boolean;
  /** Why it is not, or what is suspicious about it: a sentence without its end. */
  readonly problem: string | undefined;
  readonly suspicion: string | undefined;
  /** Another source that holds it: what is in it is counted there, once. */
  readonly inside: string | undefined;
  readonly tally: Tally;
  /** Folders that are reported on their own. */
  readonly levels: readonly Level[];
}

export interface ListReport {
  readonly flag: string;
  readonly path: string;
  readonly problem: string | undefined;
  readonly entries: number;
  readonly comments: number;
  /** Entries that are not there, and patterns that match nothing. */
  readonly missing: readonly string[];
  readonly malformed: readonly string[];
  /** Of its entries; of those that cannot be read too. */
  readonly tally: Tally;
}

export interface Examination {
  readonly sources: readonly Source[];
  readonly lists: readonly ListReport[];
  readonly excludes: readonly ReturnType<typeof readExcludeFile>[];
  readonly totals: Tally;
  /** The first entries that cannot be read. */
  readonly errors: readonly { readonly path: string; readonly reason: string }[];
}

/** Entries that are named in the log and in the record; the others are counted. */
const NAMED_MOST = 20;

export async function examineSources(run: Run, plan: SourcesPlan): Promise<Examination> {
  const errors: { path: string; reason: string }[] = [];
  const onError = (path: string, reason: string) => {
    if (errors.length < NAMED_MOST) errors.push({ path, reason });
  };
  const { sizes, depth, oneFileSystem } = plan;
  const walk = new Walk({ sizes, depth, oneFileSystem, onError, enough: () => run.stopping });
  await silentAmong([...plan.sources, ...plan.lists, ...plan.excludeFiles].map(({ path }) => path));
  // The patterns in a list may lead anywhere.
  if (plan.lists.length > 0) await silentAmong(["/"], true);
  const read = plan.lists.map(({ flag, path }) => readFileList(flag, path));
  const covered = new NamedPaths([
    ...plan.sources.map(({ path }) => path),
    ...read.flatMap(({ targets }) => targets),
  ]);

  const sources: Source[] = [];
  for (const named of plan.sources) {
    if (run.stopping) break;
    sources.push(await examine(named, walk, covered, onError));
  }
  const lists: ListReport[] = [];
  for (const { targets, unmatched, problem, ...list } of read) {
    const tally = new Tally();
    const missing = [...unmatched];
    if (problem !== undefined) {
      tally.errors++;
      onError(list.path, problem);
    }
    for (const path of targets) {
      if (run.stopping) break;
      const source = await examine({ path, origin: list.flag }, walk, covered, onError);
      if (source.type === "missing") missing.push(path);
      addTo(tally, source.tally);
    }
    lists.push({ ...list, problem, missing, tally });
  }
  const excludes = plan.excludeFiles.map(({ flag, path }) => readExcludeFile(flag, path));
  const totals = new Tally();
  for (const { tally } of [...sources, ...lists]) addTo(totals, tally);
  for (const { path, problem } of excludes) {
    if (problem === undefined) continue;
    totals.errors++;
    onError(path, problem);
  }
  return { sources, lists, excludes, totals, errors };
}

async function examine(
  named: Named,
  walk: Walk,
  covered: NamedPaths,
  onError: (path: string, reason: string) => void,
): Promise<Source> {
  const { path } = named;
  const nothing = { ...named, suspicion: undefined, inside: undefined, levels: [] };
  const failed = (type: Source["type"], problem: string): Source => {
    const tally = new Tally();
    // What is missing is reported separately.
    if (type !== "missing") {
      tally.errors++;
      onError(path, problem);
    }
    return { ...nothing, type, problem, readable: false, tally };
  };
  // A dead network mount would hold up a synchronous call for ever.
  const { isSilent, problem } = await accessWithin(path, "read");
  if (isSilent) return failed("unknown", problem);
  let stat: Stats;
  try {
    stat = lstatSync(path);
  } catch (error) {
    const isMissing = errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR";
    return failed(
      isMissing ? "missing" : "unknown",
      isMissing ? "there is no such file or directory" : reasonOf(error),
    );
  }
  const type = sourceType(stat);
  const inside = covered.holderOf(path);
  if (inside !== undefined) {
    return {
      ...nothing,
      type,
      inside,
      problem: undefined,
      readable: problem === undefined,
      tally: new Tally(),
    };
  }
  if (stat.isDirectory() && problem !== undefined) return failed(type, problem);
  if (stat.isDirectory()) await silentAmong([path], true);
  const levels = await walk.run(path, stat);
  const tally = levels[0]?.tally ?? new Tally();
  return {
    ...named,
    type,
    readable: stat.isSymbolicLink() || problem === undefined,
    problem: stat.isSymbolicLink() ? undefined : problem,
    suspicion: judgeSource(path, stat, tally),
    inside: undefined,
    tally,
    levels: levels.slice(1),
  };
}

function sourceType(stat: Stats): Source["type"] {
  if (stat.isDirectory()) return "directory";
  if (stat.isFile()) return "file";
  return stat.isSymbolicLink() ? "symlink" : "special";
}

/** All the paths that are named: restic reads what several of them contain only once. */
class NamedPaths {
  private readonly paths: ReadonlySet<string>;
  private readonly taken = new Set<string>();

  constructor(paths: readonly string[]) {
    this.paths = new Set(paths.map((path) => absolute(path)));
  }

  /** The other source that holds this one, or that was this one already; undefined when it is to be walked. */
  holderOf(path: string): string | undefined {
    const own = absolute(path);
    if (this.taken.has(own)) return own;
    this.taken.add(own);
    for (let above = own; above !== "/"; ) {
      above = above.slice(0, above.lastIndexOf("/")) || "/";
      if (this.paths.has(above)) return above;
    }
    return undefined;
  }
}

/** Why a source looks too empty, as a sentence without its end; undefined when it does not. */
export function judgeSource(path: string, stat: Stats, tally: Tally): string | undefined {
  if (stat.isSymbolicLink()) {
    return "it is a symbolic link: restic saves the link itself and nothing of what it leads to; name that instead";
  }
  if (!stat.isDirectory() || tally.files + tally.links + tally.specials > 0 || tally.errors > 0)
    return undefined;
  const what = tally.folders > 1 ? "it holds folders but not a single file" : "it is empty";
  return isMountPoint(path, stat)
    ? `${what}, although a file system is mounted there: is it the right one?`
    : `${what}, and nothing is mounted there: is its volume missing?`;
}

/** A bind mount of the same file system has the same device, so the kernel's own list is asked first. */
function isMountPoint(path: string, { dev }: Stats): boolean {
  const real = absolute(path);
  const mounts = readMounts();
  if (mounts.length > 0) return mounts.some(({ at }) => at === real);
  return lstatSync(`${real}/..`).dev !== dev;
}

/** What the last backup's record says that it has read. */
export interface LastBackup {
  /** Of the last good one, as the run itself hands them on. */
  readonly usual_files?: number;
  readonly usual_bytes?: number;
  readonly total_files_processed?: number;
  readonly total_bytes_processed?: number;
}

/** Fewer than this share of the last backup's files is worth a word. */
const SHRUNK = 0.5;

/** Why all of it together looks too little; undefined when it does not. Pure. */
export function judgeShrinkage(
  { files, bytes }: { files: number; bytes: number },
  last: LastBackup,
): string | undefined {
  const before = last.usual_files ?? last.total_files_processed ?? 0;
  if (files < before * SHRUNK) {
    return `The last backup read ${plural(before, "file")}, and now there are ${files}: is something missing?`;
  }
  const bytesBefore = last.usual_bytes ?? last.total_bytes_processed ?? 0;
  if (bytes >= 0 && bytes < bytesBefore * SHRUNK) {
    return `The last backup read ${formatBytes(bytesBefore)}, and now there are ${formatBytes(bytes)}: is something missing?`;
  }
  return undefined;
}
