//! The command line: arguments flow in, one subcommand runs, an exit code flows out.
//!
//! Data goes to stdout, everything else to stderr. Exit codes: 0 it ran, 1 findings at or above `--fail-on`, 2 wrong
//! usage or input, 3 nothing could be scanned or `--require-complete` and something was not read, 130 interrupted.

mod accounts;
mod arguments;
mod can;
mod catalogue;
mod check;
mod collect;
mod config;
mod demo;
mod doctor;
mod effective;
mod escalate;
mod exposure;
mod failure;
mod output;
mod page;
mod permissions;
mod questions;
mod reach;
mod responsibility;
mod scan;
mod schema;
mod screen;
mod simulate;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::failure::Failure;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    screen::log(arguments.verbosity());
    match run(&arguments) {
        Ok(code) => code,
        Err(failure) => failure.tell(),
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let screen = screen::Screen::of(arguments);
    match &arguments.command {
        Command::Scan(options) => scan::run(options, &config::load(arguments)?, &screen),
        Command::Collect(options) => collect::run(options, &config::load(arguments)?, &screen),
        Command::Check(options) => check::run(options, &config::load(arguments)?, &screen),
        Command::Checks(options) => catalogue::run(options, &screen),
        Command::Responsibility(options) => responsibility::run(options, &config::load(arguments)?, &screen),
        Command::Exposure(options) => exposure::run(options, &screen),
        Command::Reach(options) => reach::run(options, &screen),
        Command::Can(options) => can::can(options, &screen),
        Command::WhoCan(options) => can::who_can(options, &screen),
        Command::Escalate(options) => escalate::run(options, &screen),
        Command::Simulate(options) => simulate::run(options),
        Command::Permissions(options) => permissions::run(options, &screen),
        Command::Doctor(options) => doctor::run(options, &config::load(arguments)?, &screen),
        Command::Demo(options) => demo::run(options, &config::load_named(arguments)?, &screen),
        Command::Config { command } => config::run(command, arguments),
        Command::Schema { which } => schema::run(*which),
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut <Arguments as clap::CommandFactory>::command(), "plimsoll", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}
