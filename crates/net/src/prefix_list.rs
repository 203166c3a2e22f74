//! Prefix lists: entries flow in, one address set each flows out, shared by every rule and route that names the list.

use plimsoll_model::aws::ec2;

use crate::address::cidr_range;
use crate::routes::Doubt;
use crate::set::CidrSet;

/// A prefix list, or the mere name of one that was not read.
#[derive(Debug)]
pub(crate) struct PrefixList<'a> {
    pub(crate) id: &'a str,
    /// Its name, such as `com.amazonaws.eu-west-1.s3`.
    pub(crate) name: Option<&'a str>,
    pub(crate) addresses: CidrSet,
    /// Each entry on its own: a route table decides by the length of their prefixes.
    pub(crate) entries: Vec<(u128, u128)>,
    /// Why the entries are not all known.
    pub(crate) doubt: Option<Doubt>,
}

impl<'a> PrefixList<'a> {
    /// A list that something names.
    pub(crate) fn named(id: &'a str) -> Self {
        let doubt = Some(format!("prefix-list-missing:{id}").into());
        Self { id, name: None, addresses: CidrSet::none(), entries: Vec::new(), doubt }
    }

    pub(crate) fn read(data: &'a ec2::ManagedPrefixList) -> Self {
        let mut list = Self::named(&data.prefix_list_id);
        list.name = data.prefix_list_name.as_deref();
        let Ok(entries) = data.entries.known() else { return list };
        list.doubt = None;
        for cidr in entries.iter().filter_map(|entry| entry.cidr.as_deref()) {
            match cidr_range(cidr) {
                Some(range) => list.entries.push(range),
                None => list.doubt = Some(format!("prefix-list-unreadable:{}:{cidr}", data.prefix_list_id).into()),
            }
        }
        list.addresses = CidrSet::from_ranges(list.entries.iter().copied());
        list
    }
}
