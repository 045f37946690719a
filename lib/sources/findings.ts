/** The report: as lines for people, as facts for the record. Pure. */

import type { FactsOf, Fields } from "../schema/fields.ts";
import { formatBytes, plural, tableLines } from "../text.ts";
import type { Level, Tally } from "./count.ts";
import type { Examination, ListReport, Source } from "./examine.ts";

/** Folders of --depth, and missing entries, that are named; the largest first. */
const NAMED_MOST = 200;

/** The table of all that was counted. */
export function formatTable({ sources, lists, totals }: Examination, sizes: boolean): string[] {
  const cells = (what: string, tally: Tally, note = ""): string[] => [
    what,
    String(tally.files),
    String(tally.folders),
    ...(sizes ? [formatBytes(tally.bytes)] : []),
    note,
  ];
  const rows = [
    ["SOURCE", "FILES", "FOLDERS", ...(sizes ? ["SIZE"] : []), ""],
    ...sources.flatMap((source) => [
      cells(source.path, source.tally, formatNote(source)),
      ...largest(source.levels, sizes).map(({ path, depth, tally }) =>
        cells(`${"  ".repeat(depth)}${path}`, tally),
      ),
    ]),
    ...lists.map((list) => cells(`${list.flag} ${list.path}`, list.tally, listNote(list))),
    cells("all", totals),
  ];
  return tableLines(rows);
}

/** In the order of the tree, but only the largest when there are many. */
function largest(levels: readonly Level[], sizes: boolean): Level[] {
  const weigh = ({ tally }: Level) => (sizes ? tally.bytes : tally.files);
  const kept = new Set([...levels].sort((a, b) => weigh(b) - weigh(a)).slice(0, NAMED_MOST));
  return levels.filter((level) => kept.has(level)).sort((a, b) => (a.path < b.path ? -1 : 1));
}

function formatNote({ type, problem, inside, origin }: Source): string {
  if (inside !== undefined) return `counted with ${inside}`;
  if (type === "missing") return "MISSING";
  return problem === undefined ? (origin === "BACKUP_ROOT_DIR" ? "" : origin) : "UNREADABLE";
}

function listNote({ problem, entries, comments, missing, malformed }: ListReport): string {
  if (problem !== undefined) return "UNREADABLE";
  const parts = [
    plural(entries, "entry", "entries"),
    comments > 0 && plural(comments, "comment"),
    missing.length > 0 && `${missing.length} MISSING`,
    malformed.length > 0 && `${malformed.length} MALFORMED`,
  ];
  return parts.filter(Boolean).join(", ");
}

/** Everything that an operator should look into, each a sentence. */
export function formatWarnings({ sources, lists, excludes, totals, errors }: Examination): string[] {
  const unnamed = totals.errors - errors.length;
  return [
    ...sources.flatMap(({ path, origin, type, problem, suspicion }) => [
      ...(type === "missing"
        ? [`${path} (${origin}) is missing: ${problem}. Mount it, or correct the path.`]
        : []),
      ...(suspicion === undefined
        ? []
        : [`${path} (${origin}) is suspicious: ${suspicion}.`.replace("?.", "?")]),
    ]),
    ...lists.flatMap(({ flag, path, missing, malformed }) => [
      ...missing.slice(0, NAMED_MOST).map((entry) => `${flag} ${path} names ${entry}, which does not exist.`),
      ...malformed.map(
        (entry) => `${flag} ${path}: ${entry} is not a valid pattern; restic would make no backup.`,
      ),
    ]),
    ...excludes.flatMap(({ flag, path, problem }) =>
      problem === undefined
        ? []
        : [`${flag} ${path} cannot be read: ${problem}; restic would make no backup.`],
    ),
    ...errors
      .filter(({ path }) => !excludes.some((each) => each.path === path))
      .map(({ path, reason }) => `${path} cannot be read: ${reason}.`),
    ...(unnamed > 0 ? [`${unnamed} more cannot be read.`] : []),
  ];
}

const tallyFields = {
  files: { type: "count", help: "files" },
  folders: { type: "count", help: "folders" },
  links: { type: "count", help: "symbolic links" },
  specials: { type: "count", help: "named pipes, sockets and devices" },
  bytes: { type: "integer", minimum: -1, help: "bytes in files; -1 with --no-size" },
  hard_link_bytes: {
    type: "integer",
    minimum: -1,
    help: "bytes of further names of files that were counted already; -1 with --no-size",
  },
  errors_count: { type: "count", help: "what could not be read" },
} as const satisfies Fields;

const readable = {
  readable: { type: "switch", help: "it can be read" },
  problem: { type: "string", help: "why it cannot be read" },
} as const satisfies Fields;

const listed = {
  path: { type: "string", help: "the file" },
  flag: { type: "string", help: "the flag that names it" },
  ...readable,
} as const satisfies Fields;

export const sourcesFacts = {
  sources: {
    type: "rows",
    help: "what restic would be given",
    fields: {
      path: { type: "string", help: "the source" },
      origin: { type: "string", help: "what names it" },
      ...readable,
      type: { type: "string", help: "file, folder, missing and so on" },
      ...tallyFields,
      counted_with: { type: "string", help: "the source that it lies in, and is counted with" },
      suspicious: { type: "string", help: "why it is suspicious" },
      subfolders: {
        type: "rows",
        help: "its largest folders, as deep as --depth says",
        fields: { path: { type: "string", help: "the folder" }, ...tallyFields },
      },
    },
  },
  files_from: {
    type: "rows",
    help: "files that list sources",
    fields: {
      ...listed,
      entries: { type: "count", help: "entries in the file" },
      missing_count: { type: "count", help: "entries that name nothing" },
      missing: { type: "strings", help: "the first of them" },
      malformed: { type: "strings", help: "entries that are no pattern" },
      ...tallyFields,
    },
  },
  exclude_files: {
    type: "rows",
    help: "files that list what is excluded",
    fields: { ...listed, patterns: { type: "count", help: "patterns in the file" } },
  },
  totals: {
    type: "object",
    help: "all that was counted",
    fields: { sources: { type: "count", help: "sources" }, ...tallyFields },
  },
  sources_count: { type: "count", help: "sources" },
  files_from_count: { type: "count", help: "files that list sources" },
  exclude_files_count: { type: "count", help: "files that list what is excluded" },
  backup_root_dir: { type: "string", help: "BACKUP_ROOT_DIR, one path a line" },
  no_size: { type: "switch", help: "--no-size was given" },
  depth_limit: { type: "count", help: "--depth" },
  total_files: { type: "count", help: "files in all sources" },
  total_bytes: { type: "integer", minimum: -1, help: "bytes in all sources; -1 with --no-size" },
  errors_count: { type: "count", help: "paths that could not be read" },
  missing_count: { type: "count", help: "sources, and entries of lists, that name nothing" },
  suspicious_count: { type: "count", help: "sources that are suspiciously empty" },
  unreadable_paths: { type: "strings", help: "the first paths that could not be read" },
} as const satisfies Fields;

export function buildFacts(examination: Examination, sizes: boolean): FactsOf<typeof sourcesFacts> {
  const { sources, lists, excludes, totals, errors } = examination;
  const missing = sources.filter(({ type }) => type === "missing").length;
  const missingEntries = lists.reduce((sum, list) => sum + list.missing.length, 0);
  return {
    sources: sources.map((source) => ({
      path: source.path,
      origin: source.origin,
      readable: source.readable ? "ON" : "OFF",
      type: source.type,
      ...tallyFacts(source.tally, sizes),
      ...(source.inside === undefined ? {} : { counted_with: source.inside }),
      ...(source.problem === undefined ? {} : { problem: source.problem }),
      ...(source.suspicion === undefined ? {} : { suspicious: source.suspicion }),
      ...(source.levels.length === 0
        ? {}
        : {
            subfolders: largest(source.levels, sizes).map(({ path, tally }) => ({
              path,
              ...tallyFacts(tally, sizes),
            })),
          }),
    })),
    files_from: lists.map((list) => ({
      path: list.path,
      flag: list.flag,
      readable: list.problem === undefined ? "ON" : "OFF",
      entries: list.entries,
      missing_count: list.missing.length,
      missing: list.missing.slice(0, NAMED_MOST),
      malformed: list.malformed.slice(0, NAMED_MOST),
      ...tallyFacts(list.tally, sizes),
      ...(list.problem === undefined ? {} : { problem: list.problem }),
    })),
    exclude_files: excludes.map(({ flag, path, patterns, problem }) => ({
      path,
      flag,
      readable: problem === undefined ? "ON" : "OFF",
      patterns,
      ...(problem === undefined ? {} : { problem }),
    })),
    totals: { sources: sources.length, ...tallyFacts(totals, sizes) },
    // Numbers at the top become metrics.
    sources_count: sources.length,
    files_from_count: lists.length,
    exclude_files_count: excludes.length,
    total_files: totals.files,
    total_bytes: sizes ? totals.bytes : -1,
    errors_count: totals.errors,
    missing_count: missing + missingEntries,
    suspicious_count: sources.filter(({ suspicion }) => suspicion !== undefined).length,
    unreadable_paths: errors.map(({ path }) => path),
  };
}

function tallyFacts(tally: Tally, sizes: boolean) {
  return {
    files: tally.files,
    folders: tally.folders,
    links: tally.links,
    specials: tally.specials,
    bytes: sizes ? tally.bytes : -1,
    hard_link_bytes: sizes ? tally.hardLinkBytes : -1,
    errors_count: tally.errors,
  };
}
