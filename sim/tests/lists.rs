//! Lists: selectors, pages, and the revision they are of.

use serde_json::{Value, json};

use crate::world::{Answer, World, message};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn map(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "labels": { "n": name } } })
}

fn count(answer: &Answer) -> usize {
    answer.1["items"].as_array().map_or(0, Vec::len)
}

#[test]
fn lists_select_and_page_over_one_revision() {
    let mut w = World::new();
    for name in ["a", "b", "c", "d"] {
        w.post(MAPS, &map(name));
    }
    let (_, chosen) = w.get(&format!("{MAPS}?labelSelector=n%20in%20(a,c)"));
    assert_eq!(chosen["items"].as_array().unwrap().len(), 2);
    assert_eq!(chosen["kind"], "ConfigMapList");
    let (_, page) = w.get(&format!("{MAPS}?limit=2"));
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    assert!(page["metadata"]["remainingItemCount"].as_u64().unwrap() >= 2);
    w.delete(&format!("{MAPS}/c"), &Value::Null);
    let token = page["metadata"]["continue"].as_str().unwrap().to_owned();
    let (_, rest) = w.get(&format!("{MAPS}?limit=9&continue={token}"));
    let names: Vec<&str> = rest["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names[..2],
        ["c", "d"],
        "deleted since, and still in this list"
    );
    w.server.compact();
    let gone = w.get(&format!("{MAPS}?limit=9&continue={token}"));
    assert_eq!((gone.0, gone.1["reason"].as_str()), (410, Some("Expired")));
}

#[test]
fn a_list_of_one_name_has_no_further_page() {
    let mut w = World::new();
    for name in ["a", "b", "c"] {
        w.post(MAPS, &map(name));
    }
    let (_, page) = w.get(&format!("{MAPS}?limit=1"));
    assert!(page["metadata"]["continue"].is_string());
    let (_, one) = w.get(&format!("{MAPS}?limit=1&fieldSelector=metadata.name%3Da"));
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
    assert!(one["metadata"].get("continue").is_none());
}

/// Whoever asks for a page of a revision, and doesn't say how he means it, gets that very revision.
#[test]
fn a_page_of_a_revision_is_of_no_other() {
    let mut w = World::new();
    w.post(MAPS, &map("a"));
    let then = w.server.revision();
    w.post(MAPS, &map("b"));
    let at = format!("resourceVersion={then}");
    assert_eq!(count(&w.get(&format!("{MAPS}?{at}"))), 3, "not older than");
    let page = w.get(&format!("{MAPS}?{at}&limit=1"));
    assert_eq!(page.1["metadata"]["resourceVersion"], then.to_string());
    assert_eq!(page.1["metadata"]["remainingItemCount"], 1);
    let how = "resourceVersionMatch=NotOlderThan";
    let newer = w.get(&format!("{MAPS}?{at}&limit=1&{how}"));
    assert_eq!(newer.1["metadata"]["remainingItemCount"], 2);
    assert_eq!(
        count(&w.get(&format!("{MAPS}?resourceVersion=1&limit=9"))),
        0
    );
    // One object is asked for, not a page.
    let one = "fieldSelector=metadata.name%3Db";
    assert_eq!(count(&w.get(&format!("{MAPS}?{at}&limit=1&{one}"))), 1);
    let exact = w.get(&format!("{MAPS}?{at}&{one}&resourceVersionMatch=Exact"));
    assert_eq!(count(&exact), 0);
    w.server.compact();
    let gone = w.get(&format!("{MAPS}?{at}&limit=1"));
    assert_eq!(
        (gone.0, message(&gone)),
        (410, "The resourceVersion for the provided list is too old.")
    );
}
