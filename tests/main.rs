//! What a user can see of the program, tried on the real binary.

mod defs;
mod floors;
mod support;
