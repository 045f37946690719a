/**
 * Keeps secrets out of everything that is written. A secret is known by its value: whatever passes through a mask
 * loses the values of secret variables wherever they turn up, the passwords in URLs, and, for rclone, the credentials
 * in its words. Which names mean a secret stands in one list, SECRET_WORDS.
 */

import { readFileSync, statSync } from "node:fs";
import { type VariableName, variables } from "./config/variables.ts";
import type { Environment } from "./environment.ts";
import { decodePercent } from "./text.ts";

export interface Mask {
  (text: string): string;
  /** The longest secret in characters: code that cuts text must keep this much back. */
  readonly longest: number;
}

/** Reads a `_FILE` variable's file, for a caller that has read it already; undefined where it cannot be read. */
export type ReadFiles = Readonly<Record<string, () => string | undefined>>;

export const PLACEHOLDER = "***";
/** Shorter values ("1", "on", "restic") are too common in ordinary text to be replaced everywhere. */
const SHORTEST = 8;
/**
 * A password of a URL counts by its length as it is written there: decoded it may be shorter, and still not an ordinary
 * text, since something in it had to be encoded.
 */
const DECODED_SHORTEST = 4;
/** Bytes. Secret files hold a line or a key; a larger file that a variable names is something else. */
const FILE_MOST = 16_384;
/** Shorter parts of a webhook's path (`services`, `webhook`) are words; the longer ones make it secret. */
const TOKEN_SHORTEST = 16;

/**
 * Makes the mask of an environment. Reads the files that RESTIC_PASSWORD_FILE and its like name, except those that
 * `read` knows.
 */
export function createMask(env: Environment, read: ReadFiles = {}): Mask {
  const placeholders = new Map<string, string>();
  for (const [name, text] of Object.entries(env)) {
    if (!text) continue;
    for (const [secret, placeholder, shortest = SHORTEST] of secretsOfVariable(name, text, read[name])) {
      for (const form of formsOf(secret)) if (form.length >= shortest) placeholders.set(form, placeholder);
    }
  }
  const { replace, longest } = replacer(placeholders);
  return Object.assign((text: string) => maskUserinfo(replace(text)), { longest });
}

/** The same value without a secret in any of its strings, and without lone surrogates, which JSON cannot contain. */
export function masked<T>(value: T, mask: Mask): T {
  if (typeof value === "string") return mask(value).toWellFormed() as T;
  if (Array.isArray(value)) return value.map((each) => masked(each, mask)) as T;
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, masked(each, mask)])) as T;
}

/** Masks as maskRemote does, and hides the credentials in these words of rclone wherever they turn up. */
export function createRemoteMask(words: readonly string[]): (text: string) => string {
  const secrets = words.flatMap((word, at) => secretsOfWord(word, words[at + 1]));
  const long = secrets.filter((secret) => secret.length >= SHORTEST);
  const { replace } = replacer(new Map(long.map((secret) => [secret, PLACEHOLDER])));
  return (text) => maskRemote(replace(text));
}

/** Replaces the longest secrets first, so that one that contains another is replaced as a whole. */
function replacer(placeholders: ReadonlyMap<string, string>) {
  const ordered = [...placeholders].sort(([a], [b]) => b.length - a.length);
  const replace = (text: string): string => {
    let masked = text;
    for (const [secret, placeholder] of ordered) {
      if (masked.includes(secret)) masked = masked.replaceAll(secret, () => placeholder);
    }
    return masked;
  };
  return { replace, longest: ordered[0]?.[0].length ?? 0 };
}

/** ://user:password@, greedy to the last @ before a slash, since passwords may contain @ too. */
const USERINFO = /(:\/\/[^\s:@/?#]*):([^\s/?#]*)@/g;
/** The same in a repository, whose userinfo ends at the last @ of all: its password may contain slashes too. */
const REPOSITORY = /(:\/\/[^:@/]*):(.*)@/s;

/** `rest:https://user:secret@host/` → `rest:https://user:***@host/`. */
export function maskUserinfo(text: string): string {
  return text.includes("://") ? text.replace(USERINFO, `$1:${PLACEHOLDER}@`) : text;
}

/** A repository without its password, even when the password contains slashes. */
export function maskRepository(repository: string): string {
  return repository.replace(REPOSITORY, `$1:${PLACEHOLDER}@`);
}

/** HEALTHCHECKS_URL, and that of any worker; not the _FILE that may name it. */
export const isPingUrl = (name: string): boolean =>
  name.startsWith("HEALTHCHECKS_URL") && !name.endsWith("_FILE");

/** Does the variable hold a URL whose path is the secret? */
export const isWebhookName = (name: string): boolean => name === "WEBHOOK_URL" || isPingUrl(name);

/** A webhook's URL without everything after its host. */
export function maskWebhook(url: string): string {
  const origin = /^([a-z]+:\/\/)(?:[^/?#]*@)?([^/?#]*)/i.exec(url);
  return origin ? `${origin[1]}${origin[2]}/${PLACEHOLDER}` : PLACEHOLDER;
}

/**
 * An endpoint of rclone (`remote:path`, `:s3,secret_access_key=…:bucket`, or one with a URL in it), or a text with
 * endpoints and flags of rclone, without their credentials.
 */
export function maskRemote(text: string): string {
  return maskUserinfo(text.replace(CONNECTION, `$1${PLACEHOLDER}`).replace(OPTION, `$1${PLACEHOLDER}`));
}

/** Words of restic, or a command line, without the credentials in them: those of rclone, and what sshpass is given. */
export function maskCommand(text: string): string {
  return maskRemote(text)
    .replace(SSHPASS, `$1${PLACEHOLDER}`)
    .replace(ASSIGNMENT, (whole, name: string) =>
      isSecret(name) || isForeignSecret(name) ? `${name}=${PLACEHOLDER}` : whole,
    );
}

/** Is the value of this variable a secret? A `_FILE` variable holds a path, which is not secret. */
export function isSecret(name: string): boolean {
  if (isPingUrl(name)) return true;
  if (Object.hasOwn(variables, name)) {
    const declared = variables[name as VariableName];
    if ("secret" in declared) return true;
  }
  return SECRET_NAME.test(name) && !PATH_NAME.test(name);
}

/** May the value of this variable of restic, rclone or their libraries be a secret? Then doctor does not list it. */
export const isForeignSecret = (name: string): boolean => FOREIGN_NAME.test(name) && !name.endsWith("_FILE");

type Place = "within" | "end";

/**
 * The words by which a name says that its value is a secret, and where they must stand in it:
 * - variable: the name of any environment variable. Its value is replaced in every text, so the words are few;
 *   RCLONE_FTP_PASS, MYSQL_PWD and AZURE_ACCOUNT_SAS are no less secret than what run.md names. "end": after a `_`.
 * - foreign: the name of a variable that only passes through to restic and rclone, where doctor lists it.
 * - option: the name of an option of rclone (`rclone config providers`: IsPassword, and Sensitive except for names),
 *   in a connection string or a flag. It is always "within".
 */
const SECRET_WORDS: readonly { word: string; variable?: Place; foreign?: Place; option?: "within" }[] = [
  { word: "secret", variable: "within", foreign: "within", option: "within" },
  { word: "password", variable: "within" }, // "pass" covers it in the other two
  { word: "passphrase", variable: "within" },
  { word: "pass", variable: "end", foreign: "within", option: "within" },
  { word: "pwd", variable: "end" },
  { word: "key", variable: "end", foreign: "end", option: "within" },
  { word: "token", variable: "end", foreign: "within", option: "within" },
  { word: "sas", variable: "end", foreign: "end", option: "within" },
  { word: "credential", foreign: "within", option: "within" },
  { word: "header", foreign: "within", option: "within" },
  { word: "auth", foreign: "end", option: "within" },
  { word: "grant", option: "within" },
  { word: "cookie", option: "within" },
  { word: "otp", option: "within" },
];

const secretWords = (kind: "variable" | "foreign" | "option", place: Place): string =>
  SECRET_WORDS.filter((each) => each[kind] === place)
    .map(({ word }) => word)
    .join("|");

const SECRET_NAME = new RegExp(
  `${secretWords("variable", "within")}|_(${secretWords("variable", "end")})$`,
  "i",
);
/** PASSWORD_STORE_DIR and its like hold a path. */
const PATH_NAME = /_(FILE|DIR|PATH)$/i;
const FOREIGN_NAME = new RegExp(
  `${secretWords("foreign", "within")}|(${secretWords("foreign", "end")})$`.toUpperCase(),
);
const SECRET_OPTION = `[\\w-]*(?:${secretWords("option", "within")})[\\w-]*`;
/** `,secret_access_key=value` of a connection string; a quoted value contains its quotes doubled, and may be cut short. */
const CONNECTION = new RegExp(`(,${SECRET_OPTION}=)("(?:[^"]|"")*(?:"|$)|'(?:[^']|'')*(?:'|$)|[^,:]*)`, "gi");
/** `--s3-secret-access-key=value`, or with the value as the next word, in quotes where it contains blanks. */
const OPTION = new RegExp(`(--${SECRET_OPTION}(?:=|\\s+))(?!-)("[^"]*(?:"|$)|'[^']*(?:'|$)|\\S+)`, "gi");
/** The same as one whole word of a command line. */
const OPTION_WORD = new RegExp(`^--${SECRET_OPTION}(?:=(.*))?$`, "is");

/** `sshpass -p value`, `sshpass -pvalue`. */
const SSHPASS = /(\bsshpass\s+(?:-[vP]\S*\s+)*-p\s*)([^\s'"]+)/g;
/** `SSHPASS=value` in front of a command. */
const ASSIGNMENT = /\b([A-Z][A-Z0-9_]*)=([^\s'"]+)/g;

/** `shortest`: a form of the secret with fewer characters is not replaced. */
type Secrets = readonly (readonly [secret: string, placeholder: string, shortest?: number])[];

/** The secrets of one variable: its value, or what its file holds, and the passwords of its URLs. */
function secretsOfVariable(
  name: string,
  text: string,
  read: () => string | undefined = () => readSecret(text),
): Secrets {
  const about = name.replace(/_FILE$/, "");
  const secret = isSecret(about);
  const fromFile = about !== name && (secret || about.includes("REPOSITORY"));
  const value = fromFile ? (read() ?? "").trim() : text;
  const urls = value.includes("://") ? value.split(/\s+/).flatMap(secretsOfUrl) : [];
  if (about !== name && !fromFile) return urls;
  if (isWebhookName(about)) return [...secretsOfWebhook(value), ...urls];
  if (about.endsWith("_OPTIONS")) return [...secretsOfCommand(value), ...urls];
  if (about === "WEBHOOK_HEADER_AUTH")
    return [
      [value, PLACEHOLDER],
      [value.replace(/^\s*\w+\s+/, ""), PLACEHOLDER],
    ];
  return secret ? [[value, PLACEHOLDER], ...urls] : urls;
}

/** The values that maskCommand() hides. */
function secretsOfCommand(text: string): Secrets {
  const found = [SSHPASS, OPTION, CONNECTION].flatMap((pattern) =>
    [...text.matchAll(pattern)].map(([, , value = ""]) => unquoted(value)),
  );
  const assigned = [...text.matchAll(ASSIGNMENT)].filter(
    ([, name = ""]) => isSecret(name) || isForeignSecret(name),
  );
  return [...found, ...assigned.map(([, , value = ""]) => value)].map((value) => [value, PLACEHOLDER]);
}

/** Tools repeat only a part of the URL, or only the password, as written or decoded. */
function secretsOfUrl(url: string): Secrets {
  const [userinfo, user, password] = REPOSITORY.exec(url) ?? [];
  if (userinfo === undefined || !password) return [];
  const decoded = decodePercent(password).trim();
  return [
    [userinfo, `${user}:${PLACEHOLDER}@`],
    [password, PLACEHOLDER],
    [decoded, PLACEHOLDER, password.length < SHORTEST ? SHORTEST : DECODED_SHORTEST],
  ];
}

/** Everything after the host, as a webhook's path is what grants access, and each long part of it. */
function secretsOfWebhook(url: string): Secrets {
  const [, path = ""] = /^[a-z]+:\/\/[^/?#]*(.*)$/is.exec(url) ?? [];
  const tokens = path.split(/[/?&=#]/).filter((token) => token.length >= TOKEN_SHORTEST);
  return [
    [url, maskWebhook(url)],
    [path, `/${PLACEHOLDER}`],
    ...tokens.map((token) => [token, PLACEHOLDER] as const),
  ];
}

/** The credentials in one word of rclone's command line; `next` is the word after it. */
function secretsOfWord(word: string, next = ""): string[] {
  const option = OPTION_WORD.exec(word);
  // A flag that takes no value (--s3-env-auth) may precede another flag.
  const values = option === null ? [] : [option[1] ?? (next.startsWith("-") ? "" : next)];
  const connection = [...word.matchAll(CONNECTION)].map(([, , value = ""]) => unquoted(value));
  const passwords = [...word.matchAll(USERINFO)].map(([, , password = ""]) => password);
  return [...values, ...connection, ...passwords];
}

/** A value of a connection string without its quotes. */
function unquoted(value: string): string {
  const quote = value[0];
  if (quote !== "'" && quote !== '"') return value;
  return value.slice(1, value.endsWith(quote) ? -1 : undefined).replaceAll(quote + quote, () => quote);
}

/**
 * A secret as it may turn up: itself, in JSON (Go's, which restic writes, escapes <, > and & too), in a URL, in the
 * trace of a shell, and each of its lines (a PEM key is printed line by line).
 */
function formsOf(value: string): string[] {
  const secret = value.trim();
  const json = JSON.stringify(secret).slice(1, -1);
  const go = json.replace(/[<>&]/g, (sign) => `\\u00${sign.charCodeAt(0).toString(16)}`);
  const quoted = secret.replaceAll("'", "'\\''");
  const forms = [value, secret, json, go, encodeURIComponent(secret.toWellFormed()), quoted];
  return secret.includes("\n") ? [...forms, ...secret.split(/\r?\n/)] : forms;
}

function readSecret(path: string): string {
  try {
    // Only a regular file: reading a named pipe would wait for ever, and would take the secret away from restic.
    const stat = statSync(path);
    return stat.isFile() && stat.size <= FILE_MOST ? readFileSync(path, "utf8").trim() : "";
  } catch {
    // Its user reports a missing or unreadable secret file; there is nothing here to hide.
    return "";
  }
}
