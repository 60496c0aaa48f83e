//! Tasks and their comments.

use crate::time::Millis;
use crate::world::World;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wreimage_capability::Fault;
use wreimage_capability::phabricator::Task;

/// Tasks, by id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Phabricator {
    pub(crate) tasks: BTreeMap<String, Ticket>,
}

/// A task.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ticket {
    pub(crate) title: String,
    pub(crate) status: String,
    pub(crate) comments: Vec<Comment>,
}

/// A comment on a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// When, in milliseconds since the epoch.
    pub at: Millis,
    /// Key of the call that made it, by which the host knows it again.
    pub marker: String,
    /// What it says.
    pub text: String,
}

impl Phabricator {
    pub(crate) fn shift(&mut self, shift: &impl Fn(Millis) -> Millis) {
        for ticket in self.tasks.values_mut() {
            for comment in &mut ticket.comments {
                comment.at = shift(comment.at);
            }
        }
    }
}

impl World {
    fn ticket(&mut self, id: Option<&str>) -> Result<(String, &mut Ticket), Fault> {
        let system = self.system("phabricator");
        let Some(id) = id else {
            return Err(Fault::not_found(
                "phabricator.no-task",
                system,
                "this run was started for no task",
            ));
        };
        if self.rehearsal {
            // Nobody has told whether it exists.
            let ticket = self.services.phabricator.tasks.entry(id.to_owned());
            let ticket = ticket.or_insert_with(|| Ticket {
                status: "open".to_owned(),
                ..Ticket::default()
            });
            return Ok((id.to_owned(), ticket));
        }
        match self.services.phabricator.tasks.get_mut(id) {
            Some(ticket) => Ok((id.to_owned(), ticket)),
            None => {
                let shown: String = id.chars().take(64).collect();
                Err(Fault::not_found(
                    "phabricator.no-task",
                    system,
                    format!("there is no task {shown:?}, or it is not visible"),
                ))
            }
        }
    }

    /// The task of a run.
    pub(crate) fn task(&mut self, id: Option<&str>) -> Result<Task, Fault> {
        let (id, ticket) = self.ticket(id)?;
        Ok(Task {
            id,
            title: ticket.title.clone(),
            status: ticket.status.clone(),
            extra: Vec::new(),
        })
    }

    /// Adds a comment, once for each marker.
    pub(crate) fn comment(
        &mut self,
        id: Option<&str>,
        marker: &str,
        text: &str,
    ) -> Result<(), Fault> {
        let at = self.now;
        let (_, ticket) = self.ticket(id)?;
        if !ticket.comments.iter().any(|there| there.marker == marker) {
            ticket.comments.push(Comment {
                at,
                marker: marker.to_owned(),
                text: text.to_owned(),
            });
        }
        Ok(())
    }

    /// The comments of a task, oldest first; none for an unknown one.
    pub fn comments(&self, task: &str) -> &[Comment] {
        self.services
            .phabricator
            .tasks
            .get(task)
            .map_or(&[], |ticket| &ticket.comments)
    }
}
