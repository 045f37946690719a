/**
 * The memory of a command: its peak (resident, with the pages of the program's own file, which all processes of it
 * share and the kernel may drop), and its own (RssAnon of proc(5): what nobody else has, and nobody can drop).
 */

import { readFileSync } from "node:fs";
import { before } from "./before.ts";

type Env = Record<string, string | undefined>;

/**
 * What the system tells of a child that Bun has started is at least as much as Bun itself had (the kernel counts a
 * process from its fork on), so a smaller parent starts it: 10 MiB are the least to be seen.
 */
const SCRIPT =
  "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); " +
  "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";

const isMeasurable = Bun.which("python3") !== null;
const measured = (command: readonly string[]) => ["python3", "-c", SCRIPT, ...command];
const mebibytes = (printed: string) => Number(printed.trim()) / 1024;

/** In MiB; NaN without python3. */
export function peakOf(command: readonly string[], env: Env): number {
  if (!isMeasurable) return Number.NaN;
  return mebibytes(Bun.spawnSync(measured(command), { env, stderr: "ignore" }).stdout.toString());
}

/** Of a program of ours, and of the one of before. */
export const peaksOf = (command: readonly string[], env: Env): Both =>
  both(command, (each) => peakOf(each, env));

export interface Both {
  readonly ours: number;
  readonly before?: number;
}

export function both(command: readonly string[], measure: (command: readonly string[]) => number): Both {
  const older = before(command);
  return { ours: measure(command), ...(older === undefined ? {} : { before: measure(older) }) };
}

/** Words for a shell: what it is started by leaves its state in a file. For what `ownMemory` reads. */
export const tellOfParent = (file: string): string => `cat /proc/$PPID/status >'${file}'`;

/** In MiB, from /proc/PID/status or a copy of it. */
export function memoryOf(file: string, row: "VmRSS" | "RssAnon"): number {
  const [, kilobytes] = new RegExp(`^${row}:\\s*(\\d+) kB$`, "m").exec(readFileSync(file, "utf8")) ?? [];
  return kilobytes === undefined ? Number.NaN : Number(kilobytes) / 1024;
}

/** The process's own, in MiB, from a copy of /proc/PID/status. */
export const ownMemory = (file: string): number => memoryOf(file, "RssAnon");

/** As peakOf, while other things are measured. */
export async function peakMeanwhile(command: readonly string[], env: Env): Promise<number> {
  if (!isMeasurable) return Number.NaN;
  const child = Bun.spawn(measured(command), { env, stdin: "ignore", stdout: "pipe", stderr: "ignore" });
  return mebibytes(await new Response(child.stdout).text());
}
