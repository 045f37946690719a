// What a restic leaves behind (an agent of RESTIC_PASSWORD_COMMAND, an ssh) holds its stderr: no work waits for it.
import { expect, setDefaultTimeout } from "bun:test";
import { join } from "node:path";
import { needing } from "../support/needing.ts";
import { restics } from "../support/restics.ts";
import { Snapshots } from "../support/snapshots.ts";
import { alive, World } from "../support/world.ts";

// As long as `make test` gives every test: a busy machine needs more than five seconds here.
setDefaultTimeout(60_000);

const { afterAll, beforeAll, describe, test } = needing("restic");

let snapshots: Snapshots;
beforeAll(async () => {
  snapshots = await Snapshots.make();
});
afterAll(() => snapshots?.[Symbol.dispose]());

const workers: [name: string, words: (world: World) => string[]][] = [
  ["restore", (world) => ["--target", world.folder("out"), "--yes"]],
  ["snapshot-export", (world) => ["--output", join(world.folder("out"), "all.tar")]],
  ["forget-preview", () => ["--policy", "--keep-last 1", "--repo-wide"]],
  ["restore-test", () => []],
];

describe.each(restics.map(({ version, path }) => [version, path] as const))("with restic %s", (_, path) => {
  test.each(workers)("%s", async (name, words) => {
    using world = snapshots.open(path);
    // restic waits for the end of the agent's stdout, not of its stderr.
    const agent = world.program(
      "password",
      `sleep 50 >/dev/null & echo $! >'${world.dir}/agent'; echo '${world.env.RESTIC_PASSWORD}'`,
    );
    const env = { RESTIC_PASSWORD: undefined, RESTIC_PASSWORD_COMMAND: agent, RESTIC_TAG: "automated" };
    const begun = performance.now();
    const { code, stdout, stderr } = await world.run(name, words(world), { env });
    expect({ code, stderr, stdout: code === 0 ? "" : stdout }).toEqual({ code: 0, stderr: "", stdout: "" });
    expect(performance.now() - begun).toBeLessThan(30_000);
    expect(alive(Number(world.read("agent")))).toBe(true);
  });
});

test("stdout, which carries the bytes, is waited for within the time-out only", async () => {
  using world = new World();
  world.restic(`case " $* " in *" dump "*) echo half; sleep 50 & exit 0 ;; esac
    echo '[{"id":"0123456789abcdef","short_id":"01234567","time":"2026-05-11T09:30:00Z","hostname":"testhost","tags":["automated"],"paths":["/data"]}]'`);
  const begun = performance.now();
  const { code } = await world.run("snapshot-export", ["--output", join(world.folder("out"), "all.tar")], {
    env: { SNAPSHOT_EXPORT_TIMEOUT: "2", RESTIC_TAG: "automated" },
  });
  expect(code).toBe(124);
  expect(performance.now() - begun).toBeLessThan(30_000);
  expect(world.record("snapshot-export")).toMatchObject({ status: "timed_out" });
});
