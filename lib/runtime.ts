/**
 * The runtime adapter: everything for which Bun has an API of its own, and its equivalent from Node's modules, which Deno
 * has too. The only file that names Bun.
 */

import { constants, openSync } from "node:fs";

type Signal = NodeJS.Signals;
type Source = "ignore" | "inherit" | "pipe" | number;

export interface StartOptions {
  readonly argv0: string;
  readonly env: Record<string, string | undefined>;
  /** stdin (or the bytes to be read there), stdout, stderr, and a descriptor that the child gets as 3. */
  readonly stdio: readonly [Source | Uint8Array, Source, Source, number?];
  readonly cwd?: string | undefined;
  readonly detached: boolean;
}

export interface Started {
  readonly pid: number;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: Signal | number | null }>;
  readonly stdout: ReadableStream<Uint8Array> | undefined;
  readonly stderr: ReadableStream<Uint8Array> | undefined;
}

const isBun = typeof Bun !== "undefined";

/**
 * The most bytes to pass to one write(2). Deno's writeSync continues until everything is written, and when it fails does
 * not report how much was; a pipe takes up to 4096 bytes at once or not at all (POSIX, PIPE_BUF).
 */
export const WRITE_MOST = isBun ? Number.POSITIVE_INFINITY : 4096;

/** One of Node's built-in modules, loaded on the first call: a bundled import would be loaded by every tick. */
export const builtin = <N extends keyof Builtins>(name: N): Builtins[N] =>
  process.getBuiltinModule(name) as Builtins[N];

interface Builtins {
  "node:child_process": typeof import("node:child_process");
  "node:crypto": typeof import("node:crypto");
  "node:os": typeof import("node:os");
  "node:tty": typeof import("node:tty");
  "node:zlib": typeof import("node:zlib");
}

/** Starts words[0], a path. Throws an error with the errno's name as its code. */
export const start = (words: string[], options: StartOptions): Started =>
  isBun ? startByBun(words, options) : startByNode(words, options);

function startByBun(words: string[], { stdio, cwd, ...options }: StartOptions): Started {
  const child: Bun.Subprocess = Bun.spawn(words, {
    ...options,
    // biome-ignore lint/suspicious/noExplicitAny: Bun's types want a tuple of one length
    stdio: stdio as any,
    ...(cwd === undefined ? {} : { cwd }),
  });
  return {
    pid: child.pid,
    exited: child.exited.then(() => ({ code: child.exitCode, signal: child.signalCode })),
    stdout: child.stdout instanceof ReadableStream ? child.stdout : undefined,
    stderr: child.stderr instanceof ReadableStream ? child.stderr : undefined,
  };
}

let devNull: number | undefined;

function nothing(): number {
  devNull ??= openSync("/dev/null", constants.O_RDWR);
  return devNull;
}

function startByNode([path = "", ...args]: string[], { stdio, ...options }: StartOptions): Started {
  const [stdin, ...others] = stdio;
  const input = stdin instanceof Uint8Array ? stdin : undefined;
  const child = builtin("node:child_process").spawn(path, args, {
    ...options,
    cwd: options.cwd,
    // Unlike Bun it passes on inherited descriptors: a hook would get the lock of a locked_run above us as its 3.
    stdio: [input === undefined ? (stdin as Source) : "pipe", others[0], others[1], others[2] ?? nothing()],
  });
  // A failed start is reported later, by an event; our caller must know now.
  child.on("error", () => {});
  if (child.pid === undefined)
    throw Object.assign(new Error(`${path} cannot be started`), { code: errnoOfStart(path) });
  if (input !== undefined) child.stdin?.on("error", () => {}).end(input);
  return {
    pid: child.pid,
    exited: new Promise((resolve) => child.once("exit", (code, signal) => resolve({ code, signal }))),
    stdout: child.stdout === null ? undefined : webOf(child.stdout),
    stderr: child.stderr === null ? undefined : webOf(child.stderr),
  };
}

/** Why execve(2) has refused an executable file, as far as its first bytes tell. */
function errnoOfStart(path: string): string {
  const { readSync, closeSync } = process.getBuiltinModule("node:fs");
  const fd = openSync(path, constants.O_RDONLY);
  const head = Buffer.alloc(4);
  readSync(fd, head, 0, 4, 0);
  closeSync(fd);
  return head.toString("latin1", 0, 2) === "#!" ? "ENOENT" : "ENOEXEC";
}

/** Like Readable.toWeb, except that cancelling it is not an error. */
function webOf(stream: import("node:stream").Readable): ReadableStream<Uint8Array> {
  const chunks = stream.iterator({ destroyOnReturn: true });
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const { value, done } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: () => void stream.destroy(),
    },
    { highWaterMark: 0 },
  );
}

/** The bytes from the read end of a named pipe. Call it while the pipe has a writer. */
export function streamOf(fd: number): ReadableStream<Uint8Array> {
  if (isBun) return Bun.file(fd).stream();
  // Node reads files on threads, and these fail on a non-blocking descriptor: the pipe is opened a second time.
  const again = openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY);
  const stream = process.getBuiltinModule("node:fs").createReadStream("", { fd: again });
  return webOf(stream);
}

/**
 * zstd on the threads of the runtime: several calls at once share the processors, which those of Bun's node:zlib do
 * not (1.0 s against 1.7 s for 512 MiB on two cores, measured).
 */
export function zstdCompress(bytes: Uint8Array, level: number): Promise<Uint8Array> {
  if (isBun) return Bun.zstdCompress(bytes as Uint8Array<ArrayBuffer>, { level });
  const { constants, zstdCompress } = builtin("node:zlib");
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  return new Promise((resolve, reject) =>
    zstdCompress(bytes, { params }, (error, result) => (error ? reject(error) : resolve(result))),
  );
}

/**
 * Turns on JavaScriptCore's JIT compilers, which the build delays (--compile-jit-policy in the Makefile): in a tick, which
 * exits before they pay off, they would use a quarter of all CPU time. To be called before long loops (10,000 iterations,
 * say); a second call does nothing.
 */
export const enableJit = (): void => {
  if (isBun) Bun.unsafe.setJITPolicy(1);
};
