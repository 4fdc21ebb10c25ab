//! Kustomizations, with the files that they name (A16).

use super::{Target, tree};

pub(super) const TARGET: Target = Target {
    name: "kustomization",
    words: &[
        "resources: [r.yaml]\n",
        "components: [c]\n",
        "namePrefix: p-\n",
        "nameSuffix: -s\n",
        "namespace: far\n",
        "commonLabels: {a: b}\n",
        "labels:\n- {pairs: {a: b}, includeSelectors: true}\n",
        "commonAnnotations: {a: b}\n",
        "images:\n- {name: nginx, newTag: \"2\"}\n",
        "replicas:\n- {name: web, count: 2}\n",
        "patches:\n- path: p.yaml\n",
        "configMapGenerator:\n- {name: settings, literals: [a=b]}\n",
        "secretGenerator:\n- {name: creds, files: [r.yaml]}\n",
        "behavior: merge",
        "vars:\n- {name: V, objref: {kind: ConfigMap, name: settings, apiVersion: v1}}\n",
        "$(V)",
        "replacements:\n- path: rep.yaml\n",
        "configurations: [conf.yaml]\n",
        "crds: [crd.json]\n",
        "openapi: {path: o.yaml}\n",
        "transformers: [t.yaml]\n",
        "validators: [t.yaml]\n",
        "sortOptions: {order: legacy}\n",
        "buildMetadata: [originAnnotations]\n",
        "=== base/kustomization.yaml\nresources: [../r.yaml]\n",
        "=== r.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n",
        "- base\n",
        "../",
        "https://example.com/a.yaml",
    ],
    run,
};

fn run(input: &[u8]) -> Result<Vec<u64>, String> {
    let text = String::from_utf8_lossy(input);
    tree::check(&tree::files(&text, "kustomization.yaml"))
}
