/** A watcher over gRPC that goes on at one server after the other, and its journal. */
import { Client, credentials, type Metadata, type ServiceError } from "@grpc/grpc-js";
import type { MeshkvError } from "@meshkv/core";
import {
  create,
  errorFromGrpc,
  KeyValue,
  type MessageInitShape,
  methodCodec,
  STATUS_DETAILS_KEY,
  type WatchEvent,
  WatchEvent_Type,
  type WatchRequestSchema,
  type WatchResponse,
} from "@meshkv/protocol";
import { type ToldEvent, WatchJournal, WatchViolation } from "./watch-journal.ts";

const KINDS: Readonly<Record<number, ToldEvent["kind"]>> = {
  [WatchEvent_Type.PUT]: "put",
  [WatchEvent_Type.DELETE]: "delete",
  [WatchEvent_Type.EXPIRE]: "expire",
  [WatchEvent_Type.CONFLICT]: "conflict",
};

/** With these a watch goes on elsewhere. */
const PASSING: ReadonlySet<string> = new Set(["UNAVAILABLE", "SESSION_NOT_MET", "CANCELLED", "OVERLOADED"]);

/** What a watch is opened with. */
export type WatchInit = MessageInitShape<typeof WatchRequestSchema>;

/** Streams to one server; a server that is started again is reached again. */
export class WatchClient {
  readonly address: string;
  readonly #client: Client;

  constructor(address: string) {
    this.address = address;
    this.#client = new Client(address, credentials.createInsecure(), {
      "grpc.enable_http_proxy": 0,
      "grpc.enable_retries": 0,
      "grpc.use_local_subchannel_pool": 1,
      "grpc.initial_reconnect_backoff_ms": 50,
      "grpc.min_reconnect_backoff_ms": 50,
      "grpc.max_reconnect_backoff_ms": 200,
      "grpc.max_receive_message_length": 72 * 1024 * 1024,
    });
  }

  /** Opens a watch; leaving the loop cancels it. Rejects with a `MeshkvError`. */
  async *watch(request: WatchInit, signal?: AbortSignal): AsyncGenerator<WatchResponse> {
    const { path, requestSerialize, responseDeserialize } = methodCodec(KeyValue.method.watch);
    const message = create(KeyValue.method.watch.input, request);
    const call = this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, message);
    const cancel = (): void => call.cancel();
    signal?.addEventListener("abort", cancel);
    try {
      for await (const reply of call) yield reply as WatchResponse;
    } catch (error) {
      throw isServiceError(error) ? this.#translated(error) : error;
    } finally {
      signal?.removeEventListener("abort", cancel);
      call.cancel();
    }
  }

  #translated(error: ServiceError): MeshkvError {
    const details = (error.metadata as Metadata | undefined)?.get(STATUS_DETAILS_KEY)[0];
    const failure = { code: error.code, message: error.details };
    return errorFromGrpc(
      { ...failure, details: details instanceof Uint8Array ? details : undefined },
      this.address,
    );
  }

  close(): void {
    this.#client.close();
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && typeof error.code === "number" && "details" in error;
}

/** One watcher over all its streams. */
export class RemoteWatch {
  readonly journal: WatchJournal;
  readonly #target: WatchInit["target"] & object;
  readonly #initial: boolean;
  readonly #isWritten: (value: string) => boolean;
  /** Values that were told last, by key; undefined: none. */
  readonly values = new Map<string, string | undefined>();
  /** Key and value of every loser that was told, as `key value`. */
  readonly losers = new Set<string>();
  /** How many streams ended because the server lacked what was told before. */
  behind = 0;
  #token = "";

  /**
   * @param isWritten whether somebody has written a value
   * @param compare order of two versions of one key; that of the text by default
   * @param linesMax as of the journal
   */
  constructor(
    name: string,
    target: WatchInit["target"] & object,
    initial: boolean,
    isWritten: (value: string) => boolean,
    compare?: (a: string, b: string) => number,
    linesMax?: number,
  ) {
    this.#target = target;
    this.#initial = initial;
    this.#isWritten = isWritten;
    // Which versions were written is not known of writes whose answer was lost: their values are.
    this.journal = new WatchJournal(name, () => true, compare, linesMax);
  }

  /** Where it goes on. */
  get token(): string {
    return this.#token;
  }

  /**
   * Reads one stream until the condition holds or the stream ends; resolves to the code with which it did. Throws a
   * {@link WatchViolation} when it was told what must not be, and errors that are none of a passing kind.
   */
  async follow(client: WatchClient, until: () => boolean, signal?: AbortSignal): Promise<string | undefined> {
    const request = {
      target: this.#target,
      resume: this.#token,
      initial: this.#initial && this.#token === "",
    };
    this.journal.resumed(client.address);
    try {
      for await (const reply of client.watch(request, signal)) {
        for (const event of reply.events) this.#told(event);
        if (reply.resume === "") throw new WatchViolation("a reply without a token");
        this.#token = reply.resume;
        if (until()) return undefined;
      }
      return undefined;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "";
      if (!PASSING.has(code)) throw error;
      if (code === "SESSION_NOT_MET") this.behind += 1;
      return code;
    }
  }

  #told({ type, entry, previous }: WatchEvent): void {
    const kind = KINDS[type];
    if (kind === undefined || entry === undefined) throw new WatchViolation(`an event of type ${type}`);
    const key = textOf(entry.key);
    for (const shown of kind === "conflict" ? [entry, previous] : kind === "put" ? [entry] : []) {
      if (shown !== undefined && !shown.deleted && !this.#isWritten(textOf(shown.value)))
        throw new WatchViolation(`${key}: nobody wrote ${textOf(shown.value)}`);
    }
    this.journal.told({
      kind,
      key,
      version: entry.version,
      loser: kind === "conflict" ? previous?.version : undefined,
    });
    if (kind === "conflict" && previous !== undefined) this.losers.add(`${key} ${textOf(previous.value)}`);
    if (kind !== "conflict") this.values.set(key, kind === "put" ? textOf(entry.value) : undefined);
  }
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
