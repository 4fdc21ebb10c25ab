//! Certificates of the webhook's own making, on the simulated cluster: published, renewed, mended.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't be set up fails"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use stageset_cluster::{Clock, Connection, RequestIdentity};
use stageset_controller::metrics::Metrics;
use stageset_controller::webhook::Serving;
use stageset_controller::webhook::certificates::bundle;
use stageset_controller::webhook::certificates::configuration::Configuration;
use stageset_controller::webhook::certificates::issue::{issue, service_names};
use stageset_controller::webhook::certificates::self_signed::Keeper;
use stageset_core::time::Timestamp;
use stageset_sim::User;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::harness::{World, replica_user, within};

const NAME: &str = "stageset-controller.system.release";
const VALIDITY: Duration = Duration::from_secs(3600);

/// A configuration with two webhooks, of which the second already trusts somebody.
fn configuration(trusted: &str) -> Value {
    let webhook = |name: &str, path: &str, bundle: Option<&str>| {
        let mut client = json!({
            "service": { "name": "hook", "namespace": "system", "path": path, "port": 443 },
        });
        if let Some(bundle) = bundle {
            client["caBundle"] = bundle.into();
        }
        json!({
            "name": name, "clientConfig": client, "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        })
    };
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": NAME },
        "webhooks": [
            webhook("vstageset.stages.metio.wtf", "/a", None),
            webhook("other.stages.metio.wtf", "/b", Some(trusted)),
        ],
    })
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn somebody_elses() -> Vec<u8> {
    let far = Timestamp::parse("2026-11-23T21:00:00Z").unwrap();
    let issued = issue(&[], "somebody", far, Duration::from_secs(10_000_000)).unwrap();
    issued.authority
}

fn pem_of(authority: &[u8]) -> String {
    String::from_utf8(bundle::with(b"", authority, None, Timestamp::from_millis(0)).unwrap())
        .unwrap()
}

struct Kept {
    serving: Serving,
    missing: watch::Receiver<Vec<String>>,
    metrics: Metrics,
    _task: Aborting,
}

struct Aborting(JoinHandle<()>);

impl Drop for Aborting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn keep(world: &World, user: User) -> Kept {
    let connection = Connection::from_service(world.cluster.door(user));
    let client = connection.client(RequestIdentity::Controller);
    let (told, missing) = watch::channel(vec!["not yet".to_owned()]);
    let (serving, metrics) = (Serving::default(), Metrics::new());
    let keeper = Keeper {
        configuration: Configuration::new(client, NAME),
        names: service_names("hook", "system"),
        validity: VALIDITY,
        owner: "pod".to_owned(),
        clock: Clock::simulated(Timestamp::parse("2026-11-23T21:00:00Z").unwrap()),
        metrics: metrics.clone(),
        serving: serving.clone(),
        missing: told,
    };
    Kept {
        serving,
        missing,
        metrics,
        _task: Aborting(tokio::spawn(async move { match keeper.run().await {} })),
    }
}

impl Kept {
    async fn ready(&self) -> bool {
        let ready = || self.missing.borrow().is_empty() && self.serving.is_ready();
        within(Duration::from_secs(120), ready).await
    }

    fn failures(&self) -> u64 {
        let text = self.metrics.expose();
        text.lines()
            .find_map(|line| line.strip_prefix("stageset_webhook_cert_renewal_failures_total "))
            .unwrap()
            .parse()
            .unwrap()
    }
}

/// The authorities that the first and the second webhook trust, as PEM blocks.
fn trusted(world: &World) -> [BTreeSet<String>; 2] {
    let found = world
        .cluster
        .get(
            "admissionregistration.k8s.io/v1",
            "ValidatingWebhookConfiguration",
            "",
            NAME,
        )
        .unwrap();
    [0, 1].map(|index| {
        use base64::Engine as _;
        let text = found["webhooks"][index]["clientConfig"]["caBundle"]
            .as_str()
            .unwrap_or_default();
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(text)
            .unwrap();
        let text = String::from_utf8(bytes).unwrap();
        text.split_inclusive("-----END CERTIFICATE-----\n")
            .map(str::to_owned)
            .collect()
    })
}

#[tokio::test(start_paused = true)]
async fn an_authority_is_published_before_its_certificate_is_served() {
    let world = World::new().await;
    let other = pem_of(&somebody_elses());
    world.put(&configuration(&base64(other.as_bytes())));
    let kept = keep(&world, replica_user("controller"));
    // Until API servers have had time to learn of it, it isn't served.
    let published = within(Duration::from_secs(5), || trusted(&world)[0].len() == 1).await;
    assert!(published && !kept.serving.is_ready());
    assert!(kept.ready().await);
    let [first, second] = trusted(&world);
    assert_eq!(first.len(), 1);
    assert!(second.contains(&other) && second.is_superset(&first) && second.len() == 2);
    assert_eq!(kept.failures(), 0);
    // Everything else of the object is as it was.
    let found = world.cluster.get(
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        "",
        NAME,
    );
    assert_eq!(
        found.unwrap()["webhooks"][1]["clientConfig"]["service"]["path"],
        "/b"
    );
}

#[tokio::test(start_paused = true)]
async fn replicas_that_start_together_trust_each_other() {
    let world = World::new().await;
    world.put(&configuration(""));
    let kept: Vec<Kept> = (0..3)
        .map(|index| keep(&world, replica_user(&format!("replica-{index}"))))
        .collect();
    for replica in &kept {
        assert!(replica.ready().await);
    }
    assert_eq!(trusted(&world).map(|set| set.len()), [3, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_certificate_is_renewed_when_a_third_of_its_validity_is_left() {
    let world = World::new().await;
    let other = pem_of(&somebody_elses());
    world.put(&configuration(&base64(other.as_bytes())));
    let kept = keep(&world, replica_user("controller"));
    assert!(kept.ready().await);
    let [first, _] = trusted(&world);
    tokio::time::sleep(
        (VALIDITY * 2 / 3)
            .checked_sub(Duration::from_secs(120))
            .unwrap(),
    )
    .await;
    assert_eq!(trusted(&world)[0], first, "it was renewed too early");
    // For some seconds both are trusted, and never none.
    let mut most = 0;
    let renewed = within(Duration::from_secs(300), || {
        let [now, second] = trusted(&world);
        assert!(!now.is_empty() && second.contains(&other));
        most = most.max(now.len());
        now.len() == 1 && now != first
    })
    .await;
    assert!(renewed && most == 2, "{most}");
    assert_eq!(kept.failures(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_bundle_that_somebody_overwrites_is_mended() {
    let world = World::new().await;
    world.put(&configuration(""));
    let kept = keep(&world, replica_user("controller"));
    assert!(kept.ready().await);
    let [before, _] = trusted(&world);
    let other = pem_of(&somebody_elses());
    let mut overwritten = configuration(&base64(other.as_bytes()));
    overwritten["webhooks"][0]["clientConfig"]["caBundle"] = base64(other.as_bytes()).into();
    world.put(&overwritten);
    assert_eq!(trusted(&world)[0], BTreeSet::from([other.clone()]));
    let mended = within(Duration::from_secs(60), || {
        trusted(&world)[0].is_superset(&before)
    })
    .await;
    assert!(mended && trusted(&world)[0].contains(&other));
}

#[tokio::test(start_paused = true)]
async fn a_configuration_that_is_missing_is_said_and_waited_for() {
    let world = World::new().await;
    let kept = keep(&world, replica_user("controller"));
    let says = |text: &'static str| {
        let missing = kept.missing.clone();
        move || missing.borrow().iter().any(|line| line.contains(text))
    };
    assert!(within(Duration::from_secs(10), says("doesn't exist")).await);
    assert!(kept.missing.borrow()[0].contains(NAME));
    assert!(!kept.serving.is_ready() && kept.failures() > 0);
    world.put(&configuration(""));
    assert!(kept.ready().await);
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_missing_is_said() {
    let world = World::new().await;
    world.put(&configuration(""));
    let kept = keep(&world, User::new("nobody", &[]));
    let says = || {
        let missing = kept.missing.borrow();
        missing
            .iter()
            .any(|line| line.contains("grant its ServiceAccount"))
    };
    assert!(
        within(Duration::from_secs(10), says).await,
        "{:?}",
        kept.missing.borrow()
    );
}
