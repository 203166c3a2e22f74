//! Reads what each service offers through Service Connect, and the certificate authorities that it names. Yields one
//! verdict per service that offers something; a failure names the ports in plain text and the authorities out of service.

use plimsoll_graph::{Link, Node};
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::{Service, ServiceConnectService};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::reading::{counted, listed, undecided};

pub(crate) const CHECK: Check = Check {
    id: "ecs-service-connect-tls-disabled",
    title: "Service Connect traffic between services is in plain text",
    severity: Severity::Medium,
    resource: "AWS::ECS::Service",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &["ecs:ListClusters", "ecs:ListServices", "ecs:DescribeServices", "acm-pca:DescribeCertificateAuthority"],
    shades: &["acm-pca:DescribeCertificateAuthority"],
    compliance: &[nist("SC-8"), nist("SC-23"), pci("4.2.1?")],
    fails_when: "A PRIMARY deployment has serviceConnectConfiguration.enabled true with services[] (server side) and an \
                 entry without tls.issuerCertificateAuthority.awsPcaAuthorityArn; or the authority is not ACTIVE.",
    why: "What services say to each other crosses the VPC in clear, and neither side proves to the other who it is; without \
          a working authority certificates run out.",
    remediation: Remediation {
        text: "Issue certificates from a private CA through the tls block of Service Connect.",
        cli: "aws ecs update-service --cluster CLUSTER --service SERVICE --service-connect-configuration \
             file://service-connect-tls.json",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.active_services(), judge),
};

fn judge(service: Node<'_, Service>) -> Judgement {
    let primary = service.data().deployments.iter().filter(|deployment| deployment.status == "PRIMARY");
    let connect = primary.filter_map(|deployment| deployment.service_connect_configuration.as_ref()).filter(|connect| connect.enabled);
    let (mut any, mut plain, mut idle, mut unread, mut evidence) = (false, Vec::new(), Vec::new(), None, Vec::new());
    for offered in connect.flat_map(|connect| &connect.services) {
        any = true;
        let status = match service.certificate_authority(offered).map(Link::exists) {
            None => {
                plain.push(offered.port_name.as_str());
                None
            }
            Some(Err(unknown)) => {
                unread = Some(unknown);
                continue;
            }
            Some(Ok(None)) => Some("does not exist"),
            Some(Ok(Some(authority))) => match authority.data().status.as_deref() {
                Some("ACTIVE") => continue,
                Some(status) => Some(status),
                None => {
                    unread =
                        Some(undecided(authority, "acm-pca:DescribeCertificateAuthority", "NoStatus", "the authority tells no status"));
                    continue;
                }
            },
        };
        idle.extend(status.map(|status| format!("{} ({status})", offered.certificate_authority().unwrap_or_default())));
        evidence.push(entry(offered, status));
    }
    if !any {
        // A mere client has no say in how it is answered.
        return Ok(Verdict::NotApplicable);
    }
    if evidence.is_empty() {
        return unread.map_or(Ok(Verdict::Pass), Err);
    }
    idle.sort();
    idle.dedup();
    let mut problems = Vec::new();
    if !plain.is_empty() {
        problems.push(format!("offers {} in plain text", counted("port", &plain)));
    }
    if !idle.is_empty() {
        problems.push(format!("takes certificates from {}", listed(&idle)));
    }
    let evidence = json!({"serviceConnectConfiguration": {"services": evidence}});
    fail(format!("service {} {} through Service Connect", service.name(), problems.join(" and ")), evidence).verdict()
}

fn entry(offered: &ServiceConnectService, status: Option<&str>) -> Value {
    json!({"portName": offered.port_name, "discoveryName": offered.discovery_name, "tls": offered.tls, "authorityStatus": status})
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, certificate_authority_arn, fixture, gap};
    use plimsoll_model::aws::ecs::{
        Service, ServiceConnectConfiguration, ServiceConnectService, ServiceConnectTlsCertificateAuthority, ServiceConnectTlsConfiguration,
    };
    use plimsoll_model::{Gap, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn offer(port: &str, authority: Option<&str>) -> ServiceConnectService {
        let tls = authority.map(|id| ServiceConnectTlsConfiguration {
            issuer_certificate_authority: Some(ServiceConnectTlsCertificateAuthority {
                aws_pca_authority_arn: Some(certificate_authority_arn(id)),
            }),
            ..Default::default()
        });
        ServiceConnectService { port_name: port.to_owned(), tls, ..Default::default() }
    }

    fn offering(services: Vec<ServiceConnectService>) -> Fixture {
        fixture().shop().each(move |service: &mut Service| {
            service.deployments[0].service_connect_configuration =
                Some(ServiceConnectConfiguration { enabled: true, namespace: None, services: services.clone() });
        })
    }

    #[test]
    fn fails_when_an_entry_has_no_tls() {
        let account = offering(vec![offer("http", Some("1")), offer("metrics", None)]).certificate_authority("1", |_| {});
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Medium));
        assert_eq!(findings(&CHECK, account)[0].message, "service web offers port metrics in plain text through Service Connect");
    }

    #[test]
    fn fails_when_the_authority_is_not_active_or_does_not_exist() {
        let account = offering(vec![offer("http", Some("1"))]);
        let expired = account.clone().certificate_authority("1", |authority| authority.status = Some("EXPIRED".to_owned()));
        assert_eq!(outcome(&CHECK, expired.clone()), Fail(Severity::Medium));
        assert_eq!(findings(&CHECK, expired)[0].evidence["serviceConnectConfiguration"]["services"][0]["authorityStatus"], "EXPIRED");
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Medium));
    }

    #[test]
    fn passes_with_tls_from_an_active_authority() {
        assert_eq!(outcome(&CHECK, offering(vec![offer("http", Some("1"))]).certificate_authority("1", |_| {})), Pass);
    }

    #[test]
    fn does_not_apply_to_clients_to_services_without_service_connect_and_where_it_is_off() {
        assert_eq!(outcome(&CHECK, offering(Vec::new())), NotApplicable);
        assert_eq!(outcome(&CHECK, fixture().shop()), NotApplicable);
        let off = |service: &mut Service| {
            service.deployments[0].service_connect_configuration.iter_mut().for_each(|connect| connect.enabled = false);
        };
        assert_eq!(outcome(&CHECK, offering(vec![offer("http", None)]).each(off)), NotApplicable);
        let replaced = |service: &mut Service| service.deployments[0].status = "ACTIVE".to_owned();
        assert_eq!(outcome(&CHECK, offering(vec![offer("http", None)]).each(replaced)), NotApplicable);
    }

    #[test]
    fn is_unknown_when_the_authority_was_not_readable_and_fails_beside_a_plain_port() {
        let denied = |account: Fixture| {
            let denied = Gap { resource: Some(certificate_authority_arn("1")), ..gap("acm-pca:DescribeCertificateAuthority") };
            account.with(|inventory| inventory.gaps.push(denied))
        };
        assert_eq!(outcome(&CHECK, denied(offering(vec![offer("http", Some("1"))]))), Unknown);
        assert_eq!(outcome(&CHECK, denied(offering(vec![offer("http", Some("1")), offer("plain", None)]))), Fail(Severity::Medium));
    }
}
