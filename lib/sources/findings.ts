/** What a report says: to people as lines, to the record as facts. Pure. */

import type { Facts } from "../state/record.ts";
import { plural, tableLines } from "../text.ts";
import { formatBytes } from "../units.ts";
import type { Level, Tally } from "./count.ts";
import type { Examination, ListReport, Source } from "./examine.ts";

/** Folders of --depth, and missing entries, that are named; the largest first. */
const NAMED_MOST = 200;

/** The table of all that was counted. */
export function tableOf({ sources, lists, totals }: Examination, sizes: boolean): string[] {
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
      cells(source.path, source.tally, noteOf(source)),
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

function noteOf({ type, problem, inside, origin }: Source): string {
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
export function warningsOf({ sources, lists, excludes, totals, errors }: Examination): string[] {
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
      ...missing.slice(0, NAMED_MOST).map((entry) => `${flag} ${path} names ${entry}, and nothing is there.`),
      ...malformed.map((entry) => `${flag} ${path}: ${entry} is no pattern; restic would make no backup.`),
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

export function factsOf(examination: Examination, sizes: boolean): Facts {
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
