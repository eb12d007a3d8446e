/**
 * grpc.health.v1. The name of a service stands for that service, the empty name for the server as a whole. (The
 * package grpc-health-check serves the same through other generated code; ours is here already.)
 */
import { MeshkvError } from "@meshkv/core";
import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from "@meshkv/protocol";
import { bindService, type ServiceBinding } from "./service-binding.ts";

type ServingReply = { status: (typeof ServingStatus)[keyof typeof ServingStatus] };

/** The health of the services of one server, settable at any time. */
export class HealthService {
  readonly #isServing: Map<string, boolean>;
  readonly #watchers = new Set<() => void>();
  readonly binding: ServiceBinding;

  /** @param services full names; they start as not serving, as does the server as a whole. */
  constructor(services: readonly string[]) {
    this.#isServing = new Map(["", ...services].map((name) => [name, false]));
    this.binding = bindService(Health, {
      check: ({ service }) => this.#check(service),
      list: () => ({
        statuses: Object.fromEntries([...this.#isServing.keys()].map((name) => [name, this.#check(name)])),
      }),
      watch: ({ service }, { signal }) => this.#watch(service, signal),
    });
  }

  /** Sets the health of one service, or of the server and all its services when no name is given. */
  set(isServing: boolean, service?: string): void {
    for (const name of service === undefined ? [...this.#isServing.keys()] : [service]) {
      this.#isServing.set(name, isServing);
    }
    for (const wake of this.#watchers) wake();
  }

  #statusOf(service: string): ServingReply["status"] {
    const isServing = this.#isServing.get(service);
    if (isServing === undefined) return ServingStatus.SERVICE_UNKNOWN;
    return isServing ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  }

  #check(service: string): ServingReply {
    const status = this.#statusOf(service);
    if (status !== ServingStatus.SERVICE_UNKNOWN) return { status };
    const text = `no service ${JSON.stringify(service.slice(0, 80))} here: ask for one of its list, or for ""`;
    throw new MeshkvError("NOT_FOUND", text);
  }

  async *#watch(service: string, signal: AbortSignal): AsyncGenerator<ServingReply> {
    let wake = (): void => {};
    const listener = (): void => wake();
    this.#watchers.add(listener);
    signal.addEventListener("abort", listener);
    try {
      let told: ServingReply["status"] | undefined;
      while (!signal.aborted) {
        const changed = new Promise<void>((resolve) => {
          wake = resolve;
        });
        const status = this.#statusOf(service);
        if (status !== told) yield { status };
        told = status;
        // Set during the yield, it would have been missed.
        if (this.#statusOf(service) === told) await changed;
      }
    } finally {
      this.#watchers.delete(listener);
      signal.removeEventListener("abort", listener);
    }
  }
}
