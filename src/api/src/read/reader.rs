//! A serde deserializer over a JSON value that knows where it is and can pass a blank for a part
//! that doesn't fit.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::value::{StrDeserializer, StringDeserializer};
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use super::{Fault, Path, Step};

/// The first misfit of an attempt; its path runs from the leaf to the root.
#[derive(Debug)]
pub(super) struct ReadError {
    pub(super) path: Vec<Step>,
    pub(super) message: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReadError {}

impl ReadError {
    fn here(message: String) -> Self {
        Self {
            path: Vec::new(),
            message,
        }
    }

    fn under(mut self, step: Step) -> Self {
        self.path.push(step);
        self
    }
}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::here(message.to_string().chars().take(200).collect())
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            path: vec![Step::Field(field.to_owned())],
            message: "is required".to_owned(),
        }
    }
}

/// The parts of a value that read as blank.
#[derive(Debug, Default)]
pub(super) struct Amends(BTreeSet<Path>);

impl Amends {
    /// Adds a part; false if it was blank already.
    pub(super) fn blank(&mut self, path: Path) -> bool {
        self.0.insert(path)
    }
}

/// A value within the value that is read.
pub(super) struct Reader<'a> {
    /// `None` is a blank.
    value: Option<&'a Value>,
    path: Path,
    amends: &'a Amends,
    strict: bool,
    unknown: RefCell<Vec<Fault>>,
}

impl<'a> Reader<'a> {
    pub(super) fn strict(value: &'a Value, amends: &'a Amends) -> Self {
        Self::root(value, amends, true)
    }

    pub(super) fn tolerant(value: &'a Value, amends: &'a Amends) -> Self {
        Self::root(value, amends, false)
    }

    fn root(value: &'a Value, amends: &'a Amends, strict: bool) -> Self {
        let value = Some(value).filter(|_| !amends.0.contains(&Path::default()));
        Self {
            value,
            path: Path::default(),
            amends,
            strict,
            unknown: RefCell::default(),
        }
    }

    pub(super) fn into_unknown(self) -> Vec<Fault> {
        self.unknown.into_inner()
    }

    /// The part one step further; it is blank if it has to be. Where it is only matters to what is
    /// amended or told, which in nearly every object is nothing.
    fn part(&self, value: Option<&'a Value>, step: impl FnOnce() -> Step) -> Self {
        let (mut path, mut value) = (Path::default(), value);
        if self.strict || !self.amends.0.is_empty() {
            path.clone_from(&self.path);
            path.0.push(step());
            value = value.filter(|_| !self.amends.0.contains(&path));
        }
        Self {
            value,
            path,
            amends: self.amends,
            strict: self.strict,
            unknown: RefCell::default(),
        }
    }

    fn is_amended(&self, step: impl FnOnce() -> Step) -> bool {
        if self.amends.0.is_empty() {
            return false;
        }
        let mut path = self.path.clone();
        path.0.push(step());
        self.amends.0.contains(&path)
    }

    fn misfit<T>(&self, wanted: &str) -> Result<T, ReadError> {
        let found = self.value.map_or_else(|| "nothing".to_owned(), describe);
        Err(ReadError::here(format!(
            "{wanted} is expected, found {found}"
        )))
    }

    /// Hands a part to a seed and keeps what it learned.
    fn enter<'de, S: DeserializeSeed<'de>>(
        &self,
        part: &Self,
        seed: S,
        step: impl FnOnce() -> Step,
    ) -> Result<S::Value, ReadError> {
        let outcome = seed.deserialize(part).map_err(|error| error.under(step()));
        self.unknown
            .borrow_mut()
            .append(&mut part.unknown.borrow_mut());
        outcome
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(found) => format!("{found}"),
        Value::Number(found) => format!("the number {found}"),
        Value::String(found) if found.chars().count() <= 40 => format!("the text {found:?}"),
        Value::String(found) => {
            let start: String = found.chars().take(40).collect();
            format!("a text of {} bytes that starts with {start:?}", found.len())
        }
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// An integer type's range check with a message that names the range.
macro_rules! integer {
    ($method:ident, $visit:ident, $type:ty) => {
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
            match self.value {
                None => visitor.$visit(0),
                Some(Value::Number(number)) => match whole(number) {
                    None => self.misfit("a whole number"),
                    Some(found) => match <$type>::try_from(found) {
                        Ok(found) => visitor.$visit(found),
                        Err(_) => self.misfit(&format!(
                            "a whole number from {} to {}",
                            <$type>::MIN,
                            <$type>::MAX
                        )),
                    },
                },
                Some(_) => self.misfit("a whole number"),
            }
        }
    };
}

fn whole(number: &serde_json::Number) -> Option<i128> {
    number
        .as_i64()
        .map(i128::from)
        .or_else(|| number.as_u64().map(i128::from))
}

impl<'de> Deserializer<'de> for &Reader<'_> {
    type Error = ReadError;

    integer!(deserialize_i32, visit_i32, i32);
    integer!(deserialize_i64, visit_i64, i64);
    integer!(deserialize_u32, visit_u32, u32);
    integer!(deserialize_u64, visit_u64, u64);

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.value {
            None => visitor.visit_bool(false),
            Some(Value::Bool(found)) => visitor.visit_bool(*found),
            Some(_) => self.misfit("true or false"),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.value {
            None => visitor.visit_str(""),
            Some(Value::String(found)) => visitor.visit_str(found),
            Some(_) => self.misfit("a text"),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.value {
            None => visitor.visit_none(),
            Some(Value::Null) if !self.strict => visitor.visit_none(),
            Some(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let list: &[Value] = match self.value {
            None => &[],
            Some(Value::Null) if !self.strict => &[],
            Some(Value::Array(list)) => list,
            Some(_) => return self.misfit("a list"),
        };
        visitor.visit_seq(Items {
            owner: self,
            list,
            next: 0,
        })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let mut keys: Vec<&str> = match self.value {
            None => Vec::new(),
            Some(Value::Null) if !self.strict => Vec::new(),
            Some(Value::Object(fields)) => fields.keys().map(String::as_str).collect(),
            Some(_) => return self.misfit("an object"),
        };
        keys.retain(|key| !self.is_amended(|| Step::Field((*key).to_owned())));
        visitor.visit_map(Fields {
            owner: self,
            keys: keys.into_iter(),
            current: None,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let mut keys: Vec<&str> = match self.value {
            None => Vec::new(),
            Some(Value::Object(found)) => {
                let known = |key: &&str| fields.contains(key);
                if self.strict {
                    let mut unknown = self.unknown.borrow_mut();
                    for key in found.keys().map(String::as_str).filter(|key| !known(key)) {
                        let mut path = self.path.clone();
                        path.0.push(Step::Field(key.to_owned()));
                        let message =
                            format!("unknown field; the fields here are {}", fields.join(", "));
                        unknown.push(Fault { path, message });
                    }
                }
                found.keys().map(String::as_str).filter(known).collect()
            }
            Some(_) => return self.misfit("an object"),
        };
        let amended = |field: &str| self.is_amended(|| Step::Field(field.to_owned()));
        if self.strict {
            // A required field that is missing was amended: offer it, so that it reads as blank.
            let missing: Vec<&str> = fields
                .iter()
                .copied()
                .filter(|f| !keys.contains(f) && amended(f))
                .collect();
            keys.extend(missing);
        } else {
            keys.retain(|key| !amended(key));
        }
        visitor.visit_map(Fields {
            owner: self,
            keys: keys.into_iter(),
            current: None,
        })
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.value {
            None | Some(Value::Null) => visitor.visit_unit(),
            Some(Value::Bool(_)) => self.deserialize_bool(visitor),
            Some(Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
                (Some(found), _) => visitor.visit_i64(found),
                (None, Some(found)) => visitor.visit_f64(found),
                (None, None) => self.misfit("a number"),
            },
            Some(Value::String(_)) => self.deserialize_str(visitor),
            Some(Value::Array(_)) => self.deserialize_seq(visitor),
            Some(Value::Object(_)) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct
        enum identifier
    }
}

struct Items<'r, 'a> {
    owner: &'r Reader<'a>,
    list: &'a [Value],
    next: usize,
}

impl<'de> de::SeqAccess<'de> for Items<'_, '_> {
    type Error = ReadError;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, ReadError> {
        loop {
            let index = self.next;
            let Some(item) = self.list.get(index) else {
                return Ok(None);
            };
            self.next += 1;
            // A tolerant reader drops odd elements; a strict one keeps a blank, so that the
            // indexes in later messages stay true.
            if !self.owner.strict && self.owner.is_amended(|| Step::Index(index)) {
                continue;
            }
            let part = self.owner.part(Some(item), || Step::Index(index));
            return self
                .owner
                .enter(&part, seed, || Step::Index(index))
                .map(Some);
        }
    }
}

struct Fields<'r, 'a, K> {
    owner: &'r Reader<'a>,
    keys: K,
    current: Option<&'a str>,
}

impl<'de, 'a, K: Iterator<Item = &'a str>> de::MapAccess<'de> for Fields<'_, 'a, K> {
    type Error = ReadError;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, ReadError> {
        self.current = self.keys.next();
        let Some(key) = self.current else {
            return Ok(None);
        };
        let key: StrDeserializer<'_, ReadError> = key.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, ReadError> {
        let Some(key) = self.current.take() else {
            let blank: StringDeserializer<ReadError> = String::new().into_deserializer();
            return seed.deserialize(blank);
        };
        let step = || Step::Field(key.to_owned());
        let value = self.owner.value.and_then(|value| value.get(key));
        let part = self.owner.part(value, step);
        self.owner.enter(&part, seed, step)
    }
}
