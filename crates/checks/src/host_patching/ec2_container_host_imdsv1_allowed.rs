//! Reads the metadata options of container hosts. Yields one verdict per EC2 instance; a failure names the role whose
//! credentials the metadata service gives away.

use plimsoll_graph::{Link, Node};
use plimsoll_model::Severity;
use plimsoll_model::aws::ec2::Instance;
use plimsoll_model::aws::iam::Role;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_aws, fail, fsbp, nist, pci};
use crate::reading::{each_host_instance, undecided};

pub(crate) const CHECK: Check = Check {
    id: "ec2-container-host-imdsv1-allowed",
    title: "Container host accepts IMDSv1",
    severity: Severity::High,
    resource: "AWS::EC2::Instance",
    area: Area::HostPatching,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "ecs:DescribeCapacityProviders",
        "eks:ListClusters",
        "eks:DescribeCluster",
        "ec2:DescribeInstances",
        "iam:GetAccountAuthorizationDetails",
    ],
    // Providers are asked for hosts that have one: their verdict alone is unknown without them. IAM names the role.
    shades: &["ecs:DescribeCapacityProviders", "iam:GetAccountAuthorizationDetails"],
    compliance: &[fsbp("EC2.8"), cis_aws("3.0.0/5.6"), cis_aws("5.0.0/5.7"), nist("AC-6"), pci("2.2.6?")],
    fails_when: "MetadataOptions.HttpEndpoint is enabled and HttpTokens is optional on an instance that is an ECS \
                 container instance or EKS node.",
    why: "One request that an application can be tricked into sending is enough to read the credentials of the instance \
          role; IMDSv2 asks for a token that such requests cannot get.",
    remediation: Remediation {
        text: "Require IMDSv2.",
        cli: "aws ec2 modify-instance-metadata-options --instance-id ID --http-tokens required --http-endpoint enabled",
    },
    evaluate: |estate, verdicts| each_host_instance(estate, verdicts, judge),
};

fn judge(instance: Node<'_, Instance>) -> Judgement {
    let Some(options) = &instance.data().metadata_options else {
        return Err(undecided(instance, "ec2:DescribeInstances", "NoMetadataOptions", "the instance shows no metadata options"));
    };
    // The endpoint is on unless it was switched off.
    match (options.http_endpoint.as_deref(), options.http_tokens.as_deref()) {
        (Some("disabled"), _) | (_, Some("required")) => return Ok(Verdict::Pass),
        (_, Some(_)) => {}
        (_, None) => return Err(undecided(instance, "ec2:DescribeInstances", "NotAnswered", "the instance tells no HttpTokens")),
    }
    let role = instance.role().and_then(Link::found).map(|role: Node<'_, Role>| role.data().arn.as_str());
    let evidence = json!({"MetadataOptions": options, "IamInstanceProfile": instance.iam_instance_profile, "role": role});
    let gives = role.and_then(|role| role.rsplit('/').next()).map_or_else(String::new, |role| format!(" and gives away role {role}"));
    fail(format!("the metadata service of {} answers requests without a token{gives}", instance.instance_id), evidence).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, arn, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::{ec2, ecs, iam};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn host(change: impl FnOnce(&mut ec2::InstanceMetadataOptions)) -> Fixture {
        fixture()
            .cluster("shop", |_| {})
            .container_instance("shop", "h1", |_| {})
            .instance("h1", |instance| change(instance.metadata_options.as_mut().unwrap()))
    }

    fn optional(options: &mut ec2::InstanceMetadataOptions) {
        options.http_tokens = Some("optional".to_owned());
    }

    #[test]
    fn fails_when_tokens_are_optional() {
        assert_eq!(outcome(&CHECK, host(optional)), Fail(Severity::High));
    }

    #[test]
    fn names_the_role_that_is_given_away() {
        let profile = arn("iam", "instance-profile/hosts");
        let account = host(optional)
            .role("hosts", |_| {})
            .with(|inventory| {
                let (account, region) = (inventory.roles[0].account.clone(), inventory.roles[0].region.clone());
                let roles = vec![iam::InstanceProfileRole { arn: plimsoll_fixture::role_arn("hosts"), ..Default::default() }];
                inventory.push(&account, &region, iam::InstanceProfile { arn: profile.clone(), roles, ..Default::default() });
            })
            .each(|instance: &mut ec2::Instance| {
                instance.iam_instance_profile = Some(ec2::IamInstanceProfile { arn: Some(profile.clone()), id: None });
            });
        assert!(findings(&CHECK, account)[0].message.ends_with("gives away role hosts"));
    }

    #[test]
    fn passes_when_tokens_are_required_or_the_endpoint_is_off() {
        assert_eq!(outcome(&CHECK, host(|_| {})), Pass);
        let off = |options: &mut ec2::InstanceMetadataOptions| {
            optional(options);
            options.http_endpoint = Some("disabled".to_owned());
        };
        assert_eq!(outcome(&CHECK, host(off)), Pass);
    }

    #[test]
    fn options_that_are_not_told_make_no_pass() {
        let untold = |options: &mut ec2::InstanceMetadataOptions| {
            optional(options);
            options.http_endpoint = None;
        };
        assert_eq!(outcome(&CHECK, host(untold)), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, host(|options| options.http_tokens = None)), Unknown);
    }

    #[test]
    fn judges_nodes_of_kubernetes_but_not_those_that_aws_runs() {
        let node =
            || fixture().eks_cluster("k", |_| {}).node("k", None, "n1", |instance| optional(instance.metadata_options.as_mut().unwrap()));
        assert_eq!(outcome(&CHECK, node()), Fail(Severity::High));
        let of_both = node().cluster("shop", |_| {}).container_instance("shop", "n1", |_| {});
        assert_eq!(findings(&CHECK, of_both).len(), 1);
        let auto_mode = |instance: &mut ec2::Instance| {
            instance.operator = Some(ec2::OperatorResponse { managed: Some(true), principal: Some("eks.amazonaws.com".to_owned()) });
        };
        assert_eq!(outcome(&CHECK, node().each(auto_mode)), NotApplicable);
    }

    #[test]
    fn an_instance_in_two_clusters_is_judged_once() {
        let account = host(optional).cluster("other", |_| {}).container_instance("other", "h1", |_| {});
        assert_eq!(findings(&CHECK, account).len(), 1);
    }

    #[test]
    fn does_not_apply_to_instances_that_have_ended_or_are_no_hosts() {
        let ended = |instance: &mut ec2::Instance| instance.state.as_mut().unwrap().name = Some("terminated".to_owned());
        assert_eq!(outcome(&CHECK, host(optional).each(ended)), NotApplicable);
        assert_eq!(outcome(&CHECK, host(optional).without::<ecs::ContainerInstance>()), NotApplicable);
    }

    #[test]
    fn is_unknown_when_instances_or_their_options_were_not_readable() {
        assert_eq!(outcome(&CHECK, host(|_| {}).without::<ec2::Instance>().denied("ec2:DescribeInstances")), Unknown);
        assert_eq!(outcome(&CHECK, host(|_| {}).each(|instance: &mut ec2::Instance| instance.metadata_options = None)), Unknown);
    }
}
