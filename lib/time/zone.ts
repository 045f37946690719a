// Local time without Date's local methods and without Intl: the first touch of either starts ICU (4 ms), and
// ICU does not know the POSIX rules that libc, and so crond, takes from TZ.
import { readFileSync, readlinkSync } from "node:fs";
import { environment } from "../environment.ts";
import { type Period, parsePosixRule, rulePeriod } from "./posix-rule.ts";
import { parseTzif } from "./tzif.ts";

export interface Zone {
  /** What a person may read: `Europe/Amsterdam`, `CET-1CEST,M3.5.0,M10.5.0/3`, `UTC`; `localtime` for a bare file. */
  readonly name: string;
  /** False when TZ names nothing that libc could find: the zone is then UTC, and somebody should be told. */
  readonly known: boolean;
  /** Seconds east of UTC at an instant (epoch seconds). */
  offsetAt(epochSeconds: number): number;
  /** The stretch of one offset around an instant. */
  periodAt(epochSeconds: number): Period;
}

const LOCALTIME = "/etc/localtime";
/** The first three are musl's own list; the other two hold the zones on some older systems. */
const FOLDERS = [
  "/usr/share/zoneinfo",
  "/share/zoneinfo",
  "/etc/zoneinfo",
  "/usr/lib/zoneinfo",
  "/usr/share/lib/zoneinfo",
];
/** Names that need no file in musl; an image without tzdata still knows them. */
const UTC_NAMES = /^(Etc\/)?(UTC|GMT|UCT|Zulu|Universal|Greenwich)$/;

let local: Zone | undefined;

/** The zone of this process: TZ is read once, at the first call. */
export function localZone(): Zone {
  local ??= loadZone(environment.TZ);
  return local;
}

/**
 * Finds a zone as libc does. Unset: /etc/localtime, or UTC where that is missing. Empty: UTC. A leading `:` is
 * dropped. An absolute path is read; a name is looked up in the zone folders; then it may be a POSIX rule; then
 * it is UTC, with `known` false. Reads one file at most; throws nothing.
 */
export function loadZone(tz: string | undefined): Zone {
  if (tz === undefined) {
    const find = readZone(LOCALTIME);
    return find ? makeZone(linkedName, find) : utc(true);
  }
  const text = tz.startsWith(":") ? tz.slice(1) : tz;
  if (text === "" || UTC_NAMES.test(text)) return utc(true);
  const find = text.startsWith("/") ? readZone(text) : (findNamed(text) ?? findByRule(text));
  if (find) return makeZone(() => withoutFolder(text), find);
  return utc(UTC_NAMES.test(text));
}

function findNamed(name: string): ((epochSeconds: number) => Period) | undefined {
  // A comma or an angle bracket makes it a rule; a step upwards would read outside of the folders.
  if (/[,<\0]/.test(name) || name.split("/").includes("..")) return undefined;
  for (const folder of FOLDERS) {
    const find = readZone(`${folder}/${name}`);
    if (find) return find;
  }
  return undefined;
}

function findByRule(text: string): ((epochSeconds: number) => Period) | undefined {
  const rule = parsePosixRule(text);
  return rule && ((epochSeconds) => rulePeriod(rule, epochSeconds));
}

function readZone(path: string): ((epochSeconds: number) => Period) | undefined {
  try {
    return parseTzif(readFileSync(path));
  } catch {
    return undefined; // missing, a folder, not ours to read: libc too goes on as if it were not there
  }
}

function utc(known: boolean): Zone {
  return makeZone(
    () => "UTC",
    () => ({ from: -Infinity, until: Infinity, offset: 0 }),
    known,
  );
}

/** Log lines come in order, and a period lasts for months: the last one found answers nearly every question. */
function makeZone(name: () => string, find: (epochSeconds: number) => Period, known = true): Zone {
  let last: Period = { from: 0, until: 0, offset: 0 };
  const periodAt = (epochSeconds: number): Period => {
    if (epochSeconds < last.from || epochSeconds >= last.until) last = find(epochSeconds);
    return last;
  };
  return {
    get name() {
      return name();
    },
    known,
    periodAt,
    offsetAt: (epochSeconds) => periodAt(epochSeconds).offset,
  };
}

function linkedName(): string {
  try {
    const target = readlinkSync(LOCALTIME);
    return target.includes("/zoneinfo/") ? withoutFolder(target) : "localtime";
  } catch {
    return "localtime"; // a copy of the file rather than a link to it
  }
}

function withoutFolder(path: string): string {
  return path.replace(/^.*\/zoneinfo\//, "");
}
