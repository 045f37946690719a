import { describe, expect, test } from "bun:test";
import {
  codeOfWords,
  explain,
  isTrace,
  lockOwner,
  normalizeExit,
  parseTrouble,
  saysSignal,
  worse,
} from "../../lib/restic/messages.ts";

/** What restic 0.14, 0.18 and 0.19 print (seen), and what it stands for. */
const WORDS: readonly (readonly [string, number | undefined])[] = [
  ["Fatal: unable to open config file: Stat: stat /r/config: no such file or directory", 10],
  // Said of a dead network too: alone it means nothing.
  ["Is there a repository at the following location?", undefined],
  ["Fatal: repository does not exist: unable to open config file: stat /r/config: no such file", 10],
  ["Fatal: wrong password or no key found", 12],
  ["Fatal: unable to create lock in backend: repository is already locked exclusively by PID 5 on h", 11],
  ["unable to create lock in backend: repository is already locked by PID 5", 11],
  // Said of every lock that could not be written.
  ["Fatal: unable to create lock in backend: write /r/locks/1: no space left on device", undefined],
  ["unable to create lock in backend", undefined],
  [
    '{"message_type":"exit_error","code":1,"message":"unable to create lock in backend: repository is already locked"}',
    11,
  ],
  // A name in somebody's sources.
  ["error: /data/repository is already locked: permission denied", undefined],
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

test.each<[string, string | undefined]>([
  [`write full/locks/${"77".repeat(32)}-tmp-35: no space left on device`, "full"],
  ["Fatal: unable to create lock in backend: 507 Insufficient Storage", "full"],
  ["Save(<lock/77c3976e01>) failed: open /r/locks/77: read-only file system", "unwritable"],
  [
    "Save(<lock/77>) returned error, retrying after 1s: unexpected HTTP response (403): 403 Forbidden",
    "unwritable",
  ],
  [
    'Stat(<config/>) returned error, retrying after 1s: Head "http://h/config": dial tcp 127.0.0.1:1: connect: connection refused',
    "unreachable",
  ],
  ["subprocess ssh: ssh: connect to host h port 22: Connection refused", "unreachable"],
  ["Fatal: unable to open config file: Head: dial tcp: lookup h on 10.0.0.1:53: no such host", "unreachable"],
  // Of the sources, not of the repository.
  [
    '{"message_type":"error","error":{"message":"open /data/x: permission denied"},"item":"/data/x"}',
    undefined,
  ],
  ["error: read /data/x: input/output error", undefined],
  ["Fatal: unable to create lock in backend: repository is already locked by PID 35 on h by root", undefined],
])("%s", (line, kind) => expect(parseTrouble(line)?.kind).toBe(kind as never));

test("who has the lock", () => {
  const words = "repository is already locked exclusively by PID 35 on larak by root (UID 0, GID 0)";
  expect(lockOwner(`Fatal: unable to create lock in backend: ${words}`)).toEqual({
    pid: 35,
    hostname: "larak",
  });
  expect(lockOwner("unable to create lock in backend")).toBeUndefined();
  expect(explain(11, "/r", { holder: "our own prune (pid 7)" })).toStartWith(
    "The repository /r is locked by our own prune (pid 7). Wait for it to finish",
  );
});

test.each<[string, RegExp]>([
  ["subprocess ssh: Host key verification failed.", /known_hosts/],
  ["subprocess ssh: ssh: Could not resolve hostname nas: Name or service not known", /DNS/],
  [
    `rclone: CRITICAL: Failed to create file system for "x:": didn't find section in config file ("x")`,
    /RCLONE_CONFIG/,
  ],
  ["Fatal: x509: certificate signed by unknown authority", /RESTIC_CACERT/],
  ["Fatal: x509: certificate has expired or is not yet valid", /clock/],
  ["Fatal: unexpected HTTP response (401): 401 Unauthorized", /credentials/],
  ["Fatal: unexpected HTTP response (403): 403 Forbidden", /credentials/],
  ["Fatal: dial tcp 127.0.0.1:9: connect: connection refused", /nothing listens/],
  ["Fatal: unable to open cache: mkdir /c: permission denied", /RESTIC_CACHE_DIR/],
  ["Fatal: open /r/config: permission denied", /right to/],
  ["Fatal: write /r/data/1: no space left on device", /Make room/],
])("the remedy of %s, also where restic's last word is another", (line, remedy) => {
  const last = parseTrouble(
    "Fatal: unable to open repository: unable to start the sftp session, error: unexpected EOF",
  );
  for (const trouble of [worse(parseTrouble(line), undefined), worse(parseTrouble(line), last)]) {
    // A permission alone is less exact than what the network says.
    if (trouble === last && line.includes("/r/config")) continue;
    expect(trouble?.said).toBe(line);
    expect(explain(1, "/r", { trouble })).toMatch(remedy);
  }
});

test("our own signal is no cause, and a stack trace is recognized", () => {
  expect(saysSignal("signal interrupt received, cleaning up")).toBe(true);
  expect(saysSignal("Fatal: unable to open config file: context canceled")).toBe(true);
  expect(saysSignal("Fatal: wrong password or no key found")).toBe(false);
  expect(isTrace("\t/restic/internal/errors/errors.go:37")).toBe(true);
  expect(isTrace("main.main")).toBe(true);
  expect(isTrace("error: /data/main.go: permission denied")).toBe(false);
});

test("the remedy names the variable that gives the password", () => {
  const text = explain(12, "/r", { passwordFrom: "RESTIC_PASSWORD_COMMAND" });
  expect(text).toContain("RESTIC_PASSWORD_COMMAND");
  expect(text).not.toContain("_FILE");
});
