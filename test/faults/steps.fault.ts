// kill -9 of backup before each of the system calls by which it changes something, one after the other.
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import type { World } from "../support/world.ts";
import { fault } from "./fault.ts";
import { waitForPeace } from "./peace.ts";

/** What a run does to files, links and descriptors of its own. */
const CALLS =
  "open,openat,link,linkat,rename,renameat,renameat2,unlink,unlinkat,rmdir,ftruncate,fsync,copy_file_range,sendfile,ioctl";

const works = {
  "a backup that succeeds": { restic: "exit 0", code: 0, status: "ok" },
  "a backup that fails": { restic: "exit 1", code: 1, status: "failed" },
};

for (const [what, { restic, code, status }] of Object.entries(works)) {
  const row = {
    injected: `kill -9 of ${what} before each call that changes a file`,
    promised: "records whole, death told once, nothing left over, next run right",
    timeout: 120_000,
  };
  if (Bun.which("strace") === null) test.skip(`${row.injected} (strace is missing)`, () => {});
  else {
    fault(row, async (world) => {
      world.restic(restic);
      world.hook("pre-backup", "exit 0");
      world.env.METRICS_DIR = world.folder("metrics");
      await world.run("backup");
      const total = await countCalls(world);
      expect(total).toBeGreaterThan(15);
      let told = 0;
      for (let call = 1; call <= total; call++) if (await killAt(world, call, { code, status })) told++;
      world.restic();
      delete world.env.METRICS_DIR;
      return `${total} kills; ${told} told as died by the next run`;
    });
  }
}

async function countCalls(world: World): Promise<number> {
  await strace(world, ["-o", "strace.out", "-e", `trace=${CALLS}`]);
  return ownCalls(world.read("strace.out")).length;
}

/** From the moment on when our own code runs: Bun's start changes nothing. */
const ownCalls = (text: string) => text.split("\n").filter((line) => /^[a-z_0-9]+\(/.test(line));

const strace = (world: World, words: readonly string[]) =>
  world.exec(["strace", "-qq", ...words, `${world.bin}/backup`]);

/** Returns whether the next run told of the death. */
async function killAt(world: World, call: number, right: { code: number; status: string }): Promise<boolean> {
  const before = world.history().length;
  await strace(world, [
    "-o",
    "strace.out",
    "-e",
    `trace=${CALLS}`,
    "-e",
    `inject=${CALLS}:signal=SIGKILL:when=${call}`,
  ]);
  await waitForPeace(world);
  expect(world.record().status).toBe(right.status);
  const wrote = world.history().length > before;
  const marked = world.has("lock/backup.run.json");
  const { code, stdout, stderr } = await world.run("backup");
  expect({ call, code, stderr }).toEqual({ call, code: right.code, stderr: "" });
  const said = stdout.includes("died without a record");
  expect({ call, said }).toEqual({ call, said: marked && !wrote });
  const left = ["log", "lock", "metrics"].flatMap((folder) => readdirSync(`${world.dir}/${folder}`));
  expect({ call, left: left.filter((name) => /\.tmp$|\.run\.json/.test(name)) }).toEqual({ call, left: [] });
  return said;
}
