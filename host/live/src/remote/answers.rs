//! Reading what a machine says of itself. A machine that goes down or comes up says all sorts of things.

use wreimage_capability::remote::{Dmi, OsRelease};
use wreimage_facts::placeholder;

/// Printed before the answer: whatever a login shell's start files print comes before it.
pub(crate) const MARK: &str = "wreimage-answer";

/// The commands, as strings of the far shell; all of them work in busybox too.
pub(crate) const UPTIME: &str = "cat /proc/uptime";
pub(crate) const BOOT_ID: &str = "cat /proc/sys/kernel/random/boot_id";
pub(crate) const COMMAND_LINE: &str = "cat /proc/cmdline";
pub(crate) const HOST_NAME: &str = "cat /proc/sys/kernel/hostname";
/// By what the shell itself can do: to start a program takes a while on a machine that is busy coming up.
pub(crate) const BOOT: &str = "for f in /proc/sys/kernel/random/boot_id /proc/uptime /proc/cmdline; do read -r line <$f && printf '%s\\n' \"$line\"; done";
/// Exit status when the file is not there.
pub(crate) const NO_FILE: u32 = 44;
pub(crate) const OS_RELEASE: &str = "test -e /etc/os-release || exit 44; cat /etc/os-release";
pub(crate) const DMI: &str = "for f in product_serial product_uuid; do echo \"$f=$(cat /sys/class/dmi/id/$f 2>/dev/null)\"; done";

/// The answer behind the mark.
pub(crate) fn answer(stdout: &str) -> Option<&str> {
    let (_, after) = stdout.rsplit_once(MARK)?;
    Some(after.trim())
}

/// First word of `/proc/uptime`, in seconds, as milliseconds.
pub(crate) fn uptime(text: &str) -> Option<u64> {
    let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    // More than 300 years is no uptime.
    (seconds.is_finite() && (0.0..1e10).contains(&seconds)).then(|| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked above"
        )]
        let millis = (seconds * 1000.0) as u64;
        millis
    })
}

/// A boot id has the form of a UUID.
pub(crate) fn boot_id(text: &str) -> Option<String> {
    uuid(text)
}

fn uuid(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let fits = text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    fits.then_some(text)
}

/// One line that is not empty.
pub(crate) fn line(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = !text.is_empty() && !text.contains(char::is_control);
    fits.then(|| text.to_owned())
}

/// Boot id, uptime and kernel command line, one a line.
pub(crate) fn boot(text: &str) -> Option<(String, u64, String)> {
    let mut lines = text.lines();
    let found = (
        boot_id(lines.next()?)?,
        uptime(lines.next()?)?,
        line(lines.next()?)?,
    );
    lines.next().is_none().then_some(found)
}

/// os-release(5).
pub(crate) fn os_release(text: &str) -> Option<OsRelease> {
    let value = |key: &str| {
        text.lines().find_map(|line| {
            let value = line.trim().strip_prefix(key)?.strip_prefix('=')?;
            Some(unquote(value))
        })
    };
    Some(OsRelease {
        id: value("ID")?,
        version_id: value("VERSION_ID").unwrap_or_default(),
        codename: value("VERSION_CODENAME").unwrap_or_default(),
        pretty_name: value("PRETTY_NAME").unwrap_or_default(),
        extra: Vec::new(),
    })
}

fn unquote(value: &str) -> String {
    let value = value.trim();
    let quoted = ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    quoted
        .unwrap_or(value)
        .replace("\\\"", "\"")
        .replace("\\$", "$")
}

/// `product_serial=…` and `product_uuid=…`.
pub(crate) fn dmi(text: &str) -> Option<Dmi> {
    let value = |key: &str| text.lines().find_map(|line| line.trim().strip_prefix(key));
    let serial = value("product_serial=")?;
    Some(Dmi {
        serial: placeholder::reported(serial).map(str::to_owned),
        machine_uuid: uuid(value("product_uuid=")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "8f3c1f0e-92a1-4c55-9a77-0d5a3f0b1c2d";

    #[test]
    fn the_answer_stands_behind_the_mark() {
        assert_eq!(
            answer(&format!("Welcome!\n{MARK}\n 12.5 3\n")),
            Some("12.5 3")
        );
        assert_eq!(answer("System is going down."), None);
    }

    #[test]
    fn garbage_is_no_uptime_and_no_boot_id() {
        assert_eq!(uptime("350735.47 234388.90\n"), Some(350_735_470));
        assert_eq!(boot_id(&format!("{ID}\n")).as_deref(), Some(ID));
        for garbage in [
            "",
            "System is going down",
            "-1 2",
            "NaN 1",
            "1e300",
            "\u{0}",
        ] {
            assert_eq!(uptime(garbage), None, "{garbage:?}");
            assert_eq!(boot_id(garbage), None, "{garbage:?}");
        }
    }

    #[test]
    fn a_boot_is_three_lines() {
        let text = format!("{ID}\n12.34 5.6\nBOOT_IMAGE=debian-installer/amd64/linux quiet\n");
        let (id, uptime, line) = boot(&text).unwrap();
        assert_eq!((id.as_str(), uptime), (ID, 12_340));
        assert!(line.contains("debian-installer"));
        assert!(boot(&format!("{text}more\n")).is_none());
        assert!(boot(ID).is_none());
    }

    #[test]
    fn os_releases_are_read() {
        let text = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=x\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nID=debian\n";
        let os = os_release(text).unwrap();
        assert_eq!(
            (os.id.as_str(), os.version_id.as_str(), os.codename.as_str()),
            ("debian", "12", "bookworm")
        );
        assert_eq!(os.pretty_name, "Debian GNU/Linux 12 (bookworm)");
        assert!(os_release("nonsense").is_none());
    }

    #[test]
    fn dmi_without_a_serial_is_absent() {
        let told = dmi(&format!(
            "product_serial=ABC1234\nproduct_uuid={}\n",
            ID.to_uppercase()
        ))
        .unwrap();
        assert_eq!(
            (told.serial.as_deref(), told.machine_uuid.as_deref()),
            (Some("ABC1234"), Some(ID))
        );
        let not = dmi("product_serial=To Be Filled By O.E.M.\nproduct_uuid=\n").unwrap();
        assert_eq!((not.serial, not.machine_uuid), (None, None));
        assert!(dmi("garbage").is_none());
    }
}
