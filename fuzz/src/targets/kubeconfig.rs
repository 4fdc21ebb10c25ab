//! A kubeconfig from a Secret: YAML of a stranger, of which nothing may ever be repeated (A17, S29).

use stageset_core::kubeconfig::{Allowed, parse};
use stageset_render::{Limits, yaml};

use super::{Target, sight};

/// Stands in the corpus wherever a secret would.
const CANARY: &str = "canary";

pub(super) const TARGET: Target = Target {
    name: "kubeconfig",
    words: &[
        "apiVersion: v1\n",
        "kind: Config\n",
        "current-context: a\n",
        "contexts: [{name: a, context: {cluster: a, user: a}}]\n",
        "clusters: [{name: a, cluster: {server: https://a}}]\n",
        "users: [{name: a, user: {token: canary}}]\n",
        "certificate-authority-data: canary\n",
        "certificate-authority: /etc/canary\n",
        "client-key: /etc/canary\n",
        "exec: {command: canary}\n",
        "auth-provider: {name: canary}\n",
        "proxy-url: http://canary\n",
        "insecure-skip-tls-verify: true\n",
        "tls-server-name: canary\n",
        "as: canary\n",
        "username: canary\npassword: canary\n",
        "tokenFile: /canary\n",
        "extensions: []\n",
    ],
    run,
};

fn run(input: &[u8]) -> Result<Vec<u64>, String> {
    let Ok(documents) = yaml::documents(input, &Limits::default()) else {
        return Ok(vec![0]);
    };
    let mut sights = vec![documents.len() as u64];
    for document in documents {
        for insecure in [false, true] {
            match parse(&document.value, Allowed { insecure }) {
                Err(problem) => {
                    let said = format!("{problem} {problem:?}");
                    if said.contains(CANARY) {
                        return Err("a problem repeats what stands in the kubeconfig".to_owned());
                    }
                    sights.push(sight(&said));
                }
                Ok(config) => {
                    if !insecure && config.insecure() {
                        return Err("insecure although it isn't allowed".to_owned());
                    }
                    if !config.server().starts_with("https://") {
                        return Err("a server without TLS".to_owned());
                    }
                    if format!("{:?}", config.credential()).contains(CANARY) {
                        return Err("a credential is shown".to_owned());
                    }
                    sights.push(1);
                }
            }
        }
    }
    Ok(sights)
}
