//! One budget of requests for each API server, handed out fairly by namespace.

/// Permits for requests under way.
#[derive(Debug, Clone, Default)]
pub struct Budget {}
