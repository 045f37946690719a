// Whatever a hook or a restic does: once it has been made to end, nothing of it is left.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { World, waitFor } from "../support/world.ts";

// As long as `make test` gives every test: a busy machine needs more than five seconds here.
setDefaultTimeout(60_000);

/** Shell words of programs that are hard to end. */
const stubborn: Record<string, string> = {
  "is deaf": "trap '' TERM INT HUP; while :; do sleep 1; done",
  "has a deaf child": "(trap '' TERM INT HUP; while :; do sleep 1; done) & sleep 60",
  "has children in groups of their own": "set -m; sleep 60 & sleep 60 & wait",
  "waits for timeout(1)": "timeout 60 sleep 60",
  "is a tree of children":
    "f() { if [ $1 = 0 ]; then sleep 60; else f $(($1-1)) & f $(($1-1)) & wait; fi; }; f 4",
  "never stops forking": "trap '' TERM INT; while :; do sleep 60 & sleep 0.05; done",
  "has orphans": "(sleep 60 &); (sleep 60 &); sleep 60",
  "has closed its output": "exec <&- >&- 2>&-; sleep 60",
  "has emptied its environment": "env -i sleep 60 & exec env -i sleep 60",
  "has stopped itself": "kill -STOP $$; sleep 60",
};

/** These keep a processor busy: one after another. */
const flooding: Record<string, string> = {
  "prints for ever": "yes 'a line of ordinary length'",
  "prints for ever in the background": "yes 'a line of ordinary length' & yes 'and another' >&2 & wait",
};

/** Who does it, and how it is ended. restic's daemons are its own business, as lock-orphans.test.ts has it. */
const endings: Record<
  string,
  { who: "pre-backup" | "restic" | "post-backup"; env?: object; signals?: number }
> = {
  "a pre-hook that a stop ends": { who: "pre-backup", signals: 1 },
  "a restic that a stop ends": { who: "restic", signals: 1 },
  "a post-hook that a stop ends": { who: "post-backup", signals: 1 },
  "a restic that a second signal ends": { who: "restic", env: { STOP_TIMEOUT: "60" }, signals: 2 },
  "a post-hook that a second signal ends": { who: "post-backup", env: { STOP_TIMEOUT: "60" }, signals: 2 },
  "a pre-hook that its time-out ends": {
    who: "pre-backup",
    env: { HOOK_TIMEOUT: "1", HOOK_KILL_AFTER: "0" },
  },
  "a post-hook that its time-out ends": {
    who: "post-backup",
    env: { HOOK_TIMEOUT: "1", HOOK_KILL_AFTER: "0" },
  },
};

/** A signal counts as a second one when this time has passed since the first. */
const ONE_STOP_MS = 2000;

async function leavesNothing(ending: string, body: string): Promise<void> {
  using world = new World();
  const { who, env = {}, signals = 0 } = endings[ending]!;
  world.restic();
  const script = `touch '${world.dir}/started'\n${body}`;
  if (who === "restic") world.restic(script);
  else world.hook(who, script);
  const run = Bun.spawn(["backup"], {
    env: { ...world.env, STOP_TIMEOUT: "1", HOOK_LOG_MAX_BYTES: "1000", ...env },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  await waitFor(() => world.has("started"), "the start");
  await Bun.sleep(200); // to have children
  for (let count = 0; count < signals; count++) {
    if (count > 0) await Bun.sleep(ONE_STOP_MS + 200);
    run.kill("SIGTERM");
  }
  expect(await run.exited).toBe(signals === 0 ? 0 : 143);
  expect(await new Response(run.stderr).text()).toBe("");
  expect(world.processes()).toEqual([]);
  expect(world.record().hooks.every((hook: object) => "exit_code" in hook)).toBe(true);
  expect(world.has("lock/backup.run.json")).toBe(false);
}

describe.each(Object.keys(endings))("%s", (ending) => {
  test.concurrent.each(Object.keys(stubborn))("and that %s leaves nothing", (how) =>
    leavesNothing(ending, stubborn[how] ?? ""),
  );
  test.each(Object.keys(flooding))("and that %s leaves nothing", (how) =>
    leavesNothing(ending, flooding[how] ?? ""),
  );
});
