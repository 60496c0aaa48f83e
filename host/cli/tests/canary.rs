//! Nothing that a system repeats of the site's secrets reaches a sink: neither the journal, its blobs, the events, the report,
//! a guest, nor what a guest tells other systems.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{User, guests};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};
use wreimage_capability::{
    Answer, BoxFuture, Call, Dispatch, Fault, Function, Polled, Providers, Reconciled,
};
use wreimage_engine::{
    Absent, Engine, Given, GivenConsent, Guest, Operator, OptionValues, RunRequest, Services,
};
use wreimage_journal::{Question, RunDatabase};
use wreimage_lab::{Lab, Pace, World};
use wreimage_site::Site;

/// With signs that every encoding writes in another way.
const SECRET: &str = "c4nary \"s/e+c?r\\e&t\" of the BMC";

/// It as programs write it. Made by other means than those of the program: `base64`, `xxd`, `jq -R @uri`, `jq -R .`.
const WRITTEN: [&str; 9] = [
    SECRET,
    "YzRuYXJ5ICJzL2UrYz9yXGUmdCIgb2YgdGhlIEJNQw==",
    // Behind "root:", as in a header of HTTP.
    "cm9vdDpjNG5hcnkgInMvZStjP3JcZSZ0IiBvZiB0aGUgQk1D",
    // Behind "adm:".
    "YWRtOmM0bmFyeSAicy9lK2M/clxlJnQiIG9mIHRoZSBCTUM=",
    "63346e6172792022732f652b633f725c65267422206f662074686520424d43",
    "c4nary%20%22s%2Fe%2Bc%3Fr%5Ce%26t%22%20of%20the%20BMC",
    "c4nary%20%22s%2fe%2bc%3fr%5ce%26t%22%20of%20the%20BMC",
    "c4nary+%22s%2Fe%2Bc%3Fr%5Ce%26t%22+of+the+BMC",
    "c4nary \\\"s/e+c?r\\\\e&t\\\" of the BMC",
];

/// What must be found nowhere: of each form a piece that nothing else has.
const TRACES: [&str; 7] = [
    "c4nary",
    "YzRuYXJ5",
    "bmFyeSAi",
    "jNG5hcnkg",
    "63346e617279",
    "s/e+c?r",
    "s%2",
];

fn written() -> String {
    WRITTEN.join(" | ")
}

/// Repeats the secret wherever a provider can say anything.
struct Parrot {
    inner: Arc<dyn Dispatch>,
    /// What it was told itself: arguments of guests.
    heard: Arc<Mutex<String>>,
}

fn repeat(value: &mut Value) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                match (key.as_str(), &mut *value) {
                    ("output_tail" | "text" | "reason", Value::String(text)) => {
                        text.push_str(&written());
                    }
                    ("extra", Value::Array(extra)) => extra.push(json!(["echo", written()])),
                    _ => repeat(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(repeat),
        _ => {}
    }
}

impl Dispatch for Parrot {
    fn perform<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        Box::pin(async move {
            self.heard.lock().unwrap().push_str(&arguments.to_string());
            call.progress(format!("it says {}", written()));
            call.keep(written().as_bytes());
            let answer = self.inner.perform(call, function, arguments).await;
            if function.to_string() == "httpbb.run-suite" {
                return Err(Fault::rejected("httpbb.echo", "httpbb", written()));
            }
            match answer {
                Ok(Polled::Ready(mut outcome)) => {
                    repeat(&mut outcome);
                    Ok(Polled::Ready(outcome))
                }
                Ok(Polled::Pending { why, again }) => Ok(Polled::Pending {
                    why: why + &written(),
                    again,
                }),
                Err(mut fault) => {
                    fault.message.push_str(&written());
                    Err(fault)
                }
            }
        })
    }

    fn witness<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
    ) -> BoxFuture<'a, Result<Value, Fault>> {
        Box::pin(async move {
            let seen = self.inner.witness(call, function, arguments).await?;
            Ok(json!({ "seen": seen, "echo": written() }))
        })
    }

    fn reconcile<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
        witness: &'a Value,
    ) -> BoxFuture<'a, Result<Reconciled, Fault>> {
        self.inner.reconcile(call, function, arguments, witness)
    }
}

/// Goes on whatever happens, and remembers what it was asked.
struct Skips(Mutex<String>);

impl Operator for Skips {
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Result<Given, Fault>> {
        self.0.lock().unwrap().push_str(&question.question);
        Box::pin(async {
            Ok(Given {
                choice: "skip".to_owned(),
                by: "tester".to_owned(),
            })
        })
    }
}

/// All bytes of all files below a folder, with their names.
fn files(folder: &Path, all: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, all);
        } else {
            all.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

async fn site_with_secret(folder: &Path) -> Site {
    let file = folder.join("site.toml");
    std::fs::write(
        &file,
        "name = \"lab1\"\ndomain = \"lab1.test\"\n[ipmi]\nprovider = \"ipmitool\"\nuser = \"root\"\n\
         password = { prompt = \"BMC\" }\n",
    )
    .unwrap();
    let site = Site::load(&file)
        .unwrap()
        .with_prompter(Arc::new(|_: &str| Ok(SecretString::from(SECRET))));
    site.ask_secrets().await.unwrap();
    site
}

#[tokio::test]
async fn no_sink_holds_a_secret_that_a_system_repeats() {
    let folder = tempfile::tempdir().unwrap();
    let site = site_with_secret(folder.path()).await;
    let engine = Engine::new(Some(&guests().join("../test-cache"))).unwrap();
    let bytes = std::fs::read(guests().join("reimage.wasm")).unwrap();
    let guest = Guest::load(&engine, &bytes).await.unwrap();
    // The first Puppet run of host1008 fails: the operator is asked, with its output.
    let lab = Lab::new(World::builtin().unwrap(), Pace::Full);
    let all = lab.providers_for("host1008", Some("T12345"));
    let heard = Arc::new(Mutex::new(String::new()));
    let mut providers = Providers::new();
    for name in all.names() {
        let inner = all.get(name).unwrap();
        let heard = heard.clone();
        providers.add((name, Arc::new(Parrot { inner, heard })));
    }
    let state = folder.path().join("state");
    let mut services = Services::new(providers);
    services.clock = lab.clock();
    services.consent = Arc::new(GivenConsent("host1008".to_owned()));
    let operator = Arc::new(Skips(Mutex::default()));
    services.operator = operator.clone();
    services.redactor = Some(site.redactor());
    services.resumable = true;
    let events = Arc::new(Mutex::new(String::new()));
    let listening = events.clone();
    services.listener = Some(Arc::new(move |entry| {
        let line = serde_json::to_string(entry).unwrap();
        listening.lock().unwrap().push_str(&line);
    }));
    let mut request = RunRequest::new("host1008", "lab1");
    let given = [("os", "bullseye"), ("task", "T12345"), ("httpbb", "true")];
    let given = given.map(|(name, value)| (name, value.to_owned()));
    request.options =
        OptionValues::check(guest.description(), given.to_vec(), &Absent::new()).unwrap();
    services.log = Arc::new(RunDatabase::create(&state, &request.run).unwrap());
    let report = wreimage_engine::run(&engine, &guest, request, services).await;
    let report = serde_json::to_string(&report.unwrap()).unwrap();

    let mut sinks = Vec::new();
    files(&state, &mut sinks);
    assert!(sinks.len() > 2, "no journal and blobs: {}", sinks.len());
    let texts = [
        ("events", events.lock().unwrap().clone()),
        ("report", report),
        ("questions", operator.0.lock().unwrap().clone()),
        ("arguments of the guest", heard.lock().unwrap().clone()),
    ];
    for (name, text) in &texts {
        // It got there, and was taken out: otherwise this would prove nothing.
        assert!(text.contains("[redacted]"), "{name}: {text}");
        sinks.push(((*name).to_owned(), text.clone().into_bytes()));
    }
    for (name, bytes) in sinks {
        let text = String::from_utf8_lossy(&bytes);
        for trace in TRACES {
            if let Some(at) = text.find(trace) {
                let begin = text.floor_char_boundary(at.saturating_sub(80));
                let end = text.ceil_char_boundary((at + 80).min(text.len()));
                panic!("{name} has {trace}: …{}…", &text[begin..end]);
            }
        }
    }
}

/// What the program itself prints, and what it tells people by `[notify]`: of a BMC whose tool repeats its password.
#[test]
fn neither_the_screen_nor_those_who_are_told_see_a_secret() {
    let user = User::new();
    let tool = user.file(
        "ipmitool",
        "#!/bin/sh\necho \"Unable to send RAW command (channel=0x0 netfn=0x0 lun=0x0 cmd=0x1 rsp=0xd4): \
         $IPMITOOL_PASSWORD\" >&2\nexit 1\n",
    );
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&tool, executable).unwrap();
    user.file("password", "c4nary-of-the-BMC\n");
    user.file(
        "inventory.toml",
        "[hosts.host1001]\nstatus = \"active\"\nprimary-ip = \"127.0.0.1\"\n",
    );
    user.file("hosts", "127.0.0.1 host1001.x.test host1001.mgmt.x.test\n");
    let told = user.home.path().join("told");
    let site = user.file(
        "site.toml",
        format!(
            "name = \"x\"\ndomain = \"x.test\"\n[[grants]]\nguest = \"bmc-check\"\nhosts = [\"*\"]\n\
             capabilities = [\"ipmi\", \"dhcp\", \"remote\", \"netbox\", \"dns\"]\n[netbox]\nprovider = \"file\"\n\
             inventory = \"inventory.toml\"\n[dns]\nprovider = \"hosts\"\nhosts = \"hosts\"\n[ipmi]\n\
             provider = \"ipmitool\"\nuser = \"root\"\npassword = {{ file = \"password\" }}\nprogram = {tool:?}\n\
             [dhcp]\nprovider = \"lab\"\n[remote]\nprovider = \"lab\"\n[notify]\n\
             command = [\"/bin/sh\", \"-c\", \"cat >> {}\"]\n",
            told.display()
        ),
    );
    let run = ["run", "bmc-check", "--site", &site, "--host", "host1001"];
    let text = user.wreimage(&run).said();
    let json = user
        .wreimage(&[&run[..], &["--output", "json"]].concat())
        .said();
    let told = std::fs::read_to_string(&told).unwrap();
    for (name, text) in [("text", &text), ("json", &json), ("told", &told)] {
        // It got there, and was taken out.
        assert!(text.contains("[redacted]"), "{name}: {text}");
        assert!(!text.contains("c4nary"), "{name}: {text}");
    }
    let mut all = Vec::new();
    files(&user.home.path().join(".local"), &mut all);
    for (name, bytes) in all {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("c4nary"), "{name}");
    }
}

/// A site whose BMC's tool is a script of this text, with a password file.
fn site_with_tool(user: &User, script: &str) -> String {
    let tool = user.file("ipmitool", format!("#!/bin/sh\n{script}\n"));
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&tool, executable).unwrap();
    user.file("password", "c4nary-of-the-BMC\n");
    user.file(
        "inventory.toml",
        "[hosts.host1001]\nstatus = \"active\"\nprimary-ip = \"127.0.0.1\"\n",
    );
    user.file("hosts", "127.0.0.1 host1001.x.test host1001.mgmt.x.test\n");
    user.file(
        "site.toml",
        format!(
            "name = \"x\"\ndomain = \"x.test\"\n[[grants]]\nguest = \"bmc-check\"\nhosts = [\"*\"]\n\
             capabilities = [\"ipmi\", \"dhcp\", \"remote\", \"netbox\", \"dns\"]\n[netbox]\nprovider = \"file\"\n\
             inventory = \"inventory.toml\"\n[dns]\nprovider = \"hosts\"\nhosts = \"hosts\"\n[ipmi]\n\
             provider = \"ipmitool\"\nuser = \"root\"\npassword = {{ file = \"password\" }}\nprogram = {tool:?}\n\
             [dhcp]\nprovider = \"lab\"\n[remote]\nprovider = \"lab\"\n"
        ),
    )
}

/// A message that is cut in the middle of a password holds nothing of it, in a run and in `site check`.
#[test]
fn no_piece_of_a_secret_is_left_at_a_cut() {
    for before in [185, 190, 195] {
        let user = User::new();
        let line = format!("echo \"$(printf %0{before}d 0)$IPMITOOL_PASSWORD\" >&2; exit 1");
        let site = site_with_tool(&user, &line);
        for command in [
            &["run", "bmc-check", "--site", &site, "--host", "host1001"][..],
            &["site", "check", "--site", &site, "--host", "host1001"],
        ] {
            let said = user.wreimage(command).said();
            // It got there, and was taken out or cut off.
            assert!(said.contains("00000000000"), "{said}");
            assert!(!said.contains("c4na"), "{before}: {said}");
        }
        let mut all = Vec::new();
        files(&user.home.path().join(".local"), &mut all);
        for (name, bytes) in all {
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("c4na"), "{before}: {name}");
        }
    }
}

/// `site check` prints what servers answer as a run does.
#[test]
fn the_check_of_a_site_shows_no_secret() {
    let user = User::new();
    let site = site_with_tool(
        &user,
        "echo \"Unable to send: $IPMITOOL_PASSWORD, \\033]52;c;x\\007\" >&2; exit 1",
    );
    let check = ["site", "check", "--site", &site, "--host", "host1001"];
    for more in [&[][..], &["--output", "json"]] {
        let said = user.wreimage(&[&check[..], more].concat()).said();
        assert!(said.contains("[redacted]"), "{said}");
        assert!(!said.contains("c4nary"), "{said}");
    }
}

/// Neither this program nor those that it starts leave a core with the password, and a file that others can read is refused.
#[test]
fn no_core_is_dumped_and_a_file_that_others_can_read_is_refused() {
    let user = User::new();
    let limit = user.home.path().join("limit");
    let script = format!("ulimit -H -c >> {}; exit 1", limit.display());
    let site = site_with_tool(&user, &script);
    let run = ["run", "bmc-check", "--site", &site, "--host", "host1001"];
    user.wreimage(&run);
    let limits = std::fs::read_to_string(&limit).unwrap();
    assert!(
        limits.lines().count() > 0 && limits.lines().all(|it| it == "0"),
        "{limits}"
    );
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o640);
    std::fs::set_permissions(user.home.path().join("password"), readable).unwrap();
    user.wreimage(&run)
        .ends_with(40, &["can be read or changed by others", "chmod 600"]);
    assert_eq!(
        std::fs::read_to_string(&limit).unwrap(),
        limits,
        "it was used"
    );
}
