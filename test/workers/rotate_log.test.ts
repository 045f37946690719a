import { expect, test } from "bun:test";
import { appendFileSync, closeSync, openSync, readdirSync, writeFileSync } from "node:fs";
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

test.skipIf(Bun.which("busybox") === null)(
  "as crond calls it, its own words go on in the new log and its own hold does not count",
  async () => {
    using world = new World();
    const path = world.file("log/cron.log", "0123456789\n");
    const { code } = await world.exec([
      "busybox",
      "sh",
      "-c",
      `CRON_LOG_MAX_SIZE=10 ${world.link("locked_run")} rotate_log ${world.lock}/rotate_log.lock ${world.link("rotate_log")} >>${path} 2>&1`,
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
