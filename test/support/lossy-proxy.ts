/** A TCP proxy on loopback that dies at a chosen moment, as a link does. */

import { connect, createServer, type Socket } from "node:net";

export interface LossyProxy {
  readonly port: number;
  /** Dies once so many bytes have gone to the server; all connections are cut and new ones refused. */
  dieAfter(bytes: number): void;
  /** The link is back. */
  heal(): void;
  readonly isDead: boolean;
  [Symbol.dispose](): void;
}

export async function lossyProxy(target: number): Promise<LossyProxy> {
  const sockets = new Set<Socket>();
  let left = Number.POSITIVE_INFINITY;
  let isDead = false;
  const cut = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  const server = createServer((client) => {
    if (isDead) return void client.destroy();
    const upstream = connect(target, "127.0.0.1");
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      // The other half ends with it; what it says of that is expected.
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    upstream.pipe(client);
    client.on("data", (chunk) => {
      left -= chunk.length;
      if (left <= 0) {
        isDead = true;
        cut();
      } else if (!upstream.write(chunk)) {
        client.pause();
        upstream.once("drain", () => client.resume());
      }
    });
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    dieAfter: (bytes) => {
      left = bytes;
    },
    heal: () => {
      left = Number.POSITIVE_INFINITY;
      isDead = false;
    },
    get isDead() {
      return isDead;
    },
    [Symbol.dispose]: () => {
      cut();
      server.close();
    },
  };
}
