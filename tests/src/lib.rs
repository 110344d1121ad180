//! Checks across crates live in `tests/tests/`.
