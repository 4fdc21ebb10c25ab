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

use serde_json::Value;

use crate::kind::{Group, Kind, Subresource};
use crate::schema::{Field, ListType, MapType, Node, PatchStrategy, Shape};
use crate::table::Definitions;

/// The table's text in parts. Kinds and definitions are made from their blocks when they are asked
/// for: a program that patches a Deployment needs a tenth of them.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) server: &'static str,
    pub(crate) groups: Vec<Group>,
    /// Ordered by name.
    pub(crate) definitions: Definitions,
    resources: Vec<Block>,
}

/// A line and the indented lines below it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    head: &'static str,
    body: &'static str,
}

impl Block {
    /// The first word of the line: the name of a definition.
    pub(crate) fn name(&self) -> &'static str {
        first_word(self.head).0
    }

    /// The lines below, without their indentation.
    fn lines(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.body.lines().filter_map(|line| line.strip_prefix("  "))
    }
}

/// Takes the text apart. Errors are for whoever changed the generator.
pub(crate) fn table(text: &'static str) -> Result<Table, String> {
    let mut table = Table {
        server: "",
        groups: Vec::new(),
        definitions: Definitions::default(),
        resources: Vec::new(),
    };
    let mut types = Vec::new();
    for block in blocks(text)? {
        let (word, rest) = first_word(block.head);
        let block = Block {
            head: rest,
            ..block
        };
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
            "resource" => table.resources.push(block),
            "type" => types.push(block),
            other => return Err(format!("unknown line {other}")),
        }
    }
    table.definitions = Definitions::new(types);
    Ok(table)
}

fn blocks(text: &'static str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (head, below) = rest.split_once('\n').unwrap_or((rest, ""));
        let end = body_end(below);
        rest = &below[end..];
        if head.is_empty() || head.starts_with('#') {
            continue;
        }
        if head.starts_with(' ') {
            return Err(format!("{head} is indented below nothing"));
        }
        let body = &below[..end];
        blocks.push(Block { head, body });
    }
    Ok(blocks)
}

/// Where the indented lines at the beginning of a text end.
fn body_end(text: &str) -> usize {
    text.split_inclusive('\n')
        .take_while(|line| line.starts_with("  "))
        .map(str::len)
        .sum()
}

/// The text up to the first space, and the text after it.
fn first_word(text: &'static str) -> (&'static str, &'static str) {
    text.split_once(' ').unwrap_or((text, ""))
}

/// Reads a definition. References are places among `all`.
pub(crate) fn definition(block: &Block, all: &Definitions) -> Result<Node, String> {
    let (_, schema) = first_word(block.head);
    let mut node = Reader { rest: schema, all }.whole()?;
    if let Shape::Struct(fields) = &mut node.shape {
        fields.reserve_exact(block.lines().count());
        for line in block.lines() {
            let (name, schema) = first_word(line);
            let required = name.ends_with('!');
            let name = name.trim_end_matches('!');
            let node = Reader { rest: schema, all }
                .whole()
                .map_err(|e| format!("{name}: {e}"))?;
            fields.push(Field {
                name,
                required,
                node,
            });
        }
        fields.sort_by_key(|field| field.name);
    } else if !block.body.is_empty() {
        return Err("fields below something that isn't a struct".to_owned());
    }
    Ok(node)
}

/// Reads one schema from left to right.
struct Reader<'a> {
    rest: &'static str,
    all: &'a Definitions,
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
                self.all
                    .position(name)
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

/// The kinds of a table.
pub(crate) fn kinds(table: &Table) -> Result<Vec<Kind>, String> {
    table
        .resources
        .iter()
        .map(|block| kind(*block, &table.definitions))
        .collect()
}

fn kind(block: Block, definitions: &Definitions) -> Result<Kind, String> {
    let mut words = block.head.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let (group, version) = group_version(word());
    let (plural, singular, kind, scope) = (word(), word(), word(), word());
    let rest = |label: &str| {
        let mut lines = block.lines().map(first_word);
        lines.find(|(word, _)| *word == label).map(|(_, rest)| rest)
    };
    let list = |label: &str| rest(label).map(|rest| rest.split(' ').collect::<Vec<_>>());
    let position = |name: &str| {
        let place = definitions.position(name);
        place.ok_or_else(|| format!("{}: no definition {name}", block.head))
    };
    Ok(Kind {
        group,
        version,
        kind,
        plural,
        singular,
        short_names: list("names").unwrap_or_default(),
        categories: list("categories").unwrap_or_default(),
        namespaced: scope == "namespaced",
        verbs: list("verbs").unwrap_or_default(),
        subresources: block
            .lines()
            .filter_map(|line| line.strip_prefix("sub "))
            .map(|line| subresource(line, &position))
            .collect::<Result<_, _>>()?,
        definition: rest("type").map(position).transpose()?,
    })
}

fn subresource(
    line: &'static str,
    position: &impl Fn(&str) -> Result<usize, String>,
) -> Result<Subresource, String> {
    let mut words = line.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let name = word();
    let (group, version) = group_version(word());
    let (kind, schema) = (word(), word());
    Ok(Subresource {
        name,
        group,
        version,
        kind,
        definition: match schema {
            "-" => None,
            name => Some(position(name)?),
        },
        verbs: words.collect(),
    })
}

fn group_version(text: &'static str) -> (&'static str, &'static str) {
    text.split_once('/').unwrap_or(("", text))
}
