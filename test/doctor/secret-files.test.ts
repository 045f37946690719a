// Files of secrets that somebody else can read, or change, are a warning of config-check and of doctor.
import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync } from "node:fs";
import { join } from "node:path";
import { World } from "../support/world.ts";

/** The warnings about the file `name` in a world's folder. */
async function warnings(world: World, name: string, env: Record<string, string>): Promise<string[]> {
  const { stdout } = await world.run("config-check", ["--json"], { env });
  const { checks } = JSON.parse(stdout) as { checks: { key: string; status: string; message: string }[] };
  return checks
    .filter(
      ({ status, message }) =>
        status === "warn" && message.includes(join(world.dir, name)) && message.includes("(mode "),
    )
    .map(({ key, message }) => `${key}: ${message}`);
}

const SECRET_FILES: readonly (readonly [
  name: string,
  file: string,
  text: string,
  extra?: Record<string, string>,
])[] = [
  ["RESTIC_PASSWORD_FILE", "password", "correct horse battery staple\n"],
  ["WEBHOOK_URL_FILE", "webhook", "https://hooks.example.com/services/XXXXXXXXXXXXXXXX\n"],
  ["HEALTHCHECKS_URL_CHECK_FILE", "ping", "https://hc.example.com/0f1e2d3c-4b5a-6978\n"],
  ["MYSQL_ROOT_PASSWORD_FILE", "mysql", "secret of mysql\n"],
  ["RESTIC_REPOSITORY_FILE", "repository", "rest:https://user:password-of-it@host.example/x\n"],
  ["RCLONE_CONFIG", "rclone.conf", "[r]\ntype = s3\nsecret_access_key = 0123456789abcdef\n"],
  ["REPLICATE_JOB_FILE", "jobs", "/a;:s3,secret_access_key=0123456789abcdef:bucket;copy\n"],
  ["RESTIC_TLS_CLIENT_CERT", "client.pem", "-----BEGIN PRIVATE KEY-----\n"],
  ["GOOGLE_APPLICATION_CREDENTIALS", "google.json", "{}\n"],
  ["MSMTPRC", "msmtprc", "account x\npassword 0123456789\n"],
];

describe.each(SECRET_FILES)("%s", (name, file, text) => {
  test("is a warning as long as others can read it", async () => {
    using world = new World();
    const path = world.file(file, text, 0o644);
    const env = { RESTIC_PASSWORD: "", RESTIC_PASSWORD_COMMAND: "true", [name]: path };
    const found = await warnings(world, file, env);
    expect(found).toEqual([
      `${name}: ${path} holds a secret, and every user can read it (mode 0644). Run chmod 600 ${path}; a Secret of ` +
        "Kubernetes takes defaultMode: 0400.",
    ]);
    chmodSync(path, 0o600);
    expect(await warnings(world, file, env)).toEqual([]);
  });
});

test("a file that holds no secret may be read by all", async () => {
  using world = new World();
  const env = {
    RESTIC_REPOSITORY_FILE: world.file("repository", "/mnt/restic\n"),
    RCLONE_CONFIG: world.file("rclone.conf", "[r]\ntype = local\n"),
    REPLICATE_JOB_FILE: world.file("jobs", "/a;/b;copy\n"),
    MSMTPRC: world.file("msmtprc", "host smtp.example.com\npasswordeval pass mail\n"),
  };
  expect(await warnings(world, "", env)).toEqual([]);
});

test("who can change it is said, and a group that is not ours counts as others", async () => {
  using world = new World();
  const path = world.file("password", "correct horse battery staple\n", 0o666);
  const env = { RESTIC_PASSWORD: "", RESTIC_PASSWORD_FILE: path };
  expect((await warnings(world, "password", env)).join()).toContain(
    "every user can read and change it (mode 0666)",
  );
  chmodSync(path, 0o602);
  expect((await warnings(world, "password", env)).join()).toContain("every user can change it (mode 0602)");
  chmodSync(path, 0o640);
  expect(await warnings(world, "password", env)).toEqual([]);
  if (process.geteuid?.() !== 0) return;
  chownSync(path, 0, 54321);
  expect((await warnings(world, "password", env)).join()).toContain(
    "the group 54321 can read it (mode 0640)",
  );
});

test("a client's key in RESTIC_OPTIONS, and an .env beside the hooks", async () => {
  using world = new World();
  const path = world.file("a key", "correct horse battery staple\n");
  world.file("hooks/mysql.env", "MYSQL_PWD=x\n");
  const env = { RESTIC_OPTIONS: `--tls-client-cert '${path}'` };
  expect((await warnings(world, "a key", env)).join()).toContain(`RESTIC_OPTIONS: ${path} holds a secret`);
  expect((await warnings(world, "hooks/mysql.env", env)).join()).toContain("HOOKS_DIR: ");
});

test("doctor says it too", async () => {
  using world = new World();
  const path = world.file("password", "correct horse battery staple\n");
  const { stdout } = await world.run("doctor", [], {
    env: { RESTIC_PASSWORD: "", RESTIC_PASSWORD_FILE: path },
  });
  expect(stdout).toContain(
    `[WARN] RESTIC_PASSWORD_FILE: ${path} holds a secret, and every user can read it (mode 0644).`,
  );
});
