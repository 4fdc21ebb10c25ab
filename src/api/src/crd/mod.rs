//! The CustomResourceDefinitions, assembled from the types' JSON schemas.
//!
//! The types say everything about their fields; this module adds what isn't a field: names, printer
//! columns, the status subresource. It works on plain JSON, because the derive of the client
//! library would tie the types to the client, and its serialisation to its release.

mod schema;
mod yaml;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

pub use yaml::to_yaml;

use crate::duration::{DurationText, PATTERN};
use crate::inventory::StageInventorySpec;
use crate::ledger::{StageLedgerSpec, StageLedgerStatus};
use crate::names::{
    GROUP, KIND_STAGE_INVENTORY, KIND_STAGE_LEDGER, KIND_STAGE_SET, LABEL_STAGE,
    PLURAL_STAGE_INVENTORIES, PLURAL_STAGE_LEDGERS, PLURAL_STAGE_SETS, VERSION,
};
use crate::stageset::{Action, StageSetSpec};
use crate::status::StageSetStatus;
use crate::time::Time;

/// Most retries of an action inside a migration.
const MIGRATION_RETRIES: u32 = 10;

/// A generated file: its name and the definition it holds.
pub struct Definition {
    /// File name, e.g. `stagesets.yaml`.
    pub file: String,
    /// The CustomResourceDefinition.
    pub definition: Value,
}

struct Blueprint {
    kind: &'static str,
    plural: &'static str,
    short_names: &'static [&'static str],
    description: &'static str,
    columns: Value,
    spec: Value,
    /// Whether the API server insists on a spec.
    spec_required: bool,
    status: Option<Value>,
}

/// All definitions.
pub fn definitions() -> Vec<Definition> {
    [stage_set(), stage_inventory(), stage_ledger()]
        .into_iter()
        .map(|kind| Definition {
            file: format!("{}.yaml", kind.plural),
            definition: define(kind),
        })
        .collect()
}

fn age() -> Value {
    json!({ "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp" })
}

fn stage_set() -> Blueprint {
    Blueprint {
        kind: KIND_STAGE_SET,
        plural: PLURAL_STAGE_SETS,
        short_names: &[],
        description: "An ordered release: stages of manifests, delivered one after the other as their tenant.",
        columns: json!([
            { "name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status" },
            { "name": "Status", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].message" },
            age(),
        ]),
        spec: schema::of::<StageSetSpec>(),
        spec_required: true,
        status: Some(schema::of::<StageSetStatus>()),
    }
}

fn stage_inventory() -> Blueprint {
    let path = format!(".metadata.labels.{}", LABEL_STAGE.replace('.', "\\."));
    Blueprint {
        kind: KIND_STAGE_INVENTORY,
        plural: PLURAL_STAGE_INVENTORIES,
        short_names: &[],
        description: "A shard of the record of what a stage applied. Written by the controller.",
        columns: json!([{ "name": "Stage", "type": "string", "jsonPath": path }, age()]),
        spec: schema::of::<StageInventorySpec>(),
        spec_required: false,
        status: None,
    }
}

fn stage_ledger() -> Blueprint {
    Blueprint {
        kind: KIND_STAGE_LEDGER,
        plural: PLURAL_STAGE_LEDGERS,
        short_names: &["sledger"],
        description: "The record of a StageSet's Lifetime actions. It survives the StageSet.",
        columns: json!([
            {
                "name": "Completed",
                "type": "integer",
                "jsonPath": ".status.completedActions[*].action",
                "priority": 1,
            },
            age(),
        ]),
        spec: schema::of::<StageLedgerSpec>(),
        spec_required: false,
        status: Some(schema::of::<StageLedgerStatus>()),
    }
}

fn define(kind: Blueprint) -> Value {
    let singular = kind.kind.to_lowercase();
    let mut names = json!({
        "kind": kind.kind,
        "listKind": format!("{}List", kind.kind),
        "plural": kind.plural,
        "singular": singular,
    });
    if !kind.short_names.is_empty() {
        names["shortNames"] = json!(kind.short_names);
    }
    let mut properties = json!({
        "apiVersion": { "type": "string" },
        "kind": { "type": "string" },
        "metadata": { "type": "object" },
        "spec": kind.spec,
    });
    let mut version = json!({
        "name": VERSION,
        "served": true,
        "storage": true,
        "additionalPrinterColumns": kind.columns,
    });
    if let Some(status) = kind.status {
        properties["status"] = status;
        version["subresources"] = json!({ "status": {} });
    }
    let mut root = json!({
        "type": "object",
        "description": kind.description,
        "properties": properties,
    });
    if kind.spec_required {
        root["required"] = json!(["spec"]);
    }
    version["schema"] = json!({ "openAPIV3Schema": root });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{}.{GROUP}", kind.plural) },
        "spec": {
            "group": GROUP,
            "names": names,
            "scope": "Namespaced",
            "versions": [version],
        },
    })
}

/// Schema of a migration's actions: as everywhere, but with fewer retries.
pub(crate) fn migration_actions(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = generator.subschema_for::<Vec<Action>>();
    if let Some(retries) = schema.pointer_mut("/items/properties/retries") {
        retries["maximum"] = json!(MIGRATION_RETRIES);
    }
    schema
}

impl JsonSchema for DurationText {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "string", "pattern": PATTERN })
    }
}

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}
