import { describe, expect, test } from "bun:test";
import { World } from "../support/world.ts";

const RANKS = ["ok", "warn", "fail"];
type Status = readonly [status: string, message: string];

/** What config-check --json says of each key. */
async function check(world: World, env: Record<string, string | undefined> = {}) {
  const { code, stdout, stderr } = await world.run("config-check", ["--json"], { env });
  expect(stderr).toBe("");
  const report = JSON.parse(stdout);
  expect(report.schema).toBe("restic-backup-helper.config-check/1");
  expect(report.exit_code).toBe(code);
  const checks: { key: string; status: string; message: string }[] = report.checks;
  const of = (status: string) => checks.filter((each) => each.status === status).length;
  expect({ errors: report.errors, warnings: report.warnings }).toEqual({
    errors: of("fail"),
    warnings: of("warn"),
  });
  // Of several with one key, what is wrong counts.
  const worstLast = checks.toSorted((a, b) => RANKS.indexOf(a.status) - RANKS.indexOf(b.status));
  const found = new Map<string, Status>(
    worstLast.map(({ key, status, message }) => [key, [status, message]]),
  );
  return { code, found };
}

test("an environment that makes sense", async () => {
  using world = new World();
  const { code, found } = await check(world);
  expect(code).toBe(0);
  for (const key of [
    "RESTIC_REPOSITORY",
    "RESTIC_PASSWORD",
    "RESTIC_TAG",
    "BACKUP_PATHS",
    "RCLONE_CONFIG",
    "REPLICATE_JOB_FILE",
    "RESTIC_CACERT",
    "BACKUP_CRON",
    "CHECK_CRON",
    "ROTATE_LOG_CRON",
    "HOOK_TIMEOUT",
    "STOP_TIMEOUT",
    "HISTORY_MAX_RUNS",
  ])
    expect([key, found.get(key)?.[0]]).toEqual([key, "ok"]);
});

describe("what is wrong", () => {
  test.each<[Record<string, string | undefined>, string, string, string]>([
    [{ RESTIC_PASSWORD: undefined }, "RESTIC_PASSWORD", "fail", "The repository's password is missing."],
    [{ RESTIC_PASSWORD_FILE: "/none" }, "RESTIC_PASSWORD_FILE", "fail", "/none cannot be read: no such file"],
    [{ RESTIC_PASSWORD_FILE: "/dev/null" }, "RESTIC_PASSWORD_FILE", "warn", "RESTIC_PASSWORD is set too"],
    [
      { RESTIC_PASSWORD_FILE: "/etc/hostname", RESTIC_PASSWORD_COMMAND: "cat x" },
      "RESTIC_PASSWORD_FILE",
      "fail",
      "restic takes only one of the two",
    ],
    [
      { RESTIC_REPOSITORY_FILE: "/none" },
      "RESTIC_REPOSITORY_FILE",
      "fail",
      "RESTIC_REPOSITORY_FILE=/none cannot be read",
    ],
    [{ RESTIC_REPOSITORY_FILE: "named" }, "RESTIC_REPOSITORY_FILE", "warn", "RESTIC_REPOSITORY is set too"],
    [{ RESTIC_TAG: "" }, "RESTIC_TAG", "fail", "is empty"],
    [{ BACKUP_ROOT_DIR: "" }, "BACKUP_PATHS", "fail", "There is nothing to back up"],
    [{ BACKUP_ROOT_DIR: "/none" }, "BACKUP_PATHS", "fail", "/none cannot be read"],
    [{ RESTIC_JOB_ARGS: "--exclude 'a" }, "RESTIC_JOB_ARGS", "fail", "the ' at character 11 is never closed"],
    [{ RESTIC_REPOSITORY: "rclone:r:x" }, "RCLONE_CONFIG", "fail", "the repository needs it"],
    [{ RESTIC_REPOSITORY_FILE: "named" }, "RCLONE_CONFIG", "fail", "the repository needs it"],
    [{ REPLICATE_CRON: "0 1 * * *" }, "RCLONE_CONFIG", "fail", "replicate needs it"],
    [{ REPLICATE_CRON: "0 1 * * *" }, "REPLICATE_JOB_FILE", "fail", "REPLICATE_CRON is set"],
    [{ REPLICATE_JOB_FILE: "empty" }, "REPLICATE_JOB_FILE", "warn", "has no row. Write SOURCE;DESTINATION"],
    [{ REPLICATE_JOB_FILE: "/etc" }, "REPLICATE_JOB_FILE", "fail", "/etc is a folder: docker makes one"],
    [{ BACKUP_ROOT_DIR: "folder" }, "BACKUP_PATHS", "warn", "folder is empty. Is its volume mounted?"],
    [
      { RESTIC_JOB_ARGS: "--files-from /none" },
      "RESTIC_JOB_ARGS",
      "fail",
      "--files-from /none cannot be read",
    ],
    [
      { RESTIC_JOB_ARGS: "--exclude-file=/etc" },
      "RESTIC_JOB_ARGS",
      "fail",
      "/etc is a folder: docker makes one",
    ],
    [
      { RESTIC_REPOSITORY_FILE: "folder" },
      "RESTIC_REPOSITORY_FILE",
      "fail",
      "folder is a folder: docker makes one",
    ],
    [{ RESTIC_FORGET_ARG: "x" }, "RESTIC_FORGET_ARG", "warn", "did you mean RESTIC_FORGET_ARGS?"],
    [{ HOOK_TIMEOUT_SOMETIMES: "3" }, "HOOK_TIMEOUT_SOMETIMES", "warn", "names no phase"],
    [{ WEBHOOK_URL_FILE: "/none" }, "WEBHOOK_URL_FILE", "fail", "/none cannot be read: no such file"],
    [{ RESTIC_CACERT: "/none" }, "RESTIC_CACERT", "warn", "restic is called without --cacert"],
    [{ BACKUP_CRON: "0 0 * *" }, "BACKUP_CRON", "fail", 'BACKUP_CRON: expression "0 0 * *" has 4 fields'],
    [{ PRUNE_CRON: "0 0 30 feb *" }, "PRUNE_CRON", "warn", "never comes"],
    [
      { CHECK_CRON: "0 0 * * sun" },
      "CHECK_CRON",
      "warn",
      "check and backup begin in the same minute, next at ",
    ],
    [
      { PRUNE_CRON: "0 6 1 * *", RESTIC_RETRY_LOCK: "off" },
      "PRUNE_CRON",
      "warn",
      "one of them will find the repository locked (exit 11). Set PRUNE_CRON to another minute than BACKUP_CRON.",
    ],
    [{ RESTIC_RETRY_LOCK: "never" }, "RESTIC_RETRY_LOCK", "fail", "never is not a duration"],
    [{ CHECK_CRON: "5/90 * * * *" }, "CHECK_CRON", "warn", "means 5 alone"],
    [{ FORGET_CRON: "@daily" }, "RESTIC_FORGET_ARGS", "fail", "there is no policy"],
    [{ LOG_DIR: "/var/my log" }, "LOG_DIR", "fail", "cannot stand in a crontab"],
    [{ TZ: "Europe/Amsterdm" }, "TZ", "warn", "is not a time zone"],
    [{ HOOK_TIMEOUT: "5m" }, "HOOK_TIMEOUT", "ok", "5m"],
    [{ HOOK_TIMEOUT: "5 m" }, "HOOK_TIMEOUT", "fail", "5 m is not a whole number of seconds, nor a duration"],
    [{ STOP_TIMEOUT: "-1" }, "STOP_TIMEOUT", "fail", "-1 is not a duration"],
    [{ MAX_CRON_LOG_ARCHIVES: "1e1" }, "MAX_CRON_LOG_ARCHIVES", "fail", "1e1 is not a whole number"],
    [{ HOOK_TIMEOUT_PRE_BACKUP: "x" }, "HOOK_TIMEOUT_PRE_BACKUP", "fail", "x is not a whole number"],
    [
      { HOOK_TIMEOUT_PRE_BACKUPS: "3" },
      "HOOK_TIMEOUT_PRE_BACKUPS",
      "warn",
      "did you mean HOOK_TIMEOUT_PRE_BACKUP?",
    ],
    [{ BACKUP_TIMEOUT: "soon" }, "BACKUP_TIMEOUT", "fail", "soon is not a duration"],
    [
      { RESTIC_AUTO_UNLOCK: "yes" },
      "RESTIC_AUTO_UNLOCK",
      "warn",
      "yes is none of OFF, ON, STALE; OFF is used",
    ],
    [{ WEBHOOK_URL: "https://x/y", WEBHOOK_URL_FILE: "/f" }, "WEBHOOK_URL", "fail", "are both set"],
    [{ REPLICATE_JOB_ARGS: "-v --allow-empty-source" }, "REPLICATE_JOB_ARGS", "fail", "hold for every row"],
    [{ REPLICATE_JOB_ARGS: "--dry-run" }, "REPLICATE_JOB_ARGS", "warn", "has --dry-run"],
    [{ SYNC_CRON: "0 1 * * *" }, "SYNC_CRON", "warn", "is the old name of REPLICATE_CRON"],
  ])("%j", async (env, key, status, message) => {
    using world = new World();
    world.file("empty", "");
    world.file("named", "# the repository\nrclone:r:x\n");
    world.folder("folder");
    const { code, found } = await check(world, env);
    expect(found.get(key)).toEqual([status, expect.stringContaining(message)]);
    if (status === "fail") expect(code).toBe(1);
  });
});

describe("the job file of replicate is read as replicate reads it", () => {
  const text = "/a;/b\n/c;/d;bisnyc\n";
  const malformed =
    'line 2 is malformed and counts as failed: unknown mode "bisnyc" (bisync, sync, copy); did you mean bisync? (/c;/d;bisnyc).';

  test.each([undefined, "0 1 * * *"])("a malformed row, REPLICATE_CRON=%p", async (REPLICATE_CRON) => {
    using world = new World();
    world.file("rclone.conf", "");
    world.file("jobs", text);
    const env = { REPLICATE_CRON, REPLICATE_JOB_FILE: "jobs", RCLONE_CONFIG: "rclone.conf" };
    const { code, found } = await check(world, env);
    expect(code).toBe(1);
    expect(found.get("REPLICATE_JOB_FILE")).toEqual(["fail", malformed]);
    expect((await world.run("config-check", [], { env })).stdout).toContain(
      `[FAIL] REPLICATE_JOB_FILE: ${malformed}\n[OK]   REPLICATE_JOB_FILE: jobs, 1 row to work through.\n`,
    );
    world.link("doctor");
    const words = "malformed and counts as failed: unknown mode";
    expect((await world.run("doctor", [], { env })).stdout).toContain(words);
    world.program("rclone", "exit 0");
    expect((await world.run("replicate", [], { env })).stdout).toContain(words);
  });

  test("a row that only a real parser sees, and a line end that only it knows", async () => {
    using world = new World();
    world.file("jobs", "\ufeff# a comment\r/a;/b\r# another\r");
    const { code, found } = await check(world, { REPLICATE_JOB_FILE: "jobs" });
    expect(code).toBe(0);
    expect(found.get("REPLICATE_JOB_FILE")).toEqual(["ok", "jobs, 1 row to work through."]);
  });
});

describe("a crontab that entry has written", () => {
  const line = (job: string, expression: string) => `${expression} /bin/locked_run ${job} /bin/${job}\n`;

  test("schedules jobs that no variable does, which then need what they need", async () => {
    using world = new World();
    world.file("crontabs/root", line("replicate", "0 1 * * *") + line("forget", "0 2 * * *"));
    const env = { CRONTAB_DIR: `${world.dir}/crontabs` };
    const { code, found } = await check(world, env);
    expect(code).toBe(1);
    expect(found.get("REPLICATE_CRON")).toEqual(["ok", expect.stringMatching(/^0 1 \* \* \*, next at /)]);
    expect(found.get("REPLICATE_JOB_FILE")).toEqual([
      "fail",
      expect.stringContaining(`; ${world.dir}/crontabs/root schedules replicate. Mount it`),
    ]);
    expect(found.get("RCLONE_CONFIG")).toEqual(["fail", expect.stringContaining("; replicate needs it.")]);
    expect(found.get("RESTIC_FORGET_ARGS")).toEqual([
      "fail",
      `${world.dir}/crontabs/root schedules forget, but there is no policy: forget would exit 2 each time.`,
    ]);
  });

  test("a policy that is refused has one verdict", async () => {
    using world = new World();
    const { stdout } = await world.run("config-check", [], { env: { RESTIC_FORGET_ARGS: "keep-daily 7" } });
    const about = stdout.split("\n").filter((line) => line.includes("] RESTIC_FORGET_ARGS"));
    expect(about).toEqual([expect.stringContaining("[FAIL] RESTIC_FORGET_ARGS")]);
  });

  test("counts more than a variable that was set after it", async () => {
    using world = new World();
    world.file("crontabs/root", line("backup", "0 1 * * *"));
    const env = { CRONTAB_DIR: `${world.dir}/crontabs`, BACKUP_CRON: "0 3 * * *", REPLICATE_CRON: "@daily" };
    const { code, found } = await check(world, env);
    expect(code).toBe(0);
    const restart = "Restart the container, so that entry writes the crontab.";
    expect(found.get("BACKUP_CRON")).toEqual([
      "warn",
      `0 3 * * * has no effect: ${world.dir}/crontabs/root has 0 1 * * *. ${restart}`,
    ]);
    expect(found.get("REPLICATE_CRON")).toEqual([
      "warn",
      `@daily has no effect: ${world.dir}/crontabs/root does not schedule replicate. ${restart}`,
    ]);
    expect(found.get("ROTATE_LOG_CRON")?.[0]).toBe("ok");
  });
});

test("lines for a person; secrets in none of them", async () => {
  using world = new World();
  const env = { RESTIC_REPOSITORY: "rest:https://me:sesame-open@host/", CHECK_CRON: "daily" };
  const { code, stdout, stderr } = await world.run("config-check", [], { env });
  expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
  expect(stdout).toContain("[OK]   RESTIC_REPOSITORY: rest:https://me:***@host/\n");
  expect(stdout).toContain('[FAIL] CHECK_CRON: expression "daily" has 1 field, not 5');
  expect(stdout).toEndWith("\n1 error, 2 warnings\n");
  expect(stdout).not.toContain("sesame");
});
