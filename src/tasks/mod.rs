//! Floor 2: durable work; knows no pipeline.
