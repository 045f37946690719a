/** What the on-error channels hear of besides failures, from where on they send, and that all is well again. */

import { describe, expect, test } from "bun:test";
import { Settings } from "../../lib/config/settings.ts";
import { isPersonal, severityOf, thresholdOf } from "../../lib/notify/trouble.ts";
import type { RunRecord } from "../../lib/state/record.ts";
import { Receiver, status } from "../support/receiver.ts";
import { World, waitFor } from "../support/world.ts";

type Posted = Record<string, unknown> & { alerts?: { kind: string; message: string }[] };

const posted = (receiver: Receiver) => receiver.requests.map(({ body }) => JSON.parse(body) as Posted);

async function listen(
  world: World,
  env: Record<string, string> = { WEBHOOK_ON_ERROR: "ON", MAILX_ON_ERROR: "ON" },
) {
  const receiver = await Receiver.start(status(200));
  world.program("sendmail", 'cat >> "$HOME/mails"');
  Object.assign(world.env, {
    WEBHOOK_URL: `http://127.0.0.1:${receiver.port}/hook`,
    MAILX_RCPT: "ops@example.org",
    ...env,
  });
  return receiver;
}

/** The subjects of the mails so far. */
function subjects(world: World): string[] {
  if (!world.has("mails")) return [];
  const decoded = world
    .read("mails")
    .replace(/=\?UTF-8\?B\?(.*?)\?=(\n (?==\?))?/g, (_, text: string) =>
      Buffer.from(text, "base64").toString(),
    );
  return [...decoded.matchAll(/^Subject: (.*)$/gm)].map(([, text = ""]) => text);
}

test.each([
  [{}, 0],
  [{ ALERT_ON: "warning" }, 1],
  [{ ALERT_ON: "Failure" }, 2],
  [{ MAILX_ON_ERROR: "ON" }, 1],
  [{ MAILX_ON_ERROR: "ON", ALERT_ON: "failure" }, 2],
  [{ MAILX_ON_ERROR: "ON", ALERT_ON: "always" }, 1],
  [{ MAILX_ON_ERROR: "OFF", ALERT_ON: "failure" }, 0],
  [{ WEBHOOK_ON_ERROR: "ON" }, 0],
])("%j: mail from severity %p on", (env, threshold) => {
  expect(thresholdOf(new Settings(env, () => {}), "mail")).toBe(threshold);
});

test.each([
  [{ exit_code: 0, status: "ok" }, 0],
  [{ exit_code: 0, status: "warning" }, 1],
  [{ exit_code: 3, status: "warning" }, 1],
  [{ exit_code: 0, status: "ok", alerts: [{ kind: "hook-failed", message: "x" }] }, 1],
  [{ exit_code: 75, status: "skipped" }, 1],
  [{ exit_code: 12, status: "failed" }, 2],
  [{ exit_code: 137, status: "died" }, 2],
] as const)("%j has the severity %p", (record, severity) => expect(severityOf(record)).toBe(severity));

test.each([
  ["cancelled", 130, undefined, false, true],
  ["failed", 2, undefined, true, true],
  ["failed", 2, undefined, false, false],
  ["failed", 1, undefined, true, false],
  ["interrupted", 130, "SIGINT", true, true],
  ["interrupted", 143, "SIGTERM", true, false],
] as const)(
  "%s, exit %p, %p, at a terminal %p: a person's own affair %p",
  (state, code, signal, there, is) => {
    expect(isPersonal({ status: state, exit_code: code, signal } as RunRecord, there)).toBe(is);
  },
);

describe("real runs", () => {
  test("a failure, a second one, and one word that all is well again", async () => {
    using world = new World();
    using receiver = await listen(world);
    for (const code of [0, 1, 1, 0, 0]) {
      world.restic(`exit ${code}`);
      await world.run("backup");
    }
    expect(posted(receiver).map(({ status, exit_code }) => [status, exit_code])).toEqual([
      ["failed", 1],
      ["failed", 1],
      ["ok", 0],
    ]);
    expect(posted(receiver)[2]?.recovered).toMatch(
      /^All is well again: backup succeeded\. Before, it failed \(exit 1\); the trouble began at \d{4}-/,
    );
    expect(subjects(world).map((subject) => subject.replace(/ · \ds/, ""))).toEqual([
      "[FAIL 1] Backup testhost",
      "[FAIL 1] Backup testhost",
      expect.stringMatching(/^\[OK\] Backup testhost · all is well again/),
    ]);
  });

  test("a word that could not be sent is sent by the next good run", async () => {
    using world = new World();
    using receiver = await listen(world, { WEBHOOK_ON_ERROR: "ON", MAILX_RCPT: "" });
    world.restic("exit 1");
    await world.run("backup");
    world.restic();
    await world.run("backup", [], { env: { WEBHOOK_URL: "http://127.0.0.1:9/hook" } });
    await world.run("backup");
    await world.run("backup");
    expect(posted(receiver).map((record) => "recovered" in record)).toEqual([false, true]);
  });

  test.each([
    [
      "failure",
      [
        ["failed", 1],
        ["ok", 0],
      ],
    ],
    [
      "warning",
      [
        ["warning", 3],
        ["failed", 1],
        ["ok", 0],
      ],
    ],
    [
      "always",
      [
        ["warning", 3],
        ["failed", 1],
        ["ok", 0],
        ["ok", 0],
      ],
    ],
  ])("ALERT_ON=%s", async (level, expected) => {
    using world = new World();
    using receiver = await listen(world, { ALERT_ON: level });
    for (const code of [3, 1, 0, 0]) {
      world.restic(`exit ${code}`);
      await world.run("backup");
    }
    expect(posted(receiver).map((record) => [record.status, record.exit_code])).toEqual(expected);
    expect(subjects(world)).toHaveLength(expected.length);
  });

  test.each([
    ["locked_run", 0],
    ["backup", 75],
  ])("the third skip in a row is told, once, and the end of it: %s", async (command, code) => {
    using world = new World();
    using receiver = await listen(world);
    world.restic('touch "$HOME/there"; until [ -e "$HOME/go" ]; do sleep 0.05; done');
    const child = world.start("backup");
    await waitFor(() => world.has("there"), "restic");
    const words = command === "backup" ? [] : ["backup", world.link("backup")];
    for (let n = 0; n < 5; n++) expect((await world.run(command, words)).code).toBe(code);
    const [skip, ...more] = posted(receiver);
    expect(more).toEqual([]);
    expect(skip).toMatchObject({ job: "backup", status: "skipped", exit_code: code, skips_in_a_row: 3 });
    expect(skip?.alerts?.[0]).toMatchObject({
      kind: "skipped",
      message: expect.stringMatching(
        /^backup skipped: previous run still active \(pid .* BACKUP_TIMEOUT ends such a run/,
      ),
    });
    expect(subjects(world)).toEqual(["[WARN] backup testhost · skipped 3 times in a row"]);
    world.file("go", "");
    expect(await child.exited).toBe(0);
    expect(posted(receiver).at(-1)).toMatchObject({
      status: "ok",
      recovered: expect.stringContaining("it was skipped 3 times in a row"),
    });
    expect(posted(receiver)).toHaveLength(2);
  });

  test("a run found dead is told by the next one, before its own end", async () => {
    using world = new World();
    using receiver = await listen(world);
    world.restic('touch "$HOME/there"; exec sleep 30');
    const child = world.start("backup");
    await waitFor(() => world.has("there"), "restic");
    child.kill("SIGKILL");
    await child.exited;
    for (const pid of world.processes()) process.kill(pid, "SIGKILL");
    world.restic();
    await waitFor(async () => (await world.run("backup")).stdout.includes("finished"), "the lock to be free");
    const [death, end, ...more] = posted(receiver).filter(({ status }) => status !== "skipped");
    expect(death).toMatchObject({
      status: "died",
      exit_code: 137,
      error: expect.stringContaining("The run before this one died without a record"),
    });
    expect(death?.run_id).not.toBe(end?.run_id);
    expect(end).toMatchObject({ status: "ok", recovered: expect.stringContaining("it died;") });
    expect(more).toEqual([]);
    expect(subjects(world)[0]).toBe("[DIED] backup testhost");
  });

  test("a failed start of the container is told, and that it has started", async () => {
    using world = new World();
    using receiver = await listen(world);
    world.program(
      "restic",
      'echo "Fatal: unable to open config file: dial tcp: lookup nowhere: no such host" >&2; exit 1',
    );
    world.program("crond", "exec sleep 60");
    world.env.CRONTAB_DIR = world.folder("crontabs");
    expect((await world.run("restic-backup-helper", ["entry"])).code).toBe(1);
    expect(posted(receiver)).toMatchObject([{ job: "entry", status: "failed", exit_code: 1 }]);
    world.restic();
    const child = world.start("restic-backup-helper", ["entry"]);
    await waitFor(() => receiver.requests.length === 2, "the second word");
    expect(posted(receiver)[1]).toMatchObject({
      job: "entry",
      status: "ok",
      recovered: expect.stringContaining("All is well again: entry succeeded. Before, it failed (exit 1)"),
    });
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
    const third = world.start("restic-backup-helper", ["entry"]);
    await waitFor(() => world.has("crontabs/root"), "the crontab");
    third.kill("SIGTERM");
    await third.exited;
    expect(receiver.requests).toHaveLength(2);
  });
});
