/**
 * The local time zone, found as libc finds it, and compiled zone files as zic writes them (RFC 8536). Without Date's
 * local methods and Intl: the first use of either starts ICU (4 ms), and ICU does not know the POSIX rules that libc,
 * and so crond, takes from TZ. A zone file is searched in place, so that loading one costs next to nothing.
 */

import { readFileSync, readlinkSync } from "node:fs";
import { environment } from "../environment.ts";
import { type Period, type PosixRule, parsePosixRule, rulePeriod } from "./posix-rule.ts";

export interface Zone {
  /** For people: `Europe/Amsterdam`, `CET-1CEST,M3.5.0,M10.5.0/3`, `UTC`; `localtime` for a file without a name. */
  readonly name: string;
  /** False when libc would not find what TZ names: the zone is then UTC, which deserves a warning. */
  readonly known: boolean;
  /** Seconds east of UTC at an instant (epoch seconds). */
  offsetAt(epochSeconds: number): number;
  /** The period of one offset around an instant (epoch seconds). */
  periodAt(epochSeconds: number): Period;
}

const LOCALTIME = "/etc/localtime";
/** The first three are musl's own list; the other two contain the zones on some older systems. */
const FOLDERS = [
  "/usr/share/zoneinfo",
  "/share/zoneinfo",
  "/etc/zoneinfo",
  "/usr/lib/zoneinfo",
  "/usr/share/lib/zoneinfo",
];
/** Names for which musl needs no file: an image without tzdata knows them too. */
const UTC_NAMES = /^(Etc\/)?(UTC|GMT|UCT|Zulu|Universal|Greenwich)$/;

let local: Zone | undefined;

/** The zone of this process. TZ is read once, at the first call. */
export function localZone(): Zone {
  local ??= loadZone(environment.TZ);
  return local;
}

/**
 * Finds a zone as libc does. Unset: /etc/localtime, or UTC where that is missing. Empty: UTC. A leading `:` is
 * dropped. An absolute path is read; a name is looked up in the zone folders; else it may be a POSIX rule; else the
 * zone is UTC, with `known` false. Reads at most one file; throws nothing.
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
  // With a comma or an angle bracket it is a rule; with `..` it would be read outside of the folders.
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
    return undefined; // missing, a folder, unreadable: libc too goes on as if it did not exist
  }
}

function utc(known: boolean): Zone {
  return makeZone(
    () => "UTC",
    () => ({ from: -Infinity, until: Infinity, offset: 0 }),
    known,
  );
}

/** Keeps the last period found: it lasts for months, and answers nearly every question about log lines. */
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

interface Block {
  readonly version: number;
  readonly timeSize: 4 | 8;
  readonly timeCount: number;
  readonly typeCount: number;
  readonly times: number;
  readonly indices: number;
  readonly types: number;
  readonly end: number;
}

const MAGIC = 0x545a6966; // "TZif"
const HEADER_SIZE = 44;
const TYPE_SIZE = 6;

/**
 * Parses a zone file, versions 1 to 4, to a function from epoch seconds to the period that contains them. Leap
 * seconds (the `right/` zones) are not applied. Before the first change the first type applies, after the last the
 * footer's rule. undefined when the bytes are not a zone file.
 */
export function parseTzif(bytes: Uint8Array): ((epochSeconds: number) => Period) | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let block = readBlock(view, 0, 4);
  const hasFooter = block !== undefined && block.version >= 2;
  if (block && hasFooter) block = readBlock(view, block.end, 8);
  if (!block || block.typeCount === 0 || block.end > bytes.length) return undefined;
  const { indices, types, typeCount } = block;
  if (bytes.subarray(indices, types).some((type) => type >= typeCount)) return undefined;

  const found = block;
  let rule: PosixRule | undefined;
  let isFooterRead = !hasFooter;
  return (epochSeconds) => {
    const period = findPeriod(view, found, epochSeconds);
    if (period.until < Infinity) return period;
    // Parsed on demand: many files list their changes up to 2037, and parsing a rule cold takes 0.2 ms.
    if (!isFooterRead) rule = readFooter(bytes.subarray(found.end));
    isFooterRead = true;
    if (!rule) return period;
    const ruled = rulePeriod(rule, epochSeconds);
    return { ...ruled, from: Math.max(ruled.from, period.from) };
  };
}

function readBlock(view: DataView, at: number, timeSize: 4 | 8): Block | undefined {
  if (view.byteLength < at + HEADER_SIZE || view.getUint32(at) !== MAGIC) return undefined;
  const version = view.getUint8(at + 4);
  const count = (index: number) => view.getUint32(at + 20 + index * 4);
  const [utcFlags, standardFlags, leaps] = [count(0), count(1), count(2)];
  const [timeCount, typeCount, letters] = [count(3), count(4), count(5)];

  const times = at + HEADER_SIZE;
  const indices = times + timeCount * timeSize;
  const types = indices + timeCount;
  const end = types + typeCount * TYPE_SIZE + letters + leaps * (timeSize + 4) + standardFlags + utcFlags;
  return {
    version: version === 0 ? 1 : version - 0x30,
    timeSize,
    timeCount,
    typeCount,
    times,
    indices,
    types,
    end,
  };
}

/** The rule between the two newlines after the second block; undefined when there is none. */
function readFooter(rest: Uint8Array): PosixRule | undefined {
  const text = new TextDecoder().decode(rest);
  return parsePosixRule(text.slice(1, text.indexOf("\n", 1)));
}

function findPeriod(view: DataView, block: Block, epochSeconds: number): Period {
  const passed = countPassed(view, block, epochSeconds);
  const from = passed === 0 ? -Infinity : timeAt(view, block, passed - 1);
  const until = passed === block.timeCount ? Infinity : timeAt(view, block, passed);
  const type = passed === 0 ? 0 : view.getUint8(block.indices + passed - 1);
  return { from, until, offset: view.getInt32(block.types + type * TYPE_SIZE) };
}

/** The number of changes at or before an instant, by binary search. */
function countPassed(view: DataView, block: Block, epochSeconds: number): number {
  let low = 0;
  let high = block.timeCount;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (timeAt(view, block, middle) <= epochSeconds) low = middle + 1;
    else high = middle;
  }
  return low;
}

function timeAt(view: DataView, { times, timeSize }: Block, index: number): number {
  const at = times + index * timeSize;
  if (timeSize === 4) return view.getInt32(at);
  return view.getInt32(at) * 2 ** 32 + view.getUint32(at + 4); // exact to 2^53, without BigInt
}
