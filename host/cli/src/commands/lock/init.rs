//! `wreimage lock init`.

use crate::arguments::Place;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::print;
use crate::setup::backend;
use clap::Args;
use wreimage_lab::Pace;
use wreimage_runs::Backend;

/// `wreimage lock init`.
#[derive(Debug, Clone, Args)]
pub struct InitLease {
    #[command(flatten)]
    pub place: Place,
}

/// `wreimage lock init`.
pub async fn init(arguments: &InitLease) -> Result<Exit, Failure> {
    let ground = backend::open(&arguments.place, Pace::Full).await?;
    let done = match &ground {
        Backend::Lab { kept: None, .. } => Err(Failure::usage(
            "this lab is not kept: name its folder with --world DIR, or a site file with --site FILE",
        )),
        Backend::Lab {
            kept: Some((lab, _)),
            ..
        } => {
            let created = lab.create_lease_folder();
            let created = created.map_err(|error| Failure::LeaseFolder {
                in_lab: true,
                source: error.into(),
            })?;
            match created {
                true => Ok("the lease folder of this world is created".to_owned()),
                false => Err(Failure::Refused("this world has a lease folder".to_owned())),
            }
        }
        Backend::Site { site, .. } => {
            let created = site.create_lease_folder().await;
            created.map_err(|error| Failure::LeaseFolder {
                in_lab: false,
                source: error.into(),
            })
        }
    }?;
    print::line(&done);
    Ok(Exit::Success)
}
