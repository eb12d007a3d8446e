import { type DescMethod, KeyValue, Mesh } from "@meshkv/protocol";
import type { OperationMeter, OperationObserver } from "../telemetry/operation-observer.ts";

const MEASURED: ReadonlySet<string> = new Set([KeyValue.typeName, Mesh.typeName]);

/** What measures the calls of a method; undefined for methods that are none of clients' operations. */
export function meterOf(
  { name, parent }: DescMethod,
  observe: OperationObserver | undefined,
): OperationMeter | undefined {
  if (observe === undefined || !MEASURED.has(parent.typeName)) return undefined;
  return observe("grpc", name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase());
}
