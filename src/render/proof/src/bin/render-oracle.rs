//! Compares our builds with those of the original, object by object, order included.
//!
//! `render-oracle corpus` the hand-made cases, against the live original and what is recorded of it;
//! `render-oracle record [NAME…]` writes down what the original makes of the cases;
//! `render-oracle own FILE` kustomize's own tests, as `oracle --own-tests` prints them;
//! `render-oracle generated SEED COUNT` generated trees, one for each seed from SEED on;
//! `render-oracle yaml SEED COUNT` generated manifests of which only the YAML is odd;
//! `render-oracle command` whether the `kustomize` command gives what its library gives, on the
//! hand-made cases.
//!
//! Differences are printed, and written to `target/render-oracle/` as cases; any makes it end with 1.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use stageset_render::Tree;
use stageset_render_proof::case::{Case, Recorded};
use stageset_render_proof::original::{Original, tool};
use stageset_render_proof::outcome::Outcome;
use stageset_render_proof::{corpus, generate, known};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[&str]) -> Result<usize> {
    let mut compare = Compare::start()?;
    match arguments {
        ["corpus"] => compare.corpus()?,
        ["record", names @ ..] => return compare.record(names),
        ["own", file] => compare.own(file)?,
        ["generated", seed, count] => {
            let first: u64 = seed.parse().context("SEED is a number")?;
            let count: u64 = count.parse().context("COUNT is a number")?;
            for seed in first..first.saturating_add(count) {
                let generated = generate::tree(seed);
                compare.build(&format!("seed-{seed}"), &generated.files, &generated.path)?;
            }
        }
        ["yaml", seed, count] => {
            let first: u64 = seed.parse().context("SEED is a number")?;
            let count: u64 = count.parse().context("COUNT is a number")?;
            for seed in first..first.saturating_add(count) {
                let generated = generate::yaml::manifest(seed);
                compare.build(&format!("yaml-{seed}"), &generated.files, &generated.path)?;
            }
        }
        ["command"] => compare.command()?,
        _ => bail!(
            "usage: render-oracle corpus | record [NAME…] | own FILE | generated SEED COUNT | \
             yaml SEED COUNT | command"
        ),
    }
    compare.report();
    Ok(compare.different)
}

struct Compare {
    original: Original,
    built: usize,
    refused: usize,
    different: usize,
    known: BTreeMap<&'static str, usize>,
    /// Errors of the original by their beginning, to see what the cases reach.
    errors: BTreeMap<String, usize>,
}

impl Compare {
    fn start() -> Result<Self> {
        Ok(Self {
            original: Original::start()?,
            built: 0,
            refused: 0,
            different: 0,
            known: BTreeMap::new(),
            errors: BTreeMap::new(),
        })
    }

    fn build(&mut self, name: &str, files: &BTreeMap<String, Vec<u8>>, path: &str) -> Result<()> {
        let answer = self.original.build(files, path, false)?;
        let ours = Outcome::ours(&Tree::from_files(files)?, path);
        self.judge(name, files, path, &ours, &answer.outcome());
        Ok(())
    }

    fn judge(
        &mut self,
        name: &str,
        files: &BTreeMap<String, Vec<u8>>,
        path: &str,
        ours: &Outcome,
        original: &Outcome,
    ) {
        match original {
            Outcome::Built(_) => self.built += 1,
            Outcome::Failed(error) => {
                self.refused += 1;
                *self.errors.entry(gist(error)).or_default() += 1;
            }
        }
        let Some(difference) = ours.difference(original) else {
            return;
        };
        if let Some(known) = known::explains(files, ours, original) {
            *self.known.entry(known.name).or_default() += 1;
            return;
        }
        self.different += 1;
        if self.different <= 20 {
            println!("DIFFERENT {name}: {difference}");
        }
        let head = format!("{difference}\npath: {path}\n").replace("\n===", "\n ==");
        if let Err(error) = keep(name, &Case::of(head, path.to_owned(), files.clone())) {
            println!("  not kept: {error:#}");
        }
    }

    fn corpus(&mut self) -> Result<()> {
        for entry in corpus::all()? {
            let case = &entry.case;
            let answer = self.original.build(&case.files, &case.path, true)?;
            let recorded = recorded(&answer.yaml, answer.error.as_deref());
            if case.original.as_ref() != Some(&recorded) {
                self.different += 1;
                println!(
                    "DIFFERENT {}: the original gives something else than is recorded",
                    entry.name
                );
            }
            let original = answer.outcome();
            let ours = Outcome::ours(&case.tree()?, &case.path);
            if case.differs.is_some() {
                *self.known.entry("says so in its case").or_default() += 1;
            } else {
                self.judge(&entry.name, &case.files, &case.path, &ours, &original);
            }
        }
        Ok(())
    }

    fn record(&mut self, names: &[&str]) -> Result<usize> {
        let mut written = 0;
        for mut entry in corpus::all()? {
            if !names.is_empty() && !names.contains(&entry.name.as_str()) {
                continue;
            }
            let answer = self
                .original
                .build(&entry.case.files, &entry.case.path, true)?;
            entry.case.original = Some(recorded(&answer.yaml, answer.error.as_deref()));
            if entry.case.differs.is_some() {
                let ours = Outcome::ours(&entry.case.tree()?, &entry.case.path);
                entry.case.ours = Some(in_words(&ours)?);
            }
            let text = entry.case.print();
            if std::fs::read_to_string(&entry.file)? != text {
                std::fs::write(&entry.file, text)?;
                written += 1;
                println!("recorded {}", entry.name);
            }
        }
        println!("{written} case(s) written");
        Ok(0)
    }

    fn own(&mut self, file: &str) -> Result<()> {
        for line in std::fs::read_to_string(file)?.lines() {
            let request: Value = serde_json::from_str(line)?;
            let answer = self.original.raw(line)?;
            let mut files = BTreeMap::new();
            let texts = request["files"].as_object().context("files")?;
            for (path, text) in texts {
                let text = text.as_str().context("a text")?;
                files.insert(path.clone(), text.as_bytes().to_vec());
            }
            let name = request["name"].as_str().context("name")?.replace('/', ".");
            let path = request["path"].as_str().context("path")?;
            let ours = Outcome::ours(&Tree::from_files(&files)?, path);
            self.judge(&name, &files, path, &ours, &answer.outcome());
        }
        Ok(())
    }

    /// The library against the command.
    fn command(&mut self) -> Result<()> {
        let program = tool("kustomize")?;
        let folder = std::env::temp_dir().join(format!("render-oracle-{}", std::process::id()));
        for entry in corpus::all()? {
            let case = &entry.case;
            let root = folder.join(entry.name.replace('/', "-"));
            for (path, bytes) in &case.files {
                let file = root.join(path);
                std::fs::create_dir_all(file.parent().context("a folder")?)?;
                std::fs::write(file, bytes)?;
            }
            let output = std::process::Command::new(&program)
                .args([
                    "build",
                    "--load-restrictor=LoadRestrictionsNone",
                    "--reorder=none",
                ])
                .arg(root.join(&case.path))
                .env("HTTPS_PROXY", "http://127.0.0.1:9")
                .env("HTTP_PROXY", "http://127.0.0.1:9")
                .env("PATH", "")
                .output()?;
            let same = match &case.original {
                Some(Recorded::Objects(text)) => {
                    output.status.success() && String::from_utf8_lossy(&output.stdout) == *text
                }
                Some(Recorded::Error(_)) => !output.status.success(),
                None => bail!("{} isn't recorded", entry.name),
            };
            match case.original {
                Some(Recorded::Objects(_)) => self.built += 1,
                _ => self.refused += 1,
            }
            if !same {
                self.different += 1;
                println!(
                    "DIFFERENT {}: the command says\n{}{}",
                    entry.name,
                    String::from_utf8_lossy(&output.stdout),
                    String::from_utf8_lossy(&output.stderr)
                );
            }
        }
        std::fs::remove_dir_all(&folder)?;
        Ok(())
    }

    fn report(&self) {
        println!(
            "{} build(s): the original built {}, refused {}; {} different, {} different as known",
            self.built + self.refused,
            self.built,
            self.refused,
            self.different,
            self.known.values().sum::<usize>(),
        );
        for (name, count) in &self.known {
            println!("  known {count:6}  {name}");
        }
        let mut errors: Vec<_> = self.errors.iter().collect();
        errors.sort_by(|a, b| b.1.cmp(a.1));
        for (error, count) in errors.iter().take(12) {
            println!("  refused {count:6}  {error}");
        }
    }
}

/// The words of an error without what is particular to a case: its last part, letters only.
fn gist(error: &str) -> String {
    let last = error.trim().rsplit(": ").next().unwrap_or_default();
    let last = if last.len() < 12 { error } else { last };
    let mut words: Vec<&str> = last
        .split_whitespace()
        .filter(|word| word.chars().all(|c| c.is_ascii_lowercase()))
        .collect();
    words.truncate(9);
    words.join(" ")
}

/// The original's outcome as it stands in a case. Lines that would end a section are indented.
fn recorded(yaml: &str, error: Option<&str>) -> Recorded {
    match error {
        None => Recorded::Objects(yaml.to_owned()),
        Some(error) => {
            Recorded::Error(without_addresses(error.trim_end()).replace("\n===", "\n ==="))
        }
    }
}

fn keep(name: &str, case: &Case) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../target/render-oracle");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{}.case", name.replace('/', ".")));
    std::fs::write(file, case.print())?;
    Ok(())
}

/// Our own outcome as it stands in a case: JSON, a document a line, which is YAML.
fn in_words(ours: &Outcome) -> Result<Recorded> {
    Ok(match ours {
        Outcome::Failed(problems) => Recorded::Error(problems.clone()),
        Outcome::Built(objects) => {
            let mut text = String::new();
            for object in objects {
                text.push_str("---\n");
                text.push_str(&serde_json::to_string_pretty(object)?);
                text.push('\n');
            }
            Recorded::Objects(text)
        }
    })
}

/// Some errors print pointers, which differ from run to run.
fn without_addresses(error: &str) -> String {
    let mut parts = error.split("0x");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str("0x");
        text.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    }
    text
}
