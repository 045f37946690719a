import { expect, test } from "bun:test";
import { namedFiles } from "../lib/restic/backup-args.ts";
import { splitWords } from "../lib/words.ts";

test.each<[string, string[]]>([
  ["", []],
  ["--files-from /a", ["--files-from /a"]],
  ["--files-from=/a=b --exclude-file '/with blank'", ["--files-from /a=b", "--exclude-file /with blank"]],
  [
    "--files-from-raw /r --files-from-verbatim /v --iexclude-file=/i",
    ["--files-from-raw /r", "--files-from-verbatim /v", "--iexclude-file /i"],
  ],
  ["--files-from - --exclude /x --exclude-if-present .nobackup", []],
  ["--files-from", []],
  ["--verbose -- --files-from /a", []],
])("%s", (text, wanted) => {
  expect(namedFiles(splitWords(text)).map(({ flag, path }) => `${flag} ${path}`)).toEqual(wanted);
});
