// The note of a failed start lies in LOG_DIR: what others put in its place keeps no container from starting.
import { expect, test } from "bun:test";
import { existsSync, symlinkSync } from "node:fs";
import { Context } from "../../lib/context.ts";
import { tellStarted } from "../../lib/entry/alert.ts";
import { Stop } from "../../lib/process/stop.ts";
import { World } from "../support/world.ts";

test.each<[string, (world: World, path: string) => unknown]>([
  ["a named pipe", (_, path) => Bun.spawnSync(["mkfifo", path])],
  ["a link", (world, path) => symlinkSync(world.file("precious", "precious"), path)],
])("%s in its place is removed, and not read", async (_, put) => {
  using world = new World();
  const path = `${world.log}/entry-failed`;
  put(world, path);
  await tellStarted(new Context("entry", { env: world.env }), new Stop(() => 0));
  expect(existsSync(path)).toBe(false);
  if (world.has("precious")) expect(world.read("precious")).toBe("precious");
});
