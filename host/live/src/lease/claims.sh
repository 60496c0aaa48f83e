# shellcheck shell=sh
# The lease folder: one file for each host with its claim. The controller sets `lease`, the path of the folder.
#
# In a file each line is KEY=VALUE; values are percent-encoded by the controller, so that a line holds one. Whatever is
# judged is judged under the lock of the folder, by what its files have then.

# The lease folder cannot be used: nothing was read or written.
fail_folder() {
    fail folder "$1" "$2"
}

# Takes the lock of the lease folder, and makes sure that this is the folder that was created here. The script works inside of
# it from then on: should the folder be removed or replaced while it waits or is stopped, it writes nothing into another one.
open_lease() {
    before=$PWD
    { [ -d "$lease/claims" ] && cd "$lease"; } 2> /dev/null || fail_folder missing "there is no lease folder $lease"
    [ -w claims ] || fail_folder unusable "the lease folder $lease cannot be written by user $(id -un)"
    exec 7< .
    flock -w "$lease_wait" 7 ||
        fail failed lock "the lock of the lease folder $lease is not released; see on the install server who holds it (fuser -v)"
    read_folder .
    case $? in
        0) ;;
        2) fail_folder later "the lease folder $lease has the format $f_format of a later version; install that version here" ;;
        *)
            [ -e folder ] || fail_folder damaged "the file $lease/folder is missing"
            fail_folder damaged "the file $lease/folder is damaged"
            ;;
    esac
    require_own .
    [ "$identity" = "$f_identity" ] ||
        fail_folder restored "the lease folder $lease is a copy: it was restored or moved, and its claims may be out of date"
    read_clock
    measure_age "$f_boot" "$f_uptime"
    settling=$((f_ttl - age))
    [ "$uptime" -ge "$f_ttl" ] || [ $((f_ttl - uptime)) -le "$settling" ] || settling=$((f_ttl - uptime))
    [ "$settling" -ge 0 ] || settling=0
}

# Reads what the folder $1 records about itself into f_*. Status 1 when that is damaged, 2 for one of a later version.
read_folder() {
    f_format='' f_ttl='' f_identity='' f_boot='' f_uptime='' f_end=''
    { [ -f "$1/folder" ] && [ -r "$1/folder" ]; } || return 1
    while IFS='=' read -r key value; do
        case $key in
            format) f_format=$value ;;
            ttl-ms) f_ttl=$value ;;
            identity) f_identity=$value ;;
            boot) f_boot=$value ;;
            uptime-ms) f_uptime=$value ;;
            end) f_end=$value ;;
        esac
    done < "$1/folder"
    if is_number "$f_format" && [ "$f_format" -gt 1 ]; then
        return 2
    fi
    [ "$f_format" = 1 ] && [ "$f_end" = 1 ] && is_number "$f_ttl" && is_number "$f_uptime"
}

close_lease() {
    exec 7>&-
    cd "$before" || cd /
}

# Sets `identity`, the inode and the birth time of the lease folder $1, which a copy has not, and `owner`, its user ID.
identify_folder() {
    words=$(TZ=UTC0 stat -c '%i %w:%u' "$1" | tr ' ' '/')
    identity=${words%:*} owner=${words##*:}
    [ -n "$identity" ]
}

# Sets `identity` of the lease folder $1, which must belong to this account.
require_own() {
    identify_folder "$1" || fail_folder unusable "the lease folder $lease cannot be read"
    [ "$owner" = "$(id -u)" ] ||
        fail_folder unusable "the lease folder $lease belongs to another account (uid $owner) than $(id -un)"
}

# Creates the lease folder. One that is a copy or damaged is moved aside.
create_lease() {
    folder=${lease%/*}
    [ -d "$folder" ] || fail_folder unusable "there is no folder $folder"
    case $(stat -f -c %T "$folder") in
        tmpfs | ramfs) fail_folder volatile "$folder is in memory and does not outlive a restart of the server; put the DHCP automation on a disk" ;;
    esac
    [ -w "$folder" ] || fail_folder unusable "the folder $folder cannot be written by user $(id -un)"
    exec 6< "$folder"
    flock -w "$lease_wait" 6 || fail failed lock "another process creates the lease folder now"
    if [ -e "$lease" ] || [ -L "$lease" ]; then
        if is_whole; then
            open_lease
            print_field ttl-ms "$f_ttl"
            finish exists
        fi
        number=1
        while [ -e "$lease.replaced-$number" ]; do
            number=$((number + 1))
        done
        mv "$lease" "$lease.replaced-$number" || fail_folder unusable "$lease cannot be moved aside"
        print_text aside "$lease.replaced-$number"
    fi
    rm -rf "$lease.new"
    read_clock
    { mkdir -m 700 "$lease.new" && mkdir "$lease.new/claims"; } || fail_folder unusable "$lease cannot be created"
    identify_folder "$lease.new" || fail_folder unusable "$lease.new cannot be read"
    case $identity in
        */-) fail_folder volatile "the file system of $folder has no times of birth, so a restored lease folder could not be distinguished from this one; put the DHCP automation on another file system" ;;
    esac
    {
        printf 'format=1\nttl-ms=%s\nidentity=%s\nboot=%s\nuptime-ms=%s\nend=1\n' "$ttl" "$identity" "$boot" \
            "$uptime" > "$lease.new/folder" && sync "$lease.new/folder" "$lease.new/claims" "$lease.new" &&
            mv "$lease.new" "$lease" && sync "$folder"
    } || fail_folder unusable "$lease cannot be written"
    print_field ttl-ms "$ttl"
    finish created
}

# Whether the lease folder is the one that was created here, with all its parts. One of a later version counts as that: it is
# never moved aside.
is_whole() {
    require_own "$lease"
    read_folder "$lease"
    case $? in
        0) ;;
        2) fail_folder later "the lease folder $lease has the format $f_format of a later version; install that version here" ;;
        *) return 1 ;;
    esac
    [ -d "$lease/claims" ] && [ "$identity" = "$f_identity" ]
}

# Reads the claim of a file into c_*. Status 1 for one that is damaged, 2 for one of a later version.
read_claim() {
    c_format='' c_fqdn='' c_serial='' c_uuid='' c_mac='' c_bmc='' c_run='' c_token='' c_state='' c_controller=''
    c_controller_boot='' c_lock_inode='' c_actor='' c_uid='' c_phase='' c_acquisition='' c_length='' c_sum='' c_boot=''
    c_uptime='' c_end=''
    { [ -f "$1" ] && [ -r "$1" ]; } || return 1
    while IFS='=' read -r key value; do
        case $key in
            format) c_format=$value ;;
            fqdn) c_fqdn=$value ;;
            serial) c_serial=$value ;;
            uuid) c_uuid=$value ;;
            mac) c_mac=$value ;;
            bmc) c_bmc=$value ;;
            run) c_run=$value ;;
            token) c_token=$value ;;
            state) c_state=$value ;;
            controller) c_controller=$value ;;
            controller-boot) c_controller_boot=$value ;;
            lock-inode) c_lock_inode=$value ;;
            actor) c_actor=$value ;;
            uid) c_uid=$value ;;
            phase) c_phase=$value ;;
            acquisition) c_acquisition=$value ;;
            length) c_length=$value ;;
            sum) c_sum=$value ;;
            boot) c_boot=$value ;;
            uptime-ms) c_uptime=$value ;;
            end) c_end=$value ;;
        esac
    done < "$1"
    if is_number "$c_format" && [ "$c_format" -gt 1 ]; then
        return 2
    fi
    if [ "$c_format" != 1 ] || [ "$c_end" != 1 ] || [ -z "$c_token" ] || [ -z "$c_run" ] || ! is_number "$c_length" ||
        ! is_number "$c_uptime" || ! is_number "$c_acquisition"; then
        return 1
    fi
    case $c_state in
        held | broken | released) ;;
        *) return 1 ;;
    esac
}

# The claim in c_* as its file has it.
print_claim() {
    printf '%s=%s\n' format 1 fqdn "$c_fqdn" serial "$c_serial" uuid "$c_uuid" mac "$c_mac" bmc "$c_bmc" run "$c_run" \
        token "$c_token" state "$c_state" controller "$c_controller" controller-boot "$c_controller_boot" \
        lock-inode "$c_lock_inode" actor "$c_actor" uid "$c_uid" phase "$c_phase" acquisition "$c_acquisition" \
        length "$c_length" sum "$c_sum" boot "$c_boot" uptime-ms "$c_uptime" end 1
}

write_claim() {
    write_file "claims/$1" "$(print_claim)" ||
        fail_folder unwritable "the claim $lease/claims/$1 cannot be written"
}

# Sets `fresh` to yes or no by the age of the claim in c_*.
measure_claim() {
    measure_age "$c_boot" "$c_uptime"
    fresh=no
    [ "$age" -ge "$f_ttl" ] || fresh=yes
}

# The claim in c_* as a part of an answer, with its age.
print_shown() {
    print_field claim "$1"
    print_claim | sed 's/^/c./'
    print_field age-ms "$age"
    print_field fresh "$fresh"
}

# Answers that the claim in c_* is in the way.
refuse() {
    print_shown "$c_fqdn"
    print_field settling-ms "$settling"
    print_field code "$1"
    finish refused
}

# Reads the claim of the host $1, which must be there and readable; sets `claim_fault` otherwise.
load_claim() {
    claim_fault=''
    if [ ! -e "claims/$1" ]; then
        claim_fault=gone
        return 1
    fi
    read_claim "claims/$1"
    case $? in
        0) measure_claim ;;
        2) claim_fault=later ;;
        *) claim_fault=damaged ;;
    esac
    [ -z "$claim_fault" ]
}

# Judges whether the run $2 still holds the claim of the host $1 with the token $3; sets `claim_fault` when it does not.
# With a journal of length $4 and sum $5, one that has become shorter or differs is a fault too.
judge_held() {
    load_claim "$1" || return 1
    if [ "$c_token" != "$3" ] || [ "$c_run" != "$2" ]; then
        claim_fault=foreign
    elif [ "$c_state" != held ]; then
        claim_fault=$c_state
    elif [ -n "$4" ] && [ "$4" -lt "$c_length" ]; then
        claim_fault=shorter
    elif [ -n "$4" ] && [ "$4" = "$c_length" ] && [ "$5" != "$c_sum" ]; then
        claim_fault=diverged
    fi
    [ -z "$claim_fault" ]
}

# Refreshes the claim in c_*: heartbeat of now, phase $1, and the journal's length $2 and sum $3, which never fall.
refresh_claim() {
    c_boot=$boot c_uptime=$uptime c_phase=$1
    if [ "$2" -gt "$c_length" ]; then
        c_length=$2 c_sum=$3
    fi
}

# Answers for one claim that is lost: why, and whose it is now.
print_lost() {
    print_field code "$claim_fault"
    case $claim_fault in
        gone | later | damaged) ;;
        *) print_shown "$1" ;;
    esac
}

# Verifies the claim that the controller has sent, in the variables claim_*, and refreshes its heartbeat.
confirm_claim() {
    if ! judge_held "$claim_fqdn" "$claim_run" "$claim_token" "$claim_length" "$claim_sum"; then
        print_lost "$claim_fqdn"
        finish lost
    fi
    refresh_claim "$claim_phase" "$claim_length" "$claim_sum"
    write_claim "$claim_fqdn"
}
