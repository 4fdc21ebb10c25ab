//! The validating webhook: what the reconciler would refuse is refused at the door (A08).
//!
//! - [`review`] the pure part: bytes of an `AdmissionReview` in, bytes out; [`judge`] its rules;
//! - [`limits`] every bound of what strangers may send, [`shape`] measures JSON before it is read;
//! - `answer` one HTTP request, `server` the socket, `tls` the certificate that is served;
//! - [`certificates`] where that comes from; `running` puts all together.
//!
//! It runs on every replica, serves HTTP/1.1 over TLS at one path, and knows nothing but what it is
//! sent: no cluster, no cache. Anybody in the cluster network may call it, so each request is
//! bounded in size, time and memory, and no more is let in than the controller can bear.

mod answer;
pub mod certificates;
pub mod judge;
pub mod limits;
pub mod review;
mod running;
mod server;
pub mod shape;
mod tls;

pub use running::{Running, Surroundings};
pub use server::Server;
pub use tls::{Serving, Unusable};

/// The path that the API server calls.
pub const PATH: &str = "/validate-stages-metio-wtf-v1-stageset";

/// Name of the webhook within its `ValidatingWebhookConfiguration`.
pub const NAME: &str = "vstageset.stages.metio.wtf";
