//! Whether what a printed command names exists: a command for a person must not end in "no such thing".

use crate::world::World;
use wreimage_capability::conftool::PoolObject;

impl World {
    /// Checks that the object which a command for an administrator names is there, for the commands that a reimage prints.
    ///
    /// # Errors
    /// What is missing, or that the command is not one that the lab knows.
    pub fn names_what_exists(&self, host: &str, command: &str) -> Result<(), String> {
        let missing = |what: String| Err(format!("`{command}` names {what}, which does not exist"));
        if let Some(id) = word_after(command, "silence expire ") {
            let there = self.services.alertmanager.silences.iter();
            let mut there = there.filter(|it| it.host == host && it.ends > self.now);
            return match there.any(|it| it.id == id) {
                true => Ok(()),
                false => missing(format!("the silence {id}")),
            };
        }
        if let Some(rest) = command.split("DEL_DOWNTIME_BY_HOST_NAME;").nth(1) {
            let comment = rest.split(";;;").nth(1).unwrap_or_default();
            let comment = comment.split("\\n").next().unwrap_or_default();
            let monitored = self.services.icinga.hosts.get(host);
            let mut downtimes = monitored.into_iter().flat_map(|it| &it.downtimes);
            let ours = downtimes.any(|it| it.ends > self.now && comment.contains(&it.owner));
            return if ours {
                Ok(())
            } else {
                missing(format!("a downtime with the comment {comment:?}"))
            };
        }
        if let Some(selector) = command.split("confctl select ").nth(1) {
            let selector = selector.trim_start_matches('\'');
            let selector = selector.split('\'').next().unwrap_or_default();
            let objects = self.services.conftool.of(host);
            let fqdn = self.machine(host).map(|it| it.fqdn()).unwrap_or_default();
            return if objects.iter().any(|it| selects(selector, fqdn, it)) {
                Ok(())
            } else {
                missing(format!("the objects {selector:?}"))
            };
        }
        if let Some(units) = command.split("systemctl unmask ").nth(1) {
            let disk = self.machine(host).and_then(|it| it.disk.as_ref());
            let masked = |unit: &str| disk.is_some_and(|disk| disk.masked.contains(unit));
            return match units.split_whitespace().find(|unit| !masked(unit)) {
                None => Ok(()),
                Some(unit) => missing(format!("the masked unit {unit}")),
            };
        }
        Err(format!("the lab does not know what `{command}` names"))
    }
}

fn word_after<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    text.split(before).nth(1)?.split_whitespace().next()
}

/// Whether conftool would select the object: each value is a regular expression in which only dots have a meaning.
fn selects(selector: &str, fqdn: &str, object: &PoolObject) -> bool {
    selector.split(',').all(|part| {
        let Some((name, pattern)) = part.split_once('=') else {
            return false;
        };
        let value = match name {
            "name" => fqdn,
            "dc" => &object.dc,
            "cluster" => &object.cluster,
            "service" => &object.service,
            _ => return false,
        };
        matches(pattern, value)
    })
}

/// Whether a pattern fits: a backslash makes the next character stand for itself, a dot stands for any character.
fn matches(pattern: &str, value: &str) -> bool {
    let mut value = value.chars();
    let mut pattern = pattern.chars();
    while let Some(wanted) = pattern.next() {
        let found = value.next();
        let fits = match wanted {
            '\\' => pattern.next() == found,
            '.' => found.is_some(),
            other => found == Some(other),
        };
        if !fits {
            return false;
        }
    }
    value.next().is_none()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_a_command_names_is_looked_for() {
        let mut world = World::builtin().unwrap();
        world
            .set_downtime("host1001", "run-1", 60_000, "reimage [run-1]")
            .unwrap();
        let id = world.silence("host1001", "run-1", 60_000, "reimage");
        let selector = r"'name=host1001\.lab1\.test,dc=lab1,cluster=appserver,service=nginx'";
        let good = [
            format!("amtool silence expire {id}"),
            "printf '[%s] DEL_DOWNTIME_BY_HOST_NAME;host1001;;;reimage [run-1]\\n' \"$(date +%s)\" | sudo tee -a cmd".to_owned(),
            format!("sudo confctl select {selector} set/pooled=yes"),
        ];
        for command in &good {
            assert_eq!(world.names_what_exists("host1001", command), Ok(()));
            assert!(
                world.names_what_exists("host1002", command).is_err(),
                "{command}"
            );
        }
        for wrong in [
            "amtool silence expire 0",
            "sudo systemctl unmask nginx.service",
            "sudo confctl select 'name=host1001' set/pooled=yes",
            "reboot",
        ] {
            assert!(
                world.names_what_exists("host1001", wrong).is_err(),
                "{wrong}"
            );
        }
    }
}
