//! YAML whose every node knows its line, so that a mistake in `scenario.yaml` can be pointed at.
//!
//! For the scenario file only; manifests are read by the renderer's own reader, as the controller
//! reads them. Anchors, aliases, tags and merge keys are refused: a scenario needs none.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Number, Value};

/// Nesting that no scenario needs; bounds the recursion.
const DEPTH: usize = 32;

/// What stands at a line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Located {
    /// Line, from 1.
    pub(crate) line: usize,
    /// What.
    pub(crate) node: Node,
}

/// A node of the document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// A scalar by the YAML 1.2 core schema.
    Scalar(Value),
    /// A list.
    List(Vec<Located>),
    /// A map in the order of the file, keys with their lines.
    Map(Vec<(String, usize, Located)>),
}

/// A mistake and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// Line, from 1.
    pub(crate) line: usize,
    /// What is wrong.
    pub(crate) message: String,
}

impl Mistake {
    pub(crate) fn new(line: usize, message: impl Into<String>) -> Self {
        Self {
            line,
            message: message.into(),
        }
    }
}

impl Located {
    /// What kind of node this is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.node {
            Node::Scalar(Value::Null) => "nothing",
            Node::Scalar(Value::String(_)) => "a text",
            Node::Scalar(Value::Bool(_)) => "a boolean",
            Node::Scalar(_) => "a number",
            Node::List(_) => "a list",
            Node::Map(_) => "a map",
        }
    }

    /// The same without lines.
    pub(crate) fn to_value(&self) -> Value {
        match &self.node {
            Node::Scalar(value) => value.clone(),
            Node::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Node::Map(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(key, _, value)| (key.clone(), value.to_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }
}

/// Reads the one document of a text; `None` if there is nothing in it.
pub(crate) fn read(text: &str) -> Result<Option<Located>, Mistake> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
    };
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamStart | Event::Nothing => {}
            Event::DocumentStart(_) => break,
            Event::StreamEnd => return Ok(None),
            _ => return Err(reader.odd(span)),
        }
    }
    let (event, span) = reader.next()?;
    let root = reader.node(event, span, 0)?;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::DocumentEnd | Event::Nothing => {}
            Event::StreamEnd => break,
            Event::DocumentStart(_) => {
                return Err(Mistake::new(
                    span.start.line(),
                    "a second document begins here; a scenario is one document",
                ));
            }
            _ => return Err(reader.odd(span)),
        }
    }
    Ok((root.node != Node::Scalar(Value::Null)).then_some(root))
}

struct Reader<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Mistake> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(Mistake::new(error.marker().line(), error.info().to_owned())),
            None => Err(Mistake::new(1, "the file ends too early")),
        }
    }

    #[expect(clippy::unused_self, reason = "reads as the reader's answer")]
    fn odd(&self, span: Span) -> Mistake {
        Mistake::new(span.start.line(), "this is not expected here")
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Located, Mistake> {
        let line = span.start.line();
        if depth > DEPTH {
            return Err(Mistake::new(
                line,
                format!("nested deeper than {DEPTH} levels"),
            ));
        }
        let node = match event {
            Event::Alias(_) => return Err(plain(line, "an alias")),
            Event::Scalar(_, _, anchor, _)
            | Event::SequenceStart(anchor, _)
            | Event::MappingStart(anchor, _)
                if anchor != 0 =>
            {
                return Err(plain(line, "an anchor"));
            }
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, Some(_))
            | Event::MappingStart(_, Some(_)) => return Err(plain(line, "a tag")),
            Event::Scalar(text, style, _, None) => Node::Scalar(scalar(&text, style)),
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        (event, span) => items.push(self.node(event, span, depth + 1)?),
                    }
                }
                Node::List(items)
            }
            Event::MappingStart(..) => self.map(depth)?,
            _ => return Err(self.odd(span)),
        };
        Ok(Located { line, node })
    }

    fn map(&mut self, depth: usize) -> Result<Node, Mistake> {
        let mut fields: Vec<(String, usize, Located)> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(Node::Map(fields));
            }
            let line = span.start.line();
            let Event::Scalar(key, _, 0, None) = event else {
                return Err(Mistake::new(line, "a field's name must be a plain text"));
            };
            if let Some((_, first, _)) = fields.iter().find(|(other, ..)| *other == key) {
                return Err(Mistake::new(
                    line,
                    format!("field {key:?} is here a second time; the first is in line {first}"),
                ));
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            fields.push((key.into_owned(), line, value));
        }
    }
}

fn plain(line: usize, what: &str) -> Mistake {
    Mistake::new(
        line,
        format!("{what} is not supported in a scenario; write the value out"),
    )
}

/// A scalar by the core schema of YAML 1.2, which has no octal-by-zero and no `yes`.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::String(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if let Ok(number) = text.parse::<i64>() {
        return Value::Number(number.into());
    }
    let number_like = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    match text
        .parse::<f64>()
        .ok()
        .filter(|_| number_like)
        .and_then(Number::from_f64)
    {
        Some(number) => Value::Number(number),
        None => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> (usize, String) {
        let mistake = read(text).unwrap_err();
        (mistake.line, mistake.message)
    }

    #[test]
    fn every_node_knows_its_line() {
        let root = read("a: 1\nb:\n  - x\n  - c: true\n").unwrap().unwrap();
        assert_eq!(
            root.to_value(),
            serde_json::json!({"a": 1, "b": ["x", {"c": true}]})
        );
        let Node::Map(fields) = &root.node else {
            panic!("{root:?}")
        };
        assert_eq!((fields[0].1, fields[1].1), (1, 2));
        let Node::List(items) = &fields[1].2.node else {
            panic!("{root:?}")
        };
        assert_eq!((items[0].line, items[1].line), (3, 4));
    }

    #[test]
    fn mistakes_are_pointed_at() {
        assert_eq!(mistake("a: 1\nb: 2\na: 3\n").0, 3);
        assert!(mistake("a: 1\na: 3\n").1.contains("line 1"));
        assert_eq!(mistake("a: &x 1\n").0, 1);
        assert_eq!(mistake("a: 1\n---\nb: 2\n").0, 2);
        assert_eq!(mistake("a: [1\nb: 2\n").0, 2);
        assert!(mistake(&"[".repeat(100)).1.contains("nested"));
    }

    #[test]
    fn an_empty_file_is_nothing() {
        assert_eq!(read("").unwrap(), None);
        assert_eq!(read("# only a remark\n").unwrap(), None);
    }
}
