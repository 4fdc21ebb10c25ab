//! What a path without a kustomization file gives, and every way in which it can't.

use stageset_render::{Limits, Object, Tree, build};

fn tree(files: &[(&str, &str)]) -> Tree {
    Tree::from_files(files.iter().copied()).unwrap()
}

#[track_caller]
fn built(files: &[(&str, &str)], path: &str) -> Vec<Object> {
    build(&tree(files), path, &Limits::default()).unwrap_or_else(|p| panic!("{p:#?}"))
}

fn names(objects: &[Object]) -> Vec<&str> {
    objects
        .iter()
        .map(|object| object.value["metadata"]["name"].as_str().unwrap())
        .collect()
}

fn places(objects: &[Object]) -> Vec<String> {
    objects
        .iter()
        .map(|object| object.origin.to_string())
        .collect()
}

#[track_caller]
fn refused(files: &[(&str, &str)], path: &str, messages: &[&str]) {
    let problems = build(&tree(files), path, &Limits::default()).expect_err("must be refused");
    let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(found, messages);
}

fn object(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n")
}

/// The order of `filepath.Walk`, which the generated kustomization keeps: folder by folder.
#[test]
fn files_come_folder_by_folder_in_the_order_of_names() {
    let file = |path: &'static str, name| (path, object(name));
    let files = [
        file("app/b.yaml", "f"),
        file("app/a.yml", "e"),
        file("app/a/z.yaml", "c"),
        file("app/a/sub/x.yaml", "b"),
        file("app/a-b.yaml", "d"),
        file("app/Z.yaml", "a"),
        file("app/c.json.yaml", "g"),
        file("other/x.yaml", "elsewhere"),
        file("apple/x.yaml", "also-elsewhere"),
    ];
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    for path in ["app", "./app", "app/", "./app/.", "app//"] {
        assert_eq!(
            names(&built(&files, path)),
            ["a", "b", "c", "d", "e", "f", "g"],
            "{path}"
        );
    }
    for path in ["", ".", "./"] {
        assert_eq!(built(&files, path).len(), 9, "{path}");
    }
}

#[test]
fn other_files_are_no_business_of_ours() {
    let one = object("one");
    let files = [
        ("a.yaml", one.as_str()),
        ("readme.md", "# not: [yaml"),
        ("script.YAML", "a: [b"),
        ("yaml", "a: [b"),
        ("dashboards/big.json", "{not json"),
        ("empty.yaml", ""),
        ("comments.yaml", "# nothing\n---\n# here\n"),
        ("empty-values.yaml", "{}\n---\n[]\n---\nnull\n"),
        (
            "empty-items.yaml",
            "apiVersion: v1\nkind: List\nitems: [{}, null, []]\n",
        ),
    ];
    assert_eq!(names(&built(&files, "")), ["one"]);
}

#[test]
fn json_counts_directly_in_the_path() {
    let json = "{\"apiVersion\": \"v1\", \"kind\": \"X\",\n \"metadata\": {\"name\": \"j\"}}";
    let files = [("app/a.json", json), ("app/sub/b.json", "{no")];
    let objects = built(&files, "app");
    assert_eq!(names(&objects), ["j"]);
    assert_eq!(places(&objects), ["app/a.json, document 1, line 1"]);
    refused(
        &[("a.json", "apiVersion: v1\nkind: X\n")],
        "",
        &["a.json, document 1, line 1: not valid JSON: expected value (column 1)"],
    );
}

#[test]
fn documents_and_lists_become_objects_with_their_places() {
    let text = "---\n# a list\napiVersion: v1\nkind: List\nitems:\n\
                - apiVersion: v1\n  kind: Secret\n  metadata: {name: c}\n\
                - apiVersion: v1\n  kind: ConfigMapList\n  items:\n  \
                - {apiVersion: v1, kind: ConfigMap, metadata: {name: d}}\n\
                ---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n\
                ---\napiVersion: v1\nkind: List\nitems: []\n\
                ---\napiVersion: v1\nkind: ServiceList\nitems:\n\
                ---\napiVersion: x.io/v1\nkind: AllowList\nmetadata: {name: b}\nspec: {items: [1]}\n";
    let objects = built(&[("a.yaml", text), ("b.yaml", &object("e"))], "");
    // A file's lists come after its other objects, as in kustomize.
    assert_eq!(names(&objects), ["a", "b", "c", "d", "e"]);
    assert_eq!(
        places(&objects),
        [
            "a.yaml, document 2, line 14",
            "a.yaml, document 5, line 27",
            "a.yaml, document 1, line 6",
            "a.yaml, document 1, line 12",
            "b.yaml, document 1, line 1",
        ]
    );
    assert_eq!(objects[1].value["spec"]["items"], serde_json::json!([1]));
}

#[test]
fn local_configuration_stays_out() {
    let local = |value: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: local-{value}\n  annotations:\n    \
             config.kubernetes.io/local-config: \"{value}\"\n"
        )
    };
    let files = [
        ("a.yaml", local("true")),
        ("b.yaml", local("false")),
        ("c.yaml", local("x")),
    ];
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    assert_eq!(names(&built(&files, "")), ["local-false"]);
}

#[test]
fn kustomizations_say_what_is_built() {
    let (one, two) = (object("one"), object("two"));
    for name in ["kustomization.yaml", "kustomization.yml", "Kustomization"] {
        let files = |folder: &str, text: &'static str| {
            [
                ("app/a.yaml".to_owned(), one.clone()),
                ("app/sub/b.yaml".to_owned(), two.clone()),
                (format!("{folder}/{name}"), text.to_owned()),
            ]
        };
        let named = |folder: &str, text: &'static str| {
            let files = files(folder, text);
            let files: Vec<_> = files
                .iter()
                .map(|(path, text)| (path.as_str(), text.as_str()))
                .collect();
            let objects = built(&files, "app");
            names(&objects)
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(named("app", "resources: [a.yaml]"), ["one"]);
        // One below the path speaks for its folder; the other files are built as they are.
        let below = "resources: [b.yaml]\nnamePrefix: x-";
        assert_eq!(named("app/sub", below), ["one", "x-two"]);
        // Elsewhere in the artifact it is none of this path's business.
        assert_eq!(named("other", ""), ["one", "two"]);
        let empty = format!("app/{name}");
        refused(
            &[("app/a.yaml", &one), (&empty, "")],
            "app",
            &[&format!(
                "{empty}: the kustomization is empty: name at least one resource"
            )],
        );
    }
    // Names that only look like it, and objects of that kind.
    let flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n\
                metadata: {name: flux}\n";
    assert_eq!(
        names(&built(&[("flux-kustomization.yaml", flux)], "")),
        ["flux"]
    );
}

#[test]
fn paths_that_hold_nothing() {
    let one = object("one");
    let files = [
        ("app/a.yaml", one.as_str()),
        ("docs/readme.md", ""),
        ("deep/x/a.json", "{}"),
    ];
    let missing = |path: &str| {
        format!(
            "the path {path:?} is not in the artifact: correct the path, or let the source put a \
             folder there"
        )
    };
    refused(&files, "nowhere", &[&missing("nowhere")]);
    refused(&files, "ap", &[&missing("ap")]);
    refused(&files, "app/a", &[&missing("app/a")]);
    refused(
        &files,
        "app/a.yaml",
        &["the path \"app/a.yaml\" is a file: give the folder that holds it"],
    );
    let none = |path: &str| format!("the path {path:?} holds no .yaml, .yml or .json file");
    refused(&files, "docs", &[&none("docs")]);
    refused(&files, "deep", &[&none("deep")]);
    refused(&[], "", &[&none("")]);
    let bad = |path: &str, what: &str| {
        format!("the path {path:?} {what}: give a folder within the artifact")
    };
    refused(&files, "/app", &[&bad("/app", "is absolute")]);
    refused(
        &files,
        "app/../app",
        &[&bad("app/../app", "leaves its folder with '..'")],
    );
    refused(&files, "..", &[&bad("..", "leaves its folder with '..'")]);
}

/// Five mistakes in three files, five problems, in the order of the files.
#[test]
fn all_problems_of_a_build_are_reported_together() {
    let good = object("good");
    let files = [
        (
            "a.yaml",
            "apiVersion: v1\nkind: ConfigMap\n---\nkind: Secret\nmetadata: {name: s}\n",
        ),
        ("b.yaml", "a: 1\na: 2\n"),
        ("c.yaml", good.as_str()),
        ("d.yaml", "- just\n- a list\n---\ntext\n"),
    ];
    refused(
        &files,
        "",
        &[
            "a.yaml, document 1, line 1: the ConfigMap has no metadata.name: every object needs \
             one",
            "a.yaml, document 2, line 4: Secret \"s\" has no apiVersion: every object needs one",
            "b.yaml, document 1, line 2: key \"a\" stands here and on line 1 of the same mapping: \
             remove one",
            "d.yaml, document 1, line 1: expected an object (a mapping with apiVersion, kind and \
             metadata), found a list",
            "d.yaml, document 2, line 4: expected an object (a mapping with apiVersion, kind and \
             metadata), found a string",
        ],
    );
}

#[test]
fn metadata_must_be_sane() {
    let refused = |text: &str, messages: &[&str]| {
        let messages: Vec<_> = messages
            .iter()
            .map(|m| format!("a.yaml, document 1, line 1: {m}"))
            .collect();
        let messages: Vec<_> = messages.iter().map(String::as_str).collect();
        refused(&[("a.yaml", text)], "", &messages);
    };
    let missing =
        |what: &str, field: &str| format!("{what} has no {field}: every object needs one");
    refused(
        "x: 1\n",
        &[
            &missing("the object", "apiVersion"),
            &missing("the object", "kind"),
            &missing("the object", "metadata.name"),
        ],
    );
    refused(
        "apiVersion: 1\nkind: ''\nmetadata: {name: 12}\n",
        &[
            "the object has a number as apiVersion (line 1): expected a string; put it in quotes",
            &missing("the object", "kind"),
            "the object has a number as metadata.name (line 3): expected a string; \
             put it in quotes",
        ],
    );
    refused(
        "apiVersion: v1\nkind: X\nmetadata: text\n",
        &["the X has a string as metadata (line 3): expected a mapping with a name"],
    );
    refused(
        "apiVersion: v1\nkind: X\nmetadata:\n  generateName: a-\n",
        &[
            "the X has metadata.generateName: objects must have a fixed metadata.name, \
           or every run would create another one",
        ],
    );
    refused(
        "apiVersion: v1\nkind: X\nmetadata:\n  name: a\n  namespace: 5\n  labels:\n    \
         on: true\n    port: 80\n    none:\n  annotations: [a]\n",
        &[
            "X \"a\" has a number as metadata.namespace (line 5): expected a string",
            "X \"a\" has a boolean as metadata.labels[\"on\"] (line 7): expected a string; \
             put it in quotes",
            "X \"a\" has a number as metadata.labels[\"port\"] (line 8): expected a string; \
             put it in quotes",
            "X \"a\" has null as metadata.labels[\"none\"] (line 9): expected a string; \
             put it in quotes",
            "X \"a\" has a list as metadata.annotations (line 10): expected a mapping from \
             strings to strings",
        ],
    );
    let fine = "apiVersion: v1\nkind: X\nmetadata:\n  name: a\n  namespace:\n  labels:\n  \
                annotations: {}\n";
    assert_eq!(names(&built(&[("a.yaml", fine)], "")), ["a"]);
}

#[test]
fn items_of_lists_are_checked_like_objects() {
    refused(
        &[(
            "a.yaml",
            "apiVersion: v1\nkind: List\nitems:\n- kind: X\n- text\n",
        )],
        "",
        &[
            "a.yaml, document 1, line 4: the X has no apiVersion: every object needs one",
            "a.yaml, document 1, line 4: the X has no metadata.name: every object needs one",
            "a.yaml, document 1, line 5: expected an object (a mapping with apiVersion, kind and \
             metadata), found a string",
        ],
    );
}

#[test]
fn the_same_object_twice_names_both_places() {
    let deployment = |version: &str, namespace: &str| {
        format!(
            "apiVersion: apps/{version}\nkind: Deployment\n\
             metadata: {{name: web, namespace: {namespace}}}\n"
        )
    };
    let (one, other, elsewhere) = (
        deployment("v1", "shop"),
        deployment("v1beta1", "shop"),
        deployment("v1", "blog"),
    );
    refused(
        &[
            ("a.yaml", &one),
            ("sub/b.yaml", &format!("# x\n---\n{other}")),
            ("c.yaml", &elsewhere),
        ],
        "",
        &[
            "Deployment.apps shop/web is defined twice: a.yaml, document 1, line 1, \
           and sub/b.yaml, document 1, line 3; remove one",
        ],
    );
    let core = object("web");
    refused(
        &[("a.yaml", &format!("{core}---\n{core}"))],
        "",
        &[
            "ConfigMap web is defined twice: a.yaml, document 1, line 1, \
           and a.yaml, document 2, line 6; remove one",
        ],
    );
    // Another kind, group or namespace is another object.
    let files = [
        ("a.yaml", one.as_str()),
        ("b.yaml", &elsewhere),
        ("c.yaml", &core),
    ];
    assert_eq!(built(&files, "").len(), 3);
}

#[test]
fn a_build_survives_packing() {
    let before = tree(&[("app/a.yaml", &object("a")), ("app/b.yaml", &object("b"))]);
    let (bytes, digest) = stageset_render::pack(&before);
    let after = stageset_render::unpack(&bytes, &digest, &Limits::default()).unwrap();
    let objects = |tree| build(tree, "app", &Limits::default()).unwrap();
    assert_eq!(objects(&before), objects(&after));
}
