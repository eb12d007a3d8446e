/** meshkv.v1.Mesh.Verify: proves that replicas hold the same, or names where they do not. */
import { CLOCK_DRIFT_MS_MAX, formatVersion, type HeldEntry, keyTextToBytes, MeshkvError } from "@meshkv/core";
import {
  durationFromMs,
  type MessageInitShape,
  type VerifyRequest,
  VerifyResponse_Result_Outcome as Outcome,
  type VerifyResponse_DifferenceSchema,
  type VerifyResponse_ResultSchema,
  type VerifyResponseSchema,
} from "@meshkv/protocol";
import type { CallInfo } from "./call-info.ts";
import { type ComparedTable, type ComparisonScope, type ComparisonSide, LocalSide } from "./comparison.ts";
import type { LocalReplica, MemberReport } from "./local-replica.ts";
import { quoteText } from "./quote-bytes.ts";
import { TableComparison } from "./table-comparison.ts";

/** How long keys with writes under way are looked at again, in milliseconds for one member. */
const PATIENCE_MS = 15_000;
/** Verifications at a time: each reads whole tables. */
const VERIFICATIONS_MAX = 2;
/** Progress is told at most this often. */
const PROGRESS_MS = 500;

type Response = MessageInitShape<typeof VerifyResponseSchema>;
type Result = MessageInitShape<typeof VerifyResponse_ResultSchema>;

/** What verification stands on. */
export interface VerifyOptions {
  readonly replica: LocalReplica;
  readonly table: ComparedTable;
  /** The side of the peer at an address; `close` when it is no longer needed. */
  readonly reach: (address: string, signal: AbortSignal) => ComparisonSide & { close(): void };
}

/** Answers `Verify`. */
export class VerifyHandlers {
  readonly #options: VerifyOptions;
  #running = 0;

  constructor(options: VerifyOptions) {
    this.#options = options;
  }

  /**
   * Checks this replica's table, then compares it with every member's, or with one's.
   * @throws MeshkvError MEMBER_NOT_FOUND, OVERLOADED, UNAVAILABLE
   */
  async *verify(request: VerifyRequest, { signal }: CallInfo): AsyncGenerator<Response> {
    const { replica, table } = this.#options;
    const members = this.#chosen(request.peer);
    const { replicaId, meshId } = table.identity();
    if (this.#running >= VERIFICATIONS_MAX) {
      throw new MeshkvError(
        "OVERLOADED",
        `${this.#running} verifications are under way on this replica: wait for one to end`,
      );
    }
    this.#running += 1;
    try {
      const here = new LocalSide(table);
      const own = { replicaId, address: addressOf(replica, replicaId) };
      yield { ...own, kind: { case: "check", value: checkMessage(await table.check(signal)) } };
      for (const member of members) yield* this.#compare(member, here, meshId, signal);
    } finally {
      this.#running -= 1;
    }
  }

  #chosen(peer: string): readonly MemberReport[] {
    const others = this.#options.replica
      .members()
      .filter(({ state }) => state !== "self" && state !== "removed");
    if (peer === "") return others;
    const chosen = others.filter(({ replicaId, address }) => replicaId === peer || address === peer);
    if (chosen.length > 0) return chosen;
    throw new MeshkvError(
      "MEMBER_NOT_FOUND",
      `${quoteText(peer)} is no other member: give an address or a replica id of the list of members, or none for all`,
    );
  }

  async *#compare(
    { replicaId, address }: MemberReport,
    here: LocalSide,
    meshId: string,
    signal: AbortSignal,
  ): AsyncGenerator<Response> {
    const about = { replicaId, address };
    const startMs = performance.now();
    const ended = (result: Result): Response => {
      const duration = durationFromMs(Math.round(performance.now() - startMs));
      return { ...about, kind: { case: "result", value: { ...result, duration } } };
    };
    if (address === "") {
      yield ended({
        outcome: Outcome.UNREACHABLE,
        reason: "it has told no address under which it can be asked",
      });
      return;
    }
    // Beyond what any clock of the mesh says, so that no deadline passes on one side only.
    const deadlinesAfterMs = this.#options.replica.nowMs() + 2 * CLOCK_DRIFT_MS_MAX;
    const scope: ComparisonScope = { meshId, deadlinesAfterMs };
    const there = this.#options.reach(address, signal);
    const comparison = new TableComparison({ here, there, scope, patienceMs: PATIENCE_MS, signal });
    let toldMs = startMs;
    try {
      for await (const news of comparison.run()) {
        if (news.kind === "difference") {
          const value = differenceMessage(news.here, news.there);
          yield { ...about, kind: { case: "difference", value } };
        } else if (performance.now() - toldMs >= PROGRESS_MS) {
          toldMs = performance.now();
          yield { ...about, kind: { case: "progress", value: { keys: BigInt(news.keys) } } };
        }
      }
      const report = await there.check(scope, signal);
      yield { ...about, kind: { case: "check", value: checkMessage(report) } };
      const { digest: peerDigest } = await there.describeKeys(scope, []);
      const { digest } = here.held(scope, []);
      yield ended({ ...countsOf(comparison), outcome: outcomeOf(comparison), digest, peerDigest });
    } catch (error) {
      if (!(error instanceof MeshkvError) || signal.aborted) throw error;
      yield ended({ ...countsOf(comparison), outcome: outcomeOfFailure(error), reason: error.message });
    } finally {
      there.close();
    }
  }
}

function addressOf(replica: LocalReplica, id: string): string {
  return replica.members().find(({ replicaId }) => replicaId === id)?.address ?? "";
}

function outcomeOf({ differing, unsettled }: TableComparison): Outcome {
  if (differing > 0) return Outcome.DIFFERENT;
  return unsettled > 0 ? Outcome.NOT_SETTLED : Outcome.EQUAL;
}

function outcomeOfFailure({ code }: MeshkvError): Outcome {
  const isAway = code === "UNAVAILABLE" || code === "DEADLINE_EXCEEDED";
  return isAway ? Outcome.UNREACHABLE : Outcome.NOT_COMPARABLE;
}

function countsOf({ keys, differing, unsettled }: TableComparison): Result {
  return {
    comparedKeys: BigInt(keys),
    differingKeys: BigInt(differing),
    unsettledKeys: BigInt(unsettled),
  };
}

function checkMessage(report: Awaited<ReturnType<ComparedTable["check"]>>) {
  const { keys, digest, computedDigest, damagedRows } = report;
  return { keys: BigInt(keys), digest, computedDigest, damagedRows: BigInt(damagedRows) };
}

function differenceMessage(
  here: HeldEntry,
  there: HeldEntry,
): MessageInitShape<typeof VerifyResponse_DifferenceSchema> {
  return {
    key: keyTextToBytes(here.key),
    version: versionText(here),
    peerVersion: versionText(there),
    checksum: here.checksum,
    peerChecksum: there.checksum,
  };
}

function versionText({ version }: HeldEntry): string {
  return version === undefined ? "" : formatVersion(version);
}
