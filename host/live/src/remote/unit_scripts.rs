//! What a machine is told to do about a command that runs there as a transient unit. The first argument of each script is the
//! command's id, `RUN-SEQUENCE`; the unit is `wreimage-ID`.
//!
//! `/run/wreimage/ID` says how far it is: `began`, `ended` with how it ended, `late` when it was not begun. It is gone after a reboot, as the command is.
//! `/var/tmp/wreimage-ID` has the output, and goes when it is collected; what is left then is a line in `/run`, until the
//! run's next command: it shows that this one must not be begun again.

/// Ends with status 0 where commands can run as units.
macro_rules! has_units {
    () => {
        "{ [ -d /run/systemd/system ] && command -v systemd-run >/dev/null && [ \"$(id -u)\" = 0 ]; }"
    };
}

/// Starts it. Arguments: run, sequence, seconds until it is killed, the script of the command in base 64. Says `plain` where
/// there are no units, `there` when it was begun before, `begun`, or `failed WHY`.
pub(super) const START: &str = concat!(
    has_units!(),
    r#" || { echo plain; exit 0; }
umask 077
s=/run/wreimage/$1 o=/var/tmp/wreimage-$1 u=wreimage-$1
mkdir -p /run/wreimage
# It was too late to begin it the last time.
[ ! -e "$s/late" ] || rm -rf "$s" "$o"
mkdir "$s" 2>/dev/null || { [ -d "$s" ] && echo there || echo "failed $s cannot be made"; exit 0; }
# What became of this run's earlier commands is known, or it would not be at this one.
for d in "/run/wreimage/$2"-*; do
    [ "${d%-*}" = "/run/wreimage/$2" ] && [ "${d##*-}" -lt "$3" ] 2>/dev/null && rm -rf "$d" "/var/tmp/wreimage-${d##*/}"
done
rm -rf "$o"
if mkdir "$o" && : > "$o/out" && : > "$o/err" && printf %s "$5" | base64 -d > "$s/run" && cat > "$s/end" <<END
echo "\$EXIT_CODE \$EXIT_STATUS \$SERVICE_RESULT" > $s/ended.new && mv $s/ended.new $s/ended
END
then
    why=$(systemd-run --quiet --collect --unit="$u" --setenv=PATH="$PATH" --setenv=HOME="$HOME" --setenv=USER="$USER" \
        --setenv=LOGNAME="$LOGNAME" --setenv=LANG="$LANG" --property=RuntimeMaxSec="$4" --property=TimeoutStopSec=10 \
        --property=ExecStopPost="/bin/sh $s/end" /bin/sh "$s/run" "$s" "$o" 2>&1) && { echo begun; exit 0; }
    # It may have been started all the same.
    sleep 2
    [ -e "$s/began" ] && { echo begun; exit 0; }
else
    why="$o cannot be written"
fi
rm -rf "$s" "$o"
echo failed "$why""#
);

/// Looks for some seconds whether it ends. Says `plain` where there are no units, `absent`, `running`, `ended CODE STATUS
/// RESULT`, `late` when it was too late to begin it, or `lost` when it has begun and nothing says how it ended.
pub(super) const WATCH: &str = concat!(
    has_units!(),
    r#" || { echo plain; exit 0; }
s=/run/wreimage/$1 n=0 gone=0
[ -d "$s" ] || { echo absent; exit 0; }
while [ $n -lt 50 ]; do
    [ -e "$s/late" ] && { echo late; exit 0; }
    [ -e "$s/ended" ] && { echo "ended $(cat "$s/ended")"; exit 0; }
    if [ $((n % 5)) = 0 ]; then
        case $(systemctl show --property=ActiveState --value "wreimage-$1") in
            active|activating|deactivating|reloading) gone=0 ;;
            *) gone=$((gone + 1)) ;;
        esac
        # More than once: it may be on its way, or about to say how it ended.
        [ $gone -lt 4 ] || { [ -e "$s/began" ] && echo lost || echo absent; exit 0; }
    fi
    n=$((n + 1))
    sleep 0.2
done
echo running"#
);

/// Gives its output, `out` or `err`: the first 8 MiB, and the end when that was not all.
pub(super) const COLLECT: &str = r#"f=/var/tmp/wreimage-$1/$2
[ -e "$f" ] || exit 44
if [ "$(wc -c < "$f")" -le 8388608 ]; then cat "$f"; else head -c 8388608 "$f"; tail -c 16384 "$f"; fi"#;
/// Exit status of [`COLLECT`] when the output was removed.
pub(super) const COLLECTED: u32 = 44;

/// Removes what was collected.
pub(super) const CLEAN: &str =
    r#"s=/run/wreimage/$1; rm -rf "/var/tmp/wreimage-$1" "$s/run" "$s/end" "$s/began""#;

/// Ends it with all its processes.
pub(super) const STOP: &str =
    "systemctl kill --signal=KILL \"wreimage-$1\"; systemctl stop \"wreimage-$1\"";

/// What the unit runs: the command, in the user's home, its output to files. `argv` is quoted for a shell. At the uptime
/// `until`, in seconds, or later, the command is not begun.
pub(super) fn script(argv: &str, until: Option<u64>) -> String {
    let check = until.map_or_else(String::new, |until| {
        format!(
            "read -r up rest </proc/uptime && [ \"${{up%.*}}\" -lt {until} ] || {{ : > \"$1/late\"; exit 1; }}\n"
        )
    });
    format!("{check}: > \"$1/began\"; cd; exec {argv} </dev/null >\"$2/out\" 2>\"$2/err\"\n")
}

#[cfg(test)]
mod tests {
    use super::script;
    use std::process::Command;

    /// Which files there are after the script of a unit has run.
    fn files(until: Option<u64>) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        std::fs::write(&path, script("'echo' 'x'", until)).unwrap();
        let state = folder.path().join("state");
        std::fs::create_dir(&state).unwrap();
        let mut shell = Command::new("sh");
        shell.arg(&path).args([&state, &state]).status().unwrap();
        let names = std::fs::read_dir(&state).unwrap();
        let mut names: Vec<String> = names
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_command_that_is_too_late_is_not_begun() {
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let now: u64 = uptime.split('.').next().unwrap().parse().unwrap();
        for until in [None, Some(now + 1000)] {
            assert_eq!(files(until), ["began", "err", "out"], "{until:?}");
        }
        for until in [Some(0), Some(now)] {
            assert_eq!(files(until), ["late"], "{until:?}");
        }
    }
}
