import { describe, expect, test } from "bun:test";
import {
  encodeHeader,
  mailDate,
  recipientsOf,
  renderMessage,
  shortened,
  subjectOf,
} from "../../lib/notify/message.ts";
import type { Announced } from "../../lib/notify/notifier.ts";
import { findRow } from "../../lib/run/command.ts";
import { RECORD_SCHEMA, type RunRecord } from "../../lib/state/record.ts";
import { loadZone } from "../../lib/time/zone.ts";
import { table } from "../../lib/workers/index.ts";
import { needing } from "../support/needing.ts";
import { readMail } from "../support/smtp.ts";

const record = (change: Partial<RunRecord>): RunRecord => ({
  schema: RECORD_SCHEMA,
  job: "backup",
  hostname: "larak",
  release: "3.0.0",
  run_id: "backup-1",
  started_at: "",
  finished_at: "",
  started_epoch: 0,
  finished_epoch: 0,
  duration_seconds: 312,
  exit_code: 0,
  status: "ok",
  hooks: [],
  ...change,
});

describe("the subject", () => {
  const snapshot = { bytes_added: "1.234 MiB", snapshot_id: "a1b2c3d4" };
  test.each([
    [{ ...snapshot }, "[OK] Backup larak · 5m12s · 1.234 MiB new (snap a1b2c3d4)"],
    [{ status: "failed", exit_code: 12 }, "[FAIL 12] Backup larak · 5m12s"],
    [
      { ...snapshot, status: "warning", exit_code: 3 },
      "[WARN 3] Backup larak · 5m12s · 1.234 MiB new (snap a1b2c3d4)",
    ],
    [{ status: "warning", duration_seconds: 0 }, "[WARN] Backup larak · 0s"],
    [{ status: "interrupted", exit_code: 143 }, "[FAIL 143] Backup larak · 5m12s"],
    [{ status: "timed_out", exit_code: 124, duration_seconds: 3725 }, "[FAIL 124] Backup larak · 1h2m"],
    [{ job: "restore-test", files_restored: 12 }, "[OK] Restore test larak · 5m12s · 12 files restored"],
    [
      { job: "snapshot-export", files: 3, archive_size_bytes: 1024, archive: "/restore/a.tar.gz" },
      "[OK] Snapshot export larak · 5m12s · 3 files (1.000 KiB) → /restore/a.tar.gz",
    ],
    [
      { job: "check", repository: "rest:https://u:***@h/r" },
      "[OK] Check larak · 5m12s · rest:https://u:***@h/r",
    ],
    [{ job: "prune", repository: "/mnt/restic" }, "[OK] Prune larak · 5m12s · /mnt/restic"],
    [{ job: "forget-preview", repository: "/mnt/restic" }, "[OK] Forget preview larak · 5m12s · /mnt/restic"],
    [
      { job: "restore", files_restored: 1, bytes_restored: 2048, target: "/restore" },
      "[OK] Restore larak · 5m12s · 1 file (2.000 KiB) → /restore",
    ],
    [
      { job: "restore", files_restored: 2, bytes_restored: 0, target: "/restore", dry_run: "ON" },
      "[OK] Restore larak · 5m12s · DRY-RUN · 2 files (0 B) → /restore",
    ],
    [
      { job: "mount-snapshot", snapshots: 4, target: "/fusemount" },
      "[OK] Mount snapshot larak · 5m12s · 4 snapshots → /fusemount",
    ],
    [
      {
        job: "replicate",
        status: "failed",
        exit_code: 1,
        replicate_jobs_processed: 10,
        replicate_jobs_failed: 3,
      },
      "[FAIL 1] Replicate larak · 5m12s · 10 jobs (3 failed)",
    ],
  ] as const)("%j", async (change, subject) => {
    const whole = record(change);
    const worker: Announced = (await findRow(table, whole.job)?.load()) ?? {};
    expect(subjectOf(whole, worker.subject?.(whole))).toBe(subject);
  });
});

needing("python3").describe("a header", () => {
  test.each([
    ["plain words", "plain words"],
    ["", ""],
    ["line\nbreak", "line break"],
    ["a\r\nBcc: evil@example.org", "a Bcc: evil@example.org"],
    ["a\u2028b\u0000c\u001bd", "a b\\x00c\\x1bd"],
  ])("%j is %j", (text, encoded) => expect(encodeHeader(text)).toBe(encoded));

  test.each([
    "an em dash — and a name: 山田太郎のサーバー",
    "=?UTF-8?Q?not_encoded_by_us?=",
    "long ".repeat(60).trim(),
    "山".repeat(200),
    "👩‍👩‍👧‍👦".repeat(40),
    "é".repeat(39),
    "a".repeat(67),
    "half a pair \ud800 of units",
  ])("%j comes back the same, in lines of 76 at the most, cut between characters", async (text) => {
    const lines = `Subject: ${encodeHeader(text)}`.split("\n");
    for (const line of lines) {
      expect(line.length).toBeLessThanOrEqual(76);
      expect(line).toMatch(/^(Subject:| )(?: ?=\?UTF-8\?B\?[A-Za-z0-9+/=]+\?=)$/);
      const bytes = Buffer.from(/\?B\?(.*)\?=/.exec(line)?.[1] ?? "", "base64");
      expect(() => new TextDecoder("utf-8", { fatal: true }).decode(bytes)).not.toThrow();
    }
    const { headers, defects } = await readMail(`${lines.join("\n")}\nMIME-Version: 1.0\n\nbody\n`);
    expect(headers.Subject).toBe(text.toWellFormed());
    expect(defects).toEqual([]);
  });
});

describe("recipients", () => {
  test.each([
    ["a@b.example", ["a@b.example"], []],
    [" a@b.example , c+d@e.example,,root ", ["a@b.example", "c+d@e.example", "root"], []],
    ["a@b.example\nc@d.example\n", ["a@b.example", "c@d.example"], []],
    ["Admin <a@b.example>; <c@[192.0.2.1]>", ["a@b.example", "c@[192.0.2.1]"], []],
    ["a@b.example\r\nBcc: evil@example.org", ["a@b.example"], ["Bcc: evil@example.org"]],
    ["a b@c.example, a@b@c, 名@b.example, <>", [], ["a b@c.example", "a@b@c", "名@b.example", "<>"]],
    ["", [], []],
  ])("%j", (text, good, bad) => expect(recipientsOf(text)).toEqual({ good, bad }));
});

describe("the date", () => {
  test.each([
    ["Europe/Amsterdam", Date.UTC(2026, 4, 11, 7, 30), "Mon, 11 May 2026 09:30:00 +0200"],
    ["UTC", 0, "Thu, 01 Jan 1970 00:00:00 +0000"],
    ["America/St_Johns", Date.UTC(2026, 0, 1), "Wed, 31 Dec 2025 20:30:00 -0330"],
  ])("%s", (tz, at, text) => expect(mailDate(at, loadZone(tz))).toBe(text));
});

test("the end of a long log is kept from the beginning of a line on, and what is left out is told", () => {
  const tail = "nd of a line\nnext line\nlast line\n";
  expect(shortened(tail, 5 * 1024 * 1024, "/var/log/backup-last.log on larak")).toBe(
    "[The first 5.000 MiB of this log's 5.000 MiB are left out here. All of it is in /var/log/backup-last.log on larak.]" +
      "\n\nnext line\nlast line\n",
  );
});

needing("python3").describe("a message", () => {
  const message = (change: Partial<Parameters<typeof renderMessage>[0]>) =>
    renderMessage({
      to: ["a@b.example"],
      subject: "subject",
      body: "body\n",
      epochMs: 0,
      zone: loadZone("UTC"),
      id: "backup-20260511-093000-77",
      hostname: "larak",
      ...change,
    });

  test("whole", () => {
    expect(message({ to: ["a@b.example", "c@d.example"] })).toMatchInlineSnapshot(`
      "To: a@b.example,
       c@d.example
      Subject: subject
      Date: Thu, 01 Jan 1970 00:00:00 +0000
      Message-ID: <backup-20260511-093000-77.0@larak>
      MIME-Version: 1.0
      Content-Type: text/plain; charset=UTF-8
      Content-Transfer-Encoding: 7bit
      Auto-Submitted: auto-generated

      body
      "
    `);
  });

  test.each([
    ["ASCII", "plain\n.\n..\nFrom here\n", "7bit"],
    ["no newline at its end", "plain", "7bit"],
    ["nothing", "", "7bit"],
    ["UTF-8", "山田 — é\n", "base64"],
    ["a line of 20,000 characters", `${"x".repeat(20_000)}\n`, "base64"],
    ["control characters", "a\u001b[31mb\u0000\n", "base64"],
    ["half a pair of units", "a\ud800\n", "base64"],
  ])("%s comes back the same", async (_, body, encoding) => {
    const text = message({ body });
    expect(text).toContain(`\nContent-Transfer-Encoding: ${encoding}\n`);
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(900);
    const read = await readMail(text);
    expect(read.body).toBe(body === "" || body.endsWith("\n") ? body.toWellFormed() : `${body}\n`);
    expect(read.defects).toEqual([]);
  });

  test("neither host name nor subject can add a header", async () => {
    const evil = 'x>\r\nBcc: evil@example.org\r\nX-"Y: z\n\nnew body';
    const { headers, body } = await readMail(message({ hostname: evil, subject: evil, id: evil }));
    expect(Object.keys(headers)).toEqual([
      "To",
      "Subject",
      "Date",
      "Message-ID",
      "MIME-Version",
      "Content-Type",
      "Content-Transfer-Encoding",
      "Auto-Submitted",
    ]);
    expect(headers["Message-ID"]).toMatch(/^<[A-Za-z0-9-]+\.0@x-Bcc-evil-example-org-X--Y-z-new-body>$/);
    expect(body).toBe("body\n");
  });
});
