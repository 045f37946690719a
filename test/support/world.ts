/**
 * A world of its own for one test: folders, hooks, links to the compiled binary, and a restic, fake or real.
 *
 *   using world = new World();
 *   world.hook("pre-backup", "echo hello");
 *   world.restic("exit 3");
 *   const { code, stdout } = await world.run("backup");
 */

import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

export const binary = resolve(
  process.env.RBH_TEST_BINARY ?? join(import.meta.dir, "../../dist/restic-backup-helper"),
);

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

type Env = Record<string, string | undefined>;

export interface RunOptions {
  readonly env?: Env;
  readonly stdin?: string;
  /** Milliseconds after which the test gives up and kills it. */
  readonly timeout?: number;
}

/** A fake restic's body that ends a good backup with a summary, as every restic does. One that has its own stays as it is. */
export function reporting(body: string): string {
  if (body.includes("summary")) return body;
  const summary = '{"message_type":"summary","total_files_processed":1,"total_bytes_processed":8}';
  return `case " $* " in *" backup "*) trap '[ $? = 0 ] && echo '\\''${summary}'\\' EXIT ;; esac\n${body}`;
}

export class World {
  readonly dir = mkdtempSync(join(tmpdir(), "rbh-"));
  readonly bin = this.folder("bin");
  readonly hooks = this.folder("hooks");
  readonly log = this.folder("log");
  readonly lock = this.folder("lock");
  readonly source = this.folder("source");
  /** Where a repository can be created; see test/support/repository.ts and ready-repository.ts. */
  readonly repository = join(this.dir, "repository");
  /** The whole environment of every program in this world. */
  readonly env: Env = {
    PATH: `${this.bin}:${process.env.PATH}`,
    HOME: this.dir,
    HOSTNAME: "testhost",
    TZ: "UTC",
    HOOKS_DIR: this.hooks,
    LOG_DIR: this.log,
    LOCK_DIR: this.lock,
    BACKUP_ROOT_DIR: this.source,
    RESTIC_REPOSITORY: this.repository,
    RESTIC_PASSWORD: "correct horse battery",
    RESTIC_CACHE_DIR: join(this.dir, "cache"),
    // Only tests of the waiting itself wait for a lock.
    RESTIC_RETRY_LOCK: "0",
  };

  constructor() {
    for (const name of ["restic-backup-helper", "locked_run", "backup"]) this.link(name);
    writeFileSync(join(this.source, "file.txt"), "content\n");
  }

  folder(name: string): string {
    const path = join(this.dir, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** A link to the binary in this world's bin; returns its path. */
  link(name: string): string {
    const path = join(this.bin, name);
    if (!existsSync(path)) symlinkSync(binary, path);
    return path;
  }

  /** A file with any content, in any place below this world. */
  file(name: string, content: string | Uint8Array, mode = 0o644): string {
    const path = join(this.dir, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  }

  /** A hook of /bin/sh; `name` without `.sh` (`pre-backup`, `pre-backup.d/10-first`). */
  hook(name: string, body: string, mode = 0o755): string {
    return this.file(`hooks/${name}.sh`, `#!/bin/sh\n${body}\n`, mode);
  }

  /** A program in this world's bin that makes a fault or records its arguments. */
  program(name: string, body: string): string {
    // There may be a link to a real program (useRestic): it is replaced, not written through.
    rmSync(join(this.bin, name), { force: true });
    return this.file(`bin/${name}`, `#!/bin/sh\n${body}\n`, 0o755);
  }

  /** A fake restic. Without a body it succeeds; a backup that exits with 0 ends with a summary, as of every version. */
  restic(body = "exit 0"): string {
    return this.program("restic", reporting(body));
  }

  /** Puts a real restic in front; see test/support/restics.ts. */
  useRestic(path: string): void {
    rmSync(join(this.bin, "restic"), { force: true });
    symlinkSync(path, join(this.bin, "restic"));
  }

  /** Puts busybox's own of that name in front. */
  useBusybox(name: string): void {
    rmSync(join(this.bin, name), { force: true });
    symlinkSync(Bun.which("busybox") ?? "busybox", join(this.bin, name));
  }

  /** Starts a command by its link, and does not wait for it. */
  start(name: string, args: readonly string[] = [], options: RunOptions = {}) {
    return Bun.spawn([this.link(name), ...args], {
      env: { ...this.env, ...options.env },
      cwd: this.dir,
      stdin: options.stdin === undefined ? "ignore" : new TextEncoder().encode(options.stdin),
      stdout: "pipe",
      stderr: "pipe",
      timeout: options.timeout ?? 50_000,
      killSignal: "SIGKILL",
    });
  }

  /** Runs a command by its link until it exits. */
  async run(name: string, args: readonly string[] = [], options: RunOptions = {}): Promise<Result> {
    return finish(this.start(name, args, options));
  }

  /** Runs any program on this world's PATH until it exits. */
  async exec(command: readonly string[], options: RunOptions = {}): Promise<Result> {
    const child = Bun.spawn([...command], {
      env: { ...this.env, ...options.env },
      cwd: this.dir,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: options.timeout ?? 50_000,
      killSignal: "SIGKILL",
    });
    return finish(child);
  }

  read(name: string): string {
    return readFileSync(join(this.dir, name), "utf8");
  }

  has(name: string): boolean {
    return existsSync(join(this.dir, name));
  }

  // biome-ignore lint/suspicious/noExplicitAny: a test says itself what it expects of a record
  record(worker = "backup"): any {
    return JSON.parse(this.read(`log/last-${worker}.json`));
  }

  // biome-ignore lint/suspicious/noExplicitAny: as above
  history(): any[] {
    if (!this.has("log/history.jsonl")) return [];
    return this.read("log/history.jsonl")
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  }

  /** Pids of processes whose environment or command line names this world. */
  processes(): number[] {
    return [...new Bun.Glob("[0-9]*").scanSync({ cwd: "/proc", onlyFiles: false })]
      .map(Number)
      .filter((pid) => pid !== process.pid && this.isOurs(pid));
  }

  [Symbol.dispose](): void {
    for (const pid of this.processes()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has exited meanwhile.
      }
    }
    rmSync(this.dir, { recursive: true, force: true });
  }

  private isOurs(pid: number): boolean {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      if (/\) [ZX] /.test(stat)) return false;
      return [`/proc/${pid}/environ`, `/proc/${pid}/cmdline`].some((file) =>
        readFileSync(file, "latin1").includes(this.dir),
      );
    } catch {
      // It has exited meanwhile.
      return false;
    }
  }
}

export async function finish(child: Bun.Subprocess<"ignore" | Uint8Array, "pipe", "pipe">): Promise<Result> {
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}

/** Waits until `condition` holds (returns something true) and returns it; fails after `ms`. */
export async function waitFor<T>(condition: () => T | Promise<T>, what: string, ms = 10_000): Promise<T> {
  const end = performance.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > end) throw new Error(`Waited ${ms} ms in vain for ${what}.`);
    await Bun.sleep(10);
  }
}

/** Does the process exist, and is it not a zombie? */
export function alive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    // There is no such process.
    return false;
  }
}
