import { describe, expect, test } from "bun:test";
import { type ErrorMessage, errorText, parseMessage, skippedSource } from "../../lib/restic/messages.ts";

const error = (fields: object): ErrorMessage => ({ message_type: "error", ...fields });

describe("errorText names the path once, then the reason", () => {
  const lines: [what: string, message: ErrorMessage, text: string][] = [
    [
      "0.14, a file",
      error({ error: { Op: "open", Path: "x", Err: 13 }, item: "/d/x" }),
      "/d/x: permission denied",
    ],
    [
      "0.14, a disk error",
      error({ error: { Op: "read", Path: "x", Err: 5 }, item: "/d/x" }),
      "/d/x: input/output error",
    ],
    [
      "0.14, a rare error",
      error({ error: { Op: "open", Path: "x", Err: 99 }, item: "/d/x" }),
      "/d/x: errno 99",
    ],
    ["0.14, a folder", error({ error: {}, item: "/d" }), "/d"],
    [
      "0.18, a file",
      error({ error: { message: "/d/x: open /d/x: permission denied" }, item: "/d/x" }),
      "/d/x: permission denied",
    ],
    [
      "0.18, a folder",
      error({
        error: { message: "openfile for readdirnames failed: open /d: permission denied" },
        item: "/d",
      }),
      "/d: permission denied",
    ],
    [
      "0.18, a path relative to another folder",
      error({
        error: { message: "openfile for readdirnames failed: open d: permission denied" },
        item: "/x/d",
      }),
      "/x/d: openfile for readdirnames failed: open d: permission denied",
    ],
    ["plain words", error({ error: "broken", item: "/d" }), "/d: broken"],
    ["the path alone", error({ error: { message: "/d" }, item: "/d" }), "/d"],
    ["no path", error({ error: { message: "broken" } }), "broken"],
    ["nothing", error({}), "an error without a message"],
    ["a newline", error({ error: { Err: 13 }, item: "/d/a\nERROR b" }), "/d/a\\nERROR b: permission denied"],
  ];
  test.each(lines)("%s", (_, message, text) => {
    expect(errorText(message)).toBe(text);
  });
});

test.each([
  ["/data does not exist, skipping", "/data"],
  ["/a b/ü does not exist, skipping", "/a b/ü"],
  ["/data exists", undefined],
  ["does not exist, skipping", undefined],
])("skippedSource of %j is %j", (line, source) => {
  expect(skippedSource(line)).toBe(source);
});

test.each([
  ['{"message_type":"status","percent_done":0.5}', { message_type: "status", percent_done: 0.5 }],
  ['{"struct_type":"snapshot"}', undefined],
  ['{"message_type":5}', undefined],
  ['{"message_type":', undefined],
  ["null", undefined],
  ["{}", undefined],
  ["plain words", undefined],
  ["", undefined],
])("parseMessage of %j", (line, message) => {
  expect(parseMessage(line)).toEqual(message as ReturnType<typeof parseMessage>);
});

test.each<[string, object | undefined]>([
  ['{"message_type":"status","percent_done":0.5}', { message_type: "status", percent_done: 0.5 }],
  ['{"message_type":"status","percent_done":"half","total_bytes":null}', { message_type: "status" }],
  ['{"message_type":"status","percent_done":1e999}', { message_type: "status" }],
  ['{"message_type":"summary","snapshot_id":12345678,"files_new":[]}', { message_type: "summary" }],
  ['{"message_type":"summary","snapshot_id":"a\\u0000"}', { message_type: "summary" }],
  ['{"message_type":"summary","broken_packs":["a",5]}', { message_type: "summary" }],
  ['{"message_type":"summary","suggest_prune":true}', { message_type: "summary", suggest_prune: true }],
  ['{"message_type":"error","error":{"message":{}},"item":7}', { message_type: "error" }],
  [
    '{"message_type":"error","error":{"Err":13},"item":"/d"}',
    { message_type: "error", error: { Err: 13 }, item: "/d" },
  ],
  ['{"message_type":5}', undefined],
  ["{}", undefined],
  ["null", undefined],
])("parseMessage %s leaves out what is of another type", (line, message) => {
  expect(parseMessage(line)).toEqual(message as never);
});
