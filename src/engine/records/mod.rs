//! Reads what is written down in folders of the project, within bounds: the meetings that were held, and the folder of any
//! such records.

mod folder;
pub mod meeting;

pub use folder::{Folder, Tail};
