//! The text of a DHCP entry, byte for byte as the real install servers have it.

use sha2::{Digest, Sha256};
use wreimage_capability::dhcp::{BootMethod, Entry};

/// How the entry recognises the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match<'a> {
    CircuitId(&'a str),
    Mac(&'a str),
    Uuid(&'a str),
}

/// Name and address of the server that has the boot files. Some firmware cannot resolve names, hence both.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BootServer<'a> {
    pub name: &'a str,
    pub address: &'a str,
}

/// The text; `None` for a boot method that this version does not know.
pub(crate) fn render(
    host: &str,
    matches: Match<'_>,
    address: &str,
    entry: &Entry,
    server: BootServer<'_>,
) -> Option<String> {
    let identifier = match matches {
        Match::CircuitId(id) => format!("host-identifier option agent.circuit-id \"{id}\";"),
        Match::Mac(mac) => format!("hardware ethernet {mac};"),
        Match::Uuid(uuid) => {
            format!("host-identifier option pxe-client-id {};", client_id(uuid)?)
        }
    };
    let (distribution, media) = (&entry.distribution, &entry.media);
    let boot = match entry.boot {
        BootMethod::PxelinuxHttp => vec![format!(
            "option pxelinux.pathprefix \"http://{}/tftpboot/{distribution}-{media}/\";",
            server.name
        )],
        BootMethod::PxelinuxTftp => vec![
            format!("filename \"/srv/tftpboot/{distribution}-installer/pxelinux.0\";"),
            format!("option pxelinux.pathprefix \"/srv/tftpboot/{distribution}-{media}/\";"),
        ],
        BootMethod::Ipxe => vec![
            either(
                "exists user-class and option user-class = \"iPXE\"",
                &format!("http://{}/efiboot/autoexec.ipxe", server.address),
                "/srv/tftpboot/ipxe/undionly.kpxe",
            ),
            format!("option root-path \"{distribution}-{media}\";"),
        ],
        BootMethod::UefiHttp => vec![
            // The installer would take the address for that of a preseed file.
            either(
                "option vendor-class-identifier = \"d-i\"",
                "",
                &format!("http://{}/efiboot/snponly.efi", server.address),
            ),
            format!("option root-path \"{distribution}-{media}\";"),
            "option vendor-class-identifier \"HTTPClient\";".to_owned(),
        ],
        BootMethod::Other(_) => return None,
    };
    Some(format!(
        "\nhost {host} {{\n    {identifier}\n    fixed-address {address};\n    {}\n}}\n",
        boot.join("\n    ")
    ))
}

/// One boot file for those whom the condition meets, another for everybody else.
fn either(condition: &str, then: &str, otherwise: &str) -> String {
    format!(
        "if {condition} {{\n        filename \"{then}\";\n    }} else {{\n        filename \"{otherwise}\";\n    }}"
    )
}

/// SHA-256 in hexadecimal.
pub(crate) fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// Option 97 for a UUID: a type byte, then the UUID with its first three fields in little-endian order.
fn client_id(uuid: &str) -> Option<String> {
    let groups: Vec<Vec<&str>> = uuid.split('-').map(pairs).collect::<Option<_>>()?;
    let [a, b, c, d, e] = groups.as_slice() else {
        return None;
    };
    let mut out = vec!["00"];
    for little_endian in [a, b, c] {
        out.extend(little_endian.iter().rev());
    }
    out.extend(d);
    out.extend(e);
    (out.len() == 17).then(|| out.join(":"))
}

fn pairs(group: &str) -> Option<Vec<&str>> {
    (0..group.len())
        .step_by(2)
        .map(|at| group.get(at..at + 2))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use wreimage_capability::dhcp::MatchKind;

    const UUID: &str = "4c4c4544-0031-3210-8033-b4c04f354333";

    fn sum(matches: Match<'_>, distribution: &str, boot: BootMethod) -> String {
        let entry = Entry {
            match_by: MatchKind::CircuitId,
            distribution: distribution.to_owned(),
            media: "installer".to_owned(),
            boot,
        };
        let server = BootServer {
            name: "apt.wikimedia.org",
            address: "208.80.154.30",
        };
        digest(&render("somehost1001", matches, "10.0.0.1", &entry, server).unwrap())
    }

    /// Sums of what the upstream renderers write (reference, golden data).
    #[test]
    fn the_text_is_that_of_the_real_servers() {
        let port = Match::CircuitId("asw2-a-eqiad:ge-6/0/1.0:private1-a-eqiad");
        let mac = Match::Mac("aa:00:00:12:34:56");
        let rows = [
            (
                port,
                "bullseye",
                BootMethod::PxelinuxHttp,
                "df789b8d3ed9e31960e88f550010caccc1f4da2ecc0854c647660d2ffa962c32",
            ),
            (
                port,
                "bookworm",
                BootMethod::PxelinuxHttp,
                "194c9dd332b5807e5c5fbdbc6e1db1afb566a9fdea84a4890d8a0fc8aacf6b37",
            ),
            (
                port,
                "bookworm",
                BootMethod::PxelinuxTftp,
                "ebeab257964087bc567468e40fa8f71ce86295dc97f2d1383a67d62c785729c9",
            ),
            (
                mac,
                "bookworm",
                BootMethod::PxelinuxHttp,
                "903f1042b384f3b21f0860081bcac58d23c81dcb6e180dfcfbed50c8f2c24a2e",
            ),
            (
                mac,
                "bookworm",
                BootMethod::PxelinuxTftp,
                "237f46d21b24e1faf07fbb4a9e076cb34c3f58af00ad520941ed828f38cf2e20",
            ),
            (
                Match::Uuid(UUID),
                "bookworm",
                BootMethod::Ipxe,
                "2ae46d68604e543c3af4558c104b0af0724b6fed43a9369f71e63e5aba28edfd",
            ),
            (
                Match::Uuid(UUID),
                "bookworm",
                BootMethod::UefiHttp,
                "b6ab8dcebd26ef13425b91f8ca8bbd08b62b61d6b1ea836657a7ef0c253724a3",
            ),
        ];
        for (matches, distribution, boot, expected) in rows {
            let name = format!("{matches:?} {boot:?}");
            assert_eq!(sum(matches, distribution, boot), expected, "{name}");
        }
    }

    #[test]
    fn what_is_no_uuid_has_no_client_id() {
        assert_eq!(
            client_id(UUID).unwrap(),
            "00:44:45:4c:4c:31:00:10:32:80:33:b4:c0:4f:35:43:33"
        );
        for wrong in [
            "",
            "4c4c",
            "4c4c4544-0031-3210-8033-b4c04f35433",
            "é-é-é-é-é",
        ] {
            assert_eq!(client_id(wrong), None, "{wrong}");
        }
    }
}
