// Post-hooks start as soon as the record stands, and who is notified hears what they came to.
import { expect, test } from "bun:test";
import { Receiver, status } from "../support/receiver.ts";
import { World, waitFor } from "../support/world.ts";

/** sendmail as a program that never comes to an end, until it is killed. */
const SILENT = "sleep 60";

test("dead receivers of webhook, ping and mail do not delay the post-hook", async () => {
  using world = new World();
  world.restic();
  world.program("sendmail", SILENT);
  world.hook("post-backup", `date +%s%N >'${world.dir}/thawed'`);
  using silent = await Receiver.start((_, request) => void request);
  const url = `http://127.0.0.1:${silent.port}`;
  const run = world.start("backup", [], {
    env: { WEBHOOK_URL: `${url}/hook`, HEALTHCHECKS_URL: `${url}/ping`, MAILX_RCPT: "ops@example.org" },
  });
  await waitFor(() => silent.lines.includes("POST /hook"), "the webhook");
  // Nobody has been answered yet, and the hook has ended: it was first.
  expect(world.has("thawed")).toBe(true);
  expect(world.record().hooks).toMatchObject([{ phase: "post-backup", exit_code: 0 }]);
  expect(JSON.parse(silent.requests.find(({ path }) => path === "/hook")?.body ?? "")).toEqual(
    world.record(),
  );
  run.kill("SIGTERM");
  expect(await run.exited).toBe(143);
  expect(world.record()).toMatchObject({ status: "interrupted", work_exit_code: 0, work_status: "ok" });
});

test("webhook, mail and metrics carry what the post-hooks came to", async () => {
  using world = new World();
  world.restic();
  world.program("sendmail", `cat >'${world.dir}/mail'`);
  world.hook("post-backup", "echo thawing; exit 4");
  using receiver = await Receiver.start(status(200));
  const metrics = world.folder("metrics");
  const { code } = await world.run("backup", [], {
    env: {
      WEBHOOK_URL: `http://127.0.0.1:${receiver.port}/`,
      MAILX_RCPT: "ops@example.org",
      METRICS_DIR: metrics,
    },
  });
  expect(code).toBe(0);
  expect(JSON.parse(receiver.requests[0]?.body ?? "")).toEqual(world.record());
  expect(world.record().hooks).toMatchObject([{ phase: "post-backup", exit_code: 4 }]);
  expect(world.read("mail")).toContain("post-backup | thawing");
  expect(world.read("metrics/restic_backup.testhost.prom")).toContain('hook="post-backup"} 4');
});
