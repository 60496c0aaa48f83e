#!/bin/sh
# Hands its arguments to the rig's process, which answers with the exit status
# in the first line and the output behind it. Called as "chassis" by the BMC
# and as "systemctl" by the install server.
cd "$(dirname "$0")/.." || exit 1
reply=$(echo "$(basename "$0") $*" | socat -t 60 - UNIX-CONNECT:control.sock) || exit 1
status=${reply%%
*}
[ "$status" = "$reply" ] || echo "${reply#*
}"
exit "${status:-1}"
