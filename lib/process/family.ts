/**
 * Finds all that one process has started, by /proc.
 *
 * A process group is not enough: `timeout`, a shell with `set -m` and every program that calls setpgid(2) put
 * their children into groups of their own, so a kill of the group leaves them running. They stay in the
 * session, and what has left the session too still carries the environment it was started with.
 */

import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";

export interface Family {
  /** The session and group leader. */
  readonly leader: number;
  /** `NAME=value` pairs that only this family carries in its environment. */
  readonly marks: readonly string[];
  /** The path of the one program that is asked to end; without it all of the session is. */
  readonly program?: string;
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
export function statOf(pid: number | "self"): Stat | undefined {
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

/** Is the process there and more than a zombie? */
export function isAlive(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== undefined && !isDead(stat);
}

/** The members of the leader's session and group that still run. Without /proc: none are seen. */
export function sessionMembers(leader: number): Stat[] {
  return pids()
    .map(statOf)
    .filter((stat) => stat !== undefined)
    .filter((stat) => !isDead(stat) && (stat.session === leader || stat.group === leader));
}

/**
 * The processes of the session that run `program` itself, by that file or by its name: the leader, or what a
 * wrapper script has started. None where /proc does not tell.
 */
export function processesOf(program: string, leader: number): Stat[] {
  const isProgram = (path: string) => path === realPath(program) || nameIn(path) === nameIn(program);
  return sessionMembers(leader).filter(({ pid }) => {
    try {
      return isProgram(readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, ""));
    } catch {
      // Another user's, or it has just ended.
      return false;
    }
  });
}

const nameIn = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // It was replaced by a newer one while it ran: the path as we started it must do.
    return path;
  }
}

/** The pids of all that still runs of a family: its session, and what left it but carries its marks. */
export function familyMembers(family: Family): number[] {
  const session = new Set(sessionMembers(family.leader).map((member) => member.pid));
  return pids().filter((pid) => session.has(pid) || carries(pid, family.marks));
}

/** Is `ancestor` the parent, or a parent's parent, of this process? */
export function isAncestor(ancestor: number): boolean {
  let stat = statOf("self");
  while (stat !== undefined && stat.parent > 0) {
    if (stat.parent === ancestor) return true;
    stat = statOf(stat.parent);
  }
  return false;
}

/** The name of a process's program, for people; "?" when it has just ended. */
export function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    // Gone between two looks at /proc.
    return "?";
  }
}

/** Pids that can be seen. Without /proc: none. */
export function pids(): number[] {
  try {
    return readdirSync("/proc").map(Number).filter(Number.isInteger);
  } catch {
    // No /proc: the caller falls back on the process group, which the kernel knows without it.
    return [];
  }
}

export function procIsReadable(): boolean {
  return statOf("self") !== undefined;
}

function isDead(stat: Stat): boolean {
  return stat.state === "Z" || stat.state === "X";
}

function carries(pid: number, marks: readonly string[]): boolean {
  if (marks.length === 0 || pid === process.pid) return false;
  try {
    const environment = `\0${readFileSync(`/proc/${pid}/environ`, "utf8")}`;
    return marks.every((mark) => environment.includes(`\0${mark}\0`)) && isAlive(pid);
  } catch {
    // Another user's process, or one that has just ended: not ours to touch.
    return false;
  }
}
