# shellcheck shell=sh
# Functions that the scripts of the install server share.
#
# A script is sent whole to `sh -s`: functions, then the variables that the controller sets, then `main` in the last line.
# A script that arrives cut therefore does nothing. Its answer is a document of lines KEY=VALUE that ends with `end=1`;
# texts are in base64. Descriptor 9 has the lock of the whole DHCP automation, 8 the short lock of the records of entries,
# 7 the short lock of the lease folder.

LC_ALL=C
export LC_ALL
umask 022
# The script ends what it began when the controller goes away: nothing stops between two steps because no one reads.
trap '' PIPE

print_field() {
    printf '%s=%s\n' "$1" "$2"
}

# The end of a text, in base64.
print_text() {
    printf '%s=%s\n' "$1" "$(printf '%s' "$2" | tail -c 3000 | base64 -w 0)"
}

finish() {
    print_field status "$1"
    print_field end 1
    exit 0
}

# fail STATUS CODE TEXT
fail() {
    print_field code "$2"
    print_text why "$3"
    finish "$1"
}

is_number() {
    case $1 in
        '' | *[!0-9]*) return 1 ;;
    esac
}

# Sets `boot`, the ID of this boot, and `uptime` in milliseconds: the only time that is believed here.
read_clock() {
    { read -r boot < "$proc/sys/kernel/random/boot_id" && read -r uptime _ < "$proc/uptime"; } 2> /dev/null ||
        fail failed clock "the boot ID and the uptime cannot be read from $proc"
    case $uptime in
        *[!0-9.]* | *.*.* | .*) fail failed clock "the uptime in $proc/uptime is not a number: $uptime" ;;
        *.[0-9][0-9]) uptime=$((${uptime%.*} * 1000 + (1${uptime#*.} - 100) * 10)) ;;
        *) fail failed clock "the uptime in $proc/uptime has not two decimal places: $uptime" ;;
    esac
}

# Sets `age`: by how much the uptime has grown since the uptime $2 of the boot $1. What an earlier boot has recorded is as
# old as this boot.
measure_age() {
    age=$uptime
    if [ "$1" = "$boot" ]; then
        age=$((uptime - $2))
        [ "$age" -ge 0 ] || age=0
    fi
}

# Writes the text $2 to the file $1, whole or not at all, and onto the disk. No name of a host ends in a tilde.
write_file() {
    if printf '%s\n' "$2" > "$1~" && sync "$1~" && mv -f "$1~" "$1" && sync "${1%/*}"; then
        return 0
    fi
    rm -f "$1~"
    return 1
}

digest_of() {
    sum=$(sha256sum < "$1") && printf '%s' "${sum%% *}"
}
