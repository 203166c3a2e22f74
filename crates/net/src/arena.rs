//! Numbered storage: a resource becomes a small index once, and everything else speaks of indices.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

/// The place of a `T` in its arena.
pub(crate) struct Ix<T>(u32, PhantomData<fn() -> T>);

impl<T> Ix<T> {
    pub(crate) fn new(at: usize) -> Self {
        // Worlds of four thousand million resources do not fit into memory anyway.
        Self(u32::try_from(at).unwrap_or(u32::MAX), PhantomData)
    }

    pub(crate) fn at(self) -> usize {
        self.0 as usize
    }
}

impl<T> Clone for Ix<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Ix<T> {}

impl<T> PartialEq for Ix<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Ix<T> {}

impl<T> PartialOrd for Ix<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Ix<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl<T> Hash for Ix<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<T> fmt::Debug for Ix<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Things of one kind, by index.
#[derive(Debug)]
pub(crate) struct Arena<T> {
    items: Vec<T>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

impl<T> Arena<T> {
    pub(crate) fn push(&mut self, item: T) -> Ix<T> {
        self.items.push(item);
        Ix::new(self.items.len() - 1)
    }

    #[expect(clippy::indexing_slicing, reason = "an index is made by this arena's push alone, and nothing is ever removed")]
    pub(crate) fn get(&self, ix: Ix<T>) -> &T {
        &self.items[ix.at()]
    }

    #[expect(clippy::indexing_slicing, reason = "an index is made by this arena's push alone, and nothing is ever removed")]
    pub(crate) fn get_mut(&mut self, ix: Ix<T>) -> &mut T {
        &mut self.items[ix.at()]
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Ix<T>, &T)> {
        self.items.iter().enumerate().map(|(at, item)| (Ix::new(at), item))
    }
}
