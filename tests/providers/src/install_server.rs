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
        let f = server.folder.display();
        server.put(
            "dhcpincludes.yaml",
            &format!(
                "{{\"service-name\": \"isc-dhcp-server\", \"dhcpd\": \"{f}/dhcpd\", \"dhcpd.conf\": \"{f}/dhcpd.conf\", \
                 \"systemctl\": \"{f}/systemctl\", \"lock\": \"{f}/lock\", \"faults\": \"{f}\", \"paths\": [{{\"path\": \
                 \"{f}/automation/ttyS1-115200\", \"file\": \"{}\"}}]}}",
                proxy.display()
            ),
        );
        server
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

    /// The `[dhcp]` table of a site with this server.
    pub fn table(&self) -> String {
        let f = self.folder.display();
        format!(
            "[dhcp]\nprovider = \"dhcpincludes\"\nfolder = \"{f}/automation\"\n\
             include = [\"{f}/dhcpincludes\", \"-c\", \"{f}/dhcpincludes.yaml\", \"-r\", \"commit\"]\n\
             running = [\"test\", \"-e\", \"{f}/running\"]\nstarted = [\"cat\", \"{f}/started\"]\n\
             [dhcp.boot.pxelinux-http]\npathprefix = \"http://apt.wikimedia.org/tftpboot/{{distribution}}-{{media}}/\"\n\
             [dhcp.boot.pxelinux-tftp]\nfilename = \"/srv/tftpboot/{{distribution}}-installer/pxelinux.0\"\n\
             pathprefix = \"/srv/tftpboot/{{distribution}}-{{media}}/\"\n\
             [dhcp.boot.ipxe]\nloader = \"/srv/tftpboot/ipxe/undionly.kpxe\"\n\
             script = \"http://208.80.154.30/efiboot/autoexec.ipxe\"\n\
             [dhcp.boot.uefi-http]\nfilename = \"http://208.80.154.30/efiboot/snponly.efi\"\n"
        )
    }
}
