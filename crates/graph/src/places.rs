//! Where containers are: clusters flow in, the accounts and Regions that hold one flow out.

use std::collections::BTreeSet;

use plimsoll_model::{AccountId, Region};

use crate::Estate;

impl Estate<'_> {
    /// Every account and Region that holds an ACTIVE ECS cluster or an EKS cluster.
    pub fn places_of_containers(&self) -> BTreeSet<(&AccountId, &Region)> {
        let mut places = self.places_of_kubernetes();
        places.extend(self.active_clusters().map(|cluster| (cluster.account(), cluster.region())));
        places
    }
}
