import { describe, expect, test } from "bun:test";
import { type ErrorMessage, errorText, parseMessage } from "../../lib/restic/messages.ts";

describe("parseMessage", () => {
  test.each<[string, string | undefined]>([
    ['{"message_type":"status","percent_done":0.5}', "status"],
    ['{"message_type":"summary","files_new":1}', "summary"],
    ['{"message_type":"error","error":{},"during":"scan","item":"/x"}', "error"],
    [
      '{"message_type":"exit_error","code":12,"message":"Fatal: wrong password or no key found"}',
      "exit_error",
    ],
    ['{"message_type":"something new","x":1}', "something new"],
    ["repository 0a1b2c3d opened", undefined],
    ["", undefined],
    ["{", undefined],
    ['{"message_type":"status"', undefined],
    ['{"message_type":5}', undefined],
    ['{"other":"status"}', undefined],
    ["[1,2]", undefined],
    ["null", undefined],
    [' {"message_type":"status"}', undefined],
  ])("%s", (line, type) => expect(parseMessage(line)?.message_type as string | undefined).toBe(type));
});

describe("errorText", () => {
  const of = (rest: Partial<ErrorMessage>) => errorText({ message_type: "error", ...rest });
  test.each<[Partial<ErrorMessage>, string]>([
    [{ error: { message: "open /d/x: permission denied" }, item: "/d/x" }, "open /d/x: permission denied"],
    [{ error: { message: "permission denied" }, item: "/d/x" }, "/d/x: permission denied"],
    [{ error: "permission denied", item: "/d/x" }, "/d/x: permission denied"],
    [{ error: "permission denied" }, "permission denied"],
    [{ error: {}, item: "/d/x" }, "/d/x"],
    [{ item: "/d/x" }, "/d/x"],
    [{}, "an error without words"],
  ])("%j", (message, text) => expect(of(message)).toBe(text));
});
