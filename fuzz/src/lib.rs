//! Fuzzing of whatever reads what strangers wrote.
//!
//! - [`targets`] one file a reader: it takes bytes, checks what must hold, and answers with what it
//!   saw, so that the fuzzer notices when an input leads somewhere new;
//! - [`mutate`] makes inputs of inputs; [`random`] is the seeded source of chance;
//! - [`fuzz`] is the loop.
//!
//! Deterministic: seed and corpus decide everything but how far a run gets in its time. No compiler
//! support is needed, so it runs wherever the project builds.

pub mod corpus;
pub mod fuzz;
pub mod mutate;
pub mod random;
pub mod targets;
