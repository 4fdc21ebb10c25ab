//! Hints from metadata.

use stageset_core::identity::{Target, Tenancy};
use stageset_core::names::{Namespace, ServiceAccountName};

use super::*;

fn sink() -> (Tenant, mpsc::UnboundedReceiver<Signal>) {
    let identity = Identity::resolve(
        Tenancy::Multi,
        &Namespace::new("payments").unwrap(),
        Some(&ServiceAccountName::new("deployer").unwrap()),
        &Target::Local,
    )
    .unwrap();
    let (signals, received) = mpsc::unbounded_channel();
    let id = Id {
        identity,
        resource: Resource::new("", "v1", "ConfigMap", "configmaps"),
        namespace: Some("payments".into()),
    };
    (
        Tenant {
            id: Arc::new(id),
            covered: Arc::default(),
            ended: Arc::default(),
            signals,
            known: BTreeMap::new(),
            began: false,
        },
        received,
    )
}

fn seen(version: &str, entry: &str, owner: &str) -> Seen {
    Seen {
        name: "settings".into(),
        kept: Kept {
            version: Text::of(version),
            entry: Some(Text::of(entry)),
            owner: Some(Owner::of(Some("payments"), "payments", owner)),
        },
    }
}

fn told(received: &mut mpsc::UnboundedReceiver<Signal>) -> Vec<(Vec<String>, bool)> {
    std::iter::from_fn(|| received.try_recv().ok())
        .filter(|signal| !matches!(signal, Signal::Listed(_)))
        .map(|signal| match signal {
            Signal::Tenant(event) => (
                event
                    .owners
                    .into_iter()
                    .map(|key| key.name.clone())
                    .collect(),
                event.touched,
            ),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn an_object_that_moves_is_told_apart_from_one_that_was_touched() {
    let (mut sink, mut received) = sink();
    let shop = || vec!["shop".to_owned()];
    sink.take(News::Listed(vec![seen("1", "e", "shop")]));
    assert_eq!(
        told(&mut received),
        [(shop(), true)],
        "what was read before may be older"
    );
    sink.take(News::Changed(seen("1", "e", "shop")));
    assert_eq!(told(&mut received), []);
    sink.take(News::Changed(seen("2", "e", "shop")));
    assert_eq!(told(&mut received), [(shop(), false)]);
    sink.take(News::Changed(seen("3", "f", "shop")));
    assert_eq!(told(&mut received), [(shop(), true)]);
    sink.take(News::Deleted(seen("4", "f", "shop")));
    assert_eq!(told(&mut received), [(shop(), true)]);
}

#[test]
fn a_label_that_names_another_owner_tells_both() {
    let (mut sink, mut received) = sink();
    sink.take(News::Listed(vec![seen("1", "e", "shop")]));
    told(&mut received);
    sink.take(News::Changed(seen("2", "e", "thief")));
    assert_eq!(
        told(&mut received),
        [(vec!["shop".to_owned(), "thief".to_owned()], true)]
    );
}

#[test]
fn what_a_new_list_lacks_is_gone() {
    let (mut sink, mut received) = sink();
    sink.take(News::Listed(vec![seen("1", "e", "shop")]));
    told(&mut received);
    sink.take(News::Listed(vec![]));
    assert_eq!(told(&mut received), [(vec!["shop".to_owned()], true)]);
}

#[test]
fn a_watch_that_begins_anew_tells_what_it_found_to_all_who_rely_on_it() {
    let (mut sink, mut received) = sink();
    sink.take(News::Listed(vec![]));
    assert!(received.try_recv().is_err(), "nobody relied on it before");
    sink.take(News::Listed(vec![seen("1", "e", "shop")]));
    let listed = std::iter::from_fn(|| received.try_recv().ok()).find_map(|signal| match signal {
        Signal::Listed(listing) => Some(listing.hint()),
        _ => None,
    });
    let Some(Hint::Listed {
        identity,
        kind,
        namespace,
        names,
        ..
    }) = listed
    else {
        panic!("{listed:?}")
    };
    assert_eq!(identity, sink.id.identity);
    assert_eq!(
        (&*kind, namespace.as_deref()),
        ("ConfigMap", Some("payments"))
    );
    assert_eq!(*names, BTreeSet::from(["settings".into()]));
}

#[test]
fn the_selector_is_the_tenants_own_namespace() {
    let (sink, _received) = sink();
    let on = sink.id.on();
    assert_eq!(
        on.selector.as_deref(),
        Some("stages.metio.wtf/namespace=payments")
    );
    assert_eq!(on.path(), "/api/v1/namespaces/payments/configmaps");
    assert!(on.metadata_only);
}

#[test]
fn a_watch_covers_its_own_identity_kind_and_namespace_only() {
    let (mut sink, _received) = sink();
    let object = |namespace: &str| Reference {
        key: ObjectKey {
            group: String::new(),
            kind: "ConfigMap".into(),
            namespace: Some(namespace.into()),
            name: "any".into(),
        },
        version: "v1".into(),
        plural: "configmaps".into(),
    };
    let identity = sink.id.identity.clone();
    let covered = Arc::clone(&sink.covered);
    assert!(!covers(&covered, &identity, &object("payments")));
    sink.take(News::Live);
    assert!(covers(&covered, &identity, &object("payments")));
    assert!(!covers(&covered, &identity, &object("other")));
    let error = super::super::reflector::WatchError::Silent;
    sink.take(News::Broken {
        error,
        pause: Duration::ZERO,
    });
    assert!(!covers(&covered, &identity, &object("payments")));
}

fn covers(covered: &Covered, identity: &Identity, object: &Reference) -> bool {
    covered.covers(identity, &object.key, &object.version)
}

fn reference(kind: &str, namespace: &str) -> Reference {
    Reference {
        key: ObjectKey {
            group: String::new(),
            kind: kind.into(),
            namespace: Some(namespace.into()),
            name: "any".into(),
        },
        version: "v1".into(),
        plural: format!("{}s", kind.to_lowercase()),
    }
}

#[test]
fn a_watch_covers_its_kind_in_its_namespace_for_its_identity_while_it_stands() {
    let (tenant, _received) = sink();
    let (id, covered) = (&tenant.id, &tenant.covered);
    let object = reference("ConfigMap", "payments");
    let of = |object: &Reference| covers(covered, &id.identity, object);
    assert!(!of(&object));
    covered.set(id, true, &tenant.ended);
    covered.set(id, true, &tenant.ended);
    assert!(of(&object));
    assert!(!of(&reference("Secret", "payments")));
    assert!(!of(&reference("ConfigMap", "other")));
    let (namespace, other) = ("payments", "another");
    let another = Identity::resolve(
        Tenancy::Multi,
        &Namespace::new(namespace).unwrap(),
        Some(&ServiceAccountName::new(other).unwrap()),
        &Target::Local,
    );
    assert!(!covers(covered, &another.unwrap(), &object));
    covered.set(id, false, &tenant.ended);
    assert!(!of(&object));
    assert!(covered.live.read().unwrap().is_empty());
    tenant.ended.store(true, Ordering::SeqCst);
    covered.set(id, true, &tenant.ended);
    assert!(!of(&object), "one that was ended vouches for nothing");
}

#[tokio::test]
async fn watches_beyond_the_cap_wait_for_a_place() {
    let silent = tower::service_fn(|_: http::Request<kube::client::Body>| async {
        std::future::pending::<Result<http::Response<String>, std::io::Error>>().await
    });
    let (signals, _received) = mpsc::unbounded_channel();
    let connection = Connection::from_service(silent);
    let mut tenants = Tenants::new(connection, Arc::default(), signals, Metrics::new(), 2);
    let (sink, _told) = sink();
    let key = |name: &str| Key::new("payments", name);
    let objects = |kinds: &[&str]| {
        let all = kinds.iter();
        all.map(|kind| (sink.id.identity.clone(), reference(kind, "payments")))
            .collect::<BTreeSet<_>>()
    };
    let running = |tenants: &Tenants| {
        let all = tenants.wanted.iter();
        all.filter(|(_, wanted)| wanted.running.is_some())
            .map(|(id, _)| id.resource.gvk.kind.clone())
            .collect::<Vec<_>>()
    };
    tenants.set(&key("a"), &objects(&["ConfigMap", "Secret"]));
    tenants.set(&key("b"), &objects(&["Secret", "Service"]));
    assert_eq!(running(&tenants), ["ConfigMap", "Secret"]);
    let who = |kind: &str| {
        let id = Arc::new(Id::of(&sink.id.identity, &reference(kind, "payments")));
        let names = Arc::default();
        tenants.who_want(&Listing { id, names })
    };
    assert_eq!(who("Secret"), [key("a"), key("b")]);
    assert_eq!(who("Service"), [key("b")]);
    assert!(who("Widget").is_empty());
    // What another StageSet wants as well goes on.
    tenants.forget(&key("a"));
    assert_eq!(running(&tenants), ["Secret", "Service"]);
    tenants.set(&key("b"), &objects(&["Service"]));
    assert_eq!(
        (running(&tenants), tenants.running),
        (vec!["Service".to_owned()], 1)
    );
    tenants.forget(&key("b"));
    assert!(tenants.wanted.is_empty() && tenants.of.is_empty() && tenants.waiting.is_empty());
    assert_eq!(tenants.running, 0);
}
