//! Protobuf bodies of the few requests that `kubectl` sends in no other form: reviews of rights and
//! requests for tokens.

use serde_json::{Map, Value, json};

const MAGIC: &[u8] = b"k8s\0";

/// What a field holds.
enum Shape {
    Text,
    Number,
    Texts,
    Message(Fields),
}

/// The number, the name and the shape of each field of a message.
type Fields = &'static [(u64, &'static str, Shape)];

const ATTRIBUTES: Fields = &[
    (1, "namespace", Shape::Text),
    (2, "verb", Shape::Text),
    (3, "group", Shape::Text),
    (4, "version", Shape::Text),
    (5, "resource", Shape::Text),
    (6, "subresource", Shape::Text),
    (7, "name", Shape::Text),
];

const PATH: Fields = &[(1, "path", Shape::Text), (2, "verb", Shape::Text)];

const ACCESS: Fields = &[
    (1, "resourceAttributes", Shape::Message(ATTRIBUTES)),
    (2, "nonResourceAttributes", Shape::Message(PATH)),
    (3, "user", Shape::Text),
    (4, "groups", Shape::Texts),
];

const RULES: Fields = &[(1, "namespace", Shape::Text)];

const BOUND: Fields = &[
    (1, "kind", Shape::Text),
    (2, "apiVersion", Shape::Text),
    (3, "name", Shape::Text),
    (4, "uid", Shape::Text),
];

const TOKEN: Fields = &[
    (1, "audiences", Shape::Texts),
    (3, "boundObjectRef", Shape::Message(BOUND)),
    (4, "expirationSeconds", Shape::Number),
];

const TYPE: Fields = &[(1, "apiVersion", Shape::Text), (2, "kind", Shape::Text)];

/// The object in a body, if it is of a kind that is read here.
pub(crate) fn decode(body: &[u8]) -> Option<Value> {
    let body = body.strip_prefix(MAGIC)?;
    let kind = read(bytes(body, 1)?, TYPE)?;
    let spec = match kind.get("kind").and_then(Value::as_str)? {
        "SelfSubjectAccessReview" | "SubjectAccessReview" | "LocalSubjectAccessReview" => ACCESS,
        "SelfSubjectRulesReview" => RULES,
        "TokenRequest" => TOKEN,
        _ => return None,
    };
    let raw = bytes(body, 2)?;
    let mut out = kind;
    out.insert("metadata".into(), json!({}));
    let spec = bytes(raw, 2).map_or_else(|| Some(Map::new()), |s| read(s, spec))?;
    out.insert("spec".into(), spec.into());
    Some(Value::Object(out))
}

/// A field's content: a number or bytes.
enum Content<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The next field of a message, and what follows it.
fn next(message: &[u8]) -> Option<(u64, Content<'_>, &[u8])> {
    let (tag, rest) = varint(message)?;
    let (number, rest) = match tag & 7 {
        0 => {
            let (value, rest) = varint(rest)?;
            return Some((tag >> 3, Content::Number(value), rest));
        }
        2 => varint(rest)?,
        _ => return None,
    };
    let length = usize::try_from(number).ok()?;
    let (value, rest) = rest.split_at_checked(length)?;
    Some((tag >> 3, Content::Bytes(value), rest))
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut out = 0;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        out |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((out, &bytes[at + 1..]));
        }
    }
    None
}

/// The bytes of one field.
fn bytes(mut message: &[u8], wanted: u64) -> Option<&[u8]> {
    while !message.is_empty() {
        let (field, content, rest) = next(message)?;
        if let Content::Bytes(value) = content
            && field == wanted
        {
            return Some(value);
        }
        message = rest;
    }
    None
}

fn read(mut message: &[u8], fields: Fields) -> Option<Map<String, Value>> {
    let mut out = Map::new();
    while !message.is_empty() {
        let (number, content, rest) = next(message)?;
        message = rest;
        let Some((_, name, shape)) = fields.iter().find(|(n, ..)| *n == number) else {
            continue;
        };
        let value = match (shape, content) {
            (Shape::Number, Content::Number(value)) => Value::from(value),
            (Shape::Message(fields), Content::Bytes(value)) => read(value, fields)?.into(),
            // Go writes every text, also an empty one.
            (Shape::Text, Content::Bytes([])) => continue,
            (Shape::Text, Content::Bytes(value)) => std::str::from_utf8(value).ok()?.into(),
            (Shape::Texts, Content::Bytes(value)) => {
                let text = std::str::from_utf8(value).ok()?;
                if let Value::Array(list) = out.entry(*name).or_insert_with(|| json!([])) {
                    list.push(text.into());
                }
                continue;
            }
            _ => return None,
        };
        out.insert((*name).to_owned(), value);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_review_is_read_and_anything_else_is_not() {
        let mut body = MAGIC.to_vec();
        let kind = b"\x0a\x18authorization.k8s.io/v1.\x12\x17SelfSubjectAccessReview";
        body.extend([0x0a, u8::try_from(kind.len()).unwrap()]);
        body.extend(kind);
        let spec = b"\x0a\x0a\x0a\x00\x12\x03get\x1a\x01g";
        let raw = [&[0x12, u8::try_from(spec.len()).unwrap()], &spec[..]].concat();
        body.extend([0x12, u8::try_from(raw.len()).unwrap()]);
        body.extend(&raw);
        let read = decode(&body).unwrap();
        assert_eq!(
            read["spec"],
            json!({ "resourceAttributes": { "verb": "get", "group": "g" } })
        );
        assert!(decode(b"{}").is_none());
        assert!(decode(&body[..30]).is_none());
    }
}
