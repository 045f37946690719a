// Which secrets the programs that a run starts find in their environment: those that are theirs.
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { hiddenFromRclone, hiddenFromSendmail, hiddenFromTools } from "../../lib/secrets.ts";
import { World } from "../support/world.ts";

const SECRETS = {
  RESTIC_PASSWORD: "correct horse battery",
  RESTIC_REPOSITORY: "rest:http://user:repository-password@127.0.0.1:9/x",
  WEBHOOK_URL: "http://127.0.0.1:9/services/T0000/XXXXXXXXXXXXXXXX",
  WEBHOOK_HEADER_AUTH: "Bearer header-secret",
  HEALTHCHECKS_URL: "http://127.0.0.1:9/0f1e2d3c-4b5a-6978",
  HEALTHCHECKS_URL_CHECK: "http://127.0.0.1:9/1f1e2d3c-4b5a-6978",
  AWS_SECRET_ACCESS_KEY: "aws-secret-key",
  B2_ACCOUNT_KEY: "b2-account-key",
  RCLONE_CONFIG_PASS: "rclone-config-pass",
  SMTP_PASSWORD: "smtp-password",
  MYSQL_PASSWORD: "mysql-password",
  VAULT_TOKEN: "vault-token-0123",
  DATABASE: "postgres://app:database-password@db.example/x",
  HTTPS_PROXY: "http://proxy:proxy-password@proxy.example:3128",
};
const PLAIN = { HOME: "/root", LANG: "C.UTF-8", TZ: "UTC", RESTIC_PASSWORD_FILE: "/run/secrets/password" };
type Name = keyof typeof SECRETS;
const env = { ...SECRETS, ...PLAIN };
const left = (hidden: Record<string, undefined | string>): string[] =>
  Object.keys({ ...env, ...hidden }).filter(
    (name) => ({ ...env, ...hidden })[name as Name] !== undefined && name in SECRETS,
  );

describe("what is left of the secrets", () => {
  test("tar and the like find none, and all that is no secret", () => {
    const hidden = hiddenFromTools(env);
    expect(left(hidden)).toEqual([]);
    expect(Object.keys(hidden).sort()).toEqual(Object.keys(SECRETS).sort());
  });

  test.each<[string, string[], Name[]]>([
    ["its own", [], ["AWS_SECRET_ACCESS_KEY", "RCLONE_CONFIG_PASS", "HTTPS_PROXY"]],
    [
      "one that its words name",
      ["--header", "X: $MYSQL_PASSWORD"],
      ["AWS_SECRET_ACCESS_KEY", "RCLONE_CONFIG_PASS", "MYSQL_PASSWORD", "HTTPS_PROXY"],
    ],
    [
      "all but ours and restic's where it calls a program",
      ["--password-command", "vault read x"],
      [
        "AWS_SECRET_ACCESS_KEY",
        "B2_ACCOUNT_KEY",
        "RCLONE_CONFIG_PASS",
        "SMTP_PASSWORD",
        "MYSQL_PASSWORD",
        "VAULT_TOKEN",
        "DATABASE",
        "HTTPS_PROXY",
      ],
    ],
    [
      "restic's, where its command names it",
      ["--password-command=printenv RESTIC_PASSWORD"],
      [
        "RESTIC_PASSWORD",
        "AWS_SECRET_ACCESS_KEY",
        "B2_ACCOUNT_KEY",
        "RCLONE_CONFIG_PASS",
        "SMTP_PASSWORD",
        "MYSQL_PASSWORD",
        "VAULT_TOKEN",
        "DATABASE",
        "HTTPS_PROXY",
      ],
    ],
  ])("rclone finds %s", (_, words, expected) => {
    const found = left(hiddenFromRclone(env, "/no/rclone.conf", words));
    expect(found.sort()).toEqual([...expected].sort());
  });

  test.each<[string, string, boolean]>([
    ["a remote with ssh = of its own", "[r]\ntype = sftp\nssh = sshpass -e ssh user@host\n", true],
    ["a bearer_token_command", "[r]\ntype = webdav\nbearer_token_command = oidc-token x\n", true],
    ["neither", "[r]\ntype = sftp\nkey_file = /root/.ssh/id\n", false],
  ])("rclone.conf with %s", (_, text, calls) => {
    using world = new World();
    const found = left(hiddenFromRclone(env, world.file("rclone.conf", text), []));
    expect(found.includes("VAULT_TOKEN")).toBe(calls);
    expect(found).not.toContain("RESTIC_PASSWORD");
    expect(found).not.toContain("WEBHOOK_URL");
  });

  test("rclone is told of a program by a variable, too", () => {
    const found = Object.keys(hiddenFromRclone({ ...env, RCLONE_PASSWORD_COMMAND: "vault read x" }, "", []));
    expect(found).not.toContain("VAULT_TOKEN");
    expect(found).toContain("RESTIC_PASSWORD");
  });

  test("sendmail finds its own, what its configuration names, and what its script takes", () => {
    using world = new World();
    const mail = (msmtprc: string, program: string) =>
      left(
        hiddenFromSendmail(
          { ...env, MSMTPRC: world.file("msmtprc", msmtprc), HOME: world.dir },
          world.file("sendmail", program),
        ),
      );
    expect(mail("password x\n", "#!/bin/sh\n")).toEqual(["SMTP_PASSWORD", "HTTPS_PROXY"]);
    expect(mail("", '#!/bin/sh\ncurl -H "$MYSQL_PASSWORD"\n')).toEqual([
      "SMTP_PASSWORD",
      "MYSQL_PASSWORD",
      "HTTPS_PROXY",
    ]);
    const evaluated = mail('passwordeval "vault read x"\n', "");
    expect(evaluated).toContain("VAULT_TOKEN");
    for (const name of ["RESTIC_PASSWORD", "RESTIC_REPOSITORY", "WEBHOOK_URL", "HEALTHCHECKS_URL_CHECK"])
      expect(evaluated).not.toContain(name);
  });
});

/** Programs that note their environment, and then do their work where there is a real one. */
function spied(world: World, names: readonly string[]): (name: string) => string {
  for (const name of names) {
    const real = Bun.which(name);
    const noted = join(world.dir, `environment-${name}`);
    world.program(
      name,
      `tr '\\0' '\\n' </proc/self/environ >>'${noted}'; ${real === null || name === "rclone" ? "cat >/dev/null" : `exec ${real} "$@"`}`,
    );
  }
  return (name) => readFileSync(join(world.dir, `environment-${name}`), "utf8");
}

/** The names of the secrets in this environment, by their values. */
const secretsIn = (text: string): Name[] =>
  (Object.keys(SECRETS) as Name[]).filter((name) => text.includes(SECRETS[name]));

test("in a run flock, mkfifo and sendmail find none; hooks and restic find all", async () => {
  using world = new World();
  const noted = spied(world, ["flock", "mkfifo", "sendmail"]);
  world.restic(`tr '\\0' '\\n' </proc/self/environ >>'${world.dir}/environment-restic'; exit 1`);
  world.hook("pre-backup", `tr '\\0' '\\n' </proc/self/environ >'${world.dir}/environment-hook'`);
  const own = { ...SECRETS, MAILX_RCPT: "root@example.com" };
  await world.run("backup", [], { env: own });
  expect(secretsIn(noted("flock"))).toEqual([]);
  expect(secretsIn(noted("mkfifo"))).toEqual([]);
  expect(secretsIn(noted("sendmail"))).toEqual(["SMTP_PASSWORD", "HTTPS_PROXY"]);
  expect(noted("sendmail")).toContain(`HOME=${world.dir}`);
  expect(secretsIn(noted("hook"))).toEqual(Object.keys(SECRETS) as Name[]);
  // A password command, sftp.command and --stdin-from-command are programs that may need anything.
  expect(secretsIn(noted("restic"))).toEqual(Object.keys(SECRETS) as Name[]);
});

test("replicate's rclone finds what is its own", async () => {
  using world = new World();
  const noted = spied(world, ["rclone"]);
  const REPLICATE_JOB_FILE = world.file("jobs.txt", `${world.source};${world.dir}/copy;copy\n`);
  await world.run("replicate", [], { env: { ...SECRETS, REPLICATE_JOB_FILE } });
  expect(secretsIn(noted("rclone"))).toEqual(["AWS_SECRET_ACCESS_KEY", "RCLONE_CONFIG_PASS", "HTTPS_PROXY"]);
});

test("doctor asks programs for their versions without any", async () => {
  using world = new World();
  const noted = spied(world, ["rclone", "flock"]);
  await world.run("doctor", [], { env: { ...SECRETS, RESTIC_REPOSITORY: world.repository } });
  expect(secretsIn(noted("rclone"))).toEqual([]);
  expect(secretsIn(noted("flock"))).toEqual([]);
});
