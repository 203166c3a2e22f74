//! AWS Systems Manager (API version 2014-11-06).

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! aws {
    ($($(#[$doc:meta])* $name:ident { $($body:tt)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "PascalCase", default)]
        pub struct $name { $($body)* }
    )*};
}

aws! {
    /// `Parameter` that AWS publishes for everyone, below `/aws/service`.
    PublicParameter {
        pub name: String,
        pub value: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub version: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub last_modified_date: Option<Timestamp>,
    }
}
