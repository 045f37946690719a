/** What a restore is to do, as its flags say. */

import { UsageError } from "../errors.ts";
import { absolute } from "../paths.ts";
import { readId, snapshotFlags } from "../restic/snapshots.ts";
import type { FlagValues } from "../run/command.ts";
import { parseLocal } from "../time/parse.ts";
import type { Zone } from "../time/zone.ts";

export const restoreFlags = {
  ...snapshotFlags,
  since: {
    type: "string",
    valueHint: "DATE",
    description: 'the oldest snapshot not before DATE: 2026-05-11, or "2026-05-11 09:30", in TZ',
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
    description: "leave out what matches, also of what --include lets in (repeatable)",
  },
  owner: {
    type: "string",
    valueHint: "UID:GID",
    description: "give everything in the target to these numbers, after success",
  },
  "dry-run": { type: "boolean", description: "say what would be restored, write nothing (restic 0.17)" },
  verify: { type: "boolean", description: "read back what was written and compare" },
  verbose: { type: "boolean", alias: "v", description: "name every file" },
  force: { type: "boolean", description: "restore into a target that is not empty, or over the sources" },
  yes: { type: "boolean", alias: "y", description: "ask nothing, on a terminal too" },
  list: { type: "boolean", description: "list the ten newest snapshots that match, and end" },
  all: { type: "boolean", description: "list, or offer, all snapshots that match" },
} as const;

export type RestoreFlags = FlagValues<typeof restoreFlags>;

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface RestorePlan {
  /** The beginning of a snapshot's id; undefined for the latest, or the first since. */
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

/** Throws a UsageError for a value, or for two flags together, that make no sense. */
export function readPlan(flags: RestoreFlags, zone: Zone): RestorePlan {
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
  throw new UsageError(`--since ${text} is no date such as 2026-05-11 or "2026-05-11 09:30:00".`);
}

/** (uid_t) -1 means "leave it" to chown(2). */
const UID_MOST = 2 ** 32 - 2;

function readOwner(text: string | undefined): Owner | undefined {
  if (text === undefined) return undefined;
  const found = /^(\d{1,10}):(\d{1,10})$/.exec(text);
  const [uid, gid] = [Number(found?.[1]), Number(found?.[2])];
  if (found && uid <= UID_MOST && gid <= UID_MOST) return { uid, gid };
  throw new UsageError(`--owner ${text} is not UID:GID, two numbers such as 1000:1000.`);
}
