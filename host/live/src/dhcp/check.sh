# shellcheck shell=sh
# Checks that what the site file names is there, and the state of expiry and of the lease folder. Changes nothing.
#
# The controller sets `folder`, `entries`, `state`, `programs` and `scheduler` (programs, one a line), `schedule_by` (the program
# of dhcp.schedule, or empty), and `leased`.

main() {
    for path in "$folder" "$entries"; do
        [ -d "$path" ] || fail failed incomplete "there is no folder $path"
        [ -w "$path" ] || fail failed incomplete "$path cannot be written"
    done
    missing=$(find_missing "$programs")
    [ -z "$missing" ] || fail failed incomplete "there is no program $missing"
    running 7>&- 8>&- 9>&- > /dev/null 2>&1 < /dev/null || fail failed not-running "dhcp.running failed"
    words=$(read_start_mark 2>&1) || fail failed no-start-mark "$words"
    read_clock
    [ -z "$schedule_by" ] || check_expiry
    check_lease
    finish ok
}

find_missing() {
    printf '%s\n' "$1" | while read -r program; do
        [ -n "$program" ] || continue
        command -v "$program" > /dev/null || {
            printf '%s' "$program"
            break
        }
    done
}

check_expiry() {
    missing=$(find_missing "$scheduler")
    if [ -n "$missing" ]; then
        print_text no-expiry "there is no program $missing"
        return 0
    fi
    case $schedule_by in
        systemd-run | */systemd-run)
            if [ ! -d /run/systemd/system ]; then
                print_text no-expiry "systemd does not run there, and $schedule_by needs it"
                return 0
            fi
            systemctl is-enabled --quiet wreimage-dhcp-expiry.timer 2> /dev/null || print_field standing-timer missing
            ;;
    esac
    for file in "$state"/*.entry; do
        read_record "$file" || continue
        [ "$r_period" != never ] || continue
        measure_age "$r_boot" "$r_uptime"
        if [ "$age" -ge $((r_period + 600000)) ]; then
            name=${file##*/}
            print_text no-expiry "the time of the entry $r_entry is over, and nothing has taken it out (was the server restarted?): run sh $state/${name%%.*}.sh there"
            return 0
        fi
    done
}

# In a subshell: a folder that cannot be used ends it, and not the check.
check_lease() {
    [ "$leased" = yes ] || return 0
    answer=$(
        open_lease
        print_field ttl-ms "$f_ttl"
        print_field settling-ms "$settling"
        finish ok
    )
    printf '%s\n' "$answer" | sed 's/^/lease./'
}
