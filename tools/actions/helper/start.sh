#!/bin/sh
# triagebook helper: applies one signed, typed change on this host, or undoes one. POSIX sh (dash, bash, busybox sh).
#
# What it does to a host: exactly one of the changes named in "the actions" below, with values inside the bounds given
# there, after the order's signature, target, boot, age and single use were checked. Nothing else. It takes no
# argument; the order and its signature come on standard input; the answer is key=value lines on standard output.
#
#   standard input    order lines (LF, at most 8 KiB with the signature), then an armoured SSH signature of them.
#                     `action=status` is read-only and needs no signature.
#   result=           applied | undone | refused (nothing changed) | failed (tried, put back) | unknown (half-applied) | status
#   exit status       0 applied, undone, status; 3 refused; 4 failed; 5 unknown
#
# Order of work: spool -> signature -> parse the verified file -> target, boot, clock -> lock -> fork probe -> claim
# the id (mkdir, synced) -> guards -> capture -> change -> re-read -> journal -> answer.

# shellcheck disable=SC2015 # `a && b || refuse`: b only tests, and refuse ends the program either way
# shellcheck disable=SC2317 # reached by name: "check_$ACTION", and by the EXIT trap

# >>> constants: tools/actions/helper/build.py replaces values here for tests; what is installed has these literals
PATH=/usr/sbin:/usr/bin:/sbin:/bin
CONFIG=/etc/triagebook
STATE=/var/lib/triagebook
RUN=/run/triagebook
PROC=/proc
CGROUP=/sys/fs/cgroup
UNITS=/etc/systemd/system
RUNTIME_UNITS=/run/systemd/system.control
TRANSIENT_UNITS=/run/systemd/transient
SYSCTL_DIRS=/etc/sysctl.d:/run/sysctl.d:/usr/local/lib/sysctl.d:/usr/lib/sysctl.d:/lib/sysctl.d
SYSCTL_CONF=/etc/sysctl.conf
MODULES_DIRS=/etc/modules-load.d:/run/modules-load.d:/usr/local/lib/modules-load.d:/usr/lib/modules-load.d:/lib/modules-load.d
MODULES=/sys/module
LIMITS=/etc/security/limits.d
PAM=/etc/pam.d
FSTAB=/etc/fstab
MACHINE_ID=/etc/machine-id
PRODUCT_ID=/sys/class/dmi/id/product_uuid
INPUT_WAIT_S=90
# <<< constants
VERSION=helper-v1
FORMAT=triagebook-order-v1 # also the signature's namespace
SIGNER=triagebook
INPUT_MAX=8192       # bytes of order and signature
LIFE_MAX_S=120       # an order lives no longer than this
CLOCK_SLACK_S=30     # the server refuses a larger skew before it signs
KEEP_S=86400         # an id is remembered this long after it expired
MIB=1048576

export PATH
export LC_ALL=C
unset ENV BASH_ENV CDPATH IFS
umask 077
set -fu
exec 2>/dev/null # nothing a host or a program says reaches the caller except through `quote`
trap '' HUP PIPE # a cut connection must not stop a change half-way

PHASE=start ID='' ACTION='' STEP='' BEFORE='' AFTER='' WANTED='' JOURNAL=none DETAIL='' SPOOL='' ENTRY='' REPORTED=''
TARGET='' BOOT='' NOW='' UNDOES='' EXTRA='' RUNNING='' ORDERED='' CLAIMED=''

