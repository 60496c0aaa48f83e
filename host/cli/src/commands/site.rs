//! `wreimage site check`.

use crate::arguments::Output;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::print::{self, Page};
use crate::setup::files;
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;
use wreimage_site::{CheckLine, Site};

/// `wreimage site`.
#[derive(Debug, Subcommand)]
pub enum SiteCommand {
    /// Read the site file and its secrets, and try every read-only way to each system
    Check(SiteCheck),
}

/// `wreimage site check`.
#[derive(Debug, Args)]
pub struct SiteCheck {
    /// The site file, as for `run`
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
    /// Try the systems of this host as well
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// The format
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub output: Output,
}

/// Tries everything that only reads, and says what answered.
pub async fn check(arguments: &SiteCheck) -> Result<Exit, Failure> {
    let path = arguments
        .site
        .clone()
        .or_else(files::site_file)
        .ok_or_else(|| {
            Failure::usage("there is no site file: name one with --site FILE or $WREIMAGE_SITE")
        })?;
    let site = Site::load(&path)?;
    let lines = site.check(arguments.host.as_deref()).await;
    let mut text = Page::default();
    for line in &lines {
        match arguments.output {
            Output::Text => text.line(line_of(line)),
            Output::Json => {
                text.json(&json!({ "what": line.what, "ok": line.ok, "message": line.message }))
            }
        }
    }
    print::page(&text)?;
    let bad = lines.iter().filter(|line| !line.ok).count();
    if bad > 0 {
        return Err(Failure::Refused(format!(
            "{bad} of {} checks of site {} failed",
            lines.len(),
            site.name()
        )));
    }
    Ok(Exit::Success)
}

/// On one line, so that an answer cannot look like another check.
fn line_of(line: &CheckLine) -> String {
    let mark = if line.ok { "ok    " } else { "FAILED" };
    let text = format!("{}: {}", line.what, line.message);
    format!("{mark}  {}", print::one_line(&text))
}
