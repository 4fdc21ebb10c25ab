//! The addresses of a service, and the families that they are of.

use serde_json::json;

use super::{Spec, addressed, family, list, opened, selects, text};
use crate::{
    admission::{names, validation::service::related_fields},
    server::Server,
    status::Cause,
};

/// The one address and the list of addresses say the same; clients that know only the one are
/// understood.
pub(super) fn follow_address(old: Option<&Spec>, new: &mut Spec) {
    let address = text(new, "clusterIP").to_owned();
    let Some(old) = old else {
        if !address.is_empty() && list(new, "clusterIPs").is_empty() {
            new.insert("clusterIPs".into(), json!([address]));
        }
        return;
    };
    let before = text(old, "clusterIP");
    if !list(old, "clusterIPs").is_empty()
        && list(new, "clusterIPs").is_empty()
        && before == address
    {
        new.insert("clusterIPs".into(), json!(list(old, "clusterIPs")));
    }
    if before != address && list(old, "clusterIPs") == list(new, "clusterIPs") {
        if address.is_empty() {
            new.remove("clusterIPs");
        } else {
            new.insert("clusterIPs".into(), json!([address]));
        }
    }
}

/// Settles the families of a service's addresses.
pub(super) fn families(old: Option<&Spec>, spec: &mut Spec) -> Result<(), Vec<Cause>> {
    if !addressed(spec) || prefers_both_unchanged(old, spec) {
        return Ok(());
    }
    let headless_alone = text(spec, "clusterIP") == "None" && !selects(spec);
    if text(spec, "ipFamilyPolicy").is_empty() {
        let before = old.map_or("", |old| text(old, "ipFamilyPolicy"));
        let policy = match before {
            "" if headless_alone => "RequireDualStack",
            "" => "SingleStack",
            before => before,
        };
        spec.insert("ipFamilyPolicy".into(), policy.into());
    }
    let causes = related_fields(spec);
    if !causes.is_empty() {
        return Err(causes);
    }
    let mut causes = Vec::new();
    let policy = spec.get("ipFamilyPolicy").cloned().unwrap_or_default();
    let single = policy == "SingleStack";
    let field = "spec.ipFamilyPolicy";
    if let Some(old) = old {
        for (field, release) in [
            (
                "clusterIPs",
                "must be 'SingleStack' to release the secondary cluster IP",
            ),
            (
                "ipFamilies",
                "must be 'SingleStack' to release the secondary IP family",
            ),
        ] {
            let (before, now) = (list(old, field), list(spec, field));
            if single && before == now && now.len() > 1 {
                let first = now[0].clone();
                spec.insert(field.into(), json!([first]));
            } else if !single && !now.is_empty() && now.len() < before.len() {
                causes.push(Cause::invalid("spec.ipFamilyPolicy", &policy, release));
            }
        }
    }
    if single {
        for (list_of, what) in [("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families")] {
            if list(spec, list_of).len() == 2 {
                let what = format!(
                    "must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are \
                     specified"
                );
                causes.push(Cause::invalid(field, &policy, &what));
            }
        }
    }
    let mut inferred = list(spec, "ipFamilies").to_vec();
    for (i, address) in list(spec, "clusterIPs").iter().enumerate() {
        if address == "None" {
            break;
        }
        if i < inferred.len() {
            continue;
        }
        if family(address) == "IPv4" {
            inferred.push("IPv4".into());
        } else {
            let path = format!("spec.clusterIPs[{i}]");
            let what = "IPv6 is not configured on this cluster";
            causes.push(Cause::invalid(path, &json!(list(spec, "clusterIPs")), what));
        }
    }
    if !causes.is_empty() {
        return Err(causes);
    }
    if headless_alone {
        if inferred.is_empty() {
            inferred.push("IPv4".into());
        }
        if inferred.len() < 2 && !single {
            let other = if inferred[0] == "IPv4" {
                "IPv6"
            } else {
                "IPv4"
            };
            inferred.push(other.into());
        }
        spec.insert("ipFamilies".into(), inferred.into());
        return Ok(());
    }
    if policy == "RequireDualStack" {
        let what = "this cluster is not configured for dual-stack services";
        causes.push(Cause::invalid(field, &policy, what));
    }
    for (i, family) in inferred.iter().enumerate() {
        if family != "IPv4" {
            let path = format!("spec.ipFamilies[{i}]");
            causes.push(Cause::invalid(
                path,
                family,
                "not configured on this cluster",
            ));
        }
    }
    if !causes.is_empty() {
        return Err(causes);
    }
    if inferred.is_empty() {
        inferred.push("IPv4".into());
    }
    spec.insert("ipFamilies".into(), inferred.into());
    Ok(())
}

/// Nothing is settled anew for a service that takes two families where it gets them.
fn prefers_both_unchanged(old: Option<&Spec>, new: &Spec) -> bool {
    let both = "PreferDualStack";
    old.is_some_and(|old| {
        text(old, "type") == text(new, "type")
            && opened_or_internal(new)
            && text(new, "ipFamilyPolicy") == both
            && matches!(text(old, "ipFamilyPolicy"), "" | "PreferDualStack")
            && list(old, "clusterIPs") == list(new, "clusterIPs")
            && list(old, "ipFamilies") == list(new, "ipFamilies")
    })
}

fn opened_or_internal(spec: &Spec) -> bool {
    opened(spec) || text(spec, "type") == "ClusterIP"
}

/// An address of each family, unless the service is headless or brings its own.
///
/// Each address is an object that names its service, so that not every name will do.
pub(super) fn addresses(server: &mut Server, name: &str, spec: &mut Spec) -> Result<(), Cause> {
    if !addressed(spec)
        || list(spec, "clusterIPs")
            .first()
            .is_some_and(|ip| ip == "None")
    {
        return Ok(());
    }
    let mut given = list(spec, "clusterIPs").to_vec();
    for i in 0..list(spec, "ipFamilies").len() {
        if i >= given.len() {
            given.push("".into());
        }
        if given[i] == "" {
            let address = server.ids.cluster_ip();
            let problems = names::path_segment(name);
            let problem = match problems.first() {
                _ if name.is_empty() => Some("Required value".to_owned()),
                Some(problem) => Some(format!("Invalid value: \"{name}\": {problem}")),
                None => None,
            };
            if let Some(problem) = problem {
                let what = format!(
                    "failed to allocate IP: IPAddress.networking.k8s.io \"{address}\" is invalid: \
                     spec.parentRef.name: {problem}"
                );
                return Err(Cause::invalid("spec.clusterIPs", &given.into(), &what));
            }
            given[i] = address.into();
        }
    }
    if let Some(first) = given.first() {
        spec.insert("clusterIP".into(), first.clone());
    }
    spec.insert("clusterIPs".into(), given.into());
    Ok(())
}
