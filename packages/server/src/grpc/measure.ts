import { type DescMethod, KeyValue, Mesh } from "@meshkv/protocol";
import type { OperationObserver } from "../telemetry/operation-observer.ts";

const MEASURED: ReadonlySet<string> = new Set([KeyValue.typeName, Mesh.typeName]);

/** What begins the measuring of one call; undefined for methods that are none of clients' operations. */
export function measureOf(
  { name, parent }: DescMethod,
  observe: OperationObserver | undefined,
): (() => (result: string) => void) | undefined {
  if (observe === undefined || !MEASURED.has(parent.typeName)) return undefined;
  const operation = name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase();
  return () => observe("grpc", operation);
}
