/** The patterns of a --files-from file, as restic expands them: those of Go's filepath.Glob, which know no `**`. */

import { lstatSync, readdirSync } from "node:fs";
import { demandAnswer } from "../files/mounts.ts";

/** Go's filepath.ErrBadPattern: restic then makes no backup at all. */
export class BadPattern extends Error {}

/**
 * The expression for one part of a path. `*` and `?` match a leading dot too; `^` alone negates a class; a backslash
 * takes the meaning from the next character. Throws BadPattern. Pure.
 */
export function partPattern(part: string): RegExp {
  let source = "";
  for (let at = 0; at < part.length; at++) {
    const char = part.charAt(at);
    if (char === "*") source += ".*";
    else if (char === "?") source += ".";
    else if (char === "[") {
      const found = readClass(part, at);
      source += found.source;
      at = found.end;
    } else if (char === "\\") {
      at++;
      if (at >= part.length) throw new BadPattern();
      source += quoted(part.charAt(at));
    } else source += quoted(char);
  }
  return new RegExp(`^${source}$`, "su");
}

const quoted = (char: string): string => char.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");

/** From the [ at `open` to its ]. */
function readClass(part: string, open: number): { source: string; end: number } {
  let at = open + 1;
  const negated = part[at] === "^";
  if (negated) at++;
  let ranges = "";
  const next = (): string => {
    const char = part[at];
    if (char === undefined || char === "-" || char === "]") throw new BadPattern();
    if (char === "\\") at++;
    const code = part.codePointAt(at);
    if (code === undefined) throw new BadPattern();
    const taken = String.fromCodePoint(code);
    at += taken.length;
    return taken;
  };
  for (let count = 0; part[at] !== "]" || count === 0; count++) {
    const low = next();
    let high = low;
    if (part[at] === "-") {
      at++;
      high = next();
    }
    // A range from high to low matches nothing, which Go does not call an error.
    if (low <= high) ranges += `${escapedPoint(low)}-${escapedPoint(high)}`;
  }
  if (ranges === "") return { source: negated ? "." : "(?!)", end: at };
  return { source: `[${negated ? "^" : ""}${ranges}]`, end: at };
}

const escapedPoint = (char: string): string =>
  /\w/.test(char) ? char : `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`;

/** What a pattern matches, in byte order of names. Throws BadPattern. */
export function expand(pattern: string): string[] {
  for (const part of pattern.split("/")) partPattern(part);
  if (!hasMeta(pattern)) return exists(pattern) ? [pattern] : [];
  const parts = pattern.split("/").filter((part, at) => part !== "" || at === 0);
  let found = [parts[0] === "" ? "/" : ""];
  for (const part of parts[0] === "" ? parts.slice(1) : parts) {
    found = hasMeta(part)
      ? found.flatMap((folder) => matching(folder, partPattern(part)))
      : found.map((folder) => joined(folder, part)).filter(exists);
  }
  return found;
}

const hasMeta = (text: string): boolean => /[*?[\\]/.test(text);
const joined = (folder: string, name: string): string =>
  folder === "" || folder.endsWith("/") ? `${folder}${name}` : `${folder}/${name}`;

function matching(folder: string, pattern: RegExp): string[] {
  try {
    demandAnswer(folder);
    const names = readdirSync(folder === "" ? "." : folder).filter((name) => pattern.test(name));
    return names.sort().map((name) => joined(folder, name));
  } catch {
    // Not a folder, or not readable: Go skips it too.
    return [];
  }
}

function exists(path: string): boolean {
  try {
    demandAnswer(path);
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // A part of the path is a file, or may not be searched.
    return false;
  }
}
