// How the program finds out what it is: by the name that it was called by, or by its first word.
import { describe, expect, test } from "bun:test";
import { existsSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { linkNames } from "../../lib/run/command.ts";
import { table } from "../../lib/workers/index.ts";
import project from "../../package.json";
import { binary, World } from "../support/world.ts";

const names = linkNames(table);
const PROGRAM = "restic-backup-helper";
const bash = Bun.which("bash");

/** `doctor --hooks` with no hook: enough to tell that it was doctor that ran. */
const HOOKS = /^== Hooks ==\nHOOK_TIMEOUT: 0\n/;

describe("the name that it was called by", () => {
  test.each([
    ["doctor", []],
    ["doctor.sh", []],
    ["restic-backup-helper", ["doctor"]],
    ["restic-backup-helper", ["/usr/local/bin/doctor.sh"]],
    ["any-other-name", ["doctor"]],
    ["restic-backup-helper-linux-x64", ["doctor"]],
  ])("%s %j", async (name, words) => {
    using world = new World();
    world.link(name);
    const { code, stdout, stderr } = await world.run(name, [...words, "--hooks"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(HOOKS);
  });

  test.skipIf(bash === null)("exec -a, from a shell, from a login shell and with a path", async () => {
    using world = new World();
    for (const name of ["doctor", "-doctor", "/entry/doctor.sh", "./doctor"]) {
      const { code, stdout } = await world.exec([bash ?? "", "-c", `exec -a ${name} ${binary} --hooks`]);
      expect({ name, code }).toEqual({ name, code: 0 });
      expect(stdout).toMatch(HOOKS);
    }
  });

  test("a link to a link, from another folder, by its bare name through PATH", async () => {
    using world = new World();
    symlinkSync(world.link("doctor"), join(world.folder("elsewhere"), "doctor"));
    const { code, stdout } = await world.exec(["sh", "-c", "cd / && doctor --hooks"], {
      env: { PATH: `${world.dir}/elsewhere:${process.env.PATH}` },
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(HOOKS);
  });

  test("an alias is its command", async () => {
    using world = new World();
    const alias = names.find((name) => !table.some((row) => row.name === name)) ?? "";
    world.link(alias);
    const row = table.find((each) => each.aliases?.includes(alias));
    const { stdout } = await world.run(alias, ["--help"]);
    expect(stdout).toContain(`USAGE ${row?.name} `);
    expect(stdout).toContain(`Also called ${row?.aliases?.join(", ")}.`);
  });
});

describe("its own words", () => {
  const own = async (...words: string[]) => {
    using world = new World();
    return await world.run(PROGRAM, words);
  };

  test("--list: every name, one a line, and nothing else", async () => {
    expect(await own("--list")).toEqual({ code: 0, stdout: `${names.join("\n")}\n`, stderr: "" });
  });

  test("--version: the version and the release, which the image may set", async () => {
    const { version, resticVersion } = project;
    expect(await own("--version")).toEqual({
      code: 0,
      stdout: `${PROGRAM} ${version} (release ${version}-${resticVersion})\n`,
      stderr: "",
    });
    using world = new World();
    const { stdout } = await world.run(PROGRAM, ["--version"], {
      env: { RESTIC_BACKUP_HELPER_RELEASE: "9.9-x" },
    });
    expect(stdout).toBe(`${PROGRAM} ${version} (release 9.9-x)\n`);
  });

  test("--help: every command with its summary", async () => {
    const { code, stdout, stderr } = await own("--help");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const { name, summary } of table)
      expect(stdout).toMatch(new RegExp(`^ {2}${name} +${summary.slice(0, 20)}`, "m"));
    expect(await own("-h")).toEqual({ code: 0, stdout, stderr: "" });
  });

  test.each<[string[], RegExp]>([
    [[], /^restic-backup-helper: A command is missing\. The commands are backup, /],
    [["bakcup"], /: There is no command bakcup; did you mean backup\? The commands are backup, /],
    [["docter", "--hooks"], /: There is no command docter; did you mean doctor\?/],
    [["--lsit"], /: There is no command --lsit; did you mean --list\?/],
    [["nonsense"], /: There is no command nonsense\. The commands are /],
    [["-x"], /: There is no command -x\. /],
    [[""], /: There is no command \. /],
    [["--list", "x"], /: "x" is not expected after --list\./],
    [["--version", "x"], /: "x" is not expected after --version\./],
    [["--help", "x"], /: "x" is not expected after --help\./],
    [["completion"], /: completion takes one of bash, zsh, fish\./],
    [["completion", "csh"], /: completion takes one of bash, zsh, fish\./],
    [["completion", "bash", "zsh"], /: completion takes one of bash, zsh, fish\./],
    [["--install"], /: --install needs the directory for the links\./],
    [["--install", "-x", "/tmp"], /: The flag -x is unknown; --install takes -s and --force\./],
    [["--install", "/tmp", "/var"], /: "\/var" is not expected: --install takes one directory\./],
  ])("%j: exit 2", async (words, message) => {
    const { code, stdout, stderr } = await own(...words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(message);
    expect(stderr).toEndWith(`\nTry: ${PROGRAM} --help\n`);
  });
});

test("nothing of its own folder is read: no .env, no bunfig.toml, no package.json", async () => {
  using world = new World();
  world.file(".env", "HOOK_TIMEOUT=77\n");
  world.file("bunfig.toml", 'preload = ["./evil.ts"]\n');
  world.file("evil.ts", `require("node:fs").writeFileSync("${world.dir}/evil", "")\n`);
  world.file("package.json", "{ not json");
  world.link("doctor");
  const { code, stdout } = await world.run("doctor", ["--hooks"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(HOOKS);
  expect(existsSync(join(world.dir, "evil"))).toBe(false);
});
