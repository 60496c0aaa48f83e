//! What the operator asked for.

use crate::held::REASON;
use crate::policy;
use crate::words::{boot_path_word, service_word, task_id, units, wrong};
use wreimage_sdk::{Fault, OptionKind, OptionSpec, Options, Request, Role, text};

/// The values of `--conftool-value` that take a host out of service.
const DEPOOLED: [&str; 2] = ["inactive", "no"];

/// What `--pxe-media` is when it is not given.
const MEDIA: &str = "installer";

/// The guest's own options, for the host to turn into command-line options.
pub fn all() -> Vec<OptionSpec> {
    vec![
        OptionSpec::text(
            "os",
            "OS",
            "Code name of the OS release to install, such as bullseye",
        )
        .role(Role::TargetRelease)
        .choices_from("dhcp.releases")
        .required(),
        OptionSpec::text(
            "task",
            "TASK",
            "Phabricator task to update when the reimage starts and ends, such as T12345",
        )
        .short('t')
        .needs("phabricator"),
        OptionSpec::toggle("conftool", "Depool the host from all its services first")
            .short('c')
            .role(Role::Depools)
            .needs("conftool"),
        OptionSpec::choice(
            "conftool-value",
            &DEPOOLED,
            "What to set `pooled` to, with --conftool",
        )
        .by_default(DEPOOLED[0])
        .needs("conftool"),
        OptionSpec::toggle(
            "httpbb",
            "Run the tests of a web server against the host when it is up",
        )
        .needs("httpbb"),
        OptionSpec::text(
            "httpbb-suite",
            "SUITE",
            "Which tests to run, with --httpbb, by the name that the site gives them",
        )
        .by_default(policy::HTTPBB_SUITE)
        .needs("httpbb"),
        OptionSpec::toggle(
            "new",
            "The host is not in PuppetDB: it is freshly racked, or an earlier run has removed it. No downtime before the \
             installation, no depool, Puppet is not disabled",
        )
        .role(Role::NewHost),
        OptionSpec::toggle(
            "no-pxe",
            "Do not boot into the installer; go on with the OS that a run before has installed",
        )
        .role(Role::KeepsSystem),
        OptionSpec::toggle(
            "no-downtime",
            "No downtime before the installation; the new host gets one all the same",
        ),
        OptionSpec::words(
            "mask",
            "UNITS",
            "Systemd services to mask before the first Puppet run, separated by commas; they stay masked",
        ),
        OptionSpec::toggle(
            "no-check-icinga",
            "Do not wait for an optimal status in Icinga at the end, and leave the downtime",
        )
        .needs("icinga"),
        OptionSpec::text("pxe-media", "MEDIA", "Boot media of the release")
            .choices_from("dhcp.media")
            .by_default(MEDIA),
        OptionSpec::toggle(
            "force",
            "Where the runbook has a doubt, go on with a warning instead of asking",
        ),
    ]
}

/// The options of this run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Short name of the host.
    pub host: String,
    /// Code name of the release to install.
    pub os: String,
    /// Boot media that the operator asked for.
    pub pxe_media: String,
    /// Boot media that the site has chosen instead.
    pub site_media: Option<String>,
    /// The task to update.
    pub task: Option<String>,
    /// What to set `pooled` to; none without `--conftool`.
    pub depool_to: Option<String>,
    /// Tests to run; none without `--httpbb`.
    pub httpbb: Option<String>,
    /// The operator calls the host new: not in PuppetDB. The validation checks that.
    pub new: bool,
    /// Do not install.
    pub no_pxe: bool,
    /// No downtime before the installation.
    pub no_downtime: bool,
    /// Names of units, with their suffix.
    pub mask: Vec<String>,
    /// Do not judge the host by Icinga.
    pub no_check_icinga: bool,
    /// Doubts become warnings.
    pub force: bool,
    request: Request,
}

impl Asked {
    /// Reads the options of a request.
    ///
    /// # Errors
    /// `rejected` when `--os` is missing, a value cannot be what it is for, or options contradict each other.
    pub fn from_request(request: &Request) -> Result<Self, Fault> {
        let options = Options::from(request);
        let given = |name: &str| options.text(name).filter(|value| !value.is_empty());
        let asked = Asked {
            host: request.host.clone(),
            os: boot_path_word("os", options.required("os")?)?,
            pxe_media: boot_path_word("pxe-media", given("pxe-media").unwrap_or(MEDIA))?,
            site_media: None,
            task: given("task").map(task_id).transpose()?,
            depool_to: together(&options, "conftool", "conftool-value", DEPOOLED[0])?,
            httpbb: together(&options, "httpbb", "httpbb-suite", policy::HTTPBB_SUITE)?,
            new: options.toggle("new"),
            no_pxe: options.toggle("no-pxe"),
            no_downtime: options.toggle("no-downtime"),
            mask: given("mask").map_or(Ok(Vec::new()), units)?,
            no_check_icinga: options.toggle("no-check-icinga"),
            force: options.toggle("force"),
            request: request.clone(),
        };
        if asked.no_pxe && asked.pxe_media != MEDIA {
            return Err(wrong(
                "--pxe-media chooses what is booted, and with --no-pxe nothing is; give one of the two.",
            ));
        }
        Ok(asked)
    }

    /// Whether a kernel command line is that of an installer.
    pub fn is_installer(&self, kernel_command_line: &str) -> bool {
        self.request.is_installer(kernel_command_line)
    }

    /// Name of the run's site.
    pub fn site(&self) -> &str {
        &self.request.site
    }

    /// Who started the run.
    pub fn actor(&self) -> &str {
        &self.request.actor
    }

    /// Id of the run.
    pub fn run_id(&self) -> &str {
        &self.request.run_id
    }

    /// The options that were given: names without the dashes, and values where they have one. An option that says what
    /// is so without it counts as not given. Each value was looked at when it was read, and is a word to a shell.
    pub fn given(&self) -> Vec<(String, Option<String>)> {
        let options = Options::from(&self.request);
        let given = |spec: OptionSpec| {
            if spec.kind == OptionKind::Toggle {
                return options.toggle(&spec.name).then_some((spec.name, None));
            }
            let value = options.text(&spec.name)?;
            let says_something = !value.is_empty() && spec.default.as_deref() != Some(value);
            says_something.then(|| (spec.name.clone(), Some(value.to_owned())))
        };
        all().into_iter().filter_map(given).collect()
    }

    /// The boot media to install from.
    pub fn media(&self) -> &str {
        self.site_media.as_deref().unwrap_or(&self.pxe_media)
    }

    /// Whether the operator has named boot media of their own.
    pub fn media_is_asked_for(&self) -> bool {
        self.pxe_media != MEDIA
    }

    /// Why a step that needs these capabilities is not done, if it is not.
    pub fn lacks(&self, capabilities: &[&str]) -> Option<String> {
        self.request.lacks(capabilities)
    }

    /// Whose doing this is, for systems that ask for a reason.
    pub fn reason(&self) -> String {
        let task = self.task.as_ref().map(|task| format!(" - {task}"));
        format!("{REASON}{}{}", self.whose(), task.unwrap_or_default())
    }

    /// Who started the run, and where: `actor@controller`, of characters that mean nothing to any system.
    pub fn whose(&self) -> String {
        let word = |text: &str| text::reason(text, policy::NAME_LIMIT);
        let controller = self
            .request
            .extra
            .iter()
            .find(|(key, _)| key == "controller");
        match controller {
            Some((_, controller)) => format!("{}@{}", word(self.actor()), word(controller)),
            None => word(self.actor()),
        }
    }
}

/// The value of an option that only means something with a toggle: none when neither was given.
fn together(
    options: &Options,
    toggle: &str,
    option: &str,
    default: &str,
) -> Result<Option<String>, Fault> {
    let value = options.text(option).unwrap_or(default);
    match (options.toggle(toggle), value == default) {
        (true, _) => Ok(Some(service_word(option, value)?)),
        (false, true) => Ok(None),
        (false, false) => Err(wrong(&format!(
            "--{option} says something about --{toggle}, which is not given; add it, or leave --{option} out."
        ))),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use wreimage_sdk::OptionValue;

    /// A request with these options and the defaults of the others, as the host makes it.
    pub fn request(given: &[(&str, &str)]) -> Request {
        let mut options: Vec<OptionValue> = all()
            .into_iter()
            .filter_map(|spec| {
                Some(OptionValue {
                    name: spec.name,
                    value: spec.default?,
                })
            })
            .filter(|option| given.iter().all(|(name, _)| *name != option.name))
            .collect();
        options.extend(given.iter().map(|(name, value)| OptionValue {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        }));
        Request {
            run_id: "run-1".to_owned(),
            host: "host1001".to_owned(),
            site: "lab1".to_owned(),
            actor: "tester".to_owned(),
            options,
            absent: Vec::new(),
            extra: Vec::new(),
        }
    }

    fn asked(given: &[(&str, &str)]) -> Result<Asked, Fault> {
        let os = [("os", "bullseye")];
        Asked::from_request(&request(&[&os, given].concat()))
    }

    #[test]
    fn the_marks_say_what_an_option_means_to_the_host() {
        let marks: Vec<_> = all()
            .into_iter()
            .flat_map(|spec| {
                let name = spec.name;
                let marks = spec.extra.into_iter().filter(|(key, _)| key == "role");
                marks.map(move |(_, role)| format!("{name}: {role}"))
            })
            .collect();
        assert_eq!(
            marks,
            [
                "os: target-release",
                "conftool: depools",
                "new: new-host",
                "no-pxe: keeps-system"
            ]
        );
    }

    #[test]
    fn what_is_not_asked_for_is_not_done() {
        let plain = asked(&[]).unwrap();
        assert_eq!(
            (plain.depool_to, plain.httpbb, plain.task),
            (None, None, None)
        );
        assert!(plain.mask.is_empty());
    }

    #[test]
    fn the_words_of_the_page_have_the_values_of_the_page() {
        let page = asked(&[
            ("conftool", "true"),
            ("httpbb", "true"),
            ("mask", "a,b.service,a"),
            ("task", "T12345"),
        ])
        .unwrap();
        assert_eq!(page.depool_to.as_deref(), Some("inactive"));
        assert_eq!(page.httpbb.as_deref(), Some("appserver"));
        assert_eq!(page.mask, ["a.service", "b.service"]);
        assert_eq!(page.task.as_deref(), Some("T12345"));
    }

    #[test]
    fn wrong_options_and_those_that_contradict_each_other_are_refused() {
        for wrong in [
            &[("task", "12345")][..],
            &[("conftool-value", "no")],
            &[("httpbb-suite", "parsoid")],
            &[("no-pxe", "true"), ("pxe-media", "rescue")],
            &[("httpbb", "true"), ("httpbb-suite", "../../etc")],
            &[("mask", "a b")],
            &[("mask", ",")],
            &[("mask", "a,,b")],
            &[("mask", "srv.mount")],
        ] {
            let fault = asked(wrong).unwrap_err();
            assert_eq!(fault.code, wreimage_sdk::OPTION_WRONG);
            assert!(fault.message.ends_with("Nothing was touched."), "{fault}");
        }
    }

    #[test]
    fn the_reason_names_who_and_why_and_means_nothing_to_a_shell() {
        let mut asked = asked(&[("task", "T1")]).unwrap();
        assert_eq!(asked.reason(), "Host reimage - tester - T1");
        asked.request.extra = vec![("controller".to_owned(), "c1001.example".to_owned())];
        assert_eq!(asked.reason(), "Host reimage - tester@c1001.example - T1");
        asked.request.actor = format!("a'; reboot #{}", "x".repeat(10_000));
        assert!(!asked.reason().contains(['\'', ';', '#']));
        assert!(asked.reason().ends_with(" - T1"));
        assert!(asked.reason().len() <= 120);
    }
}
