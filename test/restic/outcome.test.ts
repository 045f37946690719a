import { describe, expect, test } from "bun:test";
import { codeOfWords, explain, normalizeExit } from "../../lib/restic/messages.ts";

/** What restic 0.14, 0.18 and 0.19 print (seen), and what it stands for. */
const WORDS: readonly (readonly [string, number | undefined])[] = [
  ["Fatal: unable to open config file: Stat: stat /r/config: no such file or directory", 10],
  // Said of a dead network too: alone it means nothing.
  ["Is there a repository at the following location?", undefined],
  ["Fatal: repository does not exist: unable to open config file: stat /r/config: no such file", 10],
  ["Fatal: wrong password or no key found", 12],
  ["Fatal: unable to create lock in backend: repository is already locked exclusively by PID 5 on h", 11],
  ["unable to create lock in backend: repository is already locked by PID 5", 11],
  ["Fatal: unable to save snapshot: context canceled", undefined],
  ["open repository", undefined],
  ["", undefined],
];

test.each(WORDS)("%s", (line, code) => expect(codeOfWords(line)).toBe(code));

describe("normalizeExit", () => {
  test.each<[number, number | undefined, number]>([
    [0, undefined, 0],
    [1, undefined, 1],
    [1, 10, 10],
    [1, 11, 11],
    [1, 12, 12],
    [3, undefined, 3],
    [3, 12, 3],
    [0, 11, 0],
    [10, 11, 10],
    [130, 11, 130],
    [137, undefined, 137],
  ])("exit %d with words for %p is %d", (code, told, normal) =>
    expect(normalizeExit(code, told)).toBe(normal),
  );
});

test.each<[number, RegExp | undefined]>([
  [0, undefined],
  [1, undefined],
  [10, /no repository at \/r.*init-repo/],
  [11, /\/r is locked by another restic.*unlock/],
  [12, /password does not open the repository \/r/],
  [130, undefined],
  [137, /killed \(SIGKILL\).*memory/],
])("explain %d", (code, words) => {
  const text = explain(code, "/r");
  if (words === undefined) expect(text).toBeUndefined();
  else expect(text).toMatch(words);
});
