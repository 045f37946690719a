/**
 * The job file of replicate: `SOURCE;DESTINATION[;MODE[;EXTRA]]`, a row a line. What replicate works through, and what
 * doctor and config-check judge, is read here and nowhere else.
 */

import { readSmallFile } from "../files/files.ts";
import { maskRemote } from "../mask.ts";
import { nearest } from "../nearest.ts";
import { splitWords, UnbalancedQuote } from "../words.ts";

/** The first is the default. */
export const MODES = ["bisync", "sync", "copy"] as const;
export type Mode = (typeof MODES)[number];

export interface JobRow {
  /** The first line of the file is 1. */
  readonly line: number;
  /** As rclone takes it: a path, `remote:path`, or `:backend,option=value:path`. May hold credentials. */
  readonly source: string;
  readonly destination: string;
  readonly mode: Mode;
  /** Further words for rclone. May hold credentials. */
  readonly extra: readonly string[];
}

/** A row that cannot be worked through. */
export interface MalformedRow {
  readonly line: number;
  /** The row without its EXTRA and without credentials, fit to be shown. */
  readonly text: string;
  /** For the end of a sentence, without its full stop: `the destination is missing`. */
  readonly why: string;
}

export interface JobFile {
  readonly rows: readonly JobRow[];
  readonly malformed: readonly MalformedRow[];
}

/** Bytes; a job file has one row for each pair of folders, so a larger file is not a job file. */
const JOB_FILE_MOST = 1024 * 1024;

/** Reads a job file of at most 1 MiB. Throws what stat(2), open(2) and read(2) say, and for anything but a regular file. */
export const readJobFile = (path: string): JobFile => parseRows(readSmallFile(path, JOB_FILE_MOST));

/** For the end of a sentence that begins with the line's number. */
export const malformedText = ({ why, text }: MalformedRow): string =>
  `is malformed and counts as failed: ${why} (${text})`;

/** Why it matters who can write a job file. */
export const ROWS_ARE_CODE = "A row can have rclone run any program (--metadata-mapper).";

/** The end of a sentence about a job file without rows, well-formed or not. */
export const NO_ROW = "has no row. Write SOURCE;DESTINATION, a pair a line.";

/**
 * The rows of a job file. Lines end in LF, CRLF or CR; a byte order mark is skipped; blank lines and those that
 * begin with `#` are comments. A `#` further on is a part of its path, and so are blanks within one.
 */
export function parseRows(text: string): JobFile {
  const rows: JobRow[] = [];
  const malformed: MalformedRow[] = [];
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/);
  for (const [index, untrimmed] of lines.entries()) {
    const content = trim(untrimmed);
    if (content === "" || content.startsWith("#")) continue;
    const line = index + 1;
    const text = shown(content);
    const row = parseRow(content, text);
    if (typeof row === "string") malformed.push({ line, text, why: row });
    else rows.push({ line, ...row });
  }
  return { rows, malformed };
}

/** The row, or what is wrong with it: what is not in `text`, its shown form, is not quoted, as it may be half a credential. */
function parseRow(content: string, text: string): Omit<JobRow, "line"> | string {
  const [source = "", destination, modeText = "", ...rest] = content.split(";").map(trim);
  // What follows the third `;` as it was written: blanks may be quoted there.
  const extraText = rest.length === 0 ? "" : content.split(";").slice(3).join(";");
  if (destination === undefined) return "SOURCE;DESTINATION is expected, and it has no ;";
  const problem =
    endpointProblem("source", source, text) ?? endpointProblem("destination", destination, text);
  if (problem !== undefined) return problem;
  const mode = modeText === "" ? MODES[0] : MODES.find((each) => each === modeText.toLowerCase());
  if (mode === undefined) {
    const near = nearest(modeText, MODES);
    const quoted = text.includes(modeText) ? ` "${modeText}"` : "";
    return `unknown mode${quoted} (${MODES.join(", ")})${near === undefined ? "" : `; did you mean ${near}?`}`;
  }
  if (hasFifthField(extraText))
    return "it has more than four fields; put a ; that belongs to EXTRA in quotes";
  try {
    return { source, destination, mode, extra: splitWords(extraText) };
  } catch (error) {
    if (!(error instanceof UnbalancedQuote)) throw error;
    return `in EXTRA, ${error.message}`;
  }
}

function endpointProblem(name: string, endpoint: string, text: string): string | undefined {
  if (endpoint === "") return `the ${name} is missing`;
  if (endpoint.startsWith("-")) {
    const better = text.includes(endpoint) ? `./${endpoint}` : "./ before it";
    return `the ${name} begins with a dash, as flags do; write ${better}`;
  }
  if (endpoint.includes("\0")) return `the ${name} holds a NUL character`;
  // Decoding has replaced a byte, so this is no longer the path that was meant.
  if (endpoint.includes("\ufffd")) return `the ${name} is not UTF-8`;
  return undefined;
}

/** Is there a `;` outside quotes? The text before a `;` inside quotes is unbalanced. */
function hasFifthField(extra: string): boolean {
  for (let at = extra.indexOf(";"); at >= 0; at = extra.indexOf(";", at + 1)) {
    try {
      splitWords(extra.slice(0, at));
      return true;
    } catch (error) {
      if (!(error instanceof UnbalancedQuote)) throw error;
    }
  }
  return false;
}

/** EXTRA may hold any secret, so it is never shown. */
function shown(content: string): string {
  // Masked first: a credential in quotes may hold a ; and must not be cut in half.
  const masked = maskRemote(content);
  const fields = masked.split(";");
  return fields.length > 3 ? `${fields.slice(0, 3).join(";")};…` : masked;
}

/** Blanks only: a no-break space may be a part of a name. */
const trim = (text: string): string => text.replace(/^[ \t]+|[ \t]+$/g, "");
