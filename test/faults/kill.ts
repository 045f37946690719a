/** Kills a run at a given moment, and checks what it has left and the run after it. */

import { expect } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { hasLocked } from "../support/holders.ts";
import { alive, finish, type World } from "../support/world.ts";
import { waitForPeace } from "./peace.ts";
import type { Victim } from "./victims.ts";

export interface DoctorContext {
  readonly world: World;
  readonly worker: string;
  readonly victim: Victim;
}

export interface Death {
  /** The phase in the marker when it was killed, or that there was no marker (any more). */
  readonly moment: string;
  /** Did the next run report it? */
  readonly reported: boolean;
}

/** A complete undisturbed run: its duration in milliseconds, and its output. */
export async function liveOnce({
  world,
  worker,
  victim,
}: DoctorContext): Promise<{ ms: number; stdout: string }> {
  await victim.again?.(world);
  const begun = performance.now();
  const run = world.start(worker, victim.args);
  const attended = victim.attend?.(world, () => run.exitCode !== null || run.signalCode !== null);
  const { code, stdout, stderr } = await finish(run);
  const ms = performance.now() - begun;
  await attended;
  expect({ worker, code, stderr, stdout }).toEqual({ worker, code: 0, stderr: "", stdout });
  expect(world.record(worker)).toMatchObject({ status: "ok", exit_code: 0 });
  return { ms, stdout };
}

/** Kills one run after `ms` milliseconds, then makes another. `round` counts from 0. */
export async function killAfter(patient: DoctorContext, ms: number, round: number): Promise<Death> {
  const { world, worker, victim } = patient;
  await victim.again?.(world);
  const run = world.start(worker, victim.args);
  const attended = victim.attend?.(world, () => run.exitCode !== null || run.signalCode !== null);
  const output = finish(run);
  await waitUntil(performance.now() + ms);
  run.kill("SIGKILL");
  await run.exited;
  await attended;
  const death = whatIsLeft(patient, run.pid, run.signalCode === "SIGKILL");
  await lockGoesWithItsKeepers(patient);
  const isTold = (await victim.clear?.(world, round)) === true;
  await waitForPeace(world);
  await output;
  await nextRunIsRight(patient, run.pid, death.reported, isTold);
  return death;
}

/** Timers have a resolution of one millisecond. */
async function waitUntil(end: number): Promise<void> {
  await Bun.sleep(Math.max(0, end - performance.now() - 2));
  while (performance.now() < end);
}

function whatIsLeft({ world, worker }: DoctorContext, pid: number, wasKilled: boolean): Death {
  const wrote = world.history().some(({ run_id }) => run_id.endsWith(`-${pid}`));
  const marker = `lock/${worker}.run.json`;
  const mark = world.has(marker) ? JSON.parse(world.read(marker)) : undefined;
  if (mark !== undefined) expect(mark.pid).toBe(pid);
  const last = world.record(worker);
  expect(last.status).toBe("ok");
  if (!wasKilled) return { moment: "after its end", reported: false };
  if (mark !== undefined) {
    return { moment: wrote ? "with all said" : `in ${mark.phase}`, reported: !wrote };
  }
  return { moment: wrote ? "with all said" : "before its marker", reported: false };
}

/** While a child of it has its lock, no other run gets it; afterwards any does. */
async function lockGoesWithItsKeepers({ world, worker }: DoctorContext): Promise<void> {
  const path = `${world.lock}/${worker}.lock`;
  if (!existsSync(path)) return;
  const keepers = world.processes().filter((pid) => hasLocked(pid, path));
  const { code } = await world.exec(["flock", "-n", path, "true"]);
  if (code === 0) expect(keepers.filter(alive)).toEqual([]);
}

async function nextRunIsRight(
  patient: DoctorContext,
  pid: number,
  reported: boolean,
  isTold: boolean,
): Promise<void> {
  const { world } = patient;
  const { stdout } = await liveOnce(patient);
  const said = stdout.includes("The run before this one died without a record: run ");
  expect({ pid, said }).toEqual({ pid, said: reported && !isTold });
  const died = world
    .history()
    .filter(({ status, run_id }) => status === "died" && run_id.endsWith(`-${pid}`));
  expect(died.length).toBe(reported ? 1 : 0);
  const left = [...readdirSync(world.log), ...readdirSync(world.lock), ...readdirSync(world.dir)];
  expect(left.filter((name) => /\.tmp$|\.run\.json|rbh-\d/.test(name))).toEqual([]);
}
