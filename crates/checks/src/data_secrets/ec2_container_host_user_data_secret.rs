//! Reads what the secret detectors found in the user data of container hosts, the instance's own or its launch
//! template's. Yields one verdict per EC2 instance; a failure names detectors and lines, never values.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ec2::Instance;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::reading::{each_host_instance, listed, undecided};

pub(crate) const CHECK: Check = Check {
    id: "ec2-container-host-user-data-secret",
    title: "User data of a container host holds a secret",
    severity: Severity::High,
    resource: "AWS::EC2::Instance",
    area: Area::DataSecrets,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "ecs:DescribeCapacityProviders",
        "eks:ListClusters",
        "eks:DescribeCluster",
        "ec2:DescribeInstances",
        "ec2:DescribeInstanceAttribute",
        "ec2:DescribeLaunchTemplateVersions",
    ],
    // A template that was not read costs nothing: the instance is asked. Providers matter to the hosts that have one.
    shades: &["ecs:DescribeCapacityProviders", "ec2:DescribeLaunchTemplateVersions"],
    compliance: &[nist("IA-5(7)"), pci("8.6.2")],
    fails_when: "The secret detectors match decoded user data (base64, gzip, MIME multipart) of an ECS or EKS host or of \
                 its launch template, for example ECS_ENGINE_AUTH_DATA with registry credentials.",
    why: "Everyone with read access to EC2, and every process on the host that asks the metadata service, gets the secret \
          in plain text; it also outlives the host in the launch template.",
    remediation: Remediation {
        text: "Move the value to Secrets Manager, fetch it at boot with the instance role, and rotate it.",
        cli: "aws ec2 create-launch-template-version --launch-template-id LT --source-version 1 --launch-template-data \
             UserData=BASE64",
    },
    evaluate: |estate, verdicts| each_host_instance(estate, verdicts, judge),
};

/// Matches that evidence lists.
const SHOWN: usize = 20;

fn judge(instance: Node<'_, Instance>) -> Judgement {
    let Some(data) = instance.data().user_data.known()? else {
        return Ok(Verdict::Pass);
    };
    if let Some(reason) = &data.unreadable {
        return Err(undecided(instance, "ec2:DescribeInstanceAttribute", "UnreadableUserData", reason));
    }
    let found = || data.secrets_in_text.iter().filter_map(|text| Some((text, text.looks_like.as_deref()?)));
    let mut detectors: Vec<&str> = found().map(|(_, detector)| detector).collect();
    if detectors.is_empty() {
        return Ok(Verdict::Pass);
    }
    let count = detectors.len();
    detectors.sort_unstable();
    detectors.dedup();
    let matches: Vec<Value> = found()
        .take(SHOWN)
        .map(|(text, detector)| json!({"detector": detector, "field": text.name, "length": text.length, "fingerprint": text.fingerprint}))
        .collect();
    let evidence = json!({"source": data.source, "matches": matches, "matchCount": count});
    let (secrets, id) = (if count == 1 { "1 secret".to_owned() } else { format!("{count} secrets") }, &instance.data().instance_id);
    fail(format!("user data of container host {id} holds {secrets}: {}", listed(&detectors)), evidence).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap, screened};
    use plimsoll_model::aws::ec2;
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn host(change: impl FnOnce(&mut ec2::UserData)) -> Fixture {
        fixture().host_with_user_data(change)
    }

    #[test]
    fn fails_when_a_detector_matches() {
        let account =
            host(|data| data.secrets_in_text = vec![screened("line 3", Some("docker-auth")), screened("line 7", Some("private-key"))]);
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::High));
        let found = findings(&CHECK, account);
        assert!(found[0].message.ends_with("holds 2 secrets: docker-auth and private-key"), "{}", found[0].message);
        assert_eq!(found[0].evidence["source"], "launch-template lt-1/3");
    }

    #[test]
    fn passes_when_nothing_matches_or_there_is_no_user_data() {
        assert_eq!(outcome(&CHECK, host(|_| {})), Pass);
        assert_eq!(outcome(&CHECK, host(|data| data.secrets_in_text = vec![screened("line 3", None)])), Pass);
        assert_eq!(outcome(&CHECK, host(|_| {}).each(|instance: &mut ec2::Instance| instance.user_data = Seen::Known(None))), Pass);
    }

    #[test]
    fn passes_when_only_the_template_was_not_readable() {
        assert_eq!(outcome(&CHECK, host(|_| {}).denied("ec2:DescribeLaunchTemplateVersions")), Pass);
    }

    #[test]
    fn is_unknown_when_user_data_was_not_readable() {
        let denied = |instance: &mut ec2::Instance| instance.user_data = gap("ec2:DescribeInstanceAttribute").into();
        assert_eq!(outcome(&CHECK, host(|_| {}).each(denied)), Unknown);
        assert_eq!(outcome(&CHECK, host(|data| data.unreadable = Some("user data is not valid gzip".to_owned()))), Unknown);
    }

    #[test]
    fn does_not_apply_to_instances_that_have_ended() {
        let ended = |instance: &mut ec2::Instance| instance.state.as_mut().unwrap().name = Some("shutting-down".to_owned());
        assert_eq!(outcome(&CHECK, host(|_| {}).each(ended)), NotApplicable);
    }
}
