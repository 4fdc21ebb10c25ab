//! The structure of objects: fields, types, and what the `x-kubernetes-…` extensions say.

use std::fmt;

use serde_json::Value;

use crate::table;

/// How elements of a list are told apart when two writers' lists are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListType {
    /// The list is one value, replaced as a whole. Also where a schema says nothing.
    Atomic,
    /// Elements are scalars, each at most once.
    Set,
    /// Elements are mappings, told apart by the values of these keys.
    Map(&'static [&'static str]),
}

/// Whether the fields of a mapping are owned one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapType {
    /// Field by field. Also where a schema says nothing.
    Granular,
    /// The mapping is one value.
    Atomic,
}

/// What a strategic merge patch does with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PatchStrategy {
    /// Lists are merged (by [`SchemaRef::merge_key`] where elements are mappings), not replaced.
    pub merge: bool,
    /// Fields that the patch doesn't name are cleared.
    pub retain_keys: bool,
}

/// What values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Text. [`SchemaRef::format`] may say `byte` (base64) or `date-time`.
    String,
    /// A whole number; the format says `int32` or `int64`.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A port's number or name, a count or a percentage.
    IntOrString,
    /// An amount such as `100m`, written as text or number.
    Quantity,
    /// A list; see [`SchemaRef::items`].
    List,
    /// A mapping from any key to values of one type; see [`SchemaRef::map_values`].
    Map,
    /// A mapping with named fields; see [`SchemaRef::field`].
    Struct,
    /// A mapping of which nothing is said. What it holds is kept as it is.
    Object,
    /// Anything at all. It is kept as it is.
    Any,
}

/// A place in a kind's structure. Cheap to copy; it lives as long as the program.
#[derive(Clone, Copy)]
pub struct SchemaRef {
    /// The place's own node: what is said here overrides what the definition says.
    site: &'static Node,
    /// The node that has the structure: the site, or the definition that it refers to.
    target: &'static Node,
    /// The definition's name, if the structure is one.
    name: Option<&'static str>,
}

/// One parsed schema.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Node {
    pub(crate) shape: Shape,
    pub(crate) format: Option<&'static str>,
    pub(crate) list_type: Option<ListType>,
    pub(crate) map_type: Option<MapType>,
    pub(crate) patch: Option<PatchStrategy>,
    pub(crate) merge_key: Option<&'static str>,
    pub(crate) default: Option<Value>,
    pub(crate) allowed: Option<Vec<Value>>,
}

#[derive(Debug, Default, PartialEq)]
pub(crate) enum Shape {
    #[default]
    Any,
    Object,
    String,
    Integer,
    Number,
    Boolean,
    IntOrString,
    Quantity,
    List(Box<Node>),
    Map(Box<Node>),
    /// Ordered by name.
    Struct(Vec<Field>),
    /// A definition, by its place in the table.
    Reference(usize),
}

#[derive(Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) node: Node,
}

impl SchemaRef {
    /// A place whose reference, if it is one, is looked up.
    pub(crate) fn of(site: &'static Node) -> Self {
        match site.shape {
            Shape::Reference(index) => {
                let definition = table::definition_at(index);
                Self { site, ..definition }
            }
            _ => Self {
                site,
                target: site,
                name: None,
            },
        }
    }

    /// A place of which nothing is known.
    pub(crate) const fn anything() -> Self {
        static ANYTHING: Node = Node {
            shape: Shape::Any,
            format: None,
            list_type: None,
            map_type: None,
            patch: None,
            merge_key: None,
            default: None,
            allowed: None,
        };
        Self {
            site: &ANYTHING,
            target: &ANYTHING,
            name: None,
        }
    }

    /// A definition itself.
    pub(crate) fn named(name: &'static str, node: &'static Node) -> Self {
        Self {
            site: node,
            target: node,
            name: Some(name),
        }
    }

    /// What values here are.
    pub fn kind(&self) -> Type {
        match self.target.shape {
            // A reference to a reference doesn't occur; the table's test says so.
            Shape::Any | Shape::Reference(_) => Type::Any,
            Shape::Object => Type::Object,
            Shape::String => Type::String,
            Shape::Integer => Type::Integer,
            Shape::Number => Type::Number,
            Shape::Boolean => Type::Boolean,
            Shape::IntOrString => Type::IntOrString,
            Shape::Quantity => Type::Quantity,
            Shape::List(_) => Type::List,
            Shape::Map(_) => Type::Map,
            Shape::Struct(_) => Type::Struct,
        }
    }

    /// The format of a scalar, such as `int32`, `byte` or `date-time`.
    pub fn format(&self) -> Option<&'static str> {
        self.target.format
    }

    /// The name of the definition, such as `io.k8s.api.core.v1.PodSpec`.
    pub fn name(&self) -> Option<&'static str> {
        self.name
    }

    /// The field of this name, if this is a [`Type::Struct`] that has it.
    pub fn field(&self, name: &str) -> Option<SchemaRef> {
        self.find(name).map(|field| Self::of(&field.node))
    }

    /// The fields of a [`Type::Struct`], ordered by name.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, SchemaRef)> + use<> {
        self.own_fields()
            .iter()
            .map(|field| (field.name, Self::of(&field.node)))
    }

    /// Whether the `OpenAPI` document marks this field as required.
    pub fn is_required(&self, name: &str) -> bool {
        self.find(name).is_some_and(|field| field.required)
    }

    /// The elements of a [`Type::List`].
    pub fn items(&self) -> Option<SchemaRef> {
        match &self.target.shape {
            Shape::List(items) => Some(Self::of(items)),
            _ => None,
        }
    }

    /// The values of a [`Type::Map`].
    pub fn map_values(&self) -> Option<SchemaRef> {
        match &self.target.shape {
            Shape::Map(values) => Some(Self::of(values)),
            _ => None,
        }
    }

    /// One step down: the field of a struct, or the values of a map whatever the name.
    pub fn child(&self, name: &str) -> Option<SchemaRef> {
        self.field(name).or_else(|| self.map_values())
    }

    /// Several steps down, through fields and maps. Through lists with [`SchemaRef::items`] only.
    pub fn at(&self, path: &[&str]) -> Option<SchemaRef> {
        path.iter().try_fold(*self, |place, name| place.child(name))
    }

    /// How a list is merged; none where this isn't a list. [`ListType::Atomic`] where the schema
    /// says nothing, as server-side apply has it.
    pub fn list_type(&self) -> Option<ListType> {
        let said = self.site.list_type.or(self.target.list_type);
        matches!(self.target.shape, Shape::List(_)).then(|| said.unwrap_or(ListType::Atomic))
    }

    /// How a mapping is merged; none where this isn't a mapping. [`MapType::Granular`] where the
    /// schema says nothing.
    pub fn map_type(&self) -> Option<MapType> {
        let said = self.site.map_type.or(self.target.map_type);
        matches!(
            self.target.shape,
            Shape::Map(_) | Shape::Struct(_) | Shape::Object
        )
        .then(|| said.unwrap_or(MapType::Granular))
    }

    /// What a strategic merge patch does here.
    pub fn patch_strategy(&self) -> PatchStrategy {
        self.site.patch.or(self.target.patch).unwrap_or_default()
    }

    /// The key by which a strategic merge patch merges a list of mappings.
    pub fn merge_key(&self) -> Option<&'static str> {
        self.site.merge_key.or(self.target.merge_key)
    }

    /// The default that the schema states. It isn't every default that the server sets: most are
    /// set by its own code. Those of list keys are all here.
    pub fn default(&self) -> Option<&'static Value> {
        self.site.default.as_ref().or(self.target.default.as_ref())
    }

    /// The only values allowed, if the schema lists them.
    pub fn allowed(&self) -> Option<&'static [Value]> {
        self.site
            .allowed
            .as_deref()
            .or(self.target.allowed.as_deref())
    }

    /// Whether nothing is known of what lies below, so that all of it is kept as it is.
    pub fn preserves_unknown(&self) -> bool {
        matches!(self.target.shape, Shape::Any | Shape::Object)
    }

    fn own_fields(&self) -> &'static [Field] {
        match &self.target.shape {
            Shape::Struct(fields) => fields,
            _ => &[],
        }
    }

    fn find(&self, name: &str) -> Option<&'static Field> {
        let fields = self.own_fields();
        fields
            .binary_search_by(|field| field.name.cmp(name))
            .ok()
            .map(|at| &fields[at])
    }
}

impl PartialEq for SchemaRef {
    /// Whether this is the same place in the table.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.site, other.site)
    }
}

impl fmt::Debug for SchemaRef {
    /// Short, since definitions refer to each other and to themselves.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SchemaRef")
            .field(&self.kind())
            .field(&self.name)
            .finish()
    }
}
