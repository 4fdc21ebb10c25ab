//! Every bound of what strangers may send to the webhook.

use std::time::Duration;

/// Bytes of one body. kube-apiserver takes objects of 3 MiB at most, and an update holds two.
pub const BODY_BYTES: usize = 7 * 1024 * 1024;
/// Bytes of all bodies that are held at one time. More are told to come back (503).
pub const HELD_BYTES: usize = 32 * 1024 * 1024;
/// JSON values in one body. An object of 1.5 MiB, the most that etcd keeps, has far fewer; what is
/// read takes some hundred bytes of memory a value.
pub const VALUES: usize = 250_000;
/// Reviews that are worked on at one time, so that the reconciler keeps its share of the machine.
pub const AT_ONCE: usize = 2;
/// How long a body waits for its turn. The API server gives up after 30 s at most.
pub const TURN: Duration = Duration::from_secs(10);

/// Connections at one time.
pub const CONNECTIONS: usize = 256;
/// Connections from one address at one time.
pub const CONNECTIONS_PER_PEER: usize = 128;
/// Bound of a TLS handshake.
pub const HANDSHAKE: Duration = Duration::from_secs(10);
/// Bound of a request's head, and of the silence between two requests.
pub const HEAD: Duration = Duration::from_secs(30);
/// Bound of a request's body.
pub const BODY: Duration = Duration::from_secs(10);
/// After this long a connection is closed when its request is answered.
pub const LIFE: Duration = Duration::from_secs(600);
/// How long open requests may go on after a stop.
pub const DRAIN: Duration = Duration::from_secs(5);
/// Bytes of a request's head.
pub const HEAD_BYTES: usize = 32 * 1024;

/// Violations that one answer lists; the rest is counted.
pub const LISTED: usize = 100;
