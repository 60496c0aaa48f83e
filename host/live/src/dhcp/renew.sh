# shellcheck shell=sh
# Renews the entries of many runs in one execution, under the short lock of the records: it never waits for a publication.
# The controller sets `state` and the functions `each_entry`, which calls `renew_entry` for each, `schedule` and `scheduled`.

main() {
    [ -d "$state" ] || {
        mkdir -p "$state" || fail failed lock "the folder $state cannot be written"
    }
    true >> "$state/work" || fail failed lock "the folder $state cannot be written"
    take_record_lock
    read_clock
    each_entry
    finish ok
}

# renew_entry HOST RUN ENTRY: a result for this run, after its name.
renew_entry() {
    host=$1 run=$2 entry=$3
    print_field run "$run"
    judge_present
    if [ "$present" = own ] && [ "$r_period" = never ]; then
        print_field result renewed
        print_field remaining-ms never
    elif [ "$present" = own ]; then
        if ! write_record "$state/$host.$now_digest.entry"; then
            print_field result failed
            print_text why "$state/$host.$now_digest.entry cannot be written"
        elif ! words=$(ensure_timer); then
            # A restart of the server has ended the timer.
            print_field result failed
            print_text why "$words"
        else
            print_field result renewed
            print_field remaining-ms "$r_period"
        fi
    elif word=$(grep -s "^$run " "$state/$host.lost"); then
        print_field result lost
        print_field lost "$(printf '%s' "$word" | head -n 1 | cut -d ' ' -f 2)"
        print_field by "$(printf '%s' "$word" | head -n 1 | cut -d ' ' -f 3)"
    elif has_record; then
        print_field result lost
        print_field lost changed
    else
        print_field result none
    fi
}

# Whether the run has a record of an entry that is not there any more.
has_record() {
    for file in "$state/$host".*.entry; do
        read_record "$file" && [ "$r_run" = "$run" ] && return 0
    done
    return 1
}
