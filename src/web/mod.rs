//! Floor 5: the HTTP bridge.
