//! Laws over the whole catalogue.
