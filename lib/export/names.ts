/** The names of archives: what their ending says, and what they are called when nobody says. Pure. */

import { UsageError } from "../errors.ts";
import { compact } from "../time/format.ts";
import type { Zone } from "../time/zone.ts";
import { type Format, formats } from "./codec.ts";

const FOLDER = "/restore";

/** The format that an archive's name asks for. Throws a UsageError. */
export function formatOf(output: string): Format {
  const format = formats.find((each) => output.endsWith(`.${each}`) && !output.endsWith(`/.${each}`));
  if (format !== undefined) return format;
  const endings = formats.map((each) => `.${each}`).join(", ");
  throw new UsageError(`--output ${output} does not end in one of ${endings}, which say what is written.`);
}

/** `/restore/snapshot-export-5ce8c2e7-20260511-093000.tar.gz`; the time is that of the export. */
export function defaultOutput(snapshot: string, epochMs: number, zone: Zone): string {
  return `${FOLDER}/snapshot-export-${snapshot}-${compact(epochMs, zone)}.tar.gz`;
}

/**
 * The folder or file that one plain include names, as a path in the snapshot; undefined for a pattern, which may
 * match anything anywhere. Without an include it is all of the snapshot, "/".
 */
export function plainPath(include: readonly string[]): string | undefined {
  const [path, more] = include;
  if (path === undefined) return "/";
  if (more !== undefined || !path.startsWith("/") || /[*?[\]\\]|\/\.{1,2}(\/|$)/.test(path)) return undefined;
  return `/${path.split("/").filter(Boolean).join("/")}`;
}

/** `/data/a` → `/data`, `/data/a`. */
export function ancestry(path: string): string[] {
  const parts = path.split("/").filter(Boolean);
  return parts.map((_, at) => `/${parts.slice(0, at + 1).join("/")}`);
}
