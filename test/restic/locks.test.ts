import { expect, test } from "bun:test";
import { lockIds, parseLock } from "../../lib/restic/evidence.ts";

const id = "ab".repeat(32);

test("ids are lines of 64 hexadecimal digits; other words are none", () => {
  expect(lockIds(`repository 5d026795 opened (version 2)\n${id}\n\n${id.toUpperCase()}\n`)).toEqual([id]);
  expect(lockIds("")).toEqual([]);
});

test("a lock as restic prints it", () => {
  const json = `{
  "time": "2026-05-11T09:30:00.123456789+02:00",
  "exclusive": true,
  "hostname": "larak",
  "username": "root",
  "pid": 4711,
  "uid": 0
}`;
  expect(parseLock(json)).toEqual({
    timeMs: Date.UTC(2026, 4, 11, 7, 30, 0, 123),
    exclusive: true,
    hostname: "larak",
    username: "root",
    pid: 4711,
  });
  expect(parseLock('{"time":"2026-05-11T09:30:00Z"}')).toMatchObject({
    exclusive: false,
    hostname: "?",
    pid: 0,
  });
  for (const text of ["", "Fatal: no such lock", "{}", "null", '{"time":"yesterday"}'])
    expect(parseLock(text)).toBeUndefined();
});
