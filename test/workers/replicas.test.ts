// No recovery of replicate destroys the only good copy: real rclone, of Debian and the newest, and a link that breaks.
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type LossyProxy, lossyProxy } from "../support/lossy-proxy.ts";
import { Pairs } from "../support/pairs.ts";
import { rclones } from "../support/restics.ts";
import { finish, waitFor } from "../support/world.ts";

const each = rclones.map(({ version, path }) => [version, path] as const);
const MIB = 1024 * 1024;

/** Content that no other file has, of so many MiB. */
function large(mib: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(mib * MIB);
  for (let at = 0, x = seed; at < bytes.length; at += 64, x = (x * 1103515245 + 12345) & 0x7fffffff)
    bytes[at] = x;
  return bytes;
}

const sum = (content: string | Uint8Array) => new Bun.CryptoHasher("sha256").update(content).digest("hex");

/** The checksums of a folder's files, whatever their names. */
const sumsIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => sum(readFileSync(join(parentPath, name))));

const remotes = {
  webdav: (port: number) => `type = webdav\nurl = http://127.0.0.1:${port}\nvendor = other\n`,
  owncloud: (port: number) => `type = webdav\nurl = http://127.0.0.1:${port}\nvendor = owncloud\n`,
  sftp: (port: number, pass: string) =>
    `type = sftp\nhost = 127.0.0.1\nport = ${port}\nuser = u\npass = ${pass}\nshell_type = none\n`,
};
type Remote = keyof typeof remotes;

/** A pair whose destination is `b`, served to a remote over a link that may break. */
class Served extends Pairs {
  proxy!: LossyProxy;

  static async start(rclone: string, remote: Remote): Promise<Served> {
    const world = new Served(rclone);
    const kind = remote === "sftp" ? "sftp" : "webdav";
    const port = freePort();
    const server = Bun.spawn(
      [
        rclone,
        "serve",
        kind,
        world.b,
        "--addr",
        `127.0.0.1:${port}`,
        ...(kind === "sftp" ? ["--user", "u", "--pass", "p"] : []),
      ],
      { env: { ...world.env, RCLONE_CONFIG: "" }, stdin: "ignore", stdout: "ignore", stderr: "ignore" },
    );
    await waitFor(() => answers(port), `rclone serve ${kind} (pid ${server.pid})`);
    world.proxy = await lossyProxy(port);
    const pass = (await world.exec([rclone, "obscure", "p"])).stdout.trim();
    world.file("rclone.conf", `[far]\n${remotes[remote](world.proxy.port, pass)}`);
    Object.assign(world.env, {
      REPLICATE_JOB_ARGS: "--retries 1 --low-level-retries 1 --timeout 5s --contimeout 5s",
    });
    return world;
  }

  override [Symbol.dispose](): void {
    this.proxy[Symbol.dispose]();
    super[Symbol.dispose]();
  }
}

function freePort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = server;
  server.stop(true);
  return port;
}

async function answers(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.end();
    return true;
  } catch {
    // It does not listen yet.
    return false;
  }
}

/** How the upload of 12 MiB ends: the link breaks after so many MiB, or the run is stopped. */
const endings = [
  ["the link dies at once", 0.05, "a new file"],
  ["the link dies in the middle", 5, "an edited file"],
  ["the link dies near the end", 11, "a new file"],
  ["a stop", "SIGTERM", "an edited file"],
  ["rclone is killed", "SIGKILL", "an edited file"],
] as const;

describe.each(each)("an upload that is broken off, with rclone %s", (_, rclone) => {
  for (const remote of Object.keys(remotes) as Remote[]) {
    for (const [how, moment, what] of endings) {
      test(`${remote}, ${how}, ${what}: the source stands`, async () => {
        using world = await Served.start(rclone, remote);
        const isEdit = what === "an edited file";
        world.jobs(`${world.a};far:`);
        for (const name of ["keep", "one", "two"]) world.put(`a/${name}`, name, 1000);
        if (isEdit) world.file("a/large", large(13, 1));
        const begun = await world.replicate();
        if (begun.stdout.includes("keeps no modification times")) {
          // 1.60 with plain WebDAV: a mistake in the job file, and nothing was copied.
          expect(begun.code).toBe(2);
          expect(world.sides[1]).toEqual([]);
          return;
        }
        expect(begun).toMatchObject({ code: 0 });
        const wanted = large(12, 2);
        world.file("a/large", wanted);
        if (moment === "SIGTERM" || moment === "SIGKILL") {
          const slow = { REPLICATE_JOB_ARGS: `${world.env.REPLICATE_JOB_ARGS} --bwlimit 4M` };
          const child = world.start("replicate", [], { env: slow });
          await waitFor(
            () => sumsIn(world.b).length > (isEdit ? 4 : 3) || growing(world, wanted.length),
            "the upload",
          );
          if (moment === "SIGTERM") child.kill(moment);
          else for (const pid of world.processes().filter(isTransfer)) process.kill(pid, moment);
          expect((await finish(child)).code).toBe(moment === "SIGTERM" ? 143 : 137);
          // A day later the lock of a killed rclone has run out; 1.60's never does.
          for (const name of world.listings.filter((path) => path.endsWith(".lck"))) rmSync(name);
        } else {
          world.proxy.dieAfter(moment * MIB);
          expect((await world.replicate()).code).not.toBe(0);
          expect(world.proxy.isDead).toBe(true);
          world.proxy.heal();
        }
        expect(sum(readFileSync(join(world.a, "large")))).toBe(sum(wanted));
        const half = Bun.file(join(world.b, "large"));
        const isHalf = half.size < wanted.length && (await half.exists());
        const healed = await world.replicate();
        expect(healed.code).toBe(0);
        if (typeof moment === "number") {
          expect(world.record("replicate")).toMatchObject({
            status: "warning",
            alerts: [{ kind: "recovered" }],
          });
          if (isHalf) expect(healed.stdout).toContain("Replaced, and kept as far:large.kept-");
        }
        expect((await world.replicate()).code).toBe(0);
        // 1.60 cannot be told which side wins a conflict: it keeps both versions, under new names.
        if (moment === "SIGKILL" && !existsSync(join(world.a, "large"))) {
          const { stdout: help } = await world.exec(["rclone", "bisync", "--help"]);
          expect(help).not.toContain("--conflict-resolve");
          for (const side of [world.a, world.b]) expect(sumsIn(side)).toContain(sum(wanted));
          return;
        }
        expect(sum(readFileSync(join(world.a, "large")))).toBe(sum(wanted));
        expect(sum(readFileSync(join(world.b, "large")))).toBe(sum(wanted));
      });
    }
  }
});

/** Is it replicate's rclone, not the one that serves? */
const isTransfer = (pid: number): boolean =>
  readFileSync(`/proc/${pid}/cmdline`, "latin1").startsWith("rclone\0bisync");

/** Is there a file at the destination that is not whole yet? */
const growing = (world: Served, whole: number): boolean => {
  try {
    const { size } = Bun.file(join(world.b, "large"));
    return size > 0 && size < whole;
  } catch {
    // It is not there.
    return false;
  }
};
