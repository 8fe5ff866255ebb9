//! Floor 5: MCP transports over jsonrpsee.
