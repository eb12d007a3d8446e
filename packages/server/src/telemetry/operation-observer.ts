/** The doors through which clients call. */
export type Door = "grpc" | "http";

/** Measures the operations of one kind that come through one door. */
export interface OperationMeter {
  /**
   * An operation has ended.
   * @param result `OK` or the code of the error
   * @param startMs when it began, by `performance.now()`
   */
  ended(result: string, startMs: number): void;
  /** As `ended`, for one of many operations of a stream, of which nobody asks how long they took. */
  counted(result: string): void;
}

/** The meter of a kind of operation; always the same. */
export type OperationObserver = (door: Door, operation: string) => OperationMeter;
