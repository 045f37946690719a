import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMask, isSecret, maskRepository, maskUrls, maskWebhook } from "../lib/mask.ts";

const dir = mkdtempSync(join(tmpdir(), "rbh-mask-"));
afterAll(() => rmSync(dir, { recursive: true }));
const file = (name: string, content: string) => {
  writeFileSync(join(dir, name), content);
  return join(dir, name);
};

describe("isSecret", () => {
  test.each([
    "RESTIC_PASSWORD",
    "RESTIC_PASSWORD_COMMAND",
    "WEBHOOK_URL",
    "WEBHOOK_HEADER_AUTH",
    "HEALTHCHECKS_URL",
    "HEALTHCHECKS_URL_CHECK",
    "AWS_SECRET_ACCESS_KEY",
    "B2_ACCOUNT_KEY",
    "X_TOKEN",
    "MYSQL_PASSWORD",
    "MYSQL_PWD",
    "PGPASSWORD",
    "RCLONE_FTP_PASS",
    "AZURE_ACCOUNT_SAS",
    "GPG_PASSPHRASE",
    "OS_APPLICATION_CREDENTIAL_SECRET",
    "my_password",
    "SLACK_WEBHOOK_URL",
    "WEBHOOK_URLS",
    "GOTIFY_URL",
    "APPRISE_URLS",
    "SENTRY_DSN",
    "SESSION_COOKIE",
    "REGISTRY_AUTH",
    "VAULT_OTP",
    "TLS_KEY_PEM",
    "SIGNING_KEY_BASE64",
    "RCLONE_CONFIG_X_ACCESS_GRANT",
    "RCLONE_CONFIG_X_SAS_URL",
    "AZURE_STORAGE_CONNECTION_STRING",
    "RCLONE_DRIVE_SERVICE_ACCOUNT_CREDENTIALS",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "RCLONE_HEADER",
    "TOKEN",
    "APIKEY",
    "GITHUBTOKEN",
    "API_TOKEN_2",
    "API_KEYS",
    "PASS",
    "SSHPASS",
    "ROOT_PASSWD",
    "token",
  ])("%s is one", (name) => expect(isSecret(name)).toBe(true));

  test.each([
    "RESTIC_REPOSITORY",
    "RESTIC_PASSWORD_FILE",
    "PASSWORD_STORE_DIR",
    "AWS_ACCESS_KEY_ID",
    "B2_ACCOUNT_ID",
    "PWD",
    "OLDPWD",
    "MONKEY",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "OS_AUTH_URL",
    "SSH_AUTH_SOCK",
    "PGPASSFILE",
    "COMPASS",
    "KEYBOARD",
    "WEBHOOK_ON_ERROR",
    "WEBHOOK_TIMEOUT",
    "HEALTHCHECKS_LOG",
    "PATH",
    "HOSTNAME",
    "toString",
  ])("%s is none", (name) => expect(isSecret(name)).toBe(false));
});

test.each<[string, string]>([
  ["/mnt/restic", "/mnt/restic"],
  ["s3:https://key:secret@host/bucket", "s3:https://key:***@host/bucket"],
  ["rest:https://user:p@ss/w:rd%41@host:8000/", "rest:https://user:***@host:8000/"],
  ["rest:http://:only@host/", "rest:http://:***@host/"],
  ["rest:https://host:8000/user/", "rest:https://host:8000/user/"],
  ["sftp:user@host:/srv/repo", "sftp:user@host:/srv/repo"],
  [
    "rclone::s3,access_key_id=A,secret_access_key=s:b/x",
    "rclone::s3,access_key_id=***,secret_access_key=***:b/x",
  ],
  ["rclone:nas:backups", "rclone:nas:backups"],
  ["rest:https://0123456789abcdef0123@host/", "rest:https://***@host/"],
  ["rest:https://user@host/?token=abc&x=1", "rest:https://user@host/?token=***&x=1"],
  ["rest:user:secret@host/x", "rest:user:***@host/x"],
  ["sftp://user@host:2222//srv/repo", "sftp://user@host:2222//srv/repo"],
])("maskRepository %s", (repository, masked) => expect(maskRepository(repository)).toBe(masked));

test.each<[string, string]>([
  ["https://hooks.example/services/T0/B0/XXX", "https://hooks.example/***"],
  ["https://user:pw@hooks.example:8443?token=x", "https://hooks.example:8443/***"],
  ["tgram://123456:ABC-DEF/-100", "tgram://***"],
  ["https://a.example/x\ngotify://b.example/y", "https://a.example/***\ngotify://***"],
  ["not a url", "***"],
])("maskWebhook %s", (url, masked) => expect(maskWebhook(url)).toBe(masked));

test.each<[string, string]>([
  ["see https://a:b@c/d and ftp://e:f@g", "see https://a:***@c/d and ftp://e:***@g"],
  ["https://a:p@ss@host/x@y", "https://a:***@host/x@y"],
  ["https://host:8000/a@b", "https://host:8000/a@b"],
  ["a:b@c", "a:b@c"],
])("maskUrls %s", (text, masked) => expect(maskUrls(text)).toBe(masked));

describe("createMask", () => {
  test.each<[string, Record<string, string>, string, string]>([
    ["a value", { RESTIC_PASSWORD: "correct horse" }, "say correct horse, correct horse", "say ***, ***"],
    ["a short value is not", { RESTIC_PASSWORD: "restic" }, "restic failed", "restic failed"],
    ["signs of a regular expression", { A_TOKEN: "a.*b(c[d$&\\1" }, "x a.*b(c[d$&\\1 y", "x *** y"],
    ["the longer of two", { A_KEY: "abcdefgh", B_KEY: "abcdefghijk" }, "abcdefghijk abcdefgh", "*** ***"],
    ["blanks around it", { A_KEY: " abcdefgh\n" }, "[abcdefgh]", "[***]"],
    ["in JSON", { A_KEY: 'ab"cd\\efgh' }, '{"k":"ab\\"cd\\\\efgh"}', '{"k":"***"}'],
    ["in Go's JSON", { A_KEY: "a<b>c&defg" }, '"a\\u003cb\\u003ec\\u0026defg"', '"***"'],
    ["in a URL", { A_KEY: "abc/def+ghi=" }, "?k=abc%2Fdef%2Bghi%3D", "?k=***"],
    ["in a shell's trace", { A_KEY: "it's secret" }, "+ echo 'it'\\''s secret'", "+ echo '***'"],
    ["a key of several lines", { A_KEY: "-----BEGIN\nMIIEvQIBADAN\n-----END" }, "1 MIIEvQIBADAN", "1 ***"],
    [
      "a webhook",
      { WEBHOOK_URL: "https://h.example/T0/B0" },
      "to https://h.example/T0/B0?x",
      "to https://h.example/***?x",
    ],
    [
      "a webhook's path",
      { HEALTHCHECKS_URL: "https://h.example/0123-4567" },
      "GET /0123-4567/start",
      "GET /***/start",
    ],
    [
      "the same of one worker",
      { HEALTHCHECKS_URL_CHECK: "https://h.example/0123-4567" },
      "GET /0123-4567/start",
      "GET /***/start",
    ],
    ["the token of a header", { WEBHOOK_HEADER_AUTH: "Bearer abcdefgh" }, "abcdefgh", "***"],
    [
      "a URL's password alone",
      { HTTPS_PROXY: "http://u:p%40ssw/rd@proxy:3128" },
      "p%40ssw/rd p@ssw/rd",
      "*** ***",
    ],
    [
      "a URL's password that is shorter decoded",
      { HTTPS_PROXY: "http://u:p%40%C3%BCw@proxy:3128" },
      "p%40%C3%BCw p@üw",
      "*** ***",
    ],
    [
      "a URL's password, but not three characters that it decodes to",
      { HTTPS_PROXY: "http://u:%20%20%20a@proxy:3128" },
      "a   a %20%20%20a",
      "a   a ***",
    ],
    [
      "a part of a URL",
      { RESTIC_REPOSITORY: "rest:https://u:p/s@h/r" },
      "Get https://u:p/s@h/r/keys",
      "Get https://u:***@h/r/keys",
    ],
  ])("%s", (_, env, text, masked) => expect(createMask(env)(text)).toBe(masked));

  test("what a file holds, its path not", () => {
    const path = file("password", "out of a file\n");
    const mask = createMask({ RESTIC_PASSWORD_FILE: path, MYSQL_ROOT_PASSWORD_FILE: "/nowhere" });
    expect(mask(`${path}: out of a file`)).toBe(`${path}: ***`);
  });

  test("the repository that a file names, and a webhook that a file names", () => {
    const mask = createMask({
      RESTIC_REPOSITORY_FILE: file("repository", "# ours\nrest:https://u:one/two@h/r\n"),
      WEBHOOK_URL_FILE: file("webhook", "https://h.example/secret-path\n"),
    });
    expect(mask("https://u:one/two@h/r https://h.example/secret-path")).toBe(
      "https://u:***@h/r https://h.example/***",
    );
  });

  test("a named pipe, a folder and a large file are no secrets to be read", () => {
    const big = file("big", "x".repeat(20_000));
    expect(Bun.spawnSync(["mkfifo", join(dir, "pipe")]).exitCode).toBe(0);
    const mask = createMask({ A_KEY_FILE: join(dir, "pipe"), B_KEY_FILE: dir, C_KEY_FILE: big });
    expect({ longest: mask.longest, text: mask("x".repeat(20_000)) }).toEqual({
      longest: 0,
      text: "x".repeat(20_000),
    });
  });

  test("the length of the longest form is known", () => {
    expect(createMask({ A_KEY: "12345678", B_KEY: "<23456789>" }).longest).toBe(
      "\\u003c23456789\\u003e".length,
    );
  });

  // The words of restic 0.14 and 0.19 for such URLs.
  test.each<[string, string]>([
    ["first/second9", 'parse "http://user:first/second9@host:1/": invalid port ":first" after host'],
    ["fi/second9", 'parse "http://user:fi": invalid port ":fi" after host'],
    ["first#second9", 'parse "http://user:first": invalid port ":first" after host'],
    ["first?second9", 'Get "http://host/?second9@h": invalid port ":first" after host'],
    [
      "a@second9/third99",
      'Head "http://user:***@second9/third99@host:1/config": dial tcp: lookup second9 on 1.1.1.1:53',
    ],
    ["fir%zzst", 'parse "http://user:fir%zzst@host:1/": invalid URL escape "%zz"'],
    ["fir\\sec99", 'parse "http://user:fir\\\\sec99@host:1/": net/url: invalid userinfo'],
    ["fi rst:sec", 'parse "http://user:fi rst:sec@host:1/": net/url: invalid userinfo'],
  ])("the password %s of a URL, whatever part of it restic repeats", (password, text) => {
    const masked = createMask({ RESTIC_REPOSITORY: `rest:http://user:${password}@host:1/` })(text);
    for (const piece of password.split(/[/#?@ :]/).filter((each) => each.length > 1))
      expect(masked).not.toContain(piece);
  });

  test("text that nearly holds a URL does not take long", () => {
    const begun = performance.now();
    const text = `${"a".repeat(2 ** 20)} https://host/ ${"://a:".repeat(2 ** 16)}`;
    expect(createMask({})(text)).toBe(text);
    expect(performance.now() - begun).toBeLessThan(5000);
  });
});
