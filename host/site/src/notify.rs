//! Telling people of runs: a program of the site, or a post to an address.

use crate::file::{NotifyTable, Occasion};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wreimage_live::child::{Child, last_line};
use wreimage_live::{Secret, http};

/// Tells somebody of runs. Cheap to clone.
#[derive(Clone)]
pub struct Notifier {
    command: Vec<String>,
    url: Option<String>,
    secret: Option<Secret>,
    folder: PathBuf,
    on: Vec<Occasion>,
    timeout: Duration,
}

impl Notifier {
    pub(crate) fn new(table: &NotifyTable, secret: Option<Secret>, folder: &Path) -> Self {
        let command = table.command.as_ref().map(|it| it.get_ref().clone());
        Notifier {
            command: command.unwrap_or_default(),
            url: table.url.as_ref().map(|url| url.get_ref().clone()),
            secret,
            folder: folder.to_owned(),
            on: table.on.clone(),
            timeout: table.timeout.get_ref().0,
        }
    }

    /// Tells it in each way that the site file names, unless it says that nobody wants to hear of that.
    ///
    /// # Errors
    /// What went wrong, in which way; the others were tried all the same.
    pub async fn tell(&self, occasion: Occasion, message: &Value) -> Result<(), String> {
        if !self.on.contains(&occasion) {
            return Ok(());
        }
        let told = [self.run(message).await, self.post(message).await];
        let wrong: Vec<String> = told.into_iter().filter_map(Result::err).collect();
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(format!("[notify] of the site file: {}", wrong.join("; ")))
        }
    }

    /// How it tells, in a few words.
    pub(crate) fn shown(&self) -> String {
        let command = self.command.first().map(|it| format!("runs {it}"));
        let posts = (self.url.is_some() || self.secret.is_some()).then(|| "posts".to_owned());
        let ways: Vec<String> = command.into_iter().chain(posts).collect();
        let words: Vec<&str> = self.on.iter().map(|it| it.word()).collect();
        format!("{} on: {}", ways.join(", "), words.join(", "))
    }

    async fn run(&self, message: &Value) -> Result<(), String> {
        let Some(mut child) = Child::new(&self.command) else {
            return Ok(());
        };
        child
            .folder(&self.folder)
            .input(format!("{message}\n").into_bytes());
        let ended = child
            .run(self.timeout)
            .await
            .map_err(|why| why.to_string())?;
        if ended.success() {
            return Ok(());
        }
        let program = self.command.first().map_or("", String::as_str);
        Err(format!(
            "{program} {}: {}",
            ended.exit(),
            last_line(&ended.stderr)
        ))
    }

    async fn post(&self, message: &Value) -> Result<(), String> {
        let url = match (&self.secret, &self.url) {
            (Some(secret), _) => {
                let read = secret.read().await.map_err(|error| error.to_string())?;
                read.expose_secret().to_owned()
            }
            (None, Some(url)) => url.clone(),
            (None, None) => return Ok(()),
        };
        // The address may be a secret.
        http::post_json(&url, message.to_string(), self.timeout).await
    }
}
