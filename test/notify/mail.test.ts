import { expect, test } from "bun:test";
import { readdirSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { Context } from "../../lib/context.ts";
import { MAIL_MOST_BYTES, sendMail } from "../../lib/notify/mail.ts";
import { isWorthAMail } from "../../lib/notify/notifier.ts";
import { Stop } from "../../lib/process/stop.ts";
import replicate from "../../lib/workers/replicate.ts";
import { needing } from "../support/needing.ts";
import { restic } from "../support/restics.ts";
import { readMail, SmtpSink, useMsmtp } from "../support/smtp.ts";
import { World, waitFor } from "../support/world.ts";

/** A PATH with what a run needs and no sendmail, whatever this machine has. */
function withoutSendmail(world: World): string {
  const bin = world.folder("plain-bin");
  for (const name of ["sh", "flock", "mkfifo", "cat"]) symlinkSync(Bun.which(name) ?? name, join(bin, name));
  return `${world.bin}:${bin}`;
}

needing("msmtp", "python3").describe("through msmtp", () => {
  test("a real backup: envelope, subject, and the run's log as the body", async () => {
    using world = new World();
    using sink = await SmtpSink.start();
    world.useRestic(restic.path);
    useMsmtp(world, sink.port);
    world.hook("pre-backup", "echo 山田太郎 — said the hook");
    await world.exec(["restic", "init"]);
    const { code, stdout } = await world.run("backup", [], {
      env: { MAILX_RCPT: "admin@larak.example, Second <second@larak.example>" },
    });
    expect(code).toBe(0);
    expect(stdout).toContain(
      "INFO  backup  mail handed to sendmail for admin@larak.example, second@larak.example",
    );
    expect(sink.mails).toHaveLength(1);
    const [mail] = sink.mails;
    expect(mail).toMatchObject({
      from: "backup@larak.example",
      to: ["admin@larak.example", "second@larak.example"],
    });
    const { headers, body, defects } = await readMail(mail?.data ?? "");
    const { duration_seconds, bytes_added, snapshot_id, run_id } = world.record();
    expect(headers.Subject).toBe(
      `[OK] Backup testhost · ${duration_seconds}s · ${bytes_added} new (snap ${snapshot_id})`,
    );
    expect(headers["Message-ID"]).toStartWith(`<${run_id}.`);
    expect(defects).toEqual([]);
    expect(body).toContain("pre-backup | 山田太郎 — said the hook");
    expect(body).toContain(`snapshot ${snapshot_id}`);
    expect(world.read("log/backup-last.log")).toStartWith(body);
    expect(world.read("log/backup-mail-last.log")).toBe("sendmail took the message.\n");
  });

  test("a failure, from a host whose name is Japanese", async () => {
    using world = new World();
    using sink = await SmtpSink.start();
    world.restic('echo "Fatal: wrong password or no key found" >&2; exit 1');
    useMsmtp(world, sink.port);
    const { code } = await world.run("backup", [], {
      env: {
        MAILX_RCPT: "admin@larak.example",
        HOSTNAME: "山田太郎のバックアップサーバー — 二号機 ".repeat(3),
      },
    });
    expect(code).toBe(12);
    const { headers, body } = await readMail(sink.mails[0]?.data ?? "");
    const name = "山田太郎のバックアップサーバー — 二号機";
    expect(headers.Subject).toStartWith(`[FAIL 12] Backup ${name} ${name} ${name}`);
    expect(body).toContain("wrong password");
    const subject = /^Subject: .*(?:\r\n .*)*/m.exec(sink.mails[0]?.data ?? "")?.[0].split("\r\n") ?? [];
    expect(subject.length).toBeGreaterThan(3);
    for (const line of subject) expect(line.length).toBeLessThanOrEqual(76);
  });

  test("a log of 5 MB: its end, the size it was cut by, and where the rest is", async () => {
    using world = new World();
    using sink = await SmtpSink.start();
    world.restic("echo restic was here");
    world.hook(
      "pre-backup",
      'yes "a line of a hook that talks too much — 山" | head -c 5000000; echo; echo the end',
    );
    useMsmtp(world, sink.port);
    const { code } = await world.run("backup", [], {
      env: { MAILX_RCPT: "admin@larak.example", HOOK_LOG_MAX_BYTES: "9000000" },
    });
    expect(code).toBe(0);
    const { body } = await readMail(sink.mails[0]?.data ?? "");
    expect(body).toMatch(
      /^\[The first \d+\.\d{3} MiB of this log's \d+\.\d{3} MiB are left out here\. All of it is in /,
    );
    expect(body).toContain(`${world.log}/backup-last.log on testhost.]`);
    expect(body).toContain("restic | restic was here");
    const [, , first] = body.split("\n");
    expect(first).toMatch(/^\d{4}-\d\d-\d\d /);
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(MAIL_MOST_BYTES + 500);
    expect(Buffer.byteLength(body)).toBeGreaterThan(MAIL_MOST_BYTES - 1000);
  });

  test("no header can be smuggled in by environment or host name", async () => {
    using world = new World();
    using sink = await SmtpSink.start();
    world.restic();
    useMsmtp(world, sink.port);
    const evil = "x\r\nBcc: evil@example.org\nX-Evil: 1\n\nbody";
    const { code, stdout } = await world.run("backup", [], {
      env: { MAILX_RCPT: `admin@larak.example\nBcc: evil@example.org`, HOSTNAME: evil, RESTIC_TAG: evil },
    });
    expect(code).toBe(0);
    expect(stdout).toContain(
      'MAILX_RCPT: "Bcc: evil@example.org" is not a mail address; no mail is sent to it.',
    );
    expect(sink.mails[0]?.to).toEqual(["admin@larak.example"]);
    const { headers } = await readMail(sink.mails[0]?.data ?? "");
    expect(Object.keys(headers).filter((name) => /evil|bcc/i.test(name))).toEqual([]);
    expect(headers.Subject).toContain("Bcc: evil@example.org");
  });

  test.each([
    ["ON", "exit 0", 0],
    ["ON", "exit 1", 1],
    ["OFF", "exit 0", 1],
  ])("MAILX_ON_ERROR=%p and a restic that does %p: %p mails", async (onError, body, mails) => {
    using world = new World();
    using sink = await SmtpSink.start();
    world.restic(body);
    useMsmtp(world, sink.port);
    await world.run("backup", [], { env: { MAILX_RCPT: "a@larak.example", MAILX_ON_ERROR: onError } });
    expect(sink.mails).toHaveLength(mails);
  });

  test("recipients from a file", async () => {
    using world = new World();
    using sink = await SmtpSink.start();
    world.restic();
    useMsmtp(world, sink.port);
    const path = world.file("rcpt", "a@larak.example\nb@larak.example\n");
    await world.run("backup", [], { env: { MAILX_RCPT_FILE: path } });
    expect(sink.mails[0]?.to).toEqual(["a@larak.example", "b@larak.example"]);
  });

  test("a secret in the log does not travel", async () => {
    using world = new World();
    using sink = await SmtpSink.start();
    world.restic('echo "the password is $RESTIC_PASSWORD"');
    useMsmtp(world, sink.port);
    await world.run("backup", [], { env: { MAILX_RCPT: "a@larak.example" } });
    const { body } = await readMail(sink.mails[0]?.data ?? "");
    expect(body).toContain("the password is ***");
    expect(body).not.toContain("correct horse");
  });

  test("the relay is down: said with msmtp's own words, kept in its log, and nothing else changes", async () => {
    using world = new World();
    const port = await SmtpSink.start().then((sink) => {
      sink[Symbol.dispose]();
      return sink.port;
    });
    world.restic();
    useMsmtp(world, port);
    const { code, stdout, stderr } = await world.run("backup", [], {
      env: { MAILX_RCPT: "a@larak.example" },
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("WARN  backup  The mail to a@larak.example was not sent: sendmail ended with ");
    expect(world.read("log/backup-mail-last.log")).toContain("cannot connect to 127.0.0.1");
    expect(world.record()).toMatchObject({ status: "ok", exit_code: 0 });
  });

  test("the relay refuses the recipient", async () => {
    using world = new World();
    using sink = await SmtpSink.start("550 nobody of that name");
    world.restic();
    useMsmtp(world, sink.port);
    const { code } = await world.run("backup", [], { env: { MAILX_RCPT: "a@larak.example" } });
    expect(code).toBe(0);
    expect(world.read("log/backup-mail-last.log")).toContain("550 nobody of that name");
    expect(sink.mails).toEqual([]);
  });

  test("a relay that says nothing: a stop ends msmtp at once, and the post-hook has run", async () => {
    using world = new World();
    let called = false;
    const silent = createServer((socket) => {
      called = true;
      socket.on("error", () => {});
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    silent.listen(0, "127.0.0.1", () => resolve());
    await promise;
    world.restic();
    world.hook("post-backup", 'echo "post-hook $1"');
    useMsmtp(world, (silent.address() as { port: number }).port);
    const child = world.start("backup", [], { env: { MAILX_RCPT: "a@larak.example", STOP_TIMEOUT: "20" } });
    await waitFor(() => called, "msmtp to call");
    const begun = performance.now();
    child.kill("SIGTERM");
    const [stdout, code] = [await new Response(child.stdout).text(), await child.exited];
    silent.close();
    expect(code).toBe(143);
    expect(performance.now() - begun).toBeLessThan(8000);
    expect(stdout).toContain("was not sent: sendmail was stopped, because the run is stopping.");
    expect(stdout).toContain("post-hook 0");
  });
});

test.each([
  [{ exit_code: 0 }, false, true],
  [{ exit_code: 0 }, true, false],
  [{ exit_code: 3 }, true, true],
  [{ exit_code: 0, status: "warning" }, true, true],
  [{ exit_code: 0, status: "dry-run", alerts: [{ kind: "dry-run", message: "x" }] }, true, true],
  [{ exit_code: 0, replicate_jobs_failed: 0 }, false, false],
  [{ exit_code: 1, replicate_jobs_failed: 2 }, true, true],
  // The job file is missing: no job failed, for none was begun.
  [{ exit_code: 1 }, false, true],
] as const)("%j with MAILX_ON_ERROR %p is worth a mail of replicate: %p", (record, onlyFailures, isWorth) =>
  expect(isWorthAMail(record, onlyFailures, replicate)).toBe(isWorth),
);

test("no sendmail: said with the remedy, and nothing else changes", async () => {
  using world = new World();
  world.restic();
  const { code, stdout, stderr } = await world.run("backup", [], {
    env: { MAILX_RCPT: "a@larak.example", PATH: withoutSendmail(world) },
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(
    /WARN {2}backup {2}The mail to a@larak\.example was not sent: sendmail was not found in PATH=\S+\. Install msmtp, or another/,
  );
});

test("a sendmail that reads nothing, fails and talks: bounded, masked, kept", async () => {
  using world = new World();
  world.restic();
  world.program(
    "sendmail",
    'echo "args: $*"; echo "token: $RESTIC_PASSWORD"; yes noise | head -c 3000000; exit 75',
  );
  world.hook("pre-backup", "head -c 3000000 /dev/zero | tr '\\0' x");
  const { code, stdout } = await world.run("backup", [], {
    env: { MAILX_RCPT: "a@larak.example", HOOK_LOG_MAX_BYTES: "9000000" },
  });
  expect(code).toBe(0);
  expect(stdout).toContain("was not sent: sendmail ended with 75: args: -t -i");
  const kept = world.read("log/backup-mail-last.log");
  expect(kept).toStartWith("args: -t -i\ntoken: ***\nnoise\n");
  expect(kept.length).toBeLessThan(70_000);
  expect(readdirSync(world.log).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test("MAILX_RCPT that names nobody", async () => {
  using world = new World();
  world.restic();
  world.program("sendmail", "echo sent > $HOME/sent");
  const { code, stdout } = await world.run("backup", [], { env: { MAILX_RCPT: " , not an address" } });
  expect(code).toBe(0);
  expect(stdout).toContain("There is no mail of this run: MAILX_RCPT holds no mail address.");
  expect(world.has("sent")).toBe(false);
});

needing("python3").test(
  "a run that cannot begin is told of too, and never with another run's log",
  async () => {
    using world = new World();
    world.restic();
    world.file("log/backup-last.log", "the log of another run\n");
    world.program("sendmail", "cat > $HOME/mail");
    world.program("flock", "echo broken >&2; exit 9");
    const { code } = await world.run("backup", [], { env: { MAILX_RCPT: "a@larak.example" } });
    expect(code).toBe(1);
    const { headers, body } = await readMail(world.read("mail"));
    expect(headers.Subject).toBe("[FAIL 1] Backup testhost · 0s");
    expect(body).toContain("flock(1) ended with 9: broken");
    expect(body).not.toContain("another run");
  },
);

test("a sendmail that does not end is killed, and its time can be shortened", async () => {
  using world = new World();
  world.program("sendmail", "trap '' TERM; echo connecting; while :; do sleep 0.05; done");
  const env = { ...world.env, MAILX_RCPT: "admin@larak.example" };
  const context = new Context("backup", { env });
  const limits = { timeoutMs: 300, graceMs: 200 };
  const message = { subject: "a subject", body: "a body\n" };
  const { failure } = await sendMail(context, message, new Stop(() => 8000), limits);
  expect(failure).toBe("sendmail did not end within 0.3s and was stopped.");
  expect(world.read("log/backup-mail-last.log")).toBe(`connecting\n${failure}\n`);
  expect(world.processes()).toEqual([]);
});
