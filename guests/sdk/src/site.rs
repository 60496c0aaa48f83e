//! What the run's site has.

use crate::Request;

impl Request {
    /// Whether the site has a capability, by the name of its interface such as `puppet-ca`. The functions of one that it
    /// marks as absent answer `unsupported`.
    pub fn site_has(&self, capability: &str) -> bool {
        !self.absent.iter().any(|absent| absent == capability)
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
