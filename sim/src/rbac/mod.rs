//! Who may do what: the RBAC authorizer, the roles that come with a cluster, aggregation, and the
//! prevention of privilege escalation.

pub(crate) mod aggregation;
pub(crate) mod bootstrap;
pub(crate) mod escalation;
pub(crate) mod policy;
pub(crate) mod rule;

pub(crate) use policy::{Attributes, Decision, Policy, forbidden};

pub(crate) const GROUP: &str = "rbac.authorization.k8s.io";
