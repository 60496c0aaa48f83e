# Boots systemd as the first process of namespaces of its own. Arguments: the folder that stays writable, the control group.
set -e
folder=$1
mount --make-rprivate /
# Nothing of this machine is changed: only the test's folder can be written, and what is in memory.
mount --bind "$folder" "$folder"
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /var/tmp
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -o remount,bind,ro /
mount --bind "$folder/boot-id" /proc/sys/kernel/random/boot_id
mkdir -p /run/sshd /run/lock
hostname machine
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin container=wreimage-test \
    SYSTEMD_UNIT_PATH="$folder/units" /lib/systemd/systemd --system --unit=default.target --show-status=no \
    --log-target=console --log-level=notice
