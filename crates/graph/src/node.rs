//! A resource in its estate: derefs to the resource, and has its relations as methods (in the modules by area).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Deref;

use plimsoll_model::{AccountId, Located, Region, Resource, ResourceRef};

use crate::Estate;

/// A resource of type `T` and the estate around it; as cheap to copy as two pointers.
pub struct Node<'e, T> {
    pub(crate) estate: &'e Estate<'e>,
    pub(crate) located: &'e Located<T>,
    pub(crate) index: u32,
}

impl<T> Clone for Node<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Node<'_, T> {}

impl<T> Deref for Node<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.located.data
    }
}

impl<T: Resource> std::fmt::Debug for Node<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}({})", T::KIND, self.arn())
    }
}

impl<T> PartialEq for Node<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.located, other.located)
    }
}

impl<T> Eq for Node<'_, T> {}

impl<'e, T: Resource> Node<'e, T> {
    /// The estate that it belongs to.
    pub fn estate(&self) -> &'e Estate<'e> {
        self.estate
    }

    /// The resource, for as long as the estate lives.
    pub fn data(&self) -> &'e T {
        &self.located.data
    }

    /// The account that it was read in.
    pub fn account(&self) -> &'e AccountId {
        &self.located.account
    }

    /// The Region that it was read in.
    pub fn region(&self) -> &'e Region {
        &self.located.region
    }

    /// Its position in the inventory's list of this type.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Its ARN.
    pub fn arn(&self) -> Cow<'e, str> {
        self.data().arn(self.account(), self.region())
    }

    /// The name that people use.
    pub fn name(&self) -> &'e str {
        self.data().name()
    }

    /// The value of a tag; keys compare without case, as people write `Owner` and `owner`.
    pub fn tag(&self, key: &str) -> Option<&'e str> {
        self.data().tags().into_iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
    }

    /// The class of its data, by its tag.
    pub fn data_class(&self) -> Option<&'e str> {
        self.tag(&self.estate.thresholds().data_class_tag)
    }

    /// The value of its isolation tag.
    pub fn isolation(&self) -> Option<&'e str> {
        self.estate.thresholds().isolation_tags.iter().find_map(|key| self.tag(key))
    }

    /// Whether its isolation tag asks for strict isolation.
    pub fn is_strict(&self) -> bool {
        self.isolation().is_some_and(|value| self.estate.thresholds().is_strict(value))
    }

    /// How a finding refers to it.
    pub fn reference(&self) -> ResourceRef {
        let tags: BTreeMap<String, String> = self.data().tags().into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        ResourceRef {
            arn: self.arn().into_owned(),
            kind: T::TYPE.into(),
            account: self.account().clone(),
            region: self.region().clone(),
            name: self.name().to_owned(),
            tags,
        }
    }
}
