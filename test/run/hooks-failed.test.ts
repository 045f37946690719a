// A hook that fails changes neither status nor exit code, but nobody can fail to see it.
import { describe, expect, test } from "bun:test";
import { Receiver, status } from "../support/receiver.ts";
import { World } from "../support/world.ts";

/** A backup and status after it, with channels that are for errors only. */
async function seen(world: World, env: Record<string, string> = {}) {
  world.restic();
  world.program("sendmail", `cat >>'${world.dir}/mail'`);
  using receiver = await Receiver.start(status(200));
  const run = await world.run("backup", [], {
    env: {
      MAILX_RCPT: "ops@example.org",
      MAILX_ON_ERROR: "ON",
      WEBHOOK_URL: `http://127.0.0.1:${receiver.port}/`,
      WEBHOOK_ON_ERROR: "ON",
      ...env,
    },
  });
  const judged = await world.run("status", ["--json"]);
  return {
    ...run,
    last: run.stdout.trimEnd().split("\n").at(-1) ?? "",
    sent: receiver.requests.map(({ body }) => JSON.parse(body)),
    subject: world.has("mail") ? subjectIn(world.read("mail")) : undefined,
    report: JSON.parse(judged.stdout),
  };
}

/** Decoded: it holds a middle dot, and may be folded. */
function subjectIn(mail: string): string {
  const words = /^Subject: (.*(?:\n .*)*)$/m.exec(mail)?.[1]?.matchAll(/=\?UTF-8\?B\?(.*?)\?=/g) ?? [];
  return [...words].map(([, word = ""]) => Buffer.from(word, "base64").toString()).join("");
}

const finding = (job: string, message: string) =>
  expect.objectContaining({
    job,
    status: "WARN",
    kind: "hook-failed",
    message: expect.stringContaining(message),
  });

type Spoil = (world: World) => unknown;
const WAYS: [string, Spoil, string, Record<string, string>?][] = [
  ["fails", (world) => world.hook("pre-backup", "exit 4"), "exit 4"],
  ["times out", (world) => world.hook("pre-backup", "sleep 60"), "timed out", { HOOK_TIMEOUT: "1" }],
  ["dies", (world) => world.hook("pre-backup", "kill -KILL $$"), "killed by SIGKILL, exit 137"],
  ["is not executable", (world) => world.hook("pre-backup", "", 0o644), "not executable (mode 0644)"],
  ["has CRLF", (world) => world.file("hooks/pre-backup.sh", "#!/bin/sh\r\n", 0o755), "CRLF line endings"],
  [
    "has no interpreter",
    (world) => world.file("hooks/pre-backup.sh", "#!/no/bash\n", 0o755),
    "/no/bash: not in",
  ],
];

describe("a pre-hook that", () => {
  test.each(WAYS)("%s is seen everywhere", async (_, spoil, how, env = {}) => {
    using world = new World();
    spoil(world);
    world.hook("post-backup", "true");
    const { code, last, sent, subject, report, stdout } = await seen(world, env);
    expect({ code, status: world.record().status }).toEqual({ code: 0, status: "ok" });
    expect(last).toMatch(
      / WARN {2}backup {2}backup finished: ok, exit 0, \d+s; 1 of 2 hooks failed: pre-backup$/,
    );
    expect(subject).toMatch(/^\[OK, hook failed\] Backup testhost/);
    expect(sent).toEqual([expect.objectContaining({ exit_code: 0, status: "ok" })]);
    expect(sent[0].alerts).toEqual([
      { kind: "hook-failed", message: expect.stringMatching(/^1 of 2 hooks failed: pre-backup \(.*\)\. /) },
    ]);
    expect(sent[0].alerts[0].message).toContain(how);
    expect(report).toMatchObject({ verdict: "WARN" });
    expect(report.findings).toContainEqual(finding("backup", how));
    const doctor = await world.run("doctor", [], { env });
    expect(doctor.stdout).toMatch(/WARN.* backup: 1 of 2 hooks failed: pre-backup/);
    expect(stdout).toContain("ERROR");
  });
});

test("of a run that failed the exit code comes first", async () => {
  using world = new World();
  world.hook("post-backup.d/10-first", "exit 1");
  world.hook("post-backup.d/20-second", "exit 1");
  const { last, subject, report } = await seen(world, { RESTIC_JOB_ARGS: '"' });
  expect(last).toContain(
    "backup finished: failed, exit 2, 0s; 2 of 2 hooks failed: post-backup.d/10-first, ",
  );
  expect(subject).toMatch(/^\[FAIL 2, hook failed\]/);
  expect(report.findings).toHaveLength(2);
});

test("hooks that are fine alert nobody", async () => {
  using world = new World();
  world.hook("pre-backup", "true");
  world.hook("post-backup", "true");
  const { last, sent, subject, report } = await seen(world);
  expect(last).toMatch(/ INFO {2}backup {2}backup finished: ok, exit 0, \d+s$/);
  expect({ sent, subject }).toEqual({ sent: [], subject: undefined });
  expect(world.record()).not.toHaveProperty("alerts");
  expect(report.verdict).toBe("OK");
});

describe("post-hooks that have vanished since the run began", () => {
  test.each<[string, (world: World) => string]>([
    ["one file", (world) => `rm '${world.hooks}/post-backup.sh'`],
    ["all of HOOKS_DIR", (world) => `mv '${world.hooks}' '${world.hooks}.away'`],
  ])("%s", async (_, vanish) => {
    using world = new World();
    world.hook("post-backup", "true");
    world.hook("pre-backup", vanish(world));
    const { code, last, stdout, sent } = await seen(world);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      / ERROR backup {2}\S+\/hooks\/post-backup\.sh: vanished since the run began\. It does not run\. Is \S+ still mounted\?/,
    );
    expect(last).toContain("; 1 of 2 hooks failed: post-backup");
    expect(world.record().hooks[1]).toEqual({
      phase: "post-backup",
      path: `${world.hooks}/post-backup.sh`,
      error: "vanished since the run began",
    });
    expect(sent).toHaveLength(1);
  });
});
