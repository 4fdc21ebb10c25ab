//! What Kubernetes says of its own kinds: scope, verbs, fields, list keys, patch strategies,
//! defaults; and, by hand, which fields can't change.
//!
//! The table (`table/kubernetes.txt`) is generated from a real API server's discovery and
//! `OpenAPI` documents, descriptions left out, by `generate/main.rs` (`just schema`). Each definition
//! is parsed once, when it is first asked for. The renderer patches by it and the simulated API server merges by it, so
//! the two can't disagree.
//!
//! ```
//! use stageset_schema::{ListType, kind, resource};
//!
//! let deployment = kind("apps", "v1", "Deployment").unwrap();
//! assert!(deployment.namespaced);
//! assert_eq!(deployment.plural, "deployments");
//! assert_eq!(resource("apps", "v1", "deployments"), Some(deployment));
//!
//! let service = kind("", "v1", "Service").unwrap();
//! let ports = service.schema().at(&["spec", "ports"]).unwrap();
//! assert_eq!(ports.list_type(), Some(ListType::Map(&["port", "protocol"])));
//! assert_eq!(ports.merge_key(), Some("port"));
//! let protocol = ports.items().unwrap().field("protocol").unwrap();
//! assert_eq!(protocol.default().unwrap(), "TCP");
//! ```

mod immutable;
mod kind;
mod parse;
mod schema;
mod table;

pub use immutable::{Immutable, Rule, all_immutable_fields, immutable_fields};
pub use kind::{Group, Kind, Subresource};
pub use schema::{ListType, MapType, PatchStrategy, SchemaRef, Type};
pub use table::{definition, definitions, groups, kind, kinds, resource, server_version};
