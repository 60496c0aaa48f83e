# Takes the DHCP entries of wreimage out whose time is over, and has the DHCP server forget them. A timer of this install
# server runs it each minute; it ends that timer when there is nothing more to do. HOST.expiry, beside this file, has the
# second of the epoch, the SHA-256 of the entry, its file, the file that includes it, and the run.
{
    exec 9>>"$state/lock" 8>>"$state/work" || exit 1
    # Somebody is changing something; the next minute will do.
    flock -w 40 9 && flock -w 5 8 || exit 0
    echo "expiry the expiry of entries on this server, since $(date -u +%FT%TZ)" > "$state/lock"
    now=$(date +%s)
    for file in "$state"/*.expiry; do
        [ -e "$file" ] || continue
        { read -r deadline && read -r digest && read -r entry && read -r proxy && read -r run; } < "$file" || continue
        [ "$now" -ge "$deadline" ] || continue
        if [ -e "$entry" ] && [ "$(sha256sum < "$entry" | cut -c1-64)" != "$digest" ]; then
            echo "$entry is not the entry of run $run, whose time is over; it stays"
        else
            echo "the time of $entry is over: run $run has not renewed it; it is taken out"
            # Before the entry goes: what follows is done again, however this ends.
            echo "$entry $proxy" >> "$state/unsettled" && rm -f "$entry" || exit 1
        fi
        rm -f "$file"
    done
    if [ -e "$state/unsettled" ]; then
        before=$(started 8>&- 9>&-)
        include </dev/null 8>&- 9>&- || { echo "the include tool failed; it is run again in a minute"; exit 1; }
        while read -r entry proxy; do
            if [ ! -e "$entry" ] && grep -qF "\"$entry\";" "$proxy"; then
                echo "the include tool said success, but $proxy still lists $entry; it is run again in a minute"
                exit 1
            fi
        done < "$state/unsettled"
        tries=25
        until running >/dev/null 8>&- 9>&- && [ "$(started 8>&- 9>&-)" != "$before" ]; do
            tries=$((tries - 1))
            [ "$tries" -gt 0 ] || { echo "the DHCP server was not started again; once more in a minute"; exit 1; }
            sleep 0.2
        done
        rm -f "$state/unsettled"
    fi
    : > "$state/lock"
    if [ ! -e "$state/$host.expiry" ]; then
        rm -f "$state/$host.sh"
        unschedule 8>&- 9>&-
    fi
    exit 0
}
