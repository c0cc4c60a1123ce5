# SPDX-License-Identifier: GPL-2.0
# Pageless: two commands, `make run` and `make test`; `make help` names the others.

.PHONY: run test soak shell setup tree kernel programs patches lint bench compile-check help
.DEFAULT_GOAL := help

run: setup tree programs		## set up, boot, show the main job
	@scripts/kernel release
	@lab/demo

test: setup tree programs		## the release kernel, and a debug kernel that checks itself
	@scripts/test --build

soak: setup tree programs		## more combinations, 210 removals under load, 500 power cuts
	@scripts/test --build --soak

shell: setup tree			## a root shell in the guest (MACHINE=pmem)
	@scripts/kernel release
	@lab/run --machine $(or $(MACHINE),pmem) --shell

setup:
	@scripts/setup

tree: setup				## make build/linux: base + patches/ + linux/
	@scripts/tree

kernel: setup tree			## build a kernel (KERNEL=release)
	@scripts/kernel $(or $(KERNEL),release)

programs: tree
	@$(MAKE) -s -j$$(nproc) -C build/linux/tools/testing/selftests/pageless OUTPUT=$(CURDIR)/build/selftests

bench: setup tree			## instructions of I/O and faults, and text size, of stock and release
	@for k in stock release release-off; do scripts/kernel $$k || exit; done
	@bench/text
	@bench/compare stock release
	@for k in small-stock small; do scripts/kernel $$k || exit; done
	@bench/compare small-stock small mapping tier

patches:				## export the commits of build/linux to patches/
	@scripts/patches

lint: tree				## checkpatch, kernel-doc, shellcheck, the layout
	@scripts/setup check
	@scripts/lint

compile-check: tree			## compile what patches touch for each machine, compare sizes
	@scripts/setup check
	@scripts/compile-check

help:
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile
