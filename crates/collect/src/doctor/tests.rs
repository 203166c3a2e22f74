#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{Answer, LISTINGS, ask, service};
use crate::failure::Failure;
use plimsoll_model::Gap;

#[test]
fn there_is_a_small_request_for_every_declared_operation() {
    for operation in crate::operations() {
        assert!(service(operation).is_some(), "no service for {}", operation.id());
        assert!(ask(operation, "111111111111").is_some(), "no request for {}", operation.id());
    }
}

#[test]
fn the_listings_that_stand_for_a_service_are_declared() {
    let declared: Vec<String> = crate::operations().iter().map(|operation| operation.id()).collect();
    for listing in LISTINGS {
        assert!(declared.iter().any(|id| id == listing), "{listing} is not declared");
    }
}

#[test]
fn only_a_refusal_is_a_denial_and_a_complaint_means_that_it_was_allowed() {
    let answer = |code: &str| Answer::from(Err(Gap { code: code.to_owned(), message: "m".to_owned(), ..Gap::default() }));
    for code in ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"] {
        assert_eq!(answer(code), Answer::Denied(Failure::new(code, "m")), "{code}");
    }
    for code in ["DryRunOperation", "ClusterNotFoundException", "NoSuchBucket", "NoSuchEntity", "ValidationException"] {
        assert_eq!(answer(code), Answer::Readable, "{code}");
    }
    for code in ["ConnectError", "Http502", "UnrecognizedClientException", "ThrottlingException"] {
        assert_eq!(answer(code), Answer::Unclear(Failure::new(code, "m")), "{code}");
    }
}
