//! The steps of the runbook in its order, in its words. One module a phase; what stands here is what the operator reads.

/// Constants of one phase, and in tests a list of all of them.
macro_rules! phases {
    ($($(#[$doc:meta])* $phase:ident = $phase_name:literal { $($step:ident = $name:literal;)* })*) => {
        $($(#[$doc])* pub mod $phase {
            /// Name of the phase.
            pub const PHASE: &str = $phase_name;
            $(#[doc = $name] pub const $step: &str = $name;)*
        })*

        /// Phase, constant and words of every step, in order.
        #[cfg(test)]
        pub const ALL: &[(&str, &str, &str)] = &[
            $($((stringify!($phase), stringify!($step), $name),)*)*
        ];
    };
}

phases! {
    /// Looks and changes nothing.
    validate = "validate" {
        PHYSICAL = "Ensure the host to reimage is a physical host";
        OWN_SITE = "Ensure the host belongs to this site";
        COMPLETE = "Ensure the inventory has what a reimage needs";
        KNOWN = "Ensure that the host exists in PuppetDB, or does not if --new is set";
        NAMES = "Check that both the host and its management DNS names resolve correctly";
        BMC = "Check that the host's IPMI is reachable and it's possible to execute commands";
        TASK = "Check that the Phabricator task exists";
        SERVICES = "Check that conftool has services of the host to depool";
        RELEASES = "Check that the install server has the OS and its boot media";
        DHCP_MATCH = "Determine how the DHCP server will recognise the host";
        PRESENT_BOOT = "Record which boot of the host runs now";
        PRESENT_OS = "Verify that the host runs the requested OS if --no-pxe is set";
        AGENT = "Check that the Puppet agent is not disabled if --no-pxe is set";
    }
    /// Says that it begins.
    announce = "announce" {
        START_COMMENT = "Update the Phabricator task saying that the reimage has been started";
    }
    /// Takes the host out of service.
    drain = "drain" {
        DOWNTIME = "Downtime on Icinga";
        SILENCE = "Silence the alerts on Alertmanager";
        DEPOOL = "Depool from conftool";
        PAUSE = "Wait for the traffic to drain after the depool";
        DISABLE_PUPPET = "Disable Puppet on the host";
    }
    /// Removes what other systems hold of the old system.
    forget = "forget" {
        PUPPETDB = "Remove the host from Puppet and PuppetDB";
        CERTIFICATE = "Delete any existing Puppet certificate for the host";
        DEBMONITOR = "Remove the host from Debmonitor";
    }
    /// Wipes and installs.
    install = "install" {
        DHCP = "Generate a temporary DHCP snippet on the install server and restart the DHCP server";
        PXE = "Force next boot to go via PXE via IPMI";
        POWER = "Reboot the host via IPMI";
        REACHABLE = "Poll until the host is reachable";
        INSTALLER = "Verify that the host has rebooted into the Debian installer";
        CLEAR_OVERRIDE = "Remove the PXE boot override while the installer runs";
        NEW_OS = "Poll until the host gets rebooted by the Debian installer into the new OS";
        NOT_INSTALLER = "Verify that the host has rebooted into a new OS and not again into the Debian installer";
        RELEASE = "Verify that the new OS is the requested one";
        OVERRIDE_GONE = "Ensure that no PXE boot override is left";
        DHCP_GONE = "Delete the temporary DHCP snippet and restart the DHCP server";
    }
    /// Keeps services from starting.
    mask = "mask" {
        MASK = "Mask the provided systemd services";
    }
    /// Makes the new system a known one.
    enrol = "enrol" {
        REQUEST = "Generate a Puppet certificate request on the host";
        WAIT = "Poll for the CSR on the active Puppet CA server";
        VERIFY = "Verify its fingerprint";
        SIGN = "Sign the new certificate";
    }
    /// Has monitoring know it before it is configured.
    populate = "populate" {
        NOOP = "Run Puppet in NOOP mode to compile the catalog and populate PuppetDB with the exported resources";
        RESOURCE = "Poll PuppetDB until the Nagios_host resource appears";
        ICINGA_PUPPET = "Run Puppet on the Icinga server to get the check definitions for the new host";
        ICINGA_KNOWS = "Poll until Icinga knows the new host";
        DOWNTIME = "Downtime the new host in Icinga";
        SILENCE = "Silence the alerts of the new host on Alertmanager";
    }
    /// Configures it.
    first_run = "first run" {
        FIRST_RUN = "Run Puppet for the first time";
    }
    /// Sees it up and well.
    settle = "settle" {
        BOOT_PARAMETERS = "Ensure that the BIOS boot parameters are back to normal to prevent an accidental reboot into PXE";
        CONTROLLER = "Run Puppet on the host where this runs to get the known host key of the new host";
        REBOOT = "Reboot the new host";
        REACHABLE = "Poll until the new host is reachable";
        PUPPET_RUN = "Poll until a successful Puppet run is completed";
        HTTPBB = "Run Httpbb against the host";
        UNMASK = "Print the command to unmask the masked units, if there is any";
        RECHECK = "Force a recheck of all Icinga checks";
        OPTIMAL = "Poll until the host status in Icinga is optimal";
        REMOVE_DOWNTIME = "Remove the downtime if the host status is optimal";
        REPOOL = "Print the command to repool any depooled service, if there is any";
    }
    /// Brings the records up to date.
    close = "close" {
        IMPORT = "Run the ImportPuppetDB Netbox script for the host and show its results";
        STATUS = "Set the Netbox status to active if it was planned or failed";
        MEANWHILE = "Report what others have changed since the drain";
        END_COMMENT = "Update the Phabricator task with the result of all the actions performed";
    }
}
