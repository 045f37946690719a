/** A real SMTP server on loopback that keeps the mails it gets, and an msmtp set up to use it. */

import { symlinkSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { World } from "./world.ts";

export interface Envelope {
  readonly from: string;
  readonly to: readonly string[];
  /** As it came over the wire: CRLF, dots unstuffed. */
  readonly data: string;
}

export class SmtpSink {
  readonly mails: Envelope[] = [];

  private constructor(
    readonly port: number,
    private readonly server: Server,
  ) {}

  /** `reject`: the answer to RCPT TO instead of 250. */
  static async start(reject?: string): Promise<SmtpSink> {
    let sink: SmtpSink | undefined;
    const server = createServer((socket) => sink?.converse(socket, reject));
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, "127.0.0.1", () => resolve());
    await promise;
    sink = new SmtpSink((server.address() as { port: number }).port, server);
    return sink;
  }

  [Symbol.dispose](): void {
    this.server.close();
  }

  private converse(socket: Socket, reject: string | undefined): void {
    let text = "";
    let from = "";
    let to: string[] = [];
    let inData = false;
    const say = (line: string) => socket.write(`${line}\r\n`);
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      for (;;) {
        const end = text.indexOf(inData ? "\r\n.\r\n" : "\r\n");
        if (end < 0) return;
        const part = text.slice(0, end);
        text = text.slice(end + (inData ? 5 : 2));
        if (inData) {
          const data = Buffer.from(`${part}\r\n`.replace(/^\.\./gm, "."), "latin1").toString("utf8");
          this.mails.push({ from, to, data });
          [from, to, inData] = ["", [], false];
          say("250 taken");
          continue;
        }
        const address = /<([^>]*)>/.exec(part)?.[1] ?? "";
        const verb = part.slice(0, 4).toUpperCase();
        if (verb === "MAIL") from = address;
        if (verb === "RCPT" && reject === undefined) to.push(address);
        if (verb === "DATA") inData = true;
        if (verb === "EHLO") socket.write("250-sink\r\n250-8BITMIME\r\n");
        say(verb === "RCPT" && reject !== undefined ? reject : verb === "DATA" ? "354 go on" : "250 ok");
        if (verb === "QUIT") socket.end();
      }
    });
    say("220 sink");
  }
}

/** Makes msmtp this world's sendmail, with the sink (or whatever listens on `port`) as its relay. */
export function useMsmtp(world: World, port: number): void {
  symlinkSync(Bun.which("msmtp") ?? "/usr/bin/msmtp", join(world.bin, "sendmail"));
  world.file(".msmtprc", `account default\nhost 127.0.0.1\nport ${port}\nfrom backup@larak.example\n`, 0o600);
}

/** The header's value as a reader of mail sees it: unfolded, encoded words decoded by Python, not by us. */
export async function readMail(data: string) {
  const script = `
import sys, json, email, email.policy
m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
print(json.dumps({"headers": [[k, str(v)] for k, v in m.items()], "body": m.get_content(), "defects": [str(d) for d in m.defects]}))`;
  const child = Bun.spawn(["python3", "-c", script], {
    stdin: new TextEncoder().encode(data),
    stdout: "pipe",
    stderr: "inherit",
  });
  const { headers, body, defects } = JSON.parse(await new Response(child.stdout).text());
  const text = (body as string).replaceAll("\r\n", "\n");
  return { headers: Object.fromEntries(headers) as Record<string, string>, body: text, defects };
}
