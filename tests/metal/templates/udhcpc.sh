#!/bin/sh
# Called by udhcpc: takes the address and writes down what the server said.
[ "$1" = bound ] || exit 0
ip addr flush dev "$interface"
ip addr add "$ip/$mask" dev "$interface"
[ -z "$router" ] || ip route add default via "$router"
echo "IP=$ip MASK=$mask ROUTER=$router HOST=$hostname" >"${LEASE_FILE:-/run/lease}"
