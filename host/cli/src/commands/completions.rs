//! `wreimage completions`.

use crate::arguments::Place;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::print;
use crate::setup::choices::Choices;
use crate::setup::guest_options;
use crate::setup::load_guest::load_guest;
use clap::{Args, Command};

/// `wreimage completions`.
#[derive(Debug, Clone, Args)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
    /// Complete this guest's options of `run` as well, with the releases that the site file names or that its command listed
    /// last: print the script again when they change
    #[arg(long, value_name = "GUEST")]
    pub guest: Option<String>,
    #[command(flatten)]
    pub place: Place,
}

/// Prints a completion script, with the options of a guest if one is named.
pub async fn complete(mut command: Command, completions: &Completions) -> Result<Exit, Failure> {
    if let Some(name) = &completions.guest {
        let site = completions.place.site.as_deref();
        let (_, loaded) = load_guest(name, &[], site).await?;
        let description = loaded.guest.description();
        command = Choices::of(&completions.place).in_completion(
            guest_options::with_guest(command, description)?,
            description,
        );
    }
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut command, "wreimage", &mut script);
    print::own(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Success)
}
