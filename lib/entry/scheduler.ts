/** Who starts the jobs: busybox's crond where it can, we ourselves where it cannot. */

import { readFileSync } from "node:fs";
import { CannotStart, resolveProgram } from "../process/spawn.ts";
import { Crond } from "./crond.ts";
import type { Scheduler, Start } from "./scene.ts";
import { Ticker } from "./ticker.ts";

/** Linux, capability.h. */
const CAP_SETGID = 6n;

/** `crontab` is the text that stands in CRONTAB_DIR. */
export async function startScheduler(start: Start, crontab: string): Promise<Scheduler> {
  const problem = whyNoCrond(start);
  if (problem === undefined) return Crond.start(start);
  start.log.info(`crond cannot be used (${problem}): entry starts the jobs itself, by the same crontab.`);
  return new Ticker(start, crontab);
}

/**
 * busybox's crond reads a crontab that root owns and nobody else's, and calls setgroups(2) before every job: as
 * another user, or as a root without CAP_SETGID, it stays alive and runs nothing (measured, 1.35).
 */
function whyNoCrond({ env }: Start): string | undefined {
  if (process.geteuid?.() !== 0) return "it runs jobs for root only";
  if (!hasCapability(CAP_SETGID)) return "without CAP_SETGID it runs no job";
  try {
    resolveProgram("crond", env.PATH);
    return undefined;
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    return error.message.replace(/\.$/, "");
  }
}

function hasCapability(bit: bigint): boolean {
  try {
    const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
    return ((BigInt(`0x${effective ?? "0"}`) >> bit) & 1n) === 1n;
  } catch {
    // No /proc: root has its capabilities, as a rule.
    return true;
  }
}
