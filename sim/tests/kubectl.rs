//! `kubectl` against `stageset-sim serve`. Where there is no `kubectl` on PATH, nothing is tested
//! and the reason is printed.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// A served cluster, a `kubectl` that talks to it, and a folder for its files.
struct Served {
    server: Child,
    url: String,
    folder: PathBuf,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Served {
    fn start() -> Self {
        let mut server = Command::new(env!("CARGO_BIN_EXE_stageset-sim"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = server.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let url = line
            .split_whitespace()
            .find_map(|word| word.strip_prefix("--server="))
            .unwrap()
            .to_owned();
        let folder = std::env::temp_dir().join(format!("stageset-kubectl-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self {
            server,
            url,
            folder,
        }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Exit code and both outputs.
    fn kubectl(&self, arguments: &[&str]) -> (i32, String) {
        let output = Command::new("kubectl")
            .arg(format!("--server={}", self.url))
            .arg(format!(
                "--cache-dir={}",
                self.folder.join("cache").display()
            ))
            .args(arguments)
            .env("HOME", &self.folder)
            .env("KUBECONFIG", self.folder.join("none"))
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap_or(-1),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    #[track_caller]
    fn answers(&self, code: i32, said: &str, arguments: &[&str]) {
        let (found, text) = self.kubectl(arguments);
        assert!(
            found == code && text.contains(said),
            "kubectl {arguments:?}: wanted exit code {code} and {said:?}, found {found} and: {text}"
        );
    }
}

#[test]
fn kubectl_gets_applies_diffs_deletes_asks_for_rights_and_for_tokens() {
    if Command::new("kubectl")
        .args(["version", "--client"])
        .output()
        .is_err()
    {
        println!("not tested: there is no kubectl on PATH");
        return;
    }
    let served = Served::start();
    let config = |value: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a, namespace: default}}\ndata: {{a: {value}}}\n"
        )
    };
    let one = served.file("one.yaml", &config("one"));
    let two = served.file("two.yaml", &config("two"));
    let odd = served.file("odd.yaml", &format!("{}datum: {{}}\n", config("one")));
    served.answers(0, "kube-system", &["get", "namespaces"]);
    let apply = |file| ["apply", "--server-side", "-f", file];
    served.answers(0, "configmap/a serverside-applied", &apply(&one));
    served.answers(1, "datum", &apply(&odd));
    served.answers(
        0,
        "one",
        &["get", "configmap", "a", "-o", "jsonpath={.data.a}"],
    );
    served.answers(0, "", &["diff", "--server-side", "-f", &one]);
    served.answers(1, "+  a: two", &["diff", "--server-side", "-f", &two]);
    served.answers(0, "yes", &["auth", "can-i", "create", "pods"]);
    let nobody = ["auth", "can-i", "create", "pods", "--as=nobody"];
    served.answers(1, "no", &nobody);
    let (code, token) = served.kubectl(&["create", "token", "default"]);
    assert_eq!((code, token.trim().split('.').count()), (0, 3), "{token}");
    served.answers(0, "deleted", &["delete", "configmap", "a"]);
    served.answers(1, "not found", &["get", "configmap", "a"]);
}
