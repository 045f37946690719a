/**
 * Makes single system calls of a worker fail, by strace's fault injection. Only the worker's main thread is traced,
 * which makes all of its synchronous calls: what it starts is not hit.
 */

import { openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { RunOptions, World } from "../support/world.ts";

/** Calls that change something on a disk, or say that it could not be changed. */
const WRITING = [
  ...["open", "openat", "close", "write", "pwrite64", "writev", "ftruncate", "fsync", "fdatasync"],
  ...["rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "mkdir", "mkdirat"],
  ...["copy_file_range", "sendfile", "fchmod", "fchown", "utimensat"],
];

/** A busy machine makes the runtime open this or that once more in every other run: then the next attempt hits. */
const ATTEMPTS = 25;

/** A call on something below the folders that are watched. */
export interface Call {
  readonly syscall: string;
  /** Its number among the calls of its name in the process, from 1. */
  readonly nth: number;
  /** Its line in the trace. */
  readonly line: string;
  /** The same, without what differs from run to run, and with a number for each repetition. */
  readonly essence: string;
  readonly injected: boolean;
}

export const canInject = Bun.which("strace") !== null;

/** Which call fails, and how: `error=ENOSPC`, `retval=0`. */
export interface Injection {
  readonly call: Call;
  readonly how: string;
}

/** The outcome of a run under strace; `console` is what it has appended to LOG_DIR/cron.log, as under crond. */
export interface Traced {
  readonly code: number;
  readonly console: string;
  readonly stderr: string;
  readonly calls: readonly Call[];
}

/**
 * Runs a worker of which one call fails. What the runtime itself opens may come once more or once less: then
 * another call was hit, and it is tried again after `renew`.
 */
export async function withFault(
  world: World,
  worker: string,
  { call, how }: Injection,
  { renew, ...options }: RunOptions & { readonly renew: () => void },
): Promise<Traced> {
  let { nth } = call;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    renew();
    const run = await traced(world, worker, options, { call: { ...call, nth }, how });
    if (run.calls.find(({ injected }) => injected)?.essence === call.essence) return run;
    nth = run.calls.find(({ essence }) => essence === call.essence)?.nth ?? call.nth;
  }
  throw new Error(`This call could not be hit: ${call.line}`);
}

/** Runs a worker and notes its calls on what lies in LOG_DIR and LOCK_DIR. */
export async function traced(
  world: World,
  worker: string,
  { env, timeout = 30_000 }: RunOptions = {},
  injection?: Injection,
): Promise<Traced> {
  const [trace, cron] = [join(world.dir, "trace"), join(world.log, "cron.log")];
  rmSync(trace, { force: true });
  rmSync(cron, { force: true });
  const fail = injection && `inject=${injection.call.syscall}:${injection.how}:when=${injection.call.nth}`;
  const words = ["-y", "-s", "0", "-o", trace, "-e", `trace=${WRITING.join(",")}`];
  const child = Bun.spawn(["strace", ...words, ...(fail ? ["-e", fail] : []), world.link(worker)], {
    env: { ...world.env, ...env },
    cwd: world.dir,
    stdin: "ignore",
    stdout: openSync(cron, "a"),
    stderr: "pipe",
    timeout,
    killSignal: "SIGKILL",
  });
  const [stderr, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  const calls = parse(readFileSync(trace, "utf8"), [world.log, world.lock]);
  return { code, stderr, console: readFileSync(cron, "utf8"), calls };
}

function parse(trace: string, folders: readonly string[]): Call[] {
  const counts = new Map<string, number>();
  const calls: Call[] = [];
  const times = new Map<string, number>();
  for (const line of trace.split("\n")) {
    const syscall = /^(\w+)\(/.exec(line)?.[1];
    if (syscall === undefined) continue;
    const nth = (counts.get(syscall) ?? 0) + 1;
    counts.set(syscall, nth);
    // What was opened by its descriptor is named by the result alone, which a call that was made to fail has not.
    if (!line.includes("(INJECTED)") && !folders.some((folder) => line.includes(`${folder}/`))) continue;
    const plain = essenceOf(line);
    const time = (times.get(plain) ?? 0) + 1;
    times.set(plain, time);
    calls.push({
      syscall,
      nth,
      line,
      essence: `${plain} ${time}`,
      injected: line.includes("(INJECTED)"),
    });
  }
  return calls;
}

/** The call without what differs from run to run: pid, descriptors, sizes, and how it ended. */
function essenceOf(line: string): string {
  return line
    .replace(/\) += .*$/s, "")
    .replace(/\.\d+(-[0-9a-f]+)?\.tmp/g, ".PID.tmp")
    .replace(/\/proc\/self\/fd\/\d+/g, "/proc/self/fd/N")
    .replace(/\b\d+</g, "<")
    .replace(/, \d+(, \d+)?$/, "");
}
