//! Floor 1: text to definitions and diagnostics; knows no files.
