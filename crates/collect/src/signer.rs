//! AWS Signer in one account and Region: the profiles that sign images.
//!
//! Calls signer:ListSigningProfiles where tasks run images of the Region's own registry. Yields signing profiles.

use plimsoll_model::Inventory;
use plimsoll_model::aws::signer::SigningProfile;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::api::{Api, Operation};
use crate::ecr;
use crate::wire::{Ask, Protocol, Reach, Service, Token, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "signer",
    id: "signer",
    host: "signer",
    fips_host: "signer-fips",
    signing_name: "signer",
    protocol: Protocol::RestJson,
    reach: Reach::Regional,
};

const LIST_SIGNING_PROFILES: Operation = Operation {
    service: "signer",
    name: "ListSigningProfiles",
    permission: "signer:ListSigningProfiles",
    why: "whether the account signs images at all",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[LIST_SIGNING_PROFILES];

/// The largest page of ListSigningProfiles.
const PAGE: &str = "25";

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct ProfilesPage {
    profiles: Vec<SigningProfile>,
}

/// The signing profiles of the Region.
pub(crate) async fn collect(api: &Api, wire: &Wire, containers: &Inventory) -> Inventory {
    let mut found = Inventory::default();
    if !ecr::runs_images(api, containers) {
        return found;
    }
    let ask = Ask::get(&["signing-profiles"]).query("maxResults", PAGE);
    let listing = wire.pages(api, &LIST_SIGNING_PROFILES, Token::NEXT, ask, |page: ProfilesPage| {
        for profile in page.profiles {
            found.push(api.account(), api.region(), profile);
        }
    });
    api.or_gap(listing.await);
    found
}

#[cfg(test)]
mod tests {
    use super::{SERVICE, collect};
    use crate::api::Api;
    use crate::replay::{Answer, Replay};
    use plimsoll_model::{Inventory, aws::ecs};
    use serde_json::json;

    #[tokio::test]
    async fn profiles_are_listed_where_images_of_the_registry_run() {
        let replay = Replay::new().on("GET /signing-profiles", |request| match request.get("nextToken") {
            None => Answer::Json(json!({"profiles": [{"arn": "p1", "profileName": "images", "status": "Active"}], "nextToken": "2"})),
            Some(_) => Answer::Json(json!({"profiles": [{"arn": "p2", "profileName": "old", "status": "Active"}]})),
        });
        let mut containers = Inventory::default();
        assert!(collect(&Api::in_test(), &replay.wire(&SERVICE), &containers).await.is_empty());
        assert_eq!(replay.requests(), []);
        let image = "111111111111.dkr.ecr.eu-west-3.amazonaws.com/web:1";
        let task: ecs::Task =
            serde_json::from_value(json!({"taskArn": "t", "containers": [{"name": "web", "image": image, "imageDigest": "sha256:a"}]}))
                .unwrap();
        containers.push(&"111111111111".into(), &"eu-west-3".into(), task);
        let found = collect(&Api::in_test(), &replay.wire(&SERVICE), &containers).await;
        assert_eq!(found.signing_profiles.iter().map(|p| p.data.profile_name.as_str()).collect::<Vec<_>>(), ["images", "old"]);
    }
}
