//! What a store answers, and what it takes for news.

use super::*;

fn object(namespace: &str, name: &str, version: &str) -> Item {
    let object = json!({ "metadata": {
        "namespace": namespace, "name": name, "resourceVersion": version,
    }});
    Item::of(&object["metadata"], object.clone().into()).unwrap()
}

fn names(changes: &[Change]) -> Vec<String> {
    changes
        .iter()
        .map(|change| {
            let sign = match (&change.old, &change.new) {
                (None, Some(_)) => '+',
                (Some(_), None) => '-',
                _ => '~',
            };
            format!("{sign}{}/{}", change.namespace, change.name)
        })
        .collect()
}

/// No server tells events in another order; a proxy, or a watch that was resumed, might.
#[test]
fn an_event_of_before_changes_nothing() {
    let stores = Stores::default();
    let resource = Resource::stage_sets();
    let told = |version: &str| {
        let change = stores.upsert(&resource, object("a", "x", version));
        change.is_some()
    };
    let held = || {
        let seen = stores.last_seen(&resource.gvk, "a", "x").unwrap();
        seen.version().map(str::to_owned)
    };
    assert!(told("9"));
    assert!(told("10"));
    assert!(!told("9"));
    assert_eq!(held().as_deref(), Some("10"));
    assert!(told("later"), "versions that can't be compared");
    // Another one of the name may come from a server whose versions begin anew.
    let mut another = object("a", "x", "3");
    another.object = json!({ "metadata": { "uid": "v", "resourceVersion": "3" } }).into();
    assert!(stores.upsert(&resource, another).is_some());
}

#[test]
fn an_object_that_is_there_again_does_not_go_with_the_one_before_it() {
    let stores = Stores::default();
    let resource = Resource::service_accounts();
    let of = |uid: &str, version: &str| {
        let mut item = object("a", "x", version);
        item.object = json!({ "metadata": { "uid": uid, "resourceVersion": version } }).into();
        item
    };
    assert!(stores.upsert(&resource, of("old", "5")).is_some());
    assert!(stores.upsert(&resource, of("new", "9")).is_some());
    assert!(stores.remove(&resource, of("old", "8")).is_none());
    assert!(stores.last_seen(&resource.gvk, "a", "x").is_some());
    assert!(stores.remove(&resource, of("new", "10")).is_some());
    assert!(stores.last_seen(&resource.gvk, "a", "x").is_none());
    // One that is gone before it was told that it is there again.
    assert!(stores.upsert(&resource, of("new", "9")).is_some());
    assert!(stores.remove(&resource, of("next", "12")).is_some());
}

#[test]
fn a_store_answers_only_while_its_watch_stands() {
    let running = AtomicBool::new(false);
    let stores = Stores::default();
    let resource = Resource::stage_sets();
    let on = WatchOn::whole(resource.clone(), Some("a".to_owned()));
    stores.replace(&on, vec![object("a", "x", "1")]);
    assert_eq!(stores.get(&resource.gvk, "a", "x"), Watched::NotWatched);
    stores.set_live(&on, true, &running);
    assert_eq!(
        stores.get(&resource.gvk, "a", "x"),
        Watched::Synced(Some(object("a", "x", "1").object))
    );
    assert_eq!(stores.get(&resource.gvk, "a", "y"), Watched::Synced(None));
    assert_eq!(
        stores.get(&resource.gvk, "b", "x"),
        Watched::NotWatched,
        "another namespace"
    );
    assert_eq!(
        stores.list(&resource.gvk, "a"),
        WatchedList::Synced(vec![object("a", "x", "1").object])
    );
    stores.set_live(&on, false, &running);
    assert_eq!(stores.get(&resource.gvk, "a", "x"), Watched::NotWatched);
}

#[test]
fn a_watch_that_was_ended_vouches_for_nothing_however_late_it_speaks() {
    let stores = Stores::default();
    let resource = Resource::stage_sets();
    let on = WatchOn::whole(resource.clone(), None);
    let ended = AtomicBool::new(false);
    stores.drop_scope(&on, &ended);
    stores.set_live(&on, true, &ended);
    assert_eq!(stores.get(&resource.gvk, "a", "x"), Watched::NotWatched);
}

#[test]
fn a_new_list_tells_what_differs_in_its_own_scope() {
    let stores = Stores::default();
    let resource = Resource::stage_sets();
    let in_a = WatchOn::whole(resource.clone(), Some("a".to_owned()));
    let in_b = WatchOn::whole(resource.clone(), Some("b".to_owned()));
    let first = stores.replace(&in_a, vec![object("a", "x", "1"), object("a", "y", "1")]);
    assert_eq!(names(&first), ["+a/x", "+a/y"]);
    stores.replace(&in_b, vec![object("b", "z", "1")]);
    let second = stores.replace(&in_a, vec![object("a", "x", "2"), object("a", "w", "1")]);
    assert_eq!(names(&second), ["-a/y", "+a/w", "~a/x"]);
    assert!(
        stores.upsert(&resource, object("a", "x", "2")).is_none(),
        "known already"
    );
    assert!(
        stores.remove(&resource, object("a", "q", "2")).is_none(),
        "never known"
    );
    assert_eq!(
        names(&[stores.remove(&resource, object("b", "z", "1")).unwrap()]),
        ["-b/z"]
    );
}

#[test]
fn managed_fields_are_dropped_and_the_kind_is_filled_in() {
    let resource = Resource::stage_sets();
    let raw = json!({ "metadata": { "name": "x", "managedFields": [1] }, "spec": null });
    let kept = whole(&resource, raw).unwrap();
    assert_eq!(
        *kept.object.value(),
        json!({ "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
                "metadata": { "name": "x" }, "spec": null })
    );
    assert!(whole(&resource, json!({ "metadata": null })).is_none());
    assert!(whole(&resource, json!([])).is_none());
}
