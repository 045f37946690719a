// Secrets in random text: none comes through, in whatever form and pieces it comes, and nothing else is touched.

import { createMask, type Mask, maskRepository, maskUrls } from "../../lib/mask.ts";
import { RawLines, SafeLines } from "../../lib/process/pump.ts";
import { LINE_MOST, visible } from "../../lib/text.ts";
import { differ, property, type Random } from "../support/property.ts";

/** No sign of a secret stands in the text around it, so that what must be left is known exactly. */
const AROUND = [..."ABCXYZ0189 .:/?=\n", "ä", "😀", " ", "http://H/", "\t"];
const SECRET_SIGNS = [..."abcdefxyz-_+$&<>\"'\\%~#|(){}[]^;,!", "é", "🔑", "$&", "\\n", " "];
const NAMES = [
  "RESTIC_PASSWORD",
  "A_TOKEN",
  "B_SECRET_KEY",
  "WEBHOOK_HEADER_AUTH",
  "MYSQL_PWD",
  "my_passphrase",
];

interface Scene {
  readonly env: Record<string, string>;
  readonly text: string;
  /** The text without its secrets. */
  readonly wanted: string;
}

/** Begins and ends with a letter of its own, so that no two of them can overlap. */
const secret = (random: Random, index: number) => {
  const [begin, end] = [["g", "h", "i", "j"][index], ["k", "l", "m", "o"][index]];
  return `${begin}${random.text(SECRET_SIGNS, 30, 6)}${end}`;
};

/** As a program may print it: itself, in JSON, in Go's JSON, in a URL, in a shell's trace. */
function printed(random: Random, value: string): string {
  const json = JSON.stringify(value).slice(1, -1);
  const go = json.replace(/[<>&]/g, (sign) => `\\u00${sign.charCodeAt(0).toString(16)}`);
  return random.pick([value, value, json, go, encodeURIComponent(value), value.replaceAll("'", "'\\''")]);
}

const urlSign = [..."abcpqr-_.~%!*@"];

/** Pieces of any text, secrets and URLs with a password; `long` makes it longer than what is held back of a line. */
function scene(random: Random, long = 0): Scene {
  const secrets = random.list(1, 4, () => "").map((_, index) => secret(random, index));
  const env = Object.fromEntries(
    secrets.map((value, index) => [NAMES[(index + secrets.length) % NAMES.length], value]),
  );
  let [text, wanted] = ["", ""];
  for (let left = random.int(1, 6); left > 0; left--) {
    const around = random.text(AROUND, 12) + "X".repeat(random.int(0, long));
    const url = `S://${random.text(["u", "v"], 3)}`;
    const isUrl = random.chance(0.2);
    text +=
      around + (isUrl ? `${url}:${random.text(urlSign, 9, 1)}@H` : printed(random, random.pick(secrets)));
    wanted += around + (isUrl ? `${url}:***@H` : "***");
  }
  return { env: { ...env, HOME: "/ABC", RESTIC_TAG: "A" }, text, wanted };
}

property(
  "a secret in any form is hidden, and nothing else is",
  scene,
  ({ env, text, wanted }) => {
    const mask = createMask(env);
    return differ(mask(text), wanted) ?? differ(mask(wanted), wanted);
  },
  { cases: 5000 },
);

/** The names and values under which secrets are known, beside those of whole variables. */
const HIDDEN: readonly ((secret: string) => Record<string, string>)[] = [
  (secret) => ({ MYSQL_PASSWORD: secret }),
  (secret) => ({ TOKEN: secret }),
  (secret) => ({ APIKEY: secret }),
  (secret) => ({ APP_DSN: `app:${secret}@tcp(db:3306)/app` }),
  (secret) => ({ OTEL_EXPORTER_OTLP_HEADERS: `x-one=1,authorization=Bearer ${secret}` }),
  (secret) => ({ WEBHOOK_AUTH: `Basic ${btoa(`user:${secret}`)}` }),
  (secret) => ({ AZURE_STORAGE_CONNECTION_STRING: `AccountName=a;AccountKey=${secret};EndpointSuffix=x` }),
  (secret) => ({ RCLONE_CONFIG_BOX_TOKEN: JSON.stringify({ access_token: secret, expiry: "2026" }) }),
  (secret) => ({ RESTIC_REPOSITORY: `rclone::s3,access_key_id=A,secret_access_key=${secret}:bucket/x` }),
  (secret) => ({ RESTIC_REPOSITORY: `rest:https://user:${secret}@host:8000/x` }),
  (secret) => ({ X_URL: `https://host/x?list=1&code=${secret}` }),
  (secret) => ({ REPLICATE_ARGS: `--fast-list --webdav-pass=${secret} --checksum` }),
  (secret) => ({ RESTIC_JOB_ARGS: `--password-command 'sshpass -p ${secret} ssh host'` }),
];

/** As programs write it: each by what wrote it. */
const WRITTEN: readonly ((secret: string) => string)[] = [
  (secret) => secret,
  (secret) => btoa(secret),
  (secret) => btoa(`user:${secret}`),
  (secret) => btoa(`a longer user:${secret}\n`),
  (secret) => btoa(secret).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", ""),
  (secret) => encodeURIComponent(secret),
  (secret) => encodeURIComponent(secret).replace(/%../g, (each) => each.toLowerCase()),
  (secret) => new URLSearchParams({ secret }).toString(),
  (secret) => JSON.stringify({ secret }),
  (secret) => Bun.escapeHTML(secret),
];

property(
  "a secret of whatever variable is hidden, in whatever form a program writes it (ten at a time)",
  (random) =>
    random.list(10, 10, () => ({
      secret: `k${random.text([..."abcdefghXYZ0123456789", ..."+/~!*$"], 40, 15)}z`,
      hidden: random.int(0, HIDDEN.length - 1),
      written: random.int(0, WRITTEN.length - 1),
    })),
  (cases) => {
    const envs = cases.map(({ secret, hidden }) => Object.entries(HIDDEN[hidden]?.(secret) ?? {}));
    // Each has a name of its own kind: `X0_TOKEN`, `X1_TOKEN`.
    const env = Object.fromEntries(
      envs.flatMap((pairs, at) => pairs.map(([name, value]) => [`X${at}_${name}`, value])),
    );
    const mask = createMask(env);
    for (const { secret, written } of cases) {
      const text = WRITTEN[written]?.(secret) ?? "";
      const masked = mask(`A ${text} B`);
      if (masked.includes(text) || masked.includes(secret)) return `${JSON.stringify(env)} shows ${masked}`;
      if (!/^A .*\*\*\*.* B$/.test(masked)) return masked;
    }
    return undefined;
  },
  { cases: 5000 },
);

const bytes = (text: string) => new TextEncoder().encode(text);

interface Pieces extends Scene {
  readonly pieces: readonly Uint8Array[];
}

const cut = (random: Random, made: Scene, longest: number): Pieces => ({
  ...made,
  pieces: [...random.pieces(bytes(made.text), longest)],
});

function through(mask: Mask, pieces: readonly Uint8Array[]): string {
  const lines = new SafeLines(mask);
  return pieces.map((each) => lines.push(each)).join("") + lines.end();
}

property(
  "a secret that comes in pieces is hidden, and nothing of the lines is lost",
  (random) => cut(random, scene(random), random.pick([2, 9, 80])),
  ({ env, pieces, wanted }) => {
    const end = wanted === "" || wanted.endsWith("\n") ? "" : "\n";
    return differ(through(createMask(env), pieces), visible(wanted) + end);
  },
  { cases: 5000 },
);

property(
  "the same in lines without an end",
  (random) => cut(random, scene(random, 30_000), random.pick([4096, 30_000, 100_000])),
  ({ env, pieces, wanted }) => {
    const out = through(createMask(env), pieces);
    const longest = Math.max(...out.split("\n").map((line) => line.length));
    return longest > 16_384
      ? `a line of ${longest}`
      : differ(out.replaceAll("\n", ""), visible(wanted).replaceAll("\n", ""));
  },
  { cases: 2000 },
);

/** Where an endless line is cut: a piece ends within the secret, just behind a multiple of a line's length. */
property(
  "a secret that has come by half when a line is cut is hidden",
  (random) => {
    const value = `g${random.text([..."abc"], 30, 8)}k`;
    const before = LINE_MOST * random.int(4, 7) - random.int(0, value.length);
    const first = before + random.int(1, value.length);
    return { value, text: `${"X".repeat(before)}${value}${"X".repeat(random.int(0, 200))}`, first };
  },
  ({ value, text, first }) => {
    const pieces = [bytes(text.slice(0, first)), bytes(text.slice(first))];
    const out = through(createMask({ A_TOKEN: value }), pieces).replaceAll("\n", "");
    return out === text.replace(value, "***") ? undefined : `${out.replaceAll(/X+/g, "X")}`;
  },
  { cases: 2000 },
);

property(
  "lines that are to be parsed are those of the whole text, whatever the pieces",
  (random) => cut(random, scene(random), random.pick([2, 9, 80])),
  ({ env, pieces, text }) => {
    const lines = new RawLines(createMask(env));
    const got = [...pieces.flatMap((each) => lines.push(each)), ...lines.end()];
    const want = text.split("\n");
    if (want.at(-1) === "") want.pop();
    return differ(got, want);
  },
);

property(
  "a key of several lines is hidden line by line",
  (random) => {
    const key = random.list(2, 6, () => random.text([..."abcdefgh+/="], 64, 10));
    const pieces = [...random.pieces(bytes(`X ${key.join("\n")}\nY\n`), random.int(1, 40))];
    return { key, end: random.pick(["\n", "\r\n"]), pieces };
  },
  ({ key, end, pieces }) => {
    const out = through(createMask({ TLS_KEY: key.join(end) }), pieces);
    const seen = key.find((line) => out.includes(line));
    return seen === undefined ? differ(out.slice(-2), "Y\n") : `${seen} stands in ${out}`;
  },
  { cases: 5000 },
);

interface Repository {
  readonly env: Record<string, string>;
  readonly url: string;
  readonly password: string;
}

const repository = (random: Random): Repository => {
  const password = `q${random.text([..."abc/?#:@%&=+$~!*'()", "%40", "%2F"], 20, 8)}w`;
  const url = `rest:https://${random.text(["u", "v"], 4)}:${password}@HOST:8000/R`;
  return { url, password, env: { [random.pick(["RESTIC_REPOSITORY", "HTTPS_PROXY", "X"])]: url } };
};

property("the password of a URL is hidden, alone and in the URL", repository, ({ env, url, password }) => {
  const mask = createMask(env);
  const shown = [
    maskRepository(url),
    mask(`A ${url} B`),
    mask(`A ${password} B`),
    mask(`A ${decoded(password)} B`),
  ];
  const seen = shown.find((each) => each.includes(password) || each.includes(decoded(password)));
  return seen ?? differ(shown[1]?.endsWith("HOST:8000/R B"), true) ?? differ(mask(shown[1] ?? ""), shown[1]);
});

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A lone % is no encoding.
    return text;
  }
}

property(
  "the path of a webhook is hidden, alone and in the URL",
  (random) => ({ host: random.text([..."ABC."], 9, 1), path: `q/${random.text([..."abc/?=&#-"], 40, 8)}` }),
  ({ host, path }) => {
    const mask = createMask({ WEBHOOK_URL: `https://${host}/${path}` });
    const out = mask(`POST https://${host}/${path} and /${path}X`);
    return differ(out, `POST https://${host}/*** and /***X`) ?? differ(mask(out), out);
  },
);

property(
  "text without secrets and without userinfo stays as it is",
  (random) => random.text([...AROUND, ..."@abc://"], 60).replaceAll(/:\/\/\S*@/g, ""),
  (text) => differ(createMask({ A_KEY: "never in there" })(text), text) ?? differ(maskUrls(text), text),
);
