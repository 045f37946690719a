/** RESTIC_OPTIONS: global flags before the command of every restic call, and what has no place there. */

import { describe, expect, test } from "bun:test";
import { ConfigError } from "../../lib/errors.ts";
import { maskCommand } from "../../lib/mask.ts";
import { globalOptions } from "../../lib/restic/options.ts";
import { splitWords } from "../../lib/words.ts";
import { calls } from "../support/calls.ts";
import { equip } from "../support/ready-repository.ts";
import { restics } from "../support/restics.ts";
import { World } from "../support/world.ts";

describe("which words belong there", () => {
  test.each([
    "-o sftp.command='ssh -p 2222 me@host -s sftp' --limit-upload 1024",
    "--insecure-tls -v=2 --verbose=1 -vv --limit-download=5 -osftp.args=-4",
    "--retry-lock 5m --cacert /ca.pem --option=s3.region=eu",
  ])("%s", (text) => {
    const words = splitWords(text);
    expect(globalOptions(words)).toEqual(words);
  });

  test.each([
    ["--limit-upload 1024 latest", "word 3 is neither a flag nor the value of one"],
    ["keep", "word 1 is neither a flag nor the value of one"],
    ["-- x", "restic has no global flag --."],
    ["--limit-uplaod 5", "restic has no global flag --limit-uplaod."],
    ["--exclude x", "restic has no global flag --exclude."],
    ["--insecure-tls -o", "-o needs a value"],
    ["-r /elsewhere", "-r has no place there. Name the repository in RESTIC_REPOSITORY."],
    ["--repo=/elsewhere", "--repo has no place there."],
    ["-p/secret", "-p has no place there."],
    ["--json", "--json has no place there."],
    ["--help", "--help has no place there."],
  ])("%s: refused", (text, says) => {
    const judge = () => globalOptions(splitWords(text));
    expect(judge).toThrow(ConfigError);
    expect(judge).toThrow(says);
  });
});

test("what is not a flag is not repeated, since it may be half of a password", () => {
  expect(() => globalOptions(["-o", "sftp.command=sshpass", "-phalf"])).not.toThrow("halfway");
  expect(() => globalOptions(["--insecure-tls", "half-of-a-secret"])).not.toThrow("half-of-a-secret");
});

test.each([
  ["-o sftp.command='sshpass -p hunter22 ssh me@host'", "-o sftp.command='sshpass -p *** ssh me@host'"],
  ["-o sftp.command='sshpass -phunter22 ssh'", "-o sftp.command='sshpass -p*** ssh'"],
  ["-o sftp.command='SSHPASS=hunter22 ssh'", "-o sftp.command='SSHPASS=*** ssh'"],
  ["-o rclone.args='serve restic --sftp-pass=hunter22'", "-o rclone.args='serve restic --sftp-pass=***"],
  ["--limit-upload 1024", "--limit-upload 1024"],
])("%s is shown as %s", (text, shown) => expect(maskCommand(text)).toBe(shown));

describe("every call", () => {
  const RESTIC_OPTIONS = "-o sftp.command='ssh -p 2222 me@host' --limit-upload 1024";
  const words = ["-o", "sftp.command=ssh -p 2222 me@host", "--limit-upload", "1024"];

  test.each([
    "backup",
    "check",
    "prune",
    "forget",
    "forget-preview",
    "init-repo --dry-run",
    "restore --list",
    "restore --dry-run",
    "restore-test",
    "snapshot-export --output /tmp/none.tar",
    "unlock --dry-run",
    "doctor",
  ])("of %s", async (line) => {
    const command = line.split(" ");
    using world = new World();
    world.link(command[0] ?? "");
    // One write a call: doctor makes several at once.
    world.restic(`echo "$*" >>'${world.dir}/calls'`);
    await world.exec(command, { env: { RESTIC_OPTIONS, RESTIC_FORGET_ARGS: "--keep-last 1" } });
    const reaching = world
      .read("calls")
      .split("\n")
      .filter((call) => call !== "" && call !== "version");
    expect(reaching.length).toBeGreaterThan(0);
    for (const call of reaching) expect(call).toStartWith(`${words.join(" ")} `);
  });
});

describe.each(restics.map((tool) => [tool.version, tool] as const))("restic %s", (_, tool) => {
  test("takes them", async () => {
    using world = new World();
    equip(world, tool);
    const env = { RESTIC_OPTIONS: "-o local.connections=1 --limit-upload 100000 --insecure-tls -q" };
    const { code } = await world.run("backup", [], { env });
    expect({ code, ...world.record() }).toMatchObject({ code: 0, status: "ok" });
    expect(world.record().snapshot_id).toMatch(/^[0-9a-f]{8}$/);
  });
});

test("what has no place there ends the run with 2 before restic starts, and config-check says the same", async () => {
  using world = new World();
  const env = { RESTIC_OPTIONS: "--limit-upload 1024 --exclude x" };
  const { code, stdout, calls: none } = await calls(world, env);
  expect({ code, none }).toEqual({ code: 2, none: [] });
  const says = "RESTIC_OPTIONS: restic has no global flag --exclude.";
  expect(stdout).toContain(says);
  const checked = await world.run("config-check", [], { env });
  expect(checked.code).toBe(1);
  expect(checked.stdout).toContain(says);
});

test("a secret in it is hidden", async () => {
  using world = new World();
  world.restic('echo "Fatal: ssh said hunter22-secret" >&2; exit 1');
  const env = { RESTIC_OPTIONS: "-o sftp.command='sshpass -p hunter22-secret ssh me@host'" };
  const { stdout } = await world.run("backup", [], { env });
  expect(stdout).toContain("ssh said ***");
  for (const command of ["env", "doctor"]) {
    const shown = await world.run("restic-backup-helper", [command], { env });
    expect(shown.stdout).toContain("sshpass -p ***");
    expect(shown.stdout).not.toContain("hunter22");
  }
});

describe("what the way to the repository needs", () => {
  test("rclone: the configuration's file, and nobody is asked for its password", async () => {
    using world = new World();
    const RCLONE_CONFIG = world.file("rclone.conf", "");
    const { env } = await calls(world, { RESTIC_REPOSITORY: "rclone:far:repo", RCLONE_CONFIG });
    expect(env).toMatchObject({ RCLONE_CONFIG, RCLONE_ASK_PASSWORD: "false" });
  });

  test("swift: the domains, but for those that are set", async () => {
    using world = new World();
    const swift = { RESTIC_REPOSITORY: "swift:container:/" };
    const { env } = await calls(world, swift);
    expect(env).toMatchObject({
      OS_USER_DOMAIN_NAME: "Default",
      OS_PROJECT_DOMAIN_ID: "default",
      OS_IDENTITY_API_VERSION: "3",
    });
    using other = new World();
    const { env: given } = await calls(other, {
      ...swift,
      OS_USER_DOMAIN_ID: "users",
      OS_PROJECT_DOMAIN_NAME: "projects",
      OS_IDENTITY_API_VERSION: "2",
    });
    expect(given).toMatchObject({
      OS_USER_DOMAIN_ID: "users",
      OS_PROJECT_DOMAIN_NAME: "projects",
      OS_IDENTITY_API_VERSION: "2",
    });
    expect(given).not.toHaveProperty("OS_USER_DOMAIN_NAME");
    expect(given).not.toHaveProperty("OS_PROJECT_DOMAIN_ID");
  });

  test("no other repository is told of either", async () => {
    using world = new World();
    const { env } = await calls(world, {});
    expect(env).not.toHaveProperty("RCLONE_ASK_PASSWORD");
    expect(env).not.toHaveProperty("OS_USER_DOMAIN_NAME");
  });
});
