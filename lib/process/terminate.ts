/** Ends a process and everything that it started: a polite signal, a time of grace, SIGKILL. */

import { type Family, familyMembers, procIsReadable, programOf } from "./family.ts";
import { type Signal, signal } from "./spawn.ts";
import { sleep } from "./timer.ts";

export interface Termination {
  /** SIGTERM for hooks; SIGINT for restic and rclone, which then clean up behind themselves. */
  readonly first: Signal;
  /** Milliseconds still left until SIGKILL. Asked again while waiting: a stop may shorten them. */
  readonly msLeft: () => number;
}

/** How long it is waited before the family is looked at again, in milliseconds: doubled from the one to the other. */
const LOOK_MS = { first: 10, most: 160 };
/** A family that forks faster than it is killed is given up after this many rounds of this many milliseconds. */
const ROUNDS = 50;
const ROUND_MS = 20;

/** Resolves when nothing of the family runs any more; `forced` says whether it took SIGKILL. */
export async function terminate(
  family: Family,
  { first, msLeft }: Termination,
): Promise<{ forced: boolean }> {
  ask(family, first);
  let look = LOOK_MS.first;
  for (let left = msLeft(); left > 0; left = msLeft()) {
    if (!lives(family)) return { forced: false };
    await sleep(Math.min(look, left));
    look = Math.min(look * 2, LOOK_MS.most);
  }
  if (!lives(family)) return { forced: false };
  for (let round = 0; round < ROUNDS && lives(family); round++) {
    killNow(family);
    await sleep(ROUND_MS);
  }
  return { forced: true };
}

/** SIGKILL to all of it, once, without waiting. */
export function killNow(family: Family): void {
  signal(-family.leader, "SIGKILL");
  for (const { pid } of familyMembers(family)) signal(pid, "SIGKILL");
}

/**
 * SIGINT is for the program alone: restic works through others (rclone, ssh), often in its own group, and still
 * needs them to remove its lock. Any other signal is for all of the family.
 */
function ask(family: Family, name: Signal): void {
  if (name === "SIGINT") {
    for (const pid of programOf(family)) signal(pid, name);
    return;
  }
  const strays = familyMembers(family).filter(({ group }) => group !== family.leader);
  signal(-family.leader, name);
  for (const { pid } of strays) signal(pid, name);
}

function lives(family: Family): boolean {
  // The kernel counts zombies as members of a group, so its word is taken only where /proc says nothing.
  return procIsReadable() ? familyMembers(family).length > 0 : signal(-family.leader, 0);
}
