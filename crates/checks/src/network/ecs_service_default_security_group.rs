//! Reads the security groups that a service's awsvpc configurations name. Yields one verdict per ACTIVE service with
//! awsvpc tasks; a failure shows the rules of the default group.

use plimsoll_graph::{Node, Unknown};
use plimsoll_model::Severity;
use plimsoll_model::aws::ec2::SecurityGroup;
use plimsoll_model::aws::ecs::Service;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist};
use crate::reading::rules;

pub(crate) const CHECK: Check = Check {
    id: "ecs-service-default-security-group",
    title: "Service uses the default security group of the VPC",
    severity: Severity::Medium,
    resource: "AWS::ECS::Service",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &["ecs:ListClusters", "ecs:ListServices", "ecs:DescribeServices", "ec2:DescribeSecurityGroups"],
    shades: &[],
    compliance: &[fsbp("EC2.2?"), nist("SC-7")],
    fails_when: "awsvpcConfiguration.securityGroups is empty or names a group with GroupName default.",
    why: "The default group admits all that shares it, and everything launched without a group of its own does: one \
          compromised neighbour then reaches every port of the task.",
    remediation: Remediation {
        text: "Create a group for the service and name it in the network configuration.",
        cli: "aws ecs update-service --cluster CLUSTER --service SERVICE --network-configuration \
             awsvpcConfiguration={subnets=[SUBNET],securityGroups=[SG]}",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.active_services(), judge),
};

fn judge(service: Node<'_, Service>) -> Judgement {
    let configurations = service.awsvpc_configurations();
    if configurations.is_empty() {
        return Ok(Verdict::NotApplicable);
    }
    let unnamed = configurations.iter().any(|configuration| configuration.security_groups.is_empty());
    let mut gap: Option<Unknown> = None;
    let mut default = None;
    // A configuration without groups has the default group among the effective ones.
    for link in service.effective_security_groups() {
        match link.exists() {
            Ok(Some(group)) if group.is_default() => default = Some(group),
            Ok(_) => {}
            Err(unknown) => gap = Some(unknown),
        }
    }
    match (default, gap) {
        (None, _) if unnamed => failure(service, None),
        (Some(group), _) => failure(service, Some(group)),
        (None, Some(unknown)) => Err(unknown),
        (None, None) => Ok(Verdict::Pass),
    }
}

fn failure(service: Node<'_, Service>, group: Option<Node<'_, SecurityGroup>>) -> Judgement {
    let named: Vec<&str> = service.awsvpc_configurations().into_iter().flat_map(|c| &c.security_groups).map(String::as_str).collect();
    let default = group.map_or(Value::Null, |group| {
        json!({
            "GroupId": group.group_id,
            "GroupName": group.group_name,
            "IpPermissions": rules(&group.ip_permissions),
            "IpPermissionsEgress": rules(&group.ip_permissions_egress),
        })
    });
    let which = group.map_or_else(String::new, |group| format!(" {}", group.group_id));
    let how = if named.is_empty() { ", for it names no group" } else { "" };
    let evidence = json!({"securityGroups": named, "defaultGroup": default});
    fail(format!("tasks of {} get the default security group{which} of their VPC{how}", service.name()), evidence).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{awsvpc, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::{ec2, ecs};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn without_groups(service: &mut ecs::Service) {
        service.network_configuration.as_mut().unwrap().awsvpc_configuration.as_mut().unwrap().security_groups.clear();
        service.deployments.clear();
    }

    #[test]
    fn fails_when_the_service_names_the_default_group() {
        let account = fixture().shop().security_group("default", |_| {});
        let account = account.each(|service: &mut ecs::Service| service.network_configuration = Some(awsvpc("a", "default")));
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Medium));
        assert_eq!(findings(&CHECK, account)[0].evidence["defaultGroup"]["GroupId"], "sg-default");
    }

    #[test]
    fn fails_when_the_service_names_no_group() {
        assert_eq!(outcome(&CHECK, fixture().shop().each(without_groups)), Fail(Severity::Medium));
        let unread = fixture().shop().each(without_groups).without::<ec2::SecurityGroup>().denied("ec2:DescribeSecurityGroups");
        assert_eq!(outcome(&CHECK, unread), Fail(Severity::Medium));
    }

    #[test]
    fn passes_when_the_service_has_its_own_group() {
        assert_eq!(outcome(&CHECK, fixture().shop().security_group("default", |_| {})), Pass);
    }

    #[test]
    fn does_not_apply_without_awsvpc() {
        let bridge = |service: &mut ecs::Service| {
            service.network_configuration = None;
            service.deployments.clear();
        };
        assert_eq!(outcome(&CHECK, fixture().shop().each(bridge)), NotApplicable);
    }

    #[test]
    fn is_unknown_when_groups_were_not_readable() {
        let account = fixture().shop().without::<ec2::SecurityGroup>().denied("ec2:DescribeSecurityGroups");
        assert_eq!(outcome(&CHECK, account), Unknown);
    }
}
