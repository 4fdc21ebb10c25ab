//! Patches of both sorts, for objects that have most of what a patch can change.

use super::{Target, tree};

pub(super) const TARGET: Target = Target {
    name: "patches",
    words: &[
        "$patch: delete\n",
        "$patch: replace\n",
        "$retainKeys: [type]\n",
        "$setElementOrder/containers:\n",
        "$deleteFromPrimitiveList/finalizers: [a]\n",
        "- op: add\n  path: /spec/x\n  value: 1\n",
        "- op: copy\n  from: /spec\n  path: /spec/copy\n",
        "- {op: remove, path: /metadata/labels}\n",
        "- {op: move, from: /spec/replicas, path: /spec/moved}\n",
        "- {op: test, path: /kind, value: Deployment}\n",
        "/spec/template/spec/containers/0",
        "~1",
        "/-",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n",
        "containers:\n- name: main\n",
        "ports: [{containerPort: 80, protocol: TCP}]",
        "null",
        "---\n",
    ],
    run,
};

const OBJECTS: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
  finalizers: [a, b]
spec:
  replicas: 1
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1}}
  template:
    spec:
      containers:
      - name: main
        image: nginx:1
        env: [{name: A, value: a}, {name: B, value: b}]
        ports: [{containerPort: 80, protocol: TCP}, {containerPort: 80, protocol: UDP}]
      - name: side
        image: side:1
      volumes: [{name: v, emptyDir: {}}]
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: w}
spec: {items: [{name: one}, {name: two}], text: a}
";

fn run(input: &[u8]) -> Result<Vec<u64>, String> {
    let text = String::from_utf8_lossy(input);
    let mut sights = Vec::new();
    for target in ["", "  target: {kind: Deployment}\n"] {
        let kustomization = format!(
            "commonLabels: {{tied: \"1\"}}\nresources: [r.yaml]\npatches:\n- path: p.yaml\n{target}"
        );
        sights.extend(tree::check(&[
            ("kustomization.yaml", &kustomization),
            ("r.yaml", OBJECTS),
            ("p.yaml", &text),
        ])?);
    }
    Ok(sights)
}
