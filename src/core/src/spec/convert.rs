//! A spec that broke no rule, as types that cannot be wrong.

use std::time::Duration;

use stageset_api::duration::{DurationText, GoDuration};
use stageset_api::names::{
    DEFAULT_KUBE_CONFIG_KEY, DEFAULT_SOURCE_API_VERSION, DEFAULT_SOURCE_KIND,
};
use stageset_api::stageset as api;

use super::actions::actions;
use super::overlay;
use super::problems::{Problems, SCHEMA, set, show};
use super::rules::sources::is_flux_kind;
use super::{
    Check, ConflictPolicy, ReadyExpressions, SourceReference, Spec, Stage, StageSetReference,
};
use crate::identity::KubeconfigReference;
use crate::judge::cel::Expression;
use crate::names::{InvalidName, Namespace, SecretName, ServiceAccountName, StageName};
use crate::object::GroupVersionKind;

/// The parsed spec, unless something is wrong; then the problems say what.
pub(super) fn spec(
    namespace: &str,
    spec: &api::StageSetSpec,
    problems: &mut Problems,
) -> Option<Spec> {
    // Every stage is converted, so that each one's problems are found.
    let stages: Vec<Option<Stage>> = spec
        .stages
        .iter()
        .enumerate()
        .map(|(index, found)| stage(namespace, index, found, problems))
        .collect();
    let service_account = account("spec", spec.service_account_name.as_ref(), problems);
    let kube_config = kube_config(spec.kube_config.as_ref(), problems);
    let depends_on: Vec<Option<StageSetReference>> = spec
        .depends_on
        .iter()
        .enumerate()
        .map(|(index, found)| dependency(namespace, index, found, problems))
        .collect();
    if stages.is_empty() {
        // G10: the schema's minItems may have been bypassed.
        problems.add("G10", "spec.stages", "at least one stage is needed");
        return None;
    }
    Some(Spec {
        interval: positive(spec.interval.as_ref()),
        retry_interval: positive(spec.retry_interval.as_ref()),
        drift_detection_interval: positive(spec.drift_detection_interval.as_ref()),
        timeout: positive(spec.timeout.as_ref()),
        suspend: spec.suspend.unwrap_or(false),
        service_account: service_account?,
        kube_config: kube_config?,
        depends_on: depends_on.into_iter().collect::<Option<Vec<_>>>()?,
        stages: stages.into_iter().collect::<Option<Vec<Stage>>>()?,
    })
}

/// The span if it is one and positive; zero and less count as unset. G8 reports what is none.
fn positive(text: Option<&DurationText>) -> Option<Duration> {
    text.and_then(|text| text.parse().ok())
        .and_then(GoDuration::positive)
}

/// G1: an account's name is one, and so stays in the StageSet's namespace. The outer `None` is a
/// problem, the inner one an unset field. An empty text is not "unset" (A02).
#[expect(
    clippy::option_option,
    reason = "an invalid name and no name are two things"
)]
fn account(
    parent: &str,
    name: Option<&String>,
    problems: &mut Problems,
) -> Option<Option<ServiceAccountName>> {
    let Some(name) = name else {
        return Some(None);
    };
    let field = format!("{parent}.serviceAccountName");
    named(
        ServiceAccountName::new(name.as_str()),
        name,
        "G1",
        field,
        problems,
    )
    .map(Some)
}

/// The Secret of `kubeConfig`, with its default key (S24). Without one V25 or V31 has reported it: it
/// never passes for "no kubeConfig" (S28).
#[expect(
    clippy::option_option,
    reason = "an invalid reference and no kubeConfig are two things"
)]
fn kube_config(
    found: Option<&api::KubeConfig>,
    problems: &mut Problems,
) -> Option<Option<KubeconfigReference>> {
    let Some(found) = found else {
        return Some(None);
    };
    let secret = found.secret_ref.as_ref()?;
    let at = "spec.kubeConfig.secretRef";
    let key = set(secret.key.as_ref()).unwrap_or(DEFAULT_KUBE_CONFIG_KEY);
    let valid_key = key.len() <= 253
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if !valid_key {
        let message = format!(
            "{} can't be a key of a Secret: letters, digits, '-', '_' and '.', at most 253 \
             characters",
            show(key)
        );
        problems.add(SCHEMA, format!("{at}.key"), message);
    }
    if secret.name.is_empty() {
        // V25 says so.
        return None;
    }
    let name = named(
        SecretName::new(secret.name.as_str()),
        &secret.name,
        "V25",
        format!("{at}.name"),
        problems,
    );
    Some(Some(KubeconfigReference {
        name: name?,
        key: valid_key.then(|| key.to_owned())?,
    }))
}

fn named<T>(
    checked: Result<T, InvalidName>,
    found: &str,
    rule: &'static str,
    field: String,
    problems: &mut Problems,
) -> Option<T> {
    match checked {
        Ok(name) => Some(name),
        Err(invalid) => {
            let message = format!(
                "{} is not a valid {}: {}",
                show(found),
                invalid.what(),
                invalid.rule()
            );
            problems.add(rule, field, message);
            None
        }
    }
}

fn stage(
    namespace: &str,
    index: usize,
    stage: &api::Stage,
    problems: &mut Problems,
) -> Option<Stage> {
    let at = format!("spec.stages[{index}]");
    // G2: a stage's name becomes a label value.
    let name = named(
        StageName::new(stage.name.as_str()),
        &stage.name,
        "G2",
        format!("{at}.name"),
        problems,
    );
    let source = source(
        namespace,
        &format!("{at}.sourceRef"),
        &stage.source_ref,
        problems,
    );
    let path = match normal_path(stage.path.as_deref().unwrap_or_default()) {
        Ok(path) => Some(path),
        Err(fault) => {
            problems.add(SCHEMA, format!("{at}.path"), fault);
            None
        }
    };
    let service_account = account(&at, stage.service_account_name.as_ref(), problems);
    let checks = stage.ready_checks.as_ref();
    let actions = actions(namespace, &at, stage.actions.as_ref(), problems);
    Some(Stage {
        name: name?,
        source: source?,
        path: path?,
        service_account: service_account?,
        overlay: overlay::overlay(&at, stage, problems),
        prune: stage.prune.unwrap_or(true),
        timeout: positive(checks.and_then(|c| c.timeout.as_ref()))
            .or_else(|| positive(stage.timeout.as_ref())),
        disable_wait: checks.and_then(|c| c.disable_wait).unwrap_or(false),
        checks: checks.map_or_else(Vec::new, |c| c.checks.iter().map(check).collect()),
        expressions: checks.map_or_else(Vec::new, |c| c.exprs.iter().map(expressions).collect()),
        conflicts: ConflictPolicy::from_api(stage.force, stage.conflict_policy.as_ref()),
        actions: actions?,
    })
}

/// Expressions; V29 has seen to what doesn't compile.
fn expressions(found: &api::ReadyExpression) -> ReadyExpressions {
    let compiled =
        |text: &Option<String>| set(text.as_ref()).and_then(|text| Expression::compile(text).ok());
    ReadyExpressions {
        group: GroupVersionKind::from_manifest(&found.api_version, "").group,
        kind: found.kind.clone(),
        current: compiled(&found.current),
        in_progress: compiled(&found.in_progress),
        failed: compiled(&found.failed),
    }
}

/// A check; V29 has seen to kind and name.
fn check(check: &api::ObjectReference) -> Check {
    let api_version = set(check.api_version.as_ref()).unwrap_or("v1");
    Check {
        gvk: GroupVersionKind::from_manifest(api_version, &check.kind),
        namespace: set(check.namespace.as_ref()).map(str::to_owned),
        name: check.name.clone(),
    }
}

/// A dependency with its namespace. Its name is V30's.
pub(super) fn dependency(
    namespace: &str,
    index: usize,
    dependency: &api::Dependency,
    problems: &mut Problems,
) -> Option<StageSetReference> {
    let at = format!("spec.dependsOn[{index}].namespace");
    Some(StageSetReference {
        namespace: namespace_or(namespace, dependency.namespace.as_ref(), at, problems)?,
        name: dependency.name.clone(),
    })
}

/// The namespace that a reference names, or the StageSet's own.
fn namespace_or(
    own: &str,
    named_namespace: Option<&String>,
    field: String,
    problems: &mut Problems,
) -> Option<Namespace> {
    match set(named_namespace) {
        Some(found) => named(Namespace::new(found), found, SCHEMA, field, problems),
        // A bad one is reported as the StageSet's own.
        None => Namespace::new(own).ok(),
    }
}

/// A source with its defaults. A Flux kind without a group is Flux's.
pub(super) fn source(
    namespace: &str,
    at: &str,
    source: &api::SourceReference,
    problems: &mut Problems,
) -> Option<SourceReference> {
    let kind = set(source.kind.as_ref()).unwrap_or(DEFAULT_SOURCE_KIND);
    let api_version = set(source.api_version.as_ref())
        .filter(|found| found.contains('/') || !is_flux_kind(kind))
        .unwrap_or(DEFAULT_SOURCE_API_VERSION);
    let field = format!("{at}.namespace");
    let namespace = namespace_or(namespace, source.namespace.as_ref(), field, problems);
    Some(SourceReference {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace?,
        name: source.name.clone(),
    })
}

/// Longest path that is accepted; longer ones are longer than any archive's entries.
const PATH_MAX: usize = 4096;

/// `./a//b/` as `a/b`; the root as the empty text.
pub(super) fn normal_path(path: &str) -> Result<String, String> {
    if path.starts_with('/') {
        return Err(format!(
            "{} is absolute; write it relative to the artifact's root",
            show(path)
        ));
    }
    if path.len() > PATH_MAX || path.chars().any(char::is_control) {
        return Err(format!(
            "{} is no path inside an artifact: it is longer than {PATH_MAX} bytes or holds control characters",
            show(path)
        ));
    }
    let parts: Vec<&str> = path
        .split('/')
        .filter(|p| !matches!(*p, "" | "."))
        .collect();
    if parts.contains(&"..") {
        return Err(format!(
            "{} leads out of the artifact; leave out \"..\"",
            show(path)
        ));
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::normal_path;

    #[test]
    fn paths_are_normal_and_stay_inside() {
        for (path, normal) in [
            ("", ""),
            (".", ""),
            ("./", ""),
            ("./a", "a"),
            ("a//b/", "a/b"),
            ("a/./b/.", "a/b"),
            ("...", "..."),
            ("a/..b", "a/..b"),
        ] {
            assert_eq!(normal_path(path).as_deref(), Ok(normal), "{path:?}");
        }
        let long = "a/".repeat(3000);
        for path in [
            "/",
            "/a",
            "..",
            "../a",
            "a/..",
            "a/../b",
            "./..",
            "a\nb",
            "a\0",
            long.as_str(),
        ] {
            assert!(normal_path(path).is_err(), "{path:?} was accepted");
        }
    }
}
