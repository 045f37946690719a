/** Credentials that stand in the words of rclone: in endpoints, connection strings and flags. */

import { maskUserinfo } from "../mask.ts";

const VEIL = "***";
/** Shorter values stand in ordinary text too often to be replaced everywhere (run.md). */
const SHORTEST = 8;
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
    .flatMap((word, at) => secretsOf(word, words[at + 1]))
    .filter((value) => value.length >= SHORTEST);
  const ordered = [...new Set(secrets)].sort((a, b) => b.length - a.length);
  return (line) => {
    let masked = line;
    for (const secret of ordered) masked = masked.replaceAll(secret, () => VEIL);
    return maskRemote(masked);
  };
}

function secretsOf(word: string, next = ""): string[] {
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
