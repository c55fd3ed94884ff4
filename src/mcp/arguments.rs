//! What a tool takes: one table of fields makes its schema and judges its calls.
//!
//! Invariant: what the schema does not name is refused, so that a misspelled
//! field is never a field that was left out.

use crate::error::{Error, Result};
use serde_json::{Map, Value, json};

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// 0 or more.
    Whole,
    Flag,
}

/// One field of a tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    name: &'static str,
    kind: Kind,
    is_required: bool,
    /// For agents; empty where the name says it all.
    about: &'static str,
}

impl Field {
    /// A text.
    pub(super) const fn text(name: &'static str, about: &'static str) -> Self {
        Self { name, kind: Kind::Text, is_required: false, about }
    }

    /// A whole number.
    pub(super) const fn whole(name: &'static str, about: &'static str) -> Self {
        Self { name, kind: Kind::Whole, is_required: false, about }
    }

    /// Yes or no.
    pub(super) const fn flag(name: &'static str, about: &'static str) -> Self {
        Self { name, kind: Kind::Flag, is_required: false, about }
    }

    /// One that must be given.
    pub(super) const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }
}

/// The schema of fields, which takes no others.
pub(super) fn schema(fields: &[Field]) -> Map<String, Value> {
    let mut properties = Map::new();
    for field in fields {
        let mut property = match field.kind {
            Kind::Text => json!({"type": "string"}),
            Kind::Whole => json!({"type": "integer", "minimum": 0}),
            Kind::Flag => json!({"type": "boolean"}),
        };
        if !field.about.is_empty() {
            property["description"] = field.about.into();
        }
        properties.insert(field.name.to_owned(), property);
    }
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), properties.into());
    let required: Vec<&str> = fields.iter().filter(|f| f.is_required).map(|f| f.name).collect();
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    schema.insert("additionalProperties".to_owned(), false.into());
    schema
}

/// The arguments of a call, of which every one is a field of the right kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Arguments(Map<String, Value>);

impl Arguments {
    /// Judges what was given. `null` is the same as nothing: many clients spell
    /// what they leave out so.
    ///
    /// # Errors
    /// `usage` that names the field and what it takes.
    pub(super) fn of(tool: &str, fields: &[Field], given: Map<String, Value>) -> Result<Self> {
        let mut kept = Map::new();
        for (name, value) in given {
            let Some(field) = fields.iter().find(|field| field.name == name) else {
                return Err(Error::usage(no_such_field(tool, fields, &name)));
            };
            if value.is_null() {
                continue;
            }
            let (is_right, takes) = match field.kind {
                Kind::Text => (value.is_string(), "a string"),
                Kind::Whole => (value.is_u64(), "a whole number"),
                Kind::Flag => (value.is_boolean(), "true or false"),
            };
            if !is_right {
                let given = match &value {
                    Value::Number(number) => format!("the number {number}"),
                    Value::String(_) => "a string".to_owned(),
                    Value::Bool(given) => format!("`{given}`"),
                    Value::Array(_) => "a list".to_owned(),
                    Value::Object(_) => "an object".to_owned(),
                    Value::Null => "nothing".to_owned(),
                };
                return Err(Error::usage(format!(
                    "`{name}` of the tool `{tool}` takes {takes}, not {given}"
                )));
            }
            kept.insert(name, value);
        }
        let is_missing = |f: &&Field| f.is_required && !kept.contains_key(f.name);
        if let Some(field) = fields.iter().find(is_missing) {
            let name = field.name;
            return Err(Error::usage(format!("the tool `{tool}` needs `{name}`")));
        }
        Ok(Self(kept))
    }

    /// A text, if it was given.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.0.get(name)?.as_str().map(str::to_owned)
    }

    /// A text that the schema requires.
    pub(super) fn needed(&self, name: &str) -> String {
        self.text(name).unwrap_or_default()
    }

    /// A whole number, if it was given.
    pub(super) fn whole(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_u64()
    }

    /// Whether a flag was set.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }

    /// The first of these that was given.
    pub(super) fn first_of(&self, names: &[&'static str]) -> Option<&'static str> {
        names.iter().copied().find(|name| self.0.contains_key(*name))
    }
}

fn no_such_field(tool: &str, fields: &[Field], name: &str) -> String {
    let shown: String = name.chars().take(64).collect();
    let all: Vec<String> = fields.iter().map(|field| format!("`{}`", field.name)).collect();
    if all.is_empty() {
        return format!("the tool `{tool}` has no field `{shown}`; it takes none");
    }
    format!("the tool `{tool}` has no field `{shown}`; it takes {}", all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[Field] =
        &[Field::text("id", "which").required(), Field::whole("limit", ""), Field::flag("all", "")];

    fn of(given: Value) -> Result<Arguments> {
        Arguments::of("list", FIELDS, given.as_object().cloned().unwrap_or_default())
    }

    #[test]
    fn the_schema_is_closed_and_says_what_is_required() {
        assert_eq!(
            Value::Object(schema(FIELDS)),
            json!({
                "type": "object",
                "properties": {
                    "id": {"type": "string", "description": "which"},
                    "limit": {"type": "integer", "minimum": 0},
                    "all": {"type": "boolean"},
                },
                "required": ["id"],
                "additionalProperties": false,
            })
        );
    }

    #[test]
    fn what_fits_is_kept_and_null_is_nothing() {
        let given = of(json!({"id": "T-1", "limit": 3, "all": null})).unwrap();
        assert_eq!(given.text("id").as_deref(), Some("T-1"));
        assert_eq!((given.whole("limit"), given.flag("all")), (Some(3), None));
        assert_eq!(given.first_of(&["all", "limit"]), Some("limit"));
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        let cases = [
            (
                json!({"id": "T-1", "ids": 1}),
                "the tool `list` has no field `ids`; it takes `id`, `limit`, `all`",
            ),
            (json!({"id": 7}), "`id` of the tool `list` takes a string, not the number 7"),
            (json!({"id": ["T-1"]}), "`id` of the tool `list` takes a string, not a list"),
            (
                json!({"id": "T-1", "limit": -1}),
                "`limit` of the tool `list` takes a whole number, not the number -1",
            ),
            (
                json!({"id": "T-1", "limit": 1.5}),
                "`limit` of the tool `list` takes a whole number, not the number 1.5",
            ),
            (
                json!({"id": "T-1", "limit": "3"}),
                "`limit` of the tool `list` takes a whole number, not a string",
            ),
            (
                json!({"id": "T-1", "all": "yes"}),
                "`all` of the tool `list` takes true or false, not a string",
            ),
            (json!({"limit": 1}), "the tool `list` needs `id`"),
            (json!({"id": null}), "the tool `list` needs `id`"),
        ];
        for (given, expected) in cases {
            let error = of(given.clone()).expect_err("it does not fit");
            assert_eq!(error.message, expected, "{given}");
            assert_eq!(error.kind, crate::error::ErrorKind::Usage);
        }
    }
}
