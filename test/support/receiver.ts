/** A real HTTP(S) server on loopback that records its requests and answers as a test wants. */

import { createServer as createPlain, type Socket } from "node:net";
import { createServer as createTls } from "node:tls";

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Writes the answer to the n-th request (0 is the first). If it writes nothing, the connection stays open. */
export type Answer = (socket: Socket, request: Received, n: number) => void;

/** An ordinary answer with this status. */
export const status =
  (code: number, headers: Readonly<Record<string, string>> = {}): Answer =>
  (socket) => {
    const lines = Object.entries({ "content-length": "0", connection: "close", ...headers });
    socket.end(`HTTP/1.1 ${code} X\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
  };

export class Receiver {
  readonly requests: Received[] = [];
  private readonly sockets = new Set<Socket>();

  private constructor(
    readonly port: number,
    private readonly close: () => void,
  ) {}

  static async start(answer: Answer, options: ReceiverOptions = {}): Promise<Receiver> {
    const { host = "127.0.0.1", tls } = options;
    let receiver: Receiver | undefined;
    const take = (socket: Socket) => receiver?.take(socket, answer);
    const server = tls === undefined ? createPlain(take) : createTls(tls, take);
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, host, () => resolve());
    await promise;
    receiver = new Receiver((server.address() as { port: number }).port, () => server.close());
    return receiver;
  }

  /** `POST /path`, one for each request. */
  get lines(): string[] {
    return this.requests.map(({ method, path }) => `${method} ${path}`);
  }

  [Symbol.dispose](): void {
    this.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private take(socket: Socket, answer: Answer): void {
    this.sockets.add(socket);
    let text = "";
    // Many tests have a client that gives up.
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1");
      const request = parse(text);
      if (request === undefined) return;
      text = "";
      this.requests.push(request);
      answer(socket, request, this.requests.length - 1);
    });
  }
}

export interface ReceiverOptions {
  readonly host?: string;
  readonly tls?: { readonly key: string; readonly cert: string };
}

/** The request, once it has arrived completely. */
function parse(text: string): Received | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first = "", ...lines] = text.slice(0, end).split("\r\n");
  const [method = "", path = ""] = first.split(" ");
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  const body = text.slice(end + 4);
  if (body.length < Number(headers["content-length"] ?? 0)) return undefined;
  return { method, path, headers, body: Buffer.from(body, "latin1").toString("utf8") };
}
