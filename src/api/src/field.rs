//! Fields of objects whose shape nobody vouches for.

use serde_json::Value;

/// The part of an object at a path of field names, `/metadata/uid`.
///
/// For names without `~`, and not into lists: unlike [`Value::pointer`] it makes no texts, and passes ask
/// for such fields by the hundred.
pub fn field<'v>(object: &'v Value, path: &str) -> Option<&'v Value> {
    let mut names = path.split('/').skip(1);
    names.try_fold(object, |part, name| part.get(name))
}

/// The same, if it is a text.
pub fn text_field<'v>(object: &'v Value, path: &str) -> Option<&'v str> {
    field(object, path)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_finds_what_a_pointer_finds() {
        let object = json!({ "metadata": { "uid": "u", "labels": { "a": "b" } }, "list": [1] });
        for path in [
            "/metadata/uid",
            "/metadata/labels/a",
            "/metadata/none/a",
            "/list/x",
            "/metadata",
        ] {
            assert_eq!(field(&object, path), object.pointer(path), "{path}");
        }
        assert_eq!(text_field(&object, "/metadata/uid"), Some("u"));
        assert_eq!(text_field(&object, "/metadata"), None);
    }
}
