/** The local database of a replica: rows of an ordered engine, group commit, scans, checks of what is on disk. */
export { Database, type DatabaseLocation, type DatabaseOptions } from "./database.ts";
export { type CommitOptions, type Damage, Generation } from "./generation.ts";
export type { EntryFigures } from "./entry-counts.ts";
export type { TableReading } from "./read-table.ts";
export type { ListRequest, ListResult } from "./list.ts";
export { type Engine, type EngineBatch, type EngineIterator, type EngineRange } from "./engine.ts";
export { openClassicEngine, openMemoryEngine, type ClassicEngineOptions } from "./engine.ts";
export { STORAGE_FORMAT } from "./directory.ts";
export type { FileFinding } from "./engine-files/finding.ts";
export { fsck, type FsckReport } from "./fsck/fsck.ts";
export type { FsckFinding, FsckKind } from "./fsck/fsck-log.ts";
