/**
 * Keeps secrets out of everything that is written. A secret is known by its value: whatever passes through a mask
 * loses the values of secret variables wherever they turn up, the passwords in URLs, and, for rclone, the credentials
 * in its words. Which names mean a secret stands in one list, SECRET_WORDS.
 */

import { readFileSync, statSync } from "node:fs";
import { type VariableName, variables } from "./config/variables.ts";
import type { Environment } from "./environment.ts";
import { demandAnswer, silent } from "./files/mounts.ts";
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
  const secrets: Secret[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!text) continue;
    for (const [secret, placeholder, shortest = SHORTEST] of secretsOfVariable(name, text, read[name])) {
      if (secret.length >= shortest) secrets.push([secret, placeholder]);
      for (const line of linesOf(secret)) if (line.length >= SHORTEST) secrets.push([line, placeholder]);
    }
  }
  const replacers = KINDS.map(({ formsOf, patternOf, isIn }) => ({
    isIn,
    ...createReplacer(secrets, formsOf, patternOf),
  }));
  const mask = (text: string): string => {
    let masked = text;
    for (const { isIn, replace } of replacers) if (isIn(masked)) masked = replace(masked);
    return maskUrls(masked);
  };
  let longest: number | undefined;
  return Object.defineProperty(mask, "longest", {
    get: () => {
      longest ??= secrets.reduce((most, [secret]) => Math.max(most, longestForm(secret)), 0);
      return longest;
    },
  }) as Mask;
}

/** A secret of several lines (a PEM key) is printed line by line. */
const linesOf = (secret: string): string[] =>
  secret.trim().includes("\n") ? secret.trim().split(/\r?\n/) : [];

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
  const { replace } = createReplacer(
    secrets.filter(({ length }) => length >= SHORTEST).map((secret) => [secret, PLACEHOLDER]),
    (secret) => [secret],
  );
  return (text) => maskRemote(replace(text));
}

type Secret = readonly [secret: string, placeholder: string];

/** Characters. To compile a regular expression takes longer than to look for each form in a shorter text. */
const SHORT_TEXT = 2048;

/**
 * Replaces the secrets in one kind of form, longer secrets first, so that one that contains another is replaced as a
 * whole. Prepared when a text first needs it: most ticks print nothing that could hold the rarer forms. In a long text
 * all are looked for at once, at 12 GB/s however many they are (measured). `patternOf`: of a kind that has too many
 * forms to be listed.
 */
function createReplacer(
  secrets: readonly Secret[],
  formsOf: (secret: string) => readonly string[],
  patternOf?: (form: string) => string,
): { replace: (text: string) => string } {
  let forms: readonly Secret[] | undefined;
  let patterns: { readonly any: RegExp; readonly each: readonly (readonly [RegExp, string])[] } | undefined;
  const prepare = (): readonly Secret[] =>
    [...new Map(secrets)]
      .sort(([a], [b]) => b.length - a.length)
      .flatMap(([secret, placeholder]) => formsOf(secret).map((form) => [form, placeholder] as const));
  const compile = (of: readonly Secret[], toPattern: (form: string) => string) => ({
    any: new RegExp(of.map(([form]) => toPattern(form)).join("|")),
    each: of.map(([form, placeholder]) => [new RegExp(toPattern(form), "g"), placeholder] as const),
  });
  const replace = (text: string): string => {
    forms ??= prepare();
    if (forms.length === 0) return text;
    let masked = text;
    if (patternOf === undefined && text.length <= SHORT_TEXT) {
      for (const [form, placeholder] of forms)
        if (masked.includes(form)) masked = masked.replaceAll(form, () => placeholder);
      return masked;
    }
    patterns ??= compile(forms, patternOf ?? escaped);
    if (!patterns.any.test(text)) return text;
    for (const [pattern, placeholder] of patterns.each) masked = masked.replace(pattern, () => placeholder);
    return masked;
  };
  return { replace };
}

/** A text as a pattern that matches it alone. */
const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");

/** ://user:password@, greedy to the last @ before a slash, since passwords may contain @ too. */
const USERINFO = /(:\/\/[^\s:@/?#]*):([^\s/?#]*)@/g;
/** The same in a repository, whose userinfo ends at the last @ of all: its password may contain slashes too. */
const REPOSITORY = /(:\/\/[^:@/]*):(.*)@/s;

/** A token in the place of a user name, as Git hosts have it; shorter ones are names. */
const BARE_TOKEN = /(https?:\/\/)[^\s:@/?#]{16,}@/gi;
/** `rest:user:password@host`: a scheme was forgotten, and restic repeats it all. */
const NO_SCHEME = /^(rest:[^:@/]*):([^/]*)@/;

/** `https://user:secret@host/?token=secret` → `https://user:***@host/?token=***`, wherever URLs stand in the text. */
export function maskUrls(text: string): string {
  if (!text.includes("://")) return text;
  return text
    .replace(USERINFO, `$1:${PLACEHOLDER}@`)
    .replace(BARE_TOKEN, `$1${PLACEHOLDER}@`)
    .replace(QUERY, `$1${PLACEHOLDER}`);
}

/** A repository without its credentials, even when the password contains slashes, or rclone has them in its words. */
export function maskRepository(repository: string): string {
  return maskRemote(
    repository.replace(REPOSITORY, `$1:${PLACEHOLDER}@`).replace(NO_SCHEME, `$1:${PLACEHOLDER}@`),
  );
}

/** HEALTHCHECKS_URL, and that of any worker; not the _FILE that may name it. */
export const isPingUrl = (name: string): boolean =>
  name.startsWith("HEALTHCHECKS_URL") && !name.endsWith("_FILE");

/** Does the variable hold URLs whose path is the secret: those of webhooks, pings and chat services? */
export const isWebhookName = (name: string): boolean => isPingUrl(name) || WEBHOOK_NAME.test(name);

/** URLs of webhooks without everything after their hosts; of another scheme than http nothing, as its host is a token. */
export function maskWebhook(urls: string): string {
  const mask = (url: string) => {
    const origin = /^(https?:\/\/)(?:[^/?#]*@)?([^/?#]*)/i.exec(url);
    if (origin !== null) return `${origin[1]}${origin[2]}/${PLACEHOLDER}`;
    return `${/^[a-z][a-z0-9+.-]*:\/\//i.exec(url)?.[0] ?? ""}${PLACEHOLDER}`;
  };
  return urls
    .trim()
    .split(/\s+/)
    .every((url) => url.includes("://"))
    ? urls.replace(/\S+/g, mask)
    : mask(urls);
}

/**
 * An endpoint of rclone (`remote:path`, `:s3,secret_access_key=…:bucket`, or one with a URL in it), or a text with
 * endpoints and flags of rclone, without their credentials.
 */
export function maskRemote(text: string): string {
  return maskUrls(text.replace(CONNECTION, `$1${PLACEHOLDER}`).replace(OPTION, `$1${PLACEHOLDER}`));
}

/** Words of restic, or a command line, without the credentials in them: those of rclone, and what sshpass is given. */
export function maskCommand(text: string): string {
  return maskRemote(text)
    .replace(SSHPASS, `$1${PLACEHOLDER}`)
    .replace(ASSIGNMENT, (whole, name: string) => (isSecret(name) ? `${name}=${PLACEHOLDER}` : whole));
}

/** Is the value of this variable a secret? A `_FILE` variable holds a path, which is not secret. */
export function isSecret(name: string): boolean {
  if (isWebhookName(name)) return true;
  if (Object.hasOwn(variables, name)) {
    const declared = variables[name as VariableName];
    if ("secret" in declared) return true;
  }
  return SECRET_NAME.test(name) && !PATH_NAME.test(name);
}

/**
 * The words by which a name says that its value is a secret. In the name of an environment variable they stand
 * "within" it, or at its "end", after a `_`; in the name of an option of rclone (`rclone config providers`: IsPassword,
 * and Sensitive except for names), in a connection string, a flag or the query of a URL, anywhere.
 */
const SECRET_WORDS: readonly { word: string; variable?: "within" | "end"; option?: true }[] = [
  { word: "secret", variable: "within", option: true },
  { word: "password", variable: "within" }, // "pass" covers it among the options
  { word: "passphrase", variable: "within" },
  { word: "passwd", variable: "within" },
  { word: "credential", variable: "within", option: true },
  { word: "header", variable: "within", option: true },
  { word: "sshpass|userpass|pass", variable: "end" },
  { word: "pass", option: true },
  { word: "pwd|pw", variable: "end" },
  { word: "(?:api|access|private|account|encryption|signing|master)?key", variable: "end" },
  { word: "key", option: true },
  { word: "[a-z]*token", variable: "end" },
  { word: "token", option: true },
  { word: "sas", variable: "end", option: true },
  { word: "sas_url|connection_string|dsn", variable: "end" },
  { word: "auth", variable: "end", option: true },
  { word: "grant", variable: "end", option: true },
  { word: "cookie", variable: "end", option: true },
  { word: "otp", variable: "end", option: true },
  { word: "jwt|bearer|signature|creds", variable: "end", option: true },
];

const secretWords = (test: (each: (typeof SECRET_WORDS)[number]) => boolean): string =>
  SECRET_WORDS.filter(test)
    .map(({ word }) => word)
    .join("|");

const SECRET_NAME = new RegExp(
  `${secretWords(({ variable }) => variable === "within")}|` +
    `(?:^(?!pwd$)|_)(?:${secretWords(({ variable }) => variable === "end")})s?(?:_(?:pem|b64|base64|hex|json))?_?\\d*$`,
  "i",
);
/** PASSWORD_STORE_DIR and its like hold a path. */
const PATH_NAME = /_(FILE|DIR|PATH)$|^GOOGLE_APPLICATION_CREDENTIALS$/i;
const WEBHOOK_NAME =
  /(^|_)(WEBHOOKS?(_URLS?)?|(GOTIFY|APPRISE|NOTIFY|NOTIFICATION|SHOUTRRR|SLACK|DISCORD|TEAMS|TELEGRAM|NTFY)_URLS?)$/i;
const SECRET_OPTION = `[\\w-]*(?:${secretWords(({ option }) => option === true)})[\\w-]*`;
/** `,secret_access_key=value` of a connection string; a quoted value contains its quotes doubled, and may be cut short. */
const CONNECTION = new RegExp(`(,${SECRET_OPTION}=)("(?:[^"]|"")*(?:"|$)|'(?:[^']|'')*(?:'|$)|[^,:]*)`, "gi");
/** `--s3-secret-access-key=value`, or with the value as the next word, in quotes where it contains blanks. */
const OPTION = new RegExp(`(--${SECRET_OPTION}(?:=|\\s+))(?!-)("[^"]*(?:"|$)|'[^']*(?:'|$)|\\S+)`, "gi");
/** `?sig=value` of a URL, and what AWS and Azure sign theirs with. */
const QUERY = new RegExp(`([?&;](?:${SECRET_OPTION}|sig|code|hmac)=)[^\\s&"'<>#;]+`, "gi");
/** `Password=value;` of a connection string of a database or of Azure. */
const PAIR = new RegExp(`(?:^|[\\s;&?,])${SECRET_OPTION}\\s*[=:]\\s*("[^"]*"|'[^']*'|[^;&\\s,]+)`, "gi");
/** The same as one whole word of a command line. */
const OPTION_WORD = new RegExp(`^--${SECRET_OPTION}(?:=(.*))?$`, "is");

/** `sshpass -p value`, `sshpass -pvalue`. */
const SSHPASS = /(\bsshpass\s+(?:-[vP]\S*\s+)*-p\s*)([^\s'"]+)/g;
/** `SSHPASS=value` in front of a command. */
const ASSIGNMENT = /\b([A-Z][A-Z0-9_]*)=([^\s'"]+)/g;

/** `shortest`: a form of the secret with fewer characters is not replaced. */
type Secrets = readonly (readonly [secret: string, placeholder: string, shortest?: number])[];

/** The secrets of one variable: its value, or what its file holds, its parts, and the credentials of its URLs. */
function secretsOfVariable(
  name: string,
  text: string,
  read: () => string | undefined = () => readSecret(text),
): Secrets {
  const about = name.replace(/_FILE$/, "");
  const secret = isSecret(about);
  const isRepository = about.includes("REPOSITORY");
  const fromFile = about !== name && (secret || isRepository);
  const value = fromFile ? (read() ?? "").trim() : text;
  const words = () => (isRepository ? value.split("\n") : value.split(/\s+/));
  const urls = mayBeUrl(value) ? words().flatMap(secretsOfUrl) : [];
  if (about !== name && !fromFile) return urls;
  if (secret && isWebhookName(about)) return [...words().flatMap(secretsOfWebhook), ...urls];
  if (secret) return [[value, PLACEHOLDER], ...partsOf(about, value), ...urls];
  return COMMAND_NAME.test(about) || CONNECTION_HINT.test(value)
    ? [...secretsOfCommand(value), ...urls]
    : urls;
}

/** A URL, or the repository of a REST server whose scheme was forgotten: restic repeats that as it is, blanks and all. */
const mayBeUrl = (value: string): boolean => value.includes("://") || value.startsWith("rest:");

/** What only a connection string of rclone, or a command line, has. */
const CONNECTION_HINT = /,[\w-]+=|--[\w-]+=/;
/** Variables whose value is a command line, or words for one. */
const COMMAND_NAME = /_(OPTIONS|ARGS|COMMAND|CMD)$/;

/** The values that maskCommand() hides. */
function secretsOfCommand(text: string): Secrets {
  const found = [SSHPASS, OPTION, CONNECTION].flatMap((pattern) =>
    [...text.matchAll(pattern)].map(([, , value = ""]) => unquoted(value)),
  );
  const assigned = [...text.matchAll(ASSIGNMENT)].filter(([, name = ""]) => isSecret(name));
  return [...found, ...assigned.map(([, , value = ""]) => value)].map((value) => [value, PLACEHOLDER]);
}

/** Names of values that consist of parts: headers, and what a database or Azure is connected with. */
const HEADER_NAME = /HEADER|AUTH|COOKIE/i;
const CONNECTION_NAME = /CONNECTION_STRING|DSN|SAS|CREDENTIAL|SECRET/i;

/** What of a secret value is a secret by itself: the strings of JSON, the token of a header, the password of a DSN. */
function partsOf(name: string, value: string): Secrets {
  const parts = /^\s*[[{]/.test(value) ? stringsOf(parsedJson(value)) : [];
  if (HEADER_NAME.test(name)) {
    const headers = /HEADERS/i.test(name) ? value.split(/[\n,]/) : [value];
    parts.push(...headers.flatMap(partsOfHeader));
  }
  if (CONNECTION_NAME.test(name)) {
    for (const [, part = ""] of value.matchAll(PAIR)) parts.push(unquoted(part));
    // `user:password@tcp(host:3306)/name`, as Go's database drivers have it.
    parts.push(/^[^:@/\s]+:(.+)@/.exec(value)?.[1] ?? "");
  }
  return parts.map((part) => [part, PLACEHOLDER]);
}

/** `Authorization: Bearer token`, `x-api-key=token`, `Basic base64`: the token, and the credentials in its base64. */
function partsOfHeader(header: string): string[] {
  const [, token = ""] = /^\s*(?:[\w-]+\s*[:=]\s*)?(?:\w+\s+)?(\S+)\s*$/.exec(header) ?? [];
  if (!/\bbasic\s+\S+\s*$/i.test(header)) return [token];
  const credentials = decodeBase64(token);
  return [token, credentials, credentials.slice(credentials.indexOf(":") + 1)];
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // It only began like JSON.
    return undefined;
  }
}

function stringsOf(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(stringsOf) : [];
}

/** Tools repeat only a part of the URL, or only the password, as written or decoded, or cut where Go cuts a URL. */
function secretsOfUrl(url: string): Secrets {
  const withoutUser = url.replace(REPOSITORY, "$1@");
  const query = [...withoutUser.matchAll(/[?&;][^=&;\s]+=([^&;#\s]+)/g)]
    .map(([, value = ""]) => value)
    .filter(({ length }) => length >= TOKEN_SHORTEST);
  const token = /^(?:\w+:)?https?:\/\/([^\s:@/?#]{16,})@/i.exec(url)?.[1];
  const tokens = [...query, token ?? ""].filter(Boolean).map((each) => [each, PLACEHOLDER] as const);
  const [userinfo, user, password] = REPOSITORY.exec(url) ?? NO_SCHEME.exec(url) ?? [];
  if (userinfo === undefined || !password) return tokens;
  const decoded = decodePercent(password).trim();
  return [
    ...tokens,
    [userinfo, `${user}:${PLACEHOLDER}@`],
    [password, PLACEHOLDER],
    [decoded, PLACEHOLDER, password.length < SHORTEST ? SHORTEST : DECODED_SHORTEST],
    ...cutPassword(user ?? "", password),
  ];
}

/**
 * The halves of a password with signs that end a part of a URL, in the words of Go's url.Parse and of the resolver
 * (seen with restic 0.14 and 0.19): `parse "http://user:half": invalid port ":half" after host`, `lookup half on …`.
 */
function cutPassword(user: string, password: string): Secrets {
  const escapes = password.match(/%(?![0-9a-f]{2}).{0,2}/gi) ?? [];
  const cut = escapes.map((each) => [`"${each}"`, `"${PLACEHOLDER}"`, 1] as const);
  if (!/[/?#@]/.test(password)) return cut;
  const [head = ""] = password.split(/[/?#]/);
  const pieces = password.split(/[/?#@]/).filter((piece) => piece !== "" && !piece.includes(PLACEHOLDER));
  return [
    ...cut,
    [`${user}:${head}`, `${user}:${PLACEHOLDER}`, 4],
    [`":${head}"`, `":${PLACEHOLDER}"`, 4],
    ...pieces.map((piece) => [`lookup ${piece}`, `lookup ${PLACEHOLDER}`, 1] as const),
    ...pieces.map((piece) => [piece, PLACEHOLDER, DECODED_SHORTEST] as const),
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
 * The kinds of forms in which a secret may turn up, and whether a text may hold any of a kind. The whole secret in a rarer
 * form comes before a part of it that looks the same in all.
 */
const KINDS: readonly {
  formsOf: (secret: string) => readonly string[];
  patternOf?: (form: string) => string;
  isIn: (text: string) => boolean;
}[] = [
  { formsOf: unlikeEncoded, patternOf: encodedPattern, isIn: (text) => /[%+&\\]/.test(text) },
  { formsOf: base64Cores, isIn: () => true },
  { formsOf: (secret) => [...new Set([secret, secret.trim()])], isIn: () => true },
];

/** A secret that some encoding changes. */
function unlikeEncoded(secret: string): readonly string[] {
  return /[^\w.-]/.test(secret.trim()) ? [secret.trim().toWellFormed()] : [];
}

/**
 * The secret with each of its signs as a URL, JSON, Go, Python, HTML or a shell may write it, in any mixture: what one
 * library escapes another leaves.
 */
function encodedPattern(secret: string): string {
  return secret.replace(/[^\w]/gu, patternOfSign);
}

const signPatterns = new Map<string, string>();

function patternOfSign(sign: string): string {
  const known = signPatterns.get(sign);
  if (known !== undefined) return known;
  const pattern = `(?:${formsOfSign(sign).map(escaped).join("|")})`;
  signPatterns.set(sign, pattern);
  return pattern;
}

/** Letters after a backslash. */
const LETTERS: Readonly<Record<string, string>> = {
  "\n": "n",
  "\r": "r",
  "\t": "t",
  "\b": "b",
  "\f": "f",
  "\v": "v",
  "\x07": "a",
};
const ENTITIES: Readonly<Record<string, string>> = {
  "&": "amp",
  "<": "lt",
  ">": "gt",
  '"': "quot",
  "'": "apos",
};

/** A sign that is neither a letter nor a digit of ASCII, in the forms that it may have, longer ones first. */
function formsOfSign(sign: string): string[] {
  const code = sign.codePointAt(0) ?? 0;
  const percent = [...new TextEncoder().encode(sign)].map((byte) => `%${hex(byte, 2)}`).join("");
  const unicode = sign
    .split("")
    .map((unit) => `\\u${hex(unit.charCodeAt(0), 4)}`)
    .join("");
  const forms = [percent, percent.toUpperCase(), unicode, unicode.toUpperCase().replaceAll("\\U", "\\u")];
  if (code < 0x80) {
    const [x, entity] = [hex(code, 2), ENTITIES[sign]];
    forms.push(`\\x${x}`, `&#${code};`, `&#x${x};`, `&#x${x.toUpperCase()};`, `\\${LETTERS[sign] ?? sign}`);
    if (entity !== undefined) forms.push(`&${entity};`);
    if (sign === "'") forms.push("'\\''", `'"'"'`);
    if (sign === " ") forms.push("+");
  }
  // A backslash alone must not match the first of two.
  return [...new Set([...forms, sign])].sort((a, b) => b.length - a.length);
}

const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, "0");

/** Characters of the longest form of all; an upper bound where signs are mixed. */
const longestForm = (secret: string): number =>
  [...secret].reduce((sum, sign) => sum + (/\w/.test(sign) ? 1 : (formsOfSign(sign)[0]?.length ?? 1)), 0);

/**
 * What of the secret's base64 is the same whatever stands before and behind it: `user:secret` of a header is base64 of
 * more than the secret. For each of the three offsets that it may have, in both alphabets, without the characters that
 * hold bits of its neighbours; none for a secret of less than eight bytes.
 */
function base64Cores(value: string): string[] {
  const secret = value.trim();
  // What is ASCII is its own bytes; a tick need not load the encoder.
  const bytes = /^[\0-\x7f]*$/.test(secret)
    ? secret
    : String.fromCharCode(...new TextEncoder().encode(secret));
  const cores: string[] = [];
  if (bytes.length < SHORTEST) return cores;
  for (let before = 0; before < 3; before++) {
    const text = btoa("\0".repeat(before) + bytes);
    const core = text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
    cores.push(core);
    if (/[+/]/.test(core)) cores.push(core.replaceAll("+", "-").replaceAll("/", "_"));
  }
  return cores;
}

function decodeBase64(text: string): string {
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)));
  } catch {
    // It is not base64, whatever it says.
    return "";
  }
}

function readSecret(path: string): string {
  try {
    if (silent.size > 0) demandAnswer(path);
    // Only a regular file: reading a named pipe would wait for ever, and would take the secret away from restic.
    const stat = statSync(path);
    return stat.isFile() && stat.size <= FILE_MOST ? readFileSync(path, "utf8").trim() : "";
  } catch {
    // Its user reports a missing or unreadable secret file; there is nothing here to hide.
    return "";
  }
}
