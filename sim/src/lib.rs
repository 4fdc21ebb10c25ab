//! A simulated Kubernetes API server: what an operator can observe of kube-apiserver 1.37, as one
//! deterministic state machine in virtual time.
//!
//! - [`Server`] is the state machine: `handle(request, at) -> reply`, `advance(to)`, `next_due()`.
//! - [`SimulatedCluster`] holds one behind a lock and drives it by tokio's clock; its [`Door`] is a
//!   `tower::Service` that a real Kubernetes client is built on.
//! - What isn't modelled is answered `501` with a `Status` that names it; nothing is guessed.
//!
//! # Where things are
//!
//! `routing` and `discovery` say what a request asks for, `impersonation` and `rbac` who may,
//! `verbs` what happens, `managed` who owns which field (server-side apply), `patch` the other
//! patch formats, `admission` defaults and validation, `crd` custom resources, `store` and `watch`
//! what is kept and told. `namespaces`, `garbage`, `rbac::aggregation` and `workloads` are the
//! cluster's own controllers; `reactions` wakes them and `clock` lets them wait. `history` writes down
//! what a cluster lives through.

//!
//! # What is not modelled
//!
//! Answered 501: OpenAPI v2, metrics, `scale`, `eviction`, `binding`, `exec` and the other
//! subresources beside `status`, `finalize` and `token`; groups `autoscaling/v1`, `apiregistration`,
//! `flowcontrol`, `resource.k8s.io`, `storagemigration`; protobuf, CBOR, YAML and table answers;
//! conversion webhooks; CEL rules with functions of Kubernetes' own libraries,
//! `messageExpression` or `optionalOldSelf`.
//!
//! Absent without a 501, because nothing asks for them by name: admission policies, limit ranges,
//! priority and fairness, pods made by controllers. A webhook is called where a handler is
//! registered for its service or URL. Validation of built-in kinds covers what people get wrong;
//! types are those of the real OpenAPI, whose documents are served without schemas.
//! `docs/simulator.md` says it in full, and how it is compared with a real server.

mod admission;
mod audit;
mod body;
mod bootstrap;
mod clock;
mod cluster;
mod crd;
mod discovery;
mod door;
mod events;
mod garbage;
mod history;
mod impersonation;
mod interceptor;
mod kinds;
mod managed;
mod namespaces;
mod object;
mod openapi;
mod patch;
mod protobuf;
mod rbac;
mod reactions;
mod request;
mod reviews;
mod routing;
mod selector;
mod server;
mod status;
mod store;
mod tokens;
mod verbs;
mod watch;
mod workloads;
mod yaml;

pub use admission::webhooks::{WebhookFailure, WebhookHandler};
pub use audit::AuditRecord;
pub use clock::Timing;
pub use cluster::{HelperError, SimulatedCluster};
pub use door::{Door, SimBody};
pub use history::{
    Answered, Ended, Exchange, FileError, History, OwnChange, Recording, Step, Told,
    VERSION as HISTORY_VERSION, What,
};
pub use interceptor::{Interceptor, Verdict};
pub use request::{Reply, Request, Response, SubscriptionId, User};
pub use server::Server;
pub use status::ApiError;
pub use workloads::script::ANNOTATION as WORKLOAD_ANNOTATION;
