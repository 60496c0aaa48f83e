# shellcheck shell=sh
# Takes an entry out: the one that the run `run` has published (`mode` is run), or whatever entry the host has (`mode` is
# host). A record belongs to a snippet by its digest, so an entry that was changed since is no run's. Variables as for publish.sh.

main() {
    take_automation_lock
    check_claim
    read_clock
    take_record_lock
    judge_present
    take_out
    release_record_lock
    first=''
    mark=$(read_start_mark) || mark=''
    if ! include_and_prove "$mark"; then
        first="$fault: $output"
        mark=$(read_start_mark) || mark=''
        if ! include_and_prove "$mark"; then
            print_text output "$output"
            fail failed "$code" "$fault"
        fi
    fi
    [ -z "$first" ] || print_text first "$first"
    forget_records
    finish withdrawn
}

# By run: refused while that run's claim is held with another token, whatever became of this one's claim. By host: the run
# needs its own claim, or no other run may have an entry that has not expired.
check_claim() {
    if [ "$mode" = run ]; then
        answer=$(find_other_claim)
        case $answer in
            '' | *status=folder*) ;;
            *)
                printf '%s\n' "$answer"
                exit 0
                ;;
        esac
    elif [ "$leased" = yes ]; then
        open_lease
        confirm_claim
        close_lease
    fi
}

# Answers when a claim of this run is held with another token; a lease folder that is lost has none. Whether a claim of a later
# version is held cannot be read here.
find_other_claim() {
    open_lease
    files=$(grep -lxF -e "run=$run" -- claims/*[!~] 2> /dev/null)
    for file in $files; do
        name=${file#*/}
        if ! load_claim "$name"; then
            [ "$claim_fault" != later ] || finish claimed
        elif [ "$c_run" = "$run" ] && [ "$c_state" = held ] && [ "$c_token" != "$claim_token" ]; then
            print_shown "$name"
            finish claimed
        fi
    done
}

take_out() {
    case $mode.$present in
        *.absent) finish_absent ;;
        host.foreign)
            if [ "$leased" != yes ]; then
                print_field by "$r_run"
                print_field remaining-ms "$remaining"
                finish foreign
            fi
            ;;
        host.* | run.own) ;;
        run.*)
            [ "$present" = unrecorded ] || print_field by "$r_run"
            finish not-ours
            ;;
    esac
    # Before the entry goes: what follows is done again, however this ends.
    { note_unsettled "$entry" "$proxy" && rm -f "$entry" && sync "$entries"; } ||
        fail failed file "$entry cannot be removed"
}

# The snippet is not there. An earlier withdrawal may have ended between it and the DHCP server.
finish_absent() {
    if grep -qsxF -e "$entry $proxy" "$state/unsettled" || is_listed "$entry" "$proxy"; then
        return 0
    fi
    forget_records
    finish absent
}

# The records of the entry that is gone, and its timer. Another run whose entry this was learns of it by its next renewal; by
# run, its record stays for that.
forget_records() {
    exec 8>> "$state/work"
    flock -w 10 8
    for file in "$state/$host".*.entry; do
        [ -e "$file" ] || continue
        if read_record "$file" && [ "$r_run" != "$run" ]; then
            [ "$mode" = host ] || continue
            record_lost "$r_run" "$host" removed "$run"
        fi
        rm -f "$file"
    done
    rm -f "$state/$host.old" "$state/$host.snippet"
    drop_timer || print_field timer left
}
