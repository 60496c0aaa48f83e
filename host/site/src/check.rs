//! `wreimage site check`: every read-only way to each system, tried.

use crate::site::Site;
use std::os::unix::fs::PermissionsExt;
use wreimage_live::{CheckLine, Choice, ConfigError};

impl Site {
    /// Tries every read-only way to each system: reads the secrets, asks the install server, and with a host also its
    /// names, its BMC and the host itself.
    pub async fn check(&self, host: Option<&str>) -> Vec<CheckLine> {
        let systems = &self.systems;
        let mut lines = vec![CheckLine::of(
            format!("site file {}", self.path().display()),
            Ok(choices(self)),
        )];
        let why = |error: ConfigError| error.to_string();
        for (name, read) in self.files() {
            lines.push(CheckLine::of(name, read.map_err(why)));
        }
        if let Some(notifier) = self.notifier() {
            lines.push(CheckLine::of("[notify]", Ok(notifier.shown())));
        }
        if let Some(state) = self.state()
            && let Ok(folder) = std::fs::metadata(&state)
        {
            let shared = shared(folder.permissions().mode());
            lines.push(CheckLine::of(
                format!("records in {}", state.display()),
                shared,
            ));
        }
        for secret in self.secrets() {
            let read = secret.read().await;
            lines.push(CheckLine::of(
                format!("secret {}", secret.key()),
                read.map(|_| format!("read from {}", secret.reference()))
                    .map_err(why),
            ));
        }
        // What serves all hosts is checked without one, too.
        if let Ok(any) = systems.host(host.unwrap_or("check")) {
            lines.extend(systems.check(&any).await);
        }
        if let Some(why) = self.unordered() {
            let message = format!("controllers are not ordered: {why}");
            lines.push(CheckLine::of("lease", Ok(message)));
        }
        match host.map(|host| systems.host(host)) {
            Some(Ok(host)) => lines.extend(systems.check_host(&host).await),
            Some(Err(error)) => lines.push(CheckLine::of("host", Err(error.to_string()))),
            None => {}
        }
        lines
    }
}

/// Who can see the records of runs, by the mode of their folder.
fn shared(mode: u32) -> Result<String, String> {
    const GROUP_WRITES: u32 = 0o020;
    const SET_GROUP: u32 = 0o2000;
    match (mode & GROUP_WRITES != 0, mode & SET_GROUP != 0) {
        (false, _) => Ok("for their owner alone".to_owned()),
        (true, true) => Ok("shared with the folder's group".to_owned()),
        (true, false) => Err(
            "the folder's group may write here, and what is made here gets another group: run `chmod g+s` on the folder"
                .to_owned(),
        ),
    }
}

fn choices(site: &Site) -> String {
    let words: Vec<String> = site
        .choices()
        .iter()
        .map(|(name, choice)| {
            let word = match choice {
                Choice::Live => "live",
                Choice::Lab => "lab",
                Choice::Absent => "absent",
            };
            format!("{name} {word}")
        })
        .collect();
    words.join(", ")
}
