# shellcheck shell=sh
# The requests about leases. The controller sets `request` and what it needs: the variables claim_*, or the function
# `each_claim`, which calls `renew_claim` for each.

main() {
    case $request in
        create) create_lease ;;
        observe | list) show_claims ;;
        acquire) acquire_claim ;;
        verify) verify_claim ;;
        renew) renew_claims ;;
        break) break_claim ;;
        release) release_claim ;;
    esac
}

# Names of claims that share the name or an identity with the request's host. Identities keep their form in later versions.
# Damaged ones are named too: whose they are is not known.
find_same_machine() {
    [ -n "$(ls claims)" ] || return 0
    {
        grep -lixF -e "$identities" -- claims/*[!~]
        grep -Lx 'end=1' -- claims/*[!~]
        find claims -mindepth 1 -maxdepth 1 ! -type f
    } 2> /dev/null | sed 's,.*/,,' | sort -u
}

show_claims() {
    open_lease
    print_field ttl-ms "$f_ttl"
    print_field settling-ms "$settling"
    if [ "$request" = list ]; then
        names=$(find claims -mindepth 1 -maxdepth 1 ! -name '*~' | sed 's,.*/,,' | sort)
    else
        names=$(find_same_machine)
    fi
    for name in $names; do
        if load_claim "$name"; then
            print_shown "$name"
        else
            print_field "$claim_fault" "$name"
        fi
    done
    finish ok
}

# Whether the claim in c_* names the controller of the request: the same machine, boot and state folder.
is_same_controller() {
    [ "$c_controller_boot" = "$claim_controller_boot" ] && [ "$c_lock_inode" = "$claim_lock_inode" ]
}

# Whether the journal of the request knows the token $1.
knows_token() {
    case " $tokens " in
        *" $1 "*) return 0 ;;
    esac
    return 1
}

# Refuses the request when the claim in c_*, of the host itself or of a rival, stands in its way.
judge_claim() {
    if [ "$c_state" = released ]; then
        return 0
    elif [ "$c_state" = broken ]; then
        [ "$fresh" = no ] || refuse broken-fresh
    elif [ "$fresh" = yes ]; then
        refuse held-fresh
    elif [ "$right" != take-over ] || [ "$c_run" != "$over_run" ]; then
        refuse held-stale
    fi
}

# Refuses a resume that is not over the run's own last acquisition.
judge_resume() {
    if [ "$c_run" != "$claim_run" ] || ! knows_token "$c_token"; then
        refuse not-own
    fi
    [ "$claim_length" -ge "$c_length" ] || refuse shorter
    [ "$claim_length" != "$c_length" ] || [ "$claim_sum" = "$c_sum" ] || refuse diverged
    case $c_state in
        broken) [ "$fresh" = no ] || refuse broken-fresh ;;
        held) [ "$fresh" = no ] || is_same_controller || refuse copy-fresh ;;
    esac
}

# Whether the request resumes over the run's own held claim: only that is judged before the server has settled.
is_exempt() {
    [ "$right" = resume ] && [ "$there" = yes ] && [ "$c_state" = held ]
}

acquire_claim() {
    open_lease
    there=no acquisition=0
    if load_claim "$claim_fqdn"; then
        there=yes
    elif [ "$claim_fault" != gone ]; then
        print_field "$claim_fault" "$claim_fqdn"
        print_field code "$claim_fault"
        finish refused
    fi
    if [ "$there" = yes ] && [ "$c_token" = "$claim_token" ]; then
        [ "$c_state" = held ] || refuse ended
        print_field ttl-ms "$((age < f_ttl ? f_ttl - age : 0))"
        print_field acquisition "$c_acquisition"
        finish confirmed
    fi
    judge_request
    rivals=$(judge_rivals) || {
        printf '%s\n' "$rivals"
        exit 0
    }
    end_rivals
    c_fqdn=$claim_fqdn c_serial=$claim_serial c_uuid=$claim_uuid c_mac=$claim_mac c_bmc=$claim_bmc c_run=$claim_run
    c_token=$claim_token c_state=held c_controller=$claim_controller c_controller_boot=$claim_controller_boot
    c_lock_inode=$claim_lock_inode c_actor=$claim_actor c_uid=$claim_uid c_phase=$claim_phase c_length=$claim_length
    c_sum=$claim_sum c_boot=$boot c_uptime=$uptime c_acquisition=$((acquisition + 1))
    write_claim "$claim_fqdn"
    remove_rivals
    print_field ttl-ms "$f_ttl"
    print_field acquisition "$c_acquisition"
    finish confirmed
}

# Judges the request by the claim of the host as it is now, not as it was observed.
judge_request() {
    if [ "$there" = yes ]; then
        acquisition=$c_acquisition
        [ "$c_token" = "$over" ] || refuse changed
        if [ "$right" = resume ]; then
            judge_resume
        else
            judge_claim
        fi
    elif [ -n "$over" ] || [ "$right" = resume ]; then
        print_field settling-ms "$settling"
        print_field code gone
        finish refused
    fi
    if [ "$settling" -gt 0 ] && ! is_exempt; then
        print_field settling-ms "$settling"
        print_field code settling
        finish refused
    fi
}

# Prints the names of other hosts' claims on the same machine, none of which stands in the way. An answer that refuses is
# printed instead, with status 1.
judge_rivals() {
    found=''
    for name in $(find_same_machine); do
        [ "$name" != "$claim_fqdn" ] || continue
        if load_claim "$name"; then
            answer=$(judge_claim)
        else
            answer=$(
                print_field "$claim_fault" "$name"
                print_field code "$claim_fault"
                finish refused
            )
        fi
        if [ -n "$answer" ]; then
            printf '%s' "$answer"
            return 1
        fi
        found="$found $name"
    done
    printf '%s' "$found"
}

# Before the new claim is there, the old ones are broken: whatever ends this in between, no two runs are confirmed.
end_rivals() {
    for name in $rivals; do
        load_claim "$name" || continue
        [ "$c_acquisition" -le "$acquisition" ] || acquisition=$c_acquisition
        [ "$c_state" = held ] || continue
        c_state=broken
        write_claim "$name"
    done
}

remove_rivals() {
    for name in $rivals; do
        rm -f "claims/$name"
    done
    [ -z "$rivals" ] || sync claims
}

verify_claim() {
    open_lease
    confirm_claim
    print_field ttl-ms "$f_ttl"
    print_field acquisition "$c_acquisition"
    finish confirmed
}

# Renews all claims of the request under one lock, and brings them onto the disk together. A later verification may have
# been faster, so the length of the journal is not judged.
renew_claims() {
    open_lease
    pending=''
    answers=$(
        each_claim
        printf 'pending=%s\n' "$pending"
    )
    pending=${answers##*pending=}
    answers=${answers%pending=*}
    if [ -n "$pending" ]; then
        put_claims || fail_folder unwritable "the claims in $lease/claims cannot be written"
    fi
    print_field ttl-ms "$f_ttl"
    printf '%s' "$answers"
    finish ok
}

# renew_claim FQDN RUN TOKEN PHASE LENGTH SUM
renew_claim() {
    if judge_held "$1" "$2" "$3" '' ''; then
        refresh_claim "$4" "$5" "$6"
        if print_claim > "claims/$1~"; then
            case "$pending " in
                *" $1 "*) ;;
                *) pending="$pending $1" ;;
            esac
            print_field renewed "$1"
            print_field acquisition "$c_acquisition"
            return 0
        fi
        claim_fault=unwritable
    fi
    print_field lost "$1"
    print_lost "$1"
    [ "$claim_fault" != unwritable ] || print_text why "the claim $lease/claims/$1 cannot be written"
}

put_claims() {
    files=''
    for name in $pending; do
        files="$files claims/$name~"
    done
    # The names of hosts have no blanks.
    # shellcheck disable=SC2086
    sync $files || return 1
    for name in $pending; do
        mv -f "claims/$name~" "claims/$name" || return 1
    done
    sync claims
}

# Breaks the claim with the token that was shown; leaves its heartbeat. A damaged one is replaced by a broken one that is
# fresh, since no one knows how old it is.
break_claim() {
    open_lease
    if load_claim "$claim_fqdn"; then
        [ "$c_token" = "$claim_token" ] || refuse changed
        [ "$c_state" != released ] || refuse released
        if [ "$c_state" = held ]; then
            c_state=broken
            write_claim "$claim_fqdn"
        fi
        finish ok
    fi
    if [ "$claim_fault" != damaged ] || [ "$claim_token" != damaged ]; then
        print_field code "$claim_fault"
        finish refused
    fi
    number=1
    while [ -e "damaged-$number" ]; do
        number=$((number + 1))
    done
    { mv "claims/$claim_fqdn" "damaged-$number" && sync .; } || fail_folder unwritable "$lease cannot be written"
    c_fqdn=$claim_fqdn c_serial='' c_uuid='' c_mac='' c_bmc='' c_run=damaged c_token=damaged c_state=broken c_controller=''
    c_controller_boot='' c_lock_inode=0 c_actor='' c_uid=0 c_phase='' c_acquisition=0 c_length=0 c_sum='' c_boot=$boot
    c_uptime=$uptime
    write_claim "$claim_fqdn"
    finish ok
}

release_claim() {
    open_lease
    load_claim "$claim_fqdn" && [ "$c_state" = released ] && [ "$c_token" = "$claim_token" ] && finish ok
    if ! judge_held "$claim_fqdn" "$claim_run" "$claim_token" '' ''; then
        print_lost "$claim_fqdn"
        finish lost
    fi
    c_state=released c_phase=$claim_phase
    if [ "$claim_length" -gt "$c_length" ]; then
        c_length=$claim_length c_sum=$claim_sum
    fi
    write_claim "$claim_fqdn"
    finish ok
}
