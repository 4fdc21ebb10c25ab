//! What the API server serves: shared by all tenants (K05), filled one group version at a time.

/// The shared cache.
#[derive(Debug, Default)]
pub struct Discovery {}

impl Discovery {
    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }
}
