# shellcheck shell=sh
# Publishes the entry of a run: its snippet, its record with the time at which it expires, and the timer that takes it out.
# Until the DHCP server serves it, what was there before is kept and put back.
#
# The controller sets the variables of automation.sh and claims.sh, `run`, `host`, `entry` (the file of the snippet),
# `snippet` (its text in base64), `digest`, `period` (in milliseconds, or never), `timer` (the script of the timer in
# base64), `leased` (yes when the run has a claim, which is then checked here), and the functions `schedule`, `scheduled`
# and `unschedule`.

main() {
    take_automation_lock
    if [ "$leased" = yes ]; then
        open_lease
        confirm_claim
        close_lease
    fi
    read_clock
    [ -d "$entries" ] || fail failed file "there is no folder $entries"
    judge_present
    refuse_foreign
    mark=$(read_start_mark) || fail failed no-start-mark "$mark"
    start_timer
    stage
    if include_and_prove "$mark"; then
        conclude
    fi
    restore
}

# Another run's entry that has not expired is left alone, unless this run's claim proves that the other one has lost its own.
refuse_foreign() {
    if [ "$present" != foreign ] || [ "$leased" = yes ]; then
        return 0
    fi
    print_field by "$r_run"
    print_field remaining-ms "$remaining"
    finish foreign
}

# The timer first: without it nothing is published.
start_timer() {
    [ "$period" != never ] || return 0
    had_script=no
    [ ! -e "$state/$host.sh" ] || had_script=yes
    text=$(printf '%s' "$timer" | base64 -d)
    if [ "$had_script" = no ] || [ "$text" != "$(cat "$state/$host.sh")" ]; then
        write_file "$state/$host.sh" "$text" || fail failed file "$state/$host.sh cannot be written"
    fi
    words=$(ensure_timer) && return 0
    [ "$had_script" = yes ] || rm -f "$state/$host.sh"
    fail failed not-scheduled "$words"
}

# Puts snippet and record into their places. The old snippet and its record are kept until the new one is served.
stage() {
    take_record_lock
    judge_present
    refuse_foreign
    was=$present was_digest=$now_digest was_run='' kept=''
    case $was in
        own | foreign | expired) was_run=$r_run ;;
    esac
    record=$state/$host.$digest.entry
    [ "$was_digest" != "$digest" ] || [ ! -e "$record" ] || kept=$(cat "$record")
    rm -f "$state/$host.old"
    if [ "$was" != absent ]; then
        cp "$entry" "$state/$host.old" || fail failed file "$state/$host.old cannot be written"
    fi
    note_unsettled "$entry" "$proxy" || fail failed file "$state/unsettled cannot be written"
    r_run=$run r_digest=$digest r_entry=$entry r_proxy=$proxy r_period=$period
    # The name of the temporary file does not end in `.conf`, so that the include tool never takes half a file.
    if printf '%s' "$snippet" | base64 -d > "$state/$host.snippet" && [ "$(digest_of "$state/$host.snippet")" = "$digest" ] &&
        sync "$state/$host.snippet" && write_record "$record" && mv -f "$state/$host.snippet" "$entry" && sync "$entries"; then
        release_record_lock
        return 0
    fi
    rm -f "$state/$host.snippet" "$state/$host.old"
    if [ "$was_digest" != "$digest" ]; then
        rm -f "$record"
    elif [ -n "$kept" ]; then
        write_file "$record" "$kept"
    fi
    fail failed file "$entry cannot be written"
}

# The entry is served: what was there before is forgotten.
conclude() {
    take_record_lock
    for file in "$state/$host".*.entry; do
        [ "$file" != "$record" ] || continue
        # Its run learns of it by its next renewal, also when the entry itself was removed before.
        ! read_record "$file" || [ "$r_run" = "$run" ] || record_lost "$r_run" "$host" replaced "$run"
        rm -f "$file"
    done
    [ "$was" = absent ] || print_text old "$(cat "$state/$host.old")"
    rm -f "$state/$host.old"
    case $was in
        foreign | expired) record_lost "$was_run" "$host" replaced "$run" ;;
    esac
    forget_lost "$run"
    print_field replaced "$was"
    [ -z "$was_run" ] || print_field by "$was_run"
    print_field remaining-ms "$period"
    finish published
}

# This run has an entry again.
forget_lost() {
    [ -e "$state/$host.lost" ] || return 0
    lines=$(grep -v "^$1 " "$state/$host.lost")
    if [ -z "$lines" ]; then
        rm -f "$state/$host.lost"
    else
        write_file "$state/$host.lost" "$lines"
    fi
}

# The entry is not served. Puts back what was there before, so that the next run of the include tool is not refused because of
# this one, and answers why the publication failed.
restore() {
    first_code=$code first_fault=$fault first_output=$output
    take_record_lock
    if [ -e "$entry" ] && [ "$(digest_of "$entry")" != "$digest" ]; then
        restored=no second='another process has changed the snippet'
    elif put_back; then
        release_record_lock
        again=$(read_start_mark) || again=''
        if include_and_prove "$again"; then
            restored=yes second=''
        else
            restored=no second="the include tool $fault: $output"
        fi
    else
        restored=no second='the files cannot be written'
    fi
    print_field restored "$restored"
    print_field replaced "$was"
    [ "$restored" = yes ] || print_text left "$second"
    print_text output "$first_output"
    fail failed "$first_code" "$first_fault"
}

put_back() {
    if [ "$was" = absent ]; then
        { rm -f "$entry" "$record" && sync "$entries"; } || return 1
        drop_timer
        return 0
    fi
    { mv -f "$state/$host.old" "$entry" && sync "$entries"; } || return 1
    if [ -n "$kept" ]; then
        write_file "$record" "$kept"
    elif [ "$was_digest" != "$digest" ]; then
        rm -f "$record"
    fi
}
