/**
 * Keeps secrets out of everything that is written. A secret is known by its value: whatever passes through
 * here loses the values of secret variables, wherever they turn up, and the passwords inside URLs.
 */

import { readFileSync, statSync } from "node:fs";
import { type VariableName, variables } from "./config/variables.ts";
import type { Environment } from "./environment.ts";

export interface Mask {
  (text: string): string;
  /** The longest secret in characters: who cuts text must keep this much back. */
  readonly longest: number;
}

/** Shorter values ("1", "on", "restic") stand in ordinary text too often to be replaced everywhere. */
const SHORTEST = 8;
/** Secret files hold a line or a key; a larger file that a variable names is something else. */
const FILE_MOST = 16_384;
const VEIL = "***";

const SECRET_NAME = /SECRET|PASSWORD|_KEY$|_TOKEN$|_PASS$/;
const SECRET_FILE = /(SECRET|PASSWORD|_KEY|_TOKEN).*_FILE$/;
/** Names of rclone's options that hold credentials (`rclone config providers`: IsPassword, and Sensitive but for names). */
const SECRET_OPTION = "[\\w-]*(?:pass|secret|key|token|credential|auth|grant|cookie|header|sas|otp)[\\w-]*";
/** `,secret_access_key=value` of a connection string; a value in quotes holds them doubled. */
const CONNECTION = new RegExp(`(,${SECRET_OPTION}=)("(?:[^"]|"")*"|'(?:[^']|'')*'|[^,:]*)`, "gi");
/** `--s3-secret-access-key=value`, or with the value as the next word. */
const OPTION = new RegExp(`(--${SECRET_OPTION}(?:=|\\s+))(?!-)(\\S+)`, "gi");
/** scheme://user:password@ — greedy to the last @ before a slash, since passwords hold @ as well. */
const USERINFO = /([a-z][a-z0-9+.-]*:\/\/[^\s:@/?#]*):[^\s/?#]*@/gi;

/** `rest:https://user:secret@host/` → `rest:https://user:***@host/`. */
export function maskUserinfo(text: string): string {
  return text.includes("://") ? text.replace(USERINFO, `$1:${VEIL}@`) : text;
}

/**
 * A repository without its password, even when the password holds slashes: the userinfo of a repository
 * ends at its last @.
 */
export function maskRepository(repository: string): string {
  return repository.replace(/(:\/\/[^:@/]*):.*@/s, `$1:${VEIL}@`);
}

/**
 * An endpoint of rclone (`remote:path`, `:s3,secret_access_key=…:bucket`, a URL in it), or a text that holds
 * endpoints and flags of rclone, without the credentials that they name.
 */
export function maskRemote(text: string): string {
  return maskUserinfo(text.replace(CONNECTION, `$1${VEIL}`).replace(OPTION, `$1${VEIL}`));
}

/** Masks as maskRemote does, and hides the credentials that stand in these words wherever they turn up. */
export function createRemoteMask(words: readonly string[]): (text: string) => string {
  const text = words.join(" ");
  const found = [CONNECTION, OPTION].flatMap((each) =>
    [...text.matchAll(each)].map(([, , value = ""]) => value),
  );
  const secrets = found.map(unquoted).filter((value) => value.length >= SHORTEST);
  const ordered = [...new Set(secrets)].sort((a, b) => b.length - a.length);
  return (line) => {
    let masked = line;
    for (const secret of ordered) masked = masked.replaceAll(secret, () => VEIL);
    return maskRemote(masked);
  };
}

/** A value of a connection string without the quotes around it. */
function unquoted(value: string): string {
  const quote = value[0];
  if (quote !== "'" && quote !== '"') return value;
  return value.slice(1, -1).replaceAll(quote + quote, () => quote);
}

/** A webhook without all that follows its host. */
export function maskWebhook(url: string): string {
  const origin = /^([a-z]+:\/\/)(?:[^/?#]*@)?([^/?#]*)/i.exec(url);
  return origin ? `${origin[1]}${origin[2]}/${VEIL}` : VEIL;
}

/** Makes the mask for one environment. Reads the files that *_PASSWORD_FILE and its like name. */
export function createMask(env: Environment): Mask {
  const veils = new Map<string, string>();
  const hide = (value: string, veil: string) => {
    for (const form of formsOf(value)) if (form.length >= SHORTEST) veils.set(form, veil);
  };
  for (const [name, value] of Object.entries(env)) {
    if (!value) continue;
    if (isWebhook(name)) hide(value, maskWebhook(value));
    else if (SECRET_FILE.test(name)) hide(secretIn(value), VEIL);
    else if (isSecret(name)) hide(value, VEIL);
    if (value.includes("://") && value.includes("@")) {
      const masked = maskRepository(value);
      if (masked !== value) hide(value, masked);
    }
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
  return SECRET_NAME.test(name) && !name.endsWith("_FILE");
}

function isWebhook(name: string): boolean {
  return name === "WEBHOOK_URL" || name === "HEALTHCHECKS_URL";
}

/** A secret as it may turn up: itself, inside JSON, and each of its lines (a PEM key is printed line by line). */
function formsOf(value: string): string[] {
  const trimmed = value.trim();
  const forms = [value, trimmed, JSON.stringify(trimmed).slice(1, -1)];
  return trimmed.includes("\n") ? [...forms, ...trimmed.split(/\r?\n/)] : forms;
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
