import type { Entry } from "@meshkv/protocol";
import { eventually } from "./eventually.ts";
import type { ServerProcess } from "./server-process.ts";

/** Waits until all servers have the same digest. */
export async function sameDigest(servers: readonly ServerProcess[], timeoutMs?: number): Promise<void> {
  await eventually(
    `${servers.map(({ name }) => name).join(", ")} have one digest`,
    async () => {
      const digests = await Promise.all(servers.map(async ({ client }) => (await client.status()).digest));
      if (new Set(digests).size > 1) throw new Error(`they differ: ${digests.join(", ")}`);
    },
    timeoutMs,
  );
}

/** Waits until all servers list the same entries, versions included, under one digest; resolves to key and value. */
export async function sameEverywhere(
  servers: readonly ServerProcess[],
  timeoutMs?: number,
): Promise<Map<string, string>> {
  const [first, ...others] = servers;
  if (first === undefined) throw new Error("no server to ask");
  const check = async (): Promise<void> => {
    await sameDigest(servers, timeoutMs);
    const expected = (await first.client.entries()).map(lineOf);
    for (const other of others) {
      const found = (await other.client.entries()).map(lineOf);
      const difference = expected.find((line, index) => found[index] !== line) ?? found[expected.length];
      if (difference !== undefined)
        throw new Error(`${first.name} and ${other.name} differ at ${difference}`);
    }
  };
  await eventually(`${servers.map(({ name }) => name).join(", ")} are the same`, check, timeoutMs);
  return first.client.list();
}

function lineOf({ key, value, version }: Entry): string {
  return `${text(key)} ${version} ${text(value)}`;
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
