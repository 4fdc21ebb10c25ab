//! What the scenarios share: a cluster, and requests with what came back.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use http::{HeaderMap, Method};
use jiff::Timestamp;
use serde_json::Value;
use stageset_sim::{Reply, Request, Server, SimulatedCluster, User};

pub(crate) fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

pub(crate) fn cluster() -> SimulatedCluster {
    SimulatedCluster::new(start(), 7)
}

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) at: Timestamp,
    pub(crate) user: User,
}

/// Status code and body.
pub(crate) type Answer = (u16, Value);

impl World {
    pub(crate) fn new() -> Self {
        Self {
            server: Server::new(start(), 7),
            at: start(),
            user: User::admin(),
        }
    }

    pub(crate) fn pass(&mut self, millis: i64) {
        self.at = self
            .at
            .checked_add(jiff::SignedDuration::from_millis(millis))
            .unwrap();
        self.server.advance(self.at);
    }

    pub(crate) fn send(
        &mut self,
        method: Method,
        uri: &str,
        headers: &[(&'static str, &str)],
        body: &Value,
    ) -> Answer {
        let mut map = HeaderMap::new();
        map.insert("user-agent", "tests/1".parse().unwrap());
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = Request {
            method,
            uri: uri.parse().unwrap(),
            headers: map,
            body: body.into(),
            user: self.user.clone(),
        };
        match self.server.handle(&request, self.at) {
            Reply::Response(response) => {
                let body = response.value().unwrap_or_else(|| {
                    Value::String(String::from_utf8_lossy(&response.body).into_owned())
                });
                (response.status.as_u16(), body)
            }
            Reply::Watch { subscription, .. } => {
                let lines = self.server.drain_watch(subscription);
                let events = lines
                    .iter()
                    .map(|l| serde_json::from_slice(l).unwrap())
                    .collect();
                self.server.end_watch(subscription);
                (200, Value::Array(events))
            }
        }
    }

    pub(crate) fn send_text(
        &mut self,
        method: Method,
        uri: &str,
        content_type: &str,
        text: String,
    ) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", content_type.parse().unwrap());
        let request = Request {
            method,
            uri: uri.parse().unwrap(),
            headers,
            body: text.into(),
            user: self.user.clone(),
        };
        let Reply::Response(response) = self.server.handle(&request, self.at) else {
            panic!("a watch")
        };
        (
            response.status.as_u16(),
            response.value().unwrap_or_default(),
        )
    }

    pub(crate) fn get(&mut self, uri: &str) -> Answer {
        self.send(Method::GET, uri, &[], &Value::Null)
    }

    pub(crate) fn post(&mut self, uri: &str, body: &Value) -> Answer {
        self.send(
            Method::POST,
            uri,
            &[("content-type", "application/json")],
            body,
        )
    }

    pub(crate) fn put(&mut self, uri: &str, body: &Value) -> Answer {
        self.send(
            Method::PUT,
            uri,
            &[("content-type", "application/json")],
            body,
        )
    }

    pub(crate) fn delete(&mut self, uri: &str, body: &Value) -> Answer {
        self.send(
            Method::DELETE,
            uri,
            &[("content-type", "application/json")],
            body,
        )
    }

    pub(crate) fn merge(&mut self, uri: &str, body: &Value) -> Answer {
        self.send(
            Method::PATCH,
            uri,
            &[("content-type", "application/merge-patch+json")],
            body,
        )
    }

    pub(crate) fn apply(&mut self, uri: &str, body: &Value) -> Answer {
        self.send(
            Method::PATCH,
            uri,
            &[("content-type", "application/apply-patch+yaml")],
            body,
        )
    }
}

pub(crate) fn code(answer: &Answer) -> u16 {
    answer.0
}

pub(crate) fn message(answer: &Answer) -> &str {
    answer.1["message"].as_str().unwrap_or_default()
}
