//! Which identity a request of the controller must carry, read from the audit log.

use stageset_cluster::requests::table::{Plane, listed};

use crate::audit::Event;
use crate::chart;

/// Why a request should not have been sent the way it was; none when it is right.
pub fn violation(event: &Event) -> Option<String> {
    let wrong = match &event.impersonated {
        Some(user) => wrong_tenant(event, user),
        None if own_plane(event) => None,
        None => Some("not impersonated".to_owned()),
    };
    wrong.map(|wrong| {
        format!(
            "{} {} ({}) as {:?}: {wrong}",
            event.verb, event.uri, event.code, event.impersonated
        )
    })
}

fn wrong_tenant(event: &Event, user: &str) -> Option<String> {
    let namespace = user
        .strip_prefix("system:serviceaccount:")
        .and_then(|rest| rest.split_once(':').map(|(namespace, _)| namespace));
    match namespace {
        None => Some("not a ServiceAccount".to_owned()),
        // A tenant may be refused elsewhere, but what it is allowed to touch in these scenarios is
        // its own namespace.
        Some(own) if !event.namespace.is_empty() && event.namespace != own && event.code < 400 => {
            Some(format!(
                "an account of {own} in the namespace {}",
                event.namespace
            ))
        }
        Some(_) if event.group == "stages.metio.wtf" => {
            Some("the controller's own records are not the tenant's to touch".to_owned())
        }
        Some(_) => None,
    }
}

/// Whether a request without impersonation is one that the controller makes for itself.
fn own_plane(event: &Event) -> bool {
    let resource = if event.subresource.is_empty() {
        event.resource.clone()
    } else {
        format!("{}/{}", event.resource, event.subresource)
    };
    let planes = [Plane::Record, Plane::Read];
    let listed = listed(&planes, &event.verb, &event.group, &resource).is_some();
    listed && (event.resource != "leases" || event.namespace == chart::NAMESPACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request to `group/resource` of the namespace `team`, answered with 200.
    fn event(verb: &str, group: &str, resource: &str, impersonated: Option<&str>) -> Event {
        Event {
            user: chart::USER.to_owned(),
            impersonated: impersonated.map(str::to_owned),
            verb: verb.to_owned(),
            group: group.to_owned(),
            resource: resource.to_owned(),
            subresource: String::new(),
            namespace: "team".to_owned(),
            name: "name".to_owned(),
            code: 200,
            dry_run: false,
            uri: format!("/{group}/{resource}"),
            time: String::new(),
        }
    }

    const TENANT: Option<&str> = Some("system:serviceaccount:team:deployer");

    #[test]
    fn tenants_objects_need_the_tenant() {
        for verb in [
            "get", "list", "watch", "create", "patch", "update", "delete",
        ] {
            for (group, resource) in [("", "configmaps"), ("apps", "deployments"), ("", "secrets")]
            {
                // The one exception: the kubeconfig of a StageSet (S26).
                if (verb, resource) != ("get", "secrets") {
                    assert!(
                        violation(&event(verb, group, resource, None)).is_some(),
                        "{verb}"
                    );
                }
                assert_eq!(
                    violation(&event(verb, group, resource, TENANT)),
                    None,
                    "{verb}"
                );
            }
        }
    }

    #[test]
    fn another_namespaces_account_or_a_person_is_wrong() {
        for user in [
            "system:serviceaccount:other:deployer",
            "admin",
            "system:masters",
        ] {
            assert!(
                violation(&event("get", "", "configmaps", Some(user))).is_some(),
                "{user}"
            );
        }
        let mut refused = event(
            "patch",
            "",
            "configmaps",
            Some("system:serviceaccount:other:d"),
        );
        refused.code = 403;
        assert_eq!(violation(&refused), None, "a refusal harms nobody");
    }

    #[test]
    fn own_records_need_the_controller() {
        let status = event("patch", "stages.metio.wtf", "stagesets", None);
        assert_eq!(violation(&status), None);
        let status = event("patch", "stages.metio.wtf", "stagesets", TENANT);
        assert!(violation(&status).is_some());
    }

    #[test]
    fn what_the_controller_may_only_read_it_may_not_write() {
        for (verb, group, resource) in [
            ("watch", "source.toolkit.fluxcd.io", "gitrepositories"),
            ("watch", "", "serviceaccounts"),
            ("get", "", "namespaces"),
            ("watch", "apiextensions.k8s.io", "customresourcedefinitions"),
        ] {
            assert_eq!(violation(&event(verb, group, resource, None)), None);
            assert!(
                violation(&event("patch", group, resource, None)).is_some(),
                "{resource}"
            );
        }
    }
}
