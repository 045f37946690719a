// locked_run of a foreign command: its exit code, its signals, its stdin, and its own mistakes.
import { describe, expect, test } from "bun:test";
import { Gate } from "../support/gate.ts";
import { hasPython, onTerminal } from "../support/pseudo-terminal.ts";
import { alive, finish, World, waitFor } from "../support/world.ts";

describe("the exit code", () => {
  const commands: [command: string, code: number][] = [
    ["exit 0", 0],
    ["exit 1", 1],
    ["exit 75", 75],
    ["exit 124", 124],
    ["exit 130", 130],
    ["exit 255", 255],
    ["kill -1 $$", 129],
    ["kill -2 $$", 130],
    ["kill -6 $$", 134],
    ["kill -9 $$", 137],
    ["kill -15 $$", 143],
    ["kill -40 $$", 168],
  ];
  test.each(commands)("of `%s` is handed on as %d", async (command, code) => {
    using world = new World();
    expect(await world.run("locked_run", ["job", "sh", "-c", command])).toMatchObject({ code, stdout: "" });
  });

  const odd: [what: string, make: (world: World) => string, code: number, says: string][] = [
    ["a missing command", () => "no-such-command", 127, "locked_run: no-such-command was not found in PATH="],
    ["a missing path", () => "/no/such/command", 127, "locked_run: /no/such/command was not found there."],
    ["no command", (world) => world.file("plain", "#!/bin/sh\n"), 126, "it lacks the permission"],
    ["a folder", (world) => world.folder("bin"), 127, "was not found"],
    [
      "a script without its interpreter",
      (world) => world.file("bad", "#!/no/such\n", 0o755),
      126,
      "names an interpreter that is missing",
    ],
  ];
  test.each(odd)("of %s", async (_, make, code, says) => {
    using world = new World();
    const { stderr, ...result } = await world.run("locked_run", ["job", make(world)]);
    expect(result).toEqual({ code, stdout: "" });
    expect(stderr).toContain(says);
    expect(stderr.split("\n")).toHaveLength(2);
  });

  test("of a script without a #! line is the script's: /bin/sh runs it, as a shell would", async () => {
    using world = new World();
    const script = world.file("plain", 'echo "got $1"; exit 7\n', 0o755);
    expect(await world.run("locked_run", ["job", script, "a b"])).toEqual({
      code: 7,
      stdout: "got a b\n",
      stderr: "",
    });
  });
});

test("words, stdin, stdout, stderr and the environment reach the command as they are", async () => {
  using world = new World();
  const script = `printf '<%s>' "$@"; cat; echo oops >&2; echo "$MARK"`;
  const words = ["job", "sh", "-c", script, "sh", "a b", "", "--help", "-x", "'\"$HOME"];
  const result = await world.run("locked_run", words, { stdin: "from stdin\n", env: { MARK: "mark" } });
  expect(result).toEqual({
    code: 0,
    stdout: `<a b><><--help><-x><'"$HOME>from stdin\nmark\n`,
    stderr: "oops\n",
  });
});

describe("a signal", () => {
  test.each(["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const)(
    "%s reaches the command, which has the last word",
    async (name) => {
      using world = new World();
      const gate = new Gate(world);
      const short = name.slice(3);
      const child = world.start("locked_run", ["job", "sh", "-c", `trap 'exit 42' ${short}; ${gate.here}`]);
      await gate.reached();
      child.kill(name);
      expect(await finish(child)).toEqual({ code: 42, stdout: "", stderr: "" });
    },
  );

  test("that nohup had switched off stays off, for the command too", async () => {
    using world = new World();
    const gate = new Gate(world);
    const script = `trap '' HUP INT; exec locked_run job sh -c "$0"`;
    const shell = Bun.spawn(["sh", "-c", script, gate.here], { env: world.env, stdin: "ignore" });
    const inner = await gate.reached();
    for (const pid of [shell.pid, inner])
      for (const name of ["SIGHUP", "SIGINT"] as const) process.kill(pid, name);
    expect(await world.run("locked_run", ["job", "true"])).toMatchObject({ code: 0 });
    expect([alive(shell.pid), alive(inner)]).toEqual([true, true]);
    gate.open();
    expect(await shell.exited).toBe(0);
  });
});

describe("what the command has started", () => {
  test("keeps no lock once the command has ended, and is left alive", async () => {
    using world = new World();
    world.restic();
    const script = `sleep 60 & echo $! >'${world.dir}/left'; backup`;
    expect(
      await world.exec(["sh", "-c", `locked_run backup sh -c "$0" >/dev/null 2>&1`, script]),
    ).toMatchObject({
      code: 0,
    });
    expect(alive(Number(world.read("left")))).toBe(true);
    expect(world.read("lock/backup.lock")).toBe("");
    expect((await world.exec(["flock", "-n", `${world.lock}/backup.lock`, "echo", "free"])).stdout).toBe(
      "free\n",
    );
    expect((await world.run("locked_run", ["backup", "echo", "next"])).stdout).toBe("next\n");
  });

  const commands: Record<string, string[]> = {
    "a shell's worker": ["sh", "-c", "backup; echo went on"],
    "a worker in a shell's background": ["sh", "-c", "backup & wait"],
    "a shell's shell's worker": ["sh", "-c", "sh -c 'backup; true'; echo went on"],
    "the worker of a program that hands no signal on": [
      "timeout",
      "--foreground",
      "50",
      "sh",
      "-c",
      "backup; true",
    ],
  };
  describe.each(Object.keys(commands))("is stopped and waited for: %s", (which) => {
    test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("%s", async (signal) => {
      using world = new World();
      const gate = new Gate(world);
      const clean = `echo asked >>'${world.dir}/order'; sleep 1; echo clean >>'${world.dir}/order'; exit 130`;
      world.restic(`trap "${clean}" INT; ${gate.here}`);
      world.hook("post-backup", `echo "post $RBH_STATUS" >>'${world.dir}/order'`);
      const run = world.start("locked_run", ["backup", ...(commands[which] ?? [])]);
      await gate.reached();
      run.kill(signal);
      await run.exited;
      expect(world.read("order")).toBe("asked\nclean\npost interrupted\n");
      expect(world.record()).toMatchObject({ status: "interrupted" });
      expect(world.has("lock/backup.run.json")).toBe(false);
      expect(world.processes()).toEqual([]);
    });
  });

  test("is killed after STOP_TIMEOUT, in a session of its own, too", async () => {
    using world = new World();
    const gate = new Gate(world);
    const script = `trap '' TERM; setsid sh -c "sleep 60; true" & (set -m; sleep 60 &); ${gate.here}`;
    const run = world.start("locked_run", ["job", "sh", "-c", script], { env: { STOP_TIMEOUT: "1" } });
    await gate.reached();
    const begun = performance.now();
    run.kill("SIGTERM");
    expect(await run.exited).toBe(137);
    expect(performance.now() - begun).toBeWithin(900, 4000);
    expect(world.processes()).toEqual([]);
  });

  test("ends at once at a second signal: a worker kills its restic, and leaves its record", async () => {
    using world = new World();
    const gate = new Gate(world);
    world.restic(`trap '' INT TERM; ${gate.here}`);
    const run = world.start("locked_run", ["backup", "sh", "-c", "backup; true"], {
      env: { STOP_TIMEOUT: "30" },
    });
    await gate.reached();
    run.kill("SIGTERM");
    await Bun.sleep(2100);
    run.kill("SIGTERM");
    await run.exited;
    expect(world.record()).toMatchObject({ status: "interrupted", exit_code: 143 });
    expect(world.read("log/backup-last.log")).toContain("A second signal came");
    expect(world.processes()).toEqual([]);
  });
});

// A terminal takes python3's pty module.
describe.skipIf(!hasPython)("on a terminal", () => {
  test("Ctrl-C reaches the command once, and its exit code stands", async () => {
    using world = new World();
    const gate = new Gate(world);
    const script = `trap "echo asked >>'${world.dir}/asked'" INT; ${gate.here}; exit 5`;
    const child = onTerminal(world, ["locked_run", "job", "sh", "-c", script]);
    await gate.reached();
    child.stdin.write("\x03");
    child.stdin.flush();
    await waitFor(() => world.has("asked"), "the signal");
    gate.open();
    expect(await child.exited).toBe(5);
    expect(world.read("asked")).toBe("asked\n");
  });

  test("Ctrl-C is the command's affair, and begins no stop", async () => {
    using world = new World();
    const gate = new Gate(world);
    const script = `trap "echo >>'${world.dir}/asked'" INT; ${gate.here}; exit 5`;
    const child = onTerminal(world, ["locked_run", "job", "sh", "-c", script], {
      env: { STOP_TIMEOUT: "0" },
    });
    await gate.reached();
    child.stdin.write("\x03");
    child.stdin.flush();
    await waitFor(() => world.has("asked"), "the signal");
    await Bun.sleep(300); // a stop would have killed it by now
    gate.open();
    expect(await child.exited).toBe(5);
  });

  test("the command may ask, and gets the answer", async () => {
    using world = new World();
    const child = onTerminal(world, ["locked_run", "job", "sh", "-c", 'read -r word; echo "got $word"']);
    child.stdin.write("answer\r");
    child.stdin.flush();
    expect(await new Response(child.stdout).text()).toEndWith("got answer\r\n");
    expect(await child.exited).toBe(0);
  });
});

describe("a wrong command line does nothing and ends with 2:", () => {
  const wrong: [words: string[], says: string][] = [
    [[], "An argument is missing: expected <job> [<lock-file>] <command> [<argument>…]."],
    [["job"], "An argument is missing"],
    [["job", "a.lock"], "The command is missing after job a.lock."],
    [["../job", "true"], '"../job" is not the name of a job'],
    [["", "true"], '"" is not the name of a job'],
    [["--wait", "job", "true"], "The flag --wait is unknown."],
  ];
  test.each(wrong)("%j", async (words, says) => {
    using world = new World();
    const { code, stdout, stderr } = await world.run("locked_run", words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(says);
    expect((await world.exec(["ls", "-A", "lock", "log"])).stdout).toBe("lock:\n\nlog:\n");
  });
});
