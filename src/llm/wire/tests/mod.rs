//! What all dialects have in common.

mod errors;
mod streams;
