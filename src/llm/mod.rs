//! Floor 1: language models as wires and one client; knows no employee and no task.
