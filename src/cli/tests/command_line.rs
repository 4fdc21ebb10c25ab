//! What the command line takes, and how it refuses the rest: exit code 2, `Error: …` on stderr,
//! nothing on stdout.

use crate::harness::stagesetctl;

fn refused(words: &[&str], part: &str) {
    let ended = stagesetctl(words);
    assert_eq!(ended.code, Some(2), "{words:?}: {ended:?}");
    assert!(
        ended.stderr.starts_with("Error: "),
        "{words:?}: {}",
        ended.stderr
    );
    assert!(ended.stderr.contains(part), "{words:?}: {}", ended.stderr);
    assert_eq!(ended.stdout, "", "{words:?}");
}

#[test]
fn what_is_not_known_is_refused() {
    refused(&[], "subcommand");
    refused(&["simulat", "x"], "unknown command \"simulat\"");
    refused(&["simulate"], "DIR");
    refused(&["simulate", "a", "b"], "unexpected argument 'b'");
    refused(&["simulate", "x", "--fast"], "unexpected argument '--fast'");
    refused(&["--kubeconfig=x", "get"], "--kubeconfig");
    refused(&["simulate", "x", "--until", "soon"], "not a duration");
    refused(&["simulate", "x", "--until", "0s"], "longer than nothing");
    refused(&["simulate", "x", "--until=-5m"], "longer than nothing");
    refused(&["simulate", "x", "--color", "red"], "red");
    refused(&["simulate", "x", "-o", "yaml"], "yaml");
    refused(&["get", "x", "-o", "text"], "text");
    refused(&["get", "x", "-A"], "--all-namespaces");
    refused(&["reconcile"], "NAME");
    refused(&["reconcile", "x", "--strict"], "--with-source");
    refused(&["reconcile", "x", "--update-now"], "--update-now");
    refused(&["suspend"], "NAME");
    refused(&["resume", "x", "y"], "unexpected argument 'y'");
    refused(&["get", "--as-group", "g"], "--as");
    refused(&["plan"], "--dir");
    refused(&["plan", "--dir", "x", "--color", "always"], "--color");
}

#[test]
fn commands_of_later_versions_are_refused_by_name() {
    for name in ["diff", "apply", "promote", "lint-migrations", "fleet"] {
        refused(
            &[name, "payments", "--stage", "app"],
            "not supported by this version",
        );
        refused(&[name], name);
    }
    refused(&["plan", "payments"], "not supported by this version");
}

#[test]
fn the_version_names_its_commit() {
    let ended = stagesetctl(&["--version"]);
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.stderr, "");
    let rest = ended.stdout.strip_prefix(concat!(
        "stagesetctl ",
        env!("CARGO_PKG_VERSION"),
        " (commit "
    ));
    assert!(
        rest.is_some_and(|rest| rest.ends_with(")\n")),
        "{}",
        ended.stdout
    );
}

#[test]
fn help_is_no_error() {
    for words in [&["--help"][..], &["simulate", "--help"], &["plan", "-h"]] {
        let ended = stagesetctl(words);
        assert_eq!(
            (ended.code, ended.stderr.as_str()),
            (Some(0), ""),
            "{words:?}"
        );
        assert!(
            ended.stdout.contains("Usage: stagesetctl"),
            "{}",
            ended.stdout
        );
    }
}
