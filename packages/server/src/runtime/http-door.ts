import { MeshkvError } from "@meshkv/core";
import { formatAddress } from "../config/address.ts";
import type { ServerConfig } from "../config/server-config.ts";
import type { HttpServer, ServeHttpOptions } from "../http/serve-http.ts";

type DoorOptions = Omit<ServeHttpOptions, "address" | "origins" | "limits">;

/**
 * Opens the HTTP door, if there is to be one. An address that nobody has asked for is given up for any free port when
 * it is taken. @throws MeshkvError ADDRESS_IN_USE, INVALID_ARGUMENT
 */
export async function openHttpDoor(
  { http, httpOrigins, valueBytesMax }: ServerConfig,
  options: DoorOptions,
): Promise<HttpServer | undefined> {
  if (http === undefined) return undefined;
  // The framework takes a noticeable part of a second to load; most verbs of the command line do without.
  const [{ serveHttp }, { httpLimits }] = await Promise.all([
    import("../http/serve-http.ts"),
    import("../http/http-limits.ts"),
  ]);
  const all = { ...options, address: http, origins: httpOrigins, limits: httpLimits(valueBytesMax) };
  try {
    return await serveHttp(all);
  } catch (error) {
    if (!http.isDefault || !(error instanceof MeshkvError) || error.code !== "ADDRESS_IN_USE") throw error;
    const server = await serveHttp({ ...all, address: { host: http.host, port: 0 } });
    const address = formatAddress(server.address);
    options.log.warn(
      { wanted: formatAddress(http), address },
      "HTTP is served elsewhere: the usual port is taken",
    );
    return server;
  }
}
