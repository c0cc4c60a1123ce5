# SPDX-License-Identifier: GPL-2.0
# What the scenarios share: test points, namespaces, file systems. A scenario runs
# as root in the guest, prints a TAP line for each test point and the plan last.
# shellcheck shell=bash
set -u

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
top=${here%/lab/scenarios}
programs=$top/build/selftests
export PATH=$PATH:/sbin:/usr/sbin
export LC_ALL=C	# a locale is a dozen files that each program opens

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

# is NAME GOT WANTED: they are equal.
is() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1: got '$2', wanted '$3'"
		return 1
	fi
}

# logged NAME PATTERN: the kernel log has it (since the last mark_log).
mark_log() { dmesg | wc -l >/run/log-mark; }
log_since() { dmesg | tail -n +"$(($(cat /run/log-mark 2>/dev/null || echo 0) + 1))"; }
logged() {
	if log_since | grep -qE -- "$2"; then ok "$1"; else not_ok "$1: not in the log: $2"; fi
}

# run_program NAME ARG...: run a selftest, leave what it says and how it ended.  KASAN under TCG beside a
# second guest is slow.
run_program() {
	local name=$1 status=0 start=$SECONDS time=120
	shift
	[[ $(uname -r) != *-debug ]] || time=360
	timeout "${PROGRAM_TIMEOUT:-$time}" "$programs/$name" "$@" >"/run/$name.out" 2>&1 </dev/null || status=$?
	echo "$status $((SECONDS - start))" >"/run/$name.end"
}

# Test points that fail in the base kernel. There they must, or the pattern is to be changed.
known_failures=''
release=$(uname -r)
on_stock() { [[ $release == *-stock ]]; }

# as_known LINE: count a test point as it is to be counted.
as_known() {
	if [ -z "$known_failures" ] || ! on_stock || ! [[ $1 =~ $known_failures ]]; then
		point "$1"
	elif [[ $1 == not\ ok* ]]; then
		point "${1#not } (fails, a bug of the base kernel)"
	elif [[ $1 == *"# SKIP"* ]]; then
		point "$1"
	else
		point "not $1: known to fail, and does not"
	fi
}

# report_program GROUP NAME: pass its test points on under the group's name. It starts no other
# program for a point: under TCG with KASAN that costs more than most tests.
report_program() {
	local group=$1 name=$2 out=/run/$2.out status seconds line n=0 failed=''
	read -r status seconds <"/run/$name.end"
	while read -r line; do
		[[ $line =~ ^((not )?ok)\ [0-9]+\ (- )?(.*) ]] || continue
		n=$((n + 1)) failed=$failed${BASH_REMATCH[2]}
		as_known "${BASH_REMATCH[1]} - $group: $name: ${BASH_REMATCH[4]}"
	done <"$out"
	echo "# $group: $name: $seconds s"
	if [ -n "$failed" ]; then
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
		grep -vxE 'dax_flag|quota|sync_writeback|hwpoison|stress|acked|durable|probe_mapping|stale_mapping|fail_nth|direct_.*' | sort)
	[ -n "$names" ] || bail "no programs in $programs: make programs"
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

ranges=/sys/kernel/debug/pageless/ranges

# bounced [QUEUE]: how many bios of page-less memory were, by this queue or by all together.
bounced() {
	# shellcheck disable=SC2086 # a pattern
	cat ${1:-/sys/block/*/queue}/pageless_bounced 2>/dev/null | awk '{ n += $1 } END { print n + 0 }'
}

# partition DISK NUMBER START-MIB SIZE-MIB
partition() { "$top/build/lab-addpart" "/dev/$1" "$2" $(($3 << 11)) $(($4 << 11)) || bail "no partition $1p$2"; }

# eventually COMMAND...: wait until it succeeds. The limit says only that something hangs: a
# virtual CPU may be held up by its host for many seconds.
eventually() {
	local tenths
	for ((tenths = 0; tenths < 1200; tenths++)); do
		! "$@" || return 0
		sleep 0.1
	done
	return 1
}

# wait_for_disk COMMAND...: until it prints the name of a disk; sets $dev.
disk_named_by() { dev=/dev/$("$@" | head -n 1) && [ -b "$dev" ]; }
wait_for_disk() { eventually disk_named_by "$@"; }

# send WORD FIFO: to a process that has it open, if it still lives. To open it for both ways does
# not wait for a reader.
send() { echo "$1" 1<>"$2"; }

scsi_debug_disk() { ls /sys/bus/pseudo/drivers/scsi_debug/adapter0/host*/target*/*/block 2>/dev/null; }

nvmet=/sys/kernel/config/nvmet

nvme_tcp_disk() {
	local s
	for s in /sys/class/nvme-subsystem/*; do
		[ "$(cat "$s/subsysnqn")" != io ] || (cd "$s" && ls -d nvme*n1)
	done 2>/dev/null
}

# nvme_tcp DEVICE: export it and connect to it, over the loopback interface; sets $dev.
nvme_tcp() {
	local host=1b4e28ba-2fa1-11d2-883f-0016d3cca427
	modprobe -a nvmet nvmet-tcp nvme-tcp || return
	mkdir $nvmet/subsystems/io && echo 1 >$nvmet/subsystems/io/attr_allow_any_host
	mkdir $nvmet/subsystems/io/namespaces/1
	echo -n "$1" >$nvmet/subsystems/io/namespaces/1/device_path
	echo 1 >$nvmet/subsystems/io/namespaces/1/enable
	mkdir $nvmet/ports/1
	echo tcp >$nvmet/ports/1/addr_trtype
	echo ipv4 >$nvmet/ports/1/addr_adrfam
	echo 127.0.0.1 >$nvmet/ports/1/addr_traddr
	echo 4420 >$nvmet/ports/1/addr_trsvcid
	ln -s $nvmet/subsystems/io $nvmet/ports/1/subsystems/io
	nvme connect -t tcp -n io -a 127.0.0.1 -s 4420 --hostid=$host \
		--hostnqn=nqn.2014-08.org.nvmexpress:uuid:$host && wait_for_disk nvme_tcp_disk
}

nvme_tcp_end() {
	local status=0
	nvme disconnect -n io || status=1
	rm $nvmet/ports/1/subsystems/io || status=1
	rmdir $nvmet/ports/1 $nvmet/subsystems/io/namespaces/1 $nvmet/subsystems/io || status=1
	return $status
}

# raid_end DEVICE...: stop /dev/md9 and forget it. Between the two, udev would assemble it again.
raid_end() {
	local status=0
	udevadm control --stop-exec-queue
	mdadm --stop /dev/md9 || status=1
	mdadm --zero-superblock --force "$@" || status=1
	udevadm control --start-exec-queue
	return $status
}

# can_poison NAME: can machine_check make one here, and the kernel read what is poisoned? A skip if not.
can_poison() {
	grep -q AuthenticAMD /proc/cpuinfo || { skip "$1" "the machine check is one of AMD's"; return 1; }
	grep -qw erms /proc/cpuinfo || { skip "$1" "LAB_CPU=erms=on: copy_mc_to_kernel() needs it"; return 1; }
}

# A machine check for a byte of pmem0: an error that the memory found by itself. The kernel polls the
# CPU for it, and takes the frame out of its linear map. Of bank 4 and with error 8 it is the memory
# controller's, which the platform's driver notes too.
machine_check() {	# machine_check OFFSET [BANK ERROR]
	local mce=/sys/kernel/debug/mce-inject
	modprobe mce-inject
	echo 1 >/sys/devices/system/machinecheck/machinecheck0/check_interval
	mark_log
	echo hw >$mce/flags && echo $(($(awk '!/^#/ { print $1; exit }' $ranges) + $1)) >$mce/addr
	# Valid, enabled, address, deferred, poison.
	echo "0x94001800000${3:-0}0000" >$mce/status && echo "${2:-1}" >$mce/bank
	eventually grep -q . /sys/block/pmem0/badblocks && sleep 1	# the map comes after the block
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

# udev looks at a disk when somebody who wrote to it closes it, and holds a page of it meanwhile. Not
# where tests let disks stand still: direct I/O to that page would wait for the disk.
leave_disks_alone() {
	mkdir -p /run/udev/rules.d
	echo 'SUBSYSTEM=="block", OPTIONS+="nowatch"' >/run/udev/rules.d/99-nowatch.rules
	udevadm control --reload
}

# make_fs FS DEVICE [OPTION OF mkfs.ext4...]: xfs, xfs-noreflink, xfs-rmap or ext4, extents aligned to 2 MiB.
make_fs() {
	case $1 in
	xfs)		mkfs.xfs -q -f -d su=2m,sw=1 -m reflink=1,rmapbt=0 "$2" ;;
	xfs-noreflink)	mkfs.xfs -q -f -d su=2m,sw=1 -m reflink=0,rmapbt=0 "$2" ;;
	xfs-rmap)	mkfs.xfs -q -f -d su=2m,sw=1 -m reflink=1,rmapbt=1 "$2" ;;
	ext4)		mkfs.ext4 -q -F -b 4096 -E "stride=512,stripe_width=512,nodiscard" "${@:3}" "$2" ;;
	*)		bail "no such file system: $1" ;;
	esac
}

mount_dax() { mkdir -p "$2" && mount -o "dax${3:-=always}${4:+,$4}" "$1" "$2"; }
