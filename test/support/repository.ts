/** A small restic repository, made once and copied, and ways to damage one. */

import { afterAll, beforeAll } from "bun:test";
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { restic, restics } from "./restics.ts";
import { World, waitFor } from "./world.ts";

/** Two snapshots, of which the first alone needs a megabyte; forgotten, it gives prune something to do. */
class Template {
  private readonly world = new World();

  /** Made with the oldest restic: newer ones can read it. */
  static async make(): Promise<Template> {
    const template = new Template();
    const { world } = template;
    world.useRestic(restics[0]?.path ?? "restic");
    const large = world.file("source/large.bin", crypto.getRandomValues(new Uint8Array(65_536)));
    writeFileSync(
      large,
      Buffer.concat(Array.from({ length: 16 }, () => crypto.getRandomValues(Buffer.alloc(65_536)))),
    );
    await world.exec(["restic", "init"]);
    await world.exec(["restic", "backup", world.source]);
    rmSync(large);
    await world.exec(["restic", "backup", world.source]);
    return template;
  }

  /** Puts a copy of it into another world, where that one's environment looks for it. */
  copyTo(world: World): void {
    cpSync(join(this.world.dir, "repository"), world.repository, { recursive: true });
  }

  [Symbol.dispose](): void {
    this.world[Symbol.dispose]();
  }
}

/**
 * For a file of tests with real restics: the template is made before its first test and goes after its last. What is
 * returned makes a world with a copy of it and the restic at `path`.
 */
export function withTemplate(): (path?: string) => World {
  let template: Template | undefined;
  beforeAll(async () => {
    // Without a restic there is no test that asks for a copy.
    if (restics.length > 0) template = await Template.make();
  });
  afterAll(() => template?.[Symbol.dispose]());
  return (path = restic.path) => {
    const world = new World();
    world.useRestic(path);
    template?.copyTo(world);
    return world;
  };
}

/** The largest pack: one with data, not with trees. */
function largestPack(repository: string): string {
  const packs = readdirSync(join(repository, "data"), { recursive: true, encoding: "utf8" })
    .map((name) => join(repository, "data", name))
    .filter((path) => statSync(path).isFile())
    .sort((a, b) => statSync(b).size - statSync(a).size);
  return packs[0]!;
}

/** Returns the id of the pack that is gone. */
export function losePack(repository: string): string {
  const path = largestPack(repository);
  rmSync(path);
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Changes one byte in the middle; returns the id of the pack. */
export function flipByte(repository: string): string {
  const path = largestPack(repository);
  const bytes = readFileSync(path);
  bytes[1000] = bytes[1000]! ^ 0xff;
  rmSync(path);
  writeFileSync(path, bytes);
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Can a process get a host name of its own? */
export const canBeAnotherHost = process.getuid?.() === 0 && Bun.which("unshare") !== null;

/** Leaves a lock in the world's repository, like a killed restic on another host. */
export async function lockFromElsewhere(world: World, restic: string): Promise<void> {
  const script = 'echo elsewhere >/proc/sys/kernel/hostname; exec "$0" backup --stdin --host elsewhere';
  const child = Bun.spawn(["unshare", "--uts", "sh", "-c", script, restic], {
    env: world.env,
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
  });
  const locks = join(world.repository, "locks");
  // It has another name while it is being written.
  const isLock = (name: string) => /^[0-9a-f]{64}$/.test(name);
  await waitFor(() => readdirSync(locks).some(isLock), "the lock of a backup elsewhere");
  child.kill("SIGKILL");
  await child.exited;
}
