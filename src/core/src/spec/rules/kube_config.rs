//! The remote cluster.

use stageset_api::stageset::{KubeConfig, StageSetSpec};

use super::super::problems::Problems;

pub(super) fn check(spec: &StageSetSpec, problems: &mut Problems) {
    if let Some(config) = &spec.kube_config {
        not_one_reference(config, problems);
        empty_name(config, problems);
        cloud_provider(config, problems);
    }
}

/// V25: exactly one reference.
fn not_one_reference(config: &KubeConfig, problems: &mut Problems) {
    let message = match (&config.secret_ref, &config.config_map_ref) {
        (Some(_), Some(_)) => "secretRef and configMapRef exclude each other; keep secretRef",
        (None, None) => "a secretRef is needed; without kubeConfig the local cluster is meant",
        _ => return,
    };
    problems.add("V25", "spec.kubeConfig", message);
}

/// V25: a reference names its object.
fn empty_name(config: &KubeConfig, problems: &mut Problems) {
    let secret = config
        .secret_ref
        .as_ref()
        .map(|secret| ("secretRef", &secret.name));
    let map = config
        .config_map_ref
        .as_ref()
        .map(|map| ("configMapRef", &map.name));
    for (field, _) in secret
        .into_iter()
        .chain(map)
        .filter(|(_, name)| name.is_empty())
    {
        problems.add(
            "V25",
            format!("spec.kubeConfig.{field}.name"),
            "it is empty; name the object",
        );
    }
}

/// V31: cloud-provider authentication isn't supported, and never passes for "no kubeConfig" (S28).
fn cloud_provider(config: &KubeConfig, problems: &mut Problems) {
    if config.config_map_ref.is_some() {
        let message = "cloud-provider authentication is unsupported; put a self-contained \
                       kubeconfig into a Secret and use spec.kubeConfig.secretRef";
        problems.add("V31", "spec.kubeConfig.configMapRef", message);
    }
}
