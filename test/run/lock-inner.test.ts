// Workers inside of a command that locked_run runs, and workers that a hook calls.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { Gate } from "../support/gate.ts";
import { alive, World, waitFor } from "../support/world.ts";

// As long as `make test` gives every test: a busy machine needs more than five seconds here.
setDefaultTimeout(60_000);

describe("a worker within a command of locked_run", () => {
  const commands: Record<string, string> = {
    "as it is": "backup",
    "whose shell closed descriptor 3": "exec 3>&-; backup",
    "whose shell has another file as 3": "exec 3</dev/null; backup",
    "deep within shells": "sh -c 'sh -c backup; exit $?'; exit $?",
    "started by setsid": "setsid -w backup",
    "that is a locked_run again": "exec 3>&-; locked_run backup backup",
  };
  test.each(Object.keys(commands))("%s runs under its lock", async (name) => {
    using world = new World();
    world.restic("exit 3");
    const { code, stdout } = await world.run("locked_run", ["backup", "sh", "-c", commands[name] ?? ""]);
    expect(stdout).toContain("backup finished: warning, exit 3");
    expect({ code, runs: world.history().length }).toEqual({ code: 3, runs: 1 });
  });

  test("goes first, and a rival under the same lock goes without", async () => {
    using world = new World();
    const gate = new Gate(world);
    world.restic(gate.here);
    const both = world.exec([
      "locked_run",
      "backup",
      "sh",
      "-c",
      "{ backup; echo first $?; } & backup; echo second $?; wait",
    ]);
    await gate.reached();
    await waitFor(() => world.has("log/history.jsonl"), "the rival's skip");
    gate.open();
    const { code, stdout } = await both;
    expect(code).toBe(0);
    expect([...stdout.matchAll(/^(?:first|second) (\d+)$/gm)].map((each) => each[1]).sort()).toEqual([
      "0",
      "75",
    ]);
    expect(world.history().map(({ status }) => status)).toEqual(["skipped", "ok"]);
  });

  test("does not believe a stranger who says that he holds the lock", async () => {
    using world = new World();
    const gate = new Gate(world);
    world.restic(gate.here);
    const first = world.start("backup");
    await gate.reached();
    const stranger = Bun.spawn(["sleep", "60"]);
    for (const pid of [stranger.pid, first.pid, 1_000_000]) {
      const lie = { RBH_LOCK: `${pid}:3:backup:${world.lock}/backup.lock` };
      expect(await world.run("backup", [], { env: lie })).toMatchObject({ code: 75 });
    }
    stranger.kill();
    gate.open();
    expect(await first.exited).toBe(0);
  });

  test("leaves the name of locked_run in the lock file", async () => {
    using world = new World();
    const gate = new Gate(world);
    world.restic(gate.here);
    const outer = world.start("locked_run", ["backup", "sh", "-c", "backup; exit 0"]);
    await gate.reached();
    expect(world.read("lock/backup.lock")).toMatch(new RegExp(`^pid ${outer.pid}\nsince .*\njob backup\n$`));
    gate.open();
    expect(await outer.exited).toBe(0);
  });
});

describe("a hook that calls its own worker", () => {
  const calls: Record<string, [call: string, code: number]> = {
    directly: ["backup", 75],
    "by its path": ['"$BIN/backup"', 75],
    "by locked_run": ["locked_run backup backup", 0],
    "by locked_run of a shell": ["locked_run backup sh -c backup", 0],
  };
  const starts: Record<string, string[]> = {
    directly: ["backup"],
    "by locked_run": ["locked_run", "backup", "backup"],
    "within locked_run": ["locked_run", "backup", "sh", "-c", "backup; exit $?"],
  };
  const cases = Object.keys(calls).flatMap((call) => Object.keys(starts).map((start) => [call, start]));

  test.each(cases)("%s, started %s, is refused and does not recurse", async (call = "", start = "") => {
    using world = new World();
    const [words, refused] = calls[call] ?? [];
    world.restic(`echo once >>'${world.dir}/calls'`);
    for (const phase of ["pre", "post"]) world.hook(`${phase}-backup`, `${words}; echo inner $?; exit 0`);
    const { code, stdout } = await world.exec(starts[start] ?? [], { env: { BIN: world.bin } });
    expect(code).toBe(0);
    expect(stdout).toContain(`pre-backup | inner ${refused}\n`);
    expect(stdout).toContain(`post-backup | inner ${refused}\n`);
    expect(world.read("calls")).toBe("once\n");
    expect(world.history().map(({ status }) => status)).toEqual(["skipped", "skipped", "ok"]);
  });
});

describe("a daemon that a hook leaves behind", () => {
  test.each(["sleep 60 &", "sleep 60 >/dev/null 2>&1 &", "setsid sleep 60 >/dev/null 2>&1 &"])(
    "holds no lock: %s",
    async (daemon) => {
      using world = new World();
      world.restic();
      world.hook("pre-backup", `${daemon}\necho $! >'${world.dir}/daemon'`);
      world.hook("post-backup", daemon);
      expect(await world.run("locked_run", ["backup", "sh", "-c", "backup"])).toMatchObject({ code: 0 });
      expect(await world.run("backup")).toMatchObject({ code: 0 });
      expect(alive(Number(world.read("daemon")))).toBe(true);
    },
  );
});
