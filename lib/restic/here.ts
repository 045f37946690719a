/** This host, as lib/restic/evidence.ts judges locks by it. */

import { readFileSync } from "node:fs";
import { errnoOf } from "../errors.ts";
import { systemHostname } from "../host.ts";
import { statOf } from "../process/family.ts";
import type { Here, ProcessSeen } from "./evidence.ts";

export const here = (): Here => ({ hostname: systemHostname(), nowMs: Date.now(), look });

function look(pid: number): ProcessSeen {
  const reach = reachOf(pid);
  if (reach === "gone") return { state: "gone" };
  const stat = statOf(pid);
  const name = nameOf(pid);
  if (stat?.state === "Z" || stat?.state === "X") return { state: "zombie", name };
  return {
    state: "runs",
    name,
    startedMs: stat === undefined ? undefined : startOf(stat.ticks),
    reachable: reach === "ours",
  };
}

/** Not by /proc: it may hide other users' processes (hidepid). */
function reachOf(pid: number): "gone" | "ours" | "another user's" {
  // 0 and below would mean groups of processes.
  if (!Number.isInteger(pid) || pid <= 0) return "gone";
  try {
    process.kill(pid, 0);
    return "ours";
  } catch (error) {
    return errnoOf(error) === "EPERM" ? "another user's" : "gone";
  }
}

/** Ticks in /proc are hundredths of a second since the boot (USER_HZ, proc_pid_stat(5)). */
function startOf(ticks: number): number | undefined {
  try {
    const boot = /^btime (\d+)$/m.exec(readFileSync("/proc/stat", "latin1"))?.[1];
    return boot === undefined ? undefined : Number(boot) * 1000 + ticks * 10;
  } catch {
    // No /proc: then nothing is known of its start.
    return undefined;
  }
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    // It has just ended, or is hidden.
    return "a process";
  }
}
