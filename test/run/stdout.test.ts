// stdout that nobody reads, or that cannot be written: the run goes on, and its own log has everything.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { World, waitFor } from "../support/world.ts";

// As long as `make test` gives every test: a busy machine needs more than five seconds here.
setDefaultTimeout(60_000);

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
  "is a pipe whose reader has gone": {
    shell: "(backup; echo $? >code) | true",
    reason: /no process reads it/,
  },
  "is a pipe whose reader goes in the middle": {
    shell: "(backup; echo $? >code) | head -n 5 >/dev/null",
    reason: /no process reads it/,
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

describe("when the reader of stdout stands still", () => {
  test("the run ends all the same, and its own log has everything", async () => {
    using world = talkative();
    await world.exec([
      "sh",
      "-c",
      "(backup; echo $? >code; touch done) | while [ ! -e done ]; do sleep 0.05; done",
    ]);
    expect(world.read("code")).toBe("3\n");
    const log = world.read("log/backup-last.log");
    expect(log).toContain("Nobody has read stdout for 2 s: until somebody does, lines are left out there.");
    expect(log.match(/pre-backup \| hook/g)).toHaveLength(LINES);
    expect(log.match(/post-backup \| hook/g)).toHaveLength(LINES);
    expect(world.record()).toMatchObject({ status: "warning", exit_code: 3 });
  });

  test("a time-out and a stop are heard", async () => {
    using world = talkative();
    world.hook("pre-backup", `seq -f 'hook %.0f' ${LINES}; touch '${world.dir}/printed'; exec sleep 60`);
    const script =
      "(backup & echo $! >pid; wait $!; echo $? >code; touch done) | while [ ! -e done ]; do sleep 0.05; done";
    const all = world.exec(["sh", "-c", script], { env: { HOOK_TIMEOUT: "30", STOP_TIMEOUT: "4" } });
    await waitFor(() => world.has("printed"), "the hook's last line");
    await waitFor(() => world.read("log/backup-last.log").includes("Nobody has read stdout"), "the stall");
    process.kill(Number(world.read("pid")), "SIGTERM");
    await all;
    expect(world.read("code")).toBe("143\n");
    expect(world.record()).toMatchObject({ status: "interrupted", signal: "SIGTERM" });
  });

  test("it is told what it missed when it goes on", async () => {
    using world = talkative();
    world.hook("post-backup", `touch '${world.dir}/go'; sleep 0.5; echo last words`);
    const { stdout } = await world.exec([
      "sh",
      "-c",
      "backup | { while [ ! -e go ]; do sleep 0.05; done; cat; }",
    ]);
    const [, missed] =
      /^\S+ \S+ WARN {2}backup {2}(\d+) lines left out here, because nobody read stdout in time\. They are in .*backup-last\.log\.$/m.exec(
        stdout,
      ) ?? [];
    const own = world.read("log/backup-last.log").split("\n");
    const shown = stdout.split("\n").filter((line) => !line.includes("left out here"));
    // One line more is in the file alone: the one that says that nobody reads stdout.
    expect(own.length - shown.length).toBe(Number(missed) + 1);
    expect(shown.every((line) => own.includes(line))).toBe(true);
    expect(stdout).toContain("post-backup | last words");
  });
});

test("a slow reader of stdout gets everything", async () => {
  using world = talkative();
  const { stdout } = await world.exec(["sh", "-c", "backup | (sleep 0.5; cat)"]);
  expect(stdout).toBe(world.read("log/backup-last.log"));
});
