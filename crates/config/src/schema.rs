//! The types of the file and the names that it may hold flow in, its JSON Schema (draft 2020-12) flows out.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::{Config, Names};

/// The schema of the file, for editors that complete and check it.
pub fn schema(names: Names<'_>) -> Value {
    let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("$id".to_owned(), "urn:plimsoll:schema:config:1".into());
    schema.insert("title".to_owned(), "plimsoll configuration".into());
    if let Value::Object(fields) = generator.into_root_schema_for::<Config>().to_value() {
        for (name, value) in fields {
            schema.entry(name).or_insert(value);
        }
    }
    let mut schema = Value::Object(schema);
    if let Some(severity) = schema.pointer_mut("/properties/severity") {
        set(severity, "propertyNames", json!({"enum": names.checks}));
    }
    if let Some(format) = schema.pointer_mut("/$defs/Output/properties/format") {
        set(format, "enum", json!(names.formats));
    }
    schema
}

fn set(schema: &mut Value, key: &str, value: Value) {
    if let Value::Object(fields) = schema {
        fields.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::schema;
    use crate::{Config, Names, parse};

    const NAMES: Names<'static> = Names { checks: &["ecs-service-public-ip"], formats: &["table", "json"] };

    #[test]
    fn the_schema_is_a_schema() {
        jsonschema::draft202012::meta::validate(&schema(NAMES)).unwrap();
    }

    #[test]
    fn schema_and_parser_take_and_refuse_the_same() {
        let schema = jsonschema::draft202012::new(&schema(NAMES)).unwrap();
        let exception = "[[exceptions]]\ncheck = \"*\"\nresource = \"*\"\n";
        for (text, is_right) in [
            ("", true),
            ("regions = [\"all\"]", true),
            ("region = [\"all\"]", false),
            ("[severity]\necs-service-public-ip = \"low\"", true),
            ("[severity]\nno-such-check = \"low\"", false),
            ("[severity]\necs-service-public-ip = \"awful\"", false),
            ("[output]\nformat = \"pdf\"", false),
            ("[collect]\nconcurrency = 0", false),
            ("[collect.cache]\nmax-mib = 0", false),
            ("[thresholds]\nimage-days = -1", false),
            ("[thresholds]\nproduction-tags = [\"env=prod\"]", true),
            ("[thresholds]\nproduction-tags = [\"=prod\"]", false),
            (&format!("{exception}reason = \"x\"\nexpires = \"2026-12-31\""), true),
            (&format!("{exception}reason = \"\"\nexpires = \"2026-12-31\""), false),
            (&format!("{exception}expires = \"2026-12-31\""), false),
        ] {
            let value: Value = serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap();
            assert_eq!(schema.is_valid(&value), is_right, "schema: {text}");
            assert_eq!(parse(text, Path::new("x"), NAMES).is_ok(), is_right, "parser: {text}");
        }
    }

    #[test]
    fn the_defaults_are_in_the_schema() {
        let schema = schema(NAMES);
        assert_eq!(schema["$defs"]["Thresholds"]["properties"]["fargate-task-days"]["default"], json!(45));
        let defaults = serde_json::to_value(Config::default()).unwrap();
        assert!(jsonschema::draft202012::new(&schema).unwrap().is_valid(&defaults));
    }
}
