//! The types of the model flow in, JSON Schemas (draft 2020-12) of everything that plimsoll writes flow out.

use plimsoll_model::{AccountId, Diagnosis, Gap, Header, Matrix, Region, ScanResult, resource_schemas};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::json::Line;

/// The schema of `--format json`.
pub fn result_schema() -> Value {
    written::<ScanResult>("result", "plimsoll scan result")
}

/// The schema of one line of `--format ndjson`.
pub fn line_schema() -> Value {
    written::<Line<'static>>("result-line", "plimsoll scan result, one line of NDJSON")
}

/// The schema of the shared-responsibility matrix.
pub fn matrix_schema() -> Value {
    written::<Matrix>("matrix", "plimsoll shared-responsibility matrix")
}

/// The schema of what `plimsoll doctor` finds.
pub fn diagnosis_schema() -> Value {
    written::<Diagnosis>("doctor", "plimsoll doctor")
}

/// The schema of one line of a snapshot: the header, a resource by its kind, or a gap.
pub fn snapshot_schema() -> Value {
    // As the reader takes it: a snapshot may leave out what has a default.
    let mut generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let header = generator.subschema_for::<Header>();
    let account = generator.subschema_for::<AccountId>();
    let region = generator.subschema_for::<Region>();
    let gap = generator.subschema_for::<Gap>();
    let body = |kind: &str, data: &Schema| {
        json!({
            "type": "object",
            "required": ["kind", "data"],
            "properties": {"kind": {"const": kind}, "account": account, "region": region, "data": data},
        })
    };
    let mut lines = vec![json!({
        "title": "Header, the first line",
        "type": "object",
        "required": ["plimsoll"],
        "properties": {"plimsoll": header},
    })];
    lines.extend(resource_schemas(&mut generator).iter().map(|(kind, data)| body(kind, data)));
    lines.push(body("plimsoll:Gap", &gap));
    let mut schema = head("snapshot-line", "plimsoll snapshot, one line");
    schema.insert("oneOf".to_owned(), Value::Array(lines));
    schema.insert("$defs".to_owned(), Value::Object(generator.take_definitions(true)));
    Value::Object(schema)
}

fn written<T: JsonSchema>(id: &str, title: &str) -> Value {
    let generator: SchemaGenerator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let schema = generator.into_root_schema_for::<T>();
    let mut whole = head(id, title);
    if let Value::Object(fields) = schema.to_value() {
        for (name, value) in fields {
            whole.entry(name).or_insert(value);
        }
    }
    Value::Object(whole)
}

fn head(id: &str, title: &str) -> Map<String, Value> {
    let mut head = Map::new();
    head.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    head.insert("$id".to_owned(), format!("urn:plimsoll:schema:{id}:1").into());
    head.insert("title".to_owned(), title.into());
    head
}

#[cfg(test)]
mod tests {
    use super::{line_schema, matrix_schema, result_schema, snapshot_schema};
    use plimsoll_model::aws::ecs::Cluster;
    use plimsoll_model::{AccountId, Gap, Inventory, Region};
    use serde_json::{Value, json};

    #[test]
    fn schemas_are_schemas() {
        let ids: Vec<String> = [result_schema(), line_schema(), matrix_schema(), snapshot_schema()]
            .iter()
            .map(|schema| {
                jsonschema::draft202012::meta::validate(schema).unwrap();
                schema["$id"].as_str().unwrap().to_owned()
            })
            .collect();
        assert_eq!(ids, ["result", "result-line", "matrix", "snapshot-line"].map(|name| format!("urn:plimsoll:schema:{name}:1")));
    }

    #[test]
    fn a_result_must_have_its_parts() {
        let schema = jsonschema::draft202012::new(&result_schema()).unwrap();
        assert!(!schema.is_valid(&json!({"schema": 1})));
    }

    #[test]
    fn every_snapshot_line_fits_exactly_one_schema() {
        let mut inventory = Inventory::default();
        let (account, region) = (AccountId::new("111111111111"), Region::new("eu-west-3"));
        let cluster: Cluster = serde_json::from_value(json!({
            "clusterArn": "arn:aws:ecs:eu-west-3:111111111111:cluster/shop", "clusterName": "shop"
        }))
        .unwrap();
        inventory.push(&account, &region, cluster);
        inventory.gaps.push(Gap { operation: "ecs:ListTasks".into(), code: "AccessDenied".into(), ..Gap::default() });
        let mut text = Vec::new();
        plimsoll_model::write(&inventory, &mut text).unwrap();
        let schema = jsonschema::draft202012::new(&snapshot_schema()).unwrap();
        let lines = String::from_utf8(text).unwrap();
        assert_eq!(lines.lines().count(), 3);
        for line in lines.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            assert!(schema.is_valid(&line), "{line}: {:?}", schema.iter_errors(&line).map(|e| e.to_string()).collect::<Vec<_>>());
        }
        assert!(!schema.is_valid(&json!({"kind": "ecs:Cluster", "data": {"clusterArn": 7}})));
        assert!(!schema.is_valid(&json!({"kind": "no:Such", "data": {}})));
    }

    #[test]
    fn every_kind_has_a_schema() {
        let schema = snapshot_schema();
        let kinds = schema["oneOf"].as_array().unwrap().iter().filter_map(|line| line["properties"]["kind"]["const"].as_str());
        assert_eq!(kinds.count(), Inventory::KINDS.len() + 1);
    }
}
