/** What a hook can see of its run, and what it cannot. */

import { describe, expect, test } from "bun:test";
import { World } from "../support/world.ts";

const SUMMARY = '{"message_type":"summary","snapshot_id":"0123456789abcdef","files_new":1}';

/** RBH_* as each hook saw them, by the name of the hook. */
function seen(world: World, hook: string): Record<string, string> {
  const lines = world
    .read(`${hook}.env`)
    .split("\0")
    .filter((line) => line.startsWith("RBH_"));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
}

function world(): World {
  const it = new World();
  for (const hook of ["pre-backup", "post-backup"]) it.hook(hook, `env -0 > ${it.dir}/${hook}.env`);
  it.restic(`env -0 > ${it.dir}/restic.env; echo '${SUMMARY}'; sleep 1.1`);
  return it;
}

test("a hook is told of its run, a post-hook of its result too", async () => {
  using it = world();
  // What a run around this one has left in the environment would mislead.
  const outer = { RBH_RECORD: "/elsewhere", RBH_EXIT_CODE: "7", RBH_HOOK: "pre-check" };
  const { code } = await it.run("backup", [], {
    env: { ...outer, RESTIC_REPOSITORY: "rest:https://u:p/w@h/r" },
  });
  expect(code).toBe(0);
  const record = it.record();
  const common = {
    RBH_WORKER: "backup",
    RBH_RUN_ID: record.run_id,
    RBH_LOG: `${it.log}/backup-last.log`,
    RBH_HOSTNAME: "testhost",
    RBH_REPOSITORY: "rest:https://u:***@h/r",
  };
  expect(seen(it, "pre-backup")).toEqual({
    ...common,
    RBH_HOOK: "pre-backup",
    RBH_HOOK_PATH: `${it.hooks}/pre-backup.sh`,
  });
  expect(seen(it, "post-backup")).toEqual({
    ...common,
    RBH_HOOK: "post-backup",
    RBH_HOOK_PATH: `${it.hooks}/post-backup.sh`,
    RBH_EXIT_CODE: "0",
    RBH_STATUS: "ok",
    RBH_RECORD: `${it.log}/last-backup.json`,
    RBH_DURATION_SECONDS: String(record.duration_seconds),
    RBH_SNAPSHOT_ID: "01234567",
  });
  expect(record.duration_seconds).toBeGreaterThanOrEqual(1);
  expect(seen(it, "restic")).toEqual({});
});

test("the rest of the environment is the worker's own", async () => {
  using it = world();
  const odd = { PLAIN: "a b", EMPTY: "", LINES: "one\ntwo", QUOTES: `'"$(x)` };
  await it.run("backup", [], { env: odd });
  const environment = it.read("pre-backup.env").split("\0");
  for (const [name, value] of Object.entries(odd)) expect(environment).toContain(`${name}=${value}`);
  expect(environment).toContain(`RESTIC_PASSWORD=${it.env.RESTIC_PASSWORD}`);
});

/** Signal 32 is libc's own: who starts the tests may have left it ignored, and no program can undo that. */
const ordinarySignals = (line: string) =>
  line.replace(/^(Sig\w+): ([0-9a-f]+)$/, (_, name, set) => {
    const ordinary = BigInt(`0x${set}`) & 0x7fffffffn;
    return `${name}: ${ordinary.toString(16).padStart(16, "0")}`;
  });

test.each(["backup", "locked_run"])(
  "started as %s: a place of its own, /dev/null, and no descriptor but 0, 1 and 2",
  async (name) => {
    using it = new World();
    it.restic();
    const about = [
      `readlink /proc/self/cwd /proc/self/fd/0`,
      // Listed by a child, so that the folder which it opens is not in the list.
      `sh -c 'ls /proc/$$/fd; :' | sed 's/^/descriptor /'`,
      `read -r line || echo "nothing to read"`,
      `sed 's/.*) . [0-9]* \\([0-9]*\\) \\([0-9]*\\) .*/group \\1 session \\2/' /proc/$$/stat; echo "pid $$"`,
      `grep -E 'SigIgn|SigBlk' /proc/self/status | tr "\\t" " "`,
      `echo "arguments $#: $*"`,
    ];
    it.hook("pre-backup", about.join("\n"));
    it.hook("post-backup", `echo "arguments $#: $*"`);
    const args = name === "backup" ? [] : ["backup", "backup"];
    // Descriptors that a careless parent leaves open are not handed on either.
    const { code, stdout } = await it.exec([
      "bash",
      "-c",
      'exec 7<"$0" && exec "$@"',
      "/etc/passwd",
      it.link(name),
      ...args,
    ]);
    expect(code).toBe(0);
    const said = stdout
      .split("\n")
      .flatMap((line) => /(?:pre|post)-backup \| (.*)/.exec(line)?.[1] ?? [])
      .map(ordinarySignals);
    const pid = /^pid (\d+)$/m.exec(said.join("\n"))?.[1];
    expect(said).toEqual([
      "/",
      "/dev/null",
      "descriptor 0",
      "descriptor 1",
      "descriptor 2",
      "nothing to read",
      `group ${pid} session ${pid}`,
      `pid ${pid}`,
      "SigBlk: 0000000000000000",
      "SigIgn: 0000000000000000",
      "arguments 0: ",
      "arguments 1: 0",
    ]);
  },
);

describe("stdout and stderr", () => {
  test("can be opened again by their names", async () => {
    using it = new World();
    it.restic();
    it.hook(
      "pre-backup",
      "echo one > /dev/stderr; echo two | tee /dev/stderr > /dev/null; echo three > /proc/self/fd/1",
    );
    const { stdout } = await it.run("backup");
    expect(stdout.match(/(?<=pre-backup \| ).*/g)).toEqual(["one", "two", "three"]);
  });

  test("folders that are given relative to the worker's are found by hooks, which run in /", async () => {
    using it = world();
    const env = { HOOKS_DIR: "hooks", LOG_DIR: "log", LOCK_DIR: "./lock" };
    const { code, stdout } = await it.run("backup", [], { env });
    expect({ code, errors: stdout.match(/ERROR|WARN/g) }).toEqual({ code: 0, errors: null });
    expect(seen(it, "post-backup")).toMatchObject({ RBH_RECORD: `${it.dir}/log/last-backup.json` });
  });
});
