/** The example hooks, run as a worker runs them, and each of them as compose.yml mounts it. */

import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { YAML } from "bun";
import { hookPhases } from "../../lib/run/command.ts";
import { table } from "../../lib/workers/index.ts";
import { restic } from "../support/restics.ts";
import { finish, type Result, World } from "../support/world.ts";

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

test("a dump that no source holds is refused, not lost", async () => {
  using world = new World();
  mount(world, "pre-backup.postgres.sh");
  world.restic("exit 0");
  world.program("pg_dump", `touch ${world.dir}/dumped`);
  const env = { DUMP_DIR: world.folder("elsewhere"), PGDATABASE: "shop" };
  const { stdout } = await world.run("backup", [], { env });
  expect(stdout).toContain("is in no source of the backup: add it as a line of its own to BACKUP_ROOT_DIR.");
  expect([stdout.includes("hook pre-backup failed"), world.has("dumped")]).toEqual([true, false]);
  const listed = { ...env, BACKUP_ROOT_DIR: `${world.source}\n${env.DUMP_DIR}` };
  expect((await world.run("backup", [], { env: listed })).stdout).not.toContain("is in no source");
  expect(world.has("dumped")).toBe(true);
});

const compose = YAML.parse(readFileSync(join(folder, "../compose.yml"), "utf8")) as {
  services: {
    backup: { environment: Record<string, string>; volumes: string[]; tmpfs: string[]; cap_add: string[] };
  };
};
const { environment, volumes, tmpfs, cap_add } = compose.services.backup;
const canMount = process.getuid?.() === 0 && Bun.which("unshare") !== null && Bun.which("setpriv") !== null;

/** Runs a command in a root of its own: this machine's, read-only, with compose.yml's mounts, capabilities, environment. */
async function asComposed(world: World, command: readonly string[], env = {}): Promise<Result> {
  const mounts = volumes.map((volume) => {
    const [, source = "", target = "", mode] = /^(\$\{.*?\}|[^:]+):([^:]+)(?::(ro))?$/.exec(volume) ?? [];
    const name = { "/data": "source", "/hooks": "hooks", "/var/log": "log" }[target] ?? `volumes${target}`;
    const place = world.folder(name);
    // As docker does for a new volume: it begins with what the image has there.
    if (!source.startsWith("$") && target === "/dumps")
      cpSync(join(folder, "../dumps"), place, { recursive: true });
    return `mount --bind ${place} ${target}${mode === "ro" ? ` && mount -o remount,bind,ro ${target}` : ""}`;
  });
  const root = world.folder("root");
  const outer = `set -e
mount -t tmpfs none ${root}
for each in /*; do
  if [ -L "$each" ]; then cp -a "$each" ${root}/; elif [ -d "$each" ]; then
    mkdir -p "${root}$each"; mount --rbind "$each" "${root}$each"
  fi
done
exec chroot ${root} sh ${world.dir}/inner "$@"`;
  const inner = `set -e
mkdir -p ${volumes.map((volume) => volume.replace(/^.*?:(?=\/)/, "").replace(/:ro$/, "")).join(" ")}
${tmpfs.map((each) => `mkdir -p ${each}`).join("\n")}
${mounts.join("\n")}
mount -t tmpfs none /var/run
mkdir /var/run/secrets
printf %s '${world.env.RESTIC_REPOSITORY}' >/var/run/secrets/repository
printf %s '${world.env.RESTIC_PASSWORD}' >/var/run/secrets/password
mount -o remount,ro /
cd /
exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all,${cap_add.map((cap) => `+${cap.toLowerCase()}`).join()} -- "$@"`;
  world.file("inner", inner);
  const child = Bun.spawn(["unshare", "--mount", "sh", "-c", outer, "sh", ...command], {
    env: {
      PATH: world.env.PATH,
      HOME: "/root",
      HOSTNAME: "composed",
      RESTIC_RETRY_LOCK: "0",
      ...environment,
      TZ: "UTC",
      ...env,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  return finish(child);
}

/** A PostgreSQL server of its own, with a database; undefined where none is installed. */
async function postgres(world: World) {
  const data = world.folder("postgres");
  chmodSync(world.dir, 0o755);
  const as = (...command: string[]) =>
    Bun.spawn(["setpriv", "--reuid=65534", "--clear-groups", "--", ...command], {
      env: { PATH: process.env.PATH, LC_ALL: "C", HOME: "/" },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    });
  Bun.spawnSync(["chown", "65534", data]);
  const cluster = join(data, "cluster");
  expect(await as("initdb", "--no-sync", "--auth=trust", "--username=keeper", cluster).exited).toBe(0);
  const server = as("postgres", "-D", cluster, "-k", data, "-c", "listen_addresses=", "-c", "fsync=off");
  const client = ["psql", "-h", data, "-U", "keeper", "-v", "ON_ERROR_STOP=1"];
  const said = async (...more: string[]) => await as(...client, ...more).exited;
  for (let tries = 0; (await said("-d", "postgres", "-c", "create database shop")) !== 0; tries++) {
    if (tries > 200) throw new Error("PostgreSQL does not answer.");
    await Bun.sleep(25);
  }
  expect(await said("-d", "shop", "-c", "create table orders as select 4711 as number")).toBe(0);
  const stop = async () => {
    server.kill("SIGINT");
    await server.exited;
  };
  return { env: { PGHOST: data, PGUSER: "keeper", PGDATABASE: "shop" }, stop };
}

const hasPostgres = ["initdb", "postgres", "pg_dump", "pg_restore"].every((name) => Bun.which(name) !== null);

describe.skipIf(!canMount)("as compose.yml mounts it (needs root, unshare and setpriv)", () => {
  const composed = () => {
    const world = new World();
    world.useRestic(restic.path);
    return world;
  };

  test("/data and /hooks are read-only, and every source is there and holds something", async () => {
    using world = composed();
    const command =
      'touch /data/x; touch /hooks/x; echo "$BACKUP_ROOT_DIR" | while read -r each; do ls -A "$each"; done';
    const { stdout, stderr } = await asComposed(world, ["sh", "-c", command]);
    expect(stderr.match(/Read-only file system/g)).toHaveLength(2);
    expect(stdout).toBe("file.txt\nREADME\n");
  });

  test.skipIf(!hasPostgres)(
    "pre-backup.postgres.sh: the dump is in the snapshot, and can be restored (needs PostgreSQL)",
    async () => {
      using world = composed();
      mount(world, "pre-backup.postgres.sh");
      const server = await postgres(world);
      try {
        await world.exec(["restic", "init"]);
        const { code, stdout } = await asComposed(world, [world.link("backup")], server.env);
        expect([code, stdout]).toEqual([0, expect.stringContaining("hook pre-backup done")]);
        expect(world.record()).toMatchObject({ status: "ok", exit_code: 0 });
        const dump = await asComposed(world, [
          "sh",
          "-c",
          "restic dump latest /dumps/shop.dump | pg_restore --file=-",
        ]);
        expect(dump.stdout).toContain("COPY public.orders");
        expect(dump.stdout).toContain("4711");
      } finally {
        await server.stop();
      }
    },
  );

  test("pre-backup.freeze.sh and post-backup.thaw.sh: /data is frozen and thawed", async () => {
    using world = composed();
    mount(world, "pre-backup.freeze.sh");
    mount(world, "post-backup.thaw.sh");
    world.program("fsfreeze", `[ -d "$2" ] || exit 1; echo "$@" >>/restore/calls`);
    await world.exec(["restic", "init"]);
    const { code, stdout } = await asComposed(world, [world.link("backup")]);
    expect([code, stdout]).toEqual([0, expect.stringContaining("hook pre-backup done")]);
    expect(world.read("volumes/restore/calls")).toBe("--freeze /data\n--unfreeze /data\n");
  });

  test("post-backup.slack.sh: a failure is posted", async () => {
    const posts: unknown[] = [];
    using server = Bun.serve({
      port: 0,
      fetch: async (request) => {
        posts.push(await request.json());
        return new Response("ok");
      },
    });
    using world = composed();
    mount(world, "post-backup.slack.sh");
    const env = { SLACK_WEBHOOK_URL: `http://127.0.0.1:${server.port}/` };
    const { stdout } = await asComposed(world, [world.link("backup")], env);
    expect(stdout).toContain("hook post-backup done");
    expect(posts).toEqual([
      expect.objectContaining({ text: expect.stringContaining("Backup of composed ended") }),
    ]);
  });

  test("post-restore.owner.sh: folders get their owners", async () => {
    using world = composed();
    mount(world, "post-restore.owner.sh");
    mkdirSync(join(world.folder("volumes/restore"), "www"));
    writeFileSync(join(world.dir, "volumes/restore/www/index"), "");
    const { code, stderr } = await asComposed(world, ["/hooks/post-restore.sh", "0"]);
    expect([code, stderr, statSync(join(world.dir, "volumes/restore/www/index")).uid]).toEqual([0, "", 33]);
  });

  test("no example is forgotten here", () => {
    const text = readFileSync(import.meta.path, "utf8");
    const own = text.slice(text.indexOf("as compose.yml mounts it (needs"));
    for (const name of readdirSync(folder)) expect(own).toContain(`mount(world, "${name}")`);
  });
});
