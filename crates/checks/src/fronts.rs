//! What checks of load balancers in front of containers share: which listeners they judge, and how they tell what is behind.

use plimsoll_graph::{Estate, Node};
use plimsoll_model::Resource;
use plimsoll_model::aws::ecs::Service;
use plimsoll_model::aws::elasticloadbalancing::{Listener, LoadBalancer};
use serde_json::{Value, json};

use crate::check::Judgement;
use crate::engine::Verdicts;
use crate::reading::{counted, regulated_data_class};

/// Services shown in evidence.
const SHOWN: usize = 10;

/// Judges every listener of load balancers in front of containers. A load balancer whose listeners were not read is
/// unknown itself.
pub(crate) fn each_container_listener<'e>(
    estate: &'e Estate<'e>,
    verdicts: &mut Verdicts<'e>,
    judge: impl Fn(Node<'e, Listener>, Node<'e, LoadBalancer>) -> Judgement,
) {
    for balancer in estate.container_load_balancers() {
        match balancer.listeners() {
            Ok(listeners) => verdicts.each(listeners, |listener| judge(listener, balancer)),
            Err(unknown) => verdicts.judge(balancer, Err(unknown)),
        }
    }
}

/// The first of these services that handles regulated data, with the class of its data.
pub(crate) fn regulated<'e>(services: &[Node<'e, Service>]) -> Option<(Node<'e, Service>, &'e str)> {
    services.iter().find_map(|service| Some((*service, regulated_data_class(*service)?)))
}

/// Services for evidence: at most ten, with the count.
pub(crate) fn services_evidence(services: &[Node<'_, Service>]) -> Value {
    let shown: Vec<&str> = services.iter().take(SHOWN).map(|service| service.data().service_arn.as_str()).collect();
    json!({"services": shown, "serviceCount": services.len()})
}

/// What is behind, in words: `service web`, `containers` where no service of ECS is.
pub(crate) fn behind(services: &[Node<'_, Service>]) -> String {
    let names: Vec<&str> = services.iter().map(Node::name).collect();
    if names.is_empty() { "containers".to_owned() } else { counted("service", &names) }
}

/// What exposure was decided by: the scheme says what is meant, groups, ACLs and routes whether anybody on the internet
/// gets in.
pub(crate) fn exposure(balancer: Node<'_, LoadBalancer>) -> Value {
    let reached = balancer.estate().internet_reaches(LoadBalancer::KIND, balancer.index()).flatten();
    json!({"Scheme": balancer.data().scheme, "DNSName": balancer.data().dns_name, "reachableFromInternet": reached})
}
