# SPDX-License-Identifier: GPL-2.0
# What the jobs share, beside what scenarios have.
# shellcheck shell=bash
# shellcheck source=lab/scenarios/lib.sh
. "$(dirname "$0")/../../lab/scenarios/lib.sh"

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
