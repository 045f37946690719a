/** Worlds in which restic really mounts, by FUSE. */

import { closeSync, cpSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { restic, restics, type Tool } from "./restics.ts";
import { type RunOptions, World, waitFor } from "./world.ts";

export const canMount = (() => {
  try {
    closeSync(openSync("/dev/fuse", "r+"));
    return Bun.which("fusermount") !== null && restics.length > 0;
  } catch {
    return false;
  }
})();

export const isMounted = (path: string) => readFileSync("/proc/self/mountinfo", "utf8").includes(` ${path} `);

/** A repository of each restic with two snapshots, made once and copied: one of this host, one of another. */
export class Prepared {
  readonly world = new World();
  readonly bytes = crypto.getRandomValues(new Uint8Array(60_000));

  static async make(): Promise<Prepared> {
    const prepared = new Prepared();
    const { world, bytes } = prepared;
    world.file("source/sub/random.bin", bytes);
    for (const { version, path } of restics) {
      const env = { RESTIC_REPOSITORY: join(world.dir, `repository-${version}`) };
      await world.exec([path, "init"], { env });
      const snapshot = (host: string, source: string) =>
        world.exec([path, "backup", "--host", host, "--tag", "automated", source], { env });
      await snapshot("testhost", world.source);
      await snapshot("otherhost", join(world.source, "sub"));
    }
    return prepared;
  }

  [Symbol.dispose](): void {
    this.world[Symbol.dispose]();
  }
}

/** A world with a repository, a post-hook that reports what is mounted, and a target. */
export class Mounts extends World {
  readonly target = join(this.dir, "mnt");

  constructor(prepared: Prepared, tool: Tool = restic) {
    super();
    this.useRestic(tool.path);
    cpSync(join(prepared.world.dir, `repository-${tool.version}`), join(this.dir, "repository"), {
      recursive: true,
    });
    mkdirSync(this.target);
    this.hook(
      "post-mount-snapshot",
      `if grep -q ' ${this.target} ' /proc/self/mountinfo; then echo still; else echo nothing; fi >"${this.dir}/seen"`,
    );
  }

  /** Starts mount-snapshot and waits until it has reported the mount. */
  async mount(args: readonly string[] = [], options: RunOptions = {}) {
    const child = this.start("mount-snapshot", ["--target", this.target, ...args], options);
    await waitFor(() => isMounted(this.target), "the mount", 30_000);
    const log = "log/mount-snapshot-last.log";
    await waitFor(() => this.has(log) && this.read(log).includes("To end it:"), "where to look");
    return child;
  }

  /** The restic that serves the mount. */
  server(): number {
    const found = this.processes().find((pid) => command(pid)[0] === "restic" && command(pid)[1] === "mount");
    return found ?? 0;
  }

  get post(): unknown {
    return this.record("mount-snapshot").hooks.map((hook: Record<string, unknown>) => [
      hook.phase,
      hook.exit_code,
    ]);
  }

  override [Symbol.dispose](): void {
    while (isMounted(this.target)) Bun.spawnSync(["umount", "-l", this.target]);
    super[Symbol.dispose]();
  }
}

export function command(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    // It has exited.
    return [];
  }
}

/** A mount whose server has stopped: whoever touches it sleeps in the kernel, as with an NFS server that is gone. */
export class DeadMount {
  readonly files: string;
  private readonly server: Bun.Subprocess;

  private constructor(readonly path: string) {
    this.files = `${path}-files`;
    for (const folder of [path, this.files]) mkdirSync(folder, { recursive: true });
    writeFileSync(join(this.files, "file.txt"), "content\n");
    const command = ["rclone", "mount", this.files, path, "--attr-timeout", "0s", "--allow-non-empty"];
    this.server = Bun.spawn(command, {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
      env: { ...process.env, HOME: this.files },
    });
  }

  /** Mounts at `path`, a folder that need not be there; `meanwhile` runs as long as the server answers. */
  static async at(path: string, meanwhile: () => Promise<unknown> = async () => {}): Promise<DeadMount> {
    const mount = new DeadMount(path);
    await waitFor(() => isMounted(path), "the mount", 20_000);
    await meanwhile();
    mount.server.kill("SIGSTOP");
    return mount;
  }

  [Symbol.dispose](): void {
    // Everybody who waits for it gets an error then.
    this.server.kill("SIGKILL");
    while (isMounted(this.path)) Bun.spawnSync(["umount", "-l", this.path]);
  }
}
