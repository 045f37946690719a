/** Runs a worker whose restic or rclone misbehaves, and checks how the run dealt with it. */

import { expect } from "bun:test";
import { symlinkSync } from "node:fs";
import { type Result, type World, waitFor } from "../support/world.ts";
import type { Misbehaviour } from "./misbehaviours.ts";
import { waitForPeace } from "./peace.ts";

/** A program, and the worker that drives it. */
export interface Tool {
  readonly program: string;
  readonly worker: string;
}

/** Milliseconds in which even a busy machine has read a gigabyte. */
export const FLOOD_MS = 240_000;
/** The most memory that a worker may ever have had, in MiB. */
const MEMORY_MOST = 100;

/** Runs the worker once with the misbehaving program, and returns what was observed. */
export async function misbehave(world: World, tool: Tool, fault: Misbehaviour): Promise<string> {
  const { program, worker } = tool;
  const { exit = 0, script } = fault;
  const name = `bin/${program}`;
  await world.exec(["rm", "-rf", name]);
  if (typeof script === "function") script(world, name);
  else world.program(program, script);
  world.hook(`post-${worker}`, "grep VmHWM /proc/$PPID/status >$HOME/memory; echo here");
  const { code, stderr } = await (fault.stopped
    ? stop(world, worker, envOf(world, tool, fault))
    : start(world, worker, envOf(world, tool, fault)));
  expect({ code, stderr }).toEqual({ code: exit, stderr: "" });
  if (fault.leaves) for (const pid of world.processes()) process.kill(pid, "SIGKILL");
  await waitForPeace(world);
  const record = world.record(worker);
  const log = fault.floods
    ? (await world.exec(["tail", "-c", "100000", `log/${worker}-last.log`])).stdout
    : world.read(`log/${worker}-last.log`);
  // A restic that exits with 0 and has reported no snapshot made no good backup.
  const isReported = !log.includes("restic reported no snapshot");
  const status = exit !== 0 ? "failed" : isReported ? "ok" : "warning";
  expect(record).toMatchObject({ exit_code: exit, status: fault.status ?? status });
  expect(record).toMatchObject(fault.record ?? {});
  expect(record.hooks).toEqual([expect.objectContaining({ phase: `post-${worker}`, exit_code: 0 })]);
  expect(log).not.toMatch(/horse battery|of-the-key|This is a bug/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  expect(log.match(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/)).toBeNull();
  if (fault.says !== undefined) expect(log).toMatch(fault.says);
  const memory = Math.round(Number(/\d+/.exec(world.read("memory"))?.[0]) / 1024);
  expect(memory).toBeLessThan(MEMORY_MOST);
  await world.exec(["rm", "-rf", name]);
  return `exit ${code}, ${record.status}${fault.floods ? `, at most ${memory} MiB` : ""}`;
}

function envOf(world: World, { worker }: Tool, { env = {}, alone }: Misbehaviour): Record<string, string> {
  const { TIMEOUT, ...rest } = env;
  const words: Record<string, string> = { ...rest, STOP_TIMEOUT: "2" };
  if (TIMEOUT !== undefined) words[`${worker.toUpperCase()}_TIMEOUT`] = TIMEOUT;
  if (alone) words.PATH = `${world.bin}:${toolsOf(world)}`;
  return words;
}

/** A folder with the programs that a run needs, and no other. */
function toolsOf(world: World): string {
  const folder = world.folder("tools");
  for (const name of ["flock", "mkfifo", "cat", "grep", "sh"])
    symlinkSync(Bun.which(name) ?? name, `${folder}/${name}`);
  return folder;
}

/** Only the log of the run keeps the output of a flood. */
function start(world: World, worker: string, env: Record<string, string>): Promise<Result> {
  return world.exec(["sh", "-c", `exec '${world.link(worker)}' >/dev/null`], { env, timeout: FLOOD_MS });
}

async function stop(world: World, worker: string, env: Record<string, string>) {
  const child = world.start(worker, [], { env });
  await waitFor(() => world.has("here"), "the program that is to hang");
  const hasTimeout = env[`${worker.toUpperCase()}_TIMEOUT`] !== undefined;
  if (hasTimeout) await waitFor(() => world.has("asked"), "the end of its time");
  child.kill("SIGTERM");
  const [stderr, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  return { code, stderr };
}
