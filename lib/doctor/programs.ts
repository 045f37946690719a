/** The programs that the workers start: where they are, and which version. */

import { realpathSync } from "node:fs";
import { CannotStart, resolveProgram } from "../process/spawn.ts";
import type { Patient } from "./patient.ts";

export interface Program {
  readonly path: string | null;
  readonly version: string | null;
  /** Why it cannot be used, or does not say its version. */
  readonly problem?: string;
}

/** How a program is asked for its version, and where in the answer it is. */
const QUESTIONS = {
  restic: { words: ["version"], answer: /^restic v?(\S+)/m },
  // Without a configuration of its own choice rclone would create a folder for one.
  rclone: { words: ["version", "--config="], answer: /^rclone v?(\S+)/m },
  busybox: { words: [], answer: /^BusyBox v(\S+)/m },
  flock: { words: ["--version"], answer: /^flock from (util-linux \S+)/m },
} as const;

export type ProgramName = keyof typeof QUESTIONS;

/** A program that thinks longer than this about its version is not well. */
const VERSION_MS = 10_000;

/** The version in what a program printed; undefined when it is not there. */
export function versionIn(name: ProgramName, output: string): string | undefined {
  return QUESTIONS[name].answer.exec(output)?.[1];
}

export async function programOf(name: ProgramName, { env, ask }: Patient): Promise<Program> {
  let path: string;
  try {
    path = resolveProgram(name, env.PATH);
    // busybox's flock takes no --version; it is as old as its busybox.
    if (name !== "busybox" && realpathSync(path).endsWith("/busybox")) return { path, version: "busybox" };
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    return { path: null, version: null, problem: error.message };
  }
  return { path, ...(await versionOf(name, path, ask)) };
}

async function versionOf(name: ProgramName, path: string, ask: Patient["ask"]) {
  const silent = (problem: string) => ({ version: null, problem: `${path} ${problem}` });
  try {
    // Without its garbage collector a Go program answers a tenth sooner, and it does nothing else here.
    const { code, cause, stdout } = await ask([name, ...QUESTIONS[name].words], VERSION_MS, { GOGC: "off" });
    if (cause === "timed out") return silent(`did not say its version within ${VERSION_MS / 1000} s.`);
    const version = versionIn(name, stdout);
    return version === undefined ? silent(`does not say its version (exit ${code}).`) : { version };
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    return { version: null, problem: error.message };
  }
}
