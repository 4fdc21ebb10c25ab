//! Files of replacements.

use super::{Target, tree};

pub(super) const TARGET: Target = Target {
    name: "replacements",
    words: &[
        "source: {kind: ConfigMap, name: settings, fieldPath: data.k}\n",
        "targets:\n- select: {kind: Widget}\n  fieldPaths: [spec.text]\n",
        "options: {create: true}\n",
        "options: {delimiter: \"-\", index: 1}\n",
        "reject: [{name: w}]\n",
        "sourceValue: direct\n",
        ".[name=one].",
        ".*.",
        ".0.",
        ".-.",
        "[a.b/c]",
        "a\\.b",
        "labelSelector: a in (b, c)",
        "[name=(a+)+]",
        "data.config\\.json.host",
        "spec.items",
        "-1",
    ],
    run,
};

const OBJECTS: &str = "apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  annotations: {a.b/c: d}
data:
  k: a-b-c
  n: \"5\"
  config.json: '{\"host\": \"here\", \"list\": [1, 2]}'
  config.yaml: |
    host: here
    list: [{name: one}]
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: w, labels: {a: b}}
spec: {size: 3, text: a-b-c, items: [{name: one, v: 1}, {name: two, v: 2}], map: {a: {b: c}}, none: null}
";

fn run(input: &[u8]) -> Result<Vec<u64>, String> {
    let text = String::from_utf8_lossy(input);
    tree::check(&[
        (
            "kustomization.yaml",
            "commonLabels: {tied: \"1\"}\nresources: [r.yaml]\nreplacements:\n- path: rep.yaml\n",
        ),
        ("r.yaml", OBJECTS),
        ("rep.yaml", &text),
    ])
}
