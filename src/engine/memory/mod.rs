//! What employees remember.

pub mod index;
