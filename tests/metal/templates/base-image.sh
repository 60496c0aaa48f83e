#!/bin/sh
# Builds the Debian of the metal rig, once: the disk image, its stream for the
# installer, the kernel, and the installer's initrd.
#
# usage: base-image.sh OUT TEMPLATES SUITE MIRROR KEYRING
#
# The caller runs it in a mount and a process namespace of its own, so that no
# mount, loop device or child outlives it, however it ends.
set -eu
out=$1 templates=$2 suite=$3 mirror=$4 keyring=$5
root=$out/root
size_mib=512
start_sector=2048

say() { echo "base-image: $*"; }

say "bootstrapping $suite"
mmdebstrap --quiet --variant=minbase --mode=root --keyring="$keyring" \
    --include=openssh-server,linux-image-cloud-amd64,systemd-sysv,ifupdown,iproute2 \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/i18n/*' \
    --dpkgopt='path-exclude=/usr/share/zoneinfo/*' \
    --aptopt='APT::Install-Recommends "false"' \
    --aptopt='Acquire::Languages "none"' \
    --customize-hook='rm -rf "$1"/etc/ssh/ssh_host_* "$1"/var/lib/apt/lists/*' \
    "$suite" "$root" "$mirror"

kernel=$(ls "$root/usr/lib/modules")
modules=$root/usr/lib/modules/$kernel
cp "$root/boot/vmlinuz-$kernel" "$out/vmlinuz"

# Lines "a.ko b.ko" of modules.dep name what must be loaded before; insmod wants
# that order reversed.
add_modules() {
    mkdir -p "$1/modules"
    : >"$1/modules/order"
    for name in virtio_pci virtio_blk virtio_net; do
        line=$(grep "/$name\.ko:" "$modules/modules.dep")
        # The dependencies stand from the nearest to the deepest.
        own=${line%%:*} deps=
        for path in ${line#*:}; do deps="$path $deps"; done
        for path in $deps $own; do
            file=$(basename "$path")
            grep -qx "$file" "$1/modules/order" && continue
            cp "$modules/$path" "$1/modules/$file"
            echo "$file" >>"$1/modules/order"
        done
    done
}

# A program with the libraries that it is linked with.
add_program() {
    cp "$2" "$1/bin/"
    ldd "$2" | grep -o '/[^ ]*' | while read -r library; do
        mkdir -p "$1$(dirname "$library")"
        cp -L "$library" "$1$library"
    done
}

add_busybox() {
    mkdir -p "$1/bin" "$1/proc" "$1/sys" "$1/dev" "$1/run" "$1/tmp" "$1/mnt" "$1/root" "$1/etc"
    cp "$(command -v busybox)" "$1/bin/busybox"
    for applet in $("$1/bin/busybox" --list); do
        [ "$applet" = busybox ] || ln -sf busybox "$1/bin/$applet"
    done
}

pack() { (cd "$1" && find . | busybox cpio -o -H newc 2>/dev/null) | zstd -q -19 >"$2"; }

say "initrd of the installed system"
initrd=$out/initrd-os
add_busybox "$initrd"
add_modules "$initrd"
install -m 755 "$templates/os-init" "$initrd/init"
pack "$initrd" "$out/initrd-os.zst"

say "initrd of the installer"
initrd=$out/initrd-installer
add_busybox "$initrd"
add_modules "$initrd"
add_program "$initrd" "$(command -v dropbear)"
add_program "$initrd" "$(command -v dropbearkey)"
add_program "$initrd" "$(command -v zstd)"
install -m 755 "$templates/installer-init" "$initrd/init"
install -m 755 "$templates/udhcpc.sh" "$initrd/bin/udhcpc.sh"
mkdir -p "$initrd/etc/dropbear"
echo 'root:x:0:0:root:/root:/bin/sh' >"$initrd/etc/passwd"
echo 'root:x:0:' >"$initrd/etc/group"
echo '/bin/sh' >"$initrd/etc/shells"
pack "$initrd" "$out/installer-initrd.zst"

say "the system on the disk"
rm -f "$root"/boot/initrd.img* "$root"/vmlinuz* "$root"/initrd.img*
rm -f "$root/boot/vmlinuz-$kernel"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/cache/debconf/*-old
# The drivers that this machine has are in the initrd.
rm -rf "$modules/kernel/drivers" "$modules/kernel/arch" "$modules/kernel/virt"
rm -rf "$root"/usr/lib/udev/hwdb.d "$root"/usr/lib/udev/hwdb.bin
mkdir -p "$root/boot/extlinux" "$root/root/.ssh"
chmod 700 "$root/root/.ssh"
cat >"$root/boot/extlinux/extlinux.conf" <<EOF
serial 1 115200
default linux
prompt 0
timeout 0
label linux
  kernel /boot/vmlinuz
  append initrd=/boot/initrd.zst console=ttyS1,115200n8 panic=5 mitigations=off apparmor=0 audit=0 no_timer_check tsc=reliable init_on_alloc=0 hardened_usercopy=off randomize_kstack_offset=off nokaslr systemd.show_status=0 systemd.log_level=warning
EOF
cat >"$root/etc/ssh/sshd_config.d/rig.conf" <<EOF
HostKey /etc/ssh/ssh_host_ecdsa_key
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
UseDNS no
LogLevel ERROR
X11Forwarding no
EOF
# The smaller shell: the other takes a tenth of a second to start here.
sed -i 's#^\(root:.*\):/bin/bash$#\1:/bin/sh#' "$root/etc/passwd"
# An sshd that starts itself anew for each connection, as it does by default, takes a quarter of a second to do so here.
echo 'SSHD_OPTS=-r' >"$root/etc/default/ssh"
install -m 755 "$templates/announce" "$root/usr/local/sbin/rig-announce"
mkdir -p "$root/etc/systemd/system/ssh.service.d"
cat >"$root/etc/systemd/system/ssh.service.d/rig.conf" <<EOF
[Unit]
DefaultDependencies=no
After=networking.service
[Service]
ExecStartPre=
ExecStartPost=-/usr/local/sbin/rig-announce
EOF
# The machine is emulated: a unit that the rig does not need costs a second each.
for unit in systemd-udevd.service systemd-udev-trigger.service systemd-udev-settle.service \
    systemd-udevd-control.socket systemd-udevd-kernel.socket ifupdown-pre.service \
    systemd-journal-flush.service systemd-tmpfiles-setup-dev.service systemd-random-seed.service \
    systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-sysusers.service \
    systemd-modules-load.service kmod-static-nodes.service systemd-pstore.service \
    systemd-remount-fs.service systemd-binfmt.service systemd-sysctl.service \
    systemd-machine-id-commit.service systemd-firstboot.service systemd-boot-random-seed.service \
    dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
    sys-kernel-config.mount sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
    e2scrub_reap.service getty.target systemd-tmpfiles-clean.timer systemd-ask-password-wall.path \
    systemd-ask-password-console.path systemd-logind.service systemd-user-sessions.service \
    systemd-tmpfiles-setup.service modprobe@.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
ln -sf /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
: >"$root/etc/fstab"
echo 00000000000000000000000000000000 | tr 0 a >"$root/etc/machine-id"

say "disk image"
disk=$out/disk.raw
rm -f "$disk"
truncate -s "${size_mib}M" "$disk"
sectors=$((size_mib * 2048 - start_sector))
mke2fs -q -F -t ext4 -b 4096 -L rig-root -O '^64bit,^metadata_csum' -J size=4 -m 0 -E "offset=$((start_sector * 512))" \
    -d "$root" "$disk" "$((sectors / 2))k"
dd if=/usr/lib/EXTLINUX/mbr.bin of="$disk" bs=440 count=1 conv=notrunc status=none
# One active Linux partition; a partition table is 16 bytes and the 55aa behind four of them.
le32() { printf "$(printf '\\%03o\\%03o\\%03o\\%03o' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)))"; }
{
    printf '\200\376\377\377\203\376\377\377'
    le32 "$start_sector"
    le32 "$sectors"
} | dd of="$disk" bs=1 seek=446 conv=notrunc status=none
printf '\125\252' | dd of="$disk" bs=1 seek=510 conv=notrunc status=none
mkdir -p "$out/mnt"
mount -o "loop,offset=$((start_sector * 512))" "$disk" "$out/mnt"
# Not by mke2fs, which makes holes of blocks of zeros: EXTLINUX answers "I/O error" to a hole.
cp --sparse=never "$out/vmlinuz" "$out/mnt/boot/vmlinuz"
cp --sparse=never "$out/initrd-os.zst" "$out/mnt/boot/initrd.zst"
extlinux --install "$out/mnt/boot/extlinux" >/dev/null 2>&1
umount "$out/mnt"

say "compressing"
zstd -q -T0 -3 "$disk" -o "$out/disk.raw.zst"
rm -rf "$root" "$out/initrd-os" "$out/initrd-installer" "$out/initrd-os.zst" "$out/mnt"
say "done"
