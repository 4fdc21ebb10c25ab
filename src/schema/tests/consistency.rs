//! What must hold of the table whatever the server's version.

use std::collections::BTreeSet;

use stageset_schema::{
    ListType, SchemaRef, Type, all_immutable_fields, definitions, groups, immutable_fields, kind,
    kinds, resource,
};

/// Every place of a definition: the definition, its fields, and what lists and maps hold, down to
/// the next definitions.
fn places(root: SchemaRef) -> Vec<(String, SchemaRef)> {
    let mut found = Vec::new();
    let mut open = vec![(root.name().unwrap_or_default().to_owned(), root)];
    while let Some((path, place)) = open.pop() {
        // Another definition has its own turn.
        if found.is_empty() || place.name().is_none() {
            open.extend(
                place
                    .fields()
                    .map(|(name, field)| (format!("{path} {name}"), field)),
            );
            open.extend(place.items().map(|items| (format!("{path} []"), items)));
            open.extend(
                place
                    .map_values()
                    .map(|values| (format!("{path} {{}}"), values)),
            );
        }
        found.push((path, place));
    }
    found
}

fn all_places() -> Vec<(String, SchemaRef)> {
    definitions().flat_map(places).collect()
}

#[test]
fn the_table_is_a_table_of_kubernetes() {
    assert!(kinds().count() > 60, "{} kinds", kinds().count());
    assert!(
        definitions().count() > 500,
        "{} definitions",
        definitions().count()
    );
    assert!(all_places().len() > 3000, "{} places", all_places().len());
}

#[test]
fn kinds_are_found_by_both_of_their_names() {
    let mut seen = BTreeSet::new();
    for entry in kinds() {
        assert_eq!(kind(entry.group, entry.version, entry.kind), Some(entry));
        assert_eq!(
            resource(entry.group, entry.version, entry.plural),
            Some(entry)
        );
        assert!(
            seen.insert((entry.group, entry.version, entry.kind)),
            "{entry:?} twice"
        );
        assert_eq!(entry.schema().kind(), Type::Struct, "{entry:?}");
        assert!(!entry.verbs.is_empty(), "{entry:?}");
        for field in ["apiVersion", "kind", "metadata"] {
            assert!(
                entry.schema().field(field).is_some(),
                "{} has no {field}",
                entry.kind
            );
        }
    }
}

#[test]
fn groups_list_every_version_once() {
    let listed: BTreeSet<_> = groups()
        .iter()
        .flat_map(|g| g.versions.iter().map(|v| (g.name, *v)))
        .collect();
    let served: BTreeSet<_> = kinds().map(|kind| (kind.group, kind.version)).collect();
    assert_eq!(listed, served);
    assert_eq!(groups()[0].name, "");
}

#[test]
fn no_definition_is_an_alias_for_another() {
    for place in definitions() {
        assert_ne!(place.name(), None);
        let opaque = place.kind() == Type::Any && !place.name().unwrap().contains("apiextensions");
        assert!(!opaque, "{place:?} is of no type");
    }
}

/// Server-side apply can't tell elements apart otherwise.
#[test]
fn keys_of_list_maps_are_scalar_fields_of_their_elements() {
    let (mut checked, mut optional) = (0, Vec::new());
    for (path, place) in all_places() {
        let Some(ListType::Map(keys)) = place.list_type() else {
            continue;
        };
        checked += 1;
        let items = place.items().unwrap();
        for key in keys {
            let field = items
                .field(key)
                .unwrap_or_else(|| panic!("{path} has no key {key}"));
            assert!(
                matches!(field.kind(), Type::String | Type::Integer | Type::Boolean),
                "{path}: key {key} is {:?}",
                field.kind()
            );
            if !items.is_required(key) && field.default().is_none() {
                optional.push(format!("{path} {key}"));
            }
        }
    }
    assert!(checked > 50, "{checked} lists");
    // Elements may lack these keys; whoever merges such lists must know what that means.
    assert_eq!(optional, OPTIONAL_KEYS);
}

const OPTIONAL_KEYS: [&str; 2] = [
    "io.k8s.api.core.v1.ServiceAccount secrets name",
    "io.k8s.api.resource.v1.ResourceClaimStatus devices shareID",
];

#[test]
fn merge_keys_are_fields_of_their_elements() {
    let mut checked = 0;
    for (path, place) in all_places() {
        let Some(key) = place.merge_key() else {
            continue;
        };
        checked += 1;
        assert!(
            place.patch_strategy().merge,
            "{path} has a merge key and no merge"
        );
        assert!(
            place.items().and_then(|items| items.field(key)).is_some(),
            "{path} by {key}"
        );
    }
    assert!(checked > 50, "{checked} lists");
}

#[test]
fn immutable_fields_exist_and_are_in_order() {
    let all = all_immutable_fields();
    assert!(all.is_sorted_by(|a, b| (a.group, a.kind, a.field) < (b.group, b.kind, b.field)));
    for rule in all {
        let owner = kinds()
            .find(|kind| kind.group == rule.group && kind.kind == rule.kind)
            .unwrap_or_else(|| panic!("no kind {}", rule.kind));
        let path: Vec<&str> = rule.field.split('.').collect();
        assert!(
            owner.schema().at(&path).is_some(),
            "{} {}",
            rule.kind,
            rule.field
        );
        assert!(immutable_fields(rule.group, rule.kind).any(|found| found == rule));
    }
}
