use super::*;

fn entry() -> InventoryEntry {
    InventoryEntry {
        version: "v1".into(),
        uid: None,
        digest: None,
    }
}

fn inventory(entry: InventoryEntry) -> StageInventory {
    let key = ObjectKey {
        group: String::new(),
        kind: "ConfigMap".into(),
        namespace: Some("a".into()),
        name: "b".into(),
    };
    StageInventory {
        entries: BTreeMap::from([(key, entry)]),
        ..StageInventory::default()
    }
}

#[test]
fn whatever_only_we_record_tells_that_a_record_is_ours() {
    assert!(is_foreign_record(&inventory(entry())));
    let mut ours = vec![
        inventory(InventoryEntry {
            uid: Some("u".into()),
            ..entry()
        }),
        inventory(InventoryEntry {
            digest: Some("d".into()),
            ..entry()
        }),
    ];
    ours.push(StageInventory {
        target: "https://elsewhere".into(),
        ..inventory(entry())
    });
    ours.push(StageInventory {
        service_account: ServiceAccountName::new("deployer").ok(),
        ..inventory(entry())
    });
    for inventory in ours {
        assert!(!is_foreign_record(&inventory), "{inventory:?}");
    }
}
