//! Findings flow in; text for a person, a file or a program flows out. Renderers lay out and compute nothing.

mod catalogue;
mod diagnosis;
mod display;
mod fold;
mod json;
mod matrix;
mod permissions;
#[cfg(test)]
mod sample;
mod schema;
mod screen;
mod table;
mod unread;

pub use catalogue::{ByPlatform, CheckPage, CheckRow, check_page, check_page_markdown, checks_table};
pub use diagnosis::{diagnosis_json, diagnosis_table};
pub use display::inline;
pub use json::{json, matrix_json, ndjson};
pub use matrix::matrix_table;
pub use permissions::{
    Deployment, ExternalId, Partition, Permission, Policies, PolicyDocument, Principal, RoleName, Trust, TrustError, cloudformation,
    permissions_table, terraform,
};
pub use schema::{diagnosis_schema, line_schema, matrix_schema, result_schema, snapshot_schema};
pub use screen::TableOptions;
pub use table::table;
