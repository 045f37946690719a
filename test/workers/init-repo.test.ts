import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { needing } from "../support/needing.ts";
import { onTerminal } from "../support/pseudo-terminal.ts";
import { equip } from "../support/ready-repository.ts";
import { restic, restics, type Tool } from "../support/restics.ts";
import { finish, World, waitFor } from "../support/world.ts";

function bare(tool: Tool = restic): World {
  const world = new World();
  world.useRestic(tool.path);
  return world;
}
const isMade = (world: World) => world.has("repository/config");

describe.each(restics.map((tool) => [tool.version, tool] as const))("init-repo with restic %s", (_, tool) => {
  test("creates a missing one with --yes, RESTIC_INIT_ARGS and the words after --", async () => {
    using world = bare(tool);
    const { code, stdout, stderr } = await world.run("init-repo", ["--yes", "--", "--quiet"], {
      env: { RESTIC_INIT_ARGS: "--repository-version '1'" },
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`The repository ${world.dir}/repository is created.`);
    expect(world.record("init-repo")).toMatchObject({
      exit_code: 0,
      status: "ok",
      repo_existed: "OFF",
      probe_exit_code: 10,
      dry_run: "OFF",
      assume_yes: "ON",
      confirmed: "ON",
      init_args: "--repository-version 1 --quiet",
    });
    const config = await world.exec(["restic", "cat", "config", "--no-lock"]);
    expect(JSON.parse(config.stdout.slice(config.stdout.indexOf("{")))).toMatchObject({ version: 1 });
  });

  test("leaves one alone that is there: 3, rehearsed 0", async () => {
    using world = new World();
    equip(world, tool);
    const { code, stdout, stderr } = await world.run("init-repo", ["--yes"]);
    expect({ code, stderr }).toEqual({ code: 3, stderr: "" });
    expect(stdout).toContain(`There is a repository at ${world.dir}/repository already`);
    // What the probe printed is the repository's configuration, not a word for the log.
    expect(stdout).not.toContain("chunker_polynomial");
    expect(world.record("init-repo")).toMatchObject({
      repo_existed: "ON",
      probe_exit_code: 0,
      confirmed: "OFF",
    });
    expect((await world.run("init-repo", ["--dry-run"])).code).toBe(0);
    expect(world.record("init-repo")).toMatchObject({ exit_code: 0, dry_run: "ON" });
  });

  test("refuses where the password is wrong", async () => {
    using world = new World();
    equip(world, tool);
    const { code, stdout } = await world.run("init-repo", ["--yes"], {
      env: { RESTIC_PASSWORD: "wrong and long" },
    });
    expect(code).toBe(2);
    expect(stdout).toContain("Nothing was created. The password does not open");
    expect(world.record("init-repo")).toMatchObject({
      exit_code: 2,
      status: "failed",
      repo_existed: "ON",
      probe_exit_code: 12,
    });
  });

  test("refuses where the probe finds no answer", async () => {
    using world = bare(tool);
    // A file where a folder should be: neither a repository nor the place for one. restic since 0.16 goes on trying.
    world.file("repository", "a letter");
    const { code, stdout } = await world.run("init-repo", ["--yes"]);
    expect(code).toBe(2);
    expect(stdout).toMatch(
      /Nothing was created\. .*(cannot be opened \(exit 1\)|cannot be opened: restic still tried after 30 s)/,
    );
    expect(stdout).toContain("not a directory");
    expect(world.record("init-repo")).toMatchObject({ exit_code: 2, status: "failed" });
    expect(world.record("init-repo")).not.toHaveProperty("repo_existed");
    expect(world.read("repository")).toBe("a letter");
  });

  test("rehearses: a missing one would be created", async () => {
    using world = bare(tool);
    const { code, stdout } = await world.run("init-repo", ["--dry-run"]);
    expect(code).toBe(0);
    expect(stdout).toContain("it would be created (--dry-run)");
    expect(isMade(world)).toBe(false);
    expect(world.record("init-repo")).toMatchObject({ repo_existed: "OFF", dry_run: "ON", confirmed: "OFF" });
  });

  test("says that runs have worked with one there, where it is gone; a new name is none of its business", async () => {
    using world = bare(tool);
    expect((await world.run("init-repo", ["--yes"])).stdout).not.toContain("worked with a repository");
    expect((await world.run("backup")).code).toBe(0);
    await world.exec(["mv", world.repository, join(world.dir, "unmounted")]);
    const spellings = [world.repository, `local:${world.repository}`, `${world.repository}//`];
    for (const [at, words] of [["--dry-run"], ["--dry-run"], ["--dry-run"], ["--yes"]].entries()) {
      const env = { RESTIC_REPOSITORY: spellings[at % spellings.length] };
      const { code, stdout } = await world.run("init-repo", words, { env });
      expect({ code, stdout }).toEqual({
        code: 0,
        stdout: expect.stringMatching(
          /WARN .*backup worked with a repository at \S+, last at .*\. A new one holds none of its snapshots: if its disk/,
        ),
      });
    }
    const RESTIC_REPOSITORY = join(world.dir, "another");
    const other = await world.run("init-repo", ["--yes"], { env: { RESTIC_REPOSITORY } });
    expect(other.stdout).not.toContain("worked with a repository");
  });

  needing("restic", "python3").test("creates it when `init` is typed", async () => {
    using world = bare(tool);
    const { code, stdout } = await typed(world, "init\n");
    expect(code).toBe(0);
    expect(stdout).toContain("keep it elsewhere, too.");
    expect(isMade(world)).toBe(true);
    expect(world.record("init-repo")).toMatchObject({ confirmed: "ON", assume_yes: "OFF", status: "ok" });
  });
});

/** Types `answer` when it is asked; a signal goes to the command itself. */
async function typed(world: World, answer: string) {
  const child = onTerminal(world, [world.link("init-repo")]);
  await waitFor(() => world.has("log/init-repo-last.log"), "the run");
  // The kernel keeps what is typed ahead until it is read.
  child.stdin.write(answer);
  child.stdin.flush();
  const [stdout, code] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  return { code, stdout };
}

needing("restic", "python3").describe("whoever does not type `init` declines", () => {
  test.each([
    ["another word", "yes\n"],
    ["more than the word", "init-repo\n"],
    ["nothing", "\n"],
    ["q", "q\n"],
    ["the end of input", "\x04"],
  ])("%s", async (_, answer) => {
    using world = bare();
    const { code, stdout } = await typed(world, answer);
    expect(code).toBe(0);
    expect(stdout).toContain("Type init to create it, anything else to leave it:");
    expect(stdout).toContain("Declined; nothing was created.");
    expect(isMade(world)).toBe(false);
    expect(world.record("init-repo")).toMatchObject({ exit_code: 0, status: "cancelled", confirmed: "OFF" });
  });

  test("Ctrl-C interrupts", async () => {
    using world = bare();
    const child = onTerminal(world, [world.link("init-repo")]);
    let shown = "";
    const reading = (async () => {
      for await (const bytes of child.stdout) shown += Buffer.from(bytes).toString();
    })();
    await waitFor(() => shown.includes("Type init"), "the question");
    child.stdin.write("\x03");
    child.stdin.flush();
    expect(await child.exited).toBe(130);
    await reading;
    expect(isMade(world)).toBe(false);
    expect(world.record("init-repo")).toMatchObject({ status: "interrupted", signal: "SIGINT" });
  });
});

needing("restic").test("nobody to ask, and no --yes: 2", async () => {
  using world = bare();
  const { code, stdout, stderr } = await world.run("init-repo");
  expect({ code, stderr }).toEqual({ code: 2, stderr: "" });
  expect(stdout).toContain("There is no terminal to confirm on. Give --yes");
  expect(isMade(world)).toBe(false);
  expect(world.record("init-repo")).toMatchObject({ exit_code: 2, status: "failed", repo_existed: "OFF" });
});

needing("restic").test("a failing restic init hands its exit code through", async () => {
  using world = bare();
  const { code, stdout } = await world.run("init-repo", ["-y", "--", "--no-such-flag"]);
  expect(code).toBe(1);
  expect(stdout).toContain("unknown flag: --no-such-flag");
  expect(stdout).toContain("restic init failed (exit 1). restic said: ");
  expect(world.record("init-repo")).toMatchObject({ exit_code: 1, status: "failed", confirmed: "ON" });
});

test.each([
  ["RESTIC_INIT_ARGS", { RESTIC_INIT_ARGS: "--x 'open" }],
  ["no password", { RESTIC_PASSWORD: "" }],
])("a configuration that makes no sense: %s", async (_, env) => {
  using world = new World();
  world.restic("exit 99");
  const { code } = await world.run("init-repo", ["--yes"], { env });
  expect(code).toBe(2);
  expect(world.record("init-repo")).toMatchObject({ exit_code: 2, status: "failed" });
});

test("a stop during the probe", async () => {
  using world = new World();
  world.restic(`echo up >"${world.dir}/up"; exec sleep 60`);
  const child = world.start("init-repo", ["--yes"]);
  await waitFor(() => world.has("up"), "the probe");
  child.kill("SIGTERM");
  expect((await finish(child)).code).toBe(143);
  expect(world.record("init-repo")).toMatchObject({
    status: "interrupted",
    signal: "SIGTERM",
    confirmed: "OFF",
  });
});
