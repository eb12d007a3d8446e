import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const packages = fileURLToPath(new URL("./packages/", import.meta.url));

export default defineConfig({
  resolve: {
    // Tests run on the sources: no build is needed, and no stale one can be tested.
    alias: [
      { find: "@meshkv/testing/pure", replacement: `${packages}testing/src/pure.ts` },
      { find: /^@meshkv\/([a-z-]+)$/, replacement: `${packages}$1/src/index.ts` },
      { find: /^meshkv$/, replacement: `${packages}cli/src/index.ts` },
    ],
  },
  test: {
    include: ["packages/*/src/**/*.test.ts", "packages/*/test/**/*.test.ts"],
    // No promise about speed: machines are busy, and a test that passes does not wait.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
