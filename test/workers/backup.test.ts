import { describe, expect, test } from "bun:test";
import { restics } from "../support/restics.ts";
import { World } from "../support/world.ts";

describe("backup", () => {
  test.each(restics.map(({ version, path }) => [version, path]))(
    "makes a snapshot with restic %s",
    async (_, path) => {
      using world = new World();
      world.useRestic(path);
      await world.exec(["restic", "init"]);
      const { code, stdout, stderr } = await world.run("backup");
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toContain("backup finished: ok, exit 0");
      expect(world.record()).toMatchObject({
        exit_code: 0,
        status: "ok",
        files_new: 1,
        snapshot_id: expect.stringMatching(/^[0-9a-f]{8}$/),
      });
    },
  );
});
