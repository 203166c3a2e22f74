//! Reads the effective account setting `tagResourceAuthorization`. Yields one verdict per account and Region that holds an
//! ACTIVE cluster of ECS or one of EKS.

use std::collections::BTreeSet;

use plimsoll_graph::{Estate, Node};
use plimsoll_model::aws::ecs::AccountSetting;
use plimsoll_model::aws::eks;
use plimsoll_model::{AccountId, Gap, Region, Resource, ResourceRef, Severity};
use serde_json::{Map, Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::engine::Verdicts;

pub(crate) const CHECK: Check = Check {
    id: "ecs-account-tag-authorization-disabled",
    title: "ECS does not check permission to tag resources on creation",
    severity: Severity::Medium,
    resource: "AWS::ECS::AccountSetting",
    area: Area::TaggingGovernance,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &["ecs:ListClusters", "ecs:DescribeClusters", "eks:ListClusters", "ecs:ListAccountSettings"],
    shades: &[],
    compliance: &[nist("AC-3"), nist("AC-16?")],
    fails_when: "The effective setting tagResourceAuthorization (effectiveSettings true, principal root or the account \
                 default) is off: a caller may create a cluster, service or task with any tags and so step around \
                 tag-based IAM conditions.",
    why: "Whoever may create a cluster, service or task may give it any tag, and with it the rights that policies grant by \
          tag.",
    remediation: Remediation {
        text: "Turn the setting on for the account after adding ecs:TagResource to deployment roles.",
        cli: "aws ecs put-account-setting-default --name tagResourceAuthorization --value on",
    },
    evaluate,
};

/// Name of the setting.
const SETTING: &str = "tagResourceAuthorization";

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let mut places: BTreeSet<(&AccountId, &Region)> = estate.active_clusters().map(|c| (c.account(), c.region())).collect();
    places.extend(estate.all::<eks::Cluster>().map(|cluster| (cluster.account(), cluster.region())));
    let settings = || estate.all::<AccountSetting>().filter(|setting| setting.data().name == SETTING);
    for setting in settings() {
        if places.remove(&(setting.account(), setting.region())) {
            let by_region = || settings().filter(|other| other.account() == setting.account());
            verdicts.judge(setting, judge(setting, by_region));
        }
    }
    for (account, region) in places {
        // Where the listing failed, the gap is reported for the place.
        if estate.coverage().check(account, region, AccountSetting::OPERATION).is_ok() {
            verdicts.judge_reference(resource(account, region), Err(not_listed(account, region).into()));
        }
    }
}

fn judge<'e, I: Iterator<Item = Node<'e, AccountSetting>>>(setting: Node<'e, AccountSetting>, by_region: impl Fn() -> I) -> Judgement {
    let AccountSetting { value, principal_arn, .. } = setting.data();
    match value.as_str() {
        "on" | "enabled" => Ok(Verdict::Pass),
        _ => {
            let regions: Map<String, Value> = by_region().map(|other| (other.region().to_string(), json!(other.data().value))).collect();
            let evidence = json!({"name": SETTING, "value": value, "principalArn": principal_arn, "valueByRegion": regions});
            fail(format!("{SETTING} is {value} in {} for account {}", setting.region(), setting.account()), evidence).verdict()
        }
    }
}

fn resource(account: &AccountId, region: &Region) -> ResourceRef {
    let unlisted = AccountSetting { name: SETTING.to_owned(), ..AccountSetting::default() };
    ResourceRef {
        arn: unlisted.arn(account, region).into_owned(),
        kind: AccountSetting::TYPE.into(),
        account: account.clone(),
        region: region.clone(),
        name: SETTING.to_owned(),
        tags: std::collections::BTreeMap::new(),
    }
}

fn not_listed(account: &AccountId, region: &Region) -> Gap {
    Gap {
        account: account.clone(),
        region: region.clone(),
        operation: AccountSetting::OPERATION.to_owned(),
        code: Gap::NOT_FOUND.to_owned(),
        message: format!("AWS lists no effective value of {SETTING}"),
        resource: Some(SETTING.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;

    use super::CHECK;
    use crate::outcome::{NotApplicable, Pass, Unknown, findings, outcome};

    fn cluster() -> Fixture {
        fixture().cluster("shop", |_| {})
    }

    #[test]
    fn fails_when_the_setting_is_off() {
        let account = cluster()
            .account_setting("tagResourceAuthorization", "off")
            .region("eu-west-3")
            .account_setting("tagResourceAuthorization", "on");
        let found = findings(&CHECK, account);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::Medium);
        assert_eq!(found[0].message, "tagResourceAuthorization is off in us-east-1 for account 111111111111");
        assert_eq!(found[0].evidence["valueByRegion"]["eu-west-3"], "on");
    }

    #[test]
    fn applies_where_kubernetes_runs_alone() {
        let account = fixture().eks_cluster("k", |_| {}).account_setting("tagResourceAuthorization", "off");
        assert_eq!(findings(&CHECK, account)[0].severity, Severity::Medium);
    }

    #[test]
    fn passes_when_the_setting_is_on() {
        assert_eq!(outcome(&CHECK, cluster().account_setting("tagResourceAuthorization", "on")), Pass);
    }

    #[test]
    fn does_not_apply_without_active_cluster() {
        assert_eq!(outcome(&CHECK, fixture().account_setting("tagResourceAuthorization", "off")), NotApplicable);
        let gone = fixture().cluster("shop", |cluster| "INACTIVE".clone_into(&mut cluster.status));
        assert_eq!(outcome(&CHECK, gone.account_setting("tagResourceAuthorization", "off")), NotApplicable);
    }

    #[test]
    fn is_unknown_when_settings_were_not_readable_or_do_not_tell() {
        assert_eq!(findings(&CHECK, cluster().denied("ecs:ListAccountSettings")).len(), 1);
        assert_eq!(outcome(&CHECK, cluster().denied("ecs:ListAccountSettings")), Unknown);
        assert_eq!(outcome(&CHECK, cluster()), Unknown);
        assert_eq!(outcome(&CHECK, fixture().denied("ecs:DescribeClusters")), Unknown);
    }
}
