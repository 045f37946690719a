/** Ends a process and everything that it started: a polite signal, a time of grace, SIGKILL. */

import { type Family, familyMembers, processesOf, procIsReadable, sessionMembers } from "./family.ts";
import { type Signal, signal } from "./spawn.ts";
import { sleep } from "./timer.ts";

export interface Termination {
  /** SIGTERM for hooks; SIGINT for restic and rclone, which then clean up behind themselves. */
  readonly first: Signal;
  /** Milliseconds still left until SIGKILL. Asked again while waiting: a stop may shorten them. */
  readonly msLeft: () => number;
}

/** How often the family is looked at while it is given time to end, in milliseconds. */
const LOOK_MS = 20;
/** A family that forks faster than it is killed is given up after this many rounds (a second). */
const ROUNDS = 50;

/** Resolves when nothing of the family runs any more; `forced` says whether it took SIGKILL. */
export async function terminate(
  family: Family,
  { first, msLeft }: Termination,
): Promise<{ forced: boolean }> {
  ask(family, first);
  while (msLeft() > 0) {
    if (!lives(family)) return { forced: false };
    await sleep(LOOK_MS);
  }
  if (!lives(family)) return { forced: false };
  for (let round = 0; round < ROUNDS && lives(family); round++) {
    killNow(family);
    await sleep(LOOK_MS);
  }
  return { forced: true };
}

/** SIGKILL to all of it, once, without waiting. */
export function killNow(family: Family): void {
  signal(-family.leader, "SIGKILL");
  for (const pid of familyMembers(family)) signal(pid, "SIGKILL");
}

/**
 * Where one program is meant, only that: restic needs the rclone or ssh that it has started, in its own group or
 * not, to take its lock out of the repository. Else the group by one call, which needs no /proc, and then what
 * has left the group but not the session.
 */
function ask({ leader, program }: Family, name: Signal): void {
  const meant = program === undefined ? [] : processesOf(program, leader);
  for (const { pid } of meant) signal(pid, name);
  if (meant.length > 0) return;
  const strays = sessionMembers(leader).filter((member) => member.group !== leader);
  signal(-leader, name);
  for (const stray of strays) signal(stray.pid, name);
}

function lives(family: Family): boolean {
  // The kernel counts zombies as members of a group, so its word is taken only where /proc says nothing.
  return procIsReadable() ? familyMembers(family).length > 0 : signal(-family.leader, 0);
}
