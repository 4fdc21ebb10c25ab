//! References to sources of content, wherever they stand.

use stageset_api::names::{DEFAULT_SOURCE_KIND, FLUX_SOURCE_GROUP};
use stageset_api::stageset::{SourceReference, StageSetSpec};

use super::super::problems::{Problems, SCHEMA, set, show};
use super::actions;
use crate::names::ServiceAccountName;

/// Whether the kind is one of Flux's whose objects carry their artifact themselves.
pub(in crate::spec) fn is_flux_kind(kind: &str) -> bool {
    kind == DEFAULT_SOURCE_KIND || matches!(kind, "GitRepository" | "OCIRepository" | "Bucket")
}

pub(super) fn check(spec: &StageSetSpec, problems: &mut Problems) {
    for (index, stage) in spec.stages.iter().enumerate() {
        let at = format!("spec.stages[{index}].sourceRef");
        producer_without_api_version(
            "V2",
            &at,
            &format!("stage {}", show(&stage.name)),
            &stage.source_ref,
            problems,
        );
        not_a_reference(&at, &stage.source_ref, problems);
    }
    // G7: the same inside actions and of the migrations' source.
    for found in actions::all(spec) {
        let action = found.action;
        let job = action.job.as_ref().map(|job| ("job", &job.source_ref));
        let apply = action
            .apply
            .as_ref()
            .map(|apply| ("apply", &apply.source_ref));
        for (verb, source) in job.into_iter().chain(apply) {
            let at = format!("{}.{verb}.sourceRef", found.field());
            producer_without_api_version("G7", &at, &found.who(), source, problems);
            not_a_reference(&at, source, problems);
        }
    }
    if let Some(migrations) = &spec.migrations_source_ref {
        let at = "spec.migrationsSourceRef.sourceRef";
        producer_without_api_version("G7", at, "the migrations", &migrations.source_ref, problems);
        not_a_reference(at, &migrations.source_ref, problems);
    }
}

/// V2, G7: without a group, a kind that produces an `ExternalArtifact` can't be told from another
/// of that name.
fn producer_without_api_version(
    rule: &'static str,
    at: &str,
    who: &str,
    source: &SourceReference,
    problems: &mut Problems,
) {
    let kind = set(source.kind.as_ref()).unwrap_or(DEFAULT_SOURCE_KIND);
    if !is_flux_kind(kind) && set(source.api_version.as_ref()).is_none() {
        let message = format!(
            "{who}: kind {} needs an apiVersion (group/version), since it is none of \
             {FLUX_SOURCE_GROUP}'s sources",
            show(kind)
        );
        problems.add(rule, format!("{at}.apiVersion"), message);
    }
}

/// What becomes part of a request's path is checked before any request is made.
fn not_a_reference(at: &str, source: &SourceReference, problems: &mut Problems) {
    // Objects and accounts share the rule of DNS-1123 subdomains.
    if ServiceAccountName::new(source.name.as_str()).is_err() {
        let message = format!(
            "{} names no object; lower-case letters, digits, '-' and '.', at most 253 characters",
            show(&source.name)
        );
        problems.add(SCHEMA, format!("{at}.name"), message);
    }
    if let Some(kind) = set(source.kind.as_ref()).filter(|kind| !is_kind(kind)) {
        let message = format!("{} is no kind, which is a CamelCase word", show(kind));
        problems.add(SCHEMA, format!("{at}.kind"), message);
    }
    if let Some(found) = set(source.api_version.as_ref()).filter(|text| !is_api_version(text)) {
        let message = format!(
            "{} is no apiVersion, which is version or group/version",
            show(found)
        );
        problems.add(SCHEMA, format!("{at}.apiVersion"), message);
    }
}

/// Whether the text is a kind: a word of at most 63 letters and digits.
pub(in crate::spec) fn is_kind(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Whether the text is `version` or `group/version`.
pub(in crate::spec) fn is_api_version(text: &str) -> bool {
    let (group, version) = text
        .split_once('/')
        .map_or((None, text), |(g, v)| (Some(g), v));
    let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !version.is_empty()
        && version.len() <= 63
        && version.bytes().all(lower)
        && version.starts_with(|c: char| c.is_ascii_lowercase())
        && !version.ends_with('-')
        && group.is_none_or(|group| ServiceAccountName::new(group).is_ok())
}

#[cfg(test)]
mod tests {
    use super::{is_api_version, is_kind};

    #[test]
    fn only_whole_references_reach_a_url() {
        for good in ["v1", "apps/v1", "a.b-c.io/v1beta1"] {
            assert!(is_api_version(good), "{good:?}");
        }
        for bad in [
            "",
            "/",
            "a/",
            "/v1",
            "a/b/c",
            "../v1",
            "a b/v1",
            "A/v1",
            "apps/V1",
            "apps/v1?x",
            "v1%2f",
        ] {
            assert!(!is_api_version(bad), "{bad:?}");
        }
        for bad in ["", "a b", "A/b", "1A", "Ä", "../X"] {
            assert!(!is_kind(bad), "{bad:?}");
        }
    }
}
