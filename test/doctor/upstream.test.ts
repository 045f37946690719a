// doctor --from-upstream on what people bring from marc0janssen/restic-backup-helper 2.14.

import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { World } from "../support/world.ts";

type Env = Record<string, string | undefined>;

/** A container that was moved and lost nothing. */
function newWorld(): World {
  const world = new World();
  world.restic('[ "$1" = version ] && echo "restic 9.9.9 (fake)"; exit 0');
  Object.assign(world.env, {
    TZ: "Europe/Amsterdam",
    BACKUP_CRON: "0 1 * * *",
    CRONTAB_DIR: world.folder("crontabs"),
    REPLICATE_JOB_FILE: join(world.dir, "config/jobs"),
    RESTIC_JOB_ARGS: "--one-file-system --exclude-caches",
  });
  world.file("crontabs/root", OURS);
  return world;
}

/** As entry writes it. */
const OURS = "0 1 * * * /bin/locked_run backup /var/run/backup.lock /bin/backup :/var/log/cron.log\n";

async function move(world: World, env: Env = {}) {
  const { code, stdout, stderr } = await world.run("doctor", ["--from-upstream", "--json"], { env });
  expect(stderr).toBe("");
  const checks: { section: string; status: string; message: string }[] = JSON.parse(stdout).checks;
  const of = (status: string) =>
    checks.filter((each) => each.status.toUpperCase() === status).map(({ message }) => message);
  return { code, lost: of("FAIL"), toDo: of("WARN"), changes: of("INFO"), kept: of("OK") };
}

describe("nothing is lost", () => {
  test("a complete container: every area has its lines, and the exit code is 0", async () => {
    using world = newWorld();
    world.file("log/cron.log", "✅ Backup Successful\n");
    world.hook("pre-backup", "jq . /dev/null");
    world.file(
      "log/last-backup.json",
      JSON.stringify({
        job: "backup",
        status: "ok",
        exit_code: 0,
        finished_epoch: 1700000000,
        no_such_field: "/data",
        hooks: [],
      }),
    );
    const { code, lost, kept, toDo, changes } = await move(world);
    expect(lost).toEqual([]);
    expect(code).toBe(0);
    expect(kept).toContain("TZ: kept: Europe/Amsterdam.");
    expect(kept).toContain("RESTIC_JOB_ARGS: kept: the same 2 words.");
    expect(kept.join("\n")).toMatch(/crontabs\/root starts backup at 0 1 \* \* \*\./);
    expect(kept.join("\n")).toMatch(/last-backup\.json: ok, exit 0; status and doctor read it\./);
    expect(kept.join("\n")).toMatch(/pre-backup\.sh still runs as pre-backup/);
    expect(toDo.join("\n")).toContain("later runs do not write: no_such_field.");
    expect(changes.join("\n")).toContain("[FAIL 3]");
  });

  test("for a person: sections with headings, and the summary at the end; nothing is written", async () => {
    using world = newWorld();
    const { code, stdout } = await world.run("doctor", ["--from-upstream"]);
    expect(code).toBe(0);
    const headings = stdout.split("\n").filter((line) => line.startsWith("== "));
    expect(headings).toEqual([
      ...["environment", "schedule", "records", "hooks", "replicate", "outputs"].map(
        (part) => `== Move: ${part} ==`,
      ),
      "== Summary ==",
    ]);
    expect(existsSync(world.repository)).toBe(false);
  });

  test("--hooks and --from-upstream are two reports", async () => {
    using world = newWorld();
    const { code, stderr } = await world.run("doctor", ["--from-upstream", "--hooks"]);
    expect(code).toBe(2);
    expect(stderr).toContain("Give one of them.");
  });
});

describe("environment", () => {
  test.each<[string, Env, RegExp]>([
    [
      "a quote that was a character",
      { RESTIC_JOB_ARGS: "--exclude Bob's" },
      /RESTIC_JOB_ARGS: .*never closed/,
    ],
    ["an argument of replicate by its old name", { SYNC_JOB_ARGS: "--exclude it's" }, /lost: .*never closed/],
    [
      "a source that is not mounted",
      { BACKUP_ROOT_DIR: "/no/such/folder" },
      /BACKUP_ROOT_DIR: lost: \/no\/such\/folder/,
    ],
    ["no password", { RESTIC_PASSWORD: "" }, /lost: The repository.s password is missing/],
    [
      "a schedule that crond cannot read",
      { CHECK_CRON: "every day" },
      /CHECK_CRON: .* check is not started\./,
    ],
  ])("lost: %s", async (_what, env, said) => {
    using world = newWorld();
    const { code, lost } = await move(world, env);
    expect(lost.join("\n")).toMatch(said);
    expect(code).toBe(1);
  });

  test.each<[string, Env, RegExp]>([
    ["quotes that were literal", { RESTIC_JOB_ARGS: '--exclude "*.tmp"' }, /RESTIC_JOB_ARGS: to do: quotes/],
    ["no TZ", { TZ: undefined }, /TZ: to do: 2\.14 ran in Europe\/Amsterdam/],
    ["the container's id as host", { HOSTNAME: "0123456789ab" }, /HOSTNAME: to do: .*0123456789ab/],
    ["a name that nobody reads", { BACKUP_CORN: "0 1 * * *" }, /BACKUP_CORN: to do: it is not read here/],
  ])("to do, without a failure: %s", async (_what, env, said) => {
    using world = newWorld();
    const { code, lost, toDo } = await move(world, env);
    expect(toDo.join("\n")).toMatch(said);
    expect(lost).toEqual([]);
    expect(code).toBe(0);
  });

  test("Swift's login has the domains that the image of 2.14 gave", async () => {
    using world = newWorld();
    const { kept, lost } = await move(world, { RESTIC_REPOSITORY: "swift:box:/" });
    expect(lost).toEqual([]);
    expect(kept).toContain("OS_USER_DOMAIN_NAME: kept: restic gets Default for Swift.");
    expect(kept).toContain("OS_IDENTITY_API_VERSION: kept: restic gets 3 for Swift.");
  });

  test("no password is printed", async () => {
    using world = newWorld();
    const { stdout } = await world.run("doctor", ["--from-upstream"], {
      env: { RESTIC_JOB_ARGS: "--tag 'correct horse battery", RESTIC_REPOSITORY: "rest:http://u:sesame1@h/" },
    });
    expect(stdout).not.toContain("correct horse battery");
    expect(stdout).not.toContain("sesame1");
  });
});

describe("files", () => {
  test.each([
    ["a line of the operator's", "5 4 * * * /config/my-script.sh", /is gone when the container starts: 5 4/],
    [
      "another hour than the variable's",
      "0 3 * * * flock -n /tmp/l /bin/backup",
      /becomes 0 1 \* \* \*, by BACKUP_CRON/,
    ],
    ["a job without a variable", "0 3 * * * /bin/check >>/var/log/cron.log 2>&1", /is gone .*\*_CRON/],
    ["an assignment", "MAILTO=me@example.com", /entry writes no assignment/],
  ])("a crontab with %s", async (_what, line, said) => {
    using world = newWorld();
    world.file("crontabs/root", `${OURS}${line}\n`);
    const { code, lost } = await move(world);
    expect(lost).toHaveLength(1);
    expect(lost[0]).toMatch(said);
    expect(code).toBe(1);
  });

  test("the old container's own line for a job of the same hour is kept", async () => {
    using world = newWorld();
    world.file(
      "crontabs/root",
      "0 1 * * * /usr/bin/flock -n /var/run/backup.lock /bin/backup >> /var/log/cron.log 2>&1\n",
    );
    const { code, lost, kept } = await move(world);
    expect(lost).toEqual([]);
    expect(kept.join("\n")).toContain("entry replaces the line by its own");
    expect(code).toBe(0);
  });

  test("a hook that calls what the image lacks, or that cannot run", async () => {
    using world = newWorld();
    world.env.PATH = `${world.bin}:${world.folder("empty")}`;
    for (const name of ["flock", "bash", "sh"]) world.program(name, "exit 0");
    world.hook("pre-backup", "# mail is not called here\nsshpass -p x ssh host true");
    world.hook("post-backup", 'if ok; then echo done | mail -s "all sent by mail" me; fi');
    world.hook("pre-check", "exit 0", 0o644);
    const { code, lost } = await move(world);
    expect(lost.join("\n")).toMatch(/pre-backup\.sh calls sshpass/);
    expect(lost.join("\n")).toMatch(/post-backup\.sh calls mail/);
    expect(lost.join("\n")).not.toMatch(/pre-backup\.sh calls mail/);
    expect(code).toBe(1);
  });

  test("a record that cannot be read, and one of bisync", async () => {
    using world = newWorld();
    world.file("log/last-check.json", "{ torn");
    world.file(
      "log/last-bisync.json",
      JSON.stringify({
        job: "bisync",
        status: "ok",
        exit_code: 0,
        finished_epoch: 1700000000,
        jobs_total: "3",
      }),
    );
    const { code, lost, kept } = await move(world);
    expect(lost.join("\n")).toMatch(/last-check\.json cannot be read/);
    expect(kept.join("\n")).toMatch(/last-bisync\.json: ok/);
    expect(code).toBe(1);
  });

  test("the job file's rows", async () => {
    using world = newWorld();
    world.file("config/jobs", "only-one-field\n");
    const { code, lost } = await move(world, { REPLICATE_CRON: "0 2 * * *" });
    expect(lost.join("\n")).toMatch(/REPLICATE_JOB_FILE: .*line 1/);
    expect(code).toBe(1);
  });
});
