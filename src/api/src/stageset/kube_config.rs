//! The remote cluster a release is delivered to.

use serde::{Deserialize, Serialize};

use super::reference::LocalReference;

/// What the schema answers to a kubeConfig that isn't exactly a `secretRef` (V25, V31, K27).
pub const KUBE_CONFIG_MESSAGE: &str = "kubeConfig.configMapRef (cloud-provider authentication) \
    is not supported; set kubeConfig.secretRef, and nothing else";

/// Remote cluster; exactly a secretRef.
///
/// `secretRef` isn't required by the schema proper: that would hide the message of the rule, which
/// alone tells whoever sets `configMapRef` what to do (K27).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[cfg_attr(
    feature = "crd",
    schemars(
        description = "Remote cluster; needs a secretRef.",
        extend("x-kubernetes-validations" = [{
            "rule": "has(self.secretRef) && !has(self.configMapRef)",
            "message": KUBE_CONFIG_MESSAGE,
        }])
    )
)]
#[serde(rename_all = "camelCase")]
pub struct KubeConfig {
    /// Secret in the StageSet's namespace that holds a self-contained kubeconfig.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<KubeConfigSecret>,
    /// Not supported: cloud-provider authentication. Declared so that it is refused, not pruned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<LocalReference>,
}

/// Secret that holds a kubeconfig.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct KubeConfigSecret {
    /// Secret name.
    pub name: String,
    /// Data key. Acts as value when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}
