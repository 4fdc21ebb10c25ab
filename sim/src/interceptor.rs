//! The hook for faults: something that sees every request before it acts and every reply before
//! it leaves, and may replace either.

use crate::request::{Reply, Request, Response};

/// What an interceptor decides before a request is handled.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Handle the request.
    Pass,
    /// Answer this instead; the request has no effect.
    Answer(Response),
}

/// Sees requests and replies at the server's boundary.
pub trait Interceptor: Send {
    /// Before the request has any effect.
    fn before(&mut self, request: &Request) -> Verdict;
    /// After the request took effect; what it returns is what the client gets.
    fn after(&mut self, request: &Request, reply: Reply) -> Reply {
        let _ = request;
        reply
    }
}
