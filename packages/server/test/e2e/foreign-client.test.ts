import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { STAGE_TEST_MS_MAX, stageTest as test } from "@meshkv/testing";
import { describe, expect } from "vitest";
import { buildImage, runPythonClient, whyNoPython } from "./python-client.ts";

const why = whyNoPython();

describe.skipIf(why !== undefined)(
  `a client in Python${why === undefined ? "" : ` (skipped: ${why})`}`,
  { timeout: STAGE_TEST_MS_MAX },
  () => {
    test("makes every call to a server process", async ({ stage }) => {
      const { servers } = await stage.mesh(1);
      const [server] = servers;
      if (server === undefined) throw new Error("the stage made no server");
      server.launch();
      await server.ready();
      const directory = mkdtempSync(join(tmpdir(), "meshkv-python-"));
      try {
        const image = join(directory, "image.binpb");
        buildImage(image);
        expect(await runPythonClient(`127.0.0.1:${server.port}`, image)).toBe("ok\n");
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    });
  },
);
