//! Every check of the catalogue. Written by `make generate`: edit the check files instead.

use crate::check::Check;

#[path = "runtime/ecs_task_definition_privileged_container.rs"]
mod ecs_task_definition_privileged_container;

/// Every check, by id.
pub const CHECKS: &[&Check] = &[&ecs_task_definition_privileged_container::CHECK];
