//! Reads the table's text.
//!
//! ```text
//! server v1.37.2
//! group NAME VERSION…                 ("-" for the core group; in the server's order)
//!
//! resource [GROUP/]VERSION PLURAL SINGULAR KIND namespaced|cluster
//!   names SHORT…
//!   categories NAME…
//!   verbs VERB…
//!   type DEFINITION
//!   sub NAME [GROUP/]VERSION KIND DEFINITION|- VERB…
//!
//! type DEFINITION SCHEMA              (one line, or "struct" with its fields below)
//!   FIELD[!] SCHEMA                   ("!": required)
//!
//! SCHEMA = TYPE ATTRIBUTE…
//! TYPE = string[:FORMAT] | integer[:FORMAT] | number[:FORMAT] | boolean | int-or-string
//!      | quantity | any | object | struct | @DEFINITION | [SCHEMA] (list) | {SCHEMA} (map)
//! ATTRIBUTE = list=atomic|set|map(KEY,…) | map=atomic|granular | patch=STRATEGY,… | key=KEY
//!           | default=JSON | enum=JSON
//! ```

use std::collections::BTreeMap;

use serde_json::Value;

use crate::kind::{Group, Kind, Subresource};
use crate::schema::{Field, ListType, MapType, Node, PatchStrategy, SchemaRef, Shape};
use crate::table::Definition;

/// The table's text in parts. Kinds are made from their blocks later, when the definitions have
/// found their place in memory.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) server: &'static str,
    pub(crate) groups: Vec<Group>,
    /// Ordered by name.
    pub(crate) definitions: Vec<Definition>,
    resources: Vec<Block>,
}

/// A line and the indented lines below it.
#[derive(Debug)]
struct Block {
    head: &'static str,
    lines: Vec<&'static str>,
}

/// Reads the text. Errors are for whoever changed the generator.
pub(crate) fn table(text: &'static str) -> Result<Table, String> {
    let mut table = Table {
        server: "",
        groups: Vec::new(),
        definitions: Vec::new(),
        resources: Vec::new(),
    };
    let mut types = Vec::new();
    for block in blocks(text)? {
        let (word, rest) = first_word(block.head);
        match word {
            "server" => table.server = rest,
            "group" => {
                let (name, versions) = first_word(rest);
                let name = if name == "-" { "" } else { name };
                table.groups.push(Group {
                    name,
                    versions: versions.split(' ').collect(),
                });
            }
            "resource" => table.resources.push(Block {
                head: rest,
                ..block
            }),
            "type" => types.push(Block {
                head: rest,
                ..block
            }),
            other => return Err(format!("unknown line {other}")),
        }
    }
    types.sort_by_key(|block| first_word(block.head).0);
    let index = types
        .iter()
        .enumerate()
        .map(|(at, block)| (first_word(block.head).0, at))
        .collect();
    for block in &types {
        let (name, schema) = first_word(block.head);
        let node = definition(schema, &block.lines, &index).map_err(|e| format!("{name}: {e}"))?;
        table.definitions.push(Definition { name, node });
    }
    let known = |name: &str| name == "-" || index.contains_key(name);
    for block in &table.resources {
        let named = block
            .lines
            .iter()
            .filter_map(|line| match first_word(line) {
                ("type", name) => Some(name),
                ("sub", rest) => rest.split(' ').nth(3),
                _ => None,
            });
        if let Some(missing) = named.into_iter().find(|name| !known(name)) {
            return Err(format!("{}: no definition {missing}", block.head));
        }
    }
    Ok(table)
}

fn blocks(text: &'static str) -> Result<Vec<Block>, String> {
    let mut blocks: Vec<Block> = Vec::new();
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        match (line.strip_prefix("  "), blocks.last_mut()) {
            (None, _) => blocks.push(Block {
                head: line,
                lines: Vec::new(),
            }),
            (Some(inner), Some(block)) => block.lines.push(inner),
            (Some(_), None) => return Err("the first line is indented".to_owned()),
        }
    }
    Ok(blocks)
}

/// The text up to the first space, and the text after it.
fn first_word(text: &'static str) -> (&'static str, &'static str) {
    text.split_once(' ').unwrap_or((text, ""))
}

type Index = BTreeMap<&'static str, usize>;

fn definition(schema: &'static str, lines: &[&'static str], index: &Index) -> Result<Node, String> {
    let mut node = Reader {
        rest: schema,
        index,
    }
    .whole()?;
    if let Shape::Struct(fields) = &mut node.shape {
        for line in lines {
            let (name, schema) = first_word(line);
            let required = name.ends_with('!');
            let name = name.trim_end_matches('!');
            let node = Reader {
                rest: schema,
                index,
            }
            .whole()
            .map_err(|e| format!("{name}: {e}"))?;
            fields.push(Field {
                name,
                required,
                node,
            });
        }
        fields.sort_by_key(|field| field.name);
    } else if !lines.is_empty() {
        return Err("fields below something that isn't a struct".to_owned());
    }
    Ok(node)
}

/// Reads one schema from left to right.
struct Reader<'a> {
    rest: &'static str,
    index: &'a Index,
}

impl Reader<'_> {
    fn whole(mut self) -> Result<Node, String> {
        let node = self.schema()?;
        if self.rest.is_empty() {
            Ok(node)
        } else {
            Err(format!("left over: {}", self.rest))
        }
    }

    fn schema(&mut self) -> Result<Node, String> {
        let mut node = Node::default();
        node.shape = if self.take("[") {
            let items = self.schema()?;
            self.expect("]")?;
            Shape::List(Box::new(items))
        } else if self.take("{") {
            let values = self.schema()?;
            self.expect("}")?;
            Shape::Map(Box::new(values))
        } else if self.take("@") {
            let name = self.until(&[' ', ']', '}']);
            Shape::Reference(
                *self
                    .index
                    .get(name)
                    .ok_or_else(|| format!("no definition {name}"))?,
            )
        } else {
            let text = self.until(&[' ', ']', '}']);
            let (name, format) = text
                .split_once(':')
                .map_or((text, None), |(n, f)| (n, Some(f)));
            node.format = format;
            shape(name)?
        };
        while self.take(" ") {
            let name = self.until(&['=']);
            self.expect("=")?;
            self.attribute(&mut node, name)?;
        }
        Ok(node)
    }

    fn attribute(&mut self, node: &mut Node, name: &str) -> Result<(), String> {
        match name {
            "default" => node.default = Some(self.json()?),
            "enum" => match self.json()? {
                Value::Array(values) => node.allowed = Some(values),
                other => return Err(format!("enum={other}")),
            },
            "list" => {
                let text = self.until(&[' ', ']', '}']);
                node.list_type = Some(list_type(text).ok_or_else(|| format!("list={text}"))?);
            }
            "map" => match self.until(&[' ', ']', '}']) {
                "atomic" => node.map_type = Some(MapType::Atomic),
                "granular" => node.map_type = Some(MapType::Granular),
                other => return Err(format!("map={other}")),
            },
            "patch" => {
                let mut strategy = PatchStrategy::default();
                for word in self.until(&[' ', ']', '}']).split(',') {
                    match word {
                        "merge" => strategy.merge = true,
                        "retainKeys" => strategy.retain_keys = true,
                        "replace" => {}
                        other => return Err(format!("patch={other}")),
                    }
                }
                node.patch = Some(strategy);
            }
            "key" => node.merge_key = Some(self.until(&[' ', ']', '}'])),
            other => return Err(format!("unknown attribute {other}")),
        }
        Ok(())
    }

    /// A JSON value; the reader goes on after it.
    fn json(&mut self) -> Result<Value, String> {
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<Value>();
        let value = values
            .next()
            .ok_or("no value")?
            .map_err(|e| e.to_string())?;
        self.rest = &self.rest[values.byte_offset()..];
        Ok(value)
    }

    fn take(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, prefix: &str) -> Result<(), String> {
        if self.take(prefix) {
            Ok(())
        } else {
            Err(format!("no {prefix} before {}", self.rest))
        }
    }

    fn until(&mut self, ends: &[char]) -> &'static str {
        let (text, rest) = self
            .rest
            .split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        self.rest = rest;
        text
    }
}

fn shape(name: &str) -> Result<Shape, String> {
    Ok(match name {
        "any" => Shape::Any,
        "object" => Shape::Object,
        "struct" => Shape::Struct(Vec::new()),
        "string" => Shape::String,
        "integer" => Shape::Integer,
        "number" => Shape::Number,
        "boolean" => Shape::Boolean,
        "int-or-string" => Shape::IntOrString,
        "quantity" => Shape::Quantity,
        other => return Err(format!("unknown type {other}")),
    })
}

fn list_type(text: &'static str) -> Option<ListType> {
    match text {
        "atomic" => Some(ListType::Atomic),
        "set" => Some(ListType::Set),
        _ => {
            let keys: Vec<&'static str> = text
                .strip_prefix("map(")?
                .strip_suffix(')')?
                .split(',')
                .collect();
            // The table is read once and lives as long as the program.
            Some(ListType::Map(Vec::leak(keys)))
        }
    }
}

/// The kinds of a table that has found its place in memory.
pub(crate) fn kinds(table: &'static Table) -> Vec<Kind> {
    table.resources.iter().map(kind).collect()
}

fn kind(block: &Block) -> Kind {
    let mut words = block.head.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let (group, version) = group_version(word());
    let (plural, singular, kind, scope) = (word(), word(), word(), word());
    let list = |label: &str| {
        let line = block
            .lines
            .iter()
            .map(|line| first_word(line))
            .find(|(word, _)| *word == label);
        line.map(|(_, rest)| rest.split(' ').collect::<Vec<_>>())
            .unwrap_or_default()
    };
    Kind {
        group,
        version,
        kind,
        plural,
        singular,
        short_names: list("names"),
        categories: list("categories"),
        namespaced: scope == "namespaced",
        verbs: list("verbs"),
        subresources: block
            .lines
            .iter()
            .filter_map(|line| line.strip_prefix("sub "))
            .map(subresource)
            .collect(),
        schema: list("type")
            .first()
            .and_then(|name| crate::definition(name))
            .unwrap_or(ANY),
    }
}

/// `table` has checked that every kind has its definition.
const ANY: SchemaRef = SchemaRef::anything();

fn subresource(line: &'static str) -> Subresource {
    let mut words = line.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let name = word();
    let (group, version) = group_version(word());
    let (kind, schema) = (word(), word());
    Subresource {
        name,
        group,
        version,
        kind,
        schema: crate::definition(schema),
        verbs: words.collect(),
    }
}

fn group_version(text: &'static str) -> (&'static str, &'static str) {
    text.split_once('/').unwrap_or(("", text))
}
