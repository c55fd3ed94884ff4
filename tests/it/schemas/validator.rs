//! As much of JSON Schema as the tool's own schemas use.
//!
//! A keyword that is not known here is a panic and not a shrug: a schema that
//! begins to say more is then checked for it, or the test says that it is not.

use serde_json::Value;

/// What is wrong with a value, by its place; nothing where it is valid.
pub fn errors(root: &Value, value: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    check(root, root, value, "$", &mut errors);
    errors
}

const SAID_TO_PEOPLE: [&str; 5] = ["$schema", "title", "description", "format", "default"];

fn check(root: &Value, schema: &Value, value: &Value, at: &str, errors: &mut Vec<String>) {
    let schema = match schema {
        Value::Bool(true) => return,
        Value::Bool(false) => return errors.push(format!("{at}: nothing may stand here")),
        Value::Object(schema) => schema,
        _ => panic!("{at}: no schema: {schema}"),
    };
    for (keyword, rule) in schema {
        match keyword.as_str() {
            "type" => {
                let types =
                    rule.as_array().map_or_else(|| vec![rule], |types| types.iter().collect());
                if !types.iter().any(|t| is_of_type(value, t.as_str().expect("a type's name"))) {
                    errors.push(format!("{at}: {value} is not {rule}"));
                }
            }
            "const" if rule != value => errors.push(format!("{at}: {value} is not {rule}")),
            "enum" if !list(rule).contains(value) => {
                errors.push(format!("{at}: {value} is none of {rule}"));
            }
            "minimum" if value.as_f64().is_some_and(|n| n < rule.as_f64().expect("a number")) => {
                errors.push(format!("{at}: {value} is less than {rule}"));
            }
            "const" | "enum" | "minimum" => {}
            "required" => {
                for name in list(rule).iter().filter_map(Value::as_str) {
                    if value.is_object() && value.get(name).is_none() {
                        errors.push(format!("{at}: `{name}` is missing"));
                    }
                }
            }
            "properties" => {
                for (name, rule) in rule.as_object().expect("properties") {
                    if let Some(value) = value.get(name) {
                        check(root, rule, value, &format!("{at}.{name}"), errors);
                    }
                }
            }
            "additionalProperties" => {
                let known = schema.get("properties").and_then(Value::as_object);
                for (name, value) in value.as_object().into_iter().flatten() {
                    if known.is_none_or(|known| !known.contains_key(name)) {
                        check(root, rule, value, &format!("{at}.{name}"), errors);
                    }
                }
            }
            "items" => {
                for (n, value) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, value, &format!("{at}[{n}]"), errors);
                }
            }
            "minItems" | "maxItems" => {
                let count = value.as_array().map(Vec::len);
                let wanted = rule.as_u64().and_then(|n| usize::try_from(n).ok()).expect("a count");
                let fits = |n| if keyword == "minItems" { n >= wanted } else { n <= wanted };
                if count.is_some_and(|n| !fits(n)) {
                    errors.push(format!("{at}: {value} has too few or too many items"));
                }
            }
            "anyOf" => {
                let fits = |rule: &&Value| {
                    let mut errors = Vec::new();
                    check(root, rule, value, at, &mut errors);
                    errors.is_empty()
                };
                if !list(rule).iter().any(|rule| fits(&rule)) {
                    errors.push(format!("{at}: {value} fits none of {rule}"));
                }
            }
            "$ref" => match target(root, rule.as_str().expect("a reference")) {
                Some(rule) => check(root, rule, value, at, errors),
                None => errors.push(format!("{at}: {rule} leads nowhere")),
            },
            "$defs" => {}
            word if SAID_TO_PEOPLE.contains(&word) => {}
            word => panic!("{at}: the keyword `{word}` is not known to this test"),
        }
    }
}

fn list(rule: &Value) -> &[Value] {
    rule.as_array().expect("a list")
}

/// `#/$defs/Name`, from the top of the document.
fn target<'s>(root: &'s Value, reference: &str) -> Option<&'s Value> {
    let pointer = reference.strip_prefix('#')?;
    root.pointer(pointer)
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type `{other}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_keyword_can_fail() {
        let bad = [
            (json!({"type": "string"}), json!(1)),
            (json!({"type": ["string", "null"]}), json!([])),
            (json!({"const": "a"}), json!("b")),
            (json!({"enum": ["a"]}), json!("b")),
            (json!({"minimum": 0}), json!(-1)),
            (json!({"required": ["a"]}), json!({})),
            (json!({"properties": {"a": {"type": "null"}}}), json!({"a": 1})),
            (json!({"additionalProperties": {"type": "null"}}), json!({"a": 1})),
            (json!({"additionalProperties": false, "properties": {"b": true}}), json!({"a": 1})),
            (json!({"items": {"type": "null"}}), json!([null, 1])),
            (json!({"anyOf": [{"type": "null"}, {"type": "string"}]}), json!(1)),
            (json!({"$ref": "#/$defs/A", "$defs": {"A": {"type": "null"}}}), json!(1)),
            (json!({"$ref": "#/$defs/A"}), json!(1)),
        ];
        for (schema, value) in bad {
            assert_eq!(errors(&schema, &value).len(), 1, "{schema}: {value}");
        }
        let good = [
            (json!({"type": ["string", "null"]}), json!(null)),
            (json!({"required": ["a"], "properties": {"a": true}}), json!({"a": 1})),
            (
                json!({"$ref": "#/$defs/A", "$defs": {"A": {"items": {"type": "integer"}}}}),
                json!([1]),
            ),
        ];
        for (schema, value) in good {
            assert_eq!(errors(&schema, &value), Vec::<String>::new(), "{schema}: {value}");
        }
    }

    #[test]
    #[should_panic(expected = "not known")]
    fn an_unknown_keyword_is_not_passed_over() {
        errors(&json!({"pattern": "x"}), &json!("y"));
    }
}
