/** The client and its sessions, made of calls. */
import { Mesh, type MessageInitShape, type RemoveMemberRequestSchema } from "@meshkv/protocol";
import type { CallOptions } from "../call-options.ts";
import type { MeshkvClient, ReplicaView, Session } from "../client.ts";
import type { KeyValues } from "../key-values.ts";
import {
  type MemberInfo,
  memberInfoOf,
  type RemoveMemberOptions,
  type ReplicaStatus,
  replicaStatusOf,
} from "../mesh-info.ts";
import type { VerifyEvent, VerifyOptions } from "../verification.ts";
import { bytesFormat, type Json, jsonFormat, textFormat } from "../value-format.ts";
import { KeyValuesView } from "./key-values-view.ts";
import { callIn, type Scope } from "./scope.ts";
import { SessionState } from "./session-state.ts";
import { verifyIn } from "./verify-stream.ts";

const NO_PREFIX = new Uint8Array();

class SessionView extends KeyValuesView<Json> implements Session {
  readonly #state: SessionState;
  readonly text: KeyValues<string>;
  readonly bytes: KeyValues<Uint8Array>;

  constructor(scope: Scope, state: SessionState) {
    super(scope, NO_PREFIX, jsonFormat());
    this.#state = state;
    this.text = this.as(textFormat);
    this.bytes = this.as(bytesFormat);
  }

  get token(): string {
    return this.#state.token;
  }
}

/** The one that `connect` returns. */
export class ClientView extends KeyValuesView<Json> implements MeshkvClient {
  readonly #scope: Scope;
  readonly text: KeyValues<string>;
  readonly bytes: KeyValues<Uint8Array>;

  constructor(scope: Scope) {
    super(scope, NO_PREFIX, jsonFormat());
    this.#scope = scope;
    this.text = this.as(textFormat);
    this.bytes = this.as(bytesFormat);
  }

  get replicas(): readonly ReplicaView[] {
    return this.#scope.caller.replicas.all.map((replica) => ({
      address: replica.address,
      replicaId: replica.replicaId,
      isWell: replica.health === "well",
      problem: replica.problem?.message,
      latencyMs: replica.latency.estimateMs,
      inFlight: replica.inFlight,
    }));
  }

  session(token = ""): Session {
    const state = new SessionState(token);
    return new SessionView({ ...this.#scope, session: state }, state);
  }

  async status(options: CallOptions = {}): Promise<ReplicaStatus> {
    return replicaStatusOf(
      await callIn(this.#scope, Mesh.method.status, () => ({}), { kind: "read" }, options),
    );
  }

  async members(options: CallOptions = {}): Promise<MemberInfo[]> {
    const request = { kind: "read" } as const;
    const { members } = await callIn(this.#scope, Mesh.method.listMembers, () => ({}), request, options);
    return members.map(memberInfoOf);
  }

  async removeMember(replicaId: string, options: RemoveMemberOptions = {}): Promise<void> {
    const request: MessageInitShape<typeof RemoveMemberRequestSchema> = {
      replicaId,
      force: options.force === true,
    };
    await callIn(this.#scope, Mesh.method.removeMember, () => request, { kind: "conditional" }, options);
  }

  verify(options: VerifyOptions = {}): AsyncGenerator<VerifyEvent, void, undefined> {
    return verifyIn(this.#scope, options);
  }

  close(): Promise<void> {
    this.#scope.caller.replicas.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
