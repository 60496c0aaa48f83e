//! From what a guest asks for, the inventory and the site to a snippet. Every string is checked: what stands in a snippet
//! is read by the DHCP server of a whole data centre.

use super::render::{Filename, Match, Snippet, pxe_client_id};
use super::table::BootTable;
use std::net::Ipv4Addr;
use wreimage_capability::dhcp::{BootMethod, Entry, MatchKind};
use wreimage_capability::{Fault, HostSnapshot};

/// Makes the snippet of a host. `system` names the install server in faults.
pub(super) fn snippet(
    host: &str,
    entry: &Entry,
    inventory: &HostSnapshot,
    boot: &BootTable,
    system: &str,
) -> Result<Snippet, Fault> {
    let maker = Maker {
        host,
        entry,
        inventory,
        system,
    };
    maker.word("distribution", &entry.distribution)?;
    maker.word("media", &entry.media)?;
    let (filename, options) = maker.boot(boot)?;
    Ok(Snippet {
        host: host.to_owned(),
        matches: maker.matches()?,
        address: maker.address()?,
        filename,
        options,
    })
}

struct Maker<'a> {
    host: &'a str,
    entry: &'a Entry,
    inventory: &'a HostSnapshot,
    system: &'a str,
}

type Boot = (Filename, Vec<(&'static str, String)>);

impl Maker<'_> {
    fn rejected(&self, message: String) -> Fault {
        Fault::rejected("dhcp.invalid", self.system, message)
    }

    fn missing(&self, what: &str) -> Fault {
        Fault::not_found(
            "dhcp.inventory-incomplete",
            self.system,
            format!(
                "the inventory has no {what} of {}, and the DHCP entry needs it; add it there",
                self.host
            ),
        )
    }

    /// Lower-case letters, digits, dot, dash.
    fn word(&self, name: &str, text: &str) -> Result<(), Fault> {
        let allowed =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
        if !text.is_empty() && text.chars().all(allowed) && !text.contains("..") {
            return Ok(());
        }
        Err(self.rejected(format!(
            "the {name} `{}` is not made of lower-case letters, digits, dots and dashes",
            text.escape_debug()
        )))
    }

    /// A text of the inventory or the site that will stand between quotes.
    fn quotable(&self, name: &str, text: String) -> Result<String, Fault> {
        let allowed = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '{' | '}');
        if !text.is_empty() && text.chars().all(allowed) {
            return Ok(text);
        }
        Err(self.rejected(format!(
            "the {name} `{}` cannot stand in a DHCP entry: spaces, quotes, backslashes, braces and letters beyond ASCII \
             are not allowed",
            text.escape_debug()
        )))
    }

    fn fill(&self, name: &str, template: &str) -> Result<String, Fault> {
        let text = template
            .replace("{distribution}", &self.entry.distribution)
            .replace("{media}", &self.entry.media);
        self.quotable(name, text)
    }

    fn matches(&self) -> Result<Match, Fault> {
        match &self.entry.match_by {
            MatchKind::CircuitId => {
                let port = self
                    .inventory
                    .switch_port
                    .as_ref()
                    .ok_or_else(|| self.missing("switch port"))?;
                // The first logical unit of the interface is the one that carries the untagged VLAN.
                let circuit = format!("{}:{}.0:{}", port.switch_name, port.port, port.vlan);
                self.quotable("circuit-id", circuit).map(Match::CircuitId)
            }
            MatchKind::Mac => {
                let mac = self
                    .inventory
                    .device
                    .mac
                    .as_deref()
                    .ok_or_else(|| self.missing("MAC address"))?;
                let pairs: Vec<&str> = mac.split(':').collect();
                let is_pair =
                    |pair: &&str| pair.len() == 2 && pair.chars().all(|c| c.is_ascii_hexdigit());
                if pairs.len() != 6 || !pairs.iter().all(is_pair) {
                    return Err(self.rejected(format!(
                        "the inventory's MAC address `{}` of {} is not one",
                        mac.escape_debug(),
                        self.host
                    )));
                }
                Ok(Match::Mac(mac.to_ascii_lowercase()))
            }
            MatchKind::Uuid => {
                let uuid = self
                    .inventory
                    .device
                    .machine_uuid
                    .as_deref()
                    .ok_or_else(|| self.missing("machine UUID"))?;
                pxe_client_id(uuid).map(Match::Uuid).ok_or_else(|| {
                    self.rejected(format!(
                        "the inventory's machine UUID `{}` of {} is not one",
                        uuid.escape_debug(),
                        self.host
                    ))
                })
            }
            MatchKind::Other(kind) => Err(Fault::unsupported(
                "dhcp.match-kind",
                self.system,
                format!(
                    "this host does not know how to match by `{}`",
                    kind.escape_debug()
                ),
            )),
        }
    }

    fn address(&self) -> Result<Ipv4Addr, Fault> {
        let text = self
            .inventory
            .device
            .primary_ip
            .as_deref()
            .ok_or_else(|| self.missing("primary address"))?;
        text.parse().map_err(|_| {
            self.rejected(format!(
                "the inventory's primary address `{}` of {} is not an IPv4 address, which DHCP needs",
                text.escape_debug(),
                self.host
            ))
        })
    }

    fn boot(&self, boot: &BootTable) -> Result<Boot, Fault> {
        match &self.entry.boot {
            BootMethod::PxelinuxHttp => {
                let table = boot
                    .pxelinux_http
                    .as_ref()
                    .ok_or_else(|| self.lacking("pxelinux-http"))?;
                let prefix = self.fill("pathprefix", &table.pathprefix)?;
                Ok((Filename::Default, vec![("pxelinux.pathprefix", prefix)]))
            }
            BootMethod::PxelinuxTftp => {
                let table = boot
                    .pxelinux_tftp
                    .as_ref()
                    .ok_or_else(|| self.lacking("pxelinux-tftp"))?;
                let prefix = self.fill("pathprefix", &table.pathprefix)?;
                let filename = self.fill("filename", &table.filename)?;
                Ok((
                    Filename::Plain(filename),
                    vec![("pxelinux.pathprefix", prefix)],
                ))
            }
            BootMethod::Ipxe => {
                let table = boot.ipxe.as_ref().ok_or_else(|| self.lacking("ipxe"))?;
                let loader = self.fill("loader", &table.loader)?;
                let script = self.fill("script", &table.script)?;
                let root = self.fill("root-path", &table.root_path)?;
                Ok((
                    Filename::Chain { loader, script },
                    vec![("root-path", root)],
                ))
            }
            BootMethod::UefiHttp => {
                let table = boot
                    .uefi_http
                    .as_ref()
                    .ok_or_else(|| self.lacking("uefi-http"))?;
                let filename = self.fill("filename", &table.filename)?;
                let root = self.fill("root-path", &table.root_path)?;
                let options = vec![
                    ("root-path", root),
                    ("vendor-class-identifier", "HTTPClient".to_owned()),
                ];
                Ok((Filename::HiddenFromInstaller(filename), options))
            }
            BootMethod::Other(method) => Err(self.lacking(&method.escape_debug().to_string())),
        }
    }

    fn lacking(&self, method: &str) -> Fault {
        Fault::unsupported(
            "dhcp.boot-method",
            self.system,
            format!(
                "the site file has no [dhcp.boot.{method}], so {} cannot be booted that way",
                self.host
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::sha256;
    use wreimage_capability::netbox::{Device, DeviceKind, DeviceStatus, Firmware, SwitchPort};

    const BOOT: &str = r#"
        [pxelinux-http]
        pathprefix = "http://apt.wikimedia.org/tftpboot/{distribution}-{media}/"
        [pxelinux-tftp]
        filename = "/srv/tftpboot/{distribution}-installer/pxelinux.0"
        pathprefix = "/srv/tftpboot/{distribution}-{media}/"
        [ipxe]
        loader = "/srv/tftpboot/ipxe/undionly.kpxe"
        script = "http://208.80.154.30/efiboot/autoexec.ipxe"
        [uefi-http]
        filename = "http://208.80.154.30/efiboot/snponly.efi"
    "#;

    fn bare() -> HostSnapshot {
        HostSnapshot::of(Device {
            name: "somehost1001".to_owned(),
            fqdn: "somehost1001.eqiad.test".to_owned(),
            management_fqdn: None,
            site: "eqiad".to_owned(),
            status: DeviceStatus::Active,
            kind: DeviceKind::Physical,
            firmware: Firmware::Bios,
            vendor: None,
            serial: None,
            machine_uuid: None,
            primary_ip: None,
            mac: None,
            tags: Vec::new(),
            extra: Vec::new(),
        })
    }

    fn host() -> HostSnapshot {
        let mut host = bare();
        host.device.primary_ip = Some("10.0.0.1".to_owned());
        host.device.mac = Some("aa:00:00:12:34:56".to_owned());
        host.device.machine_uuid = Some("4c4c4544-0031-3210-8033-b4c04f354333".to_owned());
        host.switch_port = Some(SwitchPort {
            switch_name: "asw2-a-eqiad".to_owned(),
            port: "ge-6/0/1".to_owned(),
            vlan: "private1-a-eqiad".to_owned(),
            extra: Vec::new(),
        });
        host
    }

    fn entry(match_by: MatchKind, distribution: &str, boot: BootMethod) -> Entry {
        Entry {
            match_by,
            distribution: distribution.to_owned(),
            media: "installer".to_owned(),
            boot,
        }
    }

    fn text(entry: &Entry) -> Result<String, Fault> {
        let boot: BootTable = toml::from_str(BOOT).unwrap();
        snippet("somehost1001", entry, &host(), &boot, "install server").map(|it| it.text())
    }

    #[test]
    fn the_seven_host_snippets_are_byte_exact() {
        use BootMethod::{Ipxe, PxelinuxHttp, PxelinuxTftp, UefiHttp};
        use MatchKind::{CircuitId, Mac, Uuid};
        for (entry, bytes, sum) in [
            (
                entry(CircuitId, "bullseye", PxelinuxHttp),
                227,
                "df789b8d3ed9e31960e88f550010caccc1f4da2ecc0854c647660d2ffa962c32",
            ),
            (
                entry(CircuitId, "bookworm", PxelinuxHttp),
                227,
                "194c9dd332b5807e5c5fbdbc6e1db1afb566a9fdea84a4890d8a0fc8aacf6b37",
            ),
            (
                entry(CircuitId, "bookworm", PxelinuxTftp),
                267,
                "ebeab257964087bc567468e40fa8f71ce86295dc97f2d1383a67d62c785729c9",
            ),
            (
                entry(Mac, "bookworm", PxelinuxHttp),
                180,
                "903f1042b384f3b21f0860081bcac58d23c81dcb6e180dfcfbed50c8f2c24a2e",
            ),
            (
                entry(Mac, "bookworm", PxelinuxTftp),
                220,
                "237f46d21b24e1faf07fbb4a9e076cb34c3f58af00ad520941ed828f38cf2e20",
            ),
            (
                entry(Uuid, "bookworm", Ipxe),
                380,
                "2ae46d68604e543c3af4558c104b0af0724b6fed43a9369f71e63e5aba28edfd",
            ),
            (
                entry(Uuid, "bookworm", UefiHttp),
                385,
                "b6ab8dcebd26ef13425b91f8ca8bbd08b62b61d6b1ea836657a7ef0c253724a3",
            ),
        ] {
            let text = text(&entry).unwrap();
            assert_eq!(
                (text.len(), sha256(text.as_bytes()).as_str()),
                (bytes, sum),
                "{text}"
            );
        }
    }

    #[test]
    fn the_matched_value_is_read_back() {
        use super::super::render::matched_value;
        for (kind, value) in [
            (
                MatchKind::CircuitId,
                "asw2-a-eqiad:ge-6/0/1.0:private1-a-eqiad",
            ),
            (MatchKind::Mac, "aa:00:00:12:34:56"),
            (
                MatchKind::Uuid,
                "00:44:45:4c:4c:31:00:10:32:80:33:b4:c0:4f:35:43:33",
            ),
        ] {
            let text = text(&entry(kind, "bookworm", BootMethod::PxelinuxHttp)).unwrap();
            assert_eq!(matched_value(&text), value);
        }
        assert_eq!(matched_value("something else"), "");
    }

    #[test]
    fn what_could_break_out_is_refused() {
        for wrong in [
            "", "Bullseye", "a b", "a\"", "a;b", "../x", "a..b", "a\n", "ä",
        ] {
            let fault = text(&entry(MatchKind::Mac, wrong, BootMethod::PxelinuxHttp)).unwrap_err();
            assert_eq!(fault.code, "dhcp.invalid", "{wrong:?}");
        }
        let mut inventory = host();
        inventory.switch_port.as_mut().unwrap().vlan = "x\"; } evil {".to_owned();
        let boot: BootTable = toml::from_str(BOOT).unwrap();
        let asked = entry(MatchKind::CircuitId, "bookworm", BootMethod::PxelinuxHttp);
        assert!(snippet("h", &asked, &inventory, &boot, "s").is_err());
    }

    #[test]
    fn what_the_inventory_or_the_site_lacks_is_named() {
        let asked = entry(MatchKind::Mac, "bookworm", BootMethod::Ipxe);
        let fault = snippet("h", &asked, &host(), &BootTable::default(), "s").unwrap_err();
        assert!(
            fault.message.contains("[dhcp.boot.ipxe]"),
            "{}",
            fault.message
        );
        let boot: BootTable = toml::from_str(BOOT).unwrap();
        let fault = snippet("h", &asked, &bare(), &boot, "s").unwrap_err();
        assert!(fault.message.contains("MAC address"), "{}", fault.message);
    }
}
