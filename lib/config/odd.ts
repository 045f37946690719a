/**
 * Values that can hardly be what was meant: in quotes, which compose's list syntax and `docker run --env-file` keep; with
 * blanks around them; a folder in place of a file; several paths in one line. config-check, doctor and entry say so, and a
 * run refuses what cannot work, all by `oddities`. No message repeats a value that may be secret.
 */

import { existsSync } from "node:fs";
import type { Environment } from "../environment.ts";
import { ConfigError } from "../errors.ts";
import { isKnownSilent } from "../files/mounts.ts";
import { plural } from "../text.ts";
import { quoteWord, splitWords, UnbalancedQuote } from "../words.ts";
import { FILE_NAMES, isFolder } from "./settings.ts";
import { declarations, type Kind, type VariableName } from "./variables.ts";

export interface Oddity {
  readonly name: string;
  /** The rest of a sentence that begins with the name. */
  readonly message: string;
  /** Can it not work? Then config-check fails. */
  readonly fails: boolean;
  /** Would every run fail by it, or do something else than was meant? */
  readonly isRefused: boolean;
}

/** Variables of others that we hand on, by the kind of repository that reads them. */
const CLOUDS: readonly (readonly [RegExp, string])[] = [
  [/^AWS_/, "s3:"],
  [/^B2_/, "b2:"],
  [/^AZURE_/, "azure:"],
  [/^GOOGLE_/, "gs:"],
  [/^(OS|ST|SWIFT)_/, "swift:"],
  [/^RCLONE_/, "rclone:"],
  [/^RESTIC_REST_/, "rest:"],
];
/** Names that are derived from a worker or a phase, or that restic reads and we do not declare. */
const OURS = /^(RESTIC|HOOK_TIMEOUT|HEALTHCHECKS_URL|MSMTPRC|[A-Z_]+_(TIMEOUT|CRON)$)/;
/** No path, URL, address or keyword has quotes or blanks around it. */
const PLAIN =
  /(_FILE|_DIR|_URL|_CRON|_SCOPE|_TARGET)$|^(RESTORE_TEST_(ID|PATH)|HEALTHCHECKS_URL_.+|RESTIC_CACERT|RESTIC_COMPRESSION|MAILX_RCPT|RCLONE_CONFIG|TMPDIR)$/;
/** What every run needs. A channel that cannot send, or another worker's file, is no reason to make no backup. */
const NEEDED = /^(RESTIC_|BACKUP_ROOT_DIR$|(LOG|LOCK|HOOKS)_DIR$|TMPDIR$)/;
/** A URL is read without the blanks around it. */
const TRIMMED = /_URL(_[A-Z_]+)?$/;

const QUOTED = /^(?:"([^"]*)"|'([^']*)'|[“”‘’]([^“”‘’]*)[“”‘’])$/;

export function oddities(env: Environment): Oddity[] {
  const own = Object.keys(env)
    .sort()
    .flatMap((name) => judge(name, env[name] ?? "", env));
  const unset = Object.entries(declarations).flatMap(([name, { fallback }]) =>
    env[name] || fallback === undefined || !FILE_NAMES.test(name) ? [] : judgeFile(name, fallback),
  );
  return [...own, ...unset];
}

/** Throws a ConfigError for what no run can work with. */
export function refuseOddities(env: Environment): void {
  const refused = oddities(env).filter(({ isRefused }) => isRefused);
  if (refused.length === 0) return;
  throw new ConfigError(refused.map(({ name, message }) => `${name} ${message}`).join(" "));
}

function judge(name: string, value: string, env: Environment): Oddity[] {
  const kind = kindOf(name);
  // The repository has a judge of its own (lib/restic/place.ts).
  if (value === "" || kind === undefined || name === "RESTIC_REPOSITORY") return [];
  if (name === "BACKUP_ROOT_DIR") return judgeRoots(value);
  const around = kind === "words" ? judgeWords(name, value) : judgeAround(name, value, kind, env);
  return around.length > 0 || !FILE_NAMES.test(name) ? around : judgeFile(name, value);
}

function kindOf(name: string): Kind | undefined {
  if (Object.hasOwn(declarations, name)) return declarations[name as VariableName].kind;
  const own = name.replace(/_FILE$/, "");
  if (Object.hasOwn(declarations, own) && own !== name) return "text";
  return OURS.test(name) || FILE_NAMES.test(name) || CLOUDS.some(([names]) => names.test(name))
    ? "text"
    : undefined;
}

function judgeAround(name: string, value: string, kind: Kind, env: Environment): Oddity[] {
  const isQuoted = QUOTED.test(value.trim());
  const isBlank = value.trim() !== value && value.trim() !== "";
  // A block of YAML ends with a newline, which a list of lines may do.
  const isBlock = (kind === "lines" || kind === "cron") && value.trimEnd() === value.replace(/\n$/, "");
  if (!isQuoted && (!isBlank || isBlock)) return [];
  const isNumber = kind === "count" || kind === "seconds";
  const cloud = CLOUDS.find(([names]) => names.test(name))?.[1];
  const isUsed = cloud !== undefined && (env.RESTIC_REPOSITORY ?? "").startsWith(cloud);
  const isCommand = /_COMMAND$/.test(name) && isQuoted;
  const isPlain =
    cloud === undefined && PLAIN.test(name) && (isQuoted || !(TRIMMED.test(name) || kind === "cron"));
  const fails = isPlain || isUsed || isCommand || (isNumber && isQuoted);
  const what = isQuoted ? quoted(kind) : blanks(kind);
  return [{ name, message: what, fails, isRefused: fails && !isNumber && (isUsed || NEEDED.test(name)) }];
}

const quoted = (kind: Kind): string =>
  kind === "switch" || kind === "choice"
    ? "is in quotes, which belong to the value, so that its default is used. Take them out."
    : "is in quotes, which belong to the value: no shell takes them off in compose's list syntax and in an --env-file. " +
      "Take them out.";

const blanks = (kind: Kind): string =>
  kind === "text"
    ? "has blanks, tabs or a CR around it, which belong to the value. Take them out."
    : "has blanks, tabs or a CR around it. Take them out.";

/** Words are read as a shell reads them, so that quotes are right around one word, and wrong around several. */
function judgeWords(name: string, value: string): Oddity[] {
  const odd = (message: string, fails: boolean) => [
    { name, message, fails, isRefused: fails && NEEDED.test(name) },
  ];
  if (/\r\s*$/.test(value))
    return odd("ends with a CR, which belongs to its last word. Save its file with LF.", true);
  if (!QUOTED.test(value.trim())) return [];
  const [word = "", ...others] = wordsOf(value);
  if (others.length > 0) return [];
  if (word === "") return odd("is two quotes, an empty word. Unset it.", true);
  const isOne = !/\s/.test(word);
  if (isOne) return odd("is in quotes, which it does not need. Take them out.", false);
  return word.startsWith("-")
    ? odd("is in quotes, so that all of it is one word. Take the outer quotes out.", true)
    : [];
}

function wordsOf(value: string): string[] {
  try {
    return splitWords(value);
  } catch (error) {
    // It has a check of its own.
    if (error instanceof UnbalancedQuote) return [];
    throw error;
  }
}

function judgeFile(name: string, path: string): Oddity[] {
  return isFolder(path)
    ? [{ name, message: folderText(path), fails: true, isRefused: NEEDED.test(name) }]
    : [];
}

export const folderText = (path: string): string =>
  `${path} is a folder: docker makes one where the file to mount is missing. Put the file there on the host, and start ` +
  "the container anew.";

/** Only such a line is looked for: the source may lie on a network that has died, and would never answer. */
const ODD_ROOT = /^[\s"'“‘]|[\s"'”’]$|[\s,;:]\//;

/** BACKUP_ROOT_DIR, line by line. A path that is there is what was meant, however it looks. */
function judgeRoots(value: string): Oddity[] {
  return value.split(/\r?\n|\r$/).flatMap((line) => {
    const message = line.trim() === "" || !ODD_ROOT.test(line) || isThere(line) ? undefined : rootText(line);
    return message === undefined ? [] : [{ name: "BACKUP_ROOT_DIR", message, fails: true, isRefused: true }];
  });
}

function isThere(path: string): boolean {
  return !isKnownSilent(path) && existsSync(path);
}

function rootText(line: string): string | undefined {
  const bare = line.trim();
  if (QUOTED.test(bare)) return `has the path ${bare}, whose quotes belong to it. Take them out.`;
  const parts = bare.split(/[\s,;:]+(?=\/)/);
  if (parts.length > 1 && parts.some((part) => isThere(part)))
    return `has ${plural(parts.length, "path")} in one line: ${quoteWord(bare)}. Write each on a line of its own.`;
  if (bare !== line) return `has blanks around the path ${bare}, which belong to it. Take them out.`;
  return undefined;
}
