//! An install server: the automation folder, real `dhcpd -t`, and the include tool of the metal rig, which behaves as the
//! reference says, faults included.

use crate::site::TestSite;
use crate::tools::{program, script};
use std::path::PathBuf;

/// What the snippets need of `dhcpd.conf`.
const CONFIGURATION: &str =
    "authoritative; ddns-update-style none; default-lease-time 600; max-lease-time 7200;
option space pxelinux;
option pxelinux.magic code 208 = string;
option pxelinux.configfile code 209 = text;
option pxelinux.pathprefix code 210 = text;
option pxelinux.reboottime code 211 = unsigned integer 32;
option pxe-client-id code 97 = string;
subnet 10.0.0.0 netmask 255.255.255.0 { }
";

/// Starts count in a file. With `restart-fails` it does not start; with `restart-fails-once` the next time only.
const SYSTEMCTL: &str = "#!/bin/sh
cd \"$(dirname \"$0\")\" || exit 1
if [ -e restart-fails-once ]; then rm restart-fails-once; echo 'Job failed'; exit 1; fi
[ -e restart-fails ] && { echo 'Job failed'; exit 1; }
echo $(( $(cat started) + 1 )) > started
";

/// The folders and programs of an install server.
pub struct InstallServer {
    folder: PathBuf,
}

impl InstallServer {
    /// Makes one in the site's folder.
    pub fn new(site: &TestSite) -> Self {
        let folder = site.path("install");
        let automation = folder.join("automation");
        for name in ["ttyS1-115200", "proxies"] {
            std::fs::create_dir_all(automation.join(name)).unwrap();
        }
        let server = InstallServer { folder };
        let proxy = automation.join("proxies/ttyS1-115200.conf");
        std::fs::write(&proxy, "").unwrap();
        server.put(
            "dhcpd.conf",
            &format!("{CONFIGURATION}include \"{}\";\n", proxy.display()),
        );
        server.put("started", "1\n");
        server.put("running", "");
        server.put("leases", "");
        script(&server.folder.join("systemctl"), SYSTEMCTL);
        // The check must not touch the leases of this machine.
        let dhcpd = program("dhcpd", "isc-dhcp-server");
        let leases = server.folder.join("leases");
        script(
            &server.folder.join("dhcpd"),
            &format!(
                "#!/bin/sh\nexec {} -4 -lf {} \"$@\"\n",
                dhcpd.display(),
                leases.display()
            ),
        );
        script(
            &server.folder.join("dhcpincludes"),
            include_str!("../../metal/templates/dhcpincludes"),
        );
        server.configure(&format!("{}/systemctl", server.folder.display()));
        server
    }

    /// Makes one whose DHCP server is a real service of a machine that systemd has booted; the unit `isc-dhcp-server` is
    /// returned with it. The daemon listens in a network of its own. How it ended goes to the file `stops`.
    pub fn with_daemon(site: &TestSite) -> (Self, String) {
        let server = InstallServer::new(site);
        let ip = program("ip", "iproute2").display().to_string();
        let dhcpd = program("dhcpd", "isc-dhcp-server").display().to_string();
        let f = server.folder.display().to_string();
        server.configure(&program("systemctl", "systemd").display().to_string());
        let unit = format!(
            "[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Service]\nPrivateNetwork=yes\n\
             ExecStartPre=-{ip} link add v0 type veth peer name v1\nExecStartPre={ip} link set v1 up\n\
             ExecStartPre=-{ip} addr add 10.0.0.254/24 dev v0\nExecStartPre={ip} link set v0 up\n\
             ExecStart={dhcpd} -f -4 -cf {f}/dhcpd.conf -lf {f}/leases -pf /run/dhcpd.pid v0\n\
             ExecStopPost=/bin/sh -c 'echo \"$$SERVICE_RESULT\" >> {f}/stops'\n"
        );
        (server, unit)
    }

    fn configure(&self, systemctl: &str) {
        let f = self.folder.display();
        let proxy = self.folder.join("automation/proxies/ttyS1-115200.conf");
        self.put(
            "dhcpincludes.yaml",
            &format!(
                "{{\"service-name\": \"isc-dhcp-server\", \"dhcpd\": \"{f}/dhcpd\", \"dhcpd.conf\": \"{f}/dhcpd.conf\", \
                 \"systemctl\": \"{systemctl}\", \"lock\": \"{f}/lock\", \"faults\": \"{f}\", \"paths\": [{{\"path\": \
                 \"{f}/automation/ttyS1-115200\", \"file\": \"{}\"}}]}}",
                proxy.display()
            ),
        );
    }

    fn put(&self, name: &str, text: &str) {
        std::fs::write(self.folder.join(name), text).unwrap();
    }

    /// Turns a fault on: `fault-exception`, `restart-fails`, `restart-fails-once`.
    pub fn fault(&self, name: &str) {
        self.put(name, "");
    }

    /// Turns a fault off.
    pub fn mend(&self, name: &str) {
        std::fs::remove_file(self.folder.join(name)).unwrap();
    }

    /// The snippet of a host.
    pub fn snippet(&self, host: &str) -> PathBuf {
        self.folder
            .join(format!("automation/ttyS1-115200/{host}.conf"))
    }

    /// The proxy file.
    pub fn proxy(&self) -> String {
        std::fs::read_to_string(self.folder.join("automation/proxies/ttyS1-115200.conf")).unwrap()
    }

    /// How often the DHCP server was started.
    pub fn starts(&self) -> u32 {
        let text = std::fs::read_to_string(self.folder.join("started")).unwrap();
        text.trim().parse().unwrap()
    }

    /// How the daemon ended each time, by systemd's word.
    pub fn stops(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.join("stops")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The include tool with its arguments.
    pub fn include(&self) -> Vec<String> {
        let f = self.folder.display();
        ["dhcpincludes", "-c", "dhcpincludes.yaml", "-r", "commit"]
            .map(|word| {
                if word.starts_with("dhcpincludes") {
                    format!("{f}/{word}")
                } else {
                    word.to_owned()
                }
            })
            .to_vec()
    }

    /// Whether the scheduler that stands in for systemd in [`InstallServer::table`] was told to watch over the host's entry.
    /// It never does.
    pub fn is_scheduled(&self, host: &str) -> bool {
        self.folder.join(format!("timer-{host}")).is_symlink()
    }

    /// The folder beside the snippets in which the lock and the deadlines are.
    pub fn state(&self) -> PathBuf {
        self.folder.join("automation/.wreimage")
    }

    /// The `[dhcp]` table of a site with this server.
    pub fn table(&self) -> String {
        let f = self.folder.display();
        self.table_with(&format!(
            "running = [\"test\", \"-e\", \"{f}/running\"]\nstarted = [\"cat\", \"{f}/started\"]\n\
             schedule = [\"ln\", \"-s\", \"{{script}}\", \"{f}/timer-{{host}}\"]\n\
             scheduled = [\"test\", \"-L\", \"{f}/timer-{{host}}\"]\n\
             unschedule = [\"rm\", \"{f}/timer-{{host}}\"]\n"
        ))
    }

    /// The same with these keys in place of those that say whether the daemon runs.
    pub fn table_with(&self, keys: &str) -> String {
        let f = self.folder.display();
        let include = if keys.contains("include = ") {
            String::new()
        } else {
            format!("include = {:?}\n", self.include())
        };
        format!(
            "[dhcp]\nprovider = \"dhcpincludes\"\nfolder = \"{f}/automation\"\n{include}{keys}\
             [dhcp.boot.pxelinux-http]\npathprefix = \"http://apt.wikimedia.org/tftpboot/{{distribution}}-{{media}}/\"\n\
             [dhcp.boot.pxelinux-tftp]\nfilename = \"/srv/tftpboot/{{distribution}}-installer/pxelinux.0\"\n\
             pathprefix = \"/srv/tftpboot/{{distribution}}-{{media}}/\"\n\
             [dhcp.boot.ipxe]\nloader = \"/srv/tftpboot/ipxe/undionly.kpxe\"\n\
             script = \"http://208.80.154.30/efiboot/autoexec.ipxe\"\n\
             [dhcp.boot.uefi-http]\nfilename = \"http://208.80.154.30/efiboot/snponly.efi\"\n"
        )
    }
}
