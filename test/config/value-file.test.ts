import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Settings } from "../../lib/config/settings.ts";
import { declarations, type VariableName, variables } from "../../lib/config/variables.ts";
import { createMask } from "../../lib/mask.ts";

class Folder {
  readonly path = mkdtempSync(join(tmpdir(), "rbh-files-"));

  file(name: string, text: string): string {
    const path = join(this.path, name);
    writeFileSync(path, text);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

const settingsOf = (env: Record<string, string>, warnings: string[] = []) =>
  new Settings(env, (message) => warnings.push(message));

describe("a variable by its file", () => {
  test.each([
    ["https://host/path\n", "https://host/path"],
    ["  https://host/path \r\n\n", "https://host/path"],
    ["", ""],
    ["\n", ""],
    ["a\nb\n", "a\nb"],
  ])("%j", (text, value) => {
    using folder = new Folder();
    const settings = settingsOf({ WEBHOOK_URL_FILE: folder.file("url", text) });
    expect(settings.text("WEBHOOK_URL")).toBe(value);
    expect(settings.configured("WEBHOOK_URL")).toBe(true);
  });

  test("a symbolic link, as Kubernetes mounts secrets", () => {
    using folder = new Folder();
    folder.file("..data", "https://host/");
    symlinkSync("..data", join(folder.path, "url"));
    expect(settingsOf({ WEBHOOK_URL_FILE: join(folder.path, "url") }).text("WEBHOOK_URL")).toBe(
      "https://host/",
    );
  });

  test("durations and switches too, with the same warnings", () => {
    using folder = new Folder();
    const warnings: string[] = [];
    const settings = settingsOf(
      {
        WEBHOOK_TIMEOUT_FILE: folder.file("t", "2m\n"),
        WEBHOOK_ON_ERROR_FILE: folder.file("e", "sometimes\n"),
      },
      warnings,
    );
    expect(settings.seconds("WEBHOOK_TIMEOUT")).toBe(120);
    expect(settings.flag("WEBHOOK_ON_ERROR")).toBe(false);
    expect(warnings).toEqual(["WEBHOOK_ON_ERROR=sometimes is neither ON nor OFF; OFF is used."]);
  });

  test.each([
    ["/nowhere/x", "WEBHOOK_URL_FILE=/nowhere/x cannot be read: no such file or directory."],
    ["/dev/null", "WEBHOOK_URL_FILE=/dev/null cannot be read: it is not a regular file."],
    ["/", "WEBHOOK_URL_FILE=/ cannot be read: it is not a regular file."],
  ])("%s", (path, message) => {
    expect(() => settingsOf({ WEBHOOK_URL_FILE: path }).text("WEBHOOK_URL")).toThrow(message);
  });

  test("a large file is another one than was meant", () => {
    using folder = new Folder();
    const path = folder.file("large", "x".repeat(65_537));
    expect(() => settingsOf({ WEBHOOK_URL_FILE: path }).text("WEBHOOK_URL")).toThrow(
      `WEBHOOK_URL_FILE=${path} cannot be read: it is larger than 65536 bytes.`,
    );
  });
});

const declared = (Object.keys(variables) as VariableName[]).filter((name) => declarations[name].file);

test("these may be given by a file", () => {
  expect(declared).toEqual([
    "WEBHOOK_URL",
    "WEBHOOK_HEADER_AUTH",
    "WEBHOOK_TIMEOUT",
    "WEBHOOK_ON_ERROR",
    "HEALTHCHECKS_URL",
    "MAILX_RCPT",
  ]);
});

test.each(declared)("%s and its file: both are named, neither value is", (name) => {
  const env = { [name]: "a-value-of-it", [`${name}_FILE`]: "/run/secrets/x" };
  const message = `${name} and ${name}_FILE are both set, and one of them would be ignored. Unset one of them.`;
  expect(() => settingsOf(env).refuseDoubles()).toThrow(message);
  settingsOf({ ...env, [name]: "" }).refuseDoubles();
  settingsOf({ ...env, [`${name}_FILE`]: "" }).refuseDoubles();
});

test("a variable without a file has none: RESTIC_TAG_FILE means nothing", () => {
  expect(settingsOf({ RESTIC_TAG_FILE: "/nowhere" }).text("RESTIC_TAG")).toBe("automated");
});

describe("the mask", () => {
  test("covers what the files hold, in each form", () => {
    using folder = new Folder();
    const mask = createMask({
      WEBHOOK_URL_FILE: folder.file("url", "https://hooks.example/services/T0000/abcdefghijklmnopqrst?x=1\n"),
      WEBHOOK_HEADER_AUTH_FILE: folder.file("auth", "Bearer 0123456789abcdef\n"),
      HEALTHCHECKS_URL_FILE: folder.file("hc", "https://hc.example/5cdfd1d2-0001-0002-0003\n"),
      MAILX_RCPT_FILE: folder.file("rcpt", "admin@larak.example\n"),
    });
    expect(mask("to https://hooks.example/services/T0000/abcdefghijklmnopqrst?x=1!")).toBe(
      "to https://hooks.example/***!",
    );
    expect(mask("path /services/T0000/abcdefghijklmnopqrst?x=1")).toBe("path /***");
    expect(mask("token abcdefghijklmnopqrst")).toBe("token ***");
    expect(mask("authorization: Bearer 0123456789abcdef")).toBe("authorization: ***");
    expect(mask("with 0123456789abcdef")).toBe("with ***");
    expect(mask("https://hc.example/5cdfd1d2-0001-0002-0003/start")).toBe("https://hc.example/***/start");
    expect(mask("admin@larak.example, services, Bearer")).toBe("admin@larak.example, services, Bearer");
  });
});
