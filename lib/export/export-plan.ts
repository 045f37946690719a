/**
 * What an export is asked to do: its flags, the archive's name and format, and the messages that a streamed and a packed
 * export share.
 */

import { lstatSync, statSync } from "node:fs";
import { ConfigError, EXIT, UsageError } from "../errors.ts";
import { demandAnswer } from "../files/mounts.ts";
import { absolute } from "../paths.ts";
import { RESTIC } from "../restic/messages.ts";
import type { Restic } from "../restic/restic.ts";
import { patternText } from "../restic/restore-tree.ts";
import {
  describeSnapshot,
  readId,
  type Snapshot,
  shortId,
  snapshotFacts,
  snapshotFlags,
} from "../restic/snapshots.ts";
import type { FlagValues } from "../run/command.ts";
import type { Outcome, Run } from "../run/run.ts";
import { removeDeadWorkDirs } from "../run/workdir.ts";
import type { FactsOf, Fields } from "../schema/fields.ts";
import { formatBytes, plural } from "../text.ts";
import { compact, localZone, type Zone } from "../time/zone.ts";
import { type Format, formats } from "./compress.ts";

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
    description: "where files that cannot be streamed are restored first; TMPDIR unless given",
  },
  "keep-workdir": { type: "boolean", description: "keep those files" },
  force: { type: "boolean", description: "replace an existing archive" },
  "dry-run": { type: "boolean", description: "say what would be exported, write nothing" },
  verify: { type: "boolean", description: "read the archive back before it is renamed to FILE" },
  verbose: { type: "boolean", alias: "v", description: "name every member" },
} as const;

export type ExportFlags = FlagValues<typeof exportFlags>;

export const exportFacts = {
  ...snapshotFacts,
  archive: { type: "string", help: "the archive" },
  archive_size_bytes: { type: "count", help: "size of the archive in bytes" },
  files: { type: "count", help: "files in the archive, or that would be" },
  bytes: { type: "count", help: "bytes of those files before compression" },
  files_restored: { type: "count", help: "the same as files" },
  bytes_restored: { type: "count", help: "the same as bytes" },
  elapsed_human: { type: "string", help: "how long it took, for people" },
  dry_run: { type: "switch", help: "nothing was written" },
  include_zero_match: { type: "switch", help: "nothing in the snapshot matched" },
  work_dir: { type: "string", nullable: true, help: "the work directory; null when the export was streamed" },
} as const satisfies Fields;

export type ExportRun = Run<FactsOf<typeof exportFacts>>;

/** Throws a UsageError for a value that is not valid, or for two flags that exclude each other. */
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

/** The archive's absolute path. Throws a ConfigError when a new file cannot, or must not, be created there. */
export function admitOutput(output: string, force: boolean): string {
  const path = absolute(output);
  const folder = path.slice(0, path.lastIndexOf("/")) || "/";
  demandAnswer(path);
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

const FOLDER = "/restore";

/** The format that the ending of an archive's name stands for. Throws a UsageError. */
export function formatOf(output: string): Format {
  const format = formats.find((each) => output.endsWith(`.${each}`) && !output.endsWith(`/.${each}`));
  if (format !== undefined) return format;
  const endings = formats.map((each) => `.${each}`).join(", ");
  throw new UsageError(`--output ${output} does not end in one of ${endings}, which say what is written.`);
}

/** `/restore/snapshot-export-5ce8c2e7-20260511-093000.tar.gz`; the time is that of the export. */
export function defaultOutput(snapshot: string, epochMs: number, zone: Zone): string {
  return `${FOLDER}/snapshot-export-${snapshot}-${compact(epochMs, zone)}.tar.gz`;
}

/**
 * The folder or file that one plain include names, as a path in the snapshot; undefined for a pattern, which may
 * match anything anywhere. Without an include it is all of the snapshot, "/".
 */
export function plainPath(include: readonly string[]): string | undefined {
  const [path, more] = include;
  if (path === undefined) return "/";
  if (more !== undefined || !path.startsWith("/") || /[*?[\]\\]|\/\.{1,2}(\/|$)/.test(path)) return undefined;
  return `/${path.split("/").filter(Boolean).join("/")}`;
}

/** `/data/a` → `/data`, `/data/a`. */
export function ancestry(path: string): string[] {
  const parts = path.split("/").filter(Boolean);
  return parts.map((_, at) => `/${parts.slice(0, at + 1).join("/")}`);
}

export interface ExportJob {
  readonly run: ExportRun;
  readonly restic: Restic;
  readonly flags: ExportFlags;
  readonly snapshot: Snapshot;
  /** The archive's absolute path. */
  readonly output: string;
}

/** Logs what is about to happen. */
export function announce({ run, flags, snapshot, output }: ExportJob, how: string): void {
  const what = `snapshot ${describeSnapshot(snapshot, localZone())} to ${output}: ${patternText(flags)}, ${how}`;
  run.log.info(`${flags["dry-run"] ? "Rehearsing the export of" : "Exporting"} ${what}.`);
}

/** Logs that no archive was made because it would be empty; returns the exit code for that. */
export function nothing({ run, flags, snapshot }: ExportJob): number {
  run.fail(
    `Nothing in snapshot ${shortId(snapshot)} matches (${patternText(flags)}), so no archive was made. ` +
      `\`restic ls ${shortId(snapshot)}\` shows what is in it.`,
  );
  run.facts.include_zero_match = "ON";
  return RESTIC.incomplete;
}

/** Logs and records what a dry run found. */
export function wouldBe({ run }: ExportJob, files: number, bytes: number): Outcome {
  run.addFacts({ files, bytes, files_restored: files, bytes_restored: bytes });
  run.log.info(
    `Nothing was written; the archive would hold ${plural(files, "file")}, ${formatBytes(bytes)} before compression.`,
  );
  return { exitCode: EXIT.ok };
}

/** Removes what killed exports have left in a folder. */
export async function clean(run: Run, folder: string): Promise<void> {
  for (const name of await removeDeadWorkDirs(folder)) {
    run.log.warn(`${folder}/${name} was left by an export that was killed; removed it.`);
  }
}
