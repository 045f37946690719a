/** What a restore-test is asked to do: its flags, or where a flag is absent its RESTORE_TEST_ variable. */

import { type Settings, wholeNumber } from "../config/settings.ts";
import type { NameOf } from "../config/variables.ts";
import { ConfigError, type Failure, reasonOf, UsageError } from "../errors.ts";
import { readSmallFile } from "../files/files.ts";
import { absolute } from "../paths.ts";
import { readId, snapshotFacts, snapshotFlags } from "../restic/snapshots.ts";
import type { FlagValues } from "../run/command.ts";
import type { Run } from "../run/run.ts";
import type { FactsOf, Fields } from "../schema/fields.ts";
import { plural } from "../text.ts";
import { bytesOf, type Canary, isCanary, parseCanary, parseCanaryFile } from "./canary.ts";

export const restoreTestFlags = {
  ...snapshotFlags,
  path: {
    type: "string",
    valueHint: "PATH",
    multiple: true,
    description: "restore only this path of the snapshot, or what matches this pattern (repeatable)",
  },
  sample: {
    type: "string",
    valueHint: "N",
    description:
      "restore only N random files, and compare them with the sources where these have not changed",
  },
  canary: {
    type: "string",
    valueHint: "PATH=SHA256",
    multiple: true,
    description: "the file at PATH of the snapshot must have this content (repeatable)",
  },
  "canary-file": {
    type: "string",
    valueHint: "FILE",
    description: "a file with such lines, or with lines as sha256sum prints them",
  },
  "min-files": {
    type: "string",
    valueHint: "N",
    description: "fail unless at least N files are restored; 1 unless given",
  },
  target: {
    type: "string",
    valueHint: "DIR",
    description:
      "restore into a folder in DIR, or with --keep into DIR itself; TMPDIR unless given, or another one on a disk",
  },
  keep: { type: "boolean", description: "keep what was restored" },
  verify: { type: "boolean", description: "let restic also read back what it wrote" },
  force: {
    type: "boolean",
    description: "use DIR even if it holds other files, or TMPDIR even if it lies in memory",
  },
  "dry-run": { type: "boolean", description: "say what would be restored, write nothing (restic 0.17)" },
  yes: { type: "boolean", alias: "y", description: "accepted and without effect: the test asks nothing" },
} as const;

export const restoreTestFacts = {
  ...snapshotFacts,
  verification: { type: "choice", options: ["passed", "failed", "skipped"], help: "what the checks came to" },
  files_restored: { type: "count", help: "files that were restored, or would be" },
  bytes_restored: { type: "count", help: "bytes that were restored, or would be" },
  min_files: { type: "count", help: "files that must come back, or the test fails" },
  min_files_met: { type: "switch", help: "at least min_files files were restored" },
  canary_total: { type: "count", help: "canaries" },
  canary_passed: { type: "count", help: "canaries that are as they should be" },
  canary_failed: { type: "count", help: "canaries that are missing or differ" },
  canary_results: {
    type: "rows",
    help: "what became of each canary, those that failed first",
    fields: {
      path: { type: "string", help: "the canary's path in the snapshot" },
      expected_sha256: { type: "string", help: "the checksum that it should have" },
      actual_sha256: { type: "string", nullable: true, help: "the checksum that it has" },
      status: { type: "choice", options: ["passed", "failed", "missing"], help: "what the check came to" },
      message: { type: "string", help: "the same in words" },
    },
  },
  sample_total: { type: "count", help: "files in the sample" },
  sample_matched: { type: "count", help: "files in the sample that are as their sources are" },
  sample_changed: { type: "count", help: "files in the sample whose sources have changed since" },
  sample_differing: { type: "count", help: "files in the sample that differ from their sources" },
  sample_missing: { type: "count", help: "files in the sample that did not come back" },
  sample_results: {
    type: "rows",
    help: "what became of each file in the sample, the bad ones first",
    fields: {
      path: { type: "string", help: "the file's path in the snapshot" },
      status: {
        type: "choice",
        options: ["matched", "changed", "differing", "missing"],
        help: "what the comparison came to",
      },
      message: { type: "string", help: "the same in words" },
    },
  },
  path: { type: "string", help: "only this path was restored; several stand one per line" },
  include_paths_count: { type: "count", help: "paths that the test was limited to, 0 for all" },
  restic_files_restored: { type: "count", help: "files and folders that restic reported" },
  keep: { type: "switch", help: "what was restored is kept" },
  verify: { type: "switch", help: "restic read back what it wrote" },
  tag_filter: { type: "string", help: "only snapshots with this tag; empty for any" },
  host_filter: { type: "string", help: "only snapshots of this host; empty for any" },
  target: { type: "string", help: "the directory that was restored into" },
  target_autotmp: { type: "switch", help: "the target was a temporary directory of the test's own" },
  dry_run: { type: "switch", help: "nothing was written" },
  cleanup_status: {
    type: "choice",
    options: ["none", "kept", "removed", "failed"],
    help: "what became of what was restored",
  },
} as const satisfies Fields;

export type RestoreTestRun = Run<FactsOf<typeof restoreTestFacts>>;

export type RestoreTestFlags = FlagValues<typeof restoreTestFlags>;

export interface RestoreTestPlan {
  readonly id: string | undefined;
  /** undefined for the default of the environment; "" for any. */
  readonly tag: string | undefined;
  readonly host: string | undefined;
  /** Paths or patterns in the snapshot; none for all of it. */
  readonly paths: readonly string[];
  /** How many files to pick; 0 for all there are. */
  readonly sample: number;
  readonly canaries: readonly Canary[];
  readonly canaryFile: string | undefined;
  readonly minFiles: number;
  /** An absolute path. */
  readonly target: string | undefined;
  readonly keep: boolean;
  readonly verify: boolean;
  readonly force: boolean;
  readonly dryRun: boolean;
}

/** Files that may be picked: each becomes an argument of restic. */
const SAMPLE_MOST = 10_000;
/** Bytes of a canary file: more canaries than anybody lists. */
const CANARY_FILE_MOST = 16 * 1024 * 1024;

/** A value, and the error to throw when it is not valid. */
interface Given {
  readonly text: string;
  readonly name: string;
  wrong(message: string): Failure;
}

/** Throws a UsageError for a flag that is not valid, a ConfigError for a variable. Without settings: flags only. */
export function readTestPlan(flags: RestoreTestFlags, settings?: Settings): RestoreTestPlan {
  const given = (name: keyof RestoreTestFlags & string, variable: NameOf<"text">): Given | undefined => {
    const flag = flags[name];
    if (typeof flag === "string") return fromFlag(`--${name}`, flag);
    const text = settings?.text(variable);
    return text ? { text, name: variable, wrong: (message) => new ConfigError(message) } : undefined;
  };
  const flag = (name: "keep" | "verify" | "force" | "dry-run", variable: NameOf<"switch">) =>
    flags[name] || (settings?.flag(variable) ?? false);
  const number = (name: "sample" | "min-files", variable: NameOf<"count">, fallback: number) =>
    flags[name] === undefined
      ? (settings?.count(variable) ?? fallback)
      : readNumber(fromFlag(`--${name}`, flags[name]));
  const sample = number("sample", "RESTORE_TEST_SAMPLE", 0);
  const paths = readPaths(flags, settings, sample > 0);
  const dryRun = flag("dry-run", "RESTORE_TEST_DRY_RUN");
  const verify = flag("verify", "RESTORE_TEST_VERIFY");
  if (flags["dry-run"] && flags.verify) {
    throw new UsageError(
      "--verify reads back what was written, and --dry-run writes nothing; give one of them.",
    );
  }
  if (sample > SAMPLE_MOST) {
    throw new (flags.sample === undefined ? ConfigError : UsageError)(
      `A sample of ${plural(sample, "file")} is too large; at most ${SAMPLE_MOST} are picked.`,
    );
  }
  return {
    id: readSnapshot(given("id", "RESTORE_TEST_ID")),
    tag: given("tag", "RESTORE_TEST_TAG")?.text,
    host: given("host", "RESTORE_TEST_HOST")?.text,
    paths,
    sample,
    canaries: readCanaries(flags, settings),
    canaryFile: given("canary-file", "RESTORE_TEST_CANARY_FILE")?.text,
    minFiles: number("min-files", "RESTORE_TEST_MIN_FILES", 1),
    target: readTarget(given("target", "RESTORE_TEST_TARGET")),
    keep: flag("keep", "RESTORE_TEST_KEEP"),
    verify: verify && !dryRun,
    force: flag("force", "RESTORE_TEST_FORCE"),
    dryRun,
  };
}

/** The canaries in a file. Throws a ConfigError that names every line that is not one. */
export function readCanaryFile(path: string): Canary[] {
  let text: string;
  try {
    text = readSmallFile(path, CANARY_FILE_MOST, "latin1");
  } catch (error) {
    throw new ConfigError(`The canary file ${path} cannot be read: ${reasonOf(error)}.`);
  }
  const { canaries, complaints } = parseCanaryFile(text);
  if (complaints.length > 0) throw new ConfigError(`The canary file ${path}: ${complaints.join(" ")}`);
  return canaries;
}

function fromFlag(name: string, text: string): Given {
  return { text, name, wrong: (message) => new UsageError(message) };
}

function readNumber({ text, name, wrong }: Given): number {
  const number = wholeNumber(text);
  if (number === undefined) throw wrong(`${name} ${text} is not a whole number.`);
  return number;
}

function readSnapshot(given: Given | undefined): string | undefined {
  if (given === undefined) return undefined;
  const { text, name, wrong } = given;
  if (/^(latest|[0-9a-f]{1,64})$/i.test(text)) return readId(text);
  throw wrong(`${name} ${text} is not a snapshot's ID; give hexadecimal digits, or latest.`);
}

function readPaths(flags: RestoreTestFlags, settings: Settings | undefined, isSampled: boolean): string[] {
  const name = "RESTORE_TEST_PATH";
  const given =
    flags.path.length > 0
      ? flags.path.map((path) => fromFlag("--path", path))
      : (settings?.lines(name) ?? [])
          .flatMap(splitPaths)
          .map((text) => ({ text, name, wrong: (message: string) => new ConfigError(message) }));
  return given.map((each) => checkPath(each, isSampled));
}

/**
 * The paths on a line. Blanks separate them where each word begins with a slash, or is quoted from its first character
 * to its last; any other line is one path, as it stands: `/data/My Photos` is no list. Pure.
 */
export function splitPaths(line: string): string[] {
  const words = line.trim().match(/"[^"]*"(?=\s|$)|'[^']*'(?=\s|$)|\S+/g) ?? [];
  const isQuoted = (word: string) => /^(["']).*\1$/s.test(word) && word.length > 1;
  if (!words.every((word) => word.startsWith("/") || isQuoted(word))) return [line];
  return words.map((word) => (isQuoted(word) ? word.slice(1, -1) : word));
}

function checkPath({ text, name, wrong }: Given, isSampled: boolean): string {
  if (text.trim() === "") throw wrong(`${name} needs a path, not an empty word.`);
  if (isSampled && !isPlain(text)) {
    throw wrong(
      `${name} ${text} is not a plain path such as /data/photos; a sample can be picked only below a plain path.`,
    );
  }
  return text;
}

/** A path that names one file or folder, not a pattern. */
export const isPlain = (path: string): boolean => path.startsWith("/") && !/[*?[\\]/.test(path);

function readTarget(given: Given | undefined): string | undefined {
  if (given === undefined) return undefined;
  if (given.text === "") throw given.wrong(`${given.name} needs a directory, not an empty word.`);
  return absolute(given.text);
}

/** The canaries on a line: after a checksum, blanks before a slash begin the next. Blanks in a path separate nothing. Pure. */
export const splitCanaries = (line: string): string[] => line.split(/(?<==\s*[0-9a-f]{64})\s+(?=\/)/i);

function readCanaries(flags: RestoreTestFlags, settings: Settings | undefined): Canary[] {
  const isFlag = flags.canary.length > 0;
  const lines = isFlag ? flags.canary : (settings?.lines("RESTORE_TEST_CANARY") ?? []).flatMap(splitCanaries);
  const parsed = lines.map((line) => parseCanary(bytesOf(line.trim())));
  const complaints = parsed.flatMap((each) => (isCanary(each) ? [] : [each.complaint]));
  if (complaints.length === 0) return parsed.filter(isCanary);
  throw isFlag
    ? new UsageError(`--canary: ${complaints.join(" ")}`)
    : new ConfigError(`RESTORE_TEST_CANARY: ${complaints.join(" ")}`);
}
