/**
 * What a restore is asked to do: its flags and the plan read from them, the targets that it refuses unless forced, and
 * the owner that the restored tree is given.
 */

import { lstatSync, mkdirSync } from "node:fs";
import { ConfigError, reasonOf, UsageError } from "../errors.ts";
import { isKnownSilent, SILENCE } from "../files/mounts.ts";
import { giveTree, type HeldFolder, heldPath, holdFolder } from "../files/tree.ts";
import { absolute, isVacant, realPath } from "../paths.ts";
import type { Restic } from "../restic/restic.ts";
import { sizeBeyond } from "../restic/restore-size.ts";
import type { RestoreWords } from "../restic/restore-tree.ts";
import { readId, type Snapshot, snapshotFlags } from "../restic/snapshots.ts";
import type { FlagValues } from "../run/command.ts";
import type { Run } from "../run/run.ts";
import { freeBytes, memoryAt, type Refusal, restoreRefusal, storageRefusal } from "../run/target.ts";
import { formatBytes, plural } from "../text.ts";
import { parseLocal, type Zone } from "../time/zone.ts";

export const restoreFlags = {
  ...snapshotFlags,
  since: {
    type: "string",
    valueHint: "DATE",
    description: 'the oldest snapshot since DATE: 2026-05-11, or "2026-05-11 09:30", in TZ',
  },
  target: { type: "string", valueHint: "DIR", description: "restore into DIR; /restore unless given" },
  "in-place": {
    type: "boolean",
    description:
      "put the files back where they were, over what is there now; without a terminal also give --yes",
  },
  include: {
    type: "string",
    valueHint: "PATTERN",
    multiple: true,
    description: "restore only what matches, such as /data/photos or *.txt (repeatable)",
  },
  exclude: {
    type: "string",
    valueHint: "PATTERN",
    multiple: true,
    description: "leave out what matches, even if --include matches it (repeatable)",
  },
  owner: {
    type: "string",
    valueHint: "UID:GID",
    description: "give everything in the target to this owner, after success",
  },
  "dry-run": { type: "boolean", description: "say what would be restored, write nothing (restic 0.17)" },
  verify: { type: "boolean", description: "read back what was written and compare" },
  verbose: { type: "boolean", alias: "v", description: "name every file" },
  force: {
    type: "boolean",
    description:
      "restore into a target that is not empty, is or holds sources, lacks the room or lies in memory",
  },
  yes: { type: "boolean", alias: "y", description: "ask nothing, even on a terminal" },
  list: { type: "boolean", description: "list the ten newest snapshots that match, and exit" },
  all: { type: "boolean", description: "list, or offer, all snapshots that match" },
} as const;

export type RestoreFlags = FlagValues<typeof restoreFlags>;

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface RestorePlan {
  /** The beginning of a snapshot's id; undefined for the latest, or for the oldest not before `since`. */
  readonly id: string | undefined;
  /** Epoch milliseconds. */
  readonly since: number | undefined;
  /** An absolute path; / when the files go back to where they were. */
  readonly target: string;
  readonly inPlace: boolean;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly owner: Owner | undefined;
  readonly dryRun: boolean;
  readonly verify: boolean;
  readonly verbose: boolean;
}

const TARGET = "/restore";

/** Throws a UsageError for a value that is not valid, or for two flags that exclude each other. */
export function readRestorePlan(flags: RestoreFlags, zone: Zone): RestorePlan {
  const { include, exclude, verify, verbose } = flags;
  const id = readId(flags.id);
  const dryRun = flags["dry-run"];
  if (id !== undefined && flags.since !== undefined) {
    throw new UsageError(`--id ${id} names a snapshot and --since ${flags.since} another; give one of them.`);
  }
  if (dryRun && verify) {
    throw new UsageError(
      "--verify reads back what was written, and --dry-run writes nothing; give one of them.",
    );
  }
  const inPlace = flags["in-place"];
  if (inPlace) demandInPlaceAlone(flags);
  for (const pattern of [...include, ...exclude]) {
    if (pattern.trim() === "")
      throw new UsageError("--include and --exclude need a pattern, not an empty word.");
  }
  return {
    id,
    since: readSince(flags.since, zone),
    target: inPlace ? "/" : readTarget(flags.target),
    inPlace,
    include,
    exclude,
    owner: readOwner(flags.owner),
    dryRun,
    verify,
    verbose,
  };
}

function demandInPlaceAlone({ target, owner }: RestoreFlags): void {
  if (target !== undefined) {
    throw new UsageError(
      `--in-place puts the files back where they were, and --target ${target} elsewhere; give one of them.`,
    );
  }
  if (owner !== undefined) {
    throw new UsageError("--in-place gives the files back to their own owners; leave out --owner.");
  }
}

/** An absolute path. Throws a UsageError when it is empty. */
function readTarget(text: string | undefined): string {
  if (text === "") throw new UsageError("--target needs a directory, not an empty word.");
  return absolute(text ?? TARGET);
}

function readSince(text: string | undefined, zone: Zone): number | undefined {
  if (text === undefined) return undefined;
  const since = parseLocal(text, zone);
  if (since !== undefined) return since;
  throw new UsageError(`--since ${text} is not a date such as 2026-05-11 or "2026-05-11 09:30:00".`);
}

/** To chown(2), (uid_t) -1 means "leave it as it is". */
const UID_MOST = 2 ** 32 - 2;

function readOwner(text: string | undefined): Owner | undefined {
  if (text === undefined) return undefined;
  const found = /^(\d{1,10}):(\d{1,10})$/.exec(text);
  const [uid, gid] = [Number(found?.[1]), Number(found?.[2])];
  if (found && uid <= UID_MOST && gid <= UID_MOST) return { uid, gid };
  throw new UsageError(`--owner ${text} is not UID:GID, two numbers such as 1000:1000.`);
}

type Restored = Pick<RestoreWords, "target" | "include" | "exclude">;

/** Checks a run's target, and what is there, against the rules of lib/run/target.ts and against its flags. */
export class TargetGuard {
  private readonly roots: readonly string[];

  constructor(
    private readonly run: Run,
    private readonly plan: RestorePlan,
    private readonly force: boolean,
  ) {
    this.roots = run.settings.lines("BACKUP_ROOT_DIR");
  }

  /** Why nothing may be restored to this target; undefined when it may. */
  judgeTarget(target: string): Refusal | undefined {
    const found = this.find(target);
    // --force permits restoring over files, not changing the owner of files that were never restored.
    if (found?.grave && this.plan.owner !== undefined) {
      return {
        ...found,
        why: `${found.why}, and --owner would change the owner of all of it, even with --force`,
      };
    }
    return this.force ? undefined : found;
  }

  /** Throws a ConfigError for a target that is refused. */
  check(target: string): void {
    // No --force helps here.
    if (isKnownSilent(target)) {
      throw new ConfigError(
        `The target ${target} is refused: ${SILENCE}. Mount it anew, or choose another --target.`,
      );
    }
    const found = this.judgeTarget(target);
    if (found === undefined) return;
    const remedy = this.force
      ? "Leave out --owner."
      : "Choose another --target, or give --force if you mean it.";
    throw new ConfigError(
      `The target ${target} is refused: ${found.why}. ${remedy}${found.grave ? IN_PLACE_HINT : ""}`,
    );
  }

  /** Throws a ConfigError when what is restored `in place`, to these paths, cannot be written there. */
  checkInPlace(paths: readonly string[]): void {
    for (const path of paths) {
      const found = storageRefusal(path);
      // Back in memory is where it was.
      if (found === undefined || memoryAt(path) !== undefined) continue;
      const said = `Nothing can be put back to ${path}: ${found.why}.`;
      if (!this.force && !this.plan.dryRun) {
        throw new ConfigError(
          `${said} Mount it so that it can be written, or restore elsewhere with --target.`,
        );
      }
      this.run.log.warn(said);
    }
  }

  /**
   * Throws a ConfigError when the target has not the room for what is restored from the snapshot. Where that is not
   * certain, nothing is written, or --force is given, it only warns.
   */
  async checkRoom(restic: Restic, snapshot: Snapshot, words: Restored): Promise<void> {
    const { target } = words;
    const free = freeBytes(target);
    const size = free === undefined ? undefined : await sizeBeyond(free, restic, snapshot, words);
    if (free === undefined || size === undefined) return;
    const { plan, force, run } = this;
    const amount = `${size.isMost ? "up to " : ""}${formatBytes(size.bytes)}`;
    const said = `The target ${target} lacks the room: ${formatBytes(free)} is free there, and the restore writes ${amount}.`;
    // What is there already need not be written again.
    const isCertain = !size.isMost && (plan.inPlace ? false : isVacant(target));
    if (isCertain && !force && !plan.dryRun) {
      throw new ConfigError(
        `${said} Choose another --target, restore a part of it with --include, or give --force if you mean it.`,
      );
    }
    run.log.warn(said);
  }

  /** Warns of what --force is about to do, or of what the restore that is rehearsed would be refused for. */
  warn(target: string): void {
    const found = this.find(target, false);
    if (found === undefined) return;
    if (this.plan.dryRun) {
      if (found.isStorage) this.run.log.warn(`A restore to ${target} would be refused: ${found.why}.`);
      return;
    }
    if (found.isStorage) {
      this.run.log.warn(`Restoring to ${target} (--force), although ${found.why}.`);
      return;
    }
    this.run.log.warn(`Restoring over files in ${target} (--force), although ${found.why}.`);
    if (this.plan.owner !== undefined) {
      this.run.log.warn(`--owner will also change the owner of what is already in ${target}.`);
    }
  }

  private find(target: string, isRehearsal = this.plan.dryRun): (Refusal & { isStorage?: true }) | undefined {
    const found = restoreRefusal(target, this.roots, this.plan.dryRun);
    if (found !== undefined || isRehearsal) return found;
    const storage = storageRefusal(target);
    return storage === undefined ? undefined : { ...storage, isStorage: true };
  }
}

/** restic puts whole paths below its target: `--target /data` would make /data/data. */
const IN_PLACE_HINT =
  " To put the files back where they were, give --in-place instead: a target gets their whole paths below itself.";

export const ownerText = ({ uid, gid }: Owner): string => `${uid}:${gid}`;

/**
 * Holds the target of a restore that is given away, and makes it where it is missing. Who owns the folder around it can
 * swap it for a link to any other: it is judged by what is held, and everything is done to that.
 * Throws a ConfigError for a target that is refused.
 */
export async function holdTarget(guard: TargetGuard, target: string): Promise<HeldFolder> {
  const meant = realPath(target);
  const refuse = (why: string) =>
    new ConfigError(
      `The target ${target} is refused: ${why}. Choose another --target, or leave out --owner.`,
    );
  const link = strangersLink(target);
  if (link !== undefined) throw refuse(`${link} is a symbolic link of another user's`);
  let folder: HeldFolder;
  try {
    mkdirSync(meant, { recursive: true, mode: 0o700 });
    folder = await holdFolder(meant);
  } catch (error) {
    throw refuse(reasonOf(error));
  }
  try {
    const held = realPath(heldPath(folder));
    if (held !== meant) throw refuse(`it was swapped for ${held} meanwhile`);
    guard.check(held);
    return folder;
  } catch (error) {
    await folder.close();
    throw error;
  }
}

/** The first part of the path that is a link which neither root nor we have made. */
function strangersLink(path: string): string | undefined {
  const trusted = [0, process.geteuid?.()];
  for (let end = path.indexOf("/", 1); ; end = path.indexOf("/", end + 1)) {
    const part = end < 0 ? path : path.slice(0, end);
    const stat = lstatSync(part, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink() && !trusted.includes(stat.uid)) return part;
    if (end < 0) return undefined;
  }
}

/** A failure is only a warning, because the files are restored. Returns whether it succeeded. */
export async function giveTo(run: Run, to: Owner, folder: HeldFolder, target: string): Promise<boolean> {
  const owner = ownerText(to);
  run.log.info(`Giving everything in ${target} to ${owner}.`);
  const { failed, reason } = await giveTree(folder, to.uid, to.gid, () => run.stopping);
  if (failed === 0 && !run.stopping) return true;
  const why =
    failed === 0 ? "the run was stopped" : `${plural(failed, "entry", "entries")} not: ${reasonOf(reason)}`;
  run.log.warn(`Not everything in ${target} belongs to ${owner} now (${why}). The restore itself is done.`);
  return false;
}
