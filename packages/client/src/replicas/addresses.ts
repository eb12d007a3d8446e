/** Addresses as callers write them. */
import { lookup } from "node:dns/promises";
import { MeshkvError } from "@meshkv/protocol";

/** Where to look for replicas. */
export type Seed =
  | { readonly kind: "address"; readonly address: string }
  | { readonly kind: "name"; readonly host: string; readonly port: number };

const ADDRESS = /^(?:\[([0-9a-fA-F:.]+(?:%[\w.~-]+)?)\]|([^\s:/[\]]+)):(\d{1,5})$/;
const DNS_PREFIX = "dns:///";

/** Reads `host:port`, `[ipv6]:port` or `dns:///host:port`; throws INVALID_ARGUMENT. */
export function parseSeed(text: string): Seed {
  const isName = text.startsWith(DNS_PREFIX);
  const bare = isName ? text.slice(DNS_PREFIX.length) : text;
  const parts = ADDRESS.exec(bare);
  const port = Number(parts?.[3]);
  const host = parts?.[1] ?? parts?.[2];
  if (host === undefined || port < 1 || port > 65_535) {
    throw new MeshkvError(
      "INVALID_ARGUMENT",
      `${JSON.stringify(text.slice(0, 100))} is no address: write host:port, such as 127.0.0.1:4000, or dns:///name:4000`,
    );
  }
  return isName ? { kind: "name", host, port } : { kind: "address", address: bare };
}

/** The addresses that seeds stand for at present; names that cannot be resolved stand for none. */
export async function resolveSeeds(
  seeds: readonly Seed[],
  resolve: (host: string) => Promise<readonly string[]> = addressesOfHost,
): Promise<string[]> {
  const found = await Promise.all(
    seeds.map(async (seed) => {
      if (seed.kind === "address") return [seed.address];
      const hosts = await resolve(seed.host).catch(() => []);
      return hosts.map((host) => (host.includes(":") ? `[${host}]:${seed.port}` : `${host}:${seed.port}`));
    }),
  );
  return [...new Set(found.flat())];
}

/** Through the system, so that its hosts file and search domains count. */
async function addressesOfHost(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address);
}
