// stdout that cannot be written without waiting, and that nobody reads: time-outs and stops are kept whatever it is.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { hasPython } from "../support/pseudo-terminal.ts";
import { World } from "../support/world.ts";

// As long as `make test` gives every test: a busy machine needs more than five seconds here.
setDefaultTimeout(60_000);

/** Runs backup with a stdout that nobody reads; sends SIGTERM once the file named in argv[2] is there, if any. */
const DRIVER = `
import os, pty, signal, socket, subprocess, sys, time
kind, awaited, delay = sys.argv[1], sys.argv[2], float(sys.argv[3])
more = {}
if kind == "a terminal under Ctrl-S": _, out = pty.openpty()
elif kind == "a socket": keep, out = [s.detach() for s in socket.socketpair()]
else:
    _, out = os.pipe()
    more = {"user": 65534, "group": 65534, "extra_groups": []}
run = subprocess.Popen(["backup"], stdout=out, **more)
while awaited and not os.path.exists(awaited): time.sleep(0.02)
begun = time.monotonic()
if awaited:
    time.sleep(delay)
    begun = time.monotonic()
    run.send_signal(signal.SIGTERM)
print(run.wait(40), time.monotonic() - begun)
`;

const LINES = 30_000;

/** A world that anybody may use, with a restic that prints more than any descriptor holds, and then hangs. */
function stuck(): World {
  const world = new World();
  world.restic(`seq -f 'restic prints line %.0f' ${LINES}; touch '${world.dir}/printed'; exec sleep 60`);
  world.hook("post-backup", `echo "$1 $RBH_STATUS" >'${world.dir}/post'`);
  Bun.spawnSync(["chmod", "-R", "a+rwX", world.dir]);
  return world;
}

async function drive(world: World, kind: string, awaited: string, delay: number, env = {}) {
  const words = ["python3", "-c", DRIVER, kind, awaited && `${world.dir}/${awaited}`, String(delay)];
  const { stdout, stderr } = await world.exec(words, { env });
  const [code, seconds] = stdout.split(" ").map(Number);
  return { code, seconds: seconds ?? 0, stderr };
}

const kinds = ["a terminal under Ctrl-S", "a socket", "another user's pipe"];

describe.skipIf(!hasPython || process.getuid?.() !== 0).each(kinds)("stdout is %s", (kind) => {
  test("a time-out is kept, and the run's own log has everything", async () => {
    using world = stuck();
    const { code, seconds, stderr } = await drive(world, kind, "", 0, { BACKUP_TIMEOUT: "4" });
    expect({ code, stderr }).toEqual({ code: 124, stderr: "" });
    expect(seconds).toBeWithin(4, 10);
    expect(world.record()).toMatchObject({ status: "timed_out" });
    expect(world.read("post")).toBe("124 timed_out\n");
    const log = world.read("log/backup-last.log");
    expect(log).toContain("Nobody has read stdout for 2 s: until somebody does, lines are left out there.");
    expect(log.match(/restic \| restic prints line/g)).toHaveLength(LINES);
  });

  test.each([0, 1])("so is a stop that comes %d s after it was full", async (delay) => {
    using world = stuck();
    const { code, seconds, stderr } = await drive(world, kind, "printed", delay, { STOP_TIMEOUT: "6" });
    expect({ code, stderr }).toEqual({ code: 143, stderr: "" });
    expect(seconds).toBeLessThan(5);
    expect(world.record()).toMatchObject({ status: "interrupted", signal: "SIGTERM" });
    expect(world.read("post")).toBe("143 interrupted\n");
  });
});
