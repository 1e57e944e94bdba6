// A server that speaks the REST protocol of Upstash in front of a real Redis.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { RawClient } from "../../support/redis/raw-client.ts";

/** Starts the endpoint for the Redis on that port. */
export async function startRestEndpoint(redisPort: number): Promise<{ url: string; stop(): void }> {
  const redis = new RawClient(redisPort);
  const server: Server = createServer((request, response) => {
    let body = "";
    request.on("data", (part: Buffer) => {
      body += part.toString("utf8");
    });
    request.on("end", () => {
      const isEncoded = request.headers["upstash-encoding"] === "base64";
      const run = async (command: readonly unknown[]) => {
        try {
          const result = await redis.send(command.map(String));
          return { result: isEncoded ? encoded(result) : result };
        } catch (error) {
          return { error: (error as Error).message };
        }
      };
      const parsed = JSON.parse(body);
      // Commands of one turn of the event loop come together.
      if (request.url === "/pipeline") {
        Promise.all((parsed as unknown[][]).map(run)).then((results) => response.end(JSON.stringify(results)));
        return;
      }
      run(parsed as unknown[]).then((reply) => {
        response.statusCode = "error" in reply ? 400 : 200;
        response.end(JSON.stringify(reply));
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop() {
      redis.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

function encoded(result: unknown): unknown {
  if (Array.isArray(result)) return result.map(encoded);
  return typeof result === "string" ? Buffer.from(result).toString("base64") : result;
}
