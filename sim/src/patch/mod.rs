//! The patch formats that replace values without asking who owns them.

pub(crate) mod go;
pub(crate) mod json;
pub(crate) mod merge;
mod order;
pub(crate) mod strategic;
