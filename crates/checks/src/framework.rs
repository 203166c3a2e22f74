//! The frameworks whose controls checks name.

/// A framework.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framework {
    /// Key in findings.
    pub key: &'static str,
    /// The name of the framework with its version.
    pub name: &'static str,
}

/// All frameworks, in the order of reports.
pub const FRAMEWORKS: &[Framework] = &[
    Framework { key: "fsbp", name: "AWS Foundational Security Best Practices and other Security Hub standards" },
    Framework { key: "cis_aws", name: "CIS AWS Foundations Benchmark" },
    Framework { key: "cis_docker", name: "CIS Docker Benchmark v1.6.0" },
    Framework { key: "cis_eks", name: "CIS Amazon EKS Benchmark v1.5 to v1.7" },
    Framework { key: "nist_800_53", name: "NIST SP 800-53 Revision 5" },
    Framework { key: "pci_dss_4", name: "PCI DSS v4" },
];
