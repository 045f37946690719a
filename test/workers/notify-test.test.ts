import { describe, expect, test } from "bun:test";
import { Receiver, status } from "../support/receiver.ts";
import { readMail, SmtpSink, useMsmtp } from "../support/smtp.ts";
import { World } from "../support/world.ts";

class Scene extends World {
  sink: SmtpSink | undefined;
  receiver: Receiver | undefined;

  static async make(answer = status(200), reject?: string): Promise<Scene> {
    const scene = new Scene();
    scene.sink = await SmtpSink.start(reject);
    scene.receiver = await Receiver.start(answer);
    useMsmtp(scene, scene.sink.port);
    scene.env.MAILX_RCPT = "admin@larak.example";
    scene.env.WEBHOOK_URL = `http://127.0.0.1:${scene.receiver.port}/services/secret-path`;
    return scene;
  }

  get sent(): { mails: number; webhooks: number } {
    return { mails: this.sink?.mails.length ?? 0, webhooks: this.receiver?.requests.length ?? 0 };
  }

  get results() {
    const { mail_result, webhook_result, exit_code, status } = this.record("notify-test");
    return { mail_result, webhook_result, exit_code, status };
  }

  override [Symbol.dispose](): void {
    this.sink?.[Symbol.dispose]();
    this.receiver?.[Symbol.dispose]();
    super[Symbol.dispose]();
  }
}

const BOTH = { mails: 1, webhooks: 1 };

describe.skipIf(!Bun.which("msmtp"))("notify-test", () => {
  test.each([
    [[], "delivered", "delivered"],
    [["--all"], "delivered", "delivered"],
    [["--mail", "--webhook"], "delivered", "delivered"],
    [["--mail"], "delivered", "skipped"],
    [["--webhook"], "skipped", "delivered"],
    [["--all", "--dry-run"], "dry-run", "dry-run"],
    [["--mail", "--dry-run"], "dry-run", "skipped"],
  ])("%j", async (args, mail_result, webhook_result) => {
    using scene = await Scene.make();
    const { code, stdout, stderr } = await scene.run("notify-test", args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(scene.results).toEqual({ mail_result, webhook_result, exit_code: 0, status: "ok" });
    expect(scene.sent).toEqual({
      mails: mail_result === "delivered" ? 1 : 0,
      webhooks: webhook_result === "delivered" ? 1 : 0,
    });
    expect(stdout).not.toContain("secret-path");
    if (mail_result === "dry-run") {
      expect(stdout).toContain(
        'Dry run: the mail "[TEST] restic-backup-helper testhost" would go to admin@larak.example.',
      );
    }
  });

  test("what arrives is marked, and is what was asked for", async () => {
    using scene = await Scene.make();
    const words = ["--subject", "Grüße\nBcc: evil@example.org", "--message", "first line\n.\nzweite — Zeile"];
    await scene.run("notify-test", words);
    const { headers, body } = await readMail(scene.sink?.mails[0]?.data ?? "");
    expect(headers.Subject).toBe("[TEST] Grüße Bcc: evil@example.org");
    expect(headers).not.toHaveProperty("Bcc");
    expect(body).toMatch(
      /^first line\n\.\nzweite — Zeile\n\nHost: testhost\nTime: \d{4}-.*\nRun: {2}notify-test-\d/,
    );
    const record = JSON.parse(scene.receiver?.requests[0]?.body ?? "");
    expect(record).toMatchObject({
      schema: "restic-backup-helper.run/1",
      job: "notify-test",
      test: "ON",
      subject: "[TEST] Grüße\nBcc: evil@example.org",
      exit_code: 0,
      status: "ok",
      run_id: scene.record("notify-test").run_id,
    });
  });

  test("failures only, pings, a failing test: nothing is sent but what was asked for", async () => {
    using scene = await Scene.make();
    using pinged = await Receiver.start(status(200));
    const env = {
      MAILX_ON_ERROR: "ON",
      WEBHOOK_ON_ERROR: "ON",
      HEALTHCHECKS_URL: `http://127.0.0.1:${pinged.port}/ping`,
    };
    const { code } = await scene.run("notify-test", [], { env });
    expect(code).toBe(0);
    expect(scene.sent).toEqual(BOTH);
    expect(pinged.requests).toEqual([]);
  });

  test("a mail that is refused and a webhook that is taken: exit 1, and both are tried", async () => {
    using scene = await Scene.make(status(200), "550 no such user");
    const { code, stdout } = await scene.run("notify-test", ["--all"]);
    expect(code).toBe(1);
    expect(scene.results).toEqual({
      mail_result: "failed",
      webhook_result: "delivered",
      exit_code: 1,
      status: "failed",
    });
    expect(stdout).toMatch(
      /ERROR notify-test {2}The mail to admin@larak\.example was not delivered: sendmail ended with \d+/,
    );
  });

  test("a webhook that is refused: exit 1, scheme and host alone are shown", async () => {
    using scene = await Scene.make(status(403));
    const { code, stdout } = await scene.run("notify-test", ["--webhook"]);
    expect(code).toBe(1);
    expect(scene.results).toMatchObject({ mail_result: "skipped", webhook_result: "failed" });
    expect(stdout).toContain(
      `The webhook to http://127.0.0.1:${scene.receiver?.port} was not delivered: it answered 403 (its authorization is`,
    );
    expect(stdout).not.toContain("secret-path");
  });

  test("its hooks run, with the exit code of the delivery", async () => {
    using scene = await Scene.make(status(500));
    scene.hook("post-notify-test", 'echo "post $1 $RBH_STATUS"');
    const { code, stdout } = await scene.run("notify-test", ["--webhook"], { env: { WEBHOOK_TIMEOUT: "1" } });
    expect(code).toBe(1);
    expect(stdout).toContain("post-notify-test | post 1 failed");
  });
});

test.each([
  [[], {}, "There is no recipient. Set MAILX_RCPT, WEBHOOK_URL, or both."],
  [["--mail"], {}, "--mail has no recipient. Set MAILX_RCPT or MAILX_RCPT_FILE."],
  [
    ["--webhook"],
    { MAILX_RCPT: "a@b.example" },
    "--webhook has no recipient. Set WEBHOOK_URL or WEBHOOK_URL_FILE.",
  ],
  [
    ["--all", "--mail"],
    { MAILX_RCPT: "a@b.example" },
    "--all means both channels; use it without --mail and --webhook.",
  ],
  [
    ["--dry-run"],
    { WEBHOOK_URL: "ftp://x/" },
    "WEBHOOK_URL is not an http:// or https:// URL. Correct it, or unset it.",
  ],
  [["--dry-run"], { MAILX_RCPT: "a b" }, "MAILX_RCPT holds no mail address. Correct it, or unset it."],
  [
    ["--mail"],
    { MAILX_RCPT: "a@b.example", MAILX_RCPT_FILE: "/x" },
    "MAILX_RCPT and MAILX_RCPT_FILE are both set, and one of them would be ignored. Unset one of them.",
  ],
])("%j with %j is refused: exit 2, and nothing is sent", async (args, env, message) => {
  using world = new World();
  world.program("sendmail", "echo sent > $HOME/sent");
  const { code, stdout } = await world.run("notify-test", args, { env });
  expect(code).toBe(2);
  expect(stdout).toContain(`ERROR notify-test  ${message}\n`);
  expect(world.has("sent")).toBe(false);
  expect(world.record("notify-test")).toMatchObject({ exit_code: 2, status: "failed", error: message });
});
