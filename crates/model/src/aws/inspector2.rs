//! Amazon Inspector (API version 2020-06-08): what is on, which resources it scans, and a summary of what it found in
//! them.

use jiff::Timestamp;

aws! {
    "camelCase"

    /// `AccountState`.
    AccountState {
        pub account_id: String,
        pub state: State,
        pub resource_state: ResourceState,
    }

    /// `State`.
    State {
        pub status: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub error_code: Option<String>,
    }

    /// `ResourceState`.
    ResourceState {
        pub ec2: State,
        pub ecr: State,
    }

    /// `CoveredResource`, keyed by the EC2 instance or the ARN of the image.
    Coverage {
        pub resource_id: String,
        pub resource_type: String,
        pub account_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub scan_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub scan_mode: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub scan_status: Option<ScanStatus>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub last_scanned_at: Option<Timestamp>,
    }

    /// `ScanStatus`.
    ScanStatus {
        pub status_code: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub reason: Option<String>,
    }

    /// The ACTIVE findings of type `PACKAGE_VULNERABILITY` and severity CRITICAL or HIGH of one resource, counted.
    ResourceFindings {
        /// The EC2 instance or the ARN of the image.
        pub resource_id: String,
        pub critical: SeverityCount,
        pub high: SeverityCount,
        /// The worst of them: CRITICAL first, then those that are exploited, then those with a fix, then the oldest.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub worst: Vec<Vulnerability>,
        /// Whether there were more findings than are read: the counts are the least that there are.
        pub truncated: bool,
    }

    /// Findings of one severity.
    SeverityCount {
        pub count: u32,
        /// Those with `exploitAvailable` YES.
        pub exploit_available: u32,
        /// Those with `fixAvailable` YES or PARTIAL.
        pub fix_available: u32,
    }

    /// What is kept of a `Finding`.
    Vulnerability {
        pub severity: String,
        pub vulnerability_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub package: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub version: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub fixed_in_version: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub fix_available: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub exploit_available: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub first_observed_at: Option<Timestamp>,
    }
}

/// How many of a resource's findings are kept one by one.
pub const WORST: usize = 10;
