//! A canary in kubeconfig Secrets, and a controller that runs into every trouble with them: it stands
//! in nothing that anybody can see (A21, S29).
#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use stageset_cluster::remote::Connect;
use stageset_cluster::{Connection, Remotes};
use stageset_controller::Options;
use stageset_core::identity::{Remote, Target};
use stageset_core::kubeconfig::{Allowed, Kubeconfig};
use tower::{BoxError, service_fn};

use crate::harness::{World, config_map, stage_set};

const CANARY: &str = "kanarienvogel-7f3e";

/// A server that repeats everything it knows of the kubeconfig, with this status.
#[derive(Clone)]
struct Parrot;

impl Connect for Parrot {
    fn connect(&self, kubeconfig: &Kubeconfig, remote: &Arc<Remote>) -> Result<Connection, String> {
        let status: u16 = kubeconfig
            .server()
            .rsplit('-')
            .next()
            .and_then(|status| status.parse().ok())
            .ok_or("the host names no status")?;
        let server = kubeconfig.server().to_owned();
        let side = Target::Remote(Arc::clone(remote));
        let service = service_fn(move |request: Request<Body>| {
            let asked = format!("{:?}", request.headers());
            let said = json!({
                "kind": "Status", "code": status, "reason": CANARY,
                "message": format!("User \"{CANARY}\" cannot: {server} {asked} {CANARY}"),
            });
            let response = Response::builder()
                .status(status)
                .header("warning", format!("299 - \"{CANARY}\""))
                .body(Body::from(said.to_string().into_bytes()));
            async move { response.map_err(BoxError::from) }
        });
        Ok(Connection::from_service_at(service, &side))
    }
}

/// Log lines of this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn kubeconfig(host: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {CANARY}\ncontexts:\n- name: {CANARY}\n  \
         context: {{cluster: {CANARY}, user: {CANARY}}}\nclusters:\n- name: {CANARY}\n  \
         cluster: {{server: 'https://{host}'}}\nusers:\n- name: {CANARY}\n  user: {user}\n"
    )
}

/// Every kind of trouble, each in a StageSet of its own.
fn troubles() -> Vec<(String, String)> {
    let token = format!("{{token: {CANARY}}}");
    let mut all: Vec<(String, String)> = [200, 301, 400, 401, 403, 404, 409, 422, 429, 500, 503]
        .iter()
        .map(|status| {
            let host = format!("{CANARY}.example-{status}");
            (format!("says-{status}"), kubeconfig(&host, &token))
        })
        .collect();
    let mut add = |name: &str, text: String| all.push((name.to_owned(), text));
    let host = format!("{CANARY}.example");
    add("no-status", kubeconfig(&host, &token));
    add("not-yaml", format!("{CANARY}: [\"{CANARY}"));
    add("not-a-config", format!("{CANARY}: {CANARY}"));
    add(
        "no-current-context",
        kubeconfig(&host, &token)
            .replace(&format!("current-context: {CANARY}"), "current-context: ''")
            .replace(
                "\nclusters:",
                &format!("\n- name: {CANARY}-2\n  context: {{cluster: {CANARY}, user: {CANARY}}}\nclusters:"),
            ),
    );
    add(
        "unknown-context",
        kubeconfig(&host, &token).replace("current-context: ", "current-context: another-"),
    );
    add(
        "proxy",
        kubeconfig(&host, &token).replace(
            "cluster: {server:",
            &format!("cluster: {{proxy-url: 'http://{CANARY}.example', server:"),
        ),
    );
    add(
        "exec",
        kubeconfig(&host, &format!("{{exec: {{command: {CANARY}}}}}")),
    );
    add(
        "file",
        kubeconfig(&host, &format!("{{tokenFile: /{CANARY}}}")),
    );
    add(
        "plugin",
        kubeconfig(&host, &format!("{{auth-provider: {{name: {CANARY}}}}}")),
    );
    add(
        "as",
        kubeconfig(&host, &format!("{{token: {CANARY}, as: {CANARY}}}")),
    );
    add(
        "pem",
        kubeconfig(
            &host,
            &format!("{{client-certificate-data: {CANARY}, client-key-data: {CANARY}}}"),
        ),
    );
    add(
        "strange",
        kubeconfig(&host, &format!("{{token: {CANARY}, {CANARY}: {CANARY}}}")),
    );
    all
}

#[tokio::test(start_paused = true)]
async fn attack_a21_a_kubeconfig_is_seen_nowhere_in_a_running_controller() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let mut world = World::new().await;
    world.remotes = Arc::new(Remotes::new(Parrot, Allowed::default()));
    world.tenant("payments", &["*"]);
    world.source("payments", "app", &[("a.yaml", &config_map("a", "1"))]);
    let troubles = troubles();
    for (name, text) in &troubles {
        world.put(&json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "namespace": "payments", "name": name },
            "data": { "value": STANDARD.encode(text) },
        }));
        let mut object = stage_set("payments", name, &["app"]);
        object["spec"]["kubeConfig"] = json!({ "secretRef": { "name": name } });
        world.put(&object);
    }
    let controller = world.controller(Options::default());
    for (name, _) in &troubles {
        let failed = || world.ready("payments", name).starts_with("False");
        world
            .until(&format!("{name} says what is wrong"), failed)
            .await;
    }
    tokio::time::sleep(Duration::from_secs(600)).await;
    // And the way out, which meets the same trouble.
    for (name, _) in &troubles {
        world
            .cluster
            .delete("stages.metio.wtf/v1", "StageSet", "payments", name)
            .unwrap();
    }
    tokio::time::sleep(Duration::from_secs(600)).await;

    let list = |api_version: &str, kind: &str| -> Vec<Value> {
        world.cluster.list(api_version, kind, "payments")
    };
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("says-403"), "nothing was logged at all");
    let events = list("events.k8s.io/v1", "Event");
    assert!(!events.is_empty());
    let visible = [
        ("log", logged),
        ("metrics", controller.metrics.expose()),
        ("events", format!("{events:?}")),
        (
            "status",
            format!("{:?}", list("stages.metio.wtf/v1", "StageSet")),
        ),
        (
            "inventories",
            format!("{:?}", list("stages.metio.wtf/v1", "StageInventory")),
        ),
    ];
    for (what, text) in visible {
        for secret in [CANARY.to_owned(), STANDARD.encode(CANARY)] {
            let at = text.find(&secret);
            assert_eq!(
                at.map(|at| text[at.saturating_sub(300)..at + 30].to_owned()),
                None,
                "{what}"
            );
        }
    }
    controller.stop().await.unwrap();
}
