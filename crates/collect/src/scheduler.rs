//! Amazon EventBridge Scheduler in one account and Region: schedules that start tasks.
//!
//! Calls scheduler:ListSchedules; scheduler:GetSchedule once for each schedule whose target is an ECS cluster. Yields those
//! schedules, without what they pass to their targets.

#[cfg(test)]
mod tests;

use futures::{StreamExt, stream};
use plimsoll_model::aws::scheduler::{Schedule, Target};
use plimsoll_model::{Arn, Inventory};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::api::{Api, Operation};
use crate::wire::{Ask, Protocol, Reach, Service, Token, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "scheduler",
    id: "Scheduler",
    host: "scheduler",
    fips_host: "scheduler-fips",
    signing_name: "scheduler",
    protocol: Protocol::RestJson,
    reach: Reach::Regional,
};

const LIST_SCHEDULES: Operation =
    Operation { service: "scheduler", name: "ListSchedules", permission: "scheduler:ListSchedules", why: "schedules that start tasks" };

const GET_SCHEDULE: Operation = Operation {
    service: "scheduler",
    name: "GetSchedule",
    permission: "scheduler:GetSchedule",
    why: "the task definition that a schedule starts",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[LIST_SCHEDULES, GET_SCHEDULE];

/// Schedules that are asked about at a time; requests are bounded by [`Api`].
const AT_ONCE: usize = 16;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Schedules {
    schedules: Vec<Summary>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Summary {
    arn: String,
    name: String,
    group_name: String,
    state: Option<String>,
    target: SummaryTarget,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct SummaryTarget {
    arn: String,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Described {
    target: Target,
}

/// The schedules of the Region that start tasks.
pub(crate) async fn collect(api: &Api, wire: &Wire) -> Inventory {
    let mut schedules = Vec::new();
    let ask = Ask::get(&["schedules"]).query("MaxResults", "100");
    let listing = wire.pages(api, &LIST_SCHEDULES, Token::NEXT_CAPITAL, ask, |page: Schedules| {
        schedules.extend(page.schedules.into_iter().filter(|schedule| starts_tasks(&schedule.target.arn)));
    });
    api.or_gap(listing.await);
    let described = stream::iter(schedules).map(|schedule| describe(api, wire, schedule)).buffer_unordered(AT_ONCE);
    let described: Vec<Schedule> = described.collect().await;
    api.found(described)
}

async fn describe(api: &Api, wire: &Wire, Summary { arn, name, group_name, state, .. }: Summary) -> Schedule {
    let ask = Ask::get(&["schedules", &name]).query("groupName", &group_name);
    let answer = wire.ask_on::<Described>(api, &GET_SCHEDULE, &arn, ask).await;
    Schedule { arn, name, group_name, state, target: api.noted(answer.map(|described| described.target)) }
}

/// The target of a schedule that starts tasks is their cluster.
fn starts_tasks(target: &str) -> bool {
    Arn::parse(target).is_some_and(|arn| arn.service == "ecs" && arn.resource.starts_with("cluster/"))
}
