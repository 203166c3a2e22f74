//! Amazon Relational Database Service (API version 2014-10-31).

pub use super::Tag;

aws! {
    "PascalCase"

    /// `DBInstance`.
    DbInstance {
        #[serde(rename = "DBInstanceIdentifier")]
        pub db_instance_identifier: String,
        #[serde(rename = "DBInstanceArn")]
        pub db_instance_arn: String,
        #[serde(rename = "DBInstanceStatus", skip_serializing_if = "Option::is_none")]
        pub db_instance_status: Option<String>,
        #[serde(rename = "DBClusterIdentifier", skip_serializing_if = "Option::is_none")]
        pub db_cluster_identifier: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub engine: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub endpoint: Option<Endpoint>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub publicly_accessible: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub storage_encrypted: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub kms_key_id: Option<String>,
        #[serde(rename = "DBSubnetGroup", skip_serializing_if = "Option::is_none")]
        pub db_subnet_group: Option<DbSubnetGroup>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub vpc_security_groups: Vec<VpcSecurityGroupMembership>,
        #[serde(rename = "IAMDatabaseAuthenticationEnabled", skip_serializing_if = "Option::is_none")]
        pub iam_database_authentication_enabled: Option<bool>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tag_list: Vec<Tag>,
    }

    /// `Endpoint`.
    Endpoint {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub address: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub port: Option<i32>,
    }

    /// `DBSubnetGroup`.
    DbSubnetGroup {
        #[serde(rename = "DBSubnetGroupName", skip_serializing_if = "Option::is_none")]
        pub db_subnet_group_name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub vpc_id: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub subnets: Vec<Subnet>,
    }

    /// `Subnet`.
    Subnet {
        pub subnet_identifier: String,
    }

    /// `VpcSecurityGroupMembership`.
    VpcSecurityGroupMembership {
        pub vpc_security_group_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub status: Option<String>,
    }

    /// `DBCluster`.
    DbCluster {
        #[serde(rename = "DBClusterIdentifier")]
        pub db_cluster_identifier: String,
        #[serde(rename = "DBClusterArn")]
        pub db_cluster_arn: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub status: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub engine: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub endpoint: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub reader_endpoint: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub port: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub publicly_accessible: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub storage_encrypted: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub kms_key_id: Option<String>,
        #[serde(rename = "DBSubnetGroup", skip_serializing_if = "Option::is_none")]
        pub db_subnet_group: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub vpc_security_groups: Vec<VpcSecurityGroupMembership>,
        #[serde(rename = "DBClusterMembers", skip_serializing_if = "Vec::is_empty")]
        pub db_cluster_members: Vec<DbClusterMember>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tag_list: Vec<Tag>,
    }

    /// `DBClusterMember`.
    DbClusterMember {
        #[serde(rename = "DBInstanceIdentifier")]
        pub db_instance_identifier: String,
    }
}
