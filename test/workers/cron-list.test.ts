import { expect, test } from "bun:test";
import { join } from "node:path";
import { loadZone } from "../../lib/time/zone.ts";
import { describeLine } from "../../lib/workers/cron-list.ts";
import { World } from "../support/world.ts";

const at = (text: string) => Date.parse(text);
/** The times that are shown for an expression, seen from an instant. */
function next(expression: string, now: string, zone: string): string {
  const { text } = describeLine(`${expression} /bin/true`, at(now), loadZone(zone));
  return text.split("\n")[1]?.replace("  next  ", "") ?? "";
}

test.each([
  [
    "0 */6 * * *",
    "2026-05-11T07:30:00Z",
    "UTC",
    "2026-05-11 12:00:00, 2026-05-11 18:00:00, 2026-05-12 00:00:00",
  ],
  [
    "0 0 13 * fri",
    "2026-05-11T00:00:00Z",
    "UTC",
    "2026-05-13 00:00:00, 2026-05-15 00:00:00, 2026-05-22 00:00:00",
  ],
  [
    "0 12 29 2 *",
    "2026-05-11T00:00:00Z",
    "UTC",
    "2028-02-29 12:00:00, 2032-02-29 12:00:00, 2036-02-29 12:00:00",
  ],
  ["@weekly", "2026-05-11T00:00:00Z", "UTC", "2026-05-17 00:00:00, 2026-05-24 00:00:00, 2026-05-31 00:00:00"],
  // The hour that spring skips never comes; the one that autumn repeats comes twice.
  [
    "30 2 * * *",
    "2026-03-28T12:00:00Z",
    "Europe/Amsterdam",
    "2026-03-30 02:30:00, 2026-03-31 02:30:00, 2026-04-01 02:30:00",
  ],
  [
    "30 2 * * *",
    "2026-10-24T12:00:00Z",
    "Europe/Amsterdam",
    "2026-10-25 02:30:00, 2026-10-25 02:30:00, 2026-10-26 02:30:00",
  ],
  [
    "30 2 * * *",
    "2026-03-07T12:00:00Z",
    "America/New_York",
    "2026-03-09 02:30:00, 2026-03-10 02:30:00, 2026-03-11 02:30:00",
  ],
  [
    "30 1 * * *",
    "2026-10-31T12:00:00Z",
    "America/New_York",
    "2026-11-01 01:30:00, 2026-11-01 01:30:00, 2026-11-02 01:30:00",
  ],
  ["0 0 30 2 *", "2026-05-11T00:00:00Z", "UTC", "never: there is no such day"],
])("%s from %s in %s", (expression, now, zone, wanted) => expect(next(expression, now, zone)).toBe(wanted));

test("shows what entry would write, then what stands in the crontab, whoever wrote it", async () => {
  using world = new World();
  const crontabs = world.folder("crontabs");
  const env = { CRONTAB_DIR: crontabs, TZ: "Europe/Amsterdam", CHECK_CRON: "0 3 * * sun" };
  const before = await world.run("cron-list", [], { env });
  expect(before).toMatchObject({ code: 0, stderr: "" });
  expect(before.stdout).toContain("Time zone  Europe/Amsterdam\n");
  expect(before.stdout).toContain(
    `Crontab    ${crontabs}/root is not written yet; entry would write, 3 jobs\n`,
  );
  expect(before.stdout.match(/^ {2}next {2}\d/gm)).toHaveLength(3);
  world.file("crontabs/root", "# mine\n*/5 * * * * /opt/mine --fast\n0 0 * * 7 /opt/yours\n");
  const after = await world.run("cron-list", [], { env });
  expect(after.stdout).toContain(`Crontab    ${join(crontabs, "root")}, 2 jobs\n`);
  expect(after.stdout).toContain("*/5 * * * * /opt/mine --fast\n  next  2");
  expect(after.stdout).toContain("0 0 * * 7 /opt/yours\n  next  crond cannot read it: day of week");
  expect(after.code).toBe(1);
});

test("an expression that entry would refuse: its variable and its field, exit 2", async () => {
  using world = new World();
  const env = { CRONTAB_DIR: world.dir, BACKUP_CRON: "0 25 * * *" };
  expect(await world.run("cron-list", [], { env })).toEqual({
    code: 2,
    stdout: "",
    stderr: 'cron-list: BACKUP_CRON: hour "25" is outside of 0 to 23.\n',
  });
});

test("a crontab that cannot be read is said, not taken for none", async () => {
  using world = new World();
  world.folder("crontabs/root");
  const env = { CRONTAB_DIR: join(world.dir, "crontabs") };
  expect(await world.run("cron-list", [], { env })).toEqual({
    code: 1,
    stdout: "",
    stderr: `cron-list: The crontab ${world.dir}/crontabs/root cannot be read: it is not a regular file. Run cron-list as its owner.\n`,
  });
});
