/** The binary stays our program, whatever variables of its runtime are set, and embeds no runtime but the known one. */

import { describe, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { DISARMED } from "../lib/environment.ts";
import { Receiver, status } from "./support/receiver.ts";
import { World } from "./support/world.ts";
import { disarm } from "./tools/embed.ts";

const ROOT = join(import.meta.dir, "..");

const SET: Record<string, string> = {
  BUN_BE_BUN: "1",
  BUN_OPTIONS: "--preload=SCRIPT",
  BUN_INSPECT: "127.0.0.1:0",
  BUN_INSPECT_PRELOAD: "SCRIPT",
  BUN_INSPECT_NOTIFY: "SOCKET",
  BUN_INSPECT_CONNECT_TO: "SOCKET",
  BUN_CONFIG_VERBOSE_FETCH: "1",
  BUN_BYTECODE_ORDER_OUT: "ORDER",
};

/** What the runtime would make when it followed one of them. */
function armed(it: World): Record<string, string> {
  const script = it.file("preload.js", `require("fs").writeFileSync("${it.dir}/ran", "");`);
  return Object.fromEntries(
    Object.entries(SET).map(([name, value]) => [
      name,
      value
        .replace("SCRIPT", script)
        .replace("SOCKET", "ws+unix:///nowhere")
        .replace("ORDER", join(it.dir, "order")),
    ]),
  );
}

describe("variables of Bun's", () => {
  test.each(Object.keys(SET))("%s: no command becomes another one", async (name) => {
    using it = new World();
    it.restic();
    const env = { [name]: armed(it)[name] };
    for (const [command, words] of [
      ["restic-backup-helper", ["--version"]],
      ["restic-backup-helper", ["schema", "run"]],
      ["backup", ["--help"]],
    ] as const) {
      expect(await it.run(command, words, { env })).toEqual(await it.run(command, words));
    }
    expect([it.has("ran"), it.has("order")]).toEqual([false, false]);
  });

  test("a run under all of them is a run, and neither restic nor a hook gets one", async () => {
    using it = new World();
    it.restic(`env >>${it.dir}/seen`);
    it.hook("pre-backup", `env >>${it.dir}/seen; ls -l /proc/$PPID/fd | grep -c socket`);
    using receiver = await Receiver.start(status(200));
    const WEBHOOK_URL = `http://127.0.0.1:${receiver.port}/path-of-it`;
    const plain = await it.run("backup", [], { env: { WEBHOOK_URL } });
    const { code, stdout, stderr } = await it.run("backup", [], {
      env: { ...armed(it), BUN_INSTALL: "/kept", WEBHOOK_URL },
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(receiver.lines).toEqual(["POST /path-of-it", "POST /path-of-it"]);
    expect(stdout).not.toContain("path-of-it");
    // No debugger listens: there are as many sockets as without the variables.
    const sockets = (text: string) => text.match(/pre-backup \| \d+/)?.[0];
    expect(sockets(stdout)).toBe(sockets(plain.stdout) ?? "counted");
    const seen = it.read("seen");
    expect(seen).toContain("BUN_INSTALL=/kept\n");
    expect(seen.match(/^BUN_(?!INSTALL=).*/gm)).toBe(null);
    expect([it.has("ran"), it.has("order")]).toEqual([false, false]);
  });

  test("config-check and doctor warn of each; of BUN_INSTALL they do not", async () => {
    using it = new World();
    it.restic();
    const env = { ...armed(it), BUN_INSTALL: "/kept", NODE_TLS_REJECT_UNAUTHORIZED: "0" };
    for (const name of ["config-check", "doctor"]) {
      const { stdout } = await it.run(name, [], { env });
      for (const each of Object.keys(SET)) {
        expect(stdout).toContain(`[WARN] ${each}: is a variable of Bun's: it has no effect here`);
      }
      expect(stdout).toContain("[WARN] NODE_TLS_REJECT_UNAUTHORIZED: 0 has webhooks and pings trust every");
      expect(stdout).not.toContain("BUN_INSTALL:");
    }
  });

  test("one that has changed the engine is refused, by every command", async () => {
    using it = new World();
    it.restic(`touch ${it.dir}/ran`);
    for (const [name, ...args] of [["backup"], ["status"], ["restic-backup-helper", "--version"]]) {
      expect(await it.run(name ?? "", args, { env: { BUN_JSC_useJIT: "0" } })).toEqual({
        code: 2,
        stdout: "",
        stderr: `${name}: BUN_JSC_useJIT is set, which changes the JavaScript engine inside of this program. Unset it.\n`,
      });
    }
    expect(it.has("ran")).toBe(false);
  });

  test("a Bun that has another name for one of them is not embedded", () => {
    const bun = Buffer.from(`x process.env.BUN_INSPECT x BUN_${DISARMED.join("BUN_")} x BUN_INSTALL`);
    expect(disarm(bun).toString()).toBe(
      `x process.env.BUN_INSPECT x BUN=${DISARMED.join("BUN=")} x BUN_INSTALL`,
    );
    expect(() => disarm(bun)).toThrow("This Bun knows no BUN_BE_BUN.");
  });
});

test("a runtime that is not the one of package-lock.json stops make dist", async () => {
  using it = new World();
  const copy = it.folder("copy");
  for (const name of ["Makefile", "main.ts", "package.json", "package-lock.json", "lib", "test/tools"]) {
    cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  const target = "dist/restic-backup-helper-linux-arm64";
  // What Bun would take by itself: from its cache, and from the current folder.
  const cached = "bun-linux-aarch64-v1.4.5";
  it.file(`copy/${cached}`, "tampered", 0o755);
  it.file(`.bun/install/cache/${cached}`, "tampered", 0o755);
  mkdirSync(join(it.dir, "package/bin"), { recursive: true });
  it.file("package/bin/bun", `tampered BUN_${DISARMED.join(" BUN_")}`, 0o755);
  it.program("npm", `cd ${it.dir}\ntar -czf "$5/runtime.tgz" package; echo runtime.tgz; echo "$@" >asked`);
  const { code, stdout, stderr } = await it.exec([
    "make",
    "-C",
    copy,
    "--old-file=node_modules/.ready",
    target,
  ]);
  expect(code).not.toBe(0);
  expect(it.read("asked")).toMatch(/^pack .* @oven\/bun-linux-aarch64@\d+\.\d+\.\d+\n$/);
  expect(stderr).toMatch(
    /embed\.ts: @oven\/bun-linux-aarch64 [\d.]+ is not the package of package-lock\.json: sha512-\S+ instead of sha512-\S+\. Nothing is built of it\.\n/,
  );
  expect(stdout).not.toContain("compile");
  expect([existsSync(join(copy, target)), existsSync(join(copy, `${target}.bun`))]).toEqual([false, false]);
});
