# shellcheck shell=sh
# The DHCP automation: its lock, the records of the entries that runs have published, the include tool, the DHCP server.
#
# The controller sets `state` (the folder of locks and records), `entries` (the folder of the snippets), `proxy` (the file
# that includes them) and `who` (for those who wait), and the functions `include`, `running` and `started`.
#
# The record of an entry is the file HOST.DIGEST.entry: it is about the snippet of HOST only while that has this digest. A
# record that is written before its snippet and one that is left after it therefore change nothing.

# Waits for the lock of the automation; names the holder after $patient seconds, and gives up after $most more.
take_automation_lock() {
    { mkdir -p "$state" && true >> "$state/lock" && true >> "$state/work"; } ||
        fail failed lock "the folder $state cannot be written"
    exec 9>> "$state/lock"
    if ! flock -w "$patient" 9; then
        print_text waiting "$(cut -d ' ' -f 2- "$state/lock")"
        if ! flock -w "$most" 9; then
            print_text holder "$(cut -d ' ' -f 2- "$state/lock")"
            finish locked
        fi
    fi
    printf '%s %s, since %s\n' "$$" "$who" "$(date -u +%FT%TZ)" > "$state/lock"
}

take_record_lock() {
    exec 8>> "$state/work"
    flock -w 10 8 || fail failed lock "the lock $state/work is not released; see on the install server who holds it (fuser -v)"
}

release_record_lock() {
    exec 8>&-
}

# Reads the record of a file into r_run, r_digest, r_entry, r_proxy, r_period, r_boot, r_uptime. A record that is damaged is
# none.
read_record() {
    r_format='' r_run='' r_digest='' r_entry='' r_proxy='' r_period='' r_boot='' r_uptime='' r_end=''
    [ -f "$1" ] || return 1
    while IFS='=' read -r key value; do
        case $key in
            format) r_format=$value ;;
            run) r_run=$value ;;
            digest) r_digest=$value ;;
            entry) r_entry=$value ;;
            proxy) r_proxy=$value ;;
            period-ms) r_period=$value ;;
            boot) r_boot=$value ;;
            uptime-ms) r_uptime=$value ;;
            end) r_end=$value ;;
        esac
    done < "$1"
    [ "$r_format" = 1 ] && [ "$r_end" = 1 ] && [ -n "$r_run" ] && [ -n "$r_digest" ] && [ -n "$r_entry" ] &&
        is_number "$r_uptime" && { [ "$r_period" = never ] || is_number "$r_period"; }
}

# Writes the record of $1 with a heartbeat of now.
write_record() {
    write_file "$1" "format=1
run=$r_run
digest=$r_digest
entry=$r_entry
proxy=$r_proxy
period-ms=$r_period
boot=$boot
uptime-ms=$uptime
end=1"
}

# Sets `remaining`, the milliseconds until the entry of the record expires, or `never`.
measure_record() {
    remaining=never
    [ "$r_period" != never ] || return 0
    measure_age "$r_boot" "$r_uptime"
    remaining=$((r_period - age))
    [ "$remaining" -ge 0 ] || remaining=0
}

# Judges the snippet of `host` for the run `run`: sets `present` to absent, own, unrecorded, expired or foreign, and `now_digest`.
judge_present() {
    present=absent now_digest=''
    [ -e "$entry" ] || return 0
    now_digest=$(digest_of "$entry") || fail failed file "$entry cannot be read"
    present=unrecorded
    read_record "$state/$host.$now_digest.entry" || return 0
    measure_record
    if [ "$r_run" = "$run" ]; then
        present=own
    elif [ "$remaining" = 0 ]; then
        present=expired
    else
        present=foreign
    fi
}

# Records for the run $1 of the host $2 that its entry is lost, why, and to whom, so that its next renewal reports it.
record_lost() {
    lines=$(printf '%s\n' "$1 $3 $4"; grep -v "^$1 " "$state/$2.lost" 2> /dev/null | head -n 15)
    write_file "$state/$2.lost" "$lines"
}

# Notes that the DHCP server has to read its configuration again because of the entry $1 of the proxy file $2: the next
# holder of the lock does that if this script does not.
note_unsettled() {
    printf '%s %s\n' "$1" "$2" >> "$state/unsettled" && sync "$state/unsettled" "$state"
}

# Whether the proxy file $2 includes the snippet $1; status 2 when that cannot be read.
is_listed() {
    [ -e "$2" ] || return 1
    { [ -f "$2" ] && [ -r "$2" ]; } || return 2
    while read -r word rest; do
        [ "$word" = include ] && [ "$rest" = "\"$1\";" ] && return 0
    done < "$2"
    return 1
}

# Whether the proxy file $2 is as the snippet $1 wants it: included when it is there, not included otherwise.
is_settled() {
    is_listed "$1" "$2"
    case $? in
        0) [ -e "$1" ] ;;
        1) [ ! -e "$1" ] ;;
        *) return 1 ;;
    esac
}

# Prints what tells one start of the DHCP server from another.
read_start_mark() {
    started 7>&- 8>&- 9>&- < /dev/null
}

# Runs the include tool. The subshell keeps the lock while the tool runs, which does not inherit it: a daemon that it starts
# would keep it for ever, and a controller that dies does not let another writer meet the tool.
run_include() {
    (
        include > "$state/include.log" 2>&1 < /dev/null 7>&- 8>&- 9>&-
        exit $?
    )
    status=$?
    output=$(tail -c 2000 "$state/include.log")
    rm -f "$state/include.log"
    return "$status"
}

# Runs the include tool and proves by what it left that it did its work. $1 is the start mark of the DHCP server that ran
# before. Sets `code`, `fault` and `output` when it did not.
include_and_prove() {
    code='' fault=''
    run_include
    case $? in
        0) ;;
        2) code=restart-failed fault="could not restart the DHCP server (exit status 2)" ;;
        124 | 137) code=timeout fault="did not end in time and was killed" ;;
        *) code=refused fault="refused the configuration (exit status $status)" ;;
    esac
    [ -z "$code" ] || return 1
    if ! is_settled "$entry" "$proxy"; then
        word='does not list'
        [ -e "$entry" ] || word='still lists'
        code=not-included fault="reported success, but $proxy $word $entry"
        return 1
    fi
    tries=25
    until running 7>&- 8>&- 9>&- > /dev/null 2>&1 < /dev/null && mark=$(read_start_mark) && [ "$mark" != "$1" ]; do
        tries=$((tries - 1))
        if [ "$tries" -le 0 ]; then
            code=not-reloaded
            if running 7>&- 8>&- 9>&- > /dev/null 2>&1 < /dev/null; then
                fault="reported success, but the DHCP server was not started again since, so it serves the old configuration"
            else
                fault="reported success, but the DHCP server does not run; start it, the whole site needs it"
            fi
            return 1
        fi
        sleep 0.2
    done
    settle
}

# After a run of the include tool that is proved: only what is still not settled stays noted.
settle() {
    [ -e "$state/unsettled" ] || return 0
    left=$(while read -r one its_proxy; do
        is_settled "$one" "$its_proxy" || printf '%s %s\n' "$one" "$its_proxy"
    done < "$state/unsettled")
    if [ -z "$left" ]; then
        rm -f "$state/unsettled"
    else
        write_file "$state/unsettled" "$left"
    fi
}

# Has the install server take entries of `host` out whose time is over, each minute from now on. Prints why it does not.
ensure_timer() {
    scheduled 7>&- 8>&- 9>&- > /dev/null 2>&1 < /dev/null && return 0
    if ! words=$(schedule 2>&1 7>&- 8>&- 9>&- < /dev/null); then
        printf 'the command dhcp.schedule failed: %s' "$words"
        return 1
    fi
    scheduled 7>&- 8>&- 9>&- > /dev/null 2>&1 < /dev/null && return 0
    printf 'the command dhcp.schedule reported success, but dhcp.scheduled reports that there is no timer'
    return 1
}

# Ends the timer of `host` when no entry of it is left.
drop_timer() {
    for file in "$state/$host".*.entry; do
        [ ! -e "$file" ] || return 0
    done
    rm -f "$state/$host.sh"
    scheduled 7>&- 8>&- 9>&- > /dev/null 2>&1 < /dev/null || return 0
    unschedule > /dev/null 2>&1 7>&- 8>&- 9>&- < /dev/null
}
