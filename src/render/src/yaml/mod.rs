//! Reading YAML and JSON as kustomize does, with the place of everything.
//!
//! The parser underneath (`saphyr-parser`) gives events with positions and no opinion on values;
//! what values mean is decided here: `scalar` has go-yaml's rules for scalars, `tag` what a tag
//! makes of them, `compose` has anchors, merge keys and duplicate keys, and the bounds that keep small texts from
//! becoming large values.
//!
//! Differences from kustomize 5.8.2, each an error there or here rather than another value,
//! unless it says so:
//! - a document after `...` is read, and so are all where lines end with a carriage return alone
//!   (kustomize drops them); one that begins on the line of its `---` is read (kustomize refuses it);
//! - the escape `\/` is read (kustomize refuses it);
//! - `[?a]` is the text `?a` (for kustomize it is the mapping `{a: ""}`), and `[!a, 1]` has two
//!   elements (for kustomize the comma belongs to the tag);
//! - a folded text (`>`) with lines that are indented more keeps its lines (kustomize adds an empty
//!   line before them, each time that it writes and reads it);
//! - a tab right after a key's colon is refused (kustomize takes it as a space), and so is a quoted
//!   text whose next line isn't indented more than its key;
//! - the bounds are those of [`Limits`] (kustomize has a ratio for aliases only).

mod compose;
mod error;
mod json;
pub(crate) mod node;
mod open;
mod scalar;
mod tag;
mod timestamp;
mod wide;

use saphyr_parser::{Event, Input, Parser, ScalarStyle};
use serde_json::Value;

use self::compose::Composer;
pub use self::error::{YamlError, YamlFault};
pub use self::node::{Data, Node, Numeral};
pub(crate) use self::scalar::Dialect;
use self::wide::Counted;
use crate::Limits;

/// One document of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Its number in the file, counted from 1; empty documents count.
    pub number: usize,
    /// The line of the file on which its value begins, counted from 1.
    pub line: usize,
    /// Its value.
    pub value: Value,
}

/// Reads every document of a YAML text (JSON is YAML, too). Empty documents and those with
/// nothing but comments are left out. All problems are reported together, as far as the text can
/// still be followed after one.
///
/// ```
/// use stageset_render::{Limits, yaml};
/// let text = b"# first\na: yes\n---\n# nothing\n---\nb: 0777\n";
/// let documents = yaml::documents(text, &Limits::default()).unwrap();
/// assert_eq!(documents.len(), 2);
/// assert_eq!(documents[0].value, serde_json::json!({"a": "yes"}));
/// assert_eq!((documents[1].number, documents[1].line), (3, 6));
/// assert_eq!(documents[1].value, serde_json::json!({"b": 511}));
///
/// let errors = yaml::documents(b"a: 1\na: 2\n", &Limits::default()).unwrap_err();
/// assert_eq!(
///     errors[0].to_string(),
///     "document 1, line 2: key \"a\" stands here and on line 1 of the same mapping: remove one",
/// );
/// ```
pub fn documents(bytes: &[u8], limits: &Limits) -> Result<Vec<Document>, Vec<YamlError>> {
    Ok(strip(yaml_nodes(bytes, limits)?))
}

/// The same as [`documents`], with the line of every value: for files whose mistakes are pointed at.
pub fn nodes(bytes: &[u8], limits: &Limits) -> Result<Vec<Node>, Vec<YamlError>> {
    Ok(yaml_nodes(bytes, limits)?
        .into_iter()
        .map(|(_, node)| node)
        .collect())
}

/// Reads a file that must be one valid JSON value. `null` gives no document.
pub fn json_document(bytes: &[u8], limits: &Limits) -> Result<Option<Document>, Vec<YamlError>> {
    Ok(strip(json_nodes(bytes, limits)?).pop())
}

/// What a text means where it stands without quotes. A number beyond what JSON can say stays text.
pub(crate) fn plain_scalar(text: &str) -> Data {
    tag::resolved(text, Dialect::Objects).unwrap_or_else(|| Data::String(text.to_owned()))
}

/// A time in full, as kustomize writes it.
pub(crate) fn full_time(text: &str) -> String {
    timestamp::full(text).unwrap_or_else(|| text.to_owned())
}

fn strip(nodes: Vec<(usize, Node)>) -> Vec<Document> {
    let document = |(number, node): (usize, Node)| Document {
        number,
        line: node.line,
        value: node.into_value(),
    };
    nodes.into_iter().map(document).collect()
}

/// The documents of a JSON file (one or none), with their number.
pub(crate) fn json_nodes(
    bytes: &[u8],
    limits: &Limits,
) -> Result<Vec<(usize, Node)>, Vec<YamlError>> {
    let text = readable(bytes, limits)?;
    let node = json::parse(text.as_bytes(), limits)?;
    Ok(Some(node)
        .filter(|node| !node.is_null())
        .map(|node| (1, node))
        .into_iter()
        .collect())
}

/// Why a text isn't one quoted scalar, flow list or flow mapping.
pub(crate) enum NotFlow {
    /// It has more nodes than it may.
    TooManyNodes,
    /// It is something else.
    Other,
}

/// A text that is one quoted scalar, flow list or flow mapping, and nothing else.
pub(crate) fn quoted_or_flow(text: &str, limits: &Limits) -> Result<Node, NotFlow> {
    let mut roots = yaml_nodes(text.as_bytes(), limits).map_err(|errors| {
        let too_many = |error: &YamlError| {
            matches!(
                error.fault,
                YamlFault::TooManyNodes { .. } | YamlFault::TooWide { .. }
            )
        };
        if errors.iter().any(too_many) {
            NotFlow::TooManyNodes
        } else {
            NotFlow::Other
        }
    })?;
    let fits = |node: &Node| match text.chars().next() {
        Some('[') => matches!(node.data, Data::Sequence(_)),
        Some('{') => matches!(node.data, Data::Mapping(_)),
        _ => matches!(node.data, Data::String(_)),
    };
    match (roots.pop(), roots.is_empty()) {
        (Some((_, node)), true) if fits(&node) => Ok(node),
        _ => Err(NotFlow::Other),
    }
}

/// The documents of a YAML file that aren't empty, each with its number.
pub(crate) fn yaml_nodes(
    bytes: &[u8],
    limits: &Limits,
) -> Result<Vec<(usize, Node)>, Vec<YamlError>> {
    dialect_nodes(bytes, limits, Dialect::Objects)
}

/// The same in a dialect of choice.
pub(crate) fn dialect_nodes(
    bytes: &[u8],
    limits: &Limits,
    dialect: Dialect,
) -> Result<Vec<(usize, Node)>, Vec<YamlError>> {
    let text = readable(bytes, limits)?;
    let limit = limits.held_marks;
    if !wide::may_be(text, limit) {
        return compose(text, Parser::new_from_str(text), &|| (), limits, dialect);
    }
    let (counted, held) = Counted::new(text, limit);
    let parser = Parser::new_from_iter(counted);
    let outcome = compose(text, parser, &|| held.event(), limits, dialect);
    if !held.is_beyond() {
        return outcome;
    }
    // That is how large JSON comes into a file of YAML.
    json_nodes(bytes, limits).map_err(|_| {
        let fault = YamlFault::TooWide { limit };
        let mut errors = outcome.err().unwrap_or_default();
        // What the end of the text made of it stands last.
        let (document, line) = errors
            .pop()
            .map_or((1, 1), |error| (error.document, error.line));
        errors.push(YamlError {
            document,
            line,
            fault,
        });
        errors
    })
}

/// Composes what the parser reads of a text; each event is told.
fn compose<'a, T: Input>(
    text: &'a str,
    mut parser: Parser<'a, T>,
    told: &dyn Fn(),
    limits: &Limits,
    dialect: Dialect,
) -> Result<Vec<(usize, Node)>, Vec<YamlError>> {
    let mut composer = Composer::new(limits, dialect);
    let mut roots = Vec::new();
    let mut source = Source::new(text);
    let directives = dialect == Dialect::Objects
        && text.contains("\n---")
        && (text.starts_with('%') || text.contains("\n%"));
    // A block that the end of the text cuts has no line break there, as go-yaml has it.
    let cut = (!text.ends_with(['\n', '\r'])).then(|| text.chars().count());
    let outcome = loop {
        let (event, span) = match parser.next_event() {
            None => break Ok(()),
            Some(Ok(next)) => next,
            Some(Err(error)) => {
                let column = error.marker().col() + 1;
                let fault = match error.info() {
                    // The parser has a bound of its own on `[` and `{`, and looks ahead.
                    "recursion limit exceeded" => YamlFault::TooDeep {
                        limit: limits.depth,
                    },
                    message => YamlFault::Syntax {
                        message: message.to_owned(),
                        column,
                    },
                };
                break Err(composer.error(error.marker().line(), fault));
            }
        };
        told();
        let line = span.start.line();
        let step = match event {
            Event::DocumentStart(_)
                if directives && has_directive(source.before(span.start.index())) =>
            {
                let message = "kustomize reads no %YAML and %TAG directives: remove them";
                let message = message.to_owned();
                Err(composer.error(line, YamlFault::Syntax { message, column: 1 }))
            }
            Event::DocumentStart(_) => composer.start_document(line),
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                // Those without brackets have no length of their own.
                let (start, end) = (span.start.index(), span.end.index());
                let flow = start < end && begins_flow(source.after(start));
                composer.collection(event, line, flow)
            }
            Event::DocumentEnd => {
                let root = composer.end_document();
                roots.extend(root.map(|root| (composer.document(), root)));
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag)
                if cut.is_some_and(|end| span.end.index() >= end)
                    && matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) =>
            {
                let text = text.strip_suffix('\n').unwrap_or(&text).to_owned();
                composer.event(Event::Scalar(text.into(), style, anchor, tag), line)
            }
            event => composer.event(event, line),
        };
        if let Err(error) = step {
            break Err(error);
        }
    };
    let mut errors = std::mem::take(&mut composer.errors);
    errors.extend(outcome.err());
    if errors.is_empty() {
        Ok(roots)
    } else {
        Err(errors)
    }
}

/// A text whose places are counted in characters.
struct Source<'a> {
    text: &'a str,
    ascii: bool,
    /// A place that is known: its bytes, and its characters.
    known: (usize, usize),
}

impl<'a> Source<'a> {
    fn new(text: &'a str) -> Self {
        let ascii = text.is_ascii();
        Self {
            text,
            ascii,
            known: (0, 0),
        }
    }

    /// The byte at which a character begins. Places mostly come in their order.
    fn byte(&mut self, character: usize) -> usize {
        if self.ascii {
            return character.min(self.text.len());
        }
        if character < self.known.1 {
            self.known = (0, 0);
        }
        let rest = &self.text[self.known.0..];
        let more = rest.char_indices().nth(character - self.known.1);
        let byte = self.known.0 + more.map_or(rest.len(), |(at, _)| at);
        if more.is_some() {
            self.known = (byte, character);
        }
        byte
    }

    fn before(&mut self, character: usize) -> &'a str {
        &self.text[..self.byte(character)]
    }

    fn after(&mut self, character: usize) -> &'a str {
        &self.text[self.byte(character)..]
    }
}

/// Whether a list or mapping is one in brackets or braces; an anchor and a tag may come first.
fn begins_flow(text: &str) -> bool {
    let mut rest = text;
    while rest.starts_with(['&', '!']) {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        rest = rest[end..].trim_start();
    }
    rest.starts_with(['[', '{'])
}

/// Whether directives stand right before a document.
fn has_directive(before: &str) -> bool {
    before
        .lines()
        .rev()
        .take_while(|line| line.trim().is_empty() || line.starts_with(['#', '%', '\u{feff}']))
        .any(|line| line.starts_with('%'))
}

/// The text of a file: within the size limit, UTF-8, without a byte order mark, and without the
/// control characters that go-yaml refuses.
fn readable<'a>(bytes: &'a [u8], limits: &Limits) -> Result<&'a str, Vec<YamlError>> {
    let error = |line, fault| {
        vec![YamlError {
            document: 1,
            line,
            fault,
        }]
    };
    let (found, limit) = (bytes.len(), limits.manifest_bytes);
    if found > limit {
        return Err(error(1, YamlFault::TooLarge { found, limit }));
    }
    let line_at = |at: usize| bytes[..at].split(|byte| *byte == b'\n').count();
    let text = std::str::from_utf8(bytes)
        .map_err(|utf8| error(line_at(utf8.valid_up_to()), YamlFault::NotUtf8))?;
    let forbidden = |c: char| {
        c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')
            || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    if let Some(at) = text.find(forbidden) {
        let code = text[at..].chars().next().map_or(0, u32::from);
        return Err(error(line_at(at), YamlFault::ControlCharacter { code }));
    }
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}
