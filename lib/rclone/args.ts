/**
 * The words of rclone's command lines. Pure. Flags as rclone 1.60 and 1.75 have them (`rclone bisync --help`).
 */

import type { Mode } from "./rows.ts";

/** Flags of bisync that copy does not know, and that take a value. `filters-file` has a sister; see copyWords. */
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
/** Those that take none. */
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

/** How rclone is asked to tell us of its work. */
export interface Telling {
  /** Seconds between its statistics; 0 for the last ones only. */
  readonly interval: number;
}

/** Longer than any call lasts: rclone prints its last statistics only when it was to print any at all. */
const NEVER_SECONDS = 365 * 24 * 3600;

/** `rclone <mode> <from> <to>`, with its log and its statistics as JSON; the operator's words come last and win. */
export function transferArgs(
  mode: Mode,
  from: string,
  to: string,
  words: readonly string[],
  { interval }: Telling,
): string[] {
  return [
    mode,
    from,
    to,
    "--use-json-log",
    "--stats",
    `${interval > 0 ? interval : NEVER_SECONDS}s`,
    // As an error they are told even where the operator's words say --quiet.
    "--stats-log-level",
    "ERROR",
    ...words,
  ];
}

export interface ResyncWords {
  readonly words: readonly string[];
  /** Which side wins a resync, where the operator has a wish (--resync-mode, since rclone 1.66). */
  readonly mode: string | undefined;
}

/**
 * Takes --resync out, in every way of writing it: a bisync that always resyncs propagates no deletion. Giving
 * --resync-mode means --resync too, so it is kept for the resyncs that we decide on.
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

/** The words of a bisync's `--resync`. */
export function resyncWords({ words, mode }: ResyncWords): string[] {
  return [...words, "--resync", ...(mode === undefined ? [] : ["--resync-mode", mode])];
}

/** The words of a bisync as copy and lsf understand them. */
export function withoutBisync(given: readonly string[]): string[] {
  const words: string[] = [];
  for (let at = 0; at < given.length; at++) {
    const word = given[at] ?? "";
    const { name, value } = flagOf(word);
    if (name === undefined) words.push(word);
    else if (name === "filters-file") words.push("--filter-from", value ?? given[++at] ?? "");
    else if (BISYNC_VALUES.has(name)) at += value === undefined ? 1 : 0;
    else if (!BISYNC_SWITCHES.has(name)) words.push(word);
  }
  return words;
}

/** `rclone lsf` for the files of one side, with the words of a bisync. */
export function listArgs(endpoint: string, words: readonly string[]): string[] {
  const ours = withoutBisync(words).filter((word) => flagOf(word).name !== "create-empty-src-dirs");
  return ["lsf", "--recursive", "--files-only", "--use-json-log", endpoint, ...ours];
}

/** The value of a flag that may be given several times: the last one counts, as for rclone. */
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

/** `--name=value` taken apart; a word that is no long flag has no name. */
function flagOf(word: string): { name?: string; value?: string } {
  const [, name, value] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
  return { ...(name === undefined ? {} : { name }), ...(value === undefined ? {} : { value }) };
}
