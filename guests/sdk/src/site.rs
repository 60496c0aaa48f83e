//! What the run's site has.

use crate::Request;

impl Request {
    /// Whether the site has a capability, by the name of its interface such as `puppet-ca`. The functions of one that it
    /// marks as absent answer `unsupported`.
    pub fn site_has(&self, capability: &str) -> bool {
        !self.absent.iter().any(|absent| absent == capability)
    }

    /// Whether a kernel command line is that of an installer of this site. A site that installs something else than Debian has
    /// marks of its own.
    pub fn is_installer(&self, kernel_command_line: &str) -> bool {
        let mut marks = self
            .extra
            .iter()
            .filter(|(name, _)| name == "installer-mark")
            .map(|(_, mark)| mark.as_str())
            .peekable();
        if marks.peek().is_none() {
            return wreimage_facts::installer::is_installer(kernel_command_line);
        }
        marks.any(|mark| kernel_command_line.contains(mark))
    }

    /// Why a step that needs these capabilities is not done, if it is not.
    pub fn lacks(&self, capabilities: &[&str]) -> Option<String> {
        capabilities
            .iter()
            .find(|capability| !self.site_has(capability))
            .map(|capability| format!("this site has no {capability}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_has_what_it_does_not_mark_as_absent() {
        let request = Request {
            run_id: String::new(),
            host: String::new(),
            site: String::new(),
            actor: String::new(),
            options: Vec::new(),
            absent: vec!["conftool".to_owned()],
            extra: Vec::new(),
        };
        assert!(request.site_has("icinga"));
        assert_eq!(request.lacks(&["icinga", "puppet"]), None);
        assert_eq!(
            request.lacks(&["icinga", "conftool"]).as_deref(),
            Some("this site has no conftool")
        );
    }
}
