import { fileURLToPath } from "node:url";
import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const packages = fileURLToPath(new URL("./packages/", import.meta.url));

/** What takes longest begins first, so that nothing long is left for the end; small files come last. */
const ORDER = [
  /\/testing\/src\/faults\//,
  /\/testing\/src\/(planted|explorer|simulator|scenarios)\//,
  /\/server\/test\/e2e\//,
  /\/test\//,
  /./,
];

class LongestFirst extends BaseSequencer {
  override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => ORDER.findIndex((each) => each.test(moduleId));
    return (await super.sort(specifications)).toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  resolve: {
    // Tests run on the sources: no build is needed, and no stale one can be tested.
    alias: [
      { find: "@meshkv/testing/pure", replacement: `${packages}testing/src/pure.ts` },
      { find: "@meshkv/server/notation", replacement: `${packages}server/src/notation.ts` },
      { find: /^@meshkv\/([a-z-]+)$/, replacement: `${packages}$1/src/index.ts` },
      { find: /^meshkv$/, replacement: `${packages}cli/src/index.ts` },
    ],
  },
  test: {
    // No promise about speed: machines are busy, and a test that passes does not wait.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Half of the tests wait for processes that they have started.
    maxWorkers: Math.max(3, availableParallelism()),
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: "parts",
          include: ["packages/*/src/**/*.test.ts"],
          // They share nothing that they change; so each process loads the sources once.
          isolate: false,
          setupFiles: [`${packages}testing/src/property-seed.ts`],
        },
      },
      {
        extends: true,
        test: { name: "whole", include: ["packages/*/test/**/*.test.ts"] },
      },
    ],
  },
});
