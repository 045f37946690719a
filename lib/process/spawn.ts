/** Starts processes. */

import { accessSync, closeSync, constants, openSync, readSync, statSync } from "node:fs";
import type { ChildEnvironment, Environment } from "../environment.ts";
import { signalName, signalNumber } from "../environment.ts";
import { EXIT, errnoOf, Failure, reasonOf } from "../errors.ts";
import { start } from "../runtime.ts";
import { ignoredSignals } from "./proc.ts";

export type Signal = NodeJS.Signals;

/** How a process ended: `code` is 128+n after signal n, as a shell has it. */
export interface Exit {
  readonly code: number;
  readonly signal: Signal | undefined;
}

export interface Child {
  readonly pid: number;
  /** The file that was started. */
  readonly path: string;
  readonly exited: Promise<Exit>;
  /** Its output, for each descriptor that was asked for as "pipe". */
  readonly stdout: ReadableStream<Uint8Array> | undefined;
  readonly stderr: ReadableStream<Uint8Array> | undefined;
}

/** A descriptor number, our own ("inherit"), a fresh socket to read from ("pipe"), or /dev/null ("ignore"). */
export type Stdio = "ignore" | "inherit" | "pipe" | number;

/** Where a child finds a descriptor that it was started with (see SpawnOptions.inherit). */
export const INHERITED_FD = 3;

export interface SpawnOptions {
  readonly env: ChildEnvironment;
  readonly cwd?: string;
  /** Bytes are what the child reads there, followed by end of file. */
  readonly stdin?: Stdio | Uint8Array;
  readonly stdout?: Stdio;
  readonly stderr?: Stdio;
  /** An open descriptor that the child inherits as its 3: a lock that outlives us with it. */
  readonly inherit?: number | undefined;
  /** Make it the leader of a session and of a process group of its own. */
  readonly session?: boolean;
}

/** The program cannot be started: exit code 127 when it is missing, 126 when it cannot be executed. */
export class CannotStart extends Failure {
  constructor(
    readonly program: string,
    readonly why: "missing" | "not executable",
    detail: string,
  ) {
    super(
      why === "missing" ? `${program} was not found ${detail}.` : `${program} cannot be executed: ${detail}.`,
      why === "missing" ? EXIT.notFound : EXIT.notExecutable,
    );
  }
}

let ignored: ReadonlySet<number> | undefined;

/** The numbers of the signals that were ignored when we were started, as by nohup(1). Bun does not pass that on to children. */
export function signalsIgnoredHere(): ReadonlySet<number> {
  ignored ??= ignoredSignals("self");
  return ignored;
}

const SIGCHLD = 17;
let isReaping = false;

/** Where SIGCHLD is ignored, as a parent may have set it (`trap '' CHLD`), no child's end could be waited for. */
function reapChildren(): void {
  if (isReaping) return;
  isReaping = true;
  if (signalsIgnoredHere().has(SIGCHLD)) process.on("SIGCHLD", () => {});
}

/**
 * For what does a moment's work for us (flock, mkfifo, mount): none of the environment's secrets are its business. The
 * locale that needs no files: flock(1) would load eleven of them.
 */
export const plainEnvironment = ({ PATH }: Environment): ChildEnvironment => ({ PATH, LC_ALL: "C" });

/** Starts `command[0]`, looked up in env.PATH. Throws CannotStart. */
export function spawn(command: readonly string[], options: SpawnOptions): Child {
  const program = command[0] ?? "";
  const path = resolveProgram(program, options.env.PATH);
  const { stdin = "ignore", stdout = "ignore", stderr = "ignore", inherit } = options;
  const { env, cwd, session = false } = options;
  reapChildren();
  const called = (words: string[], argv0: string) =>
    start(words, {
      argv0,
      env,
      stdio: inherit === undefined ? [stdin, stdout, stderr] : [stdin, stdout, stderr, inherit],
      cwd,
      detached: session,
    });
  try {
    const child = orByShell(called, path, program, command.slice(1));
    return {
      pid: child.pid,
      path,
      exited: child.exited.then(({ code, signal }) => exitOf(code, signal)),
      stdout: child.stdout,
      stderr: child.stderr,
    };
  } catch (error) {
    throw new CannotStart(program, "not executable", whyNot(path, error));
  }
}

function whyNot(path: string, error: unknown): string {
  switch (errnoOf(error)) {
    case "ENOENT": // The file is there, so its interpreter or loader is not.
      return `${path} names an interpreter that is missing`;
    case "ENOEXEC":
      return `${path} is not a program for this machine`;
    case "EAGAIN": // Of fork(2).
      return "no more processes are allowed; raise the limit (ulimit -u, or the container's pids limit)";
    case "ENOMEM":
      return "there is no memory left to start it";
    default:
      return reasonOf(error);
  }
}

/** A script without a `#!` line is run by /bin/sh, as execvp(3) and every shell do. */
function orByShell<T>(
  start: (words: string[], argv0: string) => T,
  path: string,
  argv0: string,
  rest: string[],
): T {
  try {
    return start([path, ...rest], argv0);
  } catch (error) {
    if (errnoOf(error) !== "ENOEXEC" || isElf(path)) throw error;
    return start(["/bin/sh", path, ...rest], "/bin/sh");
  }
}

/** A binary for another machine is not a script. */
function isElf(path: string): boolean {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    const head = Buffer.alloc(4);
    readSync(fd, head, 0, 4, 0);
    return head.toString("latin1") === "\x7fELF";
  } finally {
    closeSync(fd);
  }
}

/** Sends a signal; false when there is no such process (any more). A negative pid means its group. */
export function signal(pid: number, name: Signal | 0): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    // ESRCH: it has ended. EPERM: it runs as another user now, and is beyond us either way.
    return false;
  }
}

/** The path that execvp(3) would take for `program`. Throws CannotStart. */
export function resolveProgram(
  program: string,
  path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
) {
  if (program.includes("/")) {
    const verdict = executability(program);
    if (verdict === undefined) return program;
    throw new CannotStart(program, verdict, verdict === "missing" ? "there" : "it lacks the permission");
  }
  let refused: string | undefined;
  for (const folder of path.split(":")) {
    const candidate = `${folder || "."}/${program}`;
    const verdict = executability(candidate);
    if (verdict === undefined) return candidate;
    if (verdict === "not executable") refused ??= candidate;
  }
  if (refused !== undefined) {
    throw new CannotStart(program, "not executable", `${refused} lacks the permission`);
  }
  throw new CannotStart(program, "missing", `in PATH=${path}`);
}

function executability(path: string): "missing" | "not executable" | undefined {
  try {
    if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return "missing";
    accessSync(path, constants.X_OK);
    return undefined;
  } catch (error) {
    return errnoOf(error) === "EACCES" ? "not executable" : "missing";
  }
}

function exitOf(code: number | null, name: Signal | number | null): Exit {
  if (name === null) return { code: code ?? 0, signal: undefined };
  const signal = typeof name === "string" ? name : signalName(name);
  return { code: signal === undefined ? 128 + Number(name) : exitCodeOfSignal(signal), signal };
}

/** The exit code of a process that signal `name` ended: 128 plus its number. */
export function exitCodeOfSignal(name: Signal): number {
  return 128 + (signalNumber(name) ?? 0);
}
