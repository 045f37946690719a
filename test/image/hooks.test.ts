/** The example hooks, run as a worker runs them. */

import { describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { hookPhases } from "../../lib/run/command.ts";
import { table } from "../../lib/workers/index.ts";
import { World } from "../support/world.ts";

const folder = join(import.meta.dir, "../../lib/image/hooks");

function mount(world: World, example: string): void {
  const target = join(world.hooks, `${example.split(".")[0]}.sh`);
  copyFileSync(join(folder, example), target);
  chmodSync(target, 0o755);
}

test("each is executable, names its phase, and tells where to mount it", () => {
  for (const name of readdirSync(folder)) {
    const [phase = ""] = name.split(".");
    expect([name, hookPhases(table).includes(phase), statSync(join(folder, name)).mode & 0o777]).toEqual([
      name,
      true,
      0o755,
    ]);
    expect(readFileSync(join(folder, name), "utf8")).toMatch(new RegExp(`/hooks/${phase}\\.sh|Undoes`));
  }
});

describe.skipIf(Bun.which("jq") === null || Bun.which("curl") === null)("Slack (needs jq and curl)", () => {
  test("a failed backup is posted, without a secret; a good one is not", async () => {
    const posts: unknown[] = [];
    using server = Bun.serve({
      port: 0,
      fetch: async (request) => {
        posts.push(await request.json());
        return new Response("ok");
      },
    });
    using world = new World();
    mount(world, "post-backup.slack.sh");
    const env = {
      SLACK_WEBHOOK_URL: `http://127.0.0.1:${server.port}/`,
      RESTIC_REPOSITORY: "rest:http://me:sesame-open@127.0.0.1:1/",
    };
    world.restic("exit 12");
    const failed = await world.run("backup", [], { env });
    expect([failed.code, failed.stdout]).toEqual([12, expect.stringContaining("hook post-backup done")]);
    expect(posts).toEqual([
      {
        text: "Backup of testhost ended with exit code 12",
        attachments: [
          {
            color: "danger",
            text: expect.stringContaining('"repository":"rest:http://me:***@127.0.0.1:1/"'),
          },
        ],
      },
    ]);
    world.restic("exit 0");
    expect((await world.run("backup", [], { env })).code).toBe(0);
    expect(posts).toHaveLength(1);
  });
});

test("freeze and thaw: undone although the backup fails", async () => {
  using world = new World();
  mount(world, "pre-backup.freeze.sh");
  mount(world, "post-backup.thaw.sh");
  world.program("fsfreeze", `echo "$@" >>${world.dir}/calls`);
  world.restic("exit 1");
  expect((await world.run("backup", [], { env: { FREEZE_PATH: "/srv" } })).code).toBe(1);
  expect(world.read("calls")).toBe("--freeze /srv\n--unfreeze /srv\n");
});

test("a dump that fails leaves the one before it", async () => {
  using world = new World();
  mount(world, "pre-backup.postgres.sh");
  world.restic("exit 0");
  const dumps = join(world.source, "dumps");
  const env = { DUMP_DIR: dumps, PGDATABASE: "shop" };
  const dump = (body: string) =>
    world.program("pg_dump", `for w; do case $w in --file=*) f=\${w#--file=};; esac; done; ${body}`);
  dump('echo first >"$f"');
  expect((await world.run("backup", [], { env })).code).toBe(0);
  dump('echo half >"$f"; exit 1');
  const { code, stdout } = await world.run("backup", [], { env });
  expect([code, stdout]).toEqual([0, expect.stringContaining("hook pre-backup failed")]);
  expect(world.read("source/dumps/shop.dump")).toBe("first\n");
});
