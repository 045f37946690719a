/**
 * The mail about a run: its subject, and the message that sendmail(1) takes, as RFC 5322, 2045 and 2047 require it.
 * Pure. Whatever the texts hold, they cannot add a header: line breaks and control characters do not survive in one.
 */

import { HOOK_FAILED, NO_REASON, type RunRecord, withoutExit } from "../state/record.ts";
import { formatBytes, formatDuration, visible } from "../text.ts";
import type { Zone } from "../time/zone.ts";

export interface Message {
  readonly to: readonly string[];
  readonly subject: string;
  readonly body: string;
  readonly epochMs: number;
  readonly zone: Zone;
  /** Unique for this host: the left part of the Message-ID. */
  readonly id: string;
  readonly hostname: string;
}

/** Of a line of the body as it is; SMTP allows 998 (RFC 5321, 4.5.3.1.6), and relays add to it. */
const LINE_MOST = 900;
/** Bytes of text in an encoded word: RFC 2047 gives the line 76 characters, and "Subject: " takes nine of them. */
const FIRST_WORD_BYTES = 39;
const WORD_BYTES = 45;
const BASE64_LINE = 76;

/** The whole message, with newlines alone, as sendmail(1) expects it. */
export function renderMessage(message: Message): string {
  const { body, encoding } = encodeBody(message.body);
  const headers = [
    `To: ${message.to.join(",\n ")}`,
    `Subject: ${encodeHeader(message.subject)}`,
    `Date: ${mailDate(message.epochMs, message.zone)}`,
    `Message-ID: <${safe(message.id)}.${message.epochMs.toString(36)}@${safe(message.hostname)}>`,
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=UTF-8",
    `Content-Transfer-Encoding: ${encoding}`,
    // RFC 3834: nobody's holiday notice should answer this.
    "Auto-Submitted: auto-generated",
  ];
  return `${headers.join("\n")}\n\n${body}`;
}

export interface Recipients {
  readonly good: readonly string[];
  readonly bad: readonly string[];
}

/** `a@b.example, Name <c@d.example>`, also one per line. A word that is not an address could be a header. */
export function recipientsOf(text: string): Recipients {
  const words = text.split(/[,;\n]/).map((word) => word.trim());
  const all = words.filter(Boolean).map((word) => /^[^<>]*<([^<>]*)>$/.exec(word)?.[1]?.trim() || word);
  const isAddress = (word: string) =>
    /^[\w.!#$%&'*+/=?^`{|}~-]+(@[A-Za-z0-9.-]+|@\[[0-9a-fA-F.:]+\])?$/.test(word);
  return { good: all.filter(isAddress), bad: all.filter((word) => !isAddress(word)) };
}

/** A header's text: as it is when that is short and ASCII, else in encoded words, folded between characters. */
export function encodeHeader(text: string): string {
  const line = visible(text.toWellFormed().replace(/\s+/g, " ")).trim();
  if (/^[\x20-\x7e]*$/.test(line) && line.length <= 66 && !line.includes("=?")) return line;
  const words: string[] = [];
  let word = "";
  for (const character of line) {
    const room = words.length === 0 ? FIRST_WORD_BYTES : WORD_BYTES;
    if (Buffer.byteLength(word + character) > room) {
      words.push(word);
      word = "";
    }
    word += character;
  }
  return [...words, word].map((each) => `=?UTF-8?B?${Buffer.from(each).toString("base64")}?=`).join("\n ");
}

/** `Mon, 11 May 2026 09:30:00 +0200`. */
export function mailDate(epochMs: number, zone: Zone): string {
  const offset = Math.trunc(zone.offsetAt(Math.floor(epochMs / 1000)) / 60);
  const local = new Date(epochMs + offset * 60_000);
  // toUTCString is `Mon, 11 May 2026 09:30:00 GMT`, in English whatever the locale (ECMA-262).
  const two = (n: number) => String(n).padStart(2, "0");
  const [hours, minutes] = [Math.trunc(Math.abs(offset) / 60), Math.abs(offset) % 60];
  return `${local.toUTCString().slice(0, -4)} ${offset < 0 ? "-" : "+"}${two(hours)}${two(minutes)}`;
}

/**
 * The end of a log, since the end tells what became of the run, from the beginning of a line on, with a line before
 * it that says what was left out. `tail` is what has been read of it, `size` all its bytes.
 */
export function shortened(tail: string, size: number, where: string): string {
  const text = tail.slice(tail.indexOf("\n") + 1);
  const left = formatBytes(size - Buffer.byteLength(text));
  return `[The first ${left} of this log's ${formatBytes(size)} are left out here. All of it is in ${where}.]\n\n${text}`;
}

function encodeBody(text: string): { body: string; encoding: string } {
  const body = text === "" || text.endsWith("\n") ? text : `${text}\n`;
  if (/^[\t\n\x20-\x7e]*$/.test(body) && longestLine(body) <= LINE_MOST) return { body, encoding: "7bit" };
  const base64 = Buffer.from(body.toWellFormed().replace(/\r?\n/g, "\r\n")).toString("base64");
  const lines: string[] = [];
  for (let at = 0; at < base64.length; at += BASE64_LINE) lines.push(base64.slice(at, at + BASE64_LINE));
  return { body: `${lines.join("\n")}\n`, encoding: "base64" };
}

function longestLine(text: string): number {
  let longest = 0;
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf("\n", at);
    longest = Math.max(longest, end - at);
    at = end + 1;
  }
  return longest;
}

/** What may stand in a Message-ID. */
const safe = (text: string): string =>
  text.replace(/[^A-Za-z0-9-]+/g, "-").replace(/^-+|-+$/g, "") || "localhost";

/**
 * `[OK] Backup larak · 5m12s · 1.234 MiB new (snap a1b2c3d4)`. `detail`: what the run brought about, in the words of
 * its worker.
 */
export function subjectOf(record: RunRecord, detail: string | undefined): string {
  const { job, hostname, duration_seconds, snapshot_id } = record;
  const title = job.charAt(0).toUpperCase() + job.slice(1).replaceAll("-", " ");
  const parts = [
    `${formatVerdict(record)} ${title} ${hostname}`,
    formatDuration(duration_seconds),
    detail,
    shortReason(record),
  ];
  const snapshot = snapshot_id === undefined ? "" : ` (snap ${snapshot_id})`;
  return parts.filter(Boolean).join(" · ") + snapshot;
}

/** Characters of a reason in a subject: a longer one stands in the body alone. */
const REASON_MOST = 72;

/** The first sentence of a record's `error` as a subject has room for it, without the repository's address. */
function shortReason({ error, repository }: RunRecord): string | undefined {
  if (error === undefined || error === NO_REASON) return undefined;
  const text = repository === undefined ? error : withoutAddress(error, repository);
  const first = (withoutExit(text).split(/\. (?=[A-Z])/, 1)[0] ?? "").replace(/\.$/, "");
  return first.length <= REASON_MOST ? first : undefined;
}

const withoutAddress = (text: string, repository: string): string =>
  text
    .replaceAll(`repository at ${repository}`, "repository")
    .replaceAll(`repository ${repository}`, "repository")
    .replaceAll(repository, "the repository");

const WORDS: Readonly<Record<string, string>> = { ok: "OK", warning: "WARN", "dry-run": "DRY-RUN" };

function formatVerdict({ status, exit_code, alerts = [] }: RunRecord): string {
  const word = WORDS[status] ?? "FAIL";
  const hooks = alerts.some(({ kind }) => kind === HOOK_FAILED) ? ", hook failed" : "";
  return exit_code === 0 ? `[${word}${hooks}]` : `[${word} ${exit_code}${hooks}]`;
}
