//! Floor 3: what a crew does.
