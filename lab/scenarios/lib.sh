# SPDX-License-Identifier: GPL-2.0
# What the scenarios share: test points, namespaces, file systems. A scenario runs
# as root in the guest, prints a TAP line for each test point and the plan last.
# shellcheck shell=bash
set -u

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
top=${here%/lab/scenarios}
programs=$top/build/selftests
export PATH=$PATH:/sbin:/usr/sbin

points=0
point() { points=$((points + 1)); echo "$1"; }
ok() { point "ok - $*"; }
not_ok() { point "not ok - $*"; }
skip() { point "ok - $1 # SKIP $2"; }
plan() { echo "1..$points"; }
bail() { echo "Bail out! $*"; exit 1; }

# check NAME COMMAND...: the command succeeds; if not its output is shown.
check() {
	local name=$1 out
	shift
	if out=$("$@" 2>&1 </dev/null); then
		ok "$name"
	else
		not_ok "$name (status $?)"
		[ -z "$out" ] || printf '%s\n' "$out" | sed 's/^/# /' | tail -n 40
		return 1
	fi
}

# refute NAME COMMAND...: the command fails.
refute() {
	local name=$1
	shift
	if "$@" >/dev/null 2>&1 </dev/null; then not_ok "$name"; else ok "$name"; fi
}

# is NAME GOT WANTED
is() {
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1: got '$2', wanted '$3'"; fi
}

# logged NAME PATTERN: the kernel log has it (since the last mark_log).
mark_log() { dmesg | wc -l >/run/log-mark; }
log_since() { dmesg | tail -n +"$(($(cat /run/log-mark 2>/dev/null || echo 0) + 1))"; }
logged() {
	if log_since | grep -qE -- "$2"; then ok "$1"; else not_ok "$1: not in the log: $2"; fi
}

# run_program NAME ARG...: run a selftest, leave what it says and how it ended.
run_program() {
	local name=$1 status=0 start=$SECONDS
	shift
	timeout "${PROGRAM_TIMEOUT:-120}" "$programs/$name" "$@" >"/run/$name.out" 2>&1 </dev/null || status=$?
	echo "$status $((SECONDS - start))" >"/run/$name.end"
}

# report_program GROUP NAME: pass its test points on under the group's name.
report_program() {
	local group=$1 name=$2 out=/run/$2.out status seconds line n
	read -r status seconds <"/run/$name.end"
	n=$(grep -cE '^(not )?ok ' "$out")
	while read -r line; do
		point "$(sed -E "s,^((not )?ok) [0-9]+ (- )?,\1 - $group: $name: ," <<<"$line")"
	done < <(grep -E '^(not )?ok ' "$out")
	echo "# $group: $name: $seconds s"
	if grep -q '^not ok' "$out"; then
		sed 's/^/# /' "$out" | grep -vE '^# (ok|#  RUN|#            OK)' | tail -n 60
	elif [ "$status" -eq 4 ]; then
		[ "$n" -gt 0 ] || skip "$group: $name" "$(grep -iE 'skip' "$out" | head -n 1)"
	elif [ "$status" -ne 0 ] || [ "$n" -eq 0 ]; then
		not_ok "$group: $name (status $status, $n test points)"
		sed 's/^/# /' "$out" | tail -n 40
	fi
}

# program GROUP NAME ARG...: run a selftest and report it.
program() {
	run_program "${@:2}"
	report_program "$1" "$2"
}

# all_programs GROUP DIR OTHER: the selftests without a scenario of their own, as many at a
# time as there are CPUs, each CPU with an OTHER0, OTHER1, ... of its own.
all_programs() {
	local group=$1 names p
	names=$(cd "$programs" && find . -maxdepth 1 -type f -perm -1 -printf '%f\n' | grep -vE '\.' |
		grep -vxE 'dax_flag|quota|hwpoison|stress|acked|probe_mapping|stale_mapping|fail_nth' | sort)
	export -f run_program
	export programs
	xargs -P "$(nproc)" --process-slot-var=SLOT -I '{}' \
		"$BASH" -c 'PAGELESS_OTHER=$2$SLOT run_program "$0" "$1" "$2$SLOT"' '{}' "$2" "$3" <<<"$names"
	for p in $names; do report_program "$group" "$p"; done
}

# ---- namespaces -------------------------------------------------------------

# namespace MODE REGION [SIZE]: make one, print its block device.
namespace() {
	local args=(-m "$1" -r "$2" ${3:+-s "$3"} -f)
	[ "$1" != fsdax ] || args+=(-M mem)
	ndctl create-namespace "${args[@]}" 2>/run/ndctl.err |
		sed -n 's/.*"blockdev":"\([^"]*\)".*/\/dev\/\1/p'
}

# The device that the nd_pmem driver is bound to for a block device, e.g. namespace0.0.
nd_device() { basename "$(readlink -f "/sys/block/${1#/dev/}/device")"; }

unbind() { echo "$1" >/sys/bus/nd/drivers/nd_pmem/unbind; }
bind() { echo "$1" >/sys/bus/nd/drivers/nd_pmem/bind; }

# kind_of DEVICE: pageless, pages or none.
kind_of() {
	local dev=${1#/dev/}
	[ "$(cat "/sys/block/$dev/queue/dax")" = 1 ] || { echo none; return; }
	if grep -q " $(nd_device "$dev")\$" /sys/kernel/debug/pageless/ranges 2>/dev/null; then
		echo pageless
	else
		echo pages
	fi
}

tracing=/sys/kernel/tracing

# trace_event EVENT 0|1: of an event or of a whole subsystem.
trace_event() {
	mountpoint -q $tracing || mount -t tracefs tracefs $tracing
	echo "$2" >"$tracing/events/$1/enable"
}

# dram_of FUNCTION COMMAND...: run COMMAND, print how many kB of pages were allocated below FUNCTION.
# A difference of MemFree would count the pages that wait on the CPUs' lists, up to some MB.
dram_of() {
	local function=$1
	shift
	trace_event kmem/mm_page_alloc 1
	echo >$tracing/trace
	echo 1 >$tracing/options/stacktrace
	"$@" >&2
	trace_event kmem/mm_page_alloc 0
	echo 0 >$tracing/options/stacktrace
	awk -v below="$function" '
		match($0, /mm_page_alloc:.* order=[0-9]+/) { order = substr($0, RSTART, RLENGTH); sub(/.*=/, "", order) }
		$1 == "=>" && $2 ~ "^" below "([+.]|$)" { pages += 2 ^ order; order = 0 }
		END { print pages * 4 }' $tracing/trace
}

# ---- file systems -----------------------------------------------------------

# make_fs FS DEVICE: xfs, xfs-noreflink, xfs-rmap or ext4, extents aligned to 2 MiB.
make_fs() {
	case $1 in
	xfs)		mkfs.xfs -q -f -d su=2m,sw=1 -m reflink=1,rmapbt=0 "$2" ;;
	xfs-noreflink)	mkfs.xfs -q -f -d su=2m,sw=1 -m reflink=0,rmapbt=0 "$2" ;;
	xfs-rmap)	mkfs.xfs -q -f -d su=2m,sw=1 -m reflink=1,rmapbt=1 "$2" ;;
	ext4)		mkfs.ext4 -q -F -b 4096 -E "stride=512,stripe_width=512,nodiscard" "$2" ;;
	ext2)		mkfs.ext2 -q -F -b 4096 "$2" ;;
	*)		bail "no such file system: $1" ;;
	esac
}

mount_dax() { mkdir -p "$2" && mount -o "dax${3:-=always}${4:+,$4}" "$1" "$2"; }
