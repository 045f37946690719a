/**
 * The arguments of `restic backup`: how they are put together, what those of RESTIC_JOB_ARGS say about which paths are
 * read (the paths themselves, the lists of paths and of excludes, whether file systems are crossed), which of them make
 * restic read something else than was meant; and of the words for any command of restic, whether they make it a dry run or send
 * it to another repository. Pure.
 */

import type { Settings } from "../config/settings.ts";
import { ConfigError } from "../errors.ts";

export interface BackupWords {
  readonly tag: string;
  /** The host of the snapshot; undefined leaves it to restic. */
  readonly host: string | undefined;
  /** RESTIC_JOB_ARGS. */
  readonly jobArgs: readonly string[];
  /** What to back up in addition to what jobArgs names. */
  readonly roots: readonly string[];
  /** backup --dry-run. */
  readonly isDryRun?: boolean;
}

export function backupArgs({ tag, host, jobArgs, roots, isDryRun = false }: BackupWords): string[] {
  // After the operator's own `--` everything is a path already; a second one would be taken for a file.
  const dashes = roots.length === 0 || jobArgs.includes("--") ? [] : ["--"];
  return [
    "backup",
    "--json",
    "--tag",
    tag,
    ...(host ? ["--host", host] : []),
    ...(isDryRun ? ["--dry-run", ...jobArgs.filter((word) => !/^(--dry-run|-n)=/.test(word))] : jobArgs),
    ...dashes,
    ...roots,
  ];
}

/** Options that precede the command of every call: `--cacert FILE`. */
export function globalArgs(cacert: string | undefined): string[] {
  return cacert === undefined ? [] : ["--cacert", cacert];
}

/** Flags of `restic backup` that take the next argument as their value (restic's manual, 0.14 to 0.19). */
const TAKING = new Set(
  (
    "-e --exclude --exclude-file --exclude-if-present --exclude-larger-than --files-from --files-from-raw " +
    "--files-from-verbatim -g --group-by -H --host --iexclude --iexclude-file --parent --read-concurrency " +
    "--stdin-filename --tag --time --cacert --cache-dir --compression --http-user-agent --key-hint " +
    "--limit-download --limit-upload -o --option --pack-size --password-command -p --password-file -r --repo " +
    "--repository-file --retry-lock --stuck-request-timeout --tls-client-cert"
  ).split(" "),
);

/** Short flags that take a value: of `restic backup`, of `restic forget`, and of every command. */
const SHORT_TAKING = new Set("eglHdwmyopr");

interface Word {
  /** As restic's help names it: `--stdin`, `-n`. */
  readonly flag: string;
  /** What follows `=`, or the next word where the flag takes one. */
  readonly value: string | undefined;
}

/** The flags among the words, as pflag reads them: `-qn` is `-q -n`, `-en` is `-e n`, and after `--` there is none. */
export function readFlags(words: readonly string[]): Word[] {
  const found: Word[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word === "--") break;
    if (word.startsWith("--")) {
      const [flag = "", inline] = splitOnce(word);
      found.push({ flag, value: inline ?? (TAKING.has(flag) ? words[++at] : undefined) });
    } else if (word.startsWith("-") && word !== "-") {
      const { flags, isOpen } = readCluster(word.slice(1));
      found.push(...flags.slice(0, -1));
      const [last] = flags.slice(-1);
      if (last !== undefined) found.push(isOpen ? { ...last, value: words[++at] } : last);
    }
  }
  return found;
}

/** `isOpen`: the last of them takes the next word. */
function readCluster(letters: string): { flags: Word[]; isOpen: boolean } {
  const flags: Word[] = [];
  for (let at = 0; at < letters.length; at++) {
    const flag = `-${letters[at]}`;
    const rest = letters.slice(at + 1);
    const isTaking = SHORT_TAKING.has(letters[at] ?? "");
    if (!isTaking && !rest.startsWith("=")) {
      flags.push({ flag, value: undefined });
      continue;
    }
    flags.push({ flag, value: rest.replace(/^=/, "") || undefined });
    return { flags, isOpen: isTaking && rest === "" };
  }
  return { flags, isOpen: false };
}

/** Is the switch on? The last word that says something of it decides; `=false` turns it off (Go's ParseBool). */
function isOn(flags: readonly Word[], ...names: readonly string[]): boolean {
  const last = flags.findLast(({ flag }) => names.includes(flag));
  return last !== undefined && !/^(0|f|false)$/i.test(last.value ?? "");
}

/** Do the words make restic (or rclone, whose flag has the same names) change nothing? */
export const isDryRun = (words: readonly string[]): boolean => isOn(readFlags(words), "--dry-run", "-n");

/** Does restic save the output of a command? The words that are no flags are that command then, and no paths. */
export const savesCommand = (jobArgs: readonly string[]): boolean =>
  isOn(readFlags(jobArgs), "--stdin-from-command");

/** Names of standard input: restic's own, and the system's. */
const INPUT = /^(-|\/dev\/stdin|\/dev\/fd\/0|\/proc\/(self|thread-self)\/fd\/0)$/;

/** Why restic would read something else than was meant, or write elsewhere: a sentence with its remedy; undefined when it would not. */
export function misreading(jobArgs: readonly string[], roots: readonly string[]): string | undefined {
  const flags = readFlags(jobArgs);
  if (isOn(flags, "--stdin")) {
    return (
      "RESTIC_JOB_ARGS has --stdin, but a run gives restic no input, so that nothing would be saved. Take it out; have a " +
      "pre-backup hook write a file, or use --stdin-from-command (restic 0.17 and later)."
    );
  }
  const list = flags.find(({ flag, value = "" }) => flag.startsWith("--files-from") && INPUT.test(value));
  if (list !== undefined) {
    return (
      `RESTIC_JOB_ARGS has --files-from with ${list.value}, standard input, but a run gives restic no input. Name a file ` +
      "that holds the list."
    );
  }
  if (isOn(flags, "--stdin-from-command") && roots.length > 0) {
    return (
      `RESTIC_JOB_ARGS has --stdin-from-command, for which restic would take ${roots[0]} (BACKUP_ROOT_DIR) as an argument ` +
      "of that command and save nothing of it. Unset BACKUP_ROOT_DIR, or back up the command's output by a run of its own."
    );
  }
  return elsewhereText("RESTIC_JOB_ARGS", jobArgs);
}

/** Do the words, without any BACKUP_ROOT_DIR, name nothing to back up? Then the sentence that says so. */
export function nothingNamed(jobArgs: readonly string[]): string | undefined {
  const isNamed =
    savesCommand(jobArgs) ||
    pathsIn(jobArgs).length > 0 ||
    readFlags(jobArgs).some(({ flag }) => flag === "--stdin" || flag.startsWith("--files-from"));
  if (isNamed) return undefined;
  const also = jobArgs.length === 0 ? "" : "; RESTIC_JOB_ARGS names no source";
  return `There is nothing to back up${also}. Set BACKUP_ROOT_DIR, or RESTIC_JOB_ARGS with --files-from.`;
}

/** The paths among the arguments: those that are neither a flag nor the value of one. */
export function pathsIn(words: readonly string[]): string[] {
  if (savesCommand(words)) return [];
  const paths: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word === "--") return [...paths, ...words.slice(at + 1)];
    if (!word.startsWith("-") || word === "-") paths.push(word);
    else if (TAKING.has(word)) at++;
  }
  return paths;
}

/** Does the backup stay on the file system of each source? */
export function staysOnOneFileSystem(words: readonly string[]): boolean {
  const cut = words.indexOf("--");
  const flags = cut < 0 ? words : words.slice(0, cut);
  return flags.some((word) => word === "--one-file-system" || /^-[fnqvx]*x[fnqvx]*$/.test(word));
}

export interface NamedFile {
  /** As given: `--files-from`. */
  readonly flag: string;
  readonly path: string;
}

const FLAGS = [
  "--files-from",
  "--files-from-verbatim",
  "--files-from-raw",
  "--exclude-file",
  "--iexclude-file",
];

/** The lists and exclude files, in order. `-` is standard input, not a file; arguments after `--` are paths. */
export function namedFiles(words: readonly string[]): NamedFile[] {
  const found: NamedFile[] = [];
  for (let at = 0; at < words.length && words[at] !== "--"; at++) {
    const [word = "", inline] = splitOnce(words[at] ?? "");
    if (!FLAGS.includes(word)) continue;
    const path = inline ?? words[++at];
    if (path !== undefined && path !== "-") found.push({ flag: word, path });
  }
  return found;
}

function splitOnce(word: string): [string, string?] {
  const equals = word.indexOf("=");
  return equals < 0 ? [word] : [word.slice(0, equals), word.slice(equals + 1)];
}

/** Flags that would send restic to another repository than the record, the lock and the alerts speak of. */
export const ELSEWHERE: Readonly<Record<string, string>> = {
  "--repo": "Name the repository in RESTIC_REPOSITORY.",
  "--repository-file": "Name the file in RESTIC_REPOSITORY_FILE.",
  "--password-file": "Name the file in RESTIC_PASSWORD_FILE.",
  "--password-command": "Give the command in RESTIC_PASSWORD_COMMAND.",
};

export const LONG_ELSEWHERE: Readonly<Record<string, string>> = { "-r": "--repo", "-p": "--password-file" };

/**
 * Variables with words for one command of restic. Those of RESTIC_JOB_ARGS are judged by misreading(), and
 * RESTIC_FORGET_ARGS is read as a policy.
 */
export const RESTIC_ARGS = ["RESTIC_CHECK_ARGS", "RESTIC_PRUNE_ARGS", "RESTIC_INIT_ARGS"] as const;

/** Why the words of such a variable are refused: they would send restic elsewhere. undefined where they would not. */
export function elsewhereText(name: string, words: readonly string[]): string | undefined {
  for (const { flag } of readFlags(words)) {
    const remedy = ELSEWHERE[LONG_ELSEWHERE[flag] ?? flag];
    if (remedy !== undefined) return `${name}: ${flag} has no place there. ${remedy}`;
  }
  return undefined;
}

/** The words of such a variable. Throws a ConfigError where they would send restic elsewhere. */
export function commandWords(settings: Settings, name: (typeof RESTIC_ARGS)[number]): string[] {
  const words = settings.words(name);
  if (words.length === 0) return words;
  const problem = elsewhereText(name, words);
  if (problem !== undefined) throw new ConfigError(problem);
  return words;
}
