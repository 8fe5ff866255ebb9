//! Floor 1: MCP over JSON-RPC as values; knows no tool, no HTTP and no jsonrpsee.
