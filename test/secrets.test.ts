/** No secret of any kind reaches a file or a stream, whoever prints it and however it comes. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { needing } from "./support/needing.ts";
import { World } from "./support/world.ts";

/** Takes what a run sends to its webhook, so that it can be searched too. */
const received: string[] = [];
let server: Bun.Server<undefined>;
beforeAll(() => {
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      received.push(await request.text());
      return new Response();
    },
  });
});
afterAll(() => server.stop(true));

const PEM = `-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n-----END PRIVATE KEY-----`;

const secretsOf = (port: number) => ({
  RESTIC_PASSWORD: "p$&w.*d(x[y\\1^$`'{2}|",
  RESTIC_PASSWORD_COMMAND: "printf %s hunter2-hunter2",
  WEBHOOK_URL: `http://127.0.0.1:${port}/services/T0000/B0000/XXXXXXXX`,
  WEBHOOK_HEADER_AUTH: "Bearer abc<def>&ghi",
  HEALTHCHECKS_URL: `http://127.0.0.1:${port}/0f1e2d3c-4b5a-6978`,
  AWS_SECRET_ACCESS_KEY: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY=",
  B2_ACCOUNT_KEY: "K001 with blanks",
  X_TOKEN: 'quotes "and" back\\slash',
  MYSQL_PASSWORD: "ümläut-€-😀-word",
  TLS_KEY: PEM,
  FTP_PASS: "  blanks around  ",
  RESTIC_REPOSITORY: "rest:http://backup:p@ss/w:rd%25more@127.0.0.1:9/repo",
  DATABASE: "postgres://app:s3cr3t/with@sign@db.example/x",
});
const FILES = {
  RESTIC_PASSWORD_FILE: "the password of a file\n",
  MYSQL_ROOT_PASSWORD_FILE: "r00t-of-a-file",
};

/** Everything that must not be found: values, passwords of URLs, lines of keys, and what JSON and URLs make of them. */
function forbidden(secrets: Record<string, string>): string[] {
  const urls = [
    "p@ss/w:rd%25more",
    "p@ss/w:rd%more",
    "ss/w:rd%",
    "s3cr3t/with@sign",
    "/services/T0000/B0000/XXXXXXXX",
    "/0f1e2d3c-4b5a-6978",
  ];
  const values = [...Object.values(secrets), ...Object.values(FILES), ...urls, "abc<def>&ghi"].map((value) =>
    value.trim(),
  );
  const plain = values.flatMap((value) => [value, ...value.split("\n")]);
  const json = plain.map((value) => JSON.stringify(value).slice(1, -1));
  const go = json.map((value) =>
    value.replaceAll("<", "\\u003c").replaceAll(">", "\\u003e").replaceAll("&", "\\u0026"),
  );
  return [...new Set([...plain, ...json, ...go, ...plain.map(encodeURIComponent)])].filter(
    (value) => value.length >= 8,
  );
}

/** Prints every secret of its environment in every manner that a program may have. */
const PRINTER = `import json, os, sys, time, urllib.parse
names = sys.argv[1].split()
values = [os.environ[name] for name in names]
values += [open(os.environ[name]).read() for name in ("RESTIC_PASSWORD_FILE", "MYSQL_ROOT_PASSWORD_FILE")]
values += [urllib.parse.unquote(value) for value in values if "://" in value]
def out(data, fd=1):
    while data: data = data[os.write(fd, data):]
def go(item): return json.dumps(item, ensure_ascii=False).replace("<", "\\\\u003c").replace(">", "\\\\u003e").replace("&", "\\\\u0026")
for value in values:
    data = value.encode()
    out(b"plain " + data + b" twice " + data + b"\\n")
    out(b"stderr " + data + b"\\n", 2)
    out(b"json " + json.dumps({"value": value}, ensure_ascii=False).encode() + b"\\n")
    out(b"go " + go(value).encode() + b" url " + urllib.parse.quote(value, safe="").encode() + b"\\n")
    for item in ({"message_type": "error", "item": value, "error": {"message": value}, "during": "archival"},
                 {"message_type": "exit_error", "code": 1, "message": value}, {"message_type": "verbose_status", "action": value},
                 {"message_type": "unknown", "value": value}, {"value": value}):
        out(go(item).encode() + b"\\n")
    for size in (1, len(data) // 2):
        for at in range(0, len(data), max(1, size)):
            out(data[at:at + max(1, size)])
            if size > 1: time.sleep(0.02)
        out(b" was split\\n")
    for boundary in (8192, 16384, 65536):
        for before in (1, len(data) // 2, len(data) - 1):
            out(b"x" * (boundary - before) + data + b"y\\n")
for padding in (4093, 16000, 16384 - 7):
    for value in values: out(value.encode() + b"z" * padding)
for before in (3, 1030): out(b"\\n" + b"x" * ((1 << 20) - before) + values[0].encode() + b"y" * 9000)
`;

/** Every file below a folder, as text. */
function textsBelow(folder: string): [string, string][] {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((path) => lstatSync(path).isFile())
    .map((path) => [path, readFileSync(path, "utf8")]);
}

/** What was found where it must not be: \`place: value\`. */
function leaks(world: World, secrets: Record<string, string>, streams: Record<string, string>): string[] {
  const places = [
    ...Object.entries(streams),
    ...textsBelow(world.log),
    ...textsBelow(world.lock),
    ["webhook", received.join("\n")] as const,
  ];
  return places.flatMap(([place, text]) => {
    // What a child printed in one piece may stand on two lines of the log: it must not be told from both either.
    const joined = text.replace(/\n[-0-9]{10} [0-9:]{8} INFO {2}backup {2}[a-z-]+ \| /g, "");
    return forbidden(secrets)
      .filter((value) => text.includes(value) || joined.includes(value.replaceAll("\n", "")))
      .map((value) => `${place}: ${value}`);
  });
}

needing("python3").describe("every secret, in one write and in many, across all boundaries", () => {
  test.each([
    ["a hook", 0],
    // It names files that it could not read, which counts, whatever it ends with.
    ["restic", 3],
    ["a failing restic", 1],
  ] as const)("printed by %s", async (who, exitCode) => {
    using it = new World();
    const secrets = secretsOf(server.port ?? 0);
    const files = Object.fromEntries(
      Object.entries(FILES).map(([name, text]) => [name, it.file(name, text)]),
    );
    const print = `python3 ${it.file("printer.py", PRINTER)} '${Object.keys(secrets).join(" ")}'`;
    it.restic(who === "a hook" ? "exit 0" : `${print}; exit ${exitCode === 3 ? 0 : exitCode}`);
    if (who === "a hook")
      it.hook("pre-backup", `env; set -x; : "$X_TOKEN" "$RESTIC_PASSWORD"; set +x\n${print}`);
    it.hook("post-backup", 'env | grep RBH_; cat "$RBH_RECORD" "$RBH_LOG"');
    const env = {
      ...secrets,
      ...files,
      HOOK_LOG_MAX_BYTES: "100000000",
      RESTIC_JOB_ARGS: `--option x='${secrets.B2_ACCOUNT_KEY}'`,
    };
    const { code, stdout, stderr } = await it.run("backup", [], { env });
    expect({ code, leaks: leaks(it, secrets, { stdout, stderr }) }).toEqual({
      code: exitCode,
      leaks: [],
    });
    // It was all printed, and is hidden rather than lost.
    const words = / \\| (plain|stderr) .*\\*\\*\\*/g;
    expect(stdout.match(words)?.length).toBeGreaterThan(2 * Object.keys(secrets).length);
    expect(stdout).toContain("*** was split\n");
    expect(stdout).toContain("RBH_REPOSITORY=rest:http://backup:***@127.0.0.1:9/repo\n");
  });
});

test("a short value is not hidden everywhere", async () => {
  using it = new World();
  it.restic();
  it.hook("pre-backup", 'echo "the password of restic is restic"');
  const { stdout } = await it.run("backup", [], { env: { RESTIC_PASSWORD: "restic" } });
  expect(stdout).toContain("pre-backup | the password of restic is restic\n");
});

test.each(["snapshot_id", "message_type", "files_new", "summary", '"summary"'])(
  "a password that is a word of restic's JSON: %s",
  async (password) => {
    using it = new World();
    it.restic(
      `echo '{"message_type":"summary","files_new":7,"snapshot_id":"0123456789abcdef"}'; echo "it is ${password.replaceAll('"', '\\"')}."`,
    );
    const { code, stdout } = await it.run("backup", [], { env: { RESTIC_PASSWORD: password } });
    expect(code).toBe(0);
    expect(it.record()).toMatchObject({ files_new: 7, snapshot_id: "01234567" });
    expect(stdout).toContain(password.length < 8 ? `restic | it is ${password}.` : "restic | it is ***.");
  },
);

test.each(["backup", "locked_run", "hook-test"])(
  "typed by mistake on the command line of %s",
  async (name) => {
    using it = new World();
    const { code, stdout, stderr } = await it.run(name, [`${it.env.RESTIC_PASSWORD}`, "x y"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("***");
    expect(stderr).not.toContain(`${it.env.RESTIC_PASSWORD}`);
  },
);
