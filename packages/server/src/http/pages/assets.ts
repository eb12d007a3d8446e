/** Files that the pages need, read from the packages that bring them, and kept in memory once they were asked for. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

/** A file as it is served. */
export interface Asset {
  readonly contentType: string;
  readonly body: Uint8Array;
}

const SCRIPT = "text/javascript; charset=utf-8";
const STYLE = "text/css; charset=utf-8";

/** A logo that ReDoc would fetch from its makers: nothing here comes from elsewhere. */
const FOREIGN_LOGO = "https://cdn.redoc.ly/redoc/logo-mini.svg";

const SOURCES: Readonly<Record<string, () => Promise<Asset>>> = {
  "swagger-ui.css": () => fromPackage("@fastify/swagger-ui", "static/swagger-ui.css", STYLE),
  "swagger-ui-bundle.js": () => fromPackage("@fastify/swagger-ui", "static/swagger-ui-bundle.js", SCRIPT),
  "redoc.js": async () => {
    const { body } = await fromPackage("redoc", "bundles/redoc.standalone.js", SCRIPT);
    const text = Buffer.from(body).toString("utf8").replaceAll(FOREIGN_LOGO, "/favicon.svg");
    return { contentType: SCRIPT, body: Buffer.from(text.replace(/\n\/\/# sourceMappingURL=\S+\s*$/, "\n")) };
  },
};

const loaded = new Map<string, Promise<Asset>>();

/** The names that {@link assetOf} knows. */
export const ASSET_NAMES: readonly string[] = Object.keys(SOURCES);

/** A file by its name; undefined: there is none. */
export function assetOf(name: string): Promise<Asset> | undefined {
  const load = Object.hasOwn(SOURCES, name) ? SOURCES[name] : undefined;
  if (load === undefined) return undefined;
  const asset = loaded.get(name) ?? load();
  loaded.set(name, asset);
  return asset;
}

async function fromPackage(name: string, path: string, contentType: string): Promise<Asset> {
  const folder = dirname(require.resolve(`${name}/package.json`));
  return { contentType, body: await readFile(join(folder, path)) };
}
