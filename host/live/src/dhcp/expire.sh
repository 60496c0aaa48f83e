# shellcheck shell=sh
# Takes the DHCP entries of wreimage out whose time is over, and has the DHCP server forget them. A timer of this install
# server runs it each minute; it ends that timer when there is nothing more to do for `host`.

main() {
    { mkdir -p "$state" && true >> "$state/lock" && true >> "$state/work"; } || exit 1
    exec 9>> "$state/lock"
    # Another process changes something; the next minute will do.
    flock -w 40 9 || exit 0
    printf '%s the expiry of entries on this server, since %s\n' "$$" "$(date -u +%FT%TZ)" > "$state/lock"
    take_record_lock
    read_clock
    for file in "$state"/*.entry; do
        expire_record "$file"
    done
    release_record_lock
    if [ -e "$state/unsettled" ]; then
        tell_server
    fi
    take_record_lock
    drop_timer
}

expire_record() {
    read_record "$1" || return 0
    measure_record
    [ "$remaining" = 0 ] || return 0
    its_host=${1##*/}
    its_host=${its_host%%.*}
    if [ -e "$r_entry" ] && [ "$(digest_of "$r_entry")" != "$r_digest" ]; then
        echo "$r_entry is not the entry of run $r_run, whose time is over; it stays"
    elif [ -e "$r_entry" ]; then
        echo "the time of $r_entry is over: run $r_run has not renewed it; it is taken out"
        # Before the entry goes: what follows is done again, however this ends.
        { note_unsettled "$r_entry" "$r_proxy" && rm -f "$r_entry" && sync "${r_entry%/*}"; } || exit 1
        record_lost "$r_run" "$its_host" expired -
    fi
    rm -f "$1"
}

# Has the DHCP server read what the folder has now.
tell_server() {
    read -r entry proxy < "$state/unsettled"
    mark=$(read_start_mark) || mark=''
    if ! include_and_prove "$mark"; then
        echo "the include tool $fault; it is run again in a minute. It printed: $output"
        exit 1
    fi
}
