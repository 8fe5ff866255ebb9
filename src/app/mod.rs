//! Floor 6: configuration, wiring, serving.
