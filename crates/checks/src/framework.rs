//! The frameworks whose controls checks name: their names, and the titles of those controls in our words.

/// A framework.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framework {
    /// Key in findings.
    pub key: &'static str,
    /// The name of the framework with its version.
    pub name: &'static str,
    /// Id and title of every control that a check names, in the order of the framework.
    pub controls: &'static [(&'static str, &'static str)],
}

impl Framework {
    /// The framework with this key.
    pub fn of(key: &str) -> Option<&'static Self> {
        FRAMEWORKS.iter().find(|framework| framework.key == key)
    }

    /// The title of a control; the `?` of a mapping that is not verified is no part of its id.
    pub fn title(&self, control: &str) -> Option<&'static str> {
        let id = control.strip_suffix('?').unwrap_or(control);
        self.controls.iter().find(|(known, _)| *known == id).map(|(_, title)| *title)
    }
}

/// All frameworks, in the order of reports.
pub const FRAMEWORKS: &[Framework] = &[
    Framework { key: "fsbp", name: "AWS Foundational Security Best Practices and other Security Hub standards", controls: FSBP },
    Framework { key: "cis_aws", name: "CIS AWS Foundations Benchmark", controls: CIS_AWS },
    Framework { key: "cis_docker", name: "CIS Docker Benchmark v1.6.0", controls: CIS_DOCKER },
    Framework { key: "cis_eks", name: "CIS Amazon EKS Benchmark v1.5 to v1.7", controls: CIS_EKS },
    Framework { key: "nist_800_53", name: "NIST SP 800-53 Revision 5", controls: NIST },
    Framework { key: "pci_dss_4", name: "PCI DSS v4", controls: PCI_DSS },
];

const FSBP: &[(&str, &str)] = &[
    ("CloudTrail.1", "A trail records management events of all Regions"),
    ("CloudTrail.2", "Trails are encrypted with KMS keys"),
    ("CloudTrail.4", "Trails validate their log files"),
    ("CloudTrail.6", "The buckets of trails are not public"),
    ("CloudWatch.16", "Log groups keep their events long enough"),
    ("EC2.2", "Default security groups of VPCs let no traffic in or out"),
    ("EC2.3", "Attached EBS volumes are encrypted at rest"),
    ("EC2.6", "Flow logs are on in every VPC"),
    ("EC2.7", "EBS encryption by default is on"),
    ("EC2.8", "Instances require version 2 of the instance metadata service"),
    ("EC2.9", "Instances have no public IPv4 address"),
    ("ECR.1", "Private repositories have image scanning configured"),
    ("ECR.2", "Private repositories have tag immutability configured"),
    ("ECR.3", "Repositories have a lifecycle policy"),
    ("ECR.5", "Repositories are encrypted with customer managed keys"),
    ("ECS.1", "Task definitions in host network mode name a user (retired in March 2026)"),
    ("ECS.2", "Services do not assign public IP addresses to their tasks"),
    ("ECS.3", "Task definitions do not share the process namespace of the host"),
    ("ECS.4", "Containers run without privileged mode"),
    ("ECS.5", "Containers have a read-only root file system"),
    ("ECS.8", "Secrets are not passed as environment variables"),
    ("ECS.9", "Task definitions have a log configuration"),
    ("ECS.10", "Fargate services run on the latest platform version"),
    ("ECS.12", "Clusters use Container Insights"),
    ("ECS.16", "Task sets do not assign public IP addresses"),
    ("ECS.17", "Task definitions do not use host network mode"),
    ("ECS.18", "Task definitions encrypt EFS volumes in transit"),
    ("ECS.20", "Task definitions name users other than root for Linux containers"),
    ("ECS.21", "Task definitions name users other than the administrator for Windows containers"),
    ("EKS.1", "Endpoints of clusters are not public"),
    ("EKS.2", "Clusters run a supported version of Kubernetes"),
    ("EKS.3", "Kubernetes secrets are encrypted"),
    ("EKS.8", "Audit logs of clusters are on"),
    ("ELB.1", "Application load balancers redirect all HTTP requests to HTTPS"),
    ("ELB.5", "Application and classic load balancers keep logs"),
    ("ELB.16", "Application load balancers are associated with a web ACL of AWS WAF"),
    ("ELB.17", "Listeners of application and network load balancers use recommended security policies"),
    ("ELB.18", "Listeners of application and network load balancers use secure protocols"),
    ("ELB.22", "Target groups use encrypted transport protocols"),
    ("EFS.1", "File systems are encrypted with KMS keys"),
    ("EFS.3", "Access points enforce a root directory"),
    ("EFS.4", "Access points enforce a user"),
    ("EFS.8", "File systems are encrypted at rest"),
    ("KMS.3", "KMS keys are not scheduled for deletion by mistake"),
    ("KMS.4", "KMS keys are rotated automatically"),
    ("KMS.5", "KMS keys are not open to the public"),
    ("S3.8", "Buckets block public access"),
];

const CIS_AWS: &[(&str, &str)] = &[
    ("3.0.0/2.2.1", "EBS volumes are encrypted by default in every Region"),
    ("3.0.0/2.4.1", "File systems are encrypted at rest"),
    ("3.0.0/3.1", "A trail records management events of all Regions"),
    ("3.0.0/3.2", "Trails validate their log files"),
    ("3.0.0/3.5", "Trails are encrypted with KMS keys"),
    ("3.0.0/3.6", "Symmetric customer managed keys are rotated"),
    ("3.0.0/3.7", "Flow logs are on in every VPC"),
    ("3.0.0/4.7", "Disabling and deletion of customer managed keys raise an alarm"),
    ("3.0.0/5.6", "Instances allow only version 2 of the instance metadata service"),
    ("5.0.0/2.3.1", "File systems are encrypted at rest"),
    ("5.0.0/3.1", "A trail records management events of all Regions"),
    ("5.0.0/3.2", "Trails validate their log files"),
    ("5.0.0/3.5", "Trails are encrypted with KMS keys"),
    ("5.0.0/3.6", "Symmetric customer managed keys are rotated"),
    ("5.0.0/3.7", "Flow logs are on in every VPC"),
    ("5.0.0/4.7", "Disabling and deletion of customer managed keys raise an alarm"),
    ("5.0.0/5.1.1", "EBS volumes are encrypted by default in every Region"),
    ("5.0.0/5.7", "Instances allow only version 2 of the instance metadata service"),
];

const CIS_DOCKER: &[(&str, &str)] = &[
    ("4.1", "Images create a user for their containers"),
    ("4.3", "Images hold no unnecessary packages"),
    ("4.5", "Content trust is enabled"),
    ("4.10", "Dockerfiles hold no secrets"),
    ("5.2", "An AppArmor profile is in force where the host has AppArmor"),
    ("5.3", "SELinux options are set where the host has SELinux"),
    ("5.4", "Containers have only the Linux capabilities that they need"),
    ("5.5", "Containers are not privileged"),
    ("5.6", "Sensitive directories of the host are not mounted"),
    ("5.10", "The network namespace of the host is not shared"),
    ("5.11", "Memory of containers is limited"),
    ("5.13", "The root file system is mounted read-only"),
    ("5.16", "The process namespace of the host is not shared"),
    ("5.17", "The IPC namespace of the host is not shared"),
    ("5.18", "Host devices are not exposed to containers"),
    ("5.26", "Containers cannot gain further privileges"),
    ("5.28", "Docker commands always use the latest version of their image"),
    ("5.30", "The default bridge docker0 is not used"),
    ("5.32", "The Docker socket is not mounted in containers"),
];

const CIS_EKS: &[(&str, &str)] = &[
    ("5.1.1", "Images are scanned for vulnerabilities"),
    ("5.1.4", "Only approved registries are used"),
    ("2.1.1", "Audit logs are on"),
    ("3.1.1", "Files of the kubelet on nodes have restrictive permissions"),
    ("4.1.1", "The cluster-admin role is only used where required"),
    ("4.1.7", "Access to clusters is managed by access entries"),
    ("4.3.1", "The CNI plugin supports network policies"),
    ("5.2.1", "Workloads have service accounts with IAM roles of their own"),
    ("5.3.1", "Kubernetes secrets are encrypted with KMS"),
    ("5.4.1", "Access to the control plane endpoint is restricted"),
    ("5.4.2", "The private endpoint is on and public access is off"),
    ("5.4.3", "Nodes are private"),
    ("5.4.4", "Network policy is on"),
    ("5.4.5", "Traffic to load balancers is encrypted with TLS certificates"),
    ("5.5.1", "Users of Kubernetes are managed with IAM"),
];

const NIST: &[(&str, &str)] = &[
    ("AC-3", "Access Enforcement"),
    ("AC-4", "Information Flow Enforcement"),
    ("AC-5", "Separation of Duties"),
    ("AC-6", "Least Privilege"),
    ("AC-16", "Security and Privacy Attributes"),
    ("AC-17", "Remote Access"),
    ("AU-2", "Event Logging"),
    ("AU-3", "Content of Audit Records"),
    ("AU-5", "Response to Audit Logging Process Failures"),
    ("AU-6", "Audit Record Review, Analysis, and Reporting"),
    ("AU-9", "Protection of Audit Information"),
    ("AU-9(3)", "Cryptographic Protection"),
    ("AU-11", "Audit Record Retention"),
    ("AU-12", "Audit Record Generation"),
    ("CM-2", "Baseline Configuration"),
    ("CM-3", "Configuration Change Control"),
    ("CM-6", "Configuration Settings"),
    ("CM-7", "Least Functionality"),
    ("CM-8", "System Component Inventory"),
    ("CM-14", "Signed Components"),
    ("CP-9", "System Backup"),
    ("IA-2", "Identification and Authentication (Organizational Users)"),
    ("IA-5", "Authenticator Management"),
    ("IA-5(7)", "No Embedded Unencrypted Static Authenticators"),
    ("RA-5", "Vulnerability Monitoring and Scanning"),
    ("SA-22", "Unsupported System Components"),
    ("SC-5", "Denial-of-Service Protection"),
    ("SC-7", "Boundary Protection"),
    ("SC-7(8)", "Route Traffic to Authenticated Proxy Servers"),
    ("SC-7(21)", "Isolation of System Components"),
    ("SC-8", "Transmission Confidentiality and Integrity"),
    ("SC-12", "Cryptographic Key Establishment and Management"),
    ("SC-13", "Cryptographic Protection"),
    ("SC-23", "Session Authenticity"),
    ("SC-28", "Protection of Information at Rest"),
    ("SC-28(1)", "Cryptographic Protection of Information at Rest"),
    ("SC-39", "Process Isolation"),
    ("SI-2", "Flaw Remediation"),
    ("SI-4", "System Monitoring"),
    ("SI-4(4)", "Inbound and Outbound Communications Traffic"),
    ("SI-7", "Software, Firmware, and Information Integrity"),
    ("SI-7(15)", "Code Authentication"),
    ("SR-3", "Supply Chain Controls and Processes"),
    ("SI-12", "Information Management and Retention"),
];

const PCI_DSS: &[(&str, &str)] = &[
    ("1.3.1", "Traffic into the cardholder data environment is restricted to what is needed"),
    ("1.3.2", "Traffic out of the cardholder data environment is restricted to what is needed"),
    ("1.4.4", "Systems that store cardholder data cannot be reached directly from untrusted networks"),
    ("1.4.5", "Internal addresses and routes are disclosed to authorized parties only"),
    ("2.2.6", "Security parameters of systems are set to prevent misuse"),
    ("3.5.1", "Stored account numbers are unreadable"),
    ("3.6.1", "Keys that protect stored account data are protected against disclosure and misuse"),
    ("3.7.4", "Keys are changed at the end of their cryptoperiod"),
    ("3.7.5", "Keys are retired, replaced or destroyed when they are weakened or no longer needed"),
    ("4.2.1", "Strong cryptography protects account numbers over open, public networks"),
    ("6.3.1", "Vulnerabilities are identified and managed"),
    ("6.3.3", "Security patches are installed in time"),
    ("6.4.2", "An automated solution detects and prevents attacks on public web applications"),
    ("7.2.1", "An access control model grants access by need"),
    ("7.2.2", "Access follows job function and least privilege"),
    ("7.2.5", "Application and system accounts have least privilege"),
    ("8.3.2", "Authentication factors are unreadable in transit and at rest"),
    ("8.6.1", "Interactive use of system and application accounts is controlled"),
    ("8.6.2", "Passwords of system and application accounts are not hard-coded"),
    ("10.2.1", "Audit logs are on for all systems"),
    ("10.3.2", "Audit logs are protected against changes"),
    ("10.3.3", "Audit logs are backed up promptly to a place where they are hard to alter"),
    ("10.3.4", "Changes of audit logs are noticed"),
    ("10.4.1", "Audit logs are reviewed every day"),
    ("10.5.1", "Audit logs are kept for a year, the last three months at hand"),
    ("11.3.1", "Systems are scanned for vulnerabilities from inside"),
];
