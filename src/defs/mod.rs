//! Floor 1: text to definitions and diagnostics; knows no files.
//!
//! A definition is read in one pass that notes everything wrong with it: `(Option<T>, Vec<Diagnostic>)`. A definition
//! that comes out has no doubt left in it.

mod diagnostic;
mod employee;
mod pipeline;

pub use diagnostic::{Diagnostic, Label, Severity, Source, Span};
pub use employee::{Adaptor, Arg, Employee, Format, Output};
pub use pipeline::{Item, Pipeline, Step};
