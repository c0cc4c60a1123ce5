# SPDX-License-Identifier: GPL-2.0
# Pageless: two commands, `make run` and `make test`; `make help` names the others.

.PHONY: run test soak shell setup tree kernel programs patches lint help
.DEFAULT_GOAL := help

run: setup tree programs		## set up, boot, show the main job
	@scripts/kernel release
	@lab/demo

test: setup tree programs		## everything, on release, debug and stock
	@for k in release debug stock off i386; do scripts/kernel $$k || exit; done
	@scripts/test

soak: setup tree programs		## 200 removals under load, a long way round
	@scripts/kernel release
	@for m in 1 2 3 4 5; do lab/run --machine pmem2 --timeout 3600 -- lab/scenarios/unbind 14 || exit; done

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
	@$(MAKE) -s -C build/linux/tools/testing/selftests/pageless OUTPUT=$(CURDIR)/build/selftests

patches:				## export the commits of build/linux to patches/
	@scripts/patches

lint: tree				## checkpatch, kernel-doc, shellcheck, the layout
	@scripts/lint

help:
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile
