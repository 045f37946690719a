/**
 * What a restore is asked to do: its flags and the plan read from them, the targets that it refuses unless forced, and
 * the owner that the restored tree is given.
 */

import { ConfigError, UsageError } from "../errors.ts";
import { absolute, realPath } from "../paths.ts";
import { readId, snapshotFlags } from "../restic/snapshots.ts";
import type { FlagValues } from "../run/command.ts";
import { exitOfStopped, type Run } from "../run/run.ts";
import { type Refusal, restoreRefusal } from "../run/target.ts";
import { parseLocal, type Zone } from "../time/zone.ts";

export const restoreFlags = {
  ...snapshotFlags,
  since: {
    type: "string",
    valueHint: "DATE",
    description: 'the oldest snapshot since DATE: 2026-05-11, or "2026-05-11 09:30", in TZ',
  },
  target: { type: "string", valueHint: "DIR", description: "restore into DIR; /restore unless given" },
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
  force: { type: "boolean", description: "restore into a target that is not empty, or over the sources" },
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
  /** An absolute path. */
  readonly target: string;
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
  for (const pattern of [...include, ...exclude]) {
    if (pattern.trim() === "")
      throw new UsageError("--include and --exclude need a pattern, not an empty word.");
  }
  return {
    id,
    since: readSince(flags.since, zone),
    target: readTarget(flags.target),
    include,
    exclude,
    owner: readOwner(flags.owner),
    dryRun,
    verify,
    verbose,
  };
}

/** An absolute path. Throws a UsageError when it is empty. */
export function readTarget(text: string | undefined): string {
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

/** Checks a run's targets against the rule of lib/run/target.ts, and against its flags. */
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
  refusalOf(target: string): Refusal | undefined {
    const found = restoreRefusal(target, this.roots, this.plan.dryRun);
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
    const found = this.refusalOf(target);
    if (found === undefined) return;
    const remedy = this.force
      ? "Leave out --owner."
      : "Choose another --target, or give --force if you mean it.";
    throw new ConfigError(`The target ${target} is refused: ${found.why}. ${remedy}`);
  }

  /** Warns of what --force is about to do. */
  warn(target: string): void {
    const found = restoreRefusal(target, this.roots, false);
    if (found === undefined) return;
    this.run.log.warn(`Restoring over files in ${target} (--force), although ${found.why}.`);
    if (this.plan.owner !== undefined) {
      this.run.log.warn(`--owner will also change the owner of what is already in ${target}.`);
    }
  }
}

export const ownerText = ({ uid, gid }: Owner): string => `${uid}:${gid}`;

/**
 * Runs chown(1), the same in coreutils and busybox, on the target and everything below it; on a symbolic link itself,
 * never on what it points to. A failure is only a warning, because the files are restored. Returns whether it succeeded.
 */
export async function giveTo(run: Run, to: Owner, target: string): Promise<boolean> {
  const owner = ownerText(to);
  run.log.info(`Giving everything in ${target} to ${owner}.`);
  const show = (line: string) => run.log.childLine("chown", line);
  const command = ["chown", "-hR", owner, realPath(target)];
  const { exitCode } = await run
    .child(command, { onStdout: show, onStderr: show })
    .then(({ code }) => ({ exitCode: code }), exitOfStopped);
  if (exitCode !== 0) {
    run.log.warn(
      `Not everything in ${target} belongs to ${owner} now (chown exit ${exitCode}). The restore itself is done.`,
    );
  }
  return exitCode === 0;
}
