/** What an export is to do, as its flags say. */

import { lstatSync, statSync } from "node:fs";
import { ConfigError, UsageError } from "../errors.ts";
import { absolute } from "../paths.ts";
import { readId, snapshotFlags } from "../restic/snapshots.ts";
import type { FlagValues } from "../run/command.ts";
import { formatOf } from "./names.ts";

export const exportFlags = {
  ...snapshotFlags,
  include: {
    type: "string",
    valueHint: "PATH",
    multiple: true,
    description: "export only this path, or what matches this pattern (repeatable)",
  },
  exclude: {
    type: "string",
    valueHint: "PATTERN",
    multiple: true,
    description: "leave out what matches (repeatable)",
  },
  output: {
    type: "string",
    valueHint: "FILE",
    description: "the archive, ending in .tar.gz, .tar.zst or .tar; /restore/snapshot-export-… unless given",
  },
  "work-dir": {
    type: "string",
    valueHint: "DIR",
    description: "where files lie for a while that cannot be streamed; TMPDIR unless given",
  },
  "keep-workdir": { type: "boolean", description: "leave those files where they are" },
  force: { type: "boolean", description: "replace an archive that is there already" },
  "dry-run": { type: "boolean", description: "say what would be exported, write nothing" },
  verify: { type: "boolean", description: "read the archive back before it gets its name" },
  verbose: { type: "boolean", alias: "v", description: "name every member" },
} as const;

export type ExportFlags = FlagValues<typeof exportFlags>;

/** Throws a UsageError for a value, or for two flags together, that make no sense. */
export function checkFlags(flags: ExportFlags): void {
  readId(flags.id);
  const { output, include, exclude, verify } = flags;
  if (output !== undefined) formatOf(output);
  if ([...include, ...exclude, flags["work-dir"] ?? "unset"].some((word) => word.trim() === "")) {
    throw new UsageError("--include, --exclude and --work-dir need a value, not an empty word.");
  }
  if (flags["dry-run"] && verify) {
    throw new UsageError("--verify reads the archive back, and --dry-run writes none; give one of them.");
  }
}

/** The archive's absolute path. Throws a ConfigError when there cannot be, or must not be, a new file. */
export function admitOutput(output: string, force: boolean): string {
  const path = absolute(output);
  const folder = path.slice(0, path.lastIndexOf("/")) || "/";
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new ConfigError(
      `There is no directory ${folder} for the archive. Mount or create it, or choose another --output.`,
    );
  }
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there?.isDirectory())
    throw new ConfigError(`${path} is a directory; --output names the archive itself.`);
  if (there !== undefined && !force) {
    throw new ConfigError(`${path} exists already. Choose another --output, or give --force to replace it.`);
  }
  return path;
}
