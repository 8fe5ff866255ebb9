//! MCP seen from outside: the schemas of each revision, an independent client, and clients that behave badly.

mod abuse;
mod conversation;
mod questions;
mod rmcp;
mod schemas;
mod wording;
