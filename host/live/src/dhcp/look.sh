# shellcheck shell=sh
# Reads the entry of `host`, whose snippet is `entry`. Changes nothing.

main() {
    read_clock
    if [ ! -e "$entry" ]; then
        finish absent
    fi
    size=$(stat -c %s "$entry") || fail failed file "$entry cannot be read"
    if [ "$size" -gt "$most_bytes" ]; then
        fail failed too-large "$entry has $size bytes"
    fi
    judge_present
    print_field text "$(base64 -w 0 < "$entry")"
    print_field present "$present"
    case $present in
        own | foreign | expired)
            print_field by "$r_run"
            print_field remaining-ms "$remaining"
            ;;
    esac
    finish present
}
