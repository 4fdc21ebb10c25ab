//! The patch formats that replace values without asking who owns them.

pub(crate) mod json;
pub(crate) mod merge;
pub(crate) mod strategic;
