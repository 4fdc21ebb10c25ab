//! Names, tags and digests of images.

use regex::Regex;

use crate::kustomize::config::FieldSpec;
use crate::kustomize::kustomization::Image;
use crate::kustomize::pattern;
use crate::kustomize::problem::{Fault, Place};
use crate::kustomize::resource::Resource;
use crate::kustomize::resources::Resources;
use crate::kustomize::walk::{self, Refusal};
use crate::ledger::Problems;
use crate::yaml::{Data, Node};

/// One `images` entry, ready for use.
#[derive(Debug)]
pub(in crate::kustomize) struct ImageRule {
    image: Image,
    name: Name,
}

/// Names are regular expressions, though hardly anybody writes one.
#[derive(Debug)]
enum Name {
    /// Letters, digits and separators, where a dot stands for any character.
    Plain,
    Expression(Regex),
    /// Not an expression: kustomize then matches nothing.
    Nothing,
}

/// What may follow a name: a tag, a digest.
const TAIL: &str = "(:[a-zA-Z0-9_.{}-]*)?(@[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*:[a-zA-Z0-9_.{}-]*)?$";

impl ImageRule {
    pub(in crate::kustomize) fn new(image: Image) -> Self {
        let plain = image.name.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/' | b':' | b'.')
        });
        let name = if plain {
            Name::Plain
        } else {
            let expression = format!("^{}{TAIL}", image.name);
            match pattern::compile(&expression, &image.name) {
                Ok(regex) => Name::Expression(regex),
                Err(_) => Name::Nothing,
            }
        };
        Self { image, name }
    }

    fn matches(&self, value: &str) -> bool {
        match &self.name {
            Name::Plain => plain_match(&self.image.name, value),
            Name::Expression(regex) => regex.is_match(value),
            Name::Nothing => false,
        }
    }

    fn update(&self, node: &mut Node, problems: &Problems) -> Result<(), Refusal> {
        if node.is_null() && self.image.name.is_empty() {
            return Ok(());
        }
        let Some(value) = node.scalar() else {
            return Err(Refusal::expected(node, "an image"));
        };
        if !self.matches(&value) {
            return Ok(());
        }
        let text = self.replaced(&value);
        problems.spend(text.len(), 0)?;
        walk::set_scalar(node, Data::String(text))
    }

    fn replaced(&self, value: &str) -> String {
        let rule = &self.image;
        let (name, tag, digest) = split(value);
        let name = if rule.new_name.is_empty() {
            name
        } else {
            &rule.new_name
        };
        let (tag, digest) = if rule.new_tag.is_empty() {
            if !rule.digest.is_empty() {
                (String::new(), rule.digest.as_str())
            } else if rule.tag_suffix.is_empty() {
                (tag.to_owned(), digest)
            } else {
                (format!("{tag}{}", rule.tag_suffix), "")
            }
        } else {
            (rule.new_tag.clone(), rule.digest.as_str())
        };
        let mut text = name.to_owned();
        if !tag.is_empty() {
            text.push(':');
            text.push_str(&tag);
        }
        if !digest.is_empty() {
            text.push('@');
            text.push_str(digest);
        }
        text
    }
}

/// A name without operators but the dot, and what may follow it.
fn plain_match(name: &str, value: &str) -> bool {
    let mut rest = value.chars();
    for wanted in name.chars() {
        match rest.next() {
            Some(c) if c == wanted || (wanted == '.' && c != '\n') => {}
            _ => return false,
        }
    }
    let mut rest = rest.as_str();
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b"_.{}-".contains(&byte);
    if let Some(after) = rest.strip_prefix(':') {
        let end = after.bytes().position(|byte| !word(byte));
        rest = &after[end.unwrap_or(after.len())..];
    }
    let Some(after) = rest.strip_prefix('@') else {
        return rest.is_empty();
    };
    let Some((algorithm, hex)) = after.split_once(':') else {
        return false;
    };
    hex.bytes().all(word)
        && algorithm
            .split(['.', '+', '_', '-'])
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Name, tag and digest.
fn split(image: &str) -> (&str, &str, &str) {
    let slash = image.find('/').filter(|at| *at > 0).unwrap_or(0);
    let search = &image[slash..];
    let digest = search.find('@').map(|at| at + slash);
    let tag = search.find(':').map(|at| at + slash);
    match (digest, tag) {
        (None, None) => (image, "", ""),
        (Some(digest), tag) if tag.is_none_or(|tag| digest < tag) => {
            (&image[..digest], "", &image[digest + 1..])
        }
        (Some(digest), Some(tag)) => (&image[..tag], &image[tag + 1..digest], &image[digest + 1..]),
        (_, Some(tag)) => (&image[..tag], &image[tag + 1..], ""),
        (Some(digest), None) => (&image[..digest], "", &image[digest + 1..]),
    }
}

pub(super) fn set(
    resources: &mut Resources,
    rule: &ImageRule,
    fields: &[FieldSpec],
    place: &Place,
    problems: &mut Problems,
) {
    for resource in resources.list_mut() {
        if resource.kind() == "CustomResourceDefinition" {
            continue;
        }
        if let Err(fault) = set_one(resource, rule, fields, problems) {
            problems.push(place.problem(fault));
        }
    }
}

/// First every container wherever it stands, then the fields that are named. Kustomize does the
/// same, which is why a tag's suffix can come twice.
fn set_one(
    resource: &mut Resource,
    rule: &ImageRule,
    fields: &[FieldSpec],
    problems: &Problems,
) -> Result<(), Fault> {
    in_containers(&mut resource.node, rule, problems).map_err(|Refusal(message)| {
        Fault::Mismatch {
            object: resource.id().to_string(),
            field: "containers".to_owned(),
            message,
        }
    })?;
    fields.iter().try_for_each(|field| {
        walk::each(resource, field, None, &mut |node| {
            rule.update(node, problems)
        })
    })
}

fn in_containers(node: &mut Node, rule: &ImageRule, problems: &Problems) -> Result<(), Refusal> {
    match &mut node.data {
        Data::Sequence(items) => items
            .iter_mut()
            .try_for_each(|item| in_containers(item, rule, problems)),
        Data::Mapping(entries) => {
            for (key, value) in entries {
                in_containers(value, rule, problems)?;
                if !matches!(key.as_str(), "containers" | "initContainers") {
                    continue;
                }
                let Data::Sequence(items) = &mut value.data else {
                    continue;
                };
                for item in items {
                    match &item.data {
                        Data::Null | Data::Blank => continue,
                        Data::Mapping(_) => {}
                        _ => return Err(Refusal::expected(item, "a mapping")),
                    }
                    if let Some(image) = item.get_mut("image") {
                        rule.update(image, problems)?;
                    }
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_fall_into_name_tag_and_digest() {
        assert_eq!(split("nginx"), ("nginx", "", ""));
        assert_eq!(split("nginx:1.2"), ("nginx", "1.2", ""));
        assert_eq!(split("a.b:5000/nginx"), ("a.b:5000/nginx", "", ""));
        assert_eq!(split("a:5000/b:c@sha256:d"), ("a:5000/b", "c", "sha256:d"));
        assert_eq!(split("nginx@sha256:abc"), ("nginx", "", "sha256:abc"));
    }

    #[test]
    fn plain_names_match_as_the_expression_would() {
        for name in ["nginx", "a.b/nginx", "a:5000/b"] {
            let regex = Regex::new(&format!("^{name}{TAIL}")).unwrap();
            for value in [
                "nginx",
                "nginx:1",
                "nginx:",
                "nginx@sha256:ab",
                "nginx:1@sha256:ab",
                "nginx:1@sha256",
                "nginx:1@:ab",
                "nginx:1@a+b.c:ab",
                "nginx/x",
                "nginxx",
                "a.b/nginx:2",
                "axb/nginx",
                "a:5000/b:c",
                "a:5000/b:c d",
            ] {
                assert_eq!(
                    plain_match(name, value),
                    regex.is_match(value),
                    "{name} {value}"
                );
            }
        }
    }
}
