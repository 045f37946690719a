import { describe, expect, test } from "bun:test";
import { parseProbe } from "../../lib/restic/open.ts";

const answer = (code: number, stderr: string, cause?: "timed out") =>
  ({ code, signal: undefined, cause, stdout: "", stderr }) as const;
const place = "\nIs there a repository at the following location?\n/x\n";

// The words are those of restic 0.14.0, 0.18.0 and 0.19.1.
describe("what restic's end says", () => {
  test.each<[string, number, string, string, number]>([
    ["ok", 0, "", "ok", 0],
    [
      "missing, 0.14, local",
      1,
      `Fatal: unable to open config file: stat /x/config: no such file or directory${place}`,
      "missing",
      10,
    ],
    [
      "missing, 0.14, REST",
      1,
      `Fatal: unable to open config file: <config/> does not exist${place}`,
      "missing",
      10,
    ],
    [
      "missing, since 0.17",
      10,
      `Fatal: repository does not exist: unable to open config file${place}`,
      "missing",
      10,
    ],
    ["wrong password, 0.14", 1, "Fatal: wrong password or no key found\n", "wrong_password", 12],
    ["wrong password, since 0.17", 12, "Fatal: wrong password or no key found\n", "wrong_password", 12],
    [
      "locked, 0.14",
      1,
      "unable to create lock in backend: repository is already locked by PID 1 on h\n",
      "locked",
      11,
    ],
    ["locked, since 0.17", 11, "Fatal: unable to create lock in backend\n", "locked", 11],
    [
      "a dead network is no missing repository, 0.14",
      1,
      `Fatal: unable to open config file: client.Head: Head "http://h/x/config": dial tcp 127.0.0.1:9: connect: connection refused${place}`,
      "unreachable",
      1,
    ],
    [
      "ended while it tried again",
      1,
      `Fatal: unable to open config file: context canceled${place}`,
      "unreachable",
      1,
    ],
    [
      "sftp",
      1,
      "subprocess ssh: Connection refused\nFatal: unable to open repository at sftp:h:/x: EOF\n",
      "unreachable",
      1,
    ],
    ["no words", 1, "", "unreachable", 1],
  ])("%s", (_, code, stderr, status, exit) => {
    expect(parseProbe(answer(code, stderr), { shown: "/x" }, 30_000)).toMatchObject({ status, code: exit });
  });

  test("the message has restic's own last word, or the remedy that we know", () => {
    expect(
      parseProbe(answer(1, "noise\nFatal: no credentials\nmore\n"), { shown: "s3:h/b" }, 30_000).message,
    ).toBe("s3:h/b cannot be opened (exit 1). restic said: Fatal: no credentials");
    expect(parseProbe(answer(1, ""), { shown: "s3:h/b" }, 30_000).message).toEndWith(
      "restic gave no reason.",
    );
    expect(parseProbe(answer(12, "Fatal: wrong password"), { shown: "/x" }, 30_000).message).toContain(
      "Correct RESTIC_PASSWORD",
    );
  });

  test("no answer in time is said, with no exit code that would mean something else", () => {
    expect(
      parseProbe(
        answer(
          130,
          "Stat() returned error, retrying after 5s\nFatal: unable to open config file: context canceled\n",
          "timed out",
        ),
        { shown: "rest:http://h/" },
        30_000,
      ),
    ).toEqual({
      status: "unreachable",
      code: null,
      message:
        "rest:http://h/ did not answer within 30 s; restic was killed. restic said: Stat() returned error, retrying after 5s",
    });
  });
});
