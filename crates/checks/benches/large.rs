//! What judging costs by size: each row has ten times the resources of the one before.

use divan::Bencher;
use plimsoll_checks::{Options, Selection, evaluate, matrix};
use plimsoll_graph::Estate;

fn main() {
    divan::main();
}

const SERVICES: [usize; 3] = [100, 1_000, 10_000];
const TASKS_EACH: usize = 10;

#[divan::bench(args = SERVICES, sample_count = 3, sample_size = 1)]
fn estate(bencher: Bencher<'_, '_>, services: usize) {
    let inventory = plimsoll_fixture::large(services, services * TASKS_EACH);
    bencher.bench_local(|| Estate::new(&inventory).all::<plimsoll_model::aws::ecs::Task>().count());
}

#[divan::bench(args = SERVICES, sample_count = 3, sample_size = 1)]
fn checks(bencher: Bencher<'_, '_>, services: usize) {
    let inventory = plimsoll_fixture::large(services, services * TASKS_EACH);
    let estate = Estate::new(&inventory);
    bencher.bench_local(|| evaluate(&estate, &Selection::default(), Options::default()).findings.len());
}

#[divan::bench(args = SERVICES, sample_count = 3, sample_size = 1)]
fn responsibility(bencher: Bencher<'_, '_>, services: usize) {
    let inventory = plimsoll_fixture::large(services, services * TASKS_EACH);
    let estate = Estate::new(&inventory);
    let evaluation = evaluate(&estate, &Selection::default(), Options::default());
    bencher.bench_local(|| matrix(&estate, &evaluation).workloads.len());
}
