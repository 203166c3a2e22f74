//! `plimsoll permissions`: what the scanner needs, from what the collectors declare.

use std::fs::create_dir_all;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use plimsoll_collect::{Operation, Settings};
use plimsoll_report::{Deployment, Permission, Policies, Trust, cloudformation, permissions_table, terraform};

use crate::arguments::{Partition, PermissionsFormat, PermissionsOptions};
use crate::failure::Failure;
use crate::output;
use crate::screen::Screen;

pub(crate) fn run(options: &PermissionsOptions, screen: &Screen) -> Result<ExitCode, Failure> {
    let role = &options.role;
    if matches!(options.format, PermissionsFormat::Json | PermissionsFormat::List)
        && (role.trusted_principal.is_some() || role.external_id.is_some() || role.role_name.is_some())
    {
        let error = anyhow::anyhow!("only a template makes a role that --trusted-principal, --external-id and --role-name could be for");
        return Err(Failure::usage(error, "add --format terraform, cloudformation or stackset"));
    }
    let settings = Settings { image_configs: options.image_configs, ..Settings::default() };
    let operations: Vec<_> = plimsoll_collect::operations().into_iter().filter(|operation| settings.reads(operation)).collect();
    let needed = needed(&operations);
    let permissions: Vec<Permission<'_>> = needed.iter().map(Needed::permission).collect();
    let form = Form { options, policies: Policies::new(&permissions), permissions: &permissions, screen };
    match &options.output {
        Some(folder) => form.files(folder),
        None => form.screen(),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// An operation, and one of the IAM actions that allow it.
pub(crate) struct Needed {
    operation: &'static Operation,
    id: String,
    action: &'static str,
}

/// All actions that operations need, those that AWS asks for besides included.
pub(crate) fn needed(operations: &[&'static Operation]) -> Vec<Needed> {
    let own = operations.iter().map(|operation| (*operation, operation.permission));
    let further = plimsoll_collect::further_permissions().iter();
    let further = further.filter(|(operation, _)| operations.contains(&operation)).map(|(operation, action)| (operation, *action));
    own.chain(further).map(|(operation, action)| Needed { operation, id: operation.id(), action }).collect()
}

impl Needed {
    pub(crate) fn permission(&self) -> Permission<'_> {
        let resource = plimsoll_collect::resource_scope(self.action);
        Permission { operation: &self.id, action: self.action, resource, why: self.operation.why }
    }
}

struct Form<'f> {
    options: &'f PermissionsOptions,
    policies: Policies,
    permissions: &'f [Permission<'f>],
    screen: &'f Screen,
}

impl Form<'_> {
    fn partition(&self) -> plimsoll_report::Partition {
        match self.options.partition {
            Partition::Aws => plimsoll_report::Partition::Aws,
            Partition::AwsCn => plimsoll_report::Partition::AwsCn,
            Partition::AwsUsGov => plimsoll_report::Partition::AwsUsGov,
        }
    }

    fn trust(&self) -> Trust {
        let role = &self.options.role;
        Trust {
            principal: role.trusted_principal.clone(),
            external_id: role.external_id.clone(),
            role_name: role.role_name.clone().unwrap_or_default(),
            partition: self.partition(),
        }
    }

    fn screen(&self) -> Result<(), Failure> {
        output::stdout(|out| self.write(self.screen.table(), out))?;
        let documents = self.policies.documents(self.partition()).len();
        if self.options.format == PermissionsFormat::Json && documents > 1 {
            self.screen.note(&format!("A managed policy cannot hold it all: these are {documents}. `-o FOLDER` writes a file for each."));
        }
        Ok(())
    }

    fn write(&self, table: plimsoll_report::TableOptions, mut out: &mut dyn Write) -> io::Result<()> {
        match self.options.format {
            PermissionsFormat::Json => self.policies.json(self.partition(), &mut out),
            PermissionsFormat::Terraform => terraform(&self.policies, &self.trust(), &mut out),
            PermissionsFormat::Cloudformation => cloudformation(&self.policies, &self.trust(), Deployment::Stack, &mut out),
            PermissionsFormat::Stackset => cloudformation(&self.policies, &self.trust(), Deployment::StackSet, &mut out),
            PermissionsFormat::List => permissions_table(self.permissions, &table, &mut out),
        }
    }

    fn files(&self, folder: &Path) -> Result<(), Failure> {
        create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))
            .map_err(|error| Failure::usage(error, "name a folder that you may write to, or one that can be made"))?;
        let name = match self.options.format {
            PermissionsFormat::Json => {
                return self.policies.documents(self.partition()).iter().try_for_each(|(name, document)| {
                    output::file(&folder.join(format!("{name}.json")), |mut out| document.write(&mut out))
                });
            }
            PermissionsFormat::Terraform => "plimsoll.tf",
            PermissionsFormat::Cloudformation => "plimsoll-stack.yaml",
            PermissionsFormat::Stackset => "plimsoll-stackset.yaml",
            PermissionsFormat::List => "plimsoll-permissions.txt",
        };
        output::file(&folder.join(name), |out| self.write(self.screen.file_table(), out))
    }
}
