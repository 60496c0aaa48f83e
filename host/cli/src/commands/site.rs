//! `wreimage site check`.

use crate::arguments::{Output, SiteCheck};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::tell::{self, Page};
use serde_json::json;
use wreimage_site::{CheckLine, Site};

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
    tell::page(&text)?;
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
    format!("{mark}  {}", tell::one_line(&text))
}
