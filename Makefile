# What there is to do with this repository. Each target is a script that can also be run by hand.

.PHONY: help setup build run test thresholds differential fuzz lint bench conformance format clean
.DEFAULT_GOAL := help

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing (Debian packages, Faucet for the tests); as root.
	@Scripts/setup

build: ## Build the switch and its tests in release mode.
	@Scripts/setup --build
	@Scripts/build

run: build ## Show a switch and two network functions between two network namespaces, until Ctrl-C; as root.
	@Scripts/demo

test: setup ## Build and run all tests; as root, for those with real ports.
	@Scripts/test

thresholds: setup build ## Count instructions per packet and stage, and record them in Fixtures/thresholds.
	@Scripts/thresholds

differential: setup ## Compare compiled tables with the reference over RINGWAY_STEPS (a million) random steps.
	@RINGWAY_STEPS=$${RINGWAY_STEPS:-1000000} Scripts/test --filter DifferentialTests

fuzz: ## Look for inputs that something is wrong with, FUZZ_SECONDS (60) for each kind.
	@Scripts/setup --build
	@Scripts/fuzz

lint: ## Check the format of sources and scripts.
	@Scripts/lint

bench: setup build ## Measure, side by side with Open vSwitch on DPDK; as root.
	@if [ -x Benchmarks/bench ]; then Benchmarks/bench; else echo "make bench: there is no Benchmarks/bench" >&2; exit 1; fi

conformance: build ## Run os-ken's switch certification, half an hour; as root.
	@Conformance/os-ken

format: ## Format the sources.
	@PATH="$$PATH:/opt/swift/usr/bin" swift format --in-place --recursive --parallel Sources Examples Tests Package.swift

clean: ## Remove what was built.
	rm -rf .build
