/**
 * Threads for what is done beside the event loop: the event log's writes and syncs, statements of the embedded engine, decoders, files.
 * Node's own 4 would all wait for the disk or the engine at once. Read when the first work comes, so this is set before all else.
 */
process.env.UV_THREADPOOL_SIZE ??= '12'
