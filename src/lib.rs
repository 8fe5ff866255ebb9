//! crew: define AI employees in YAML and Markdown, and put them to work.
//!
//! The modules are floors: each may use only the floors below it. `src/ARCHITECTURE.md` draws them,
//! `tests/floors.rs` holds them in place.

pub mod base;

pub mod defs;
pub mod llm;
pub mod protocol;
pub mod store;

pub mod catalog;
pub mod tasks;

pub mod engine;

pub mod tools;

pub mod mcp;
pub mod web;

pub mod app;

pub mod cli;
