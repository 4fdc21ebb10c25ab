//! Remote clusters that are simulated: reached by the host of a kubeconfig, known by its token.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't be set up fails"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use stageset_cluster::Connection;
use stageset_cluster::remote::Connect;
use stageset_core::identity::{Remote, Target};
use stageset_core::kubeconfig::{Credential, Kubeconfig};
use stageset_sim::{SimulatedCluster, User};
use tower::{BoxError, service_fn};

/// How a server behaves.
#[derive(Clone)]
pub(crate) enum Server {
    /// As a cluster, for those whose token it knows.
    Cluster(SimulatedCluster, BTreeMap<String, User>),
    /// It takes requests and never answers.
    Silent,
    /// It answers everything with this status and text.
    Says(u16, String),
    /// It never ends its answers.
    Endless,
}

/// All servers by host.
#[derive(Clone, Default)]
pub(crate) struct Clusters(Arc<Mutex<BTreeMap<String, Server>>>);

impl Clusters {
    pub(crate) fn put(&self, host: &str, server: Server) {
        self.0.lock().unwrap().insert(host.to_owned(), server);
    }
}

impl Connect for Clusters {
    fn connect(&self, kubeconfig: &Kubeconfig, remote: &Arc<Remote>) -> Result<Connection, String> {
        let host = kubeconfig.server().trim_start_matches("https://");
        let server = self.0.lock().unwrap().get(host).cloned();
        let side = Target::Remote(Arc::clone(remote));
        let token = match kubeconfig.credential() {
            Credential::Token(token) => token.clone(),
            _ => return Err("only tokens are known here".to_owned()),
        };
        Ok(match server.ok_or("no such server")? {
            Server::Cluster(cluster, users) => match users.get(&token) {
                Some(user) => Connection::from_service_at(cluster.door(user.clone()), &side),
                None => answers(
                    401,
                    json!({ "kind": "Status", "code": 401, "message": "Unauthorized" }),
                    &side,
                ),
            },
            Server::Silent => Connection::from_service_at(
                service_fn(|_: Request<Body>| async {
                    std::future::pending::<Result<Response<Body>, BoxError>>().await
                }),
                &side,
            ),
            Server::Says(status, said) => {
                let body = json!({ "kind": "Status", "code": status, "message": said });
                answers(status, body, &side)
            }
            Server::Endless => Connection::from_service_at(
                service_fn(|_: Request<Body>| async {
                    let chunk = bytes::Bytes::from(vec![b' '; 1024 * 1024]);
                    let frames = futures::stream::repeat_with(move || {
                        Ok::<_, BoxError>(http_body::Frame::data(chunk.clone()))
                    });
                    let body = http_body_util::StreamBody::new(frames);
                    Ok::<_, BoxError>(Response::new(body))
                }),
                &side,
            ),
        })
    }
}

fn answers(status: u16, body: Value, side: &Target) -> Connection {
    let body = body.to_string();
    Connection::from_service_at(
        service_fn(move |_: Request<Body>| {
            let response = Response::builder()
                .status(status)
                .body(Body::from(body.clone().into_bytes()));
            async move { response.map_err(BoxError::from) }
        }),
        side,
    )
}

/// A kubeconfig with a token.
pub(crate) fn kubeconfig(host: &str, token: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- name: c\n  context: {{cluster: k, \
         user: u}}\nclusters:\n- name: k\n  cluster: {{server: 'https://{host}'}}\nusers:\n- name: u\n  \
         user: {{token: {token}}}\n"
    )
}
