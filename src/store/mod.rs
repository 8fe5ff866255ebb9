//! Floor 1: what is kept on disk; knows nothing of what it stores.
