/** What is examined: what the flags name, or what the environment gives to the next backup. */

import { wholeNumber } from "../config/settings.ts";
import { ConfigError, UsageError } from "../errors.ts";
import { namedFiles, pathsIn, staysOnOneFileSystem } from "../restic/backup-args.ts";
import type { FlagValues } from "../run/command.ts";
import type { Run } from "../run/run.ts";

export const sourcesFlags = {
  source: {
    type: "string",
    valueHint: "PATH",
    multiple: true,
    description: "examine this instead of what the environment names (repeatable)",
  },
  "files-from": {
    type: "string",
    valueHint: "FILE",
    multiple: true,
    description: "examine what this file lists, read as by restic's --files-from (repeatable)",
  },
  "no-size": { type: "boolean", description: "count only: faster, but without sizes" },
  depth: {
    type: "string",
    valueHint: "N",
    description: "report folders down to this depth below a source separately; 0 unless given",
  },
} as const;

export type SourcesFlags = FlagValues<typeof sourcesFlags>;

export interface Named {
  /** As it was written. */
  readonly path: string;
  /** Who named it: `BACKUP_ROOT_DIR`. */
  readonly origin: string;
}

export interface SourcesPlan {
  readonly sources: readonly Named[];
  readonly lists: readonly { readonly flag: string; readonly path: string }[];
  readonly excludeFiles: readonly { readonly flag: string; readonly path: string }[];
  readonly depth: number;
  readonly sizes: boolean;
  readonly oneFileSystem: boolean;
  /** Does the report stand for what the next backup reads? */
  readonly ofEnvironment: boolean;
}

/** Throws a UsageError for flags that make no sense. */
export function checkSourcesFlags(flags: SourcesFlags): number {
  const empty = [...flags.source, ...flags["files-from"]].some((word) => word === "");
  if (empty) throw new UsageError("--source and --files-from need a path, not an empty word.");
  const depth = wholeNumber(flags.depth ?? "0");
  if (depth === undefined) throw new UsageError(`--depth ${flags.depth} is not a whole number.`);
  return depth;
}

/** Throws a ConfigError when nothing is named. */
export function readSourcesPlan(flags: SourcesFlags, { settings }: Run): SourcesPlan {
  const depth = checkSourcesFlags(flags);
  const options = { depth, sizes: !flags["no-size"] };
  if (flags.source.length + flags["files-from"].length > 0) {
    return {
      sources: flags.source.map((path) => ({ path, origin: "--source" })),
      lists: flags["files-from"].map((path) => ({ flag: "--files-from", path })),
      excludeFiles: [],
      ...options,
      oneFileSystem: false,
      ofEnvironment: false,
    };
  }
  const roots = settings.lines("BACKUP_ROOT_DIR");
  const words = settings.words("RESTIC_JOB_ARGS");
  const files = namedFiles(words);
  const sources = [
    ...roots.map((path) => ({ path, origin: "BACKUP_ROOT_DIR" })),
    ...pathsIn(words).map((path) => ({ path, origin: "RESTIC_JOB_ARGS" })),
  ];
  const lists = files.filter(({ flag }) => flag.startsWith("--files-from"));
  if (sources.length + lists.length === 0) {
    throw new ConfigError(
      "There is nothing to examine. Set BACKUP_ROOT_DIR, or RESTIC_JOB_ARGS with --files-from, or give --source.",
    );
  }
  return {
    sources,
    lists,
    excludeFiles: files.filter(({ flag }) => flag.includes("exclude")),
    ...options,
    oneFileSystem: staysOnOneFileSystem(words),
    ofEnvironment: true,
  };
}
