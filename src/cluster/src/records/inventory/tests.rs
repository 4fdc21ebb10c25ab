use serde_json::json;
use stageset_api::inventory::{shard_labels, shard_name};
use stageset_api::names::{FINALIZER, LABEL_STAGE_SET};
use stageset_core::names::{SecretName, ServiceAccountName};
use stageset_core::object::ObjectKey;
use stageset_core::observation::InventoryEntry;

use super::shard::{owner_references, read_kubeconfig};
use super::*;

const OWNER: Owner<'static> = Owner {
    namespace: "shop",
    name: "web",
    uid: "u1",
};

fn stage() -> StageName {
    StageName::new("app").unwrap()
}

fn key(name: &str) -> ObjectKey {
    ObjectKey {
        group: String::new(),
        kind: "ConfigMap".into(),
        namespace: Some("shop".into()),
        name: name.into(),
    }
}

fn inventory(names: &[&str]) -> StageInventory {
    StageInventory {
        position: 1,
        service_account: Some(ServiceAccountName::new("deployer").unwrap()),
        target: String::new(),
        deleting: false,
        kubeconfig: None,
        entries: names
            .iter()
            .map(|name| {
                let entry = InventoryEntry {
                    version: "v1".into(),
                    uid: Some(format!("uid-{name}")),
                    digest: None,
                };
                (key(name), entry)
            })
            .collect(),
    }
}

/// A namespace that carries writes out one by one.
#[derive(Default, Clone)]
struct Store {
    objects: BTreeMap<String, Value>,
    version: u64,
}

impl Store {
    fn carry_out(&mut self, write: &ShardWrite) {
        self.version += 1;
        match write {
            ShardWrite::Create {
                index,
                spec,
                kubeconfig,
            } => {
                let mut object = created(OWNER, &stage(), *index, spec, kubeconfig.as_ref());
                object["metadata"]["resourceVersion"] = self.version.to_string().into();
                object["metadata"]["uid"] = format!("i{}", self.version).into();
                let name = object["metadata"]["name"].as_str().unwrap().to_owned();
                assert!(self.objects.insert(name, object).is_none(), "created twice");
            }
            ShardWrite::Replace {
                shard,
                spec,
                kubeconfig,
            } => {
                let object = self.objects.get_mut(&shard.name).unwrap();
                let patch = replaced(OWNER, &stage(), shard, spec, kubeconfig.as_ref());
                assert_eq!(
                    object["metadata"]["resourceVersion"],
                    shard.resource_version.as_str()
                );
                object["spec"] = patch["spec"].clone();
                if let Some(finalizers) = patch["metadata"].get("finalizers") {
                    object["metadata"]["finalizers"] = finalizers.clone();
                }
                if let Some(annotations) = patch.pointer("/metadata/annotations") {
                    object["metadata"]["annotations"] = annotations.clone();
                }
                object["metadata"]["resourceVersion"] = self.version.to_string().into();
            }
            ShardWrite::Delete { shard } => {
                assert!(self.objects.remove(&shard.name).is_some());
            }
            ShardWrite::Release { shard } => {
                let object = self.objects.get_mut(&shard.name).unwrap();
                let patch = released(&shard.resource_version, &shard.finalizers);
                object["metadata"]["finalizers"] = patch["metadata"]["finalizers"].clone();
                object["metadata"]["resourceVersion"] = self.version.to_string().into();
            }
        }
    }

    fn read(&self) -> Inventories {
        Inventories::read(self.objects.values(), OWNER).0
    }

    fn names(&self) -> BTreeSet<String> {
        let observed = self.read().observed();
        observed
            .values()
            .flat_map(|i| i.entries.keys().map(|key| key.name.clone()))
            .collect()
    }

    fn write(&mut self, wanted: &StageInventory, cap: usize) {
        let both: BTreeSet<String> = {
            let wanted: BTreeSet<String> =
                wanted.entries.keys().map(|key| key.name.clone()).collect();
            self.names().intersection(&wanted).cloned().collect()
        };
        for write in self.read().writes(&stage(), wanted, cap) {
            self.carry_out(&write);
            // A crash here: nothing that stays is missing.
            assert!(
                both.is_subset(&self.names()),
                "{both:?} ⊄ {:?}",
                self.names()
            );
        }
        assert_eq!(self.read().observed()[&stage()], *wanted);
        assert_eq!(
            self.read().writes(&stage(), wanted, cap),
            [],
            "a second write finds nothing"
        );
        for object in self.objects.values() {
            let count = object["spec"]["entries"].as_array().map_or(0, Vec::len);
            assert!(count <= cap, "{count} entries in a shard of {cap}");
        }
    }
}

#[test]
fn no_entry_is_ever_missing_however_shards_grow_shrink_and_change_their_cap() {
    let mut store = Store::default();
    let all: Vec<String> = (0..40).map(|n| format!("n{n:02}")).collect();
    // A fixed walk through sets and caps that makes shards overflow, empty and fill again.
    let mut seed = 1_u64;
    for round in 0..60 {
        let mut names = Vec::new();
        for name in &all {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            if (seed >> 33) % 3 != round % 3 {
                names.push(name.as_str());
            }
        }
        let cap = [3, 7, 5, 100, 1][usize::try_from((seed >> 40) % 5).unwrap()];
        store.write(&inventory(&names), cap);
    }
    store.write(&inventory(&[]), 5);
    assert_eq!(store.objects.len(), 1, "an empty stage keeps shard 0");
}

#[test]
fn only_what_belongs_to_this_incarnation_is_read() {
    let mut store = Store::default();
    store.write(&inventory(&["a"]), 10);
    let ours = store.objects.values().next().unwrap().clone();
    let mut foreign = ours.clone();
    foreign["metadata"]["ownerReferences"][0]["uid"] = "u2".into();
    let mut unowned = ours.clone();
    unowned["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("ownerReferences");
    let mut other = ours.clone();
    other["metadata"]["labels"][LABEL_STAGE_SET] = "other".into();
    let mut odd = ours.clone();
    odd["metadata"]["labels"][LABEL_STAGE] = "Not A Stage".into();
    for object in [foreign, unowned, other, odd] {
        let (inventories, _) = Inventories::read([&object], OWNER);
        assert_eq!(inventories, Inventories::default());
    }
    assert_eq!(Inventories::read([&ours], OWNER).0.observed().len(), 1);
}

#[test]
fn inventories_of_the_go_controller_are_read_and_faulty_entries_counted() {
    let object = json!({
        "metadata": {
            "name": shard_name("web", "app", 0), "uid": "x", "resourceVersion": "3",
            "labels": shard_labels("web", "app", 0),
            "ownerReferences": owner_references(OWNER),
        },
        "spec": { "stagePosition": 2, "entries": [
            { "id": "shop_a__ConfigMap", "v": "v1" },
            { "id": "nonsense", "v": "v1" },
            { "id": 7 },
            { "id": "_system__x_rbac.authorization.k8s.io_ClusterRole", "v": "v1" },
        ]},
    });
    let (inventories, skipped) = Inventories::read([&object], OWNER);
    assert_eq!(skipped.into_values().collect::<Vec<_>>(), [2]);
    let observed = inventories.observed().remove(&stage()).unwrap();
    assert_eq!(
        (observed.position, observed.service_account.clone()),
        (2, None)
    );
    let names: Vec<_> = observed
        .entries
        .keys()
        .map(|key| key.name.as_str())
        .collect();
    assert_eq!(names, ["a", "system:x"]);
}

#[test]
fn a_shard_of_another_name_is_read_and_then_replaced() {
    let mut object = created(
        OWNER,
        &stage(),
        0,
        &StageInventorySpec {
            entries: vec![WireEntry {
                id: "shop_a__ConfigMap".into(),
                v: "v1".into(),
                uid: None,
                digest: None,
            }],
            ..StageInventorySpec::default()
        },
        None,
    );
    object["metadata"]["name"] = "odd".into();
    let (inventories, _) = Inventories::read([&object], OWNER);
    let wanted = inventories.observed().remove(&stage()).unwrap();
    let writes = inventories.writes(&stage(), &wanted, 10);
    assert!(
        matches!(&writes[..], [ShardWrite::Create { index: 0, .. }, ShardWrite::Delete { shard }] if shard.name == "odd")
    );
}

/// Somebody asks for the deletion of a shard; our finalizer keeps it.
fn leave(store: &mut Store, name: &str) {
    let object = store.objects.get_mut(name).unwrap();
    object["metadata"]["deletionTimestamp"] = "2026-11-25T12:00:00Z".into();
}

#[test]
fn the_entries_of_a_shard_that_somebody_deletes_stand_elsewhere_before_it_goes() {
    let mut store = Store::default();
    let wanted = inventory(&["a", "b", "c", "d", "e"]);
    store.write(&wanted, 2);
    let doomed: Vec<String> = store.objects.keys().take(2).cloned().collect();
    for name in &doomed {
        leave(&mut store, name);
    }
    assert!(store.read().observed()[&stage()].deleting);
    store.write(&wanted, 2);
    assert!(doomed.iter().all(|name| !store.objects.contains_key(name)));
}

#[test]
fn an_empty_inventory_that_somebody_deletes_is_written_under_another_index() {
    let mut store = Store::default();
    store.write(&inventory(&[]), 2);
    let name = store.objects.keys().next().unwrap().clone();
    leave(&mut store, &name);
    store.write(&inventory(&[]), 2);
    assert_eq!(store.objects.len(), 1);
    assert!(!store.objects.contains_key(&name));
}

#[test]
fn an_inventory_of_an_earlier_controller_gets_the_finalizer_with_its_next_write() {
    let mut store = Store::default();
    store.write(&inventory(&["a"]), 2);
    let object = store.objects.values_mut().next().unwrap();
    object["metadata"]["finalizers"] = json!(["example.com/other"]);
    assert_eq!(store.read().releases(), [], "it isn't held by us");
    store.write(&inventory(&["b"]), 2);
    let object = store.objects.values().next().unwrap();
    assert_eq!(
        object["metadata"]["finalizers"],
        json!(["example.com/other", FINALIZER])
    );
    let releases = store.read().releases();
    assert_eq!(releases.len(), 1);
    for (_, write) in releases {
        store.carry_out(&write);
    }
    let object = store.objects.values().next().unwrap();
    assert_eq!(
        object["metadata"]["finalizers"],
        json!(["example.com/other"])
    );
    assert_eq!(store.read().releases(), []);
}

#[test]
fn the_way_to_another_cluster_is_recorded_and_forgotten() {
    let mut store = Store::default();
    let mut abroad = inventory(&["a", "b"]);
    abroad.target = "sha256:c".into();
    abroad.kubeconfig = Some(KubeconfigReference {
        name: SecretName::new("prod.eu").unwrap(),
        key: "kube_config.yaml".into(),
    });
    let local = inventory(&["a", "b"]);
    for state in [abroad, local] {
        for write in store.read().writes(&stage(), &state, 10) {
            store.carry_out(&write);
        }
        assert_eq!(store.read().observed()[&stage()], state);
        assert!(store.read().writes(&stage(), &state, 10).is_empty());
    }
    // Whatever somebody writes there: no reference rather than a wrong one.
    for bad in ["", "a", "/k", "A/k", "a b/k", "../x/k"] {
        assert_eq!(read_kubeconfig(bad), None, "{bad:?}");
    }
}

/// Every shard is asked for, by its version, and none changes.
#[test]
fn what_is_confirmed_stays_as_it_is() {
    let mut store = Store::default();
    store.write(&inventory(&["a", "b", "c"]), 2);
    let before = store.read();
    let confirms = before.confirms(&stage());
    assert_eq!(confirms.len(), 2);
    for write in &confirms {
        // It holds each write against the version that stands.
        store.carry_out(write);
    }
    assert_eq!(store.read().observed(), before.observed());
    assert_eq!(before.confirms(&StageName::new("other").unwrap()), []);
}
