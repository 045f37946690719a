/**
 * Keeps secrets out of everything that is written. A secret is known by its value: whatever passes through
 * here loses the values of secret variables, wherever they turn up, and the passwords inside URLs.
 */

import { readFileSync, statSync } from "node:fs";
import { type VariableName, variables } from "./config/variables.ts";
import type { Environment } from "./environment.ts";
import { decodePercent } from "./text.ts";

export interface Mask {
  (text: string): string;
  /** The longest secret in characters: who cuts text must keep this much back. */
  readonly longest: number;
}

/** Shorter values ("1", "on", "restic") stand in ordinary text too often to be replaced everywhere. */
const SHORTEST = 8;
/** Secret files hold a line or a key; a larger file that a variable names is something else. */
const FILE_MOST = 16_384;
/** Shorter parts of a webhook's path (`services`, `webhook`) are words; what is longer is what makes it secret. */
const TOKEN_SHORTEST = 16;
const VEIL = "***";

/** RCLONE_FTP_PASS, MYSQL_PWD and AZURE_ACCOUNT_SAS are no less secret than what run.md names. */
const SECRET_NAME = /SECRET|PASSWORD|PASSPHRASE|_(KEY|TOKEN|PASS|PWD|SAS)$/i;
/** PASSWORD_STORE_DIR and its like hold a path. */
const PATH_NAME = /_(FILE|DIR|PATH)$/i;
/** ://user:password@ — greedy to the last @ before a slash, since passwords hold @ as well. */
const USERINFO = /(:\/\/[^\s:@/?#]*):[^\s/?#]*@/g;
/** The same of a repository, which ends at its last @: its password may hold slashes too. */
const REPOSITORY = /(:\/\/[^:@/]*):(.*)@/s;

/** `rest:https://user:secret@host/` → `rest:https://user:***@host/`. */
export function maskUserinfo(text: string): string {
  return text.includes("://") ? text.replace(USERINFO, `$1:${VEIL}@`) : text;
}

/** A repository without its password, even when the password holds slashes. */
export function maskRepository(repository: string): string {
  return repository.replace(REPOSITORY, `$1:${VEIL}@`);
}

/** A webhook without all that follows its host. */
export function maskWebhook(url: string): string {
  const origin = /^([a-z]+:\/\/)(?:[^/?#]*@)?([^/?#]*)/i.exec(url);
  return origin ? `${origin[1]}${origin[2]}/${VEIL}` : VEIL;
}

/** What a `_FILE` variable's file holds, for who has read it already; undefined where it cannot be read. */
export type ReadFiles = Readonly<Record<string, () => string | undefined>>;

/**
 * Makes the mask for one environment. Reads the files that RESTIC_PASSWORD_FILE and its like name, but for those that
 * `read` knows.
 */
export function createMask(env: Environment, read: ReadFiles = {}): Mask {
  const veils = new Map<string, string>();
  const hide = (secret: string, veil: string) => {
    for (const form of formsOf(secret)) if (form.length >= SHORTEST) veils.set(form, veil);
  };
  for (const [name, text] of Object.entries(env)) {
    if (text) for (const [secret, veil] of secretsOf(name, text, read[name])) hide(secret, veil);
  }
  // The longest first, so that a secret that holds another goes as a whole.
  const ordered = [...veils].sort(([a], [b]) => b.length - a.length);
  const mask = (text: string): string => {
    let masked = text;
    for (const [secret, veil] of ordered) {
      if (masked.includes(secret)) masked = masked.replaceAll(secret, () => veil);
    }
    return maskUserinfo(masked);
  };
  return Object.assign(mask, { longest: ordered[0]?.[0].length ?? 0 });
}

/** Is the value of this variable a secret? A `_FILE` variable holds a path, which is none. */
export function isSecret(name: string): boolean {
  if (Object.hasOwn(variables, name)) {
    const declared = variables[name as VariableName];
    if ("secret" in declared) return true;
  }
  return SECRET_NAME.test(name) && !PATH_NAME.test(name);
}

type Veiled = readonly (readonly [secret: string, veil: string])[];

/** What one variable hides: its value, or what its file holds, and the passwords of its URLs. */
function secretsOf(
  name: string,
  text: string,
  read: () => string | undefined = () => secretIn(text),
): Veiled {
  const about = name.replace(/_FILE$/, "");
  const secret = isSecret(about);
  const fromFile = about !== name && (secret || about.includes("REPOSITORY"));
  const value = fromFile ? (read() ?? "").trim() : text;
  const urls = value.includes("://") ? value.split(/\s+/).flatMap(secretsOfUrl) : [];
  if (about !== name && !fromFile) return urls;
  if (about === "WEBHOOK_URL" || about === "HEALTHCHECKS_URL") return [...secretsOfWebhook(value), ...urls];
  if (about === "WEBHOOK_HEADER_AUTH")
    return [
      [value, VEIL],
      [value.replace(/^\s*\w+\s+/, ""), VEIL],
    ];
  return secret ? [[value, VEIL], ...urls] : urls;
}

/** Tools repeat a part of the URL only, or the password alone, as it stands or decoded. */
function secretsOfUrl(url: string): Veiled {
  const [userinfo, user, password] = REPOSITORY.exec(url) ?? [];
  if (userinfo === undefined || !password) return [];
  return [
    [userinfo, `${user}:${VEIL}@`],
    [password, VEIL],
    [decodePercent(password), VEIL],
  ];
}

/** All that follows the host: the path of a webhook is what lets one in, and each long word of it by itself. */
function secretsOfWebhook(url: string): Veiled {
  const [, path = ""] = /^[a-z]+:\/\/[^/?#]*(.*)$/is.exec(url) ?? [];
  const tokens = path.split(/[/?&=#]/).filter((token) => token.length >= TOKEN_SHORTEST);
  return [[url, maskWebhook(url)], [path, `/${VEIL}`], ...tokens.map((token) => [token, VEIL] as const)];
}

/**
 * A secret as it may turn up: itself, in JSON (Go's, which restic speaks, hides <, > and & as well), in a URL, in
 * the trace of a shell, and each of its lines (a PEM key is printed line by line).
 */
function formsOf(value: string): string[] {
  const secret = value.trim();
  const json = JSON.stringify(secret).slice(1, -1);
  const go = json.replace(/[<>&]/g, (sign) => `\\u00${sign.charCodeAt(0).toString(16)}`);
  const quoted = secret.replaceAll("'", "'\\''");
  const forms = [value, secret, json, go, encodeURIComponent(secret.toWellFormed()), quoted];
  return secret.includes("\n") ? [...forms, ...secret.split(/\r?\n/)] : forms;
}

function secretIn(path: string): string {
  try {
    // Only a plain file: reading a named pipe would wait for ever, and would take the secret from restic.
    const stat = statSync(path);
    return stat.isFile() && stat.size <= FILE_MOST ? readFileSync(path, "utf8").trim() : "";
  } catch {
    // A missing or unreadable secret file is reported by who needs it; there is nothing here to hide.
    return "";
  }
}

/** Names of rclone's options that hold credentials (`rclone config providers`: IsPassword, and Sensitive but for names). */
const SECRET_OPTION = "[\\w-]*(?:pass|secret|key|token|credential|auth|grant|cookie|header|sas|otp)[\\w-]*";
/** `,secret_access_key=value` of a connection string; a value in quotes holds them doubled, and may be cut short. */
const CONNECTION = new RegExp(`(,${SECRET_OPTION}=)("(?:[^"]|"")*(?:"|$)|'(?:[^']|'')*(?:'|$)|[^,:]*)`, "gi");
/** `--s3-secret-access-key=value`, or with the value as the next word, in quotes where it holds blanks. */
const OPTION = new RegExp(`(--${SECRET_OPTION}(?:=|\\s+))(?!-)("[^"]*(?:"|$)|'[^']*(?:'|$)|\\S+)`, "gi");
/** The same as one of rclone's words, whole. */
const OPTION_WORD = new RegExp(`^--${SECRET_OPTION}(?:=(.*))?$`, "is");
/** The password of a URL, to the last @ before a slash. */
const URL_PASSWORD = /:\/\/[^\s:@/?#]*:([^\s/?#]*)@/g;

/**
 * An endpoint of rclone (`remote:path`, `:s3,secret_access_key=…:bucket`, a URL in it), or a text that holds
 * endpoints and flags of rclone, without the credentials that they name.
 */
export function maskRemote(text: string): string {
  return maskUserinfo(text.replace(CONNECTION, `$1${VEIL}`).replace(OPTION, `$1${VEIL}`));
}

/** Masks as maskRemote does, and hides the credentials that stand in these words wherever they turn up. */
export function createRemoteMask(words: readonly string[]): (text: string) => string {
  const secrets = words
    .flatMap((word, at) => secretsOfWord(word, words[at + 1]))
    .filter((value) => value.length >= SHORTEST);
  const ordered = [...new Set(secrets)].sort((a, b) => b.length - a.length);
  return (line) => {
    let masked = line;
    for (const secret of ordered) masked = masked.replaceAll(secret, () => VEIL);
    return maskRemote(masked);
  };
}

function secretsOfWord(word: string, next = ""): string[] {
  const option = OPTION_WORD.exec(word);
  const connection = [...word.matchAll(CONNECTION)].map(([, , value = ""]) => unquoted(value));
  const urls = [...word.matchAll(URL_PASSWORD)].map(([, password = ""]) => password);
  // A flag that needs no value (--s3-env-auth) may stand before another one.
  const own = option === null ? [] : [option[1] ?? (next.startsWith("-") ? "" : next)];
  return [...own, ...connection, ...urls];
}

/** A value of a connection string without the quotes around it. */
function unquoted(value: string): string {
  const quote = value[0];
  if (quote !== "'" && quote !== '"') return value;
  return value.slice(1, value.endsWith(quote) ? -1 : undefined).replaceAll(quote + quote, () => quote);
}

/** The same value without a secret in any of its strings, and without lone surrogates, which are no JSON. */
export function masked<T>(value: T, mask: Mask): T {
  if (typeof value === "string") return mask(value).toWellFormed() as T;
  if (Array.isArray(value)) return value.map((each) => masked(each, mask)) as T;
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, masked(each, mask)])) as T;
}
