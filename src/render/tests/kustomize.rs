//! Kustomizations: what is said of mistakes, what is refused, and the bounds.

use stageset_render::kustomize::{self, LoadFrom, Options, Order};
use stageset_render::{Limits, Object, Tree};

fn tree(files: &[(&str, &str)]) -> Tree {
    Tree::from_files(files.iter().copied()).unwrap()
}

fn built(files: &[(&str, &str)], options: &Options) -> Vec<Object> {
    kustomize::build(&tree(files), "", options).unwrap()
}

fn problems_with(files: &[(&str, &str)], options: &Options) -> Vec<String> {
    let problems = kustomize::build(&tree(files), "", options).unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

fn problems(files: &[(&str, &str)]) -> Vec<String> {
    problems_with(files, &Options::default())
}

fn object(kind: &str, name: &str) -> String {
    format!("apiVersion: v1\nkind: {kind}\nmetadata:\n  name: {name}\n")
}

#[test]
fn independent_mistakes_are_all_reported() {
    let texts = problems(&[
        ("web.yaml", &object("ConfigMap", "web")),
        (
            "kustomization.yaml",
            "resources: [web.yaml]\n\
             nameprefix: a-\n\
             namePrefx: b-\n\
             images:\n\
             - name: nginx\n  newTag: 1.0\n\
             patches:\n\
             - path: missing.yaml\n\
             - patch: |-\n    apiVersion: v1\n    kind: ConfigMap\n    metadata: {name: wob}\n\
             configMapGenerator:\n\
             - name: c\n  literals: [novalue]\n",
        ),
    ]);
    let expected = [
        "kustomization.yaml, line 6, images[0].newTag: found a number, \
         expected a string; put it in quotes",
        "kustomization.yaml, line 3: there is no field \"namePrefx\"; near it: \"namePrefix\"",
        "kustomization.yaml, line 15, configMapGenerator[0].literals[0]: found a literal without \
         a key or without '=', expected key=value",
        "kustomization.yaml, line 8, patches[0]: there is no file \"missing.yaml\"",
    ];
    assert_eq!(texts, expected, "{texts:#?}");
}

#[test]
fn a_patch_that_matches_nothing_names_what_is_near() {
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n";
    let texts = problems(&[
        ("a.yaml", deployment),
        ("b.yaml", &object("Service", "wab")),
        (
            "kustomization.yaml",
            "resources: [a.yaml, b.yaml]\n\
             patches:\n\
             - path: p.yaml\n\
             - patch: |-\n    apiVersion: v1\n    kind: Service\n    metadata: {name: web}\n",
        ),
        (
            "p.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: wep}\n",
        ),
    ]);
    assert_eq!(
        texts,
        [
            "p.yaml, line 1: no object matches Deployment.apps wep (apps/v1); \
             near it: Deployment.apps web (apps/v1)",
            "kustomization.yaml, line 5: no object matches Service web (v1); \
             near it: Deployment.apps web (apps/v1), Service wab (v1)",
        ]
    );
}

#[test]
fn of_several_documents_the_bad_one_is_named() {
    let texts = problems(&[
        ("a.yaml", &object("ConfigMap", "a")),
        (
            "kustomization.yaml",
            "resources: [a.yaml]\npatches: [{path: p.yaml}]\n",
        ),
        (
            "p.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: y}\n---\n\
             apiVersion: v1\nkind: ConfigMap\ndata: {x: z}\n",
        ),
    ]);
    assert_eq!(
        texts,
        [
            "p.yaml, line 6: found a mapping without kind or metadata.name, expected a patch: an \
          object with kind and metadata.name, or a list of JSON 6902 operations"
        ]
    );
}

/// A16, and what else is never built: each with its own sentence, and the place.
#[test]
fn what_is_never_built_is_refused_by_name() {
    let function = |runner: &str| {
        format!(
            "apiVersion: example.com/v1\nkind: Run\nmetadata:\n  name: f\n  annotations:\n    \
             config.kubernetes.io/function: |\n      {runner}\n"
        )
    };
    let (exec, container, starlark) = (
        function("exec: {path: ./run.sh}"),
        function("container: {image: example.com/f}"),
        function("starlark: {path: f.star}"),
    );
    let plugin = "apiVersion: example.com/v1\nkind: Plug\nmetadata: {name: p}\n";
    let table: &[(&str, &str)] = &[
        ("resources: [../x.yaml]", "\"../x.yaml\" leaves the tree"),
        ("resources: [a/../../x]", "leaves the tree"),
        ("resources: [/etc/passwd]", "absolute path"),
        ("components: [../c]", "leaves the tree"),
        ("patches: [{path: ../p.yaml}]", "leaves the tree"),
        (
            "configMapGenerator: [{name: a, files: [../../secret]}]",
            "leaves the tree",
        ),
        (
            "configMapGenerator: [{name: a, files: [k=/etc/passwd]}]",
            "absolute path",
        ),
        ("resources: [https://example.com/x.yaml]", "remote address"),
        ("resources: ['git@github.com:a/b']", "remote address"),
        ("resources: [github.com/a/b//c?ref=v1]", "remote address"),
        ("resources: [ssh://git@example.com/x]", "remote address"),
        ("components: [https://example.com/x]", "remote address"),
        (
            "patches: [{path: 'https://example.com/p.yaml'}]",
            "remote address",
        ),
        (
            "configMapGenerator: [{name: a, envs: ['http://example.com/e']}]",
            "remote address",
        ),
        ("helmCharts: [{name: x}]", "Helm charts"),
        (
            "helmChartInflationGenerator: [{chartName: x}]",
            "Helm charts",
        ),
        ("transformers: [exec.yaml]", "runs in a process"),
        ("generators: [container.yaml]", "runs in a container"),
        (
            "validators: [starlark.yaml]",
            "runs in a Starlark interpreter",
        ),
        ("transformers: [plugin.yaml]", "is a plugin of its own"),
        ("resources: [.]", "leads back"),
        ("resources: [./]", "leads back"),
        ("resources: [sub]", "leads back to \"\""),
        ("resources: [..sub]", "has a segment with '..'"),
        ("resources: [component]", "is a Component"),
        ("components: [plain]", "is a Kustomization"),
        ("resources: [nothing]", "neither a file nor a folder"),
        ("resources: ['']", "the path is missing"),
        ("commonLabel: {}", "there is no field \"commonLabel\""),
        ("kind: Deployment", "expected Kustomization or Component"),
        ("apiVersion: v1", "expected kustomize.config.k8s.io/v1beta1"),
        (
            "patches: [{target: {kind: '('}, patch: '[{op: remove, path: /a}]'}]",
            "regular expression",
        ),
        (
            "patches: [{target: {labelSelector: 'a in'}, patch: '[{op: remove, path: /a}]'}]",
            "selector",
        ),
        (
            "patches: [{patch: '[{op: remove, path: /a}]'}]",
            "the target of a JSON 6902 patch",
        ),
        (
            "patches: [{target: {kind: A}, patch: '[{op: jump, path: /a}]'}]",
            "the op \"jump\"",
        ),
        ("patches: [{path: a, patch: b}]", "exclude each other"),
        ("sortOptions: {order: random}", "expected legacy or fifo"),
        ("buildMetadata: [everything]", "expected originAnnotations"),
    ];
    for (text, words) in table {
        let text = format!("{text}\nnamePrefix: ''\n");
        let texts = problems(&[
            ("kustomization.yaml", &text),
            ("sub/kustomization.yaml", "resources: [..]\n"),
            (
                "component/kustomization.yaml",
                "kind: Component\nnamePrefix: a\n",
            ),
            ("plain/kustomization.yaml", "namePrefix: a\n"),
            ("exec.yaml", &exec),
            ("container.yaml", &container),
            ("starlark.yaml", &starlark),
            ("plugin.yaml", plugin),
        ]);
        assert_eq!(texts.len(), 1, "{text}: {texts:#?}");
        assert!(texts[0].contains(words), "{text}: {texts:#?}");
        let placed = texts[0].contains(".yaml");
        assert!(placed, "{text}: no place in {texts:#?}");
    }
}

#[test]
fn files_may_be_kept_to_the_own_folder() {
    let files = [
        (
            "a/kustomization.yaml",
            "configMapGenerator: [{name: c, files: [../b.txt]}]\n",
        ),
        ("b.txt", "text"),
    ];
    let build = |load_from| {
        let options = Options {
            load_from,
            ..Options::default()
        };
        kustomize::build(&tree(&files), "a", &options)
    };
    assert_eq!(build(LoadFrom::Tree).unwrap().len(), 1);
    let refused = build(LoadFrom::Folder).unwrap_err();
    assert!(
        refused[0]
            .to_string()
            .contains("outside the kustomization's own folder")
    );
}

#[test]
fn objects_come_in_the_order_asked_for() {
    let (service, namespace) = (object("Service", "a"), object("Namespace", "b"));
    let files = [
        ("a.yaml", service.as_str()),
        ("b.yaml", namespace.as_str()),
        ("kustomization.yaml", "resources: [a.yaml, b.yaml]\n"),
    ];
    let kinds = |order| {
        let options = Options {
            order,
            ..Options::default()
        };
        built(&files, &options)
            .iter()
            .map(|object| object.value["kind"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(Order::Files), ["Service", "Namespace"]);
    assert_eq!(kinds(Order::Kinds), ["Namespace", "Service"]);
}

/// Each level uses the one below twice: two to the power of forty objects, if they were built.
#[test]
fn bases_that_grow_without_end_stop() {
    let mut files = vec![
        ("l0/a.yaml".to_owned(), object("ConfigMap", "a")),
        (
            "l0/kustomization.yaml".to_owned(),
            "resources: [a.yaml]\n".to_owned(),
        ),
    ];
    for level in 1..40 {
        for side in ["x", "y"] {
            files.push((
                format!("l{level}{side}/kustomization.yaml"),
                format!("namePrefix: {side}-\nresources: [../l{level}]\n"),
            ));
        }
        let below = level - 1;
        files.push((
            format!("l{level}/kustomization.yaml"),
            if level == 1 {
                "resources: [../l0]\n".to_owned()
            } else {
                format!("resources: [../l{below}x, ../l{below}y]\n")
            },
        ));
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    let problems = kustomize::build(&tree(&files), "l39", &Options::default()).unwrap_err();
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(
        texts
            .iter()
            .any(|text| text.contains("more than the limit of 1000 kustomizations")),
        "{texts:#?}"
    );
}

#[test]
fn every_bound_of_a_build_has_its_sentence() {
    let long = format!(
        "{}data:\n  a: {}\n",
        object("ConfigMap", "a"),
        "x".repeat(2000)
    );
    let many: String = (0..50)
        .map(|n| format!("---\n{}", object("ConfigMap", &format!("n{n}"))))
        .collect();
    let text = "resources: [long.yaml, many.yaml]\n\
                patches:\n- target: {kind: ConfigMap}\n  patch: |-\n    \
                [{\"op\": \"copy\", \"from\": \"/metadata\", \"path\": \"/metadata/x\"}, \
                {\"op\": \"copy\", \"from\": \"/metadata\", \"path\": \"/metadata/y\"}]\n";
    let files = [
        ("long.yaml", long.as_str()),
        ("many.yaml", many.as_str()),
        ("kustomization.yaml", text),
    ];
    assert_eq!(built(&files, &Options::default()).len(), 51);
    let table: [(fn(&mut Limits), &str); 6] = [
        (|l| l.build_bytes = 3000, "3000 bytes read and written"),
        (|l| l.build_nodes = 300, "values: split it"),
        (|l| l.build_nodes = 2500, "2500 nodes read and written"),
        (|l| l.build_steps = 60, "60 steps"),
        (|l| l.objects = 20, "20 objects"),
        (|l| l.kustomizations = 0, "0 kustomizations"),
    ];
    for (change, words) in table {
        let mut options = Options::default();
        change(&mut options.limits);
        let texts = problems_with(&files, &options);
        assert!(
            texts.iter().any(|text| text.contains(words)),
            "{words}: {texts:#?}"
        );
    }
}

/// Copies of copies: each operation doubles what is there.
#[test]
fn json_patches_cannot_grow_without_end() {
    let copies: String = (0..60)
        .map(|n| format!("    - {{op: copy, from: /data, path: /data/c{n}}}\n"))
        .collect();
    let text = format!(
        "resources: [a.yaml]\npatches:\n- target: {{kind: ConfigMap}}\n  patch: |-\n{copies}"
    );
    let texts = problems(&[
        (
            "a.yaml",
            &format!("{}data: {{a: b}}\n", object("ConfigMap", "a")),
        ),
        ("kustomization.yaml", &text),
    ]);
    assert!(texts[0].contains("nodes read and written"), "{texts:#?}");
}
