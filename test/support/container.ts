/**
 * A container without Docker: a tree of its own, entered by test/tools/enter, with entry as the child of tini.
 *
 *   using container = new Container();
 *   container.start({ env: { BACKUP_CRON: "* * * * *" } });
 *   await container.says("backup finished");
 *
 * Its tree is the stand-in for the Alpine image (musl, ../shared/alpine) where that exists beside the project,
 * else what `make rootfs` lays out (glibc).
 */

import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { restic } from "./restics.ts";
import { alive, binary, finish, type Result, reporting, waitFor } from "./world.ts";

const project = resolve(import.meta.dir, "../..");
const alpine = resolve(project, "../shared/alpine");
const musl = join(dirname(binary), "restic-backup-helper-linux-x64-musl");
export const useAlpine = existsSync(alpine) && existsSync(musl);

/** Which of the two trees is used. */
export const tree = useAlpine ? "Alpine stand-in (musl)" : "make rootfs (glibc)";
/** Namespaces and device nodes need root; without it, tests are skipped with this reason in their names. */
export const canEnter =
  process.getuid?.() === 0 && Bun.which("unshare") !== null && Bun.which("tini-static") !== null;

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
export const PASSWORD = "correct horse battery";

/** Laid out once, and copied as hard links for each container. Removed when the tests end. */
const original = (() => {
  let path: string | undefined;
  return () => {
    path ??= layOut();
    return path;
  };
})();

function layOut(): string {
  const root = join(mkdtempSync(join(tmpdir(), "rbh-tree-")), "root");
  process.on("exit", () => rmSync(dirname(root), { recursive: true, force: true }));
  if (!useAlpine) must(join(project, "test/tools/rootfs"), binary, root, restic.path);
  else {
    must(join(alpine, "make-root"), musl, root, restic.path);
    must("cp", Bun.which("tini-static") ?? "", join(root, "sbin/tini"));
    must(enter, root, "/usr/local/bin/restic-backup-helper", "--install", "-s", "/bin");
    must("ln", "-s", "/bin/entry.sh", join(root, "entry.sh"));
  }
  must(
    enter,
    root,
    "/usr/bin/env",
    "HOME=/root",
    `RESTIC_PASSWORD=${PASSWORD}`,
    "restic",
    "init",
    "-r",
    "/repository",
  );
  writeFileSync(join(root, "data/file.txt"), "content\n");
  return root;
}

const enter = join(project, "test/tools/enter");

function must(...command: string[]): void {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, {
    env: { ...process.env, PATH: `${PATH}:${process.env.PATH}` },
  });
  if (exitCode !== 0) throw new Error(`${command.join(" ")} failed (${exitCode}): ${stdout}${stderr}`);
}

type Env = Record<string, string | undefined>;

export interface StartOptions {
  readonly env?: Env;
  /** Before the root: --read-only, --tmpfs PATH, --user UID. */
  readonly options?: readonly string[];
  /** Default: tini and entry. */
  readonly command?: readonly string[];
}

export class Container {
  private readonly dir = mkdtempSync(join(tmpdir(), "rbh-"));
  /** The root of its tree, as the machine around it sees it. */
  readonly root = join(this.dir, "root");
  private process: Bun.Subprocess | undefined;
  /** Empties the pipe that is its stdout. */
  private reader: Bun.Subprocess | undefined;

  constructor() {
    must("cp", "-al", original(), this.root);
    // Hard links share one file: a file that is written to must be the container's own.
    for (const path of ["data", "repository", "etc", "var"]) {
      rmSync(join(this.root, path), { recursive: true });
      must("cp", "-a", join(original(), path), join(this.root, path));
    }
  }

  /** A file of this container. */
  file(path: string, content: string, mode = 0o644): void {
    must("mkdir", "-p", dirname(join(this.root, path)));
    writeFileSync(join(this.root, path), content, { mode });
  }

  /** A hook of /bin/sh; `name` without `.sh`. */
  hook(name: string, body: string): void {
    this.file(`hooks/${name}.sh`, `#!/bin/sh\n${body}\n`, 0o755);
  }

  /** A fake restic that makes a fault, in front of the real one. */
  restic(body: string): void {
    this.file("usr/local/sbin/restic", `#!/bin/sh\n${reporting(body)}\n`, 0o755);
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), "utf8");
  }

  has(path: string): boolean {
    return existsSync(join(this.root, path));
  }

  // biome-ignore lint/suspicious/noExplicitAny: a test says itself what it expects of a record
  record(worker = "backup", folder = "var/log"): any {
    return JSON.parse(this.read(`${folder}/last-${worker}.json`));
  }

  /** Starts it. stdout and stderr are one pipe, as in a container runtime. */
  start({ env = {}, options = [], command = ["/sbin/tini", "--", "/entry.sh"] }: StartOptions = {}): void {
    const fifo = join(this.dir, "pipe");
    must("mkfifo", "-m", "666", fifo);
    this.reader = Bun.spawn(["/bin/sh", "-c", 'exec cat "$0" >"$1"', fifo, join(this.dir, "output")]);
    const fd = openSync(fifo, "w");
    this.process = Bun.spawn([enter, ...options, this.root, ...command], {
      env: { ...this.environment(), ...env },
      stdin: "ignore",
      stdout: fd,
      stderr: fd,
      cwd: "/",
    });
    closeSync(fd);
  }

  /** Starts a container that runs no jobs. */
  static async idle(): Promise<Container> {
    const it = new Container();
    it.start({ command: ["/sbin/tini", "--", "/bin/sleep", "600"] });
    await it.one(/^\/bin\/sleep 600$/);
    return it;
  }

  /** Starts it, waits for its end and returns its exit code. Discards the earlier output. */
  async run(options: StartOptions): Promise<number> {
    for (const name of ["pipe", "output"]) rmSync(join(this.dir, name), { force: true });
    this.start(options);
    return (await this.ended()).code;
  }

  private environment(): Env {
    return {
      PATH,
      HOME: "/root",
      HOSTNAME: "testhost",
      TZ: "UTC",
      RESTIC_REPOSITORY: "/repository",
      RESTIC_PASSWORD: PASSWORD,
      BACKUP_ROOT_DIR: "/data",
      BACKUP_CRON: "0 0 1 1 *",
      // A lock that stands in the way is waited for by the tests of that alone.
      RESTIC_RETRY_LOCK: "0",
    };
  }

  /** Everything that it has printed so far. */
  get output(): string {
    const path = join(this.dir, "output");
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  }

  /** Waits until it has printed this. */
  async says(text: string | RegExp, ms = 20_000): Promise<void> {
    const heard = () => (typeof text === "string" ? this.output.includes(text) : text.test(this.output));
    const mute = () => this.process?.exitCode != null && !heard();
    await waitFor(() => heard() || mute(), `"${text}" in the output:\n${this.output}`, ms).catch(() => {});
    if (!heard()) throw new Error(`It never said "${text}":\n${this.output}`);
  }

  /** The pid of process 1 on the host. */
  get init(): number {
    const outer = this.process?.pid ?? 0;
    return Number(readFileSync(`/proc/${outer}/task/${outer}/children`, "utf8").trim());
  }

  /** Its processes, with their pids on the host, their states and command lines. */
  processes(): { pid: number; state: string; words: string }[] {
    const space = namespaceOf(this.init);
    return [...new Bun.Glob("[0-9]*").scanSync({ cwd: "/proc", onlyFiles: false })]
      .map(Number)
      .flatMap((pid) => {
        try {
          // A zombie's namespace cannot be read; its parent's can.
          const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
          const [state = "", parent = ""] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
          if (namespaceOf(state === "Z" ? Number(parent) : pid) !== space || pid === this.process?.pid)
            return [];
          return [
            { pid, state, words: readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").join(" ").trim() },
          ];
        } catch {
          // It has exited meanwhile.
          return [];
        }
      });
  }

  /** The one process whose command line matches; waits for it. */
  async one(words: RegExp): Promise<number> {
    return waitFor(
      () => this.processes().find((each) => words.test(each.words))?.pid ?? 0,
      `a process ${words}`,
    );
  }

  /** Runs a command in the running container, like `docker exec`. */
  async exec(...command: string[]): Promise<Result> {
    const inside = ["/bin/sh", "-c", 'cd / && exec "$@"', "sh", ...command];
    const words = ["nsenter", "-t", String(this.init), "--mount", "--pid", "--root", ...inside];
    return finish(
      Bun.spawn(words, {
        env: this.environment(),
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
        timeout: 50_000,
      }),
    );
  }

  /** Sends a signal to process 1, like `docker stop`. */
  kill(signal: NodeJS.Signals): void {
    process.kill(this.init, signal);
  }

  /** Its exit code once it has exited, and how long that took. */
  async ended(ms = 20_000): Promise<{ code: number; ms: number }> {
    const begun = performance.now();
    await waitFor(() => this.process?.exitCode != null, `its end:\n${this.output}`, ms);
    const took = performance.now() - begun;
    // Its last output may still be in the pipe, which is closed when its last process exits.
    await waitFor(() => this.reader?.exitCode != null, "the end of its output", 5000);
    return { code: this.process?.exitCode ?? -1, ms: took };
  }

  [Symbol.dispose](): void {
    const outer = this.process;
    if (outer !== undefined && outer.exitCode === null) {
      try {
        // The kernel kills all the other processes of the namespace with process 1.
        process.kill(this.init, "SIGKILL");
      } catch {
        // It has exited meanwhile.
      }
      outer.kill("SIGKILL");
    }
    for (let look = 0; look < 100 && outer !== undefined && alive(outer.pid); look++) Bun.sleepSync(10);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function namespaceOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid_for_children`);
  } catch {
    // It has exited, and shares no namespace any more.
    return `none of ${pid}`;
  }
}
