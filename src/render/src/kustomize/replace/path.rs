//! Field paths: `spec.containers.[name=web].env.*.value`, `a.0.b`.

use regex::Regex;

use crate::kustomize::config::split;
use crate::kustomize::pattern;
use crate::kustomize::walk::Refusal;
use crate::yaml::{Data, Node, plain_scalar as resolve};

/// A path, parsed.
#[derive(Debug)]
pub(in crate::kustomize) struct Path {
    text: String,
    parts: Vec<Part>,
}

/// One step of a path.
#[derive(Debug, Clone)]
pub(in crate::kustomize) enum Part {
    Field(String),
    Index(usize),
    /// The last element, where a value is read.
    Last,
    /// `[key=value]`; an empty key stands for the element itself.
    Element {
        key: String,
        value: String,
        /// The value as an expression, which is found anywhere in the text; or what is wrong
        /// with it, which matters where there is something to hold it against.
        expression: Result<Regex, String>,
    },
    Every,
    /// Brackets without `key=value`, which matter where the path leads that far.
    Bad(String),
}

/// Whether a field stood there or was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kustomize) enum Found {
    There,
    Made,
}

impl Path {
    pub(in crate::kustomize) fn parse(text: &str) -> Self {
        let parts = bracketed(split(text, '.'));
        Self {
            text: text.to_owned(),
            parts: parts.into_iter().map(Part::parse).collect(),
        }
    }

    /// A path with slashes.
    pub(in crate::kustomize) fn slashed(text: &str) -> Self {
        let parts = split(text, '/');
        Self {
            text: text.to_owned(),
            parts: parts
                .into_iter()
                .filter(|part| !part.is_empty())
                .map(Part::parse)
                .collect(),
        }
    }

    pub(in crate::kustomize) fn text(&self) -> &str {
        &self.text
    }

    pub(in crate::kustomize) fn parts(&self) -> &[Part] {
        &self.parts
    }
}

impl Part {
    fn parse(part: String) -> Self {
        if let Ok(index) = part.parse() {
            return Self::Index(index);
        }
        if part == "*" {
            return Self::Every;
        }
        if part == "-" {
            return Self::Last;
        }
        let inner = part
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let Some(inner) = inner else {
            return Self::Field(part);
        };
        let Some((key, value)) = inner.split_once('=') else {
            return Self::Bad(part);
        };
        Self::Element {
            key: key.to_owned(),
            value: value.to_owned(),
            expression: pattern::compile(value, value).map_err(|fault| fault.to_string()),
        }
    }
}

/// Joins what stands in brackets: `[name=a.b]` is one part, and so is `[a.b/c]`, a field.
fn bracketed(parts: Vec<String>) -> Vec<String> {
    let mut joined = Vec::with_capacity(parts.len());
    let mut parts = parts.into_iter();
    while let Some(part) = parts.next() {
        if !part.starts_with('[') || part.ends_with(']') {
            joined.push(part);
            continue;
        }
        let mut text = part;
        for part in parts.by_ref() {
            text.push('.');
            text.push_str(&part);
            if part.ends_with(']') {
                break;
            }
        }
        joined.push(if text.contains('=') {
            text
        } else {
            text.trim_matches(['[', ']']).to_owned()
        });
    }
    joined
}

/// A path in which `containers[0]` stands for an element, as variables have it.
pub(in crate::kustomize) fn indexed_path(text: &str) -> Path {
    let mut parts = Vec::new();
    for part in bracketed(split(text, '.')) {
        let index = part
            .strip_suffix(']')
            .and_then(|rest| rest.rsplit_once('['))
            .and_then(|(name, index)| Some((name, index.parse().ok()?)));
        match index {
            Some((name, index)) => {
                if !name.is_empty() {
                    parts.push(Part::Field(name.to_owned()));
                }
                parts.push(Part::Index(index));
            }
            None => parts.push(Part::parse(part)),
        }
    }
    Path {
        text: text.to_owned(),
        parts,
    }
}

/// The one place that a path stands for.
pub(in crate::kustomize) fn lookup<'n>(
    node: &'n Node,
    path: &Path,
) -> Result<Option<&'n Node>, Refusal> {
    let mut place = node;
    for part in &path.parts {
        let next = match (part, &place.data) {
            (Part::Every, _) => {
                return Err(Refusal(
                    "'*' can't stand in the path of a source".to_owned(),
                ));
            }
            (Part::Bad(part), _) => return Err(bad_part(part)),
            (_, Data::Null | Data::Blank) => None,
            (Part::Field(name), Data::Mapping(_)) if name.trim().is_empty() => Some(place),
            (Part::Field(name), Data::Mapping(_)) => place.get(name.trim()),
            (Part::Index(at), Data::Sequence(items)) => items.get(*at),
            (Part::Last, Data::Sequence(items)) => items.last(),
            (Part::Element { key, value, .. }, Data::Sequence(items)) => {
                items.iter().find(|item| {
                    let own = if key.is_empty() {
                        Some(*item)
                    } else {
                        item.get(key)
                    };
                    own.and_then(Node::scalar).as_deref() == Some(value)
                })
            }
            (Part::Field(_), _) => return Err(Refusal::expected(place, "a mapping")),
            _ => return Err(Refusal::expected(place, "a list")),
        };
        match next {
            Some(next) => place = next,
            None => return Ok(None),
        }
    }
    Ok(Some(place))
}

fn bad_part(part: &str) -> Refusal {
    Refusal(format!("found {part:?} in the path, expected [key=value]"))
}

/// Calls `set` for every place that a path stands for, and counts them. With a value to make,
/// fields are made where there are none.
pub(in crate::kustomize) fn each(
    node: &mut Node,
    parts: &[Part],
    make: Option<&Node>,
    set: &mut dyn FnMut(&mut Node, Found) -> Result<(), Refusal>,
) -> Result<usize, Refusal> {
    walk(node, parts, make, Found::There, set)
}

fn walk(
    node: &mut Node,
    parts: &[Part],
    make: Option<&Node>,
    found: Found,
    set: &mut dyn FnMut(&mut Node, Found) -> Result<(), Refusal>,
) -> Result<usize, Refusal> {
    let Some((part, rest)) = parts.split_first() else {
        set(node, found)?;
        return Ok(1);
    };
    match part {
        Part::Field(name) => field(node, name, rest, make, set),
        Part::Last => field(node, "-", rest, make, set),
        Part::Bad(part) => Err(bad_part(part)),
        Part::Index(at) => {
            let line = node.line;
            let items = list(node, make.is_some())?;
            let mut found = Found::There;
            if items.len() == *at
                && let Some(make) = make
            {
                let data = made(rest, make);
                items.push(Node::new(line, data));
                found = Found::Made;
            }
            let count = items.len();
            match items.get_mut(*at) {
                Some(item) => walk(item, rest, make, found, set),
                None => Err(Refusal(format!(
                    "there is no element {at} in a list of {count}"
                ))),
            }
        }
        Part::Every => {
            let mut count = 0;
            for item in list(node, false)? {
                count += walk(item, rest, make, Found::There, set)?;
            }
            Ok(count)
        }
        Part::Element {
            key,
            value,
            expression,
        } => {
            let line = node.line;
            let items = list(node, make.is_some())?;
            let mut count = 0;
            for item in items.iter_mut() {
                count += element(item, key, expression, rest, make, set)?;
            }
            if count == 0 && make.is_some() {
                let text = Node::new(line, plain(value));
                let mut new = if key.is_empty() {
                    text
                } else {
                    let mut mapping = Node::mapping(line);
                    mapping.insert(key, text);
                    mapping
                };
                count = element(&mut new, key, expression, rest, make, set)?;
                items.push(new);
            }
            Ok(count)
        }
    }
}

fn element(
    item: &mut Node,
    key: &str,
    expression: &Result<Regex, String>,
    rest: &[Part],
    make: Option<&Node>,
    set: &mut dyn FnMut(&mut Node, Found) -> Result<(), Refusal>,
) -> Result<usize, Refusal> {
    let own = if key.is_empty() {
        Some(&*item)
    } else {
        item.get(key)
    };
    let matches = match (own.and_then(Node::scalar), expression) {
        (None, _) => false,
        (Some(text), Ok(expression)) => expression.is_match(&text),
        (Some(_), Err(message)) => return Err(Refusal(message.clone())),
    };
    if !matches {
        Ok(0)
    } else if key.is_empty() {
        set(item, Found::There)?;
        Ok(1)
    } else {
        walk(item, rest, make, Found::There, set)
    }
}

fn field(
    node: &mut Node,
    name: &str,
    rest: &[Part],
    make: Option<&Node>,
    set: &mut dyn FnMut(&mut Node, Found) -> Result<(), Refusal>,
) -> Result<usize, Refusal> {
    let line = node.line;
    if node.is_null() {
        match make {
            Some(_) => node.data = Data::Mapping(Vec::new()),
            None => return Ok(0),
        }
    }
    if !matches!(node.data, Data::Mapping(_)) {
        return Err(Refusal::expected(node, "a mapping"));
    }
    let mut found = Found::There;
    if node.get(name).is_none() {
        let Some(make) = make else {
            return Ok(0);
        };
        let data = made(rest, make);
        node.insert(name, Node::new(line, data));
        found = Found::Made;
    }
    match node.get_mut(name) {
        Some(value) => walk(value, rest, make, found, set),
        None => Ok(0),
    }
}

/// What is made for the parts that follow: a list, a mapping, or something like the value.
fn made(rest: &[Part], value: &Node) -> Data {
    match rest.first() {
        Some(Part::Index(_) | Part::Element { .. }) => Data::Sequence(Vec::new()),
        Some(_) => Data::Mapping(Vec::new()),
        None => match value.data {
            Data::Sequence(_) => Data::Sequence(Vec::new()),
            Data::Mapping(_) => Data::Mapping(Vec::new()),
            _ => Data::Blank,
        },
    }
}

fn list(node: &mut Node, make: bool) -> Result<&mut Vec<Node>, Refusal> {
    if node.is_null() && make {
        node.data = Data::Sequence(Vec::new());
    }
    if !matches!(node.data, Data::Sequence(_)) {
        return Err(Refusal::expected(node, "a list"));
    }
    match &mut node.data {
        Data::Sequence(items) => Ok(items),
        _ => Err(Refusal("a list was expected".to_owned())),
    }
}

/// What a text means where it stands without quotes; an empty one is always written with them.
fn plain(text: &str) -> Data {
    if text.is_empty() {
        Data::String(String::new())
    } else {
        resolve(text)
    }
}

/// Sets the text of a scalar. One that stands there keeps its type; one that was made takes the
/// type that the text has.
pub(in crate::kustomize) fn set_text(
    node: &mut Node,
    text: &str,
    found: Found,
) -> Result<(), Refusal> {
    if found == Found::Made {
        node.make(plain(text));
        return Ok(());
    }
    let data = match (&node.data, resolve(text)) {
        (Data::String(_), _) => Some(Data::String(text.to_owned())),
        (Data::Number(old), Data::Number(new))
            if new.is_f64() <= old.is_f64() || new.text() == old.text() =>
        {
            Some(Data::Number(new))
        }
        (Data::Bool(_), new @ Data::Bool(_)) => Some(new),
        _ => None,
    };
    match data {
        Some(data) => {
            node.write(data);
            Ok(())
        }
        None => Err(Refusal(format!(
            "found {} on line {}, and the source is of another type",
            node.kind(),
            node.line
        ))),
    }
}
