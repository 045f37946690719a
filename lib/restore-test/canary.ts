/** Canaries: files of the snapshot whose SHA-256 is known in advance; how they are given, and how they are checked. */

import { lstatSync, type Stats } from "node:fs";
import { errnoOf, reasonOf } from "../errors.ts";
import { sha256Of } from "../files/files.ts";

export interface Canary {
  /** The absolute path in the snapshot. As bytes: a name need not be UTF-8. */
  readonly path: Buffer;
  /** In lowercase hexadecimal digits. */
  readonly sha256: string;
}

/** Why a line is not a canary. */
export interface NoCanary {
  readonly complaint: string;
}

/** As written to the record. */
export interface CanaryResult {
  readonly path: string;
  readonly expected_sha256: string;
  readonly actual_sha256: string | null;
  readonly status: "passed" | "failed" | "missing";
  readonly message: string;
}

/** A string with one character for each byte of `text`, which is what parseCanary takes. */
export const bytesOf = (text: string): string => Buffer.from(text).toString("latin1");

export const isCanary = (parsed: Canary | NoCanary): parsed is Canary => "sha256" in parsed;

/**
 * The canary on a line of bytes: `PATH=SHA256`, split at the last =, or as sha256sum(1) prints it: `SHA256  PATH`, with
 * a leading backslash when the name contains a newline, written \n, or a backslash, written \\. Pure.
 */
export function parseCanary(line: string): Canary | NoCanary {
  const shown = JSON.stringify(Buffer.from(line, "latin1").toString());
  const listed = /^(\\?)([0-9a-f]{64}) [ *](.+)$/is.exec(line);
  const equals = line.lastIndexOf("=");
  if (!listed && equals < 0) return { complaint: `${shown} is not PATH=SHA256.` };
  const sha256 = listed?.[2] ?? line.slice(equals + 1).trim();
  if (!/^[0-9a-f]{64}$/i.test(sha256)) {
    return { complaint: `${shown} does not end in the 64 hexadecimal digits of a SHA-256.` };
  }
  const name = listed ? (listed[1] ? unescaped(listed[3] ?? "") : (listed[3] ?? "")) : line.slice(0, equals);
  const parts = name.split("/").slice(1);
  if (!name.startsWith("/") || parts.some((part) => part === "" || part === "." || part === "..")) {
    return { complaint: `${shown} has no absolute path of a file, as \`restic ls\` shows it: /data/file.` };
  }
  return { path: Buffer.from(name, "latin1"), sha256: sha256.toLowerCase() };
}

const unescaped = (name: string) =>
  name.replace(/\\([nr\\])/g, (_, letter) => ({ n: "\n", r: "\r" })[letter as string] ?? "\\");

/** All canaries in a file's bytes; blank lines and lines that begin with # are skipped. Pure. */
export function parseCanaryFile(text: string): { canaries: Canary[]; complaints: string[] } {
  const canaries: Canary[] = [];
  const complaints: string[] = [];
  for (const [at, raw] of text.split("\n").entries()) {
    const line = raw.replace(/\r$/, "").trimStart();
    if (line === "" || line.startsWith("#")) continue;
    const parsed = parseCanary(line);
    if (isCanary(parsed)) canaries.push(parsed);
    else complaints.push(`Line ${at + 1}: ${parsed.complaint}`);
  }
  return { canaries, complaints };
}

/** Compares what was restored below `root` with a canary. Never follows a link: it could lead to the original file. */
export async function checkCanary(
  root: string,
  canary: Canary,
  enough: () => boolean,
): Promise<CanaryResult> {
  const path = canary.path.toString();
  const expected_sha256 = canary.sha256;
  const found = (status: CanaryResult["status"], message: string, actual_sha256: string | null = null) => ({
    path,
    expected_sha256,
    actual_sha256,
    status,
    message,
  });
  try {
    const { stat, at, isWhole } = reach(root, canary.path);
    if (stat.isSymbolicLink())
      return found("failed", `${at} is a symbolic link; name the file that it points to`);
    if (!isWhole || !stat.isFile()) return found("failed", `${at} is not a regular file`);
    const actual = await sha256Of(Buffer.concat([Buffer.from(root), canary.path]), enough);
    if (actual === undefined) return found("failed", "the run was stopped before it was read");
    return actual === expected_sha256
      ? found("passed", "its content is what it should be", actual)
      : found("failed", "its content is not what it should be", actual);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return found("missing", "it was not restored");
    return found("failed", `it cannot be read: ${reasonOf(error)}`);
  }
}

/** The file at `path` below `root`, or the first part of the path that is not a folder. */
function reach(root: string, path: Buffer): { stat: Stats; at: string; isWhole: boolean } {
  const parts = path.toString("latin1").split("/").slice(1);
  const stats = parts.map((_, depth) => {
    const part = Buffer.from(`/${parts.slice(0, depth + 1).join("/")}`, "latin1");
    return { part, isWhole: depth === parts.length - 1 };
  });
  for (const { part, isWhole } of stats) {
    const stat = lstatSync(Buffer.concat([Buffer.from(root), part]));
    if (isWhole || !stat.isDirectory()) return { stat, at: part.toString(), isWhole };
  }
  throw new Error("the path is empty");
}
