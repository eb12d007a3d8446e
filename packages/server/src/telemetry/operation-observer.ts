/** The doors through which clients call. */
export type Door = "grpc" | "http";

/**
 * Called when an operation begins; what it returns is called once when it ends, with `OK` or the code of the error.
 */
export type OperationObserver = (door: Door, operation: string) => (result: string) => void;
