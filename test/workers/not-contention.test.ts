// Exit code 11 means that another restic is at work, and nothing else: a lock that cannot be written has its own cause.
import { describe, expect, test } from "bun:test";
import { closeSync, openSync, writeSync } from "node:fs";
import { withTemplate } from "../support/repository.ts";
import { restics } from "../support/restics.ts";
import { World } from "../support/world.ts";

const withRepository = withTemplate();
const canMount = process.getuid?.() === 0;

/** A file system of four megabytes with a copy of the repository, filled to its last byte. */
function fullRepository(world: World) {
  const place = world.folder("full");
  const { exitCode } = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place]);
  if (exitCode !== 0) return undefined;
  Bun.spawnSync(["cp", "-r", `${world.repository}/.`, place]);
  const fd = openSync(`${place}/filler`, "w");
  try {
    for (;;) writeSync(fd, Buffer.alloc(4096));
  } catch {
    // ENOSPC: what was wanted.
  }
  closeSync(fd);
  return { place, [Symbol.dispose]: () => void Bun.spawnSync(["umount", "-l", place]) };
}

describe.skipIf(!canMount).each(restics.map(({ version, path }) => [version, path] as const))(
  "with restic %s",
  (_, path) => {
    test("a full disk is a failure with its cause and remedy, to forget as well", async () => {
      using world = withRepository(path);
      using full = fullRepository(world);
      if (full === undefined) throw new Error("cannot mount a tmpfs");
      const env = {
        RESTIC_REPOSITORY: full.place,
        RESTIC_FORGET_ARGS: "--keep-last 1",
        RESTIC_RETRY_LOCK: "5m",
      };
      for (const worker of ["backup", "prune", "forget"]) {
        const { code, stdout } = await world.run(worker, [], { env });
        expect({ worker, code }).toEqual({ worker, code: 1 });
        expect(stdout).toContain(
          `restic ${worker} failed (exit 1). There is no room left where restic writes (`,
        );
        expect(stdout).not.toContain("locked");
        expect(world.record(worker)).toMatchObject({ status: "failed", exit_code: 1 });
      }
      const { code, stdout } = await world.run("check", [], { env });
      expect(code).toBe(1);
      expect(stdout).toContain("The check did not come to its end, and nothing is known of damage");
      expect(world.record("check")).not.toHaveProperty("num_errors");
    });

    test("a RESTIC_CACERT that cannot be read is left out, as it is said", async () => {
      using world = withRepository(path);
      const { code, stdout } = await world.run("check", [], { env: { RESTIC_CACERT: "/nowhere/ca.pem" } });
      expect(stdout).toContain("RESTIC_CACERT=/nowhere/ca.pem cannot be read; restic runs without --cacert.");
      expect(code).toBe(0);
    });
  },
);

test("a link that breaks in mid-check is no damage; damage beside it is", async () => {
  const broken = `Load(<data/${"ab".repeat(32)}>, 0, 0) failed: Get "http://h/data/ab": dial tcp 10.0.0.1:80: i/o timeout`;
  const summary = `{"message_type":"summary","num_errors":3,"broken_packs":null}`;
  using world = new World();
  world.restic(`echo '${broken}' >&2; echo '${summary}'; exit 1`);
  const link = await world.run("check");
  expect(link.code).toBe(1);
  expect(link.stdout).toContain("nothing is known of damage to the repository");
  expect(link.stdout).toContain("could not be reached. See to the network");
  expect(world.record("check")).not.toHaveProperty("num_errors");

  world.restic(
    `echo 'pack ${"cd".repeat(32)}: does not exist' >&2; echo '${broken}' >&2; echo '${summary}'; exit 1`,
  );
  const both = await world.run("check");
  expect(both.stdout).toContain("3 errors were found");
  expect(world.record("check")).toMatchObject({ num_errors: 3 });
});
