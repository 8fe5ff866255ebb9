//! Tests of all dialects together.

mod errors;
mod streams;
mod tools;
