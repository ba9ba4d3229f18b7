# What a developer does with this checkout. The work is in .ci/workshop (standard library only);
# everything it makes lies in ${XDG_CACHE_HOME:-~/.cache}/zdriver.
.DEFAULT_GOAL := help
.PHONY: help start test lint bench faults plugin lock clean
UV ?= uv

help: ## show this
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

start: ## open Zellij with zdriver in this repository (without a terminal: play the demo)
	@.ci/python start

test: ## everything: linters, types, layers, the plugin, all tests (ARGS='-k restore' for some)
	@.ci/python test $(ARGS)

lint: ## linters, types, layers, the plugin's native tests
	@.ci/python lint

bench: ## each figure beside its limit, measured in the same run (ARGS='rpc cli' for some)
	@.ci/python bench $(ARGS)

faults: ## kill servers and daemons, count what is lost, write docs/reliability.md (ARGS='redis' for some)
	@.ci/python faults $(ARGS)

plugin: ## rebuild zdriver/data/zdriver.wasm from zellij-plugin/
	@.ci/python plugin

lock: ## write requirements/*.txt anew from pyproject.toml (needs uv)
	@.ci/lock $(UV)

clean: ## remove the environments in the cache (Zellij's build is kept)
	@.ci/python clean
