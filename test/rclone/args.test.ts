import { expect, test } from "bun:test";
import {
  isOn,
  listArgs,
  resyncWords,
  transferArgs,
  valueOfFlag,
  withoutBisync,
  withoutResync,
} from "../../lib/rclone/args.ts";

const split = (text: string) => text.split(" ").filter(Boolean);

test.each<[string, string, string | undefined]>([
  ["", "", undefined],
  ["--bwlimit 1M -v", "--bwlimit 1M -v", undefined],
  ["--resync", "", undefined],
  ["--a --resync --b", "--a --b", undefined],
  ["--resync=true --a", "--a", undefined],
  ["--resync=false --a", "--a", undefined],
  ["-1 --a", "--a", undefined],
  ["-v1 --a", "-v --a", undefined],
  ["-1v", "-v", undefined],
  ["--resync-mode newer --a", "--a", "newer"],
  ["--resync-mode=path2 --a", "--a", "path2"],
  ["--resync --resync-mode path1", "", "path1"],
  ["--transfers=1 -P", "--transfers=1 -P", undefined],
  ["--resynchronise", "--resynchronise", undefined],
])("withoutResync %j", (given, words, mode) =>
  expect(withoutResync(split(given))).toEqual({ words: split(words), mode }),
);

test("resyncWords gives it back", () => {
  expect(resyncWords({ words: ["--a"], mode: undefined })).toEqual(["--a", "--resync"]);
  expect(resyncWords({ words: ["--a"], mode: "newer" })).toEqual([
    "--a",
    "--resync",
    "--resync-mode",
    "newer",
  ]);
});

test.each([
  ["--bwlimit 1M --exclude x", "--bwlimit 1M --exclude x"],
  ["--check-access --check-filename M --a", "--a"],
  ["--workdir /w --a", "--a"],
  ["--workdir=/w --a", "--a"],
  ["--resilient --recover --max-lock 2m --force=true -v", "-v"],
  ["--filters-file /f --conflict-resolve newer", "--filter-from /f"],
  ["--filters-file=/f", "--filter-from /f"],
  ["--create-empty-src-dirs", "--create-empty-src-dirs"],
])("withoutBisync %j", (given, words) => expect(withoutBisync(split(given))).toEqual(split(words)));

test("transferArgs: the operator's words come last, and the last statistics are always asked for", () => {
  const begin = ["sync", "/a b", "r:c", "--use-json-log", "--stats"];
  const end = ["--stats-log-level", "ERROR", "--x"];
  expect(transferArgs("sync", "/a b", "r:c", ["--x"], { interval: 60 })).toEqual([...begin, "60s", ...end]);
  expect(transferArgs("sync", "/a b", "r:c", ["--x"], { interval: 0 })).toEqual([
    ...begin,
    "31536000s",
    ...end,
  ]);
});

test("listArgs leaves out what lsf does not know", () => {
  const words = split("--check-access --create-empty-src-dirs --filters-file /f --sftp-port 22");
  expect(listArgs("r:a", words)).toEqual(
    split("lsf --recursive --files-only --use-json-log r:a --filter-from /f --sftp-port 22"),
  );
});

test.each<[string, string | undefined]>([
  ["--a", undefined],
  ["--name x", "x"],
  ["--name=x=y", "x=y"],
  ["--name x --name y", "y"],
  ["--name=", ""],
])("valueOfFlag %j", (given, value) => expect(valueOfFlag(split(given), "name")).toBe(value));

test.each<[string, boolean]>([
  ["", false],
  ["--name", true],
  ["--name=true", true],
  ["--name=false", false],
  ["--name --name=0", false],
  ["--named", false],
])("isOn %j", (given, on) => expect(isOn(split(given), "name")).toBe(on));
