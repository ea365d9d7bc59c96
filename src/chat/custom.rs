//! Custom data: what the app keeps about something in Parlor, which never looks into it.
//!
//! It is a JSON object, and is written by [merge patches](https://www.rfc-editor.org/rfc/rfc7396): with replacing, one
//! part of an app would delete what another has written.

use serde_json::{Map, Value};

use super::{Argument, Error};

/// The most bytes of the JSON text. Twilio keeps 4 KiB with a message, `CometChat` 5.
pub const MAX_BYTES: usize = 4_096;

/// The most objects and lists in one another, with the outermost.
pub const MAX_DEPTH: usize = 5;

/// An object. Empty by default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Custom(Map<String, Value>);

/// What is to change of it: keys with a value are set, those with `null` removed, the rest stays.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch(pub Map<String, Value>);

impl Custom {
    /// As it is stored; nothing is an empty object.
    #[must_use]
    pub fn from_text(text: Option<&str>) -> Self {
        Self(text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
    }

    /// As it is to be stored: an empty object as nothing.
    #[must_use]
    pub fn into_text(self) -> Option<String> {
        (!self.0.is_empty()).then(|| Value::Object(self.0).to_string())
    }

    /// As a value.
    #[must_use]
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    /// With these changes.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `custom` when it would be larger than [`MAX_BYTES`], or deeper than [`MAX_DEPTH`].
    pub fn patched(mut self, patch: &Patch) -> Result<Self, Error> {
        // Before the patch is merged, which goes down as deep as it is.
        if patch.0.values().any(|value| depth(value) >= MAX_DEPTH) {
            return Err(Error::invalid(
                Argument::Custom,
                format!("at most {MAX_DEPTH} objects and lists in one another"),
            ));
        }
        merge(&mut self.0, &patch.0);
        let bytes = serde_json::to_string(&self.0).map_or(usize::MAX, |text| text.len());
        if bytes > MAX_BYTES {
            let problem = format!("would be {bytes} bytes of JSON, of {MAX_BYTES} at most");
            return Err(Error::invalid(Argument::Custom, problem));
        }
        Ok(self)
    }
}

fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, value) in patch {
        match value {
            Value::Null => {
                target.remove(key);
            }
            Value::Object(patch) => {
                let entry = target.entry(key.clone()).or_insert(Value::Null);
                if !entry.is_object() {
                    *entry = Value::Object(Map::new());
                }
                if let Value::Object(target) = entry {
                    merge(target, patch);
                }
            }
            value => {
                target.insert(key.clone(), value.clone());
            }
        }
    }
}

/// How many objects and lists are in one another: 0 for anything else.
fn depth(value: &Value) -> usize {
    match value {
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or_default(),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(fields) => fields,
            other => panic!("{other} is no object"),
        }
    }

    fn patched(target: Value, patch: Value) -> Result<Value, Error> {
        Custom(object(target)).patched(&Patch(object(patch))).map(Custom::into_value)
    }

    /// The examples of RFC 7396, appendix A, that have objects on both sides.
    #[test]
    fn a_patch_is_merged_as_the_rfc_says() {
        for (target, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            assert_eq!(patched(target.clone(), patch.clone()).expect("fits"), result, "{target} {patch}");
        }
    }

    #[test]
    fn what_is_too_large_or_too_deep_is_refused() {
        let full = json!({ "a": "x".repeat(MAX_BYTES - r#"{"a":""}"#.len()) });
        assert_eq!(patched(json!({}), full.clone()).expect("fits"), full);
        for (target, patch) in [
            (full.clone(), json!({"b": 1})),
            (json!({}), json!({ "a": "\u{1}".repeat(1_000) })),
            (json!({}), json!({"a": {"b": {"c": {"d": {}}}, "x": {"c": {"d": {"e": {}}}}}})),
            (json!({}), json!({"a": [[[[[]]]]]})),
        ] {
            assert!(matches!(patched(target, patch), Err(Error::Invalid { argument: Argument::Custom, .. })));
        }
        assert!(patched(json!({}), json!({"a": {"b": {"c": {"d": {}}}}})).is_ok());
        assert_eq!(patched(full, json!({"a": null})).expect("smaller"), json!({}));
    }

    #[test]
    fn it_survives_its_text_and_nothing_is_an_empty_object() {
        let custom = Custom(object(json!({"plan": "gold", "n": 1.5, "list": [null, true]})));
        assert_eq!(Custom::from_text(custom.clone().into_text().as_deref()), custom);
        assert_eq!(Custom::default().into_text(), None);
        assert_eq!(Custom::from_text(None), Custom::default());
    }
}
