import { createServer } from "node:net";
import { MeshkvError } from "@meshkv/protocol";

const PORT_MAX = 65_535;

/** Ports that can be listened on now, ascending from `first`, on loopback; and those that are taken in between. */
export interface FreePorts {
  readonly free: readonly number[];
  readonly taken: readonly number[];
}

/** Finds `count` free ports; throws ADDRESS_IN_USE when there are not so many. */
export async function findFreePorts(count: number, first: number): Promise<FreePorts> {
  const free: number[] = [];
  const taken: number[] = [];
  for (let port = first; free.length < count; port += 1) {
    if (port > PORT_MAX) {
      throw new MeshkvError(
        "ADDRESS_IN_USE",
        `there are no ${count} free ports from ${first} on: try a lower --port`,
      );
    }
    ((await isFree(port)) ? free : taken).push(port);
  }
  return { free, taken };
}

/** Somebody else may still take the port before it is used: then the server says so. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ host: "127.0.0.1", port, exclusive: true }, () => {
      probe.close(() => resolve(true));
    });
  });
}
