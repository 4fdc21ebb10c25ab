//! Reads the dumped documents: which resources there are, and the schemas by name.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// One served resource, as aggregated discovery has it.
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) value: Value,
}

/// Everything that the table is made of.
pub(crate) struct Dump {
    /// `v1.37.2`
    pub(crate) server: String,
    /// Groups and their versions, in the order in which the server offers them.
    pub(crate) groups: Vec<(String, Vec<String>)>,
    /// Ordered by group, version and plural.
    pub(crate) resources: Vec<Resource>,
    /// Schemas by definition name.
    pub(crate) schemas: BTreeMap<String, Value>,
    /// Definition names by group, version and kind.
    pub(crate) kinds: BTreeMap<(String, String, String), String>,
}

pub(crate) fn read(directory: &Path) -> Result<Dump, String> {
    let server = text(&load(&directory.join("version.json"))?, "gitVersion")?.to_owned();
    let (mut groups, mut resources) = (Vec::new(), Vec::new());
    for file in ["discovery-api.json", "discovery-apis.json"] {
        discovered(&load(&directory.join(file))?, &mut groups, &mut resources)?;
    }
    let key = |r: &Resource| {
        let plural = r.value["resource"].as_str().unwrap_or_default().to_owned();
        (r.group.clone(), r.version.clone(), plural)
    };
    resources.sort_by_key(key);
    let (schemas, kinds) = (BTreeMap::new(), BTreeMap::new());
    let mut dump = Dump {
        server,
        groups,
        resources,
        schemas,
        kinds,
    };
    let folder = directory.join("v3");
    let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.sort();
    for file in files
        .iter()
        .filter(|file| file.extension().is_some_and(|e| e == "json"))
    {
        collect(&load(file)?, &mut dump).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    Ok(dump)
}

fn load(file: &Path) -> Result<Value, String> {
    let bytes = std::fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?;
    serde_json::from_slice(&bytes).map_err(|e| format!("{}: {e}", file.display()))
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str, String> {
    value[field]
        .as_str()
        .ok_or_else(|| format!("no {field} in {value}"))
}

fn discovered(
    list: &Value,
    groups: &mut Vec<(String, Vec<String>)>,
    resources: &mut Vec<Resource>,
) -> Result<(), String> {
    for group in list["items"]
        .as_array()
        .ok_or("discovery is not aggregated: no items")?
    {
        let name = group["metadata"]["name"].as_str().unwrap_or_default();
        groups.push((name.to_owned(), Vec::new()));
        for version in group["versions"].as_array().into_iter().flatten() {
            let versions = groups.last_mut().map(|(_, versions)| versions);
            versions
                .ok_or("no group")?
                .push(text(version, "version")?.to_owned());
            for resource in version["resources"].as_array().into_iter().flatten() {
                resources.push(Resource {
                    group: name.to_owned(),
                    version: text(version, "version")?.to_owned(),
                    value: resource.clone(),
                });
            }
        }
    }
    Ok(())
}

fn collect(document: &Value, dump: &mut Dump) -> Result<(), String> {
    let Some(schemas) = document["components"]["schemas"].as_object() else {
        return Ok(());
    };
    for (name, schema) in schemas {
        let mut schema = schema.clone();
        if let Some(fields) = schema.as_object_mut() {
            let kinds = fields.remove("x-kubernetes-group-version-kind");
            for kind in kinds
                .as_ref()
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let part = |field| text(kind, field).map(str::to_owned);
                let key = (part("group")?, part("version")?, part("kind")?);
                dump.kinds.insert(key, name.clone());
            }
        }
        match dump.schemas.get(name) {
            Some(other) if *other != schema => {
                return Err(format!("another document has a different schema {name}"));
            }
            _ => dump.schemas.insert(name.clone(), schema),
        };
    }
    Ok(())
}
