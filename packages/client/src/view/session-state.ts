import { mergeSessionTokens } from "@meshkv/protocol";
import type { Replica } from "../replicas/replica.ts";

/** What one session has seen, and where it is at home. */
export class SessionState {
  #token: string;
  /** The replica that it stays with while that is well. */
  replica: Replica | undefined;

  constructor(token: string) {
    this.#token = token;
  }

  get token(): string {
    return this.#token;
  }

  /** A reply came. Calls of a session may overlap, so its token may lack what another reply brought. */
  saw(token: string): void {
    if (token !== "") this.#token = mergeSessionTokens(this.#token, token);
  }
}
