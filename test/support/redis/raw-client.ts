// The least client of a server: one connection, RESP2, commands in order.
import { connect, type Socket } from "node:net";

interface Pending {
  resolve(reply: unknown): void;
  reject(error: Error): void;
}

/** Sends commands and reads their replies. */
export class RawClient {
  readonly #socket: Socket;
  readonly #pending: Pending[] = [];
  #data: Buffer = Buffer.alloc(0);
  #isClosed = false;

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (data) => this.#read(data));
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => {
      this.#isClosed = true;
      for (const { reject } of this.#pending.splice(0)) reject(new Error("the connection is closed"));
    });
  }

  readonly send = (command: readonly string[]): Promise<unknown> => {
    if (this.#isClosed) return Promise.reject(new Error("the connection is closed"));
    const parts = command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`);
    this.#socket.write(`*${command.length}\r\n${parts.join("")}`);
    return new Promise((resolve, reject) => this.#pending.push({ resolve, reject }));
  };

  close(): void {
    this.#socket.destroy();
  }

  #read(data: Buffer): void {
    this.#data = this.#data.length === 0 ? data : Buffer.concat([this.#data, data]);
    for (;;) {
      const reply = parse(this.#data, 0);
      if (reply === null) return;
      this.#data = this.#data.subarray(reply.end);
      const { resolve, reject } = this.#pending.shift()!;
      if (reply.value instanceof Error) reject(reply.value);
      else resolve(reply.value);
    }
  }
}

function parse(data: Buffer, start: number): { value: unknown; end: number } | null {
  const lineEnd = data.indexOf("\r\n", start);
  if (lineEnd < 0) return null;
  const line = data.toString("utf8", start + 1, lineEnd);
  const next = lineEnd + 2;
  switch (data[start]) {
    case 0x2b: // +
      return { value: line, end: next };
    case 0x2d: // -
      return { value: new Error(line), end: next };
    case 0x3a: // :
      return { value: Number(line), end: next };
    case 0x24: {
      // $
      const length = Number(line);
      if (length < 0) return { value: null, end: next };
      if (data.length < next + length + 2) return null;
      return { value: data.toString("utf8", next, next + length), end: next + length + 2 };
    }
    default: {
      const items: unknown[] = [];
      let end = next;
      for (let i = 0; i < Number(line); i++) {
        const item = parse(data, end);
        if (item === null) return null;
        items.push(item.value);
        end = item.end;
      }
      return { value: items, end };
    }
  }
}
