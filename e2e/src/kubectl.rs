//! The cluster through `kubectl`, as one user.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::deadline::{Seen, eventually};

/// `kubectl` with one kubeconfig.
#[derive(Clone, Debug)]
pub struct Kubectl {
    kubeconfig: PathBuf,
    cache: PathBuf,
}

impl Kubectl {
    /// Uses `kubeconfig`, and `cache` for what kubectl remembers of the server's API.
    pub fn new(kubeconfig: &Path, cache: &Path) -> Self {
        Self {
            kubeconfig: kubeconfig.to_owned(),
            cache: cache.to_owned(),
        }
    }

    /// The kubeconfig's path.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Runs kubectl and returns what it prints.
    ///
    /// # Errors
    /// When it fails, with its error text.
    pub fn run(&self, args: &[&str]) -> Result<String> {
        self.run_with_input(args, None)
    }

    /// Runs kubectl with `input` on its standard input.
    ///
    /// # Errors
    /// When it fails, with its error text.
    pub fn run_with_input(&self, args: &[&str], input: Option<&[u8]>) -> Result<String> {
        let mut child = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .arg("--cache-dir")
            .arg(&self.cache)
            .args(args)
            .stdin(if input.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting kubectl")?;
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            stdin.write_all(input).context("writing to kubectl")?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!(
                "kubectl {}: {}",
                args.join(" "),
                String::from_utf8_lossy(&output.stderr).trim_end()
            );
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Applies one object, server side.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub fn apply(&self, object: &Value) -> Result<()> {
        self.apply_bytes(&serde_json::to_vec(object)?)
    }

    /// Applies several objects in one call.
    ///
    /// # Errors
    /// When the API server refuses one of them.
    pub fn apply_all(&self, objects: &[Value]) -> Result<()> {
        self.apply(&json!({"apiVersion": "v1", "kind": "List", "items": objects}))
    }

    /// Applies the objects of a YAML text.
    ///
    /// # Errors
    /// When the API server refuses one of them.
    pub fn apply_yaml(&self, yaml: &str) -> Result<()> {
        self.apply_bytes(yaml.as_bytes())
    }

    /// Applies the objects of a file.
    ///
    /// # Errors
    /// When it can't be read, or the API server refuses one of the objects.
    pub fn apply_file(&self, file: &Path) -> Result<()> {
        let text = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
        self.apply_bytes(&text)
    }

    fn apply_bytes(&self, bytes: &[u8]) -> Result<()> {
        self.run_with_input(
            &[
                "apply",
                "--server-side",
                "--force-conflicts",
                "--field-manager=e2e",
                "-f",
                "-",
            ],
            Some(bytes),
        )?;
        Ok(())
    }

    /// Reads an API path; none when there is nothing.
    ///
    /// # Errors
    /// When the API server refuses or can't be reached.
    pub fn raw(&self, path: &str) -> Result<Option<Value>> {
        match self.run(&["get", "--raw", path]) {
            Ok(text) => Ok(Some(serde_json::from_str(&text)?)),
            Err(error) if error.to_string().contains("NotFound") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Patches an object's status as its owner would.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub fn patch_status(&self, namespace: &str, object: &str, status: &Value) -> Result<()> {
        let patch = json!({ "status": status }).to_string();
        self.run(&[
            "-n",
            namespace,
            "patch",
            object,
            "--subresource=status",
            "--type=merge",
            "-p",
            &patch,
        ])?;
        Ok(())
    }

    /// A token of a `ServiceAccount`, good for an hour.
    ///
    /// # Errors
    /// When the account doesn't exist.
    pub fn service_account_token(&self, namespace: &str, name: &str) -> Result<String> {
        let token = self.run(&["-n", namespace, "create", "token", name, "--duration=1h"])?;
        Ok(token.trim().to_owned())
    }

    /// Waits until `accept` says yes to the object at `path`.
    ///
    /// # Errors
    /// At the deadline, with what was seen last.
    pub fn wait_for(
        &self,
        path: &str,
        what: &str,
        timeout: Duration,
        mut accept: impl FnMut(&Value) -> bool,
    ) -> Result<Value> {
        eventually(&format!("{path}: {what}"), timeout, || {
            Ok(match self.raw(path)? {
                Some(object) if accept(&object) => Seen::Yes(object),
                Some(object) => Seen::NotYet(object["status"].to_string()),
                None => Seen::NotYet("it does not exist".into()),
            })
        })
    }

    /// Waits until the API server serves these CRDs.
    ///
    /// # Errors
    /// At the deadline, with what was seen last.
    pub fn wait_established(&self, crds: &[&str], timeout: Duration) -> Result<()> {
        for crd in crds {
            let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd}");
            self.wait_for(&path, "Established", timeout, |crd| {
                condition(crd, "Established").is_some_and(|found| found["status"] == "True")
            })?;
        }
        Ok(())
    }

    /// Waits until nothing is at `path` any more.
    ///
    /// # Errors
    /// At the deadline, with the object's metadata.
    pub fn wait_until_gone(&self, path: &str, timeout: Duration) -> Result<()> {
        eventually(&format!("{path} to be gone"), timeout, || {
            Ok(match self.raw(path)? {
                None => Seen::Yes(()),
                Some(object) => Seen::NotYet(object["metadata"].to_string()),
            })
        })
    }
}

/// The condition of one type in an object's status.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"]
        .as_array()?
        .iter()
        .find(|condition| condition["type"] == kind)
}
