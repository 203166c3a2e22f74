//! Identifiers: text flows in once, at the boundary; typed, cheap names flow out.

use std::borrow::Borrow;
use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

macro_rules! short_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(transparent)]
        pub struct $name(#[schemars(with = "String")] CompactString);

        impl $name {
            /// Takes the name as AWS wrote it.
            pub fn new(text: &str) -> Self {
                Self(CompactString::new(text))
            }

            /// The name as AWS writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

short_name! {
    /// A 12-digit AWS account number.
    AccountId
}
short_name! {
    /// A Region code such as `eu-west-3`; [`Region::GLOBAL`] for services without one.
    Region
}

impl Region {
    /// What stands in the place of a Region for IAM and other global services.
    pub const GLOBAL: &'static str = "global";

    /// The pseudo Region of global services.
    pub fn global() -> Self {
        Self::new(Self::GLOBAL)
    }

    /// Whether this is the pseudo Region of global services.
    pub fn is_global(&self) -> bool {
        self.as_str() == Self::GLOBAL
    }
}

/// The partition that a Region belongs to: `aws`, `aws-cn`, `aws-us-gov`, `aws-iso…`.
pub fn partition_of(region: &str) -> &'static str {
    match region {
        r if r.starts_with("cn-") => "aws-cn",
        r if r.starts_with("us-gov-") => "aws-us-gov",
        r if r.starts_with("us-isob-") => "aws-iso-b",
        r if r.starts_with("us-isof-") => "aws-iso-f",
        r if r.starts_with("us-iso-") => "aws-iso",
        r if r.starts_with("eu-isoe-") => "aws-iso-e",
        r if r.starts_with("eusc-") => "aws-eusc",
        _ => "aws",
    }
}

/// The parts of an Amazon Resource Name, borrowed from its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`…
    pub partition: &'a str,
    /// The service prefix, such as `ecs`.
    pub service: &'a str,
    /// The Region, empty for global services.
    pub region: &'a str,
    /// The account number, empty where the resource's name is global.
    pub account: &'a str,
    /// All that follows the fifth colon.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Splits an ARN; `None` when the text is not one.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        if parts.next()? != "arn" {
            return None;
        }
        let arn = Self {
            partition: parts.next()?,
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next()?,
        };
        (!arn.partition.is_empty() && !arn.service.is_empty() && !arn.resource.is_empty()).then_some(arn)
    }

    /// The last segment of the resource part, by `/` or `:`.
    pub fn name(&self) -> &'a str {
        self.resource.rsplit(['/', ':']).next().unwrap_or(self.resource)
    }
}

#[cfg(test)]
mod tests {
    use super::{Arn, partition_of};

    #[test]
    fn an_arn_is_split_into_its_parts() {
        let arn = Arn::parse("arn:aws:ecs:eu-west-3:111111111111:service/shop/web").unwrap();
        assert_eq!((arn.service, arn.region, arn.account, arn.resource), ("ecs", "eu-west-3", "111111111111", "service/shop/web"));
        assert_eq!(arn.name(), "web");
    }

    #[test]
    fn colons_in_the_resource_stay_in_it() {
        let arn = Arn::parse("arn:aws:ecs:us-east-1:111111111111:task-definition/web:7").unwrap();
        assert_eq!(arn.resource, "task-definition/web:7");
    }

    #[test]
    fn what_is_no_arn_is_refused() {
        for text in ["", "arn", "arn:aws:ecs", "web:7", "arn::ecs:::x", "arn:aws:iam::1:"] {
            assert_eq!(Arn::parse(text), None, "{text}");
        }
    }

    #[test]
    fn partitions_follow_the_region() {
        assert_eq!(partition_of("cn-north-1"), "aws-cn");
        assert_eq!(partition_of("us-gov-west-1"), "aws-us-gov");
        assert_eq!(partition_of("eu-west-3"), "aws");
    }
}
