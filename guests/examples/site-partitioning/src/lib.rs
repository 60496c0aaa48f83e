//! A site's component for `reimage` that replaces one choice: which boot media a machine is installed from, and with them how
//! its disks are divided. Database hosts get the media whose installer keeps `/srv`.

use wreimage_sdk::hooks::BootMedia;
use wreimage_sdk::plug::{Description, Partitioning, Plug};
use wreimage_sdk::{Fault, export_plug, netbox};

/// Begins the names of database hosts.
const DATABASES: &str = "db";

/// The media whose installer leaves the partition with the data as it is.
const REUSE: &str = "reuse-srv";

struct Site;

impl Plug for Site {
    fn describe() -> Description {
        Description::reads(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            env!("CARGO_PKG_DESCRIPTION"),
        )
    }
}

impl Partitioning for Site {
    fn choose_media(proposed: BootMedia) -> Result<String, Fault> {
        // The operator's word counts.
        if proposed.is_asked_for {
            return Ok(proposed.media);
        }
        let device = netbox::get_device()?;
        Ok(if device.name.starts_with(DATABASES) {
            REUSE.to_owned()
        } else {
            proposed.media
        })
    }
}

export_plug!(Site: partitioning);
