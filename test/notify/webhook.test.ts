import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { httpUrl, shownUrl } from "../../lib/notify/http.ts";
import { needing } from "../support/needing.ts";
import { type Answer, Receiver, type ReceiverOptions, status } from "../support/receiver.ts";
import { type Result, World, waitFor } from "../support/world.ts";

// As long as `make test` gives every test: a busy machine needs more than five seconds here.
setDefaultTimeout(60_000);

const TOKEN = "Bearer tok-en0123456789";
const PATH = "/services/T0000000/B0000000/xyz";

/** What the two secrets of a webhook may turn up as. */
const SECRETS = [TOKEN, TOKEN.slice(7), PATH, "T0000000", "/xyz"];

interface Told {
  readonly result: Result;
  readonly world: World;
  readonly receiver: Receiver;
  readonly seconds: number;
}

/** One real run of the binary with a webhook that answers so. */
async function told(
  answer: Answer,
  env: Record<string, string> = {},
  options: ReceiverOptions = {},
): Promise<Told> {
  const world = new World();
  world.restic();
  world.hook("post-backup", 'echo "told $1 $RBH_STATUS"');
  const receiver = await Receiver.start(answer, options);
  const scheme = options.tls === undefined ? "http" : "https";
  const begun = performance.now();
  const result = await world.run("backup", [], {
    env: {
      WEBHOOK_URL: `${scheme}://${options.host ?? "127.0.0.1"}:${receiver.port}${PATH}`,
      WEBHOOK_HEADER_AUTH: TOKEN,
      WEBHOOK_TIMEOUT: "1",
      METRICS_DIR: world.folder("metrics"),
      ...env,
    },
  });
  return { result, world, receiver, seconds: (performance.now() - begun) / 1000 };
}

function done({ world, receiver }: Told): void {
  receiver[Symbol.dispose]();
  world[Symbol.dispose]();
}

/** Every file that the run has left, and both of its streams. */
function everything({ result, world }: Told): string {
  const texts = [result.stdout, result.stderr];
  for (const name of readdirSync(world.dir, { recursive: true }) as string[]) {
    const path = join(world.dir, name);
    if (!name.startsWith("bin") && statSync(path).isFile()) texts.push(readFileSync(path, "latin1"));
  }
  return texts.join("\n");
}

const flood = (socket: {
  write(text: string): boolean;
  destroyed: boolean;
  once(on: "drain", f: () => void): void;
}) => {
  const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
  while (!socket.destroyed && socket.write(chunk));
  socket.once("drain", () => flood(socket));
};

const CASES: readonly [name: string, answer: Answer, requests: number, line: string, atMost: number][] = [
  ["200", status(200), 1, "INFO  backup  webhook delivered to HOST (200)", 3],
  ["204", status(204), 1, "INFO  backup  webhook delivered to HOST (204)", 3],
  [
    "401",
    status(401),
    1,
    "WARN  backup  The webhook to HOST was not delivered: it answered 401 (its authorization is wrong or missing).",
    3,
  ],
  ["429", status(429), 3, "was not delivered in 3 attempts: it answered 429.", 8],
  ["500", status(500), 3, "was not delivered in 3 attempts: it answered 500.", 8],
  [
    "500 twice, then 200",
    (socket, request, n) => status(n < 2 ? 500 : 200)(socket, request, n),
    3,
    "INFO  backup  webhook delivered to HOST (200)",
    8,
  ],
  ["nothing at all", () => {}, 3, "was not delivered in 3 attempts: no answer came within 1s.", 10],
  [
    "a reset in the middle of the headers",
    (socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Le", () => socket.resetAndDestroy());
    },
    3,
    "was not delivered in 3 attempts: the connection was closed before an answer came.",
    8,
  ],
  [
    "a reset in the middle of the body",
    (socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\nabc");
      setTimeout(() => socket.resetAndDestroy(), 50);
    },
    1,
    "INFO  backup  webhook delivered to HOST (200)",
    3,
  ],
  [
    "an endless body",
    (socket) => {
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      flood(socket);
    },
    1,
    "INFO  backup  webhook delivered to HOST (200)",
    3,
  ],
  [
    "a body that drips",
    (socket) => {
      socket.write("HTTP/1.1 202 OK\r\nContent-Length: 999\r\n\r\n");
      const timer = setInterval(() => socket.write("."), 20);
      socket.on("close", () => clearInterval(timer));
    },
    1,
    "INFO  backup  webhook delivered to HOST (202)",
    3,
  ],
  ["no HTTP", (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"), 3, "its answer was not HTTP.", 8],
  [
    "a redirect to itself",
    (socket, request, n) => status(302, { location: request.path })(socket, request, n),
    6,
    "was not delivered: it redirects more than 5 times.",
    3,
  ],
  [
    "a redirect to a file",
    status(301, { location: "file:///etc/passwd" }),
    1,
    "was not delivered: it redirects (301) to something that is not an http(s) URL.",
    3,
  ],
];

describe("a webhook that answers", () => {
  test.concurrent.each(CASES)("%s", async (_, answer, requests, line, atMost) => {
    const run = await told(answer);
    const { result, receiver, world, seconds } = run;
    expect({ code: result.code, stderr: result.stderr }).toEqual({ code: 0, stderr: "" });
    expect(result.stdout).toContain(line.replace("HOST", `http://127.0.0.1:${receiver.port}`));
    // The post-hooks had had their turn before.
    expect(result.stdout).toContain("told 0 ok");
    expect(result.stdout.indexOf("told 0 ok")).toBeLessThan(result.stdout.indexOf("webhook"));
    expect(receiver.lines).toEqual(Array(requests).fill(`POST ${PATH}`));
    expect(seconds).toBeLessThan(atMost);
    for (const secret of SECRETS) expect(everything(run)).not.toContain(secret);
    expect(world.record()).toMatchObject({ status: "ok", exit_code: 0 });
    done(run);
  });

  test("a webhook where nobody listens", async () => {
    const port = await Receiver.start(status(200)).then((receiver) => {
      receiver[Symbol.dispose]();
      return receiver.port;
    });
    const run = await told(status(200), { WEBHOOK_URL: `http://127.0.0.1:${port}${PATH}` });
    expect(run.result.code).toBe(0);
    expect(run.result.stdout).toContain(
      `The webhook to http://127.0.0.1:${port} was not delivered in 3 attempts: the connection was refused.`,
    );
    expect(run.receiver.requests).toEqual([]);
    for (const secret of SECRETS) expect(everything(run)).not.toContain(secret);
    done(run);
  });

  test("what it gets is the record with what the post-hooks came to", async () => {
    const run = await told(status(200));
    const [request] = run.receiver.requests;
    expect(request?.headers).toMatchObject({ "content-type": "application/json", authorization: TOKEN });
    expect(JSON.parse(request?.body ?? "")).toEqual(run.world.record());
    expect(run.world.record().hooks).toEqual([expect.objectContaining({ exit_code: 0 })]);
    done(run);
  });

  test.each([301, 302, 303, 307, 308])(
    "%p to another host, or port: it gets nothing, a WARN names it",
    async (code) => {
      for (const host of ["127.0.0.2", "127.0.0.1"]) {
        using other = await Receiver.start(status(200), { host });
        const there = `http://${host}:${other.port}`;
        const run = await told(status(code, { location: `${there}/elsewhere?token=${TOKEN}` }));
        expect(run.result.code).toBe(0);
        expect(run.result.stdout).toMatch(/ WARN {2}backup {2}The webhook /);
        expect(run.result.stdout).toContain(
          `was not delivered: it redirects (${code}) to another host, ${there}, which gets nothing. ` +
            "If that host is to get it, set the URL to it.",
        );
        expect({ here: run.receiver.lines, there: other.lines }).toEqual({
          here: [`POST ${PATH}`],
          there: [],
        });
        for (const secret of SECRETS) expect(everything(run)).not.toContain(secret);
        done(run);
      }
    },
  );

  test.each([301, 302, 307, 308])("%p on the same host: the record goes there by POST", async (code) => {
    const run = await told((socket, request, n) =>
      (request.path === "/new" ? status(200) : status(code, { location: "/new" }))(socket, request, n),
    );
    expect(run.receiver.lines).toEqual([`POST ${PATH}`, "POST /new"]);
    expect(run.receiver.requests[1]?.body).toBe(run.receiver.requests[0]?.body ?? "");
    done(run);
  });

  test("a redirect on the same host keeps the authorization; 303 asks with GET and without the record", async () => {
    const run = await told((socket, request, n) =>
      (request.method === "GET" ? status(200) : status(303, { location: "/see" }))(socket, request, n),
    );
    expect(run.receiver.lines).toEqual([`POST ${PATH}`, "GET /see"]);
    expect(run.receiver.requests[1]).toMatchObject({ body: "", headers: { authorization: TOKEN } });
    done(run);
  });
});

needing("openssl").describe("TLS", () => {
  let tls: { key: string; cert: string };
  const home = new World();
  beforeAll(async () => {
    const { code } = await home.exec(
      ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "key.pem"].concat(
        [
          "-out",
          "cert.pem",
          "-subj",
          "/CN=localhost",
          "-addext",
          "subjectAltName=IP:127.0.0.1,DNS:localhost",
        ],
      ),
    );
    expect(code).toBe(0);
    tls = { key: home.read("key.pem"), cert: home.read("cert.pem") };
  });
  afterAll(() => home[Symbol.dispose]());

  test("a certificate that nobody vouches for: nothing is sent, once, with the remedy", async () => {
    const run = await told(status(200), {}, { tls });
    expect(run.result.code).toBe(0);
    expect(run.result.stdout).toMatch(
      /The webhook to https:\/\/127\.0\.0\.1:\d+ was not delivered: its TLS certificate is not trusted \([A-Z_]+\)\. Name the CA's file in NODE_EXTRA_CA_CERTS/,
    );
    expect(run.receiver.requests).toEqual([]);
    for (const secret of SECRETS) expect(everything(run)).not.toContain(secret);
    done(run);
  });

  test("with its certificate in NODE_EXTRA_CA_CERTS it is delivered", async () => {
    const run = await told(status(200), { NODE_EXTRA_CA_CERTS: join(home.dir, "cert.pem") }, { tls });
    expect(run.result.stdout).toContain(`webhook delivered to https://127.0.0.1:${run.receiver.port} (200)`);
    expect(run.receiver.requests[0]?.headers.authorization).toBe(TOKEN);
    done(run);
  });

  test("https never falls back to http", async () => {
    using plain = await Receiver.start(status(200));
    const run = await told(
      status(301, { location: `http://127.0.0.1:${plain.port}/` }),
      { NODE_EXTRA_CA_CERTS: join(home.dir, "cert.pem") },
      { tls },
    );
    expect(run.result.stdout).toContain("was not delivered: it redirects (301) from https to http");
    expect(plain.requests).toEqual([]);
    done(run);
  });
});

describe("settings", () => {
  test.each([
    ["ON", "exit 0", 0],
    ["ON", "exit 1", 1],
    ["OFF", "exit 0", 1],
    ["OFF", "exit 1", 1],
    ["maybe", "exit 0", 1],
  ])("WEBHOOK_ON_ERROR=%p with a restic that does %p: %p requests", async (onError, restic, requests) => {
    using world = new World();
    world.restic(restic);
    using receiver = await Receiver.start(status(200));
    const { code, stdout } = await world.run("backup", [], {
      env: { WEBHOOK_URL: `http://127.0.0.1:${receiver.port}/`, WEBHOOK_ON_ERROR: onError },
    });
    expect({ code, sent: receiver.requests.length }).toEqual({
      code: Number(restic.slice(5)),
      sent: requests,
    });
    expect(stdout.includes("WEBHOOK_ON_ERROR=maybe is neither ON nor OFF; OFF is used.")).toBe(
      onError === "maybe",
    );
  });

  test.each([
    [{ WEBHOOK_URL: "ftp://host.example/path-of-it" }, "WEBHOOK_URL is not an http:// or https:// URL."],
    [{ WEBHOOK_URL: "not a url at all" }, "WEBHOOK_URL is not an http:// or https:// URL."],
    [{ WEBHOOK_URL: "javascript:alert(1)//" }, "WEBHOOK_URL is not an http:// or https:// URL."],
    [
      { WEBHOOK_URL: "http://127.0.0.1:9/", WEBHOOK_HEADER_AUTH: "Bearer a\nX-Evil: injected" },
      "WEBHOOK_HEADER_AUTH holds a line break",
    ],
    [
      { WEBHOOK_URL_FILE: "/nowhere/secret" },
      "WEBHOOK_URL_FILE=/nowhere/secret cannot be read: no such file",
    ],
  ])("%j is said, and changes nothing", async (env, words) => {
    using world = new World();
    world.restic();
    const { code, stdout, stderr } = await world.run("backup", [], { env });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`WARN  backup  There is no webhook of this run: ${words}`);
    expect(stdout).not.toContain("path-of-it");
    expect(stdout).not.toContain("injected");
  });

  test("URL and authorization from files; what they hold is masked in a hook's words", async () => {
    using world = new World();
    world.restic();
    using receiver = await Receiver.start(status(200));
    const url = `http://127.0.0.1:${receiver.port}${PATH}?key=abcdefghijklmnop`;
    world.hook("post-backup", `cat ${world.file("url", `${url}\n`)} ${world.file("auth", `${TOKEN}\n`)}`);
    const { stdout } = await world.run("backup", [], {
      env: { WEBHOOK_URL_FILE: join(world.dir, "url"), WEBHOOK_HEADER_AUTH_FILE: join(world.dir, "auth") },
    });
    expect(receiver.requests[0]).toMatchObject({
      path: `${PATH}?key=abcdefghijklmnop`,
      headers: { authorization: TOKEN },
    });
    expect(stdout).toContain(`post-backup | http://127.0.0.1:${receiver.port}/***\n`);
    expect(stdout).toContain("post-backup | ***\n");
    for (const secret of SECRETS) expect(stdout).not.toContain(secret);
  });

  test("a variable and its file: exit 2, both named, nothing done, and the others are told", async () => {
    using world = new World();
    world.restic(`echo "restic was called"`);
    using receiver = await Receiver.start(status(200));
    const { code, stdout } = await world.run("backup", [], {
      env: {
        WEBHOOK_URL: `http://127.0.0.1:${receiver.port}/`,
        MAILX_RCPT: "a@example.invalid",
        MAILX_RCPT_FILE: "/nowhere",
      },
    });
    expect(code).toBe(2);
    expect(stdout).toContain("ERROR backup  MAILX_RCPT and MAILX_RCPT_FILE are both set");
    expect(stdout).toContain("There is no mail of this run: MAILX_RCPT and MAILX_RCPT_FILE are both set");
    expect(stdout).not.toContain("restic was called");
    expect(JSON.parse(receiver.requests[0]?.body ?? "")).toMatchObject({ exit_code: 2, status: "failed" });
  });

  test("user and password in the URL become its authorization, and are not shown", async () => {
    using world = new World();
    world.restic();
    using receiver = await Receiver.start(status(200));
    const { stdout } = await world.run("backup", [], {
      env: { WEBHOOK_URL: `http://robot:pass%20word@127.0.0.1:${receiver.port}/x` },
    });
    expect(receiver.requests[0]?.headers.authorization).toBe(`Basic ${btoa("robot:pass word")}`);
    expect(stdout).toContain(`webhook delivered to http://127.0.0.1:${receiver.port} (200)`);
    expect(stdout).not.toContain("robot");
  });

  test("what is shown of a URL", () => {
    expect(shownUrl(httpUrl("X", " https://u:p@Hooks.Example:8443/a/b?c#d\n"))).toBe(
      "https://hooks.example:8443",
    );
    expect(() => httpUrl("X", "http://")).toThrow(
      "X is not an http:// or https:// URL. Correct it, or unset it.",
    );
  });
});

test.each([
  ["the webhook", (port: number) => ({ WEBHOOK_URL: `http://127.0.0.1:${port}/w`, WEBHOOK_TIMEOUT: "600" })],
  ["the ping", (port: number) => ({ HEALTHCHECKS_URL: `http://127.0.0.1:${port}/w` })],
])("a stop ends %s at once, and the post-hook has run", async (_, env) => {
  using world = new World();
  world.restic();
  world.hook("post-backup", 'echo "post-hook $1"');
  using receiver = await Receiver.start((socket, request, n) => {
    if (request.path.includes("/start?")) status(200)(socket, request, n);
  });
  const child = world.start("backup", [], { env: { STOP_TIMEOUT: "20", ...env(receiver.port) } });
  await waitFor(() => receiver.requests.some(({ path }) => !path.includes("/start?")), "the request");
  const begun = performance.now();
  child.kill("SIGTERM");
  const [stdout, code] = [await new Response(child.stdout).text(), await child.exited];
  expect(code).toBe(143);
  expect(performance.now() - begun).toBeLessThan(5000);
  expect(stdout).toContain("was not delivered: it was given up, because the run is stopping.");
  expect(stdout).toContain("post-hook 0");
  expect(world.record()).toMatchObject({ status: "interrupted", exit_code: 143, work_exit_code: 0 });
});
