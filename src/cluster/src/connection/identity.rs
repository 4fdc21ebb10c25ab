//! As whom: the one layer that says so to the API server.

use stageset_core::identity::Identity;

/// As whom a request is made. Every request carries one as an extension; one without isn't sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequestIdentity {
    /// As the controller, on its own records and for what it may read for everybody.
    Controller,
    /// As a StageSet's tenant.
    As(Identity),
}
