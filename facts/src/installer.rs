//! The Debian installer.

/// What stands on the kernel command line of an installer and of no installed system: PXELINUX names the boot image, iPXE only
/// the preseed file. An installed system can have the second too, because the installer copies some of its own words.
pub const INSTALLER_MARKS: [&str; 2] = ["BOOT_IMAGE=debian-installer", "preseed/url="];

/// Whether a kernel command line is that of an installer.
pub fn is_installer(kernel_command_line: &str) -> bool {
    INSTALLER_MARKS
        .iter()
        .any(|mark| kernel_command_line.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::is_installer;

    #[test]
    fn the_command_line_of_an_installer_is_recognised_whoever_booted_it() {
        for line in [
            "BOOT_IMAGE=debian-installer/amd64/linux vga=normal",
            "auto=true preseed/url=http://apt.example/preseed.cfg",
        ] {
            assert!(is_installer(line), "{line}");
        }
        let line = "BOOT_IMAGE=/boot/vmlinuz-5.10.0-8-amd64 root=/dev/sda1 ro quiet";
        assert!(!is_installer(line));
    }
}
