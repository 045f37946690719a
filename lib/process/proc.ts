/**
 * What /proc shows of processes: which ones a child has started, who could still write to a file, which temporary files
 * belong to nobody any more. Where there is no /proc, none are seen.
 *
 * To find all that a child has started, its process group is not enough: `timeout`, a shell with `set -m` and every
 * program that calls setpgid(2) put their children into groups of their own, so a kill of the group leaves them running.
 * They stay in the session; what has left the session too still carries the environment it was started with, prints into
 * the same pipe, or has a parent that does. Only a daemon that has shed all four is not found.
 */

import { readdirSync, readFileSync, readlinkSync, type Stats, statSync } from "node:fs";
import { discard } from "../files/files.ts";

export interface Family {
  /** The program itself, mostly the leader of a session and a group. */
  readonly leader: number;
  /** `NAME=value` pairs that only this family carries in its environment. */
  readonly marks: readonly string[];
  /** The name of the program that a polite SIGINT is for; without it, and in a script of that name, the leader. */
  readonly program?: string | undefined;
  /** A pipe that only this family has as its stdout or stderr. */
  readonly output?: string | undefined;
}

/** What /proc/<pid>/stat says. `ticks` since boot tells two processes with one pid apart. */
export interface Stat {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  readonly ticks: number;
}

/** undefined when there is no such process, or no /proc. */
export function readStat(pid: number | "self"): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The command stands in parentheses and may hold any character, a ")" too: fields begin after the last.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return {
      pid: Number(text.slice(0, text.indexOf(" "))),
      state: fields[0] ?? "",
      parent: Number(fields[1]),
      group: Number(fields[2]),
      session: Number(fields[3]),
      ticks: Number(fields[19]),
    };
  } catch {
    // It has ended, or /proc is not mounted: to the caller both mean "cannot be seen".
    return undefined;
  }
}

/** The numbers of the signals that a process ignores. */
export function ignoredSignals(pid: number | "self"): ReadonlySet<number> {
  try {
    const mask = /^SigIgn:\s*([0-9a-f]+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
    const bits = [...BigInt(`0x${mask ?? "0"}`).toString(2)].reverse();
    return new Set(bits.flatMap((bit, at) => (bit === "1" ? [at + 1] : [])));
  } catch {
    // It has ended, or there is no /proc: as if none were ignored.
    return new Set();
  }
}

/** Is the process there and more than a zombie? */
export function isAlive(pid: number): boolean {
  const stat = readStat(pid);
  return stat !== undefined && !isDead(stat);
}

/** All members of a family that still run. */
export function familyMembers({ leader, marks, output }: Family): Stat[] {
  const running = everyProcess().filter((stat) => !isDead(stat) && stat.pid !== process.pid);
  const found = new Set<number>();
  for (const { pid, session, group } of running) {
    const isNear = pid === leader || session === leader || group === leader;
    if (isNear || carries(pid, marks) || printsInto(pid, output)) found.add(pid);
  }
  addChildren(found, running);
  return running.filter(({ pid }) => found.has(pid));
}

/** A child mostly has a higher pid than its parent, but pids wrap around: repeated until a round finds no other. */
function addChildren(found: Set<number>, stats: readonly Stat[]): void {
  let size: number;
  do {
    size = found.size;
    for (const { pid, parent } of stats) if (found.has(parent)) found.add(pid);
  } while (found.size > size);
}

/** The children of these processes and the children's children, as far as they still have their parent. */
export function descendantsOf(ancestors: readonly number[]): number[] {
  const found = new Set(ancestors);
  addChildren(found, everyProcess());
  return [...found].filter((pid) => !ancestors.includes(pid));
}

/** Shells, by the names of their programs. */
const SHELL = /\/(sh|dash|ash|bash|busybox|ksh|zsh)$/;

/** Is the process one of our own commands? */
export const runsThisProgram = (pid: number): boolean =>
  readLink(pid, "exe") !== undefined && readLink(pid, "exe") === readLink("self", "exe");

export const isShell = (pid: number): boolean => SHELL.test(readLink(pid, "exe") ?? "");

/** The processes of the family that run its program itself: the leader, or what a wrapper script has started. */
export function programProcesses({ leader, program }: Family): number[] {
  const runs = (pid: number) =>
    readLink(pid, "exe")
      ?.replace(/ \(deleted\)$/, "")
      .endsWith(`/${program}`) ?? false;
  const named = program === undefined ? [] : [leader, ...descendantsOf([leader])].filter(runs);
  return named.length > 0 ? named : withChildren(leader);
}

/** The process itself; where it is a shell, which hands no signal on to what it waits for, its children as well. */
function withChildren(leader: number): number[] {
  if (!isShell(leader)) return [leader];
  const children = everyProcess().filter(({ parent }) => parent === leader);
  return [leader, ...children.flatMap(({ pid }) => withChildren(pid))];
}

/** Is `ancestor` the parent of a process (by default this one), or a parent's parent? */
export function isAncestor(ancestor: number, of: number | "self" = "self"): boolean {
  let stat = readStat(of);
  while (stat !== undefined && stat.parent > 0) {
    if (stat.parent === ancestor) return true;
    stat = readStat(stat.parent);
  }
  return false;
}

/** Ticks in /proc are hundredths of a second since the boot (USER_HZ, proc_pid_stat(5)); epoch milliseconds. */
export function epochOfTicks(ticks: number): number | undefined {
  try {
    const boot = /^btime (\d+)$/m.exec(readFileSync("/proc/stat", "latin1"))?.[1];
    return boot === undefined ? undefined : Number(boot) * 1000 + ticks * 10;
  } catch {
    // No /proc: the time is unknown.
    return undefined;
  }
}

/** The boot and the pid namespace: within one of them a pid and its ticks name one process. "" where it is unknown. */
export function pidSpace(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    return `${boot} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    // No /proc: no process can be told from a later one with its pid.
    return "";
  }
}

/** The file that a process runs, without its folder; its own name for itself where that is not ours to see. */
export function programFile(pid: number): string {
  const file = readLink(pid, "exe")?.replace(/ \(deleted\)$/, "");
  return file === undefined ? processName(pid) : file.slice(file.lastIndexOf("/") + 1);
}

/** The name of a process's program, for people; "?" when it has just ended. */
export function processName(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    // It has just ended.
    return "?";
  }
}

const everyProcess = (): Stat[] =>
  pids()
    .map(readStat)
    .filter((stat) => stat !== undefined);

/** All pids that can be seen. */
export function pids(): number[] {
  try {
    return readdirSync("/proc").map(Number).filter(Number.isInteger);
  } catch {
    // No /proc: the caller falls back on the process group, which the kernel knows without it.
    return [];
  }
}

export function procIsReadable(): boolean {
  return readStat("self") !== undefined;
}

function isDead(stat: Stat): boolean {
  return stat.state === "Z" || stat.state === "X";
}

function carries(pid: number, marks: readonly string[]): boolean {
  if (marks.length === 0) return false;
  try {
    const environment = `\0${readFileSync(`/proc/${pid}/environ`, "utf8")}`;
    return marks.every((mark) => environment.includes(`\0${mark}\0`));
  } catch {
    // Another user's process, or one that has just ended: not ours to touch.
    return false;
  }
}

function printsInto(pid: number, output: string | undefined): boolean {
  return output !== undefined && [1, 2].some((fd) => targetOf(pid, fd) === output);
}

/** What /proc shows as the target of a descriptor; undefined when it is closed, or not ours to see. */
export const targetOf = (pid: number | "self", fd: number): string | undefined => readLink(pid, `fd/${fd}`);

function readLink(pid: number | "self", name: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/${name}`);
  } catch {
    // Closed, another user's, ended, or no /proc: all of them mean "not known".
    return undefined;
  }
}

/** O_ACCMODE: these bits are 0 for a reader. */
const ACCESS_MODE = 3;

/** Pids of the other processes that have the file open for writing. Only root sees those of another user. */
export function writersOf(file: Stats): number[] {
  return pids().filter((pid) => pid !== process.pid && descriptors(pid).some((fd) => writes(pid, fd, file)));
}

function descriptors(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`);
  } catch {
    // It has just ended, or is another user's.
    return [];
  }
}

function writes(pid: number, fd: string, { dev, ino }: Stats): boolean {
  try {
    const held = statSync(`/proc/${pid}/fd/${fd}`);
    if (held.ino !== ino || held.dev !== dev) return false;
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, "latin1"))?.[1];
    return (Number.parseInt(flags ?? "0", 8) & ACCESS_MODE) !== 0;
  } catch {
    // Closed while we looked.
    return false;
  }
}

/** Removes temporary files that were to become the file at `path` (see temporaryOf) and whose process has died. */
export function removeDeadTempFiles(path: string): void {
  const cut = path.lastIndexOf("/") + 1;
  const folder = path.slice(0, cut);
  const start = `${path.slice(cut)}.`;
  try {
    for (const name of readdirSync(folder)) {
      if (!name.startsWith(start) || !name.endsWith(".tmp")) continue;
      if (!isAlive(Number.parseInt(name.slice(start.length), 10))) discard(folder + name);
    }
  } catch {
    // The folder is gone, or not ours to read: writing into it will fail too, and that is reported.
  }
}
