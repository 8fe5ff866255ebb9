//! MCP seen from outside: the schemas of each revision, an independent client, and clients that behave badly.

mod abuse;
mod cancel;
mod conversation;
mod listener;
mod live;
mod questions;
mod rmcp;
mod schemas;
mod sse;
mod wording;
