# SPDX-License-Identifier: GPL-2.0
# What the jobs share, beside what scenarios have.
# shellcheck shell=bash
# shellcheck source=lab/scenarios/lib.sh
. "$(dirname "$0")/../../lab/scenarios/lib.sh"

# by_default: /dev/pmem0 becomes what it is by default: memory without struct pages, where the kernel has it. Sets $kind.
by_default() {
	local mode=/sys/module/nd_pmem/parameters/pageless nd
	kind=pages
	[ -e $mode ] || return 0
	nd=$(nd_device pmem0)
	unbind "$nd" && echo raw >$mode && bind "$nd" && kind=$(kind_of pmem0)
	[ "$kind" = pageless ] || bail "/dev/pmem0 is not page-less"
}

# measure JOB CASE ARG...: the least that three processes see. One may have met a state of the machine
# that lasts as long as it does: such as where in memory its buffer is.
measure() {
	local job=$1 case=$2 n least=''
	shift 2
	for _ in 1 2 3; do
		n=$("$top/build/bench/measure" "$@") || return
		[ -n "$least" ] && [ "$least" -le "$n" ] || least=$n
	done
	echo "$job $case $least"
}
