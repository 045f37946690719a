// Completion scripts: made from the table, tried in the shells that are at hand.
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { table } from "../../lib/workers/index.ts";
import { World } from "../support/world.ts";

const PROGRAM = "restic-backup-helper";
const bash = Bun.which("bash");

describe("completion", () => {
  const script = async (world: World, shell: string) => {
    const { code, stdout, stderr } = await world.run(PROGRAM, ["completion", shell]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return world.file(`completion.${shell}`, stdout);
  };

  for (const shell of ["bash", "zsh", "fish"]) {
    test.skipIf(Bun.which(shell) === null)(
      `${shell} can read it (skipped where there is no ${shell})`,
      async () => {
        using world = new World();
        const path = await script(world, shell);
        expect(await world.exec([shell, "-n", path])).toEqual({ code: 0, stdout: "", stderr: "" });
      },
    );
  }

  test.each(["bash", "zsh", "fish"])("%s: every command and every flag is in it", async (shell) => {
    using world = new World();
    const text = readFileSync(await script(world, shell), "utf8");
    for (const row of table) {
      expect(text).toContain(row.name);
      for (const flag of Object.keys((await row.load()).flags))
        expect(text).toMatch(new RegExp(`(--|-l )${flag}\\b`));
    }
  });

  /** What bash would offer for the last word. */
  async function offered(world: World, path: string, words: readonly string[]): Promise<string[]> {
    const program = [
      `source ${path}`,
      `COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")})`,
      `COMP_CWORD=${words.length - 1}`,
      `$(complete -p -- "\${COMP_WORDS[0]##*/}" | sed 's/.*-F \\([^ ]*\\) .*/\\1/')`,
      `printf "%s\\n" "\${COMPREPLY[@]}"`,
    ];
    const { stdout, stderr } = await world.exec([bash ?? "", "-c", program.join("\n")]);
    expect(stderr).toBe("");
    return stdout.split("\n").filter(Boolean);
  }

  test.skipIf(bash === null)("bash completes commands, flags and shells", async () => {
    using world = new World();
    const path = await script(world, "bash");
    const complete = (...words: string[]) => offered(world, path, words);
    expect(await complete(PROGRAM, "doc")).toEqual(["doctor"]);
    expect(await complete(PROGRAM, "")).toEqual(
      expect.arrayContaining([...table.map(({ name }) => name), "completion", "--install"]),
    );
    expect(await complete(PROGRAM, "doctor", "--")).toEqual([
      "--hooks",
      "--from-upstream",
      "--json",
      "--help",
    ]);
    expect(await complete("doctor", "--h")).toEqual(["--hooks", "--help"]);
    expect(await complete("/bin/doctor", "--j")).toEqual(["--json"]);
    expect(await complete(PROGRAM, "completion", "")).toEqual(["bash", "zsh", "fish"]);
    expect(await complete(PROGRAM, "nonsense", "--")).toEqual([]);
  });

  test.skipIf(bash === null || Bun.which("python3") === null)(
    "bash, at a terminal, completes on Tab",
    async () => {
      using world = new World();
      const path = await script(world, "bash");
      const driver = world.file("tab.py", TAB_DRIVER);
      const { code, stdout } = await world.exec(
        ["python3", driver, path, "restic-backup-helper docto\t--hoo\t\n"],
        {
          env: { PATH: `${world.bin}:${process.env.PATH}`, TERM: "dumb" },
        },
      );
      expect(code).toBe(0);
      expect(stdout).toContain("restic-backup-helper doctor --hooks ");
      expect(stdout).toContain("== Hooks ==");
    },
  );
});

/** Types a line, with its tabs, into an interactive bash on a terminal and prints what the terminal showed. */
const TAB_DRIVER = `
import os, pty, re, select, sys, time
script, line = sys.argv[1], sys.argv[2]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
seen = b""
def wait_for(pattern, seconds=30):
    global seen
    end = time.monotonic() + seconds
    while not re.search(pattern, seen):
        if time.monotonic() > end:
            sys.exit("waited in vain for %r in %r" % (pattern, seen))
        if select.select([terminal], [], [], 0.1)[0]:
            seen += os.read(terminal, 65536)
os.write(terminal, ("PS1='ready> '; source %s\\n" % script).encode())
wait_for(rb"\\nready> ")
os.write(terminal, line.encode())
wait_for(rb"No hook is there|not found|no command")
os.write(terminal, b"exit\\n")
sys.stdout.write(seen.decode(errors="replace"))
`;
