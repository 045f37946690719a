/** Section Recent cron log: its last lines, read from its end, harmless to a terminal. */

import { statSync } from "node:fs";
import { errnoOf, reasonOf } from "../errors.ts";
import { lastLines } from "../files/tail.ts";
import { formatBytes, formatDuration, plural, visible } from "../text.ts";
import { Checks, type Findings } from "./checks.ts";

/** workers.md */
const LINES = 40;
/** Bytes that are read at most: more than forty of the longest lines that a hook may print (16 KiB). */
const BYTES_MOST = 1024 * 1024;
/** Characters after which a line is cut; the log itself has all of it. */
const WIDTH = 1000;

export function cronLog(logDir: string, nowMs: number): Findings {
  const checks = new Checks("Recent cron log");
  const path = `${logDir}/cron.log`;
  try {
    const { lines, size } = lastLines(path, LINES, BYTES_MOST);
    const age = formatDuration((nowMs - statSync(path).mtimeMs) / 1000);
    checks.info(`${path}: ${formatBytes(size)}, written ${age} ago; ${shownText(lines.length)}.`);
    return { lines: lines.map((line) => `  ${cut(visible(line))}`), checks: checks.list, json: undefined };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") checks.info(`${path} does not exist yet: nothing was run by crond.`);
    else checks.warn(`${path} cannot be read: ${reasonOf(error)}.`);
    return { checks: checks.list, json: undefined };
  }
}

function shownText(count: number): string {
  if (count === 0) return "no line of it is shown";
  return count === 1 ? "its last line is shown" : `its last ${count} lines are shown`;
}

function cut(line: string): string {
  return line.length <= WIDTH
    ? line
    : `${line.slice(0, WIDTH)} ... ${plural(line.length - WIDTH, "character")} more`;
}
