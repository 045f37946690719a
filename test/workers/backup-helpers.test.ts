/** restic works through helpers (rclone, ssh) and needs them to remove its lock: a stop is for restic alone. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { rclones, restics } from "../support/restics.ts";
import { finish, World, waitFor } from "../support/world.ts";

const rclone = rclones[0];
const each = restics.flatMap(({ version, path }) => [
  [version, "itself", path] as const,
  [version, "behind a script", path] as const,
]);

describe.skipIf(rclone === undefined)("a stop while restic works through rclone (needs rclone)", () => {
  test.each(each)("restic %s %s removes its lock", async (_, how, path) => {
    using world = new World();
    if (how === "itself") world.useRestic(path);
    else world.restic(`${path} "$@"\nexit $?`);
    await world.exec(["ln", "-s", rclone?.path ?? "", `${world.bin}/rclone`]);
    const repository = `${world.dir}/repository`;
    const env = {
      RESTIC_REPOSITORY: `rclone::local:${repository}`,
      RCLONE_CONFIG: "/dev/null",
      STOP_TIMEOUT: "30",
      // Slow enough to be stopped at work, on any machine.
      RESTIC_JOB_ARGS: "--limit-upload 500",
    };
    expect((await world.exec(["restic", "init"], { env })).code).toBe(0);
    for (let file = 0; file < 200; file++) {
      world.file(`source/${file}`, crypto.getRandomValues(new Uint8Array(65_536)));
    }
    const child = world.start("backup", [], { env });
    const result = finish(child);
    const inside = (folder: string) => [...new Bun.Glob("**").scanSync({ cwd: join(repository, folder) })];
    // Not before it has begun to store: what stops restic between its lock and its cleanup is its own affair.
    await waitFor(() => inside("data").length > 0, "restic at work", 30_000);
    expect(inside("locks").length).toBe(1);
    child.kill("SIGTERM");
    const { code, stdout } = await result;
    expect({ code, locks: inside("locks") }).toEqual({ code: 143, locks: [] });
    expect(stdout).not.toContain("connection already closed");
    expect(world.record()).toMatchObject({ exit_code: 143, status: "interrupted", signal: "SIGTERM" });
    expect(world.processes()).toEqual([]);
  });
});
