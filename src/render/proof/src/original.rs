//! The original, as a process that answers requests; see `e2e/tools/kustomize/oracle`.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::outcome::Outcome;

/// A running original.
#[derive(Debug)]
pub struct Original {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    op: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    files: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    binary: BTreeMap<&'a str, String>,
    path: &'a str,
    yaml: bool,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    variables: Option<&'a BTreeMap<String, String>>,
    count: usize,
}

/// What the original answered.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// The objects, for builds.
    pub objects: Vec<Value>,
    /// What the command would print, if asked for.
    pub yaml: String,
    /// The text, for substitutions and scalars.
    pub text: String,
    /// Why not.
    pub error: Option<String>,
    /// How long each build took.
    pub nanoseconds: Vec<u64>,
}

impl Answer {
    /// As an outcome of a build.
    pub fn outcome(self) -> Outcome {
        match self.error {
            Some(error) => Outcome::Failed(error),
            None => Outcome::Built(self.objects),
        }
    }

    /// As the text that was asked for.
    pub fn text(self) -> std::result::Result<String, String> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.text),
        }
    }
}

/// Where `e2e/tools/build kustomize` puts a program.
pub fn tool(name: &str) -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../.tools/kustomize/bin")
        .join(name);
    if !path.exists() {
        bail!(
            "{} isn't there: run `e2e/tools/build kustomize`",
            path.display()
        );
    }
    Ok(path)
}

impl Original {
    /// Starts the process.
    pub fn start() -> Result<Self> {
        let program = tool("oracle")?;
        let mut child = Command::new(&program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let input = child.stdin.take().context("no standard input")?;
        let output = BufReader::new(child.stdout.take().context("no standard output")?);
        Ok(Self {
            child,
            input,
            output,
        })
    }

    /// Sends a request that stands as one line of JSON.
    pub fn raw(&mut self, request: &str) -> Result<Answer> {
        self.input.write_all(request.as_bytes())?;
        self.input.write_all(b"\n")?;
        self.input.flush()?;
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            let status = self.child.wait()?;
            bail!("the original ended ({status}) over {request}");
        }
        serde_json::from_str(&line).with_context(|| format!("reading the answer {line}"))
    }

    fn ask(&mut self, request: &Request<'_>) -> Result<Answer> {
        let text = serde_json::to_string(request)?;
        self.raw(&text)
    }

    /// Builds.
    pub fn build(
        &mut self,
        files: &BTreeMap<String, Vec<u8>>,
        path: &str,
        yaml: bool,
    ) -> Result<Answer> {
        self.on_files("build", files, path, yaml, 0)
    }

    /// Builds so many times, for the time it takes.
    pub fn time(
        &mut self,
        files: &BTreeMap<String, Vec<u8>>,
        path: &str,
        count: usize,
    ) -> Result<Answer> {
        self.on_files("time", files, path, false, count)
    }

    fn on_files(
        &mut self,
        op: &'static str,
        files: &BTreeMap<String, Vec<u8>>,
        path: &str,
        yaml: bool,
        count: usize,
    ) -> Result<Answer> {
        let mut request = Request {
            op,
            path,
            yaml,
            count,
            ..Request::default()
        };
        for (path, bytes) in files {
            match std::str::from_utf8(bytes) {
                Ok(text) => {
                    request.files.insert(path, text);
                }
                Err(_) => {
                    request.binary.insert(path, STANDARD.encode(bytes));
                }
            }
        }
        self.ask(&request)
    }

    /// Substitutes in a text.
    pub fn substitute(
        &mut self,
        text: &str,
        variables: &BTreeMap<String, String>,
    ) -> Result<std::result::Result<String, String>> {
        let request = Request {
            op: "substitute",
            text,
            variables: Some(variables),
            ..Request::default()
        };
        Ok(self.ask(&request)?.text())
    }
}

impl Drop for Original {
    fn drop(&mut self) {
        // It ends when its input does; a process that hangs is not waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
