//! `plimsoll doctor`: what this identity can read here, and what would stay unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use plimsoll_checks::CHECKS;
use plimsoll_collect::{Answer, Examination, Interrupt, Operation, Probe};
use plimsoll_config::Config;
use plimsoll_model::{Diagnosis, OperationDiagnosis, ReadAnswer, Region, RegionDiagnosis, partition_of};
use plimsoll_report::{Partition, Permission, Policies, diagnosis_json, diagnosis_table};

use crate::arguments::{DoctorOptions, MatrixFormat};
use crate::collect;
use crate::failure::{self, Failure};
use crate::output;
use crate::permissions::{Needed, needed};
use crate::screen::Screen;

/// Version of the JSON document.
const SCHEMA: u32 = 1;

pub(crate) fn run(options: &DoctorOptions, config: &Config, screen: &Screen) -> Result<ExitCode, Failure> {
    let examination = collect::with_settings(&options.target, config, screen, async |settings| {
        plimsoll_collect::examine(&settings, Interrupt::on_ctrl_c()).await
    })?;
    let diagnosis = diagnosis(&examination)?;
    output::stdout(|mut out| match options.format {
        MatrixFormat::Json => diagnosis_json(&diagnosis, &mut out),
        MatrixFormat::Table => diagnosis_table(&diagnosis, &screen.table(), &mut out),
    })?;
    let whole = diagnosis.operations.iter().all(|operation| operation.answer == ReadAnswer::Readable);
    Ok(if options.require_complete && !whole { ExitCode::from(failure::NOTHING) } else { ExitCode::SUCCESS })
}

fn diagnosis(examination: &Examination) -> Result<Diagnosis, Failure> {
    let operations: Vec<OperationDiagnosis> = examination.operations.iter().map(of_operation).collect();
    let denied: BTreeSet<&str> =
        operations.iter().filter(|one| one.answer == ReadAnswer::Denied).map(|one| one.operation.as_str()).collect();
    let unknown_checks = CHECKS
        .iter()
        .filter(|check| check.needs.iter().any(|need| denied.contains(need) && !check.shades.contains(need)))
        .map(|check| check.id.to_owned())
        .collect();
    Ok(Diagnosis {
        schema: SCHEMA,
        account: examination.account.clone(),
        caller: examination.caller.clone(),
        region: examination.home.clone(),
        regions: regions(&examination.elsewhere),
        checks: CHECKS.len(),
        unknown_checks,
        policies: policies(&examination.operations, &examination.home)?,
        operations,
    })
}

fn of_operation(probe: &Probe) -> OperationDiagnosis {
    let Operation { permission, why, .. } = *probe.operation;
    let operation = probe.operation.id();
    let (answer, failure) = match &probe.answer {
        Answer::Readable => (ReadAnswer::Readable, None),
        Answer::Denied(failure) => (ReadAnswer::Denied, Some(failure)),
        Answer::Unclear(failure) => (ReadAnswer::Unclear, Some(failure)),
    };
    let needing = CHECKS.iter().filter(|check| check.needs.contains(&operation.as_str()));
    OperationDiagnosis {
        checks: needing.map(|check| check.id.to_owned()).collect(),
        permission: permission.to_owned(),
        why: why.to_owned(),
        answer,
        code: failure.map(|failure| failure.code.clone()),
        message: failure.map(|failure| failure.message.clone()),
        operation,
    }
}

fn regions(probes: &[Probe]) -> Vec<RegionDiagnosis> {
    let mut regions: BTreeMap<&Region, RegionDiagnosis> = BTreeMap::new();
    for probe in probes {
        let region = regions.entry(&probe.region).or_insert_with(|| RegionDiagnosis {
            region: probe.region.clone(),
            readable: Vec::new(),
            denied: Vec::new(),
            unclear: Vec::new(),
            code: None,
        });
        let (list, failure) = match &probe.answer {
            Answer::Readable => (&mut region.readable, None),
            Answer::Denied(failure) => (&mut region.denied, Some(failure)),
            Answer::Unclear(failure) => (&mut region.unclear, Some(failure)),
        };
        list.push(probe.operation.service.to_owned());
        if region.code.is_none() {
            region.code = failure.map(|failure| failure.code.clone());
        }
    }
    regions.into_values().collect()
}

/// The documents that would allow what is denied.
fn policies(probes: &[Probe], home: &Region) -> Result<BTreeMap<String, serde_json::Value>, Failure> {
    let denied = probes.iter().filter(|probe| matches!(probe.answer, Answer::Denied(_)));
    let denied: Vec<&Operation> = denied.map(|probe| probe.operation).collect();
    if denied.is_empty() {
        return Ok(BTreeMap::new());
    }
    let needed = needed(&denied);
    let permissions: Vec<Permission<'_>> = needed.iter().map(Needed::permission).collect();
    let partition = match partition_of(home.as_str()) {
        "aws-cn" => Partition::AwsCn,
        "aws-us-gov" => Partition::AwsUsGov,
        _ => Partition::Aws,
    };
    let policies = Policies::new(&permissions);
    let documents = policies.documents(partition).into_iter().map(|(name, document)| Ok((name, serde_json::to_value(document)?)));
    documents.collect::<serde_json::Result<_>>().map_err(|error| Failure::usage(error, ""))
}
