//! Everything a user can see.

mod defs;
