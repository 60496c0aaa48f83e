//! A real sshd, behind which the files of another machine seem to be.

use crate::process::Process;
use crate::site::TestSite;
use crate::tools::{program, run, script, tcp_port};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// A boot id that the test machine starts with.
pub const BOOT_ID: &str = "11111111-1111-4111-8111-111111111111";
/// Another one.
pub const OTHER_BOOT_ID: &str = "22222222-2222-4222-8222-222222222222";

/// Runs what was asked for with the machine's own files in place of the system's. The process id of the session goes to a
/// file, so that a test can break it.
const SHELL: &str = r#"#!/bin/sh
root=ROOT
echo $PPID > $root/session
[ -e $root/says ] && { cat $root/says; exit 0; }
command=$(printf '%s\n' "$SSH_ORIGINAL_COMMAND" | sed "s#/proc/sys/kernel/random#$root/machine#g; s#/proc/sys/kernel/hostname#$root/machine/hostname#g; s#/proc/#$root/machine/#g; s#/etc/os-release#$root/machine/os-release#g; s#/run/systemd/system#$root/machine/no-systemd#g; s#/sys/class/dmi/id#$root/machine#g")
PATH=$root/bin:$PATH
export PATH
exec sh -c "$command"
"#;

/// A machine that is entered by SSH.
pub struct Sshd {
    /// TCP port on 127.0.0.1.
    pub port: u16,
    folder: PathBuf,
    process: Option<Process>,
}

/// Makes a key pair.
pub fn keygen(path: &std::path::Path, kind: &str, passphrase: &str) {
    let _ = std::fs::remove_file(path);
    run(Command::new(program("ssh-keygen", "openssh-client"))
        .args(["-q", "-t", kind, "-C", "test", "-N", passphrase, "-f"])
        .arg(path));
}

/// The user that runs the tests: an sshd that is not root lets no other in.
pub fn user() -> String {
    run(Command::new("id").arg("-un").env("LC_ALL", "C"))
        .trim()
        .to_owned()
}

impl Sshd {
    /// Prepares the machine with both identities allowed; it is not started yet. `faked`: with its own files.
    pub fn new(site: &TestSite, faked: bool) -> Self {
        let sshd = Sshd {
            port: tcp_port(),
            folder: site.folder().to_owned(),
            process: None,
        };
        for (name, kind) in [
            ("installer", "ed25519"),
            ("production", "ed25519"),
            ("stranger", "ed25519"),
            ("host-ed25519", "ed25519"),
            ("host-rsa", "rsa"),
        ] {
            keygen(&site.path(name), kind, "");
        }
        std::fs::create_dir_all(site.path("machine")).unwrap();
        std::fs::create_dir_all(site.path("bin")).unwrap();
        sshd.machine("boot_id", BOOT_ID);
        sshd.machine("uptime", "1000.50 2000.00");
        sshd.machine("cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/vda1 quiet");
        sshd.machine("hostname", "host1001");
        sshd.machine(
            "os-release",
            "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm",
        );
        sshd.machine("product_serial", "SER1001");
        sshd.machine("product_uuid", "4C4C4544-0031-3210-8033-B4C04F354333");
        script(
            &site.path("shell"),
            &SHELL.replace("ROOT", &site.folder().display().to_string()),
        );
        sshd.allow(&["installer", "production"]);
        sshd.know("host-ed25519");
        let forced = if faked {
            format!("ForceCommand {}\n", site.path("shell").display())
        } else {
            String::new()
        };
        let folder = site.folder().display();
        site.write(
            "sshd_config",
            &format!(
                "Port {}\nListenAddress 127.0.0.1\nHostKey {folder}/host-ed25519\nHostKey {folder}/host-rsa\n\
                 AuthorizedKeysFile {folder}/authorized_keys\nPidFile none\nStrictModes no\nUsePAM no\n\
                 PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
                 MaxStartups 100\nLogLevel VERBOSE\n{forced}",
                sshd.port
            ),
        );
        sshd
    }

    /// Prepares and starts it.
    pub fn start(site: &TestSite) -> Self {
        let mut sshd = Sshd::new(site, true);
        sshd.up();
        sshd
    }

    /// Starts it.
    pub fn up(&mut self) {
        // sshd wants its empty folder when it runs as root.
        let _ = std::fs::create_dir_all("/run/sshd");
        let mut command = Command::new(program("sshd", "openssh-server"));
        command
            .args(["-D", "-e", "-f"])
            .arg(self.folder.join("sshd_config"));
        let mut process = Process::start(&command, &self.folder.join("sshd.log"));
        let port = self.port;
        process.wait_until("sshd", |_| TcpStream::connect(("127.0.0.1", port)).is_ok());
        self.process = Some(process);
    }

    /// A service unit that runs it, for a machine that systemd boots.
    pub fn unit(&self) -> String {
        let sshd = program("sshd", "openssh-server");
        format!(
            "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart={} -D -e -f {}/sshd_config\nKillMode=process\n",
            sshd.display(),
            self.folder.display()
        )
    }

    /// Waits until it answers.
    ///
    /// # Panics
    /// When that takes longer than 20 s.
    pub fn wait(&self) {
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < end, "sshd did not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// From now on it is reached at another port, which leads to its own.
    pub fn reach_by(&mut self, port: u16) {
        self.port = port;
        self.know("host-ed25519");
    }

    /// Stops it.
    pub fn down(&mut self) {
        self.process = None;
    }

    /// How many connections it was asked for since it came up.
    pub fn connections(&self) -> usize {
        let log = std::fs::read_to_string(self.folder.join("sshd.log")).unwrap_or_default();
        log.matches("Connection from").count()
    }

    /// How many commands it was asked to run since it came up.
    pub fn sessions(&self) -> usize {
        let log = std::fs::read_to_string(self.folder.join("sshd.log")).unwrap_or_default();
        log.matches("Starting session: command").count()
    }

    /// Has it accept as few logins at the same time as sshd does by default.
    pub fn with_default_startups(&self) {
        let path = self.folder.join("sshd_config");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("MaxStartups 100\n", "")).unwrap();
    }

    /// Writes one of the machine's files.
    pub fn machine(&self, name: &str, text: &str) {
        std::fs::write(self.folder.join("machine").join(name), format!("{text}\n")).unwrap();
    }

    /// Lets only these keys in.
    pub fn allow(&self, names: &[&str]) {
        let keys: String = names
            .iter()
            .map(|name| std::fs::read_to_string(self.folder.join(format!("{name}.pub"))).unwrap())
            .collect();
        std::fs::write(self.folder.join("authorized_keys"), keys).unwrap();
    }

    /// Makes this the only known key of the host.
    pub fn know(&self, key: &str) {
        let key = std::fs::read_to_string(self.folder.join(format!("{key}.pub"))).unwrap();
        let text = format!(
            "[host1001.lab1.test]:{0},[install1001.lab1.test]:{0} {key}",
            self.port
        );
        std::fs::write(self.folder.join("known_hosts"), text).unwrap();
    }

    /// The process id of the newest session.
    pub fn session(&self) -> i32 {
        let text = std::fs::read_to_string(self.folder.join("session")).unwrap();
        text.trim().parse().unwrap()
    }

    /// The `[remote]` table of a site with this machine.
    pub fn table(&self, more: &str) -> String {
        format!(
            "[remote]\nprovider = \"russh\"\nuser = \"{}\"\nport = {}\n{more}\n\
             [remote.installer]\nkey = \"installer\"\n\
             [remote.production]\nkey = \"production\"\nknown-hosts = \"known_hosts\"\n",
            user(),
            self.port
        )
    }
}
