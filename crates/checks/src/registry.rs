//! Every check of the catalogue. Written by `make generate`: edit the check files instead.

use crate::check::Check;

#[path = "platform_audit/cloudtrail_container_changes_not_alarmed.rs"]
mod cloudtrail_container_changes_not_alarmed;
#[path = "platform_audit/cloudtrail_fargate_key_use_not_seen.rs"]
mod cloudtrail_fargate_key_use_not_seen;
#[path = "platform_audit/cloudtrail_integrity_weak.rs"]
mod cloudtrail_integrity_weak;
#[path = "platform_audit/cloudtrail_kms_events_excluded.rs"]
mod cloudtrail_kms_events_excluded;
#[path = "platform_audit/cloudtrail_not_recording_all_regions.rs"]
mod cloudtrail_not_recording_all_regions;
#[path = "network/ec2_container_host_admin_port_open.rs"]
mod ec2_container_host_admin_port_open;
#[path = "network/ec2_container_host_dynamic_ports_open.rs"]
mod ec2_container_host_dynamic_ports_open;
#[path = "host_patching/ec2_container_host_imdsv1_allowed.rs"]
mod ec2_container_host_imdsv1_allowed;
#[path = "network/ec2_container_host_public_ip.rs"]
mod ec2_container_host_public_ip;
#[path = "data_secrets/ec2_container_host_user_data_secret.rs"]
mod ec2_container_host_user_data_secret;
#[path = "data_secrets/ec2_container_host_volume_unencrypted.rs"]
mod ec2_container_host_volume_unencrypted;
#[path = "host_patching/ec2_container_launch_template_insecure.rs"]
mod ec2_container_launch_template_insecure;
#[path = "image/ecr_image_contains_secret.rs"]
mod ecr_image_contains_secret;
#[path = "image/ecr_image_running_unscanned.rs"]
mod ecr_image_running_unscanned;
#[path = "image/ecr_image_vulnerable.rs"]
mod ecr_image_vulnerable;
#[path = "image/ecr_repository_mutable_tags.rs"]
mod ecr_repository_mutable_tags;
#[path = "image/ecr_repository_no_cmk.rs"]
mod ecr_repository_no_cmk;
#[path = "image/ecr_repository_no_lifecycle_policy.rs"]
mod ecr_repository_no_lifecycle_policy;
#[path = "image/ecr_repository_public_policy.rs"]
mod ecr_repository_public_policy;
#[path = "image/ecr_repository_push_by_outsider.rs"]
mod ecr_repository_push_by_outsider;
#[path = "image/ecr_repository_scan_disabled.rs"]
mod ecr_repository_scan_disabled;
#[path = "image/ecr_running_image_oversized.rs"]
mod ecr_running_image_oversized;
#[path = "image/ecr_running_image_stale.rs"]
mod ecr_running_image_stale;
#[path = "image/ecr_running_image_unsigned.rs"]
mod ecr_running_image_unsigned;
#[path = "tagging_governance/ecs_account_tag_authorization_disabled.rs"]
mod ecs_account_tag_authorization_disabled;
#[path = "host_patching/ecs_agent_awsvpc_imds_not_blocked.rs"]
mod ecs_agent_awsvpc_imds_not_blocked;
#[path = "host_patching/ecs_agent_host_network_task_role_disabled.rs"]
mod ecs_agent_host_network_task_role_disabled;
#[path = "network/ecs_agent_proxy_leaks_credentials_calls.rs"]
mod ecs_agent_proxy_leaks_credentials_calls;
#[path = "host_patching/ecs_capacity_provider_termination_protection_disabled.rs"]
mod ecs_capacity_provider_termination_protection_disabled;
#[path = "platform_audit/ecs_cluster_container_insights_disabled.rs"]
mod ecs_cluster_container_insights_disabled;
#[path = "platform_audit/ecs_cluster_exec_not_audited.rs"]
mod ecs_cluster_exec_not_audited;
#[path = "data_secrets/ecs_cluster_fargate_storage_key_policy_incomplete.rs"]
mod ecs_cluster_fargate_storage_key_policy_incomplete;
#[path = "data_secrets/ecs_cluster_fargate_storage_key_unsupported.rs"]
mod ecs_cluster_fargate_storage_key_unsupported;
#[path = "data_secrets/ecs_cluster_fargate_storage_no_cmk.rs"]
mod ecs_cluster_fargate_storage_no_cmk;
#[path = "network/ecs_cluster_mixed_isolation_workloads.rs"]
mod ecs_cluster_mixed_isolation_workloads;
#[path = "network/ecs_cluster_strict_isolation_shared_vpc.rs"]
mod ecs_cluster_strict_isolation_shared_vpc;
#[path = "host_patching/ecs_container_instance_agent_disconnected.rs"]
mod ecs_container_instance_agent_disconnected;
#[path = "host_patching/ecs_container_instance_agent_outdated.rs"]
mod ecs_container_instance_agent_outdated;
#[path = "host_patching/ecs_container_instance_ami_outdated.rs"]
mod ecs_container_instance_ami_outdated;
#[path = "host_patching/ecs_container_instance_critical_vulnerability.rs"]
mod ecs_container_instance_critical_vulnerability;
#[path = "host_patching/ecs_container_instance_not_replaceable.rs"]
mod ecs_container_instance_not_replaceable;
#[path = "host_patching/ecs_container_instance_patch_noncompliant.rs"]
mod ecs_container_instance_patch_noncompliant;
#[path = "identity/ecs_container_instance_role_theft_path.rs"]
mod ecs_container_instance_role_theft_path;
#[path = "tagging_governance/ecs_resource_required_tags_missing.rs"]
mod ecs_resource_required_tags_missing;
#[path = "network/ecs_service_bypasses_load_balancer.rs"]
mod ecs_service_bypasses_load_balancer;
#[path = "network/ecs_service_connect_tls_disabled.rs"]
mod ecs_service_connect_tls_disabled;
#[path = "network/ecs_service_default_security_group.rs"]
mod ecs_service_default_security_group;
#[path = "network/ecs_service_egress_unrestricted.rs"]
mod ecs_service_egress_unrestricted;
#[path = "host_patching/ecs_service_fargate_platform_version_outdated.rs"]
mod ecs_service_fargate_platform_version_outdated;
#[path = "data_secrets/ecs_service_managed_ebs_unencrypted.rs"]
mod ecs_service_managed_ebs_unencrypted;
#[path = "network/ecs_service_nlb_source_too_wide.rs"]
mod ecs_service_nlb_source_too_wide;
#[path = "network/ecs_service_public_ip.rs"]
mod ecs_service_public_ip;
#[path = "network/ecs_service_security_group_shared.rs"]
mod ecs_service_security_group_shared;
#[path = "network/ecs_task_definition_app_mesh_proxy.rs"]
mod ecs_task_definition_app_mesh_proxy;
#[path = "network/ecs_task_definition_bridge_network.rs"]
mod ecs_task_definition_bridge_network;
#[path = "runtime/ecs_task_definition_dangerous_capabilities.rs"]
mod ecs_task_definition_dangerous_capabilities;
#[path = "runtime/ecs_task_definition_docker_socket_mount.rs"]
mod ecs_task_definition_docker_socket_mount;
#[path = "network/ecs_task_definition_efs_transit_unencrypted.rs"]
mod ecs_task_definition_efs_transit_unencrypted;
#[path = "data_secrets/ecs_task_definition_efs_unrestricted_root.rs"]
mod ecs_task_definition_efs_unrestricted_root;
#[path = "data_secrets/ecs_task_definition_environment_file_bucket_exposed.rs"]
mod ecs_task_definition_environment_file_bucket_exposed;
#[path = "identity/ecs_task_definition_execution_role_as_task_role.rs"]
mod ecs_task_definition_execution_role_as_task_role;
#[path = "runtime/ecs_task_definition_host_namespace_shared.rs"]
mod ecs_task_definition_host_namespace_shared;
#[path = "network/ecs_task_definition_host_network.rs"]
mod ecs_task_definition_host_network;
#[path = "image/ecs_task_definition_image_not_pinned.rs"]
mod ecs_task_definition_image_not_pinned;
#[path = "image/ecs_task_definition_image_untrusted_registry.rs"]
mod ecs_task_definition_image_untrusted_registry;
#[path = "runtime/ecs_task_definition_linux_hardening_missing.rs"]
mod ecs_task_definition_linux_hardening_missing;
#[path = "platform_audit/ecs_task_definition_logging_blocking_mode.rs"]
mod ecs_task_definition_logging_blocking_mode;
#[path = "platform_audit/ecs_task_definition_logging_missing.rs"]
mod ecs_task_definition_logging_missing;
#[path = "image/ecs_task_definition_monolithic_task.rs"]
mod ecs_task_definition_monolithic_task;
#[path = "runtime/ecs_task_definition_no_resource_limit.rs"]
mod ecs_task_definition_no_resource_limit;
#[path = "identity/ecs_task_definition_no_task_role.rs"]
mod ecs_task_definition_no_task_role;
#[path = "data_secrets/ecs_task_definition_parameter_not_securestring.rs"]
mod ecs_task_definition_parameter_not_securestring;
#[path = "data_secrets/ecs_task_definition_plaintext_secret_environment.rs"]
mod ecs_task_definition_plaintext_secret_environment;
#[path = "runtime/ecs_task_definition_privileged_container.rs"]
mod ecs_task_definition_privileged_container;
#[path = "image/ecs_task_definition_root_user.rs"]
mod ecs_task_definition_root_user;
#[path = "data_secrets/ecs_task_definition_secret_in_command.rs"]
mod ecs_task_definition_secret_in_command;
#[path = "runtime/ecs_task_definition_sensitive_host_path_mount.rs"]
mod ecs_task_definition_sensitive_host_path_mount;
#[path = "data_secrets/ecs_task_definition_whole_secret_injected.rs"]
mod ecs_task_definition_whole_secret_injected;
#[path = "runtime/ecs_task_definition_writable_root_filesystem.rs"]
mod ecs_task_definition_writable_root_filesystem;
#[path = "host_patching/ecs_task_fargate_not_refreshed.rs"]
mod ecs_task_fargate_not_refreshed;
#[path = "data_secrets/ecs_task_fargate_storage_key_stale.rs"]
mod ecs_task_fargate_storage_key_stale;
#[path = "image/ecs_task_image_digest_drift.rs"]
mod ecs_task_image_digest_drift;
#[path = "identity/ecs_task_imds_reachable.rs"]
mod ecs_task_imds_reachable;
#[path = "network/ecs_task_internet_reachable.rs"]
mod ecs_task_internet_reachable;
#[path = "network/ecs_task_public_ip.rs"]
mod ecs_task_public_ip;
#[path = "runtime/ecs_task_runtime_override.rs"]
mod ecs_task_runtime_override;
#[path = "network/efs_container_volume_open_to_subnet.rs"]
mod efs_container_volume_open_to_subnet;
#[path = "data_secrets/efs_container_volume_unencrypted.rs"]
mod efs_container_volume_unencrypted;
#[path = "identity/eks_cluster_admin_granted_widely.rs"]
mod eks_cluster_admin_granted_widely;
#[path = "platform_audit/eks_cluster_control_plane_logs_incomplete.rs"]
mod eks_cluster_control_plane_logs_incomplete;
#[path = "tagging_governance/eks_cluster_deletion_protection_off.rs"]
mod eks_cluster_deletion_protection_off;
#[path = "network/eks_cluster_endpoint_public.rs"]
mod eks_cluster_endpoint_public;
#[path = "data_secrets/eks_cluster_secrets_no_cmk.rs"]
mod eks_cluster_secrets_no_cmk;
#[path = "host_patching/eks_cluster_version_unsupported.rs"]
mod eks_cluster_version_unsupported;
#[path = "identity/eks_irsa_trust_too_wide.rs"]
mod eks_irsa_trust_too_wide;
#[path = "network/eks_network_policy_engine_missing.rs"]
mod eks_network_policy_engine_missing;
#[path = "identity/eks_node_role_overbroad.rs"]
mod eks_node_role_overbroad;
#[path = "host_patching/eks_nodegroup_outdated.rs"]
mod eks_nodegroup_outdated;
#[path = "network/eks_nodegroup_ssh_open.rs"]
mod eks_nodegroup_ssh_open;
#[path = "identity/eks_service_account_role_privileged.rs"]
mod eks_service_account_role_privileged;
#[path = "platform_audit/elb_access_logs_disabled.rs"]
mod elb_access_logs_disabled;
#[path = "network/elb_container_frontend_without_waf.rs"]
mod elb_container_frontend_without_waf;
#[path = "network/elb_listener_plaintext.rs"]
mod elb_listener_plaintext;
#[path = "network/elb_listener_weak_tls_policy.rs"]
mod elb_listener_weak_tls_policy;
#[path = "network/elb_target_traffic_plaintext.rs"]
mod elb_target_traffic_plaintext;
#[path = "runtime/guardduty_container_finding_open.rs"]
mod guardduty_container_finding_open;
#[path = "runtime/guardduty_disabled.rs"]
mod guardduty_disabled;
#[path = "runtime/guardduty_ecs_coverage_gap.rs"]
mod guardduty_ecs_coverage_gap;
#[path = "runtime/guardduty_ecs_runtime_monitoring_off.rs"]
mod guardduty_ecs_runtime_monitoring_off;
#[path = "runtime/guardduty_eks_protection_off.rs"]
mod guardduty_eks_protection_off;
#[path = "identity/iam_container_instance_role_overbroad.rs"]
mod iam_container_instance_role_overbroad;
#[path = "tagging_governance/iam_ecs_write_without_tag_condition.rs"]
mod iam_ecs_write_without_tag_condition;
#[path = "identity/iam_execution_role_overbroad.rs"]
mod iam_execution_role_overbroad;
#[path = "tagging_governance/iam_fargate_cmk_not_enforced.rs"]
mod iam_fargate_cmk_not_enforced;
#[path = "identity/iam_principal_can_exec_into_privileged_task.rs"]
mod iam_principal_can_exec_into_privileged_task;
#[path = "identity/iam_principal_can_pass_role_to_ecs.rs"]
mod iam_principal_can_pass_role_to_ecs;
#[path = "image/iam_runtime_role_can_push_images.rs"]
mod iam_runtime_role_can_push_images;
#[path = "identity/iam_task_role_admin.rs"]
mod iam_task_role_admin;
#[path = "data_secrets/iam_task_role_kms_decrypt_wide.rs"]
mod iam_task_role_kms_decrypt_wide;
#[path = "identity/iam_task_role_privilege_escalation.rs"]
mod iam_task_role_privilege_escalation;
#[path = "data_secrets/iam_task_role_secret_access_wide.rs"]
mod iam_task_role_secret_access_wide;
#[path = "identity/iam_task_role_shared_across_services.rs"]
mod iam_task_role_shared_across_services;
#[path = "identity/iam_task_role_trust_no_source_condition.rs"]
mod iam_task_role_trust_no_source_condition;
#[path = "identity/iam_task_role_trust_too_wide.rs"]
mod iam_task_role_trust_too_wide;
#[path = "data_secrets/iam_user_key_in_task_definition.rs"]
mod iam_user_key_in_task_definition;
#[path = "image/inspector_container_scanning_disabled.rs"]
mod inspector_container_scanning_disabled;
#[path = "data_secrets/kms_key_disabled_in_use.rs"]
mod kms_key_disabled_in_use;
#[path = "data_secrets/kms_key_fargate_statement_unscoped.rs"]
mod kms_key_fargate_statement_unscoped;
#[path = "data_secrets/kms_key_imported_material_expiring.rs"]
mod kms_key_imported_material_expiring;
#[path = "data_secrets/kms_key_pending_deletion_in_use.rs"]
mod kms_key_pending_deletion_in_use;
#[path = "data_secrets/kms_key_policy_public.rs"]
mod kms_key_policy_public;
#[path = "data_secrets/kms_key_policy_too_wide.rs"]
mod kms_key_policy_too_wide;
#[path = "data_secrets/kms_key_rotation_disabled.rs"]
mod kms_key_rotation_disabled;
#[path = "data_secrets/logs_container_group_no_cmk.rs"]
mod logs_container_group_no_cmk;
#[path = "platform_audit/logs_container_group_retention_short.rs"]
mod logs_container_group_retention_short;
#[path = "network/rds_database_open_beyond_services.rs"]
mod rds_database_open_beyond_services;
#[path = "data_secrets/secretsmanager_secret_no_cmk.rs"]
mod secretsmanager_secret_no_cmk;
#[path = "data_secrets/secretsmanager_secret_policy_too_wide.rs"]
mod secretsmanager_secret_policy_too_wide;
#[path = "data_secrets/secretsmanager_secret_rotation_off.rs"]
mod secretsmanager_secret_rotation_off;
#[path = "network/vpc_container_egress_uninspected.rs"]
mod vpc_container_egress_uninspected;
#[path = "network/vpc_endpoint_ecr_policies_differ.rs"]
mod vpc_endpoint_ecr_policies_differ;
#[path = "network/vpc_endpoint_missing_for_ecs_agent.rs"]
mod vpc_endpoint_missing_for_ecs_agent;
#[path = "network/vpc_endpoint_missing_for_image_pull.rs"]
mod vpc_endpoint_missing_for_image_pull;
#[path = "network/vpc_endpoint_missing_for_logs_and_secrets.rs"]
mod vpc_endpoint_missing_for_logs_and_secrets;
#[path = "network/vpc_endpoint_policy_full_access.rs"]
mod vpc_endpoint_policy_full_access;
#[path = "network/vpc_endpoint_policy_without_org_condition.rs"]
mod vpc_endpoint_policy_without_org_condition;
#[path = "network/vpc_flow_logs_disabled.rs"]
mod vpc_flow_logs_disabled;
#[path = "network/vpc_flow_logs_incomplete.rs"]
mod vpc_flow_logs_incomplete;
#[path = "network/vpc_flow_logs_task_eni_uncovered.rs"]
mod vpc_flow_logs_task_eni_uncovered;
#[path = "network/vpc_flow_logs_without_container_fields.rs"]
mod vpc_flow_logs_without_container_fields;
#[path = "network/vpc_security_group_open_to_world.rs"]
mod vpc_security_group_open_to_world;

/// Every check, by id.
pub const CHECKS: &[&Check] = &[
    &cloudtrail_container_changes_not_alarmed::CHECK,
    &cloudtrail_fargate_key_use_not_seen::CHECK,
    &cloudtrail_integrity_weak::CHECK,
    &cloudtrail_kms_events_excluded::CHECK,
    &cloudtrail_not_recording_all_regions::CHECK,
    &ec2_container_host_admin_port_open::CHECK,
    &ec2_container_host_dynamic_ports_open::CHECK,
    &ec2_container_host_imdsv1_allowed::CHECK,
    &ec2_container_host_public_ip::CHECK,
    &ec2_container_host_user_data_secret::CHECK,
    &ec2_container_host_volume_unencrypted::CHECK,
    &ec2_container_launch_template_insecure::CHECK,
    &ecr_image_contains_secret::CHECK,
    &ecr_image_running_unscanned::CHECK,
    &ecr_image_vulnerable::CHECK,
    &ecr_repository_mutable_tags::CHECK,
    &ecr_repository_no_cmk::CHECK,
    &ecr_repository_no_lifecycle_policy::CHECK,
    &ecr_repository_public_policy::CHECK,
    &ecr_repository_push_by_outsider::CHECK,
    &ecr_repository_scan_disabled::CHECK,
    &ecr_running_image_oversized::CHECK,
    &ecr_running_image_stale::CHECK,
    &ecr_running_image_unsigned::CHECK,
    &ecs_account_tag_authorization_disabled::CHECK,
    &ecs_agent_awsvpc_imds_not_blocked::CHECK,
    &ecs_agent_host_network_task_role_disabled::CHECK,
    &ecs_agent_proxy_leaks_credentials_calls::CHECK,
    &ecs_capacity_provider_termination_protection_disabled::CHECK,
    &ecs_cluster_container_insights_disabled::CHECK,
    &ecs_cluster_exec_not_audited::CHECK,
    &ecs_cluster_fargate_storage_key_policy_incomplete::CHECK,
    &ecs_cluster_fargate_storage_key_unsupported::CHECK,
    &ecs_cluster_fargate_storage_no_cmk::CHECK,
    &ecs_cluster_mixed_isolation_workloads::CHECK,
    &ecs_cluster_strict_isolation_shared_vpc::CHECK,
    &ecs_container_instance_agent_disconnected::CHECK,
    &ecs_container_instance_agent_outdated::CHECK,
    &ecs_container_instance_ami_outdated::CHECK,
    &ecs_container_instance_critical_vulnerability::CHECK,
    &ecs_container_instance_not_replaceable::CHECK,
    &ecs_container_instance_patch_noncompliant::CHECK,
    &ecs_container_instance_role_theft_path::CHECK,
    &ecs_resource_required_tags_missing::CHECK,
    &ecs_service_bypasses_load_balancer::CHECK,
    &ecs_service_connect_tls_disabled::CHECK,
    &ecs_service_default_security_group::CHECK,
    &ecs_service_egress_unrestricted::CHECK,
    &ecs_service_fargate_platform_version_outdated::CHECK,
    &ecs_service_managed_ebs_unencrypted::CHECK,
    &ecs_service_nlb_source_too_wide::CHECK,
    &ecs_service_public_ip::CHECK,
    &ecs_service_security_group_shared::CHECK,
    &ecs_task_definition_app_mesh_proxy::CHECK,
    &ecs_task_definition_bridge_network::CHECK,
    &ecs_task_definition_dangerous_capabilities::CHECK,
    &ecs_task_definition_docker_socket_mount::CHECK,
    &ecs_task_definition_efs_transit_unencrypted::CHECK,
    &ecs_task_definition_efs_unrestricted_root::CHECK,
    &ecs_task_definition_environment_file_bucket_exposed::CHECK,
    &ecs_task_definition_execution_role_as_task_role::CHECK,
    &ecs_task_definition_host_namespace_shared::CHECK,
    &ecs_task_definition_host_network::CHECK,
    &ecs_task_definition_image_not_pinned::CHECK,
    &ecs_task_definition_image_untrusted_registry::CHECK,
    &ecs_task_definition_linux_hardening_missing::CHECK,
    &ecs_task_definition_logging_blocking_mode::CHECK,
    &ecs_task_definition_logging_missing::CHECK,
    &ecs_task_definition_monolithic_task::CHECK,
    &ecs_task_definition_no_resource_limit::CHECK,
    &ecs_task_definition_no_task_role::CHECK,
    &ecs_task_definition_parameter_not_securestring::CHECK,
    &ecs_task_definition_plaintext_secret_environment::CHECK,
    &ecs_task_definition_privileged_container::CHECK,
    &ecs_task_definition_root_user::CHECK,
    &ecs_task_definition_secret_in_command::CHECK,
    &ecs_task_definition_sensitive_host_path_mount::CHECK,
    &ecs_task_definition_whole_secret_injected::CHECK,
    &ecs_task_definition_writable_root_filesystem::CHECK,
    &ecs_task_fargate_not_refreshed::CHECK,
    &ecs_task_fargate_storage_key_stale::CHECK,
    &ecs_task_image_digest_drift::CHECK,
    &ecs_task_imds_reachable::CHECK,
    &ecs_task_internet_reachable::CHECK,
    &ecs_task_public_ip::CHECK,
    &ecs_task_runtime_override::CHECK,
    &efs_container_volume_open_to_subnet::CHECK,
    &efs_container_volume_unencrypted::CHECK,
    &eks_cluster_admin_granted_widely::CHECK,
    &eks_cluster_control_plane_logs_incomplete::CHECK,
    &eks_cluster_deletion_protection_off::CHECK,
    &eks_cluster_endpoint_public::CHECK,
    &eks_cluster_secrets_no_cmk::CHECK,
    &eks_cluster_version_unsupported::CHECK,
    &eks_irsa_trust_too_wide::CHECK,
    &eks_network_policy_engine_missing::CHECK,
    &eks_node_role_overbroad::CHECK,
    &eks_nodegroup_outdated::CHECK,
    &eks_nodegroup_ssh_open::CHECK,
    &eks_service_account_role_privileged::CHECK,
    &elb_access_logs_disabled::CHECK,
    &elb_container_frontend_without_waf::CHECK,
    &elb_listener_plaintext::CHECK,
    &elb_listener_weak_tls_policy::CHECK,
    &elb_target_traffic_plaintext::CHECK,
    &guardduty_container_finding_open::CHECK,
    &guardduty_disabled::CHECK,
    &guardduty_ecs_coverage_gap::CHECK,
    &guardduty_ecs_runtime_monitoring_off::CHECK,
    &guardduty_eks_protection_off::CHECK,
    &iam_container_instance_role_overbroad::CHECK,
    &iam_ecs_write_without_tag_condition::CHECK,
    &iam_execution_role_overbroad::CHECK,
    &iam_fargate_cmk_not_enforced::CHECK,
    &iam_principal_can_exec_into_privileged_task::CHECK,
    &iam_principal_can_pass_role_to_ecs::CHECK,
    &iam_runtime_role_can_push_images::CHECK,
    &iam_task_role_admin::CHECK,
    &iam_task_role_kms_decrypt_wide::CHECK,
    &iam_task_role_privilege_escalation::CHECK,
    &iam_task_role_secret_access_wide::CHECK,
    &iam_task_role_shared_across_services::CHECK,
    &iam_task_role_trust_no_source_condition::CHECK,
    &iam_task_role_trust_too_wide::CHECK,
    &iam_user_key_in_task_definition::CHECK,
    &inspector_container_scanning_disabled::CHECK,
    &kms_key_disabled_in_use::CHECK,
    &kms_key_fargate_statement_unscoped::CHECK,
    &kms_key_imported_material_expiring::CHECK,
    &kms_key_pending_deletion_in_use::CHECK,
    &kms_key_policy_public::CHECK,
    &kms_key_policy_too_wide::CHECK,
    &kms_key_rotation_disabled::CHECK,
    &logs_container_group_no_cmk::CHECK,
    &logs_container_group_retention_short::CHECK,
    &rds_database_open_beyond_services::CHECK,
    &secretsmanager_secret_no_cmk::CHECK,
    &secretsmanager_secret_policy_too_wide::CHECK,
    &secretsmanager_secret_rotation_off::CHECK,
    &vpc_container_egress_uninspected::CHECK,
    &vpc_endpoint_ecr_policies_differ::CHECK,
    &vpc_endpoint_missing_for_ecs_agent::CHECK,
    &vpc_endpoint_missing_for_image_pull::CHECK,
    &vpc_endpoint_missing_for_logs_and_secrets::CHECK,
    &vpc_endpoint_policy_full_access::CHECK,
    &vpc_endpoint_policy_without_org_condition::CHECK,
    &vpc_flow_logs_disabled::CHECK,
    &vpc_flow_logs_incomplete::CHECK,
    &vpc_flow_logs_task_eni_uncovered::CHECK,
    &vpc_flow_logs_without_container_fields::CHECK,
    &vpc_security_group_open_to_world::CHECK,
];
