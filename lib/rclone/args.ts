/** The arguments of rclone's command lines. Pure. Flags of rclone 1.60 to 1.75 (`rclone bisync --help`). */

import type { Mode } from "./rows.ts";

/** Flags of bisync that copy does not know and that take a value. For `filters-file` see withoutBisync. */
const BISYNC_VALUES = new Set([
  "backup-dir1",
  "backup-dir2",
  "check-filename",
  "check-sync",
  "compare",
  "conflict-loser",
  "conflict-resolve",
  "conflict-suffix",
  "max-lock",
  "workdir",
]);
/** Flags of bisync that copy does not know and that take no value. */
const BISYNC_SWITCHES = new Set([
  "check-access",
  "download-hash",
  "force",
  "ignore-listing-checksum",
  "localtime",
  "no-cleanup",
  "no-slow-hash",
  "recover",
  "remove-empty-dirs",
  "resilient",
  "slow-hash-sync-only",
]);

/** Flags of sync and copy that only they know (since 1.66), and that take a value. */
const SYNC_VALUES = new Set([
  "combined",
  "dest-after",
  "differ",
  "error",
  "match",
  "missing-on-dst",
  "missing-on-src",
]);
/** Flags that write to stdout, or ask a person, where rclone is only asked a question. */
const TALKING = new Set(["progress", "progress-terminal-title", "interactive", "create-empty-src-dirs"]);
/** Flags by which files are chosen; all take a value. */
const FILTERS = new Set([
  "exclude",
  "exclude-from",
  "exclude-if-present",
  "files-from",
  "files-from-raw",
  "filter",
  "filter-from",
  "include",
  "include-from",
  "max-age",
  "max-depth",
  "max-size",
  "min-age",
  "min-size",
]);
/** Ours: a word of a row that rclone does not know. */
export const ALLOW_EMPTY_SOURCE = "allow-empty-source";

/** How often rclone reports on its work. */
export interface Reporting {
  /** Seconds between its statistics; 0 for only the last ones. */
  readonly interval: number;
}

/** Longer than any call lasts: rclone prints its last statistics only if it was asked to print any at all. */
const NEVER_SECONDS = 365 * 24 * 3600;

/** `rclone <mode> <from> <to>`, with log and statistics as JSON; the operator's arguments come last and win. */
export function transferArgs(
  mode: Mode,
  from: string,
  to: string,
  words: readonly string[],
  { interval }: Reporting,
): string[] {
  return [
    mode,
    from,
    to,
    "--use-json-log",
    "--stats",
    `${interval > 0 ? interval : NEVER_SECONDS}s`,
    // At the level of errors they are printed even if the operator's arguments include --quiet.
    "--stats-log-level",
    "ERROR",
    ...words,
  ];
}

export interface ResyncWords {
  readonly words: readonly string[];
  /** Which side wins a resync, if the operator chose one (--resync-mode, since rclone 1.66). */
  readonly mode: string | undefined;
}

/**
 * Removes --resync in all its spellings: a bisync that always resyncs never propagates a deletion. --resync-mode
 * implies --resync, so it is kept for the resyncs that we decide on.
 */
export function withoutResync(given: readonly string[]): ResyncWords {
  const words: string[] = [];
  let mode: string | undefined;
  for (let at = 0; at < given.length; at++) {
    const word = given[at] ?? "";
    const { name, value } = flagOf(word);
    if (name === "resync") continue;
    if (name === "resync-mode") mode = value ?? given[++at];
    else if (/^-[A-Za-z]*1[A-Za-z]*$/.test(word))
      words.push(...(word === "-1" ? [] : [word.replace("1", "")]));
    else words.push(word);
  }
  return { words, mode };
}

/** The arguments of a bisync with `--resync`. */
export function resyncWords({ words, mode }: ResyncWords): string[] {
  return [...words, "--resync", ...(mode === undefined ? [] : ["--resync-mode", mode])];
}

/** The arguments of a bisync, reduced to what copy and lsf understand. */
export function withoutBisync(given: readonly string[]): string[] {
  const words: string[] = [];
  for (let at = 0; at < given.length; at++) {
    const word = given[at] ?? "";
    const { name, value } = flagOf(word);
    if (name === "filters-file") words.push("--filter-from", value ?? given[++at] ?? "");
    else words.push(word);
  }
  return without(words, BISYNC_VALUES, BISYNC_SWITCHES);
}

/** Removes flags that take a value, with it, and flags that take none. */
function without(
  given: readonly string[],
  values: ReadonlySet<string>,
  switches: ReadonlySet<string> = new Set(),
): string[] {
  const words: string[] = [];
  for (let at = 0; at < given.length; at++) {
    const word = given[at] ?? "";
    const { name, value } = flagOf(word);
    if (name !== undefined && values.has(name)) at += value === undefined ? 1 : 0;
    else if (name === undefined || !switches.has(name)) words.push(word);
  }
  return words;
}

/** The arguments of any mode, reduced to what a command that only looks understands. */
const lookingWords = (words: readonly string[]): string[] =>
  without(withoutBisync(words), SYNC_VALUES, TALKING)
    .map((word) => (/^-[A-Za-z]*[Pi][A-Za-z]*$/.test(word) ? word.replace(/[Pi]/g, "") : word))
    .filter((word) => word !== "-");

/** `rclone lsf` for the files of one side, with the arguments of a bisync; `more` are words of lsf. */
export function listArgs(endpoint: string, words: readonly string[], more: readonly string[] = []): string[] {
  return ["lsf", "--recursive", "--files-only", "--use-json-log", ...more, endpoint, ...lookingWords(words)];
}

/** `rclone size` of what a sync with these arguments looks at, or could delete. */
export function sizeArgs(endpoint: string, words: readonly string[]): string[] {
  const looking = lookingWords(words);
  const ours = isOn(words, "delete-excluded") ? without(looking, FILTERS) : looking;
  return ["size", "--json", "--use-json-log", endpoint, ...ours];
}

/** Takes our own word out. `isAllowed`: did it stand there? */
export function withoutOurs(given: readonly string[]): { words: string[]; isAllowed: boolean } {
  const words = given.filter((word) => flagOf(word).name !== ALLOW_EMPTY_SOURCE);
  return { words, isAllowed: isOn(given, ALLOW_EMPTY_SOURCE) };
}

/** The value of a flag; the last one counts if it is given several times, as in rclone. */
export function valueOfFlag(words: readonly string[], flag: string): string | undefined {
  return words.reduce<string | undefined>((found, word, at) => {
    const { name, value } = flagOf(word);
    return name === flag ? (value ?? words[at + 1]) : found;
  }, undefined);
}

/** Is a switch on? `--flag`, `--flag=true`. */
export function isOn(words: readonly string[], flag: string): boolean {
  return words.reduce((on, word) => {
    const { name, value } = flagOf(word);
    return name === flag ? value === undefined || /^(1|t|true)$/i.test(value) : on;
  }, false);
}

/** Do the words keep rclone from changing anything? */
export const isDry = (words: readonly string[]): boolean =>
  isOn(words, "dry-run") || words.some((word) => /^-[A-Za-z]*n[A-Za-z]*$/.test(word));

/** Splits `--name=value`; a word that is not a long flag has no name. */
function flagOf(word: string): { name?: string; value?: string } {
  const [, name, value] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
  return { ...(name === undefined ? {} : { name }), ...(value === undefined ? {} : { value }) };
}
