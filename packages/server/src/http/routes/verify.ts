/** Proof that replicas hold the same. */
import {
  create,
  durationMs,
  type MessageShape,
  VerifyRequestSchema,
  type VerifyResponse_Difference,
  VerifyResponse_Result_Outcome as Outcome,
  VerifyResponseSchema,
} from "@meshkv/protocol";
import { keyJson } from "../envelope.ts";
import type { HttpHandlers } from "../handlers.ts";
import { COMMON_ERRORS } from "../parameters.ts";
import { type Answer, defineRoute, type Route } from "../route.ts";
import { VERIFICATION, VERIFY } from "../schemas.ts";

/** Differing keys that one answer names for each member; the counts tell of all. */
const DIFFERENCES_MAX = 1000;

const OUTCOMES: Readonly<Record<Outcome, string>> = {
  [Outcome.UNSPECIFIED]: "not-comparable",
  [Outcome.EQUAL]: "equal",
  [Outcome.DIFFERENT]: "different",
  [Outcome.UNREACHABLE]: "unreachable",
  [Outcome.NOT_SETTLED]: "not-settled",
  [Outcome.NOT_COMPARABLE]: "not-comparable",
};

/** The route of verification. */
export function verifyRoutes({ verify }: HttpHandlers): Route[] {
  if (verify === undefined) return [];
  return [
    defineRoute({
      method: "POST",
      path: "/v1/mesh/verify",
      id: "verify",
      tag: "Mesh",
      operation: "verify",
      summary: "Compare with other members",
      description:
        "Reads this replica's whole table again, and compares it key by key with those of other members, while writes go on. The answer comes when all is compared.",
      body: {
        isRequired: true,
        isJson: true,
        limit: "other",
        contents: { "application/json": { schema: VERIFY, examples: { everybody: {} } } },
      },
      replies: {
        200: {
          description: "What was found.",
          contents: {
            "application/json": { schema: VERIFICATION, examples: { alone: { checks: [], members: [] } } },
          },
        },
      },
      errors: [...COMMON_ERRORS, "MEMBER_NOT_FOUND", "STORAGE_FAILED", "UNSUPPORTED_MEDIA_TYPE", "TOO_LARGE"],
      async answer({ json }, call): Promise<Answer> {
        const { peer } = json as { readonly peer?: string };
        const request = create(VerifyRequestSchema, { peer: peer ?? "" });
        const found = new Findings();
        for await (const reply of verify(request, call)) found.add(create(VerifyResponseSchema, reply));
        return { status: 200, body: found };
      },
    }),
  ];
}

class Findings {
  readonly checks: object[] = [];
  readonly members: object[] = [];
  #differences: object[] = [];

  add({ replicaId, address, kind }: MessageShape<typeof VerifyResponseSchema>): void {
    const about = { replicaId, address };
    if (kind.case === "check") {
      const { keys, digest, computedDigest, damagedRows } = kind.value;
      const counts = { keys: Number(keys), damagedRows: Number(damagedRows) };
      this.checks.push({ ...about, ...counts, digest, computedDigest });
    } else if (kind.case === "difference") {
      if (this.#differences.length < DIFFERENCES_MAX) this.#differences.push(differenceJson(kind.value));
    } else if (kind.case === "result") {
      const { outcome, digest, peerDigest, duration, reason } = kind.value;
      this.members.push({
        ...about,
        outcome: OUTCOMES[outcome],
        comparedKeys: Number(kind.value.comparedKeys),
        differingKeys: Number(kind.value.differingKeys),
        unsettledKeys: Number(kind.value.unsettledKeys),
        digest,
        peerDigest,
        durationMs: duration === undefined ? 0 : durationMs(duration),
        reason,
        differences: this.#differences,
      });
      this.#differences = [];
    }
  }
}

function differenceJson({
  key,
  version,
  peerVersion,
  checksum,
  peerChecksum,
}: VerifyResponse_Difference): object {
  return {
    ...keyJson(key),
    version: version === "" ? null : version,
    peerVersion: peerVersion === "" ? null : peerVersion,
    checksum,
    peerChecksum,
  };
}
