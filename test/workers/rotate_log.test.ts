import { expect, test } from "bun:test";
import {
  appendFileSync,
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { World, waitFor } from "../support/world.ts";

const archives = (world: World) => readdirSync(world.log).filter((name) => name.startsWith("cron_log_"));
const waiting = (world: World) => readdirSync(world.log).filter((name) => /^cron\.log\./.test(name));
const rotate = (world: World, env: Record<string, string> = {}) =>
  world.run("rotate_log", [], { env: { CRON_LOG_MAX_SIZE: "10", ...env } });
/** What an archive of this world holds. */
async function unpacked(world: World, name: string): Promise<string> {
  const { stdout, code } = await world.exec(["tar", "-xzOf", join(world.log, name)]);
  expect(code).toBe(0);
  return stdout;
}

test("a log that is large enough becomes an archive of that time, and a new one begins", async () => {
  using world = new World();
  world.file("log/cron.log", "0123456789\n", 0o640);
  const { code, stdout, stderr } = await rotate(world);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const [name = "", ...others] = archives(world);
  expect({ name, others }).toEqual({
    name: expect.stringMatching(/^cron_log_\d{8}_\d{6}\.tar\.gz$/),
    others: [],
  });
  expect(await unpacked(world, name)).toBe("0123456789\n");
  expect(world.read("log/cron.log")).toBe("");
  expect(stdout).toContain("(11 B) was renamed to ");
  expect((await world.exec(["stat", "-c", "%a", join(world.log, "cron.log")])).stdout).toBe("640\n");
});

test.each([
  ["absent", undefined],
  ["empty", ""],
  ["too small", "012345678"],
])("a log that is %s stays as it is", async (_, text) => {
  using world = new World();
  if (text !== undefined) world.file("log/cron.log", text);
  expect((await rotate(world)).code).toBe(0);
  expect([archives(world), waiting(world)]).toEqual([[], []]);
  if (text !== undefined) expect(world.read("log/cron.log")).toBe(text);
});

test.each([
  ["CRON_LOG_MAX_SIZE", "1e3"],
  ["CRON_LOG_MAX_SIZE", "-1"],
  ["MAX_CRON_LOG_ARCHIVES", "many"],
])("%s=%s: exit 1, nothing touched", async (name, value) => {
  using world = new World();
  world.file("log/cron.log", "0123456789\n");
  expect(await rotate(world, { [name]: value })).toEqual({
    code: 1,
    stdout: "",
    stderr: `rotate_log: ${name}=${value} is not a whole number; nothing was rotated.\n`,
  });
  expect([archives(world), waiting(world)]).toEqual([[], []]);
});

test("a file that somebody still writes to waits for the next rotation; one that is only read does not", async () => {
  using world = new World();
  const path = world.file("log/cron.log", "first line\n");
  const writer = Bun.spawn(["sh", "-c", 'exec >>"$0"; read -r line; echo "last line"', path], {
    stdin: "pipe",
  });
  const reader = openSync(path, "r");
  await waitFor(
    () =>
      Bun.file(`/proc/${writer.pid}/fdinfo/1`)
        .text()
        .then((text) => /flags:\s*0?[0-7]*1$/m.test(text)),
    "its file",
  );
  const { code, stdout } = await rotate(world);
  expect(code).toBe(0);
  expect(stdout).toContain(
    `is still open for writing in pid ${writer.pid}; it is packed at the next rotation.`,
  );
  expect([archives(world).length, waiting(world).length]).toEqual([0, 1]);
  writer.stdin.write("\n");
  writer.stdin.end();
  await writer.exited;
  expect((await rotate(world)).code).toBe(0);
  closeSync(reader);
  expect(waiting(world)).toEqual([]);
  expect(await unpacked(world, archives(world)[0] ?? "")).toBe("first line\nlast line\n");
});

test.each(["--cron-log=", ">>"])(
  "as crond calls it, its own words go on in the new log and its own hold does not count (%s)",
  async (form) => {
    using world = new World();
    const path = world.file("log/cron.log", "0123456789\n");
    const shell = Bun.which("busybox") === null ? ["sh"] : ["busybox", "sh"];
    const { code } = await world.exec([
      ...shell,
      "-c",
      `CRON_LOG_MAX_SIZE=10 ${world.link("locked_run")} rotate_log ${world.lock}/rotate_log.lock ${world.link("rotate_log")} ${form}${path}`,
    ]);
    expect(code).toBe(0);
    expect(waiting(world)).toEqual([]);
    expect(await unpacked(world, archives(world)[0] ?? "")).toBe("0123456789\n");
    expect(world.read("log/cron.log")).toContain("holds 11 B in");
  },
);

test("the newest archives are kept; the names of a second never meet", async () => {
  using world = new World();
  for (const hour of ["01", "02", "03"]) world.file(`log/cron_log_20260101_${hour}0000.tar.gz`, "old");
  world.file("log/cron_log_mine.tar.gz", "not ours");
  for (const text of ["first 0123\n", "second 012\n"]) {
    writeFileSync(join(world.log, "cron.log"), text);
    expect((await rotate(world, { MAX_CRON_LOG_ARCHIVES: "3" })).code).toBe(0);
  }
  const [oldest, first = "", second = "", ...others] = archives(world).sort();
  expect([oldest, others]).toEqual(["cron_log_20260101_030000.tar.gz", ["cron_log_mine.tar.gz"]]);
  expect([await unpacked(world, first), await unpacked(world, second)]).toEqual([
    "first 0123\n",
    "second 012\n",
  ]);
});

test("of two rotations at once one works", async () => {
  using world = new World();
  world.program(
    "tar",
    `echo >${world.dir}/packing; while [ ! -e ${world.dir}/go ]; do sleep 0.02; done; exec /bin/tar "$@"`,
  );
  world.file("log/cron.log", "0123456789\n");
  const first = rotate(world);
  await waitFor(() => world.has("packing"), "the first to pack");
  appendFileSync(join(world.log, "cron.log"), "9876543210\n");
  expect(await rotate(world)).toMatchObject({
    code: 75,
    stdout: expect.stringContaining("Another rotation is active"),
  });
  world.file("go", "");
  expect((await first).code).toBe(0);
  expect(world.read("log/cron.log")).toBe("9876543210\n");
  expect(archives(world)).toHaveLength(1);
});

test("tar fails: the lines stay, exit 1", async () => {
  using world = new World();
  world.program("tar", 'echo "tar: no space left" >&2; exit 2');
  world.file("log/cron.log", "0123456789\n");
  const { code, stdout } = await rotate(world);
  expect(code).toBe(1);
  expect(stdout).toContain("ERROR rotate_log  tar failed (exit 2): tar: no space left.");
  expect(world.read(`log/${waiting(world)[0]}`)).toBe("0123456789\n");
});

test.each([
  ["an archive", "cron_log_20250101_000000.tar.gz"],
  ["a log that waits to be packed", "cron.log.20250101_000000"],
  ["the archive of a log that waits", "cron_log_20250102_000000.tar.gz"],
])("a folder with the name of %s is said, and keeps no rotation", async (_, name) => {
  using world = new World();
  world.file("log/cron.log", "0123456789\n");
  world.file("log/cron.log.20250102_000000", "waited\n");
  world.file("log/cron.log.20250103_000000", "waited too\n");
  world.file("log/cron_log_20240101_000000.tar.gz", "old");
  world.file(`log/${name}/inside`, "kept");
  const { code, stdout, stderr } = await rotate(world, { MAX_CRON_LOG_ARCHIVES: "2" });
  expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
  expect(stdout).toContain(
    `ERROR rotate_log  ${world.log}/${name} is a folder and left alone. Move it away: `,
  );
  expect(world.read(`log/${name}/inside`)).toBe("kept");
  expect(world.has("log/cron_log_20240101_000000.tar.gz")).toBe(false);
  expect(world.has("log/cron.log.20250103_000000")).toBe(false);
  const files = archives(world).filter((each) => statSync(join(world.log, each)).isFile());
  expect(files).toHaveLength(2);
  expect(await unpacked(world, files.sort().at(-1) ?? "")).toBe("0123456789\n");
});

test("a cron.log that is a link is not rotated, and what it leads to stays as it is", async () => {
  using world = new World();
  symlinkSync(world.file("precious", "0123456789\n"), join(world.log, "cron.log"));
  const { code, stdout } = await rotate(world);
  expect({ code, names: readdirSync(world.log) }).toEqual({ code: 1, names: ["cron.log"] });
  expect(stdout).toContain(`${world.log}/cron.log is a symbolic link and left alone.`);
  expect(world.read("precious")).toBe("0123456789\n");
});

test("no link is followed by the archive that is being made, and umask 000 lets nobody write it", async () => {
  using world = new World();
  world.file("log/cron.log.20250102_000000", "waited\n", 0o666);
  symlinkSync(world.file("precious", "precious"), join(world.log, "cron_log_20250102_000000.tar.gz.tmp"));
  symlinkSync(join(world.dir, "precious"), join(world.log, "cron_log_20250102_000000.tar.gz"));
  world.link("rotate_log");
  const { code } = await world.exec(["sh", "-c", "umask 000; exec rotate_log"]);
  expect({ code, names: archives(world) }).toEqual({ code: 0, names: ["cron_log_20250102_000000.tar.gz"] });
  expect(world.read("precious")).toBe("precious");
  const { mode } = lstatSync(join(world.log, "cron_log_20250102_000000.tar.gz"));
  expect((mode & 0o777).toString(8)).toBe("644");
});
