// Hostile hooks, a row each: what one can spoil, and what it cannot.
import { expect } from "bun:test";
import { readdirSync } from "node:fs";
import type { HookResult } from "../../lib/state/record.ts";
import type { World } from "../support/world.ts";
import { fault } from "./fault.ts";
import type { HostileHook } from "./hooks/hostile.ts";
import { hostileHooks } from "./hooks/index.ts";
import { waitForPeace } from "./peace.ts";

const PHASES = ["pre-backup", "post-backup"] as const;

for (const hook of hostileHooks) {
  fault({ injected: `a hook that ${hook.name}`, promised: promiseOf(hook) }, (world) => run(world, hook));
}

/** Is it one that cannot run? */
function isRefused(hook: HostileHook): boolean {
  return "exit" in hook && hook.exit === undefined;
}

function promiseOf(hook: HostileHook): string {
  const { destroys, hangs, exit = 0 } = hook;
  if (destroys !== undefined) return `what can be promised of it: ${destroys}`;
  if (hangs) return "ended by HOOK_TIMEOUT with all that it started (124); work and other hooks run, exit 0";
  if (isRefused(hook)) return "an error names the reason; work and other hooks run, exit 0";
  return `recorded as exit ${exit}; work and other hooks run, exit 0`;
}

async function run(world: World, hook: HostileHook): Promise<string> {
  world.restic("echo work");
  for (const phase of PHASES) {
    world.hook(`${phase}.d/good`, "echo good");
    if (hook.only === undefined || hook.only === phase) plant(world, hook, `hooks/${phase}.sh`);
  }
  const env = { STOP_TIMEOUT: "2", ...(hook.hangs ? { HOOK_TIMEOUT: "1", HOOK_KILL_AFTER: "0" } : {}) };
  const { code, stdout, stderr } = await world.run("backup", [], { env });
  const run = hook.run ?? 0;
  expect({ code, stderr, stdout }).toEqual({ code: run, stderr: "", stdout: expect.anything() });
  expect(hook.says === undefined ? "" : stdout).toMatch(hook.says ?? /^$/);
  expectClean(stdout);
  if (run === 0) expect(stdout.match(/restic \| work$|-backup \| good$/gm)).toContain("restic | work");
  await expectNothingLeft(world, hook);
  hook.mend?.(world);
  return run === 137 ? deathOf(world) : `exit ${code}, ${seenOf(world, hook)}`;
}

function plant(world: World, { script }: HostileHook, path: string): void {
  if (typeof script === "function") script(world, path);
  else world.file(path, script.startsWith("#!") ? `${script}\n` : `#!/bin/sh\n${script}\n`, 0o755);
}

/** Neither a secret nor a character that a terminal would obey. */
function expectClean(text: string): void {
  expect(text).not.toContain("horse battery");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  expect(text.match(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/)).toBeNull();
}

async function expectNothingLeft(world: World, { leaves }: HostileHook): Promise<void> {
  if (leaves) {
    expect(world.processes().length).toBeGreaterThan(0);
    for (const pid of world.processes()) process.kill(pid, "SIGKILL");
  }
  await waitForPeace(world);
}

/** What the record says of the hook, in words; holds it against what was promised. */
function seenOf(world: World, hook: HostileHook): string {
  expect(readdirSync(world.log).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  if (world.has("log/backup-last.log")) expectClean(world.read("log/backup-last.log"));
  if (!world.has("log/last-backup.json")) {
    expect(hook.destroys).toBeDefined();
    return "no record, for it had no place";
  }
  const { status, hooks }: { status: string; hooks: HookResult[] } = world.record();
  const own = hooks.filter(({ path }) => /(pre|post)-backup\.sh$/.test(path));
  const good = hooks.filter(({ path }) => path.endsWith("good.sh"));
  // One that took itself away is missed when its turn comes after the work, and that is said.
  const gone = hook.destroys === undefined ? undefined : "vanished since the run began";
  for (const each of own)
    expect(each).toMatchObject(
      gone !== undefined && each.error === gone ? { error: gone } : promisedResult(hook),
    );
  expect(own.length).toBeGreaterThan(0);
  if (hook.destroys === undefined) {
    expect(own).toHaveLength(2);
    expect(good.map(({ exit_code }) => exit_code)).toEqual([0, 0]);
  }
  return `${status}; ${[...new Set(own.map(wordsOf))].join(" and ")}`;
}

function promisedResult(hook: HostileHook): object {
  const { exit = 0, signal, hangs } = hook;
  if (hangs) return { exit_code: 124, timed_out: true };
  if (isRefused(hook)) return { error: expect.any(String) };
  return { exit_code: exit, timed_out: false, ...(signal === undefined ? {} : { signal }) };
}

const wordsOf = ({ error, exit_code, signal, timed_out }: HookResult): string =>
  `the hook ${error ?? (timed_out ? "timed out" : `ended with ${signal ?? exit_code}`)}`;

async function deathOf(world: World): Promise<string> {
  world.restic();
  for (const name of readdirSync(world.hooks)) await world.exec(["rm", "-rf", `${world.hooks}/${name}`]);
  const { code, stdout } = await world.run("backup");
  expect(code).toBe(0);
  expect(stdout).toContain("The run before this one died without a record");
  return "exit 137; the next run: died, and right again";
}

fault(
  {
    injected: "a post-hook that takes longer than a minute, and fails",
    promised: "the mail goes out a minute after the work, and again with the failure",
    timeout: 120_000,
  },
  async (world) => {
    world.program("sendmail", `{ date +%s; cat; } >>'${world.dir}/mails'`);
    world.hook("post-backup", "sleep 64; exit 3");
    const begun = Math.floor(Date.now() / 1000);
    const { code } = await world.run("backup", [], {
      env: { MAILX_RCPT: "ops@example.org" },
      timeout: 100_000,
    });
    const sent = (world.read("mails").match(/^\d{10,}$/gm) ?? []).map((epoch) => Number(epoch) - begun);
    expect({ code, sent: sent.length }).toEqual({ code: 0, sent: 2 });
    expect(sent[0]).toBeGreaterThanOrEqual(60);
    expect(sent[0]).toBeLessThan(64);
    expect(sent[1]).toBeGreaterThanOrEqual(64);
    expect(world.record()).toMatchObject({ status: "ok", alerts: [{ kind: "hook-failed" }] });
    return "a mail after 60 s, another after 64 s, exit 0";
  },
);
