/** Every version of real restic ends with the exit codes of the newest one. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { restics } from "../support/restics.ts";
import { World, waitFor } from "../support/world.ts";

describe.each(restics.map(({ version, path }) => [version, path] as const))("restic %s", (_, path) => {
  let world: World;
  beforeAll(async () => {
    world = new World();
    world.useRestic(path);
    world.hook("post-backup", 'echo "post-backup got $1"');
    expect((await world.exec(["restic", "init"])).code).toBe(0);
  });
  afterAll(() => world[Symbol.dispose]());

  async function fails(env: Record<string, string>, code: number, words: RegExp) {
    const result = await world.run("backup", [], { env });
    expect({ code: result.code, stderr: result.stderr }).toEqual({ code, stderr: "" });
    expect(result.stdout).toMatch(words);
    expect(result.stdout).toContain(`post-backup | post-backup got ${code}`);
    expect(world.record()).toMatchObject({ exit_code: code, status: "failed" });
  }

  test("12: the password is wrong", () =>
    fails(
      { RESTIC_PASSWORD: "some other words" },
      12,
      /\(exit 12\)\. The password does not open the repository/,
    ));

  test("10: there is no repository", () =>
    fails(
      { RESTIC_REPOSITORY: `${world.dir}/nowhere` },
      10,
      /\(exit 10\)\. There is no repository at .*nowhere/,
    ));

  test("11: another restic has locked it", async () => {
    world.file("source/random", crypto.getRandomValues(new Uint8Array(65_536)));
    expect((await world.run("backup")).code).toBe(0);
    // Reading all data locks the repository for itself; at a kilobyte a second that takes a minute.
    const other = Bun.spawn([path, "check", "--read-data", "--limit-download", "1"], {
      env: world.env,
      stdout: "ignore",
      stderr: "ignore",
    });
    try {
      // Under another name while it is being written.
      const locks = () =>
        readdirSync(`${world.dir}/repository/locks`).filter((name) => /^[0-9a-f]{64}$/.test(name));
      await waitFor(() => locks().length > 0, "the lock of restic check");
      await fails(
        { RESTIC_AUTO_UNLOCK: "ON" },
        11,
        /\(exit 11\)\. The repository .* is locked by another restic/,
      );
      expect(locks().length).toBe(1);
    } finally {
      other.kill("SIGKILL");
      await other.exited;
    }
  });
});
