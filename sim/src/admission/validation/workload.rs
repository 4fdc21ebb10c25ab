//! Validation of the kinds that make pods.

use serde_json::{Value, json};

use super::{at, is_empty, label_name, list, metadata, nonnegative, one_of, pod, selector, text};
use crate::{selector::LabelSelector, status::Cause};

const TEMPLATE: &str = "spec.template";

/// `spec.selector`: there, fit, and not everything.
fn chooses(spec: &Value, kind: &str, required: bool, causes: &mut Vec<Cause>) {
    let chosen = at(spec, "selector");
    if chosen.is_null() {
        if required {
            causes.push(Cause::required("spec.selector", ""));
        }
        return;
    }
    selector("spec.selector", chosen, causes);
    if is_empty(at(chosen, "matchLabels")) && is_empty(at(chosen, "matchExpressions")) {
        let what = format!("empty selector is invalid for {kind}");
        causes.push(Cause::invalid("spec.selector", &json!({}), &what));
    }
}

/// The selector must choose the template's labels. No selector chooses nothing; an empty one
/// everything.
fn fits(path: &str, spec: &Value, causes: &mut Vec<Cause>) {
    let chosen = at(spec, "selector");
    let template = at(spec, "template");
    let fits =
        !chosen.is_null() && LabelSelector::from_object(chosen).is_none_or(|s| s.matches(template));
    if !fits {
        let labels = at(template, "metadata.labels");
        let shown = if is_empty(labels) {
            &Value::Null
        } else {
            labels
        };
        let what = "`selector` does not match template `labels`";
        let at = format!("{path}.template.metadata.labels");
        causes.push(Cause::invalid(at, shown, what));
    }
}

/// A pod template.
fn template(path: &str, template: &Value, causes: &mut Vec<Cause>) {
    let meta = at(template, "metadata");
    metadata::labels(&format!("{path}.labels"), meta.get("labels"), causes);
    let annotations = meta.get("annotations");
    metadata::annotations(&format!("{path}.annotations"), annotations, causes);
    causes.extend(pod::spec(&format!("{path}.spec"), at(template, "spec")));
}

/// Pods that are replaced for ever restart always.
fn restarts(spec: &Value, kind: &str, causes: &mut Vec<Cause>) {
    let pod = at(spec, "template.spec");
    let policy = text(pod, "restartPolicy");
    let path = format!("{TEMPLATE}.spec.restartPolicy");
    one_of(path, policy, &["Always"], causes);
    if pod.get("activeDeadlineSeconds").is_some() {
        let what = format!("activeDeadlineSeconds in {kind} is not Supported");
        let path = format!("{TEMPLATE}.spec.activeDeadlineSeconds");
        causes.push(Cause::forbidden(path, &what));
    }
}

pub(super) fn deployment(new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let spec = at(new, "spec");
    nonnegative("spec", spec, "replicas", &mut causes);
    chooses(spec, "deployment", true, &mut causes);
    fits("spec", spec, &mut causes);
    template(TEMPLATE, at(spec, "template"), &mut causes);
    restarts(spec, "ReplicaSet", &mut causes);
    strategy(at(spec, "strategy"), &mut causes);
    nonnegative("spec", spec, "minReadySeconds", &mut causes);
    nonnegative("spec", spec, "revisionHistoryLimit", &mut causes);
    nonnegative("spec", spec, "progressDeadlineSeconds", &mut causes);
    let deadline = at(spec, "progressDeadlineSeconds");
    let ready = at(spec, "minReadySeconds").as_i64().unwrap_or(0);
    if deadline.as_i64().is_some_and(|n| n <= ready) {
        let what = "must be greater than minReadySeconds";
        causes.push(Cause::invalid(
            "spec.progressDeadlineSeconds",
            deadline,
            what,
        ));
    }
    causes
}

fn strategy(strategy: &Value, causes: &mut Vec<Cause>) {
    let rolling = at(strategy, "rollingUpdate");
    match text(strategy, "type") {
        "Recreate" => {
            if !rolling.is_null() {
                let what = "may not be specified when strategy `type` is 'Recreate'";
                causes.push(Cause::forbidden("spec.strategy.rollingUpdate", what));
            }
        }
        "RollingUpdate" => {
            let path = "spec.strategy.rollingUpdate";
            for field in ["maxUnavailable", "maxSurge"] {
                amount(&format!("{path}.{field}"), at(rolling, field), causes);
            }
            let unavailable = at(rolling, "maxUnavailable");
            if number(unavailable) == 0 && number(at(rolling, "maxSurge")) == 0 {
                let what = "may not be 0 when `maxSurge` is 0";
                let at = format!("{path}.maxUnavailable");
                causes.push(Cause::invalid(at, unavailable, what));
            }
            at_most_all(&format!("{path}.maxUnavailable"), unavailable, causes);
        }
        other => {
            // The real server prints the struct that it decoded.
            let shown = json!({ "Type": other, "RollingUpdate": null });
            let known = ["Recreate", "RollingUpdate"].map(str::to_owned);
            causes.push(Cause::unsupported("spec.strategy", &shown, &known));
        }
    }
}

fn percent(value: &Value) -> Option<i64> {
    value.as_str()?.strip_suffix('%')?.parse().ok()
}

fn number(value: &Value) -> i64 {
    percent(value).or(value.as_i64()).unwrap_or(0)
}

/// A number of pods, or a percentage of them.
pub(super) fn amount(path: &str, value: &Value, causes: &mut Vec<Cause>) {
    if value.is_string() && percent(value).is_none_or(|p| p < 0) {
        let what = "a valid percent string must be a numeric string followed by an ending '%' \
                    (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
        causes.push(Cause::invalid(path, value, what));
    } else if value.as_i64().is_some_and(|n| n < 0) {
        let what = "must be greater than or equal to 0";
        causes.push(Cause::invalid(path, value, what));
    }
}

pub(super) fn at_most_all(path: &str, value: &Value, causes: &mut Vec<Cause>) {
    if percent(value).is_some_and(|p| p > 100) {
        causes.push(Cause::invalid(path, value, "must not be greater than 100%"));
    }
}

pub(super) fn replica_set(new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let spec = at(new, "spec");
    nonnegative("spec", spec, "replicas", &mut causes);
    nonnegative("spec", spec, "minReadySeconds", &mut causes);
    chooses(spec, "deployment", true, &mut causes);
    fits("spec", spec, &mut causes);
    template(TEMPLATE, at(spec, "template"), &mut causes);
    restarts(spec, "ReplicaSet", &mut causes);
    causes
}

pub(super) fn stateful_set(old: Option<&Value>, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let spec = at(new, "spec");
    let management = text(spec, "podManagementPolicy");
    if !matches!(management, "OrderedReady" | "Parallel") {
        let what = "must be 'OrderedReady' or 'Parallel'";
        let at = "spec.podManagementPolicy";
        causes.push(Cause::invalid(at, &json!(management), what));
    }
    let rolling = at(spec, "updateStrategy.rollingUpdate");
    match text(at(spec, "updateStrategy"), "type") {
        "RollingUpdate" if !rolling.is_null() => {
            let path = "spec.updateStrategy.rollingUpdate";
            nonnegative(path, rolling, "partition", &mut causes);
            let unavailable = at(rolling, "maxUnavailable");
            let path = format!("{path}.maxUnavailable");
            amount(&path, unavailable, &mut causes);
            if !unavailable.is_null() && number(unavailable) == 0 {
                causes.push(Cause::invalid(path.clone(), unavailable, "cannot be 0"));
            }
            at_most_all(&path, unavailable, &mut causes);
        }
        _ => {}
    }
    for (i, claim) in list(spec, "volumeClaimTemplates").iter().enumerate() {
        // No update may change them, so none is told what is wrong with them.
        if old.is_some() {
            break;
        }
        let path = format!("spec.volumeClaimTemplates[{i}].spec");
        causes.extend(pod::claim(&path, at(claim, "spec")));
    }
    nonnegative("spec", spec, "replicas", &mut causes);
    nonnegative("spec", spec, "minReadySeconds", &mut causes);
    let service = text(spec, "serviceName");
    // Names that were let in once may stay; no update may change them anyway.
    if !service.is_empty() && old.is_none() {
        label_name("spec.serviceName", service, &mut causes);
    }
    chooses(spec, "statefulset", true, &mut causes);
    fits("spec", spec, &mut causes);
    // The claims' volumes are there when a pod is.
    let mut pods = at(spec, "template").clone();
    let claims = list(spec, "volumeClaimTemplates");
    if !claims.is_empty() && pods.is_object() {
        let volumes = claims.iter().map(|claim| {
            let name = text(at(claim, "metadata"), "name");
            json!({ "name": name, "persistentVolumeClaim": { "claimName": name } })
        });
        let mut volumes: Vec<Value> = volumes.collect();
        let own = list(at(&pods, "spec"), "volumes").iter().cloned();
        let fresh: Vec<Value> = own
            .filter(|v| volumes.iter().all(|w| w["name"] != v["name"]))
            .collect();
        volumes.extend(fresh);
        crate::object::child(&mut pods, "spec").insert("volumes".into(), volumes.into());
    }
    template(TEMPLATE, &pods, &mut causes);
    restarts(spec, "StatefulSet", &mut causes);
    causes
}

pub(super) fn daemon_set(new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let spec = at(new, "spec");
    chooses(spec, "daemonset", false, &mut causes);
    fits("spec", spec, &mut causes);
    template(TEMPLATE, at(spec, "template"), &mut causes);
    restarts(spec, "DaemonSet", &mut causes);
    nonnegative("spec", spec, "minReadySeconds", &mut causes);
    if text(at(spec, "updateStrategy"), "type") == "RollingUpdate" {
        let path = "spec.updateStrategy.rollingUpdate";
        let rolling = at(spec, "updateStrategy.rollingUpdate");
        let (unavailable, surge) = (at(rolling, "maxUnavailable"), at(rolling, "maxSurge"));
        amount(&format!("{path}.maxUnavailable"), unavailable, &mut causes);
        amount(&format!("{path}.maxSurge"), surge, &mut causes);
        at_most_all(&format!("{path}.maxUnavailable"), unavailable, &mut causes);
        at_most_all(&format!("{path}.maxSurge"), surge, &mut causes);
        match (number(unavailable) != 0, number(surge) != 0) {
            (true, true) => {
                let what = "may not be set when maxUnavailable is non-zero";
                causes.push(Cause::invalid(format!("{path}.maxSurge"), surge, what));
            }
            (false, false) => {
                let what = "cannot be 0 when maxSurge is 0";
                causes.push(Cause::required(format!("{path}.maxUnavailable"), what));
            }
            _ => {}
        }
    }
    nonnegative("spec", spec, "revisionHistoryLimit", &mut causes);
    causes
}

/// The spec of a job, or of the jobs that a cron job makes (which have no selector yet).
pub(super) fn job(path: &str, spec: &Value, selects: bool) -> Vec<Cause> {
    let mut causes = Vec::new();
    for field in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        nonnegative(path, spec, field, &mut causes);
    }
    let mode = text(spec, "completionMode");
    if !mode.is_empty() {
        let known = ["NonIndexed", "Indexed"];
        one_of(format!("{path}.completionMode"), mode, &known, &mut causes);
    }
    if mode == "Indexed" && spec.get("completions").is_none() {
        let what = "when completion mode is Indexed";
        causes.push(Cause::required(format!("{path}.completions"), what));
    }
    template(
        &format!("{path}.template"),
        at(spec, "template"),
        &mut causes,
    );
    let restart = text(at(spec, "template.spec"), "restartPolicy");
    let at_restart = format!("{path}.template.spec.restartPolicy");
    if matches!(restart, "" | "Always") {
        let what = "valid values: \"OnFailure\", \"Never\"";
        causes.push(Cause::required(at_restart, what));
    } else {
        one_of(at_restart, restart, &["OnFailure", "Never"], &mut causes);
    }
    if selects {
        if at(spec, "selector").is_null() {
            causes.push(Cause::required(format!("{path}.selector"), ""));
        } else {
            selector(
                &format!("{path}.selector"),
                at(spec, "selector"),
                &mut causes,
            );
        }
        fits(path, spec, &mut causes);
    }
    causes
}

pub(super) fn cron_job(new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let spec = at(new, "spec");
    let name = crate::object::name(new);
    if name.len() > 52 {
        let what = "must be no more than 52 characters";
        causes.push(Cause::invalid("metadata.name", &json!(name), what));
    }
    if text(spec, "schedule").is_empty() {
        causes.push(Cause::required("spec.schedule", ""));
    }
    nonnegative("spec", spec, "startingDeadlineSeconds", &mut causes);
    let policy = text(spec, "concurrencyPolicy");
    let known = ["Allow", "Forbid", "Replace"];
    one_of("spec.concurrencyPolicy".into(), policy, &known, &mut causes);
    let job = at(spec, "jobTemplate.spec");
    causes.extend(self::job("spec.jobTemplate.spec", job, false));
    nonnegative("spec", spec, "successfulJobsHistoryLimit", &mut causes);
    nonnegative("spec", spec, "failedJobsHistoryLimit", &mut causes);
    causes
}
