//! One build as a text that people read and write.
//!
//! ```text
//! A prefix reaches the name of a ConfigMap that a volume names.
//! path: overlay
//! === overlay/kustomization.yaml
//! namePrefix: a-
//! === overlay/bytes.bin (base64)
//! AAEC
//! === overlay/odd.yaml (escaped)
//! a:\tb\r
//! === > objects
//! apiVersion: v1
//! …
//! ```
//!
//! The lines before the first `===` say what the case shows, and may set
//! - `path:` the folder to build (default: the root);
//! - `says:` a text that our error must contain (may stand several times);
//! - `differs:` why our outcome isn't the original's; `=== < objects` or `=== < error` then has ours.
//!
//! Sections whose name begins with `>` are recorded from the original (`just render-record`). An
//! escaped file knows `\t`, `\r`, `\\`, `\n`, `\u{…}`, and a `\` at the end of a line joins it with
//! the next; its own last line break doesn't count.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stageset_render::Tree;

/// What a build gave, as recorded: objects as one YAML text, or an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// YAML documents, as kustomize prints them.
    Objects(String),
    /// The error's text.
    Error(String),
}

/// A case.
#[derive(Debug, Clone, Default)]
pub struct Case {
    /// What it shows, and its settings, as written.
    pub head: String,
    /// The folder to build.
    pub path: String,
    /// What our error must contain.
    pub says: Vec<String>,
    /// Why our outcome isn't the original's.
    pub differs: Option<String>,
    /// The input sections as written: header and body.
    sections: Vec<(String, String)>,
    /// The input.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What the original made of it.
    pub original: Option<Recorded>,
    /// What ours makes of it, where that differs on purpose.
    pub ours: Option<Recorded>,
}

impl Case {
    /// Reads a case.
    pub fn parse(text: &str) -> Result<Self> {
        let mut case = Self::default();
        let (head, mut rest) = match text.find("=== ") {
            Some(0) => ("", text),
            Some(_) => match text.find("\n=== ") {
                Some(at) => (&text[..=at], &text[at + 1..]),
                None => bail!("no section: begin one with '=== ' and a path"),
            },
            None => bail!("no section: begin one with '=== ' and a path"),
        };
        head.clone_into(&mut case.head);
        for line in head.lines() {
            if let Some(path) = line.strip_prefix("path:") {
                path.trim().clone_into(&mut case.path);
            } else if let Some(says) = line.strip_prefix("says:") {
                case.says.push(says.trim().to_owned());
            } else if let Some(reason) = line.strip_prefix("differs:") {
                case.differs = Some(reason.trim().to_owned());
            }
        }
        while let Some(after) = rest.strip_prefix("=== ") {
            let (header, body) = after.split_once('\n').unwrap_or((after, ""));
            let end = if body.starts_with("=== ") {
                0
            } else {
                body.find("\n=== ").map_or(body.len(), |at| at + 1)
            };
            case.section(header, &body[..end])
                .with_context(|| format!("section {header}"))?;
            rest = &body[end..];
        }
        Ok(case)
    }

    fn section(&mut self, header: &str, body: &str) -> Result<()> {
        let error = || Recorded::Error(body.trim_end().to_owned());
        match header {
            "> objects" => self.original = Some(Recorded::Objects(body.to_owned())),
            "> error" => self.original = Some(error()),
            "< objects" => self.ours = Some(Recorded::Objects(body.to_owned())),
            "< error" => self.ours = Some(error()),
            _ => {
                let (path, bytes) = if let Some(path) = header.strip_suffix(" (base64)") {
                    let text: String = body.split_whitespace().collect();
                    (path, STANDARD.decode(text)?)
                } else if let Some(path) = header.strip_suffix(" (escaped)") {
                    (path, unescape(body)?.into_bytes())
                } else {
                    (header, body.as_bytes().to_vec())
                };
                if self.files.insert(path.to_owned(), bytes).is_some() {
                    bail!("the path stands here twice");
                }
                self.sections.push((header.to_owned(), body.to_owned()));
            }
        }
        Ok(())
    }

    /// A case made from files, as the generator's finds are written down.
    pub fn of(head: String, path: String, files: BTreeMap<String, Vec<u8>>) -> Self {
        let sections = files
            .iter()
            .map(|(file, bytes)| match std::str::from_utf8(bytes) {
                Ok(text) if is_plain(text) => (file.clone(), text.to_owned()),
                Ok(text) => (format!("{file} (escaped)"), escape(text)),
                Err(_) => (format!("{file} (base64)"), STANDARD.encode(bytes) + "\n"),
            })
            .collect();
        Self {
            head,
            path,
            sections,
            files,
            ..Self::default()
        }
    }

    /// The text of the case.
    pub fn print(&self) -> String {
        let mut text = self.head.clone();
        let mut section = |header: &str, body: &str| {
            let _ = writeln!(text, "=== {header}");
            text.push_str(body);
        };
        for (header, body) in &self.sections {
            section(header, body);
        }
        for (mark, recorded) in [("<", &self.ours), (">", &self.original)] {
            match recorded {
                Some(Recorded::Objects(objects)) => section(&format!("{mark} objects"), objects),
                Some(Recorded::Error(error)) => {
                    section(&format!("{mark} error"), &format!("{error}\n"));
                }
                None => {}
            }
        }
        text
    }

    /// The input as the renderer takes it.
    pub fn tree(&self) -> Result<Tree> {
        let files = self.files.iter();
        Ok(Tree::from_files(files)?)
    }
}

/// Whether a text can stand in a case as it is.
fn is_plain(text: &str) -> bool {
    text.ends_with('\n')
        && !text.starts_with("=== ")
        && !text.contains("\n=== ")
        && text
            .chars()
            .all(|c| c == '\n' || (!c.is_control() && c != '\u{feff}'))
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '\n' => escaped.push('\n'),
            '\t' => escaped.push_str("\\t"),
            '\r' => escaped.push_str("\\r"),
            '\\' => escaped.push_str("\\\\"),
            c if c.is_control() || c == '\u{feff}' => {
                let _ = write!(escaped, "\\u{{{:x}}}", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    // A line that would begin a section.
    let mut escaped = escaped.replace("\n=== ", "\n\\u{3d}== ");
    if escaped.starts_with("=== ") {
        escaped.replace_range(..1, "\\u{3d}");
    }
    escaped + "\n"
}

fn unescape(text: &str) -> Result<String> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (c, length) = match after.chars().next() {
            Some('t') => (Some('\t'), 1),
            Some('r') => (Some('\r'), 1),
            Some('n') => (Some('\n'), 1),
            Some('\\') => (Some('\\'), 1),
            Some('\n') => (None, 1),
            Some('u') => {
                let end = after.find('}').context("\\u needs {…}")?;
                let digits = after.get(2..end).context("\\u needs {…}")?;
                let code = u32::from_str_radix(digits, 16)?;
                (
                    Some(char::from_u32(code).context("no such character")?),
                    end + 1,
                )
            }
            other => bail!("no such escape: \\{}", other.unwrap_or(' ')),
        };
        plain.extend(c);
        rest = &after[length..];
    }
    plain.push_str(rest);
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_the_same() {
        let text = "Shows.\npath: a\nsays: no\n=== a/x\n1\n=== a/y (escaped)\nb:\\tc\\r\n\\u{feff}\n\
                    === < error\nours\n=== > objects\na: 1\n";
        let case = Case::parse(text).unwrap();
        assert_eq!(case.print(), text);
        assert_eq!(case.path, "a");
        assert_eq!(case.files["a/y"], "b:\tc\r\n\u{feff}".as_bytes());
        assert_eq!(case.original, Some(Recorded::Objects("a: 1\n".into())));
        assert_eq!(case.ours, Some(Recorded::Error("ours".into())));
        let again = Case::of(case.head.clone(), "a".into(), case.files.clone());
        assert_eq!(Case::parse(&again.print()).unwrap().files, case.files);
    }

    #[test]
    fn bytes_and_odd_texts_survive() {
        let odd: [&[u8]; 5] = [
            b"\xff\x00",
            b"no end",
            b"=== x\n",
            b"a\n=== b\n",
            b"\\u\\n\n",
        ];
        for bytes in odd {
            let files = BTreeMap::from([("f".to_owned(), bytes.to_vec())]);
            let text = Case::of(String::new(), String::new(), files.clone()).print();
            assert_eq!(Case::parse(&text).unwrap().files, files, "{text}");
        }
    }
}
