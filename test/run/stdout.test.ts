// stdout that nobody reads, or that cannot be written: the run goes on, and its own log has everything.
import { describe, expect, test } from "bun:test";
import { World } from "../support/world.ts";

const LINES = 5000;

/** Prints more than a pipe holds, in each phase. */
function talkative(): World {
  const world = new World();
  world.restic(`seq -f 'restic %.0f' ${LINES}; exit 3`);
  for (const phase of ["pre", "post"]) world.hook(`${phase}-backup`, `seq -f 'hook %.0f' ${LINES}`);
  return world;
}

const ways: Record<string, { shell: string; reason: RegExp | undefined }> = {
  "is closed": { shell: "backup >&-; echo $? >code", reason: undefined },
  "and stdin and stderr are closed": { shell: "backup <&- >&- 2>&-; echo $? >code", reason: undefined },
  "is a pipe whose reader has gone": { shell: "(backup; echo $? >code) | true", reason: /nobody reads it/ },
  "is a pipe whose reader goes in the middle": {
    shell: "(backup; echo $? >code) | head -n 5 >/dev/null",
    reason: /nobody reads it/,
  },
  "is full": { shell: "backup >/dev/full; echo $? >code", reason: /no space left on the device/ },
  "is opened for reading only": { shell: "backup 1</dev/null; echo $? >code", reason: /it is closed/ },
};

describe("when stdout", () => {
  test.each(Object.keys(ways))("%s", async (way) => {
    using world = talkative();
    const { shell, reason } = ways[way]!;
    await world.exec(["sh", "-c", shell]);
    expect(world.read("code")).toBe("3\n");
    const log = world.read("log/backup-last.log");
    const sources = ["pre-backup | hook", "restic | restic", "post-backup | hook"];
    for (const source of sources) {
      expect(log.split("\n").filter((line) => line.includes(source))).toHaveLength(LINES);
    }
    expect(log).toContain("backup finished: warning, exit 3");
    const said = log.split("\n").filter((line) => line.includes("stdout cannot be written any more: "));
    expect(said).toHaveLength(reason === undefined ? 0 : 1);
    if (reason !== undefined) expect(said[0]).toMatch(reason);
    expect(world.record()).toMatchObject({ status: "warning", exit_code: 3 });
    expect(world.record().hooks).toMatchObject([{ exit_code: 0 }, { exit_code: 0 }]);
    // Nothing of the log went into a file that took the closed descriptor's number.
    expect(world.read("lock/backup.lock")).toBe("");
    expect(world.history()).toHaveLength(1);
  });
});

test("a slow reader of stdout gets everything", async () => {
  using world = talkative();
  const { stdout } = await world.exec(["sh", "-c", "backup | (sleep 0.5; cat)"]);
  expect(stdout).toBe(world.read("log/backup-last.log"));
});
