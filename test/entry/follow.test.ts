import { expect, test } from "bun:test";
import { appendFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Follower } from "../../lib/entry/follow.ts";
import { World } from "../support/world.ts";

/** A follower of a log, and what it has shown. */
function following(world: World, before?: string) {
  const path = join(world.log, "cron.log");
  if (before !== undefined) writeFileSync(path, before);
  let shown = "";
  const follower = new Follower(path, (text) => {
    shown += text.toString();
  });
  const look = () => {
    follower.look();
    return shown;
  };
  return { path, look, close: () => follower.close(), shown: () => shown };
}

test("only what comes after the start, whole lines only, the last one at the end", () => {
  using world = new World();
  const { path, look, close, shown } = following(world, "before\n");
  expect(look()).toBe("");
  appendFileSync(path, "one\ntw");
  expect(look()).toBe("one\n");
  appendFileSync(path, "o\nthree");
  expect(look()).toBe("one\ntwo\n");
  expect(look()).toBe("one\ntwo\n");
  close();
  expect(shown()).toBe("one\ntwo\nthree\n");
});

test("a file that comes later is shown from its beginning", () => {
  using world = new World();
  const { path, look } = following(world);
  expect(look()).toBe("");
  writeFileSync(path, "first\n");
  expect(look()).toBe("first\n");
});

test("renamed: the old one is followed too, until it is deleted", () => {
  using world = new World();
  const { path, look } = following(world, "");
  appendFileSync(path, "a\n");
  renameSync(path, `${path}.old`);
  expect(look()).toBe("a\n");
  writeFileSync(path, "b\n");
  appendFileSync(`${path}.old`, "c\n");
  expect(look()).toBe("a\nc\nb\n");
  appendFileSync(`${path}.old`, "d\n");
  rmSync(`${path}.old`);
  appendFileSync(path, "e\n");
  expect(look()).toBe("a\nc\nb\nd\ne\n");
  expect(look()).toBe("a\nc\nb\nd\ne\n");
});

test("renamed again and again: all of them are followed", () => {
  using world = new World();
  const { path, look } = following(world, "");
  for (const name of ["a", "b"]) {
    appendFileSync(path, `${name}\n`);
    look();
    renameSync(path, `${path}.${name}`);
  }
  appendFileSync(path, "c\n");
  expect(look()).toBe("a\nb\nc\n");
});

test("emptied in its place: begins anew", () => {
  using world = new World();
  const { path, look } = following(world, "");
  appendFileSync(path, "a long line\n");
  look();
  truncateSync(path);
  appendFileSync(path, "short\n");
  expect(look()).toBe("a long line\nshort\n");
});

test("bytes that are no text, characters cut between two looks, and a line without end", () => {
  using world = new World();
  const path = join(world.log, "cron.log");
  writeFileSync(path, "");
  const parts: Buffer[] = [];
  const follower = new Follower(path, (text) => void parts.push(Buffer.from(text)));
  const bytes = Buffer.concat([
    Buffer.from("é€\xff\n", "latin1"),
    Buffer.from("größer\n"),
    Buffer.alloc(3_000_000, "x"),
  ]);
  for (let at = 0; at < bytes.length; at += 700_001) {
    appendFileSync(path, bytes.subarray(at, at + 700_001));
    follower.look();
  }
  follower.close();
  const shown = Buffer.concat(parts);
  expect(shown.equals(Buffer.concat([bytes, Buffer.from("\n")])) || shown.equals(bytes)).toBe(true);
});

test("what a job printed does nothing to the terminal that shows it; text as it is", async () => {
  using world = new World();
  const path = world.file("log/cron.log", "");
  const script = `
    const { appendFileSync } = await import("node:fs");
    const { Copy } = await import(${JSON.stringify(join(import.meta.dir, "../../lib/entry/follow.ts"))});
    const copy = new Copy(${JSON.stringify(path)});
    for (const line of [Buffer.from("ümläut\\ttab\\r\\n"), Buffer.from("a\\x1b[2Jb\\u202e\\n"), Buffer.of(0x9b, 0x41, 10)]) {
      appendFileSync(${JSON.stringify(path)}, line);
      copy.turn();
    }`;
  const { stdout, stderr } = await world.exec([process.execPath, "-e", script]);
  expect({ stdout, stderr }).toEqual({ stdout: "ümläut\ttab\na\\x1b[2Jb\\u202e\n\ufffdA\n", stderr: "" });
});
