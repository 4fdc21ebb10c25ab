//! The record of applied objects: what prune and teardown may touch.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::names::{LABEL_SHARD, LABEL_STAGE, LABEL_STAGE_SET};
use crate::object_meta::ObjectMeta;
use crate::read::tolerant;

/// Longest object name that Kubernetes accepts.
const NAME_MAX: usize = 253;

/// A StageInventory: one shard of one stage's record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageInventory {
    /// [`API_VERSION`](crate::names::API_VERSION).
    #[serde(default)]
    pub api_version: String,
    /// [`KIND_STAGE_INVENTORY`](crate::names::KIND_STAGE_INVENTORY).
    #[serde(default)]
    pub kind: String,
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// The record.
    #[serde(default)]
    pub spec: StageInventorySpec,
}

impl StageInventory {
    /// Reads an inventory, leaving out entries and fields that don't fit.
    pub fn read(object: &Value) -> Self {
        tolerant(object)
    }
}

/// Objects of one shard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StageInventorySpec {
    /// Position of the stage in the StageSet when this was written; teardown runs in reverse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage_position: Option<i32>,
    /// Digest of the target's address and CA. Unset: the local cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Account that the objects were applied as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// The objects, sorted by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<InventoryEntry>,
}

/// One recorded object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct InventoryEntry {
    /// namespace_name_group_kind; empty parts stay.
    pub id: String,
    /// API version without the group, e.g. v1.
    pub v: String,
    /// Uid of the object; unset until it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Digest of the manifest as it was last applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// What an entry's id says: an object, whatever its version.
///
/// On the wire it is `namespace_name_group_kind`. As the Go controller does, a `:` in the name
/// (RBAC kinds have such names) is written `__`. An underscore of the name stays as it is, unless a
/// neighbour makes it ambiguous; then it is `%5f` (`%` can't be in a name). So every reference
/// reads back as it was, and what the Go controller wrote is read as it meant it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// Object name.
    pub name: String,
    /// API group; empty for the core group.
    pub group: String,
    /// Kind.
    pub kind: String,
}

/// A text that is no entry id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("inventory entry {found:?} is not of the form namespace_name_group_kind")]
pub struct InvalidEntryId {
    found: String,
}

fn write_name(name: &str) -> String {
    let special = |c: Option<char>| matches!(c, Some('_' | ':'));
    let mut text = String::with_capacity(name.len());
    let mut before = None;
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            ':' => text.push_str("__"),
            '%' => text.push_str("%25"),
            '_' if special(before) || special(rest.peek().copied()) => text.push_str("%5f"),
            other => text.push(other),
        }
        before = Some(c);
    }
    text
}

fn read_name(text: &str) -> String {
    text.replace("__", ":")
        .replace("%5f", "_")
        .replace("%25", "%")
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}_{}_{}_{}",
            self.namespace,
            write_name(&self.name),
            self.group,
            self.kind
        )
    }
}

impl FromStr for EntryId {
    type Err = InvalidEntryId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = || {
            let (namespace, rest) = text.split_once('_')?;
            let (rest, kind) = rest.rsplit_once('_')?;
            let (name, group) = rest.rsplit_once('_')?;
            (!name.is_empty() && !kind.is_empty()).then(|| Self {
                namespace: namespace.to_owned(),
                name: read_name(name),
                group: group.to_owned(),
                kind: kind.to_owned(),
            })
        };
        parts().ok_or_else(|| InvalidEntryId {
            found: text.chars().take(300).collect(),
        })
    }
}

/// Name of the object that holds a shard: `<stageset>-<stage>-<NN>-<10 hex>`.
///
/// The digits come from the lengths as well as the names, so `a-b`+`c` and `a`+`b-c` differ (A12).
pub fn shard_name(stage_set: &str, stage: &str, shard: u32) -> String {
    let text = format!(
        "{}/{stage_set}/{}/{stage}/{shard}",
        stage_set.len(),
        stage.len()
    );
    let digest = Sha256::digest(text.as_bytes());
    let first = digest
        .iter()
        .take(5)
        .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let tail = format!("-{shard:02}-{first:010x}");
    let mut head = format!("{stage_set}-{stage}");
    if head.len() + tail.len() > NAME_MAX {
        let mut end = NAME_MAX - tail.len();
        while !head.is_char_boundary(end) {
            end -= 1;
        }
        head.truncate(end);
        head.truncate(head.trim_end_matches(['-', '.']).len());
    }
    head + &tail
}

/// Labels of the object that holds a shard.
pub fn shard_labels(stage_set: &str, stage: &str, shard: u32) -> BTreeMap<String, String> {
    BTreeMap::from([
        (LABEL_STAGE_SET.to_owned(), stage_set.to_owned()),
        (LABEL_STAGE.to_owned(), stage.to_owned()),
        (LABEL_SHARD.to_owned(), shard.to_string()),
    ])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id(namespace: &str, name: &str, group: &str, kind: &str) -> EntryId {
        EntryId {
            namespace: namespace.into(),
            name: name.into(),
            group: group.into(),
            kind: kind.into(),
        }
    }

    #[test]
    fn ids_are_written_as_the_contract_says() {
        for (entry, text) in [
            (
                id("shop", "web", "apps", "Deployment"),
                "shop_web_apps_Deployment",
            ),
            (id("shop", "conf", "", "ConfigMap"), "shop_conf__ConfigMap"),
            (id("", "shop", "", "Namespace"), "_shop__Namespace"),
            (
                id("", "system:a:b", "rbac.authorization.k8s.io", "ClusterRole"),
                "_system__a__b_rbac.authorization.k8s.io_ClusterRole",
            ),
            (id("n", "my_role", "g", "Role"), "n_my_role_g_Role"),
        ] {
            assert_eq!(entry.to_string(), text);
            assert_eq!(text.parse(), Ok(entry));
        }
    }

    #[test]
    fn every_name_reads_back() {
        let alphabet = ["a", "_", ":", "%", "5f", "-", "."];
        let mut names: Vec<String> = vec![String::new()];
        for _ in 0..5 {
            names = names
                .iter()
                .flat_map(|n| alphabet.map(|a| format!("{n}{a}")))
                .collect();
            for name in &names {
                for (namespace, group) in [("", ""), ("n", ""), ("", "g.io"), ("n", "g.io")] {
                    let entry = id(namespace, name, group, "K");
                    assert_eq!(entry.to_string().parse(), Ok(entry));
                }
            }
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "a", "a_b", "a_b_c", "a__g_K", "a_b_g_", "____"] {
            assert!(text.parse::<EntryId>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn attack_a12_shards_of_different_stages_never_share_a_name() {
        assert_ne!(shard_name("a-b", "c", 0), shard_name("a", "b-c", 0));
        assert_ne!(shard_name("a", "b", 0), shard_name("a", "b", 1));
        assert_eq!(shard_name("shop", "app", 0), "shop-app-00-44ca278acd");
        assert!(shard_name("shop", "app", 123).starts_with("shop-app-123-"));
        let long = shard_name(&"s".repeat(200), &"t".repeat(200), 7);
        assert_eq!(long.len(), 253);
        assert!(
            shard_name(&format!("{}.b", "s".repeat(237)), "t", 7).starts_with(&"s".repeat(237))
        );
    }

    #[test]
    fn malformed_entries_are_left_out() {
        let inventory = StageInventory::read(&json!({
            "metadata": {"name": "x", "namespace": "n", "labels": {"stages.metio.wtf/shard": "0", "b": 1}},
            "spec": {
                "stagePosition": "first",
                "entries": [{"id": "n_a__K", "v": "v1"}, {"id": 5, "v": "v1"}, {"id": "n_b__K"}, null],
            }
        }));
        assert_eq!(inventory.spec.stage_position, None);
        assert_eq!(inventory.spec.entries.len(), 1);
        assert_eq!(inventory.metadata.labels.len(), 1);
        assert_eq!(inventory.metadata.name, "x");
    }
}
