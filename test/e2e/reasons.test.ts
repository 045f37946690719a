/** Why a run failed: restic's own line and the remedy, in the record, in status and in what entry and doctor probe. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { equipQuickly } from "../support/quick-repository.ts";
import { restics, type Tool } from "../support/restics.ts";
import { World } from "../support/world.ts";

/** How long a restic that goes on trying is given: since 0.17 it tries for a quarter of an hour. */
const LIMIT = { BACKUP_TIMEOUT: "2", WORK_KILL_AFTER: "1" };

let certificates = "";
beforeAll(() => {
  certificates = mkdtempSync(join(tmpdir(), "rbh-certificate-"));
  Bun.spawnSync(
    [
      "openssl",
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-days",
      "2",
    ].concat([
      "-keyout",
      "key.pem",
      "-out",
      "cert.pem",
      "-subj",
      "/CN=127.0.0.1",
      "-addext",
      "subjectAltName=IP:127.0.0.1",
    ]),
    { cwd: certificates, stderr: "ignore" },
  );
});
afterAll(() => rmSync(certificates, { recursive: true, force: true }));

/** A port on which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<number>();
  server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
  const port = await promise;
  server.close();
  return port;
}

interface Case {
  /** Changes the world; what it returns is disposed of at the end. */
  arrange(world: World, tool: Tool): Promise<Disposable | undefined> | Disposable | undefined;
  readonly said: RegExp;
  readonly remedy: RegExp;
}

const answering = (world: World, status: number): Disposable => {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("no", { status }) });
  world.env.RESTIC_REPOSITORY = `rest:http://me:s3cret-word@127.0.0.1:${server.port}/`;
  return server;
};

const ssh = (world: World, line: string): undefined => {
  world.program("ssh", `echo '${line}' >&2\nexit 255`);
  world.env.RESTIC_REPOSITORY = "sftp:me@backup.example:/repo";
};

const CASES: Readonly<Record<string, Case>> = {
  "wrong password": {
    arrange: async (world, tool) => {
      await equipQuickly(world, tool);
      world.env.RESTIC_PASSWORD = "another one";
      return undefined;
    },
    said: /wrong password or no key found/,
    remedy: /^The password does not open the repository .*Correct RESTIC_PASSWORD or its _FILE\./,
  },
  "wrong password of a command": {
    arrange: async (world, tool) => {
      await equipQuickly(world, tool);
      world.env.RESTIC_PASSWORD = undefined;
      world.env.RESTIC_PASSWORD_COMMAND = "echo another";
      return undefined;
    },
    said: /wrong password or no key found/,
    remedy: /^The password does not open .*Correct what RESTIC_PASSWORD_COMMAND prints\./,
  },
  "no repository": {
    arrange: () => undefined,
    said: /unable to open config file|repository does not exist/,
    remedy: /^There is no repository at .*Create it with init-repo/,
  },
  "nothing listens": {
    arrange: async (world) => {
      world.env.RESTIC_REPOSITORY = `rest:http://127.0.0.1:${await closedPort()}/`;
      return undefined;
    },
    said: /connection refused/,
    remedy: /nothing listens there\. Start its service/,
  },
  "a name that nobody knows": {
    arrange: (world) => {
      world.env.RESTIC_REPOSITORY = "rest:http://nobody.invalid:8000/";
      return undefined;
    },
    said: /no such host|lookup nobody\.invalid/,
    remedy: /name server|DNS/,
  },
  "an unknown certificate": {
    arrange: (world) => {
      const server = Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        tls: { key: Bun.file(join(certificates, "key.pem")), cert: Bun.file(join(certificates, "cert.pem")) },
        fetch: () => new Response("no", { status: 404 }),
      });
      world.env.RESTIC_REPOSITORY = `rest:https://127.0.0.1:${server.port}/`;
      return server;
    },
    said: /unknown authority/,
    remedy: /RESTIC_CACERT/,
  },
  "401": {
    arrange: (world) => answering(world, 401),
    said: /401/,
    remedy: /refuses the credentials .*Correct the user, key or password/,
  },
  "403": { arrange: (world) => answering(world, 403), said: /403/, remedy: /Correct the credentials/ },
  "no host key": {
    arrange: (world) => ssh(world, "Host key verification failed."),
    said: /Host key verification failed/,
    remedy: /known_hosts/,
  },
  "an unknown host of ssh": {
    arrange: (world) =>
      ssh(world, "ssh: Could not resolve hostname backup.example: Name or service not known"),
    said: /Could not resolve hostname/,
    remedy: /name server|DNS/,
  },
  "a key that ssh refuses": {
    arrange: (world) => ssh(world, "me@backup.example: Permission denied (publickey,password)."),
    said: /Permission denied \(publickey/,
    remedy: /credentials/,
  },
  "no section in rclone's configuration": {
    arrange: (world) => {
      world.file("rclone.conf", "[other]\ntype = local\n");
      world.env.RCLONE_CONFIG = join(world.dir, "rclone.conf");
      world.env.RESTIC_REPOSITORY = "rclone:missing:repo";
      return undefined;
    },
    said: /didn't find section in config file/,
    remedy: /Correct RESTIC_REPOSITORY, or name the right file in RCLONE_CONFIG/,
  },
  "a cache that cannot be made": {
    arrange: async (world, tool) => {
      await equipQuickly(world, tool);
      world.env.RESTIC_CACHE_DIR = `${world.file("in-the-way", "")}/cache`;
      return undefined;
    },
    said: /cache/,
    remedy: /Set RESTIC_CACHE_DIR to a folder that can be written/,
  },
};

describe.each(restics.map((tool) => [tool.version, tool] as const))("restic %s", (_, tool) => {
  test.each(Object.entries(CASES))("%s", async (name, { arrange, said, remedy }) => {
    using world = new World();
    world.useRestic(tool.path);
    using _server = await arrange(world, tool);
    const { code, stdout } = await world.run("backup", [], { env: LIMIT });
    if (code === 0 && name.startsWith("a cache")) return;
    const { error } = world.record("backup") as { error?: string };
    expect(error).toMatch(said);
    expect(error).toMatch(remedy);
    expect(error).not.toMatch(/signal interrupt|s3cret-word|stand above/);
    expect(stdout).not.toMatch(
      /ERROR.*(?:signal interrupt|context canceled)|run unlock|The work left running/,
    );
    expect(stdout).not.toMatch(/^\S+ \S+ \w+ +backup {2}(?:restic \| )?\t?github\.com\//m);
    const status = await world.run("restic-backup-helper", ["status"]);
    expect(status.stdout).toMatch(said);
    expect(status.stdout).toMatch(new RegExp(`(?:failed|timed out) \\(exit ${code}\\): `));
    const json = JSON.parse((await world.run("restic-backup-helper", ["status", "--json"])).stdout);
    expect(json.jobs.find(({ job }: { job: string }) => job === "backup").error).toBe(error);
  });
});

describe("elsewhere than in a backup", () => {
  const tool = restics.at(-1) as Tool;

  /** Runs a worker that fails; resolves to its record. */
  async function failed(world: World, worker: string, args: readonly string[] = [], env = {}) {
    const { code } = await world.run(worker, args, { env });
    expect(code).not.toBe(0);
    return world.record(worker) as { readonly error?: string; readonly exit_code: number };
  }

  test.each([
    ["forget", [], { RESTIC_FORGET_ARGS: "--keep-last 1" }],
    ["prune", [], {}],
    ["check", [], {}],
    ["unlock", [], {}],
    ["restore", ["--target", "TARGET", "--yes"], {}],
    ["restore-test", [], {}],
    ["snapshot-export", ["--output", "TARGET/x.tar"], {}],
  ] as const)("%s says that the password is wrong", async (worker, args, env) => {
    using world = new World();
    await equipQuickly(world, tool);
    const target = world.folder("target");
    const words = args.map((each) => each.replace("TARGET", target));
    const { error } = await failed(world, worker, words, { RESTIC_PASSWORD: "another one", ...env });
    expect(error).toContain("The password does not open the repository");
    expect(error).toContain("Correct RESTIC_PASSWORD");
  });

  test("init-repo names what it could not reach, doctor the same", async () => {
    using world = new World();
    world.useRestic(tool.path);
    ssh(world, "Host key verification failed.");
    const { error } = await failed(world, "init-repo", ["--yes"]);
    expect(error).toMatch(/Host key verification failed.*known_hosts/);
    const { stdout } = await world.run("restic-backup-helper", ["doctor"]);
    expect(stdout).toMatch(/FAIL.*Host key verification failed.*known_hosts/);
    expect(stdout).not.toMatch(/signal interrupt|stand above/);
  });

  test("replicate names the row, rclone's own words and the remedy, and hides the row's secret", async () => {
    using world = new World();
    world.env.REPLICATE_JOB_FILE = world.file("jobs", `${world.source};missing:there;copy\n`);
    world.file("rclone.conf", "[other]\ntype = local\n");
    const { error } = await failed(world, "replicate", [], { RCLONE_CONFIG: join(world.dir, "rclone.conf") });
    expect(error).toMatch(
      /^Job of line 1, copy .* -> missing:there, failed .*didn't find section in config file/,
    );
    expect(error).toContain("RCLONE_CONFIG");
  });

  test("a stop names itself, and what restic had met until then", async () => {
    using world = new World();
    world.program(
      "restic",
      'echo "Save(<data/1>) failed: dial tcp: no route to host" >&2\n: >started\nsleep 30',
    );
    const child = world.start("backup");
    while (!(await Bun.file(join(world.dir, "started")).exists())) await Bun.sleep(20);
    child.kill("SIGTERM");
    await child.exited;
    const { error } = world.record("backup") as { error?: string };
    expect(error).toStartWith("Stopped by SIGTERM before the work was done.");
    expect(error).toContain("no route to host");
  });

  test("the full disk of a repository is named", async () => {
    using world = new World();
    world.restic(
      "echo 'Fatal: unable to save snapshot: write /repo/data/x: no space left on device' >&2; exit 1",
    );
    const { error } = await failed(world, "backup");
    expect(error).toMatch(/no room left .*Make room there\. restic said: Fatal: unable to save/);
  });

  test("the subject has the reason, a dry restore DRY-RUN and its target", async () => {
    using world = new World();
    await equipQuickly(world, tool);
    expect((await world.run("backup")).code).toBe(0);
    world.program("sendmail", `cat >> ${world.dir}/mails`);
    const env = { MAILX_RCPT: "me@example.org" };
    const target = world.folder("target");
    await world.run("restore", ["--target", target, "--yes", "--dry-run"], { env });
    await world.run("restore", ["--target", target, "--yes"], {
      env: { ...env, RESTIC_PASSWORD: "another" },
    });
    await world.run("backup", [], { env: { ...env, RESTIC_PASSWORD: "another" } });
    const mails = await Bun.file(join(world.dir, "mails")).text();
    const subjects = [...mails.matchAll(/^Subject: (.*(?:\n .*)*)/gm)].map(([, text = ""]) =>
      text.replace(/=\?UTF-8\?B\?([^?]*)\?=(?:\n )?/g, (_, word) => Buffer.from(word, "base64").toString()),
    );
    expect(subjects[0]).toMatch(new RegExp(`DRY-RUN.* → ${target} `));
    expect(subjects[1]).toMatch(/^\[FAIL 12\] Restore .*The password does not open the repository$/);
    expect(subjects[2]).toMatch(
      /^\[FAIL 12\] Backup testhost · .*The password does not open the repository$/,
    );
  });

  test("an ssh that is just ending is not called left running", async () => {
    using world = new World();
    world.restic('setsid() { :; }; (trap "" HUP; sleep 0.2) >/dev/null 2>&1 </dev/null & exit 0');
    const { stdout } = await world.run("backup", [], { env: { RESTIC_REPOSITORY: "sftp:me@h:/r" } });
    expect(stdout).not.toContain("left running");
  });
});
