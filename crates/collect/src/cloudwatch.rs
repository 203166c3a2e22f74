//! Amazon CloudWatch in one account and Region: the alarms on metrics that are counted in logs.
//!
//! Calls cloudwatch:DescribeAlarmsForMetric once for each metric of a metric filter: accounts have thousands of alarms, and
//! few metric filters. Yields the alarms of each metric.

#[cfg(test)]
mod tests;

use futures::{StreamExt, stream};
use plimsoll_model::aws::cloudwatch::{MetricAlarm, MetricAlarms};
use plimsoll_model::{Gap, Inventory, Region};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::api::{Api, Operation};
use crate::logs;
use crate::wire::{Ask, Protocol, Reach, Service, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "cloudwatch",
    id: "CloudWatch",
    host: "monitoring",
    fips_host: "monitoring-fips",
    signing_name: "monitoring",
    protocol: Protocol::Query("2010-08-01"),
    reach: Reach::Regional,
};

const DESCRIBE_ALARMS_FOR_METRIC: Operation = Operation {
    service: "cloudwatch",
    name: "DescribeAlarmsForMetric",
    permission: "cloudwatch:DescribeAlarmsForMetric",
    why: "whether anybody is told of what metric filters count",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[DESCRIBE_ALARMS_FOR_METRIC];

/// Metrics that are asked about at a time; requests are bounded by [`Api`].
const AT_ONCE: usize = 8;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Alarms {
    metric_alarms: Vec<MetricAlarm>,
}

/// The alarms on the metrics that the filters of these log groups make, asked for in the Region of the group.
pub(crate) async fn collect(api: &Api, in_region: impl Fn(&str) -> Wire, log_groups: &Inventory) -> Inventory {
    let metrics = stream::iter(logs::metrics(log_groups)).map(|(region, namespace, name)| {
        let wire = in_region(region.as_str());
        async move {
            let metric = format!("{namespace}/{name}");
            let ask = Ask::members(json!({"Namespace": namespace, "MetricName": name}));
            let answer: Result<Alarms, Gap> = wire.ask_on(api, &DESCRIBE_ALARMS_FOR_METRIC, &metric, ask).await;
            let alarms = api.noted(answer.map(|answer| answer.metric_alarms));
            (region, MetricAlarms { metric, metric_name: name.to_owned(), namespace: namespace.to_owned(), alarms })
        }
    });
    let metrics: Vec<(&Region, MetricAlarms)> = metrics.buffer_unordered(AT_ONCE).collect().await;
    let mut found = Inventory::default();
    for (region, metric) in metrics {
        found.push(api.account(), region, metric);
    }
    found
}
