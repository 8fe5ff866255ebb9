//! Floor 2: finds definitions on disk and resolves names.
