import type { Route } from "./route.ts";

/** The methods of the routes at a path, HEAD and OPTIONS among them; undefined: there is nothing at this path. */
export function allowedMethods(routes: readonly Route[], path: string): readonly string[] | undefined {
  const found = routes.filter((route) => isAt(route, path)).map(({ method }): string => method);
  if (found.length === 0) return undefined;
  return [...(found.includes("GET") ? ["GET", "HEAD"] : []), ...found.filter((m) => m !== "GET"), "OPTIONS"];
}

function isAt(route: Route, path: string): boolean {
  // Keys keep their slashes; no other parameter has any.
  const start = route.path.indexOf("{");
  if (start < 0) return route.path === path;
  if (!path.startsWith(route.path.slice(0, start))) return false;
  return route.path.endsWith("{key}") || !path.slice(start).includes("/");
}
