/**
 * Preloaded into a server of a test: connections to the addresses in MESHKV_TEST_ROUTES (a JSON object from `host:port`
 * to a port of loopback) go to the proxy there. So the test rules over every connection between two servers, also those
 * to peers that a server was only told of.
 */
import { Socket } from "node:net";
import process from "node:process";

const routes = new Map(Object.entries(JSON.parse(process.env["MESHKV_TEST_ROUTES"] ?? "{}")));
const { prototype } = Socket;
const connect = Reflect.get(prototype, "connect");

prototype.connect = function (...args) {
  // Node's own callers pass their arguments as one array.
  const list = Array.isArray(args[0]) ? args[0] : args;
  const [options] = list;
  if (typeof options === "object" && options !== null) {
    const port = routes.get(`${options.host}:${options.port}`);
    if (port !== undefined) list[0] = { ...options, host: "127.0.0.1", port };
  }
  return connect.apply(this, args);
};
